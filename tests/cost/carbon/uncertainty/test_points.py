"""Points of the unit cube: whole nets, strata, seeds, and SciPy's own sequence."""

import numpy as np
import pytest

from thrifty.cost.carbon.uncertainty import METHODS, Method, Net
from thrifty.cost.carbon.uncertainty.points import BLOCK, _directions, count_of
from thrifty.errors import BadValue


def points(method: Method, dimensions: int, count: int, seed: int = 0, replicate: int = 0) -> np.ndarray:
    net = Net(method, dimensions, count, seed=seed, replicate=replicate)
    starts = range(0, count, BLOCK)
    return np.stack([np.concatenate(c) for c in zip(*[[net.column(d, s, min(s + BLOCK, count)) for d in range(dimensions)] for s in starts], strict=True)])


def test_peer_the_unscrambled_sequence_is_scipys() -> None:
    qmc = pytest.importorskip("scipy.stats.qmc")
    bits, words = np.arange(2048), np.zeros((2048, 256), dtype=np.uint32)
    for bit in range(11):
        words ^= ((bits >> bit & 1)[:, None] * _directions()[:, bit]).astype(np.uint32)
    ours = words * 2.0**-32
    np.testing.assert_array_equal(ours[bits ^ (bits >> 1)], qmc.Sobol(256, scramble=False, bits=32).random(2048))  # SciPy goes in Gray order


@pytest.mark.parametrize("count", [64, 2 * BLOCK])
@pytest.mark.parametrize("method", ["sobol", "latin"])
def test_property_every_column_has_one_point_in_each_of_n_slices(method: Method, count: int) -> None:
    for column in points(method, 7, count):
        np.testing.assert_array_equal(np.sort((column * count).astype(int)), np.arange(count))


def test_property_a_scrambled_net_has_one_point_in_each_elementary_box_of_its_first_two_columns() -> None:
    first, second = points("sobol", 2, 256, seed=5)
    for split in range(9):
        boxes = (first * 2**split).astype(int) * 2 ** (8 - split) + (second * 2 ** (8 - split)).astype(int)
        np.testing.assert_array_equal(np.sort(boxes), np.arange(256))


@pytest.mark.parametrize("method", METHODS)
def test_seeds_repeat_and_replicates_differ(method: Method) -> None:
    first = points(method, 3, 128, seed=1)
    np.testing.assert_array_equal(first, points(method, 3, 128, seed=1))
    assert not np.array_equal(first, points(method, 3, 128, seed=1, replicate=1))
    assert not np.array_equal(first, points(method, 3, 128, seed=2))
    assert ((first > 0) & (first < 1)).all()
    assert np.abs(np.corrcoef(points(method, 3, 4096))[np.triu_indices(3, 1)]).max() < 0.06


def test_what_cannot_be_is_refused() -> None:
    assert count_of(1000, "sobol") == 64
    assert count_of(1000, "latin") == 63
    for samples, said in ((0, "samples=0 is below 1"), (float("nan"), "samples=nan is not a whole number"), (2.5, "samples=2.5 is not a whole number")):
        with pytest.raises(BadValue, match=said):
            count_of(samples, "plain")
    with pytest.raises(BadValue, match=r"method 'halton' is unknown\. Choose from: sobol, latin, plain\."):
        count_of(10, "halton")  # type: ignore[arg-type]
    with pytest.raises(BadValue, match=r"257 variables are more than the 256 dimensions of the Sobol table\. Choose --method latin\."):
        Net("sobol", 257, 8, seed=0, replicate=0)
    with pytest.raises(BadValue, match="seed=-1 is no whole number of at least 0"):
        Net("latin", 2, 8, seed=-1, replicate=0)

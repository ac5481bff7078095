"""exp, exp2 and log: close to the true values, and the same bits compiled and with NumPy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from thrifty.formats import elementary
from thrifty.loops import has_numba

EDGES = [0.0, -0.0, np.inf, -np.inf, np.nan, 709.782712893384, 709.79, -745.1332191019412, -745.14, -708.4, 1024.0, -1022.0, -1074.0, -1075.0, 5e-324, 1e308]


def _spread(count: int) -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(6)
    return np.concatenate([
        EDGES, rng.uniform(-750, 715, count), rng.uniform(-1080, 1030, count), rng.integers(0, 1 << 64, count, dtype=np.uint64).view(np.float64),
    ])  # fmt: skip


@pytest.mark.parametrize("name", ["exp", "exp2", "log"])
def test_formula_compiled_functions_give_the_same_bits(name: str) -> None:
    if not has_numba():
        pytest.skip("numba is not installed")
    from thrifty.formats import elementary_kernels

    x = _spread(20_000)
    ours = np.empty_like(x)
    getattr(elementary_kernels, f"{name}_row")(x, ours, x.size)
    with np.errstate(all="ignore"):
        plain = getattr(elementary, name)(x)
    np.testing.assert_array_equal(ours.view(np.uint64), plain.view(np.uint64))


@pytest.mark.parametrize(("name", "low", "high", "ulps"), [("exp", -740.0, 709.0, 1.5), ("exp2", -1074.0, 1023.0, 1.5), ("log", -300.0, 300.0, 2.0)])
def test_peer_functions_are_within_their_bound_of_mpmath(name: str, low: float, high: float, ulps: float) -> None:
    mpmath = pytest.importorskip("mpmath")
    x = np.random.default_rng(7).uniform(low, high, 1500)
    x = 10.0**x if name == "log" else x
    ours = getattr(elementary, name)(x)
    true = {"exp": mpmath.exp, "log": mpmath.log, "exp2": lambda each: mpmath.power(2, each)}[name]
    with mpmath.workprec(160):
        wrong = [float(abs(mpmath.mpf(float(y)) - true(mpmath.mpf(float(v)))) / mpmath.mpf(float(np.spacing(abs(y))))) for v, y in zip(x, ours, strict=True)]
    assert max(wrong) <= ulps


def test_formula_edges_of_the_functions() -> None:
    assert elementary.exp([0.0, -np.inf, np.inf]).tolist() == [1.0, 0.0, np.inf]
    assert elementary.exp2([3.0, -1074.0, -1080.0, 1024.0]).tolist() == [8.0, 5e-324, 0.0, np.inf]
    assert elementary.log([1.0, 0.0, np.inf]).tolist() == [0.0, -np.inf, np.inf]
    assert np.isnan(elementary.log([-1.0, np.nan, -np.inf])).all()

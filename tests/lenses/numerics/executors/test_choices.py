"""Routing flips, batch invariance and Winograd's convolution."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from thrifty.errors import BadValue
from thrifty.formats import matmul
from thrifty.lenses.numerics import attention, batch_invariance, flip_probability, routing_flips, winograd_convolution


def test_property_flips_are_as_often_as_margins_say() -> None:
    rng = np.random.default_rng(0)
    golden = rng.normal(size=(20_000, 8))
    found = routing_flips(golden + rng.normal(size=golden.shape) * 0.01, golden)
    assert found.flips == pytest.approx(float(flip_probability(found.margins, 0.01).mean()), rel=0.15)
    assert found.by_margin[0][1] > 10 * max(found.by_margin[3][1], 1e-4)


def test_formula_flips_by_hand() -> None:
    golden = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.9], [1.0, 1.0, 0.0]])
    logits = np.array([[3.1, 2.0, 1.0], [3.0, 1.9, 2.0], [1.0, 1.0, 0.0]])
    outputs, best = np.array([[1.0], [2.0], [1.0]]), np.array([[1.0], [1.0], [1.0]])
    found = routing_flips(logits, golden, 2, outputs=outputs, golden_outputs=best)
    assert (found.flips, found.first, found.jump, found.still) == (1 / 3, 0.0, 1.0, 0.0)
    np.testing.assert_allclose(found.margins, [1.0, 0.1, 1.0])
    assert flip_probability([0.0, 1.0], 0.0).tolist() == [0.5, 0.0]
    assert flip_probability([np.sqrt(2.0)], 1.0)[0] == pytest.approx(0.15865525, rel=1e-6)  # Φ(−1)


def test_formula_routing_refusals() -> None:
    x = np.ones((3, 4))
    with pytest.raises(BadValue, match="k=4 must be"):
        routing_flips(x, x, 4)
    with pytest.raises(BadValue, match="1 NaN"):
        routing_flips(np.where(np.arange(12).reshape(3, 4) == 5, np.nan, x), x)
    with pytest.raises(BadValue, match="belong together"):
        routing_flips(x, x, outputs=x)
    with pytest.raises(BadValue, match="a margin is 0 or more"):
        flip_probability([-1.0], 1.0)


def test_formula_a_fixed_number_of_splits_is_not_batch_invariant_a_fixed_size_is() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(8, 96)).astype(np.float32), rng.normal(size=(96, 5)).astype(np.float32)
    divided = batch_invariance(lambda rows: matmul(rows, b, f"split_k:{max(8 // len(rows), 1)}:fma:fp32"), a, (1, 2, 8))
    assert not divided.invariant and divided.same[0] and divided.first is not None and max(divided.differences) > 0
    assert batch_invariance(lambda rows: matmul(rows, b, "split_k:8:fma:fp32"), a, (1, 2, 8)).invariant
    k, v = (rng.normal(size=(1, 1, 64, 8)).astype(np.float32) for _ in range(2))
    q = rng.normal(size=(6, 1, 1, 8)).astype(np.float32)

    def decode(rows: np.ndarray, **how: int) -> np.ndarray:
        keys, values = (np.repeat(x, len(rows), axis=0) for x in (k, v))
        return np.asarray(attention(rows, keys, values, policy="fa2_kernel", format="bf16", block_k=8, **how))

    assert not batch_invariance(lambda rows: decode(rows, splits=max(8 // len(rows), 1)), q * 3, (1, 2, 6)).invariant
    assert batch_invariance(lambda rows: decode(rows, split_size=16), q * 3, (1, 2, 6)).invariant


def test_formula_batch_invariance_of_torch_and_refusals() -> None:
    x = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    assert batch_invariance(lambda rows: rows.relu() * 3, x, (1, 3, 6)).invariant
    found = batch_invariance(lambda rows: rows - rows.mean(0), x, (2, 6))
    assert not found.invariant and found.first == (6, (0, 0)) and found.to_dict()["first"] == {"size": 6, "index": [0, 0]}
    for sizes, message in (((1, 7), "must be whole numbers from 1 to 6"), ((2,), "one size"), ((), "must be")):
        with pytest.raises(BadValue, match=message):
            batch_invariance(torch.relu, x, sizes)
    with pytest.raises(BadValue, match="first axis must be theirs"):
        batch_invariance(lambda rows: rows.sum(), x, (1, 2))


@pytest.mark.parametrize("m", [2, 4])
@pytest.mark.parametrize("padding", [0, 1])
def test_formula_winograd_is_the_convolution(m: int, padding: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x, weight = torch.randn(2, 3, 11, 9, generator=generator, dtype=torch.float64), torch.randn(4, 3, 3, 3, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(winograd_convolution(x, weight, m, padding), torch.nn.functional.conv2d(x, weight, padding=padding), rtol=0, atol=1e-12)
    torch.testing.assert_close(winograd_convolution(x[..., 0], weight[..., 0], m, padding),
                               torch.nn.functional.conv1d(x[..., 0], weight[..., 0], padding=padding), rtol=0, atol=1e-12)  # fmt: skip


def test_formula_winograd_refusals() -> None:
    with pytest.raises(BadValue, match="m=3 is unknown"):
        winograd_convolution(torch.ones(1, 1, 5), torch.ones(1, 1, 3), 3)
    with pytest.raises(BadValue, match="is needed"):
        winograd_convolution(torch.ones(1, 1, 5), torch.ones(1, 1, 5))
    with pytest.raises(BadValue, match="must hold 3 taps"):
        winograd_convolution(torch.ones(1, 1, 2), torch.ones(1, 1, 3))

"""Where low-precision runs round, and AdamW."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")

import thrifty.formats as formats  # noqa: E402
from thrifty.lenses.numerics.training.models.precision import Arithmetic, rounder  # noqa: E402
from thrifty.lenses.numerics.training.running.optimiser import AdamW  # noqa: E402

RANDOM = torch.from_numpy(np.random.default_rng(1).integers(0, 2**32, 20_000, dtype=np.uint64).astype(np.uint32).view(np.float32))
NUMBERS = RANDOM[~torch.isnan(RANDOM)]


@pytest.mark.parametrize("format", ["bf16", "fp16"])
def test_replay_torchs_casts_from_fp32_are_the_formats_rounding(format: str) -> None:
    assert torch.equal(rounder(format)(NUMBERS), formats.round(NUMBERS, format))


def test_formula_a_format_without_infinities_saturates() -> None:
    assert rounder("e4m3")(torch.tensor([1000.0, 17.0])).tolist() == [448.0, 16.0]


def test_formula_a_product_rounds_operands_result_and_all_gradients_once() -> None:
    made = torch.Generator().manual_seed(3)
    x, weight, bias, grad = (torch.randn(*axes, generator=made) for axes in ((5, 4), (3, 4), (3,), (5, 3)))
    for each in (x, weight, bias):
        each.requires_grad_(True)
    to = rounder("bf16")
    out = Arithmetic("autocast", "bf16").linear(x, weight, bias)
    out.backward(grad)
    with torch.no_grad():
        rx, rw, rg = to(x), to(weight), to(grad)
        assert torch.equal(out, to(torch.nn.functional.linear(rx, rw, to(bias))))
        assert torch.equal(x.grad, to(rg @ rw))
        assert torch.equal(weight.grad, to(rg.T @ rx))
        assert torch.equal(bias.grad, to(rg.sum(0)))


def test_formula_variants_differ_in_what_else_is_kept() -> None:
    x = torch.tensor([1.0 + 2**-12], requires_grad=True)
    assert Arithmetic("autocast", "bf16").kept(x) is x
    kept = Arithmetic("pure", "bf16").kept(x)
    kept.backward(torch.tensor([1.0 + 2**-12]))
    assert (kept.item(), x.grad.item()) == (1.0, 1.0)


def test_peer_adamw_is_torchs_bit_for_bit() -> None:
    made = torch.Generator().manual_seed(5)
    start = torch.randn(257, generator=made)
    ours, theirs = start.clone(), torch.nn.Parameter(start.clone())
    mine = AdamW(ours, torch.ones(257), 2e-3, warm_up=1)
    peer = torch.optim.AdamW([theirs], lr=2e-3, weight_decay=0.01, foreach=False)
    for _ in range(60):
        grad = torch.randn(257, generator=made)
        theirs.grad = grad.clone()
        peer.step()
        mine.step(grad)
    assert torch.equal(ours, theirs.detach())


def test_formula_adamw_warms_up_evenly_and_decays_matrices_only() -> None:
    theta = torch.tensor([1.0, 1.0])
    adam = AdamW(theta, torch.tensor([1.0, 0.0]), 0.1, warm_up=10)
    adam.step(torch.zeros(2))
    assert theta.tolist() == pytest.approx([1 - 0.1 / 10 * 0.01, 1.0], abs=1e-7)


def test_property_a_pure_optimiser_keeps_every_state_in_its_format() -> None:
    to, made = rounder("bf16"), torch.Generator().manual_seed(9)
    theta = to(torch.randn(100, generator=made))
    adam = AdamW(theta, torch.ones(100), 2e-3, to)
    for _ in range(5):
        adam.step(torch.randn(100, generator=made))
        for each in (adam.theta, adam.first, adam.second):
            assert torch.equal(each, to(each))

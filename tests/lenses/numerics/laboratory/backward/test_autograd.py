"""Attention under a policy inside torch's autograd."""

from typing import Any

import numpy as np
import pytest

from thrifty.errors import BadValue
from thrifty.lenses.numerics.laboratory import attention
from thrifty.lenses.numerics.laboratory.backward import attention_backward, emulated_attention
from thrifty.lenses.numerics.policy import Policy, Rule, as_policy

torch: Any = pytest.importorskip("torch")


def leaves(seed: int, dtype: Any, batch: int = 3, heads: int = 4, shared: int = 2, seq: int = 9, seq_kv: int = 11, d: int = 5) -> list[Any]:
    generator = torch.Generator().manual_seed(seed)
    shapes = ((batch, heads, seq, d), (batch, shared, seq_kv, d), (batch, shared, seq_kv, d), (batch, heads, seq, d))
    return [torch.randn(shape, generator=generator, dtype=dtype).requires_grad_() for shape in shapes]


@pytest.mark.parametrize("policy", ["fa_paper", "fa2_kernel", "baseline_eager", as_policy("fa2_kernel").override("option.scale_after=false")])
def test_formula_both_passes_are_the_laboratorys(policy: Any) -> None:
    for turn in range(2):  # the second time by a plan that is held
        q, k, v, dout = leaves(turn, torch.float32)
        out = emulated_attention(q, k, v, policy=policy, block_q=4, block_k=4, causal=True, order=5)
        out.backward(dout)
        wanted = attention_backward(dout, q, k, v, policy=policy, block_q=4, block_k=4, causal=True, order=5)
        assert out.dtype == torch.float32 and torch.equal(out, attention(q, k, v, policy=policy, block_q=4, block_k=4, causal=True))
        assert all(torch.equal(x.grad, each) for x, each in zip((q, k, v), (wanted.dq, wanted.dk, wanted.dv), strict=True))


@pytest.mark.usefixtures("by_definition")
def test_peer_fp64_gradients_pass_gradcheck() -> None:
    policy = Policy(name="fp64", algorithm="fa2", sites={"*": Rule(format="fp64")}, accumulators={"*": "fma:fp64"})
    q, k, v, _ = leaves(3, torch.float64, batch=1, heads=2, shared=1, seq=3, seq_kv=4, d=2)
    mask = torch.tensor([[True, False, True, True]] * 3)
    assert torch.autograd.gradcheck(lambda *x: emulated_attention(*x, policy=policy, format="fp64", block_q=2, block_k=3, mask=mask), (q, k, v))


@pytest.mark.usefixtures("by_definition")
def test_formula_dtypes_are_those_of_the_model() -> None:
    q, k, v, dout = leaves(4, torch.bfloat16)
    out = emulated_attention(q, k, v, policy="fa2_kernel", block_q=4, block_k=4)
    out.backward(dout)
    assert out.dtype == q.grad.dtype == v.grad.dtype == torch.bfloat16
    wide = emulated_attention(q, k, v, policy="baseline_fp64", format="fp64")
    assert wide.dtype == torch.float64
    assert emulated_attention(q, k, v, policy="fa_paper", format="fp32").dtype == torch.float32


def test_formula_a_mask_is_looked_at_every_time() -> None:
    q, k, v, _ = leaves(5, torch.float32)
    masks = [torch.ones(9, 11, dtype=torch.bool), torch.tril(torch.ones(9, 11, dtype=torch.bool))]
    outs = [emulated_attention(q, k, v, mask=mask, block_q=4, block_k=4) for mask in masks]
    assert not torch.equal(outs[0], outs[1])
    assert torch.equal(outs[1], attention(q, k, v, mask=masks[1], block_q=4, block_k=4))


def test_formula_a_model_learns_the_same_twice() -> None:
    def train() -> Any:
        torch.manual_seed(0)
        weight = torch.randn(6, 6, requires_grad=True)
        x = torch.randn(2, 2, 8, 6)
        for _ in range(5):
            loss = (emulated_attention(x @ weight, x, x, policy="fa_paper", block_q=4, block_k=4) ** 2).sum()
            weight.grad = None
            loss.backward()
            with torch.no_grad():
                weight -= 0.01 * weight.grad
        return weight.detach(), float(loss.detach())

    (first, loss), (second, _) = train(), train()
    assert torch.equal(first, second) and np.isfinite(loss)


def test_formula_arrays_are_refused() -> None:
    x = np.zeros((1, 1, 2, 2))
    with pytest.raises(BadValue) as why:
        emulated_attention(x, x, x)
    assert str(why.value) == "q is a ndarray; gradients flow through tensors of torch only. Use attention and attention_backward."
    tensor = torch.zeros(1, 1, 2, 2)
    with pytest.raises(BadValue, match="quantise=block"):
        emulated_attention(tensor, tensor, tensor, policy="fa3_fp8", format="e4m3")

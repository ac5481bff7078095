"""Gradients of attention under a policy: against torch's autograd in FP64, against finite differences, and what rounding must and must not change."""

from typing import Any

import numpy as np
import pytest

from thrifty.errors import BadValue
from thrifty.lenses.numerics.laboratory import attention
from thrifty.lenses.numerics.laboratory.backward import attention_backward
from thrifty.lenses.numerics.policy import Options, Policy, Rule, as_policy

pytestmark = pytest.mark.usefixtures("by_definition")

Floats = np.ndarray[Any, np.dtype[np.float64]]
FP64 = {"*": Rule(format="fp64")}


def fp64(algorithm: str, **options: Any) -> Policy:
    return Policy(name="fp64", algorithm=algorithm, sites=FP64, accumulators={"*": "sequential:fp64"}, options=Options(**options))


def arrays(seed: int, batch: int = 2, heads: int = 4, shared: int = 2, seq: int = 13, seq_kv: int = 17, d: int = 5, e: int = 3) -> list[Floats]:
    """dout, q, k, v."""
    draw = np.random.default_rng(seed)
    shapes = ((batch, heads, seq, e), (batch, heads, seq, d), (batch, shared, seq_kv, d), (batch, shared, seq_kv, e))
    return [draw.standard_normal(shape) for shape in shapes]


def autograd(
    dout: Floats, q: Floats, k: Floats, v: Floats, causal: bool = False, window: int | None = None, alibi: Any = None, mask: Any = None
) -> list[Floats]:
    """Derivatives of the formula, by torch in FP64. Rows that see no key give zeros."""
    torch = pytest.importorskip("torch")
    leaves = [torch.tensor(x, requires_grad=True) for x in (q, k, v)]
    groups = q.shape[1] // k.shape[1]
    keys, values = (x.repeat_interleave(groups, 1) for x in leaves[1:])
    scores = leaves[0] @ keys.transpose(-1, -2) / q.shape[-1] ** 0.5
    seq, seq_kv = scores.shape[-2:]
    ahead = torch.arange(seq_kv)[None] - (torch.arange(seq)[:, None] + seq_kv - seq)
    if alibi is not None:
        scores = scores - torch.tensor(alibi)[:, None, None] * ahead.abs()
    seen = torch.ones(scores.shape, dtype=torch.bool)
    seen &= (ahead <= 0) | (not causal)
    seen &= (ahead.abs() <= window) if window is not None else True
    seen &= torch.tensor(mask) if mask is not None else True
    weights = torch.softmax(scores.masked_fill(~seen, -1e300), -1) * seen
    (weights @ values).backward(torch.tensor(dout))
    return [x.grad.numpy() for x in leaves]


SIGHTS: dict[str, dict[str, Any]] = {
    "all": {}, "causal": {"causal": True}, "window": {"window": 3}, "alibi": {"alibi": np.array([0.5, 0.25, 0.1, 0.05])},
    "mask": {"mask": np.random.default_rng(5).random((2, 4, 13, 17)) < 0.3, "causal": True},
}  # fmt: skip


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("algorithm", ["baseline", "fa1", "fa2", "fa4"])
def test_peer_fp64_gradients_are_torchs(algorithm: str, sight: str) -> None:
    dout, q, k, v = arrays(1)
    wanted = autograd(dout, q, k, v, **SIGHTS[sight])
    for options in ({"dsum": "do_o"}, {"dsum": "p_dp", "scale_after": False}):
        found = attention_backward(dout, q, k, v, policy=fp64(algorithm, **options), format="fp64", block_q=4, block_k=5, order=7, **SIGHTS[sight])
        for ours, theirs in zip((found.dq, found.dk, found.dv), wanted, strict=True):
            assert np.abs(ours - theirs).max() < 1e-13 * np.abs(theirs).max()


def test_formula_gradients_are_finite_differences() -> None:
    dout, q, k, v = arrays(2, batch=1, heads=2, shared=1, seq=3, seq_kv=4, d=2, e=2)
    policy = fp64("fa2")
    found = attention_backward(dout, q, k, v, policy=policy, format="fp64", block_q=2, block_k=3)
    step = 1e-6

    def loss(*inputs: Floats) -> float:
        return float((attention(*inputs, policy=policy, format="fp64", block_k=3) * dout).sum())

    for place, ours in enumerate((found.dq, found.dk, found.dv)):
        for index in np.ndindex(*ours.shape):
            up, down = ([x.copy() for x in (q, k, v)] for _ in range(2))
            up[place][index] += step
            down[place][index] -= step
            assert ours[index] == pytest.approx((loss(*up) - loss(*down)) / (2 * step), abs=1e-8)


def test_formula_one_tile_of_flash_is_the_baseline_but_for_what_they_store() -> None:
    """With P divided after PV the baseline stores none, so it makes P anew as Flash does; scores' scale 1/4 moves no bit, wherever it is applied."""
    dout, q, k, v = arrays(3, d=16)
    for sites in ({"*": Rule()}, {"*": Rule(format="fp32"), "o.store": Rule(), "p.store": Rule(), "b.ds": Rule(), "in": Rule()}):
        baseline = Policy(name="b", sites=sites, options=Options(divide_after=True))
        flash = Policy(name="f", algorithm="fa2", sites=sites)
        ours, theirs = (attention_backward(dout, q, k, v, policy=policy, block_q=13, block_k=17, causal=True) for policy in (baseline, flash))
        for part in ("dq", "dk", "dv", "dsum", "lse", "out"):
            assert np.array_equal(getattr(ours, part), getattr(theirs, part)), part


def test_property_tiles_of_keys_matter_through_lse_and_dq_only() -> None:
    """Columns of dK and dV do not know of other columns. With lse in BF16 and D from P and dP in BF16 both tilings store the same ones for most rows."""
    dout, q, k, v = arrays(4, shared=4, seq=1)
    policy = as_policy("fa2_kernel").override("lse=bf16", "b.dsum=bf16", "b.dq=bf16")
    whole, tiled = (attention_backward(dout, q, k, v, policy=policy, block_q=13, block_k=block) for block in (17, 2))
    same = np.asarray((whole.lse == tiled.lse) & (whole.dsum == tiled.dsum))[..., 0]
    assert same.sum() >= 4
    assert np.array_equal(whole.dk[same], tiled.dk[same]) and np.array_equal(whole.dv[same], tiled.dv[same])
    assert not np.array_equal(whole.dq[same], tiled.dq[same])


def test_property_the_order_of_dq_moves_bits_of_dq_only() -> None:
    dout, q, k, v = arrays(5, seq_kv=64)
    policy = as_policy("fa2_kernel").override("b.dq=bf16")
    base = attention_backward(dout, q, k, v, policy=policy, block_q=4, block_k=4)
    drawn = [attention_backward(dout, q, k, v, policy=policy, block_q=4, block_k=4, order=seed) for seed in (0, 0, 1)]
    assert np.array_equal(drawn[0].dq, drawn[1].dq)
    assert not np.array_equal(drawn[0].dq, drawn[2].dq) and not np.array_equal(drawn[0].dq, base.dq)
    for other in drawn:
        assert np.array_equal(other.dk, base.dk) and np.array_equal(other.dv, base.dv)
        assert np.abs(other.dq - base.dq).max() < 0.1 * np.abs(base.dq).max()


def test_formula_rows_that_see_nothing_have_no_gradient() -> None:
    dout, q, k, v = arrays(6)
    mask = np.ones((2, 4, 13, 17), dtype=bool)
    mask[:, :, 2] = False
    mask[1, :, :, 4] = False
    for policy in ("fa_paper", "fa2_kernel", "baseline_eager", "baseline_paper"):
        found = attention_backward(dout, q, k, v, policy=policy, block_q=4, block_k=4, mask=mask)
        assert not found.dq[:, :, 2].any() and not found.dk[1, :, 4].any() and not found.dv[1, :, 4].any()
        assert np.isfinite(found.dq).all() and np.isfinite(found.dk).all() and np.isfinite(found.dv).all()
        assert np.isneginf(found.lse[:, :, 2]).all()


@pytest.mark.parametrize(("seq", "seq_kv"), [(0, 3), (3, 0), (1, 1), (5, 2)])
def test_formula_small_shapes(seq: int, seq_kv: int) -> None:
    dout, q, k, v = arrays(7, seq=seq, seq_kv=seq_kv, d=15)
    for policy in ("fa_paper", "baseline_paper"):
        found = attention_backward(dout, q, k, v, policy=policy, block_q=4, block_k=4)
        assert (found.dq.shape, found.dk.shape, found.dv.shape) == (q.shape, k.shape, v.shape)
        assert all(np.isfinite(each).all() for each in (found.dq, found.dk, found.dv))
    if (seq, seq_kv) == (1, 1):
        assert not found.dq.any() and not found.dk.any()  # one key: the output does not depend on scores


def test_formula_gradients_lie_on_the_numbers_of_their_site() -> None:
    from thrifty.formats import round_to

    dout, q, k, v = arrays(8)
    for policy in ("fa2_kernel", "baseline_eager", "fa_paper"):
        found = attention_backward(dout, q, k, v, policy=policy, block_q=4, block_k=4)
        for each in (found.dq, found.dk, found.dv):
            assert np.array_equal(each, round_to(each, "bf16"))


def test_formula_heads_that_share_keys_add_up() -> None:
    dout, q, k, v = arrays(9)
    shared = attention_backward(dout, q, k, v, policy=fp64("fa1"), format="fp64", block_q=4, block_k=4)
    apart = attention_backward(dout, q, np.repeat(k, 2, axis=1), np.repeat(v, 2, axis=1), policy=fp64("fa1"), format="fp64", block_q=4, block_k=4)
    assert np.array_equal(shared.dq, apart.dq)
    assert np.array_equal(shared.dk, apart.dk[:, 0::2] + apart.dk[:, 1::2]) and np.array_equal(shared.dv, apart.dv[:, 0::2] + apart.dv[:, 1::2])


def test_formula_draws_are_those_of_the_seed() -> None:
    dout, q, k, v = arrays(10)
    policy = as_policy("fa_paper").override("*=bf16:stochastic")
    first, again, other = (attention_backward(dout, q, k, v, policy=policy, block_q=4, block_k=4, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.dq, again.dq) and not np.array_equal(first.dq, other.dq)


def test_formula_tensors_come_back_as_tensors() -> None:
    torch = pytest.importorskip("torch")
    dout, q, k, v = arrays(11)
    plain = attention_backward(dout.astype(np.float32), *(x.astype(np.float32) for x in (q, k, v)), block_q=4, block_k=4)
    tensors = (torch.tensor(x, dtype=torch.float32, requires_grad=True).transpose(0, 1).contiguous().transpose(0, 1) for x in (dout, q, k, v))
    found = attention_backward(*tensors, block_q=4, block_k=4)
    assert isinstance(found.dq, torch.Tensor) and found.dk.dtype == torch.float32 and not found.dv.requires_grad
    assert np.array_equal(found.dq.numpy(), plain.dq) and np.array_equal(found.dk.numpy(), plain.dk)


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"policy": "fa3_fp8", "format": "e4m3"}, "policy 'fa3_fp8' has option quantise=block, of which no kernel has a backward pass. Say none."),
        ({"order": "random"}, "order='random' must be 'sorted' or a whole number, the seed of an order."),
        ({"order": True}, "order=True must be 'sorted' or a whole number, the seed of an order."),
        ({"dout": np.zeros((2, 4, 13, 4))}, "dout is (2, 4, 13, 4); the output it is the gradient of is (2, 4, 13, 3)."),
    ],
)
def test_formula_bad_input_is_one_line(said: dict[str, Any], wanted: str) -> None:
    dout, q, k, v = arrays(12)
    with pytest.raises(BadValue) as why:
        attention_backward(**{"dout": dout, "q": q, "k": k, "v": v, **said})
    assert str(why.value) == wanted

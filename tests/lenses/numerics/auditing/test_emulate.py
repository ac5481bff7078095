"""The dispatch mode: every result rounded once, at two speeds with the same bits, forward and backward."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from thrifty.errors import BadValue, UnknownName
from thrifty.formats import accumulate, elementary, float_spec, matmul, round_to
from thrifty.lenses.numerics import Policy, Rule, as_policy, emulate
from thrifty.lenses.numerics.auditing.numbers.arithmetic import narrow

BF16 = "baseline_paper"


def tensor(*values: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype)


def test_formula_each_result_is_rounded_once() -> None:
    x, y = tensor(1.0, 1.0), tensor(2.0**-8, 2.0**-8 + 2.0**-15)
    with emulate(BF16, "bf16"):
        total = x + y
    assert total.tolist() == [1.0, 1.0078125]  # a tie to even, and just above it


def test_formula_fp64_operands_are_not_rounded_through_fp32() -> None:
    x = tensor(1.0, dtype=torch.float64)
    policy = Policy(name="p", sites={"in": Rule(format="fp64"), "*": Rule()})
    with emulate(policy, "bf16"):
        assert (x + (2.0**-8 + 2.0**-40)).item() == 1.0078125  # FP32 would make it a tie, and the tie 1.0


def test_formula_what_comes_from_outside_is_rounded_and_stays_as_it_is() -> None:
    x = tensor(1.00390625)
    with emulate(BF16, "bf16"):
        assert (x * 1.0).item() == 1.0
        assert (x[None].expand(3, 1).T * 1.0).unique().tolist() == [1.0]
    assert x.item() == 1.00390625


def test_formula_a_weight_changed_between_steps_is_read_again() -> None:
    x = tensor(1.0)
    mode = emulate(BF16, "bf16")
    with mode:
        assert (x + 0.0).item() == 1.0
        x.data.copy_(tensor(2.0))
        assert (x + 0.0).item() == 2.0
    x.data.mul_(3.0)
    with mode:
        assert (x + 0.0).item() == 6.0


def test_formula_sites_inherit_and_sums_are_kept_as_said() -> None:
    x = torch.ones(1, 1000)
    for said, want in (("sequential:bf16", 256.0), ("fma:fp32", 1000.0)):
        with emulate(as_policy(BF16).override(f"aten.sum.acc={said}"), "bf16"):
            assert x.sum().item() == want
    policy = as_policy(BF16).override("aten=fp32", "aten.mul=bf16")
    a = tensor(1.0078125)
    with emulate(policy, "bf16"):
        assert (a * a).item() == 1.015625
        assert (a + 2.0**-20).item() == 1.0078125 + 2.0**-20


def test_formula_mm_is_the_accumulator_rounded() -> None:
    generator = torch.Generator().manual_seed(3)
    a, b = torch.randn(5, 33, generator=generator), torch.randn(33, 4, generator=generator)
    bias = torch.randn(4, generator=generator)
    a16, b16, bias16 = (x.bfloat16().float() for x in (a, b, bias))
    for how in ("fma:fp32", "hopper-bf16", "sequential:bf16"):
        with emulate(as_policy(BF16).override(f"aten.acc={how}"), "bf16"):
            found, with_bias = a @ b, nn.functional.linear(a, b.T, bias)
        kept = np.asarray(matmul(a16.numpy(), b16.numpy(), how), dtype=np.float64)
        np.testing.assert_array_equal(found.numpy(), round_to(kept, "bf16"))
        np.testing.assert_array_equal(with_bias.numpy(), round_to(kept + bias16.numpy(), "bf16"))


def test_formula_softmax_in_steps() -> None:
    x = torch.linspace(-3, 3, 21).reshape(3, 7).bfloat16().float()
    with emulate(BF16, "bf16"):
        found = torch.softmax(x, -1)
    r = lambda y: np.asarray(round_to(np.asarray(y, dtype=np.float64), "bf16"), dtype=np.float64)  # noqa: E731
    held = x.numpy().astype(np.float64)
    e = r(elementary.exp(r(held - held.max(-1, keepdims=True))))
    total = r(accumulate(e, "fma:fp32"))
    np.testing.assert_array_equal(found.numpy(), r(e / total[:, None]))


def test_formula_fused_operators_round_what_goes_out_only() -> None:
    x = torch.randn(4, 50, generator=torch.Generator().manual_seed(1)).bfloat16().float()
    with emulate(as_policy(BF16).override("aten.acc=exact:fp64"), "bf16", fused=["softmax"]):
        found = torch.softmax(x, -1)
    np.testing.assert_array_equal(found.numpy(), round_to(torch.softmax(x.double(), -1).numpy(), "bf16"))


def test_formula_a_region_rounds_what_leaves_it() -> None:
    x = tensor(1.0078125)
    mode = emulate(BF16, "bf16")
    with mode, mode.region():
        inside = x * x
        assert inside.item() == 1.0078125**2
        out = inside - 1.0
    assert out.item() == round_to(1.0078125**2 - 1.0, "bf16").item()


def test_formula_a_fused_module_rounds_what_leaves_it() -> None:
    class Square(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * x - 1.0

    part = Square()
    mode = emulate(BF16, "bf16")
    mode.fuse(part)
    with mode:
        fused = part(tensor(1.0078125))
    mode.close()
    with mode:
        apart = part(tensor(1.0078125))
    assert fused.item() == round_to(1.0078125**2 - 1.0, "bf16").item()
    assert apart.item() == 0.015625


def test_formula_views_integers_and_dropout_of_nothing_are_left_alone() -> None:
    x = torch.arange(12).reshape(3, 4)
    with emulate(BF16, "bf16"):
        assert (x * 1001).tolist() == (torch.arange(12).reshape(3, 4) * 1001).tolist()
        assert (x > 3).sum().item() == 8
        y = x.float().t()[1:, ::2]
        assert y.tolist() == [[1, 9], [2, 10], [3, 11]]
        assert nn.functional.dropout(y, 0.0).tolist() == y.tolist()


def test_formula_in_place_and_out_variants() -> None:
    x, out = tensor(1.0, 2.0), torch.empty(2)
    with emulate(BF16, "bf16"):
        y = x.clone()
        y.add_(2.0**-8)
        y[0].mul_(3.0)
        torch.add(x, tensor(2.0**-7, 2.0**-7), out=out)
        z = torch.zeros(2, 2)
        z[:, 0] = tensor(1.00390625, 5.0)
    assert y.tolist() == [3.0, 2.0]
    assert out.tolist() == [1.0078125, 2.0]
    assert z.tolist() == [[1.0, 0.0], [5.0, 0.0]]


def test_formula_casts_round_once() -> None:
    x = tensor(1 + 2.0**-8 + 2.0**-40, dtype=torch.float64)
    with emulate(Policy(name="p", sites={"*": Rule(format="fp64")}), "fp64"):
        assert x.to(torch.bfloat16).item() == 1.0078125


def test_formula_stochastic_rounding_draws_anew_at_every_call() -> None:
    x = torch.full((1000,), 1.0)
    policy = as_policy(BF16).override("aten.add=bf16:stochastic")
    with emulate(policy, "bf16", seed=1):
        a, b = x + 2.0**-9, x + 2.0**-9
    with emulate(policy, "bf16", seed=1):
        again = x + 2.0**-9
    assert 0.15 < (a > 1).float().mean() < 0.35
    assert not torch.equal(a, b)
    assert torch.equal(a, again)


NETS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(9, 16), nn.GELU(), nn.LayerNorm(16), nn.SiLU(), nn.Linear(16, 5)), (6, 9)),
    "transformer": (lambda: nn.Sequential(nn.Linear(9, 16), nn.TransformerEncoderLayer(16, 2, 24, dropout=0.0, batch_first=True, activation="gelu"),
                                          nn.Linear(16, 5)), (2, 7, 9)),
    "convolutions": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.GroupNorm(2, 4), nn.GELU(approximate="tanh"), nn.BatchNorm2d(4),
                                           nn.ConvTranspose2d(4, 4, 3, stride=2, groups=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(5)),
                     (2, 3, 9, 8)),
}  # fmt: skip


def step(name: str, speed: str | None, format: str = "bf16", policy: str | Policy = BF16) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Loss and gradients of one step."""
    torch.manual_seed(0)
    make, shape = NETS[name]
    net, x = make(), torch.randn(shape)
    net(x)
    y = torch.randint(0, 5, (x.shape[0] if name != "transformer" else x.shape[0] * x.shape[1],))

    def run() -> torch.Tensor:
        loss = nn.functional.cross_entropy(net(x).reshape(-1, 5), y)
        loss.backward()
        return loss.detach()

    if speed is None:
        loss = run()
    else:
        with emulate(policy, format, speed=speed):
            loss = run()
    return loss, [each.grad for each in net.parameters()]


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("format", ["bf16", "fp16"])
def test_property_fast_and_exact_give_the_same_bits(name: str, format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from thrifty.lenses.numerics.auditing.numbers import arithmetic

    monkeypatch.setattr(arithmetic, "TABLE_FROM", 1)
    exact, gradients = step(name, "exact", format)
    fast, same = step(name, "fast", format)
    assert torch.equal(exact, fast)
    for one, other in zip(gradients, same, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("name", NETS)
def test_property_gradients_lie_near_those_of_fp32(name: str) -> None:
    loss, gradients = step(name, None)
    rounded, under = step(name, "fast")
    assert abs(loss - rounded) < 0.05
    for one, other in zip(gradients, under, strict=True):
        assert (one - other).norm() <= 0.2 * one.norm() + 1e-3


@pytest.mark.parametrize("name", NETS)
def test_property_fp32_policy_is_fp32_to_its_own_error(name: str) -> None:
    loss, gradients = step(name, None)
    same, under = step(name, "exact", "fp32")
    torch.testing.assert_close(loss, same, rtol=1e-5, atol=1e-6)
    for one, other in zip(gradients, under, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=2e-5)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), format=st.sampled_from(["bf16", "fp16", "e5m2", "e4m3"]), low=st.integers(-140, -1), op=st.sampled_from("+-*/"))
def test_property_pairs_of_narrow_numbers_subnormal_and_overflowing(seed: int, format: str, low: int, op: str) -> None:
    rng = np.random.default_rng(seed)
    low = max(low, math.floor(math.log2(float_spec(format).smallest)))
    high = math.ceil(math.log2(float_spec(format).largest))
    drawn = [rng.choice([-1.0, 1.0], 400) * (1 + rng.random(400)) * 2.0 ** rng.integers(low, high, 400) for _ in range(2)]
    a, b = (torch.from_numpy(np.asarray(round_to(each, format, overflow="saturate"), dtype=np.float32)) for each in drawn)
    results = []
    for speed in ("exact", "fast"):
        with emulate(BF16, format, speed=speed):
            results.append({"+": a + b, "-": a - b, "*": a * b, "/": a / b}[op])
    np.testing.assert_array_equal(results[0].numpy().view(np.uint32), results[1].numpy().view(np.uint32))


def test_property_every_bf16_number_of_one_operand_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    from thrifty.lenses.numerics.auditing.numbers import arithmetic

    monkeypatch.setattr(arithmetic, "TABLE_FROM", 1)
    x = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16).view(torch.bfloat16).float()
    for function in (torch.exp, torch.rsqrt, nn.functional.gelu, nn.functional.silu, lambda x: x * 0.1, lambda x: x.pow(3)):
        results = []
        for speed in ("exact", "fast"):
            with emulate(BF16, "bf16", speed=speed):
                results.append(function(x).nan_to_num(nan=7.0))
        assert torch.equal(*results)


@pytest.mark.parametrize("speed", ["exact", "fast"])
def test_property_without_numba_the_bits_are_the_same(speed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from thrifty.lenses.numerics.auditing.numbers import arithmetic, rounding

    monkeypatch.setattr(arithmetic, "TABLE_FROM", 1)
    loss, gradients = step("transformer", speed)
    monkeypatch.setattr(rounding, "has_numba", lambda: False)
    same, others = step("transformer", speed)
    assert torch.equal(loss, same) and all(torch.equal(one, other) for one, other in zip(gradients, others, strict=True))


def test_property_rounding_in_place_is_every_word_of_ours() -> None:
    from thrifty.lenses.numerics.auditing.numbers.rounding import round_in_place

    low = torch.tensor([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], dtype=torch.int64)
    words = ((torch.arange(1 << 16) << 16).unsqueeze(1) + low).reshape(-1)
    x = torch.where(words >= 1 << 31, words - (1 << 32), words).to(torch.int32).view(torch.float32)
    want = torch.from_numpy(np.asarray(round_to(x.numpy(), "bf16"), dtype=np.float32))
    found = round_in_place(x.clone(), torch.bfloat16)
    assert torch.equal(found.isnan(), want.isnan())
    assert torch.equal(found.view(torch.int32)[~want.isnan()], want.view(torch.int32)[~want.isnan()])


def test_formula_which_formats_the_fast_speed_covers() -> None:
    assert [name for name in ("bf16", "fp16", "e4m3", "e5m2", "tf32", "fp32", "e8m10") if narrow(float_spec(name))] == ["bf16", "fp16", "e4m3", "e5m2"]


def test_formula_attention_of_torch_is_its_steps() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, 9, 8) for _ in range(3))
    mask = torch.ones(9, 9, dtype=torch.bool).tril()
    with emulate(BF16, "bf16"):
        found = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        s = (q @ k.transpose(-1, -2) * 8**-0.5).masked_fill(~mask, -math.inf)
        written = torch.softmax(s, -1) @ v
    assert torch.equal(found, written)


def test_formula_attention_of_torch_backward_against_autograd_in_fp64() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 4, 6, 8, dtype=torch.float64, requires_grad=True) for _ in range(3))
    want = torch.autograd.grad(nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).square().sum(), (q, k, v))
    with emulate("baseline_fp64", "fp64"):
        found = torch.autograd.grad(nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).square().sum(), (q, k, v))
    for one, other in zip(want, found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", NETS)
def test_formula_an_fp64_policy_is_torch_in_fp64(name: str) -> None:
    torch.manual_seed(0)
    make, shape = NETS[name]
    net, x = make().double(), torch.randn(shape, dtype=torch.float64)
    net(x)
    want = torch.autograd.grad(net(x).square().sum(), list(net.parameters()))
    with emulate("baseline_fp64", "fp64"):
        found = torch.autograd.grad(net(x).square().sum(), list(net.parameters()))
    for one, other in zip(want, found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-11)


def test_formula_running_means_of_batch_norm_are_kept() -> None:
    norm, x = nn.BatchNorm1d(3).double(), torch.randn(8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with emulate("baseline_fp64", "fp64"):
        norm(x)
    other = nn.BatchNorm1d(3).double()
    other(x)
    torch.testing.assert_close(norm.running_var, other.running_var)
    torch.testing.assert_close(norm.running_mean, other.running_mean)


def test_formula_refusals() -> None:
    with pytest.raises(BadValue, match=r"site aten.add keeps fp64, and its tensor is torch.float32"), emulate("baseline_fp64", "fp64"):
        tensor(1.0) + tensor(2.0)
    with pytest.raises(BadValue, match=r"speed='slow' is unknown\. Choose: fast, exact\."):
        emulate(speed="slow")
    with pytest.raises(UnknownName, match=r"No operator to fuse named 'sofmax'\. Did you mean 'softmax'"):
        emulate(fused=["sofmax"])


def test_formula_names_of_operators_in_policies() -> None:
    for site, message in (
        ("aten.mmm", "No site named 'aten.mmm'. Did you mean 'aten.mm'"), ("aten.softmax.exq", "Did you mean 'aten.softmax.exp'"),
        ("atem.mm", "No site named 'atem.mm'"), ("aten.linear", "torch takes 'linear' apart first"),
    ):  # fmt: skip
        with pytest.raises((UnknownName, BadValue), match=message):
            Policy(name="p", sites={site: Rule()})
    with pytest.raises(UnknownName, match=r"aten\.mmm\.acc"):
        Policy(name="p", accumulators={"aten.mmm.acc": "fma:fp32"})
    assert Policy.from_dict(as_policy(BF16).override("aten.mm.acc=hopper-bf16", "aten.softmax=fp32").to_dict()).accumulator("aten.mm.acc") == "hopper-bf16"

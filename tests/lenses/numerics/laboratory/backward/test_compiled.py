"""The compiled backward pass gives the definition's bits."""

from typing import Any

import numpy as np
import pytest

from thrifty.lenses.numerics.laboratory.backward import attention_backward
from thrifty.lenses.numerics.laboratory.backward.compiled import table_of
from thrifty.lenses.numerics.laboratory.steps import Steps
from thrifty.lenses.numerics.policy import Policy, as_policy
from thrifty.loops import has_numba

SIGHTS: dict[str, dict[str, Any]] = {
    "all": {}, "causal": {"causal": True}, "window": {"window": (3, 1)}, "alibi": {"alibi": True},
    "mask": {"mask": np.random.default_rng(5).random((2, 4, 19, 23)) < 0.2, "causal": True, "order": 3},
}  # fmt: skip
POLICIES: dict[str, Any] = {
    "fa_paper": "fa_paper", "fa2_kernel": "fa2_kernel", "baseline_eager": "baseline_eager", "baseline_paper": "baseline_paper", "golden": "baseline_fp64",
    "mixed": as_policy("fa2_paper").override("b=fp16:ru", "b.ds=e5m2:rz", "option.scale_after=false", "option.dsum=p_dp", "option.kv_order=reverse"),
    "mended": as_policy("baseline_paper").override("option.repeated_max=7", "option.dsum=do_o"),
    "later": as_policy("baseline_paper").override("option.divide_after=true"),
}  # fmt: skip


@pytest.mark.skipif(not has_numba(), reason="numba is not installed")
@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("policy", [pytest.param(name, marks=pytest.mark.slow) if name == "golden" else name for name in POLICIES])  # FP64 compiles anew
def test_property_compiled_bits_are_the_definitions(policy: str, sight: str, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(len(policy) + len(sight))
    q, dout = draw.standard_normal((2, 4, 19, 6)), draw.standard_normal((2, 4, 19, 5))
    k, v = np.round(draw.standard_normal((2, 2, 23, 6)), 1), draw.standard_normal((2, 2, 23, 5))
    q[0, 0, 3] = 0.0  # a row whose scores are all equal
    q[1, 1, 4, 0], v[0, 1, 2, 0], dout[1, 3, 7, 0] = np.nan, np.inf, np.nan
    said = POLICIES[policy]
    assert table_of(Steps(as_policy(said), "bf16")) is not None
    found = [attention_backward(dout, q, k, v, policy=said, block_q=4, block_k=5, **SIGHTS[sight])]
    monkeypatch.setattr("thrifty.lenses.numerics.laboratory.backward.calls.table_of", lambda steps: None)
    found.append(attention_backward(dout, q, k, v, policy=said, block_q=4, block_k=5, **SIGHTS[sight]))
    for part in ("dq", "dk", "dv", "dsum"):
        ours, theirs = (getattr(each, part) for each in found)
        assert np.isfinite(theirs).any()
        assert np.array_equal(ours, theirs, equal_nan=True) and np.array_equal(np.signbit(ours), np.signbit(theirs) | np.isnan(ours) & np.signbit(ours)), part


@pytest.mark.parametrize(
    "change", ["b.acc=hopper-bf16", "s.acc=sequential:fp32", "b.acc=fma:fp64", "b.ds=fp64", "b.p=bf16:stochastic", "p.store=fp64"],
)  # fmt: skip
def test_formula_other_sums_take_the_definition(change: str) -> None:
    policy: Policy = as_policy("fa2_kernel").override(change)
    assert table_of(Steps(policy, "bf16")) is None

"""Compiled attention gives the definition's bits; rows know nothing of tiles of queries; what mathematics makes equal is equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.lenses.numerics.inputs import KINDS, draw
from thrifty.lenses.numerics.laboratory import attend, attention
from thrifty.lenses.numerics.laboratory.calls import attended
from thrifty.lenses.numerics.laboratory.kernels.running import served
from thrifty.lenses.numerics.laboratory.prepare import prepare
from thrifty.lenses.numerics.policy import PRESETS, as_policy
from thrifty.loops import has_numba

CHANGES = ("", "o.store=fp32", "p.store=e5m2", "s.sub=fp32", "o.mul=fp32", "l.add=fp16", "p.exp=bf16:rz", "option.kv_order=reverse", "option.scale_after=false",
           "option.repeated_max=4", "option.exp2_degree=3", "option.rescale_log2=2", "option.p_scale=16")  # fmt: skip


def same(a: Any, b: Any) -> bool:
    return np.array_equal(a, b, equal_nan=True)


@settings(max_examples=60)
@given(
    preset=st.sampled_from(sorted(PRESETS)), format=st.sampled_from(["bf16", "fp16", "fp32", "fp64", "tf32", "e4m3", "e5m2"]), change=st.sampled_from(CHANGES),
    kind=st.sampled_from(sorted(KINDS)), seq=st.integers(1, 70), seq_kv=st.integers(1, 50), head_dim=st.sampled_from([1, 3, 8, 15, 16]),
    block_k=st.integers(1, 20), shared=st.booleans(), sight=st.sampled_from(["all", "causal", "window", "alibi", "mask", "splits"]), seed=st.integers(0, 3),
)  # fmt: skip
def test_property_compiled_attention_has_the_bits_of_the_definition(preset: str, format: str, change: str, kind: str, seq: int, seq_kv: int, head_dim: int,
                                                                    block_k: int, shared: bool, sight: str, seed: int) -> None:  # fmt: skip
    policy = as_policy(preset).override(*([change] if change else []))
    made = draw(kind, seq=seq, head_dim=head_dim, heads=2, kv_heads=1 if shared else 2, seq_kv=seq_kv, seed=seed)
    options: dict[str, Any] = {
        "all": {}, "causal": {"causal": True}, "window": {"window": (3, 5)}, "alibi": {"alibi": True, "causal": True},
        "mask": {"mask": np.random.default_rng(seed).random((2, seq, seq_kv)) < 0.2}, "splits": {"splits": 3} if policy.algorithm != "baseline" else {},
    }[sight]  # fmt: skip
    both = [attended(prepare(made.q, made.k, made.v, policy=policy, format=format, block_k=block_k, compiled=on, **options)) for on in (True, False)]
    assert same(both[0].out, both[1].out)
    assert same(both[0].lse, both[1].lse)
    assert both[0].counts == both[1].counts


@pytest.mark.skipif(not has_numba(), reason="needs numba, which compiles the loops")
def test_formula_presets_are_served_by_the_compiled_loop() -> None:
    made = draw("normal", seq=4, head_dim=4)
    formats = ("bf16", "fp16", "fp32", "fp64")
    kinds = {(name, format): served(prepare(made.q, made.k, made.v, policy=name, format=format)) for name in PRESETS for format in formats}
    assert all(kind is not None for kind in kinds.values())
    assert kinds["fa_paper", "bf16"] is np.float32
    assert kinds["fa_paper", "fp64"] is np.float64
    assert served(prepare(made.q, made.k, made.v, policy=as_policy("fa_paper").override("p.exp=bf16:stochastic"))) is None


@pytest.mark.parametrize("preset", ["fa_paper", "fa2_kernel", "fa4", "baseline_paper"])
@pytest.mark.parametrize("change", ["p.exp=bf16:stochastic", "s.acc=sequential:bf16"])
def test_property_tiles_of_queries_cannot_matter(preset: str, change: str) -> None:
    made = draw("normal", seq=45, head_dim=8, heads=2)
    policies = [as_policy(preset), as_policy(preset).override(change)]
    for policy in policies:
        outs = [attention(made.q, made.k, made.v, policy=policy, block_q=block_q, block_k=8, causal=True, seed=5) for block_q in (1, 7, 64)]
        assert same(outs[0], outs[1])
        assert same(outs[0], outs[2])


def test_property_rows_do_not_know_of_each_other() -> None:
    made = draw("outliers", seq=50, head_dim=15, heads=2, seed=1)
    whole = attention(made.q, made.k, made.v, block_k=16)
    part = attention(made.q[:, 17:20], made.k, made.v, block_k=16)
    assert same(whole[:, 17:20], part)


@pytest.mark.parametrize("policy", ["fa_paper", "fa2_paper"])
@pytest.mark.parametrize("format", ["bf16", "fp16", "fp32", "fp64"])
@pytest.mark.parametrize("kind", ["uniform", "normal", "outliers"])
def test_formula_one_tile_of_flash_is_the_baseline_that_divides_last(policy: str, format: str, kind: str) -> None:
    made = draw(kind, seq=40, head_dim=8, seed=2)
    baseline = as_policy("baseline_paper").override("option.divide_after=true")
    assert same(attention(made.q, made.k, made.v, policy=policy, format=format, block_k=64),
                attention(made.q, made.k, made.v, policy=baseline, format=format))  # fmt: skip


def test_formula_one_key_gives_its_value() -> None:
    made = draw("normal", seq=3, seq_kv=1, head_dim=15, seed=3)
    for name in PRESETS:
        if name not in ("fa3_fp8", "baseline_fp8", "baseline_fp64"):
            found = attend(made.q, made.k, made.v, policy=name, format="fp16")
            assert same(found.out, np.broadcast_to(made.v.astype(np.float16).astype(np.float64), found.out.shape)), name


@pytest.mark.parametrize("splits", [2, 3, 7])
def test_property_splits_join_to_the_whole(splits: int) -> None:
    made = draw("normal", seq=20, seq_kv=90, head_dim=8, heads=2, seed=4)
    whole = attend(made.q, made.k, made.v, policy="fa2_kernel", format="fp64", block_k=8, causal=True)
    parts = attend(made.q, made.k, made.v, policy="fa2_kernel", format="fp64", block_k=8, causal=True, splits=splits)
    assert parts.splits > 1
    policy = as_policy("fa2_kernel").override("*=fp64", "p.store=fp64", "o.store=fp64", "in=fp64")
    exact = [attend(made.q, made.k, made.v, policy=policy, format="fp64", block_k=8, causal=True, splits=count) for count in (None, splits)]
    assert np.abs(exact[0].out - exact[1].out).max() < 5e-15
    assert np.abs(exact[0].lse - exact[1].lse).max() < 5e-15
    assert np.abs(whole.out - parts.out).max() < 1e-6


def test_property_a_fixed_split_size_does_not_depend_on_how_many_keys_follow_unseen() -> None:
    made = draw("normal", seq=8, seq_kv=64, head_dim=8, seed=5)
    mask = np.arange(64) < 32
    long = attention(made.q, made.k, made.v, block_k=8, split_size=16, mask=mask)
    short = attention(made.q, made.k[:, :32], made.v[:, :32], block_k=8, split_size=16)
    assert same(long, short)

"""Configurations side by side are those one by one; alike layers that are jumped over are those gone through; levels laid once are those laid anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.cost.kernels import kernel_parameters
from thrifty.cost.kernels.core import gemm_seconds
from thrifty.cost.plans.configurations import Configurations
from thrifty.cost.plans.models.shapes import Recommender, Transformer
from thrifty.cost.plans.physical import evaluate_physical, evaluate_physical_many
from thrifty.cost.plans.physical.encoding import encode
from thrifty.cost.plans.physical.evaluating import answers_of
from thrifty.cost.plans.physical.graphs import iteration_tasks
from thrifty.cost.plans.physical.products import gemm_lanes
from thrifty.cost.plans.plan import Plan
from thrifty.errors import BadValue
from thrifty.hardware import load_system
from thrifty.hardware.device import System
from thrifty.timeline import schedule

CLUSTER = load_system("selene").sized(64)
DEEP = Transformer(name="deep", layers=97, hidden=1024, heads=16, seq=512, ffn=4096, vocab=32000).to_layers()
MIXTURE = Transformer(name="mixture", layers=8, hidden=1024, heads=16, seq=512, ffn=4096, vocab=32000, experts=8, active_experts=2).to_layers()
DLRM = Recommender(name="dlrm", bottom=4, top=30, mlp_dim=2048, tables=512, rows_per_table=100_000, dim=94, pooling=15).to_layers()
PLANS = (
    "dense=ddp", "dense=fsdp", "dense=tp:8,ddp;sequence=on", "dense=fsdp:8,ddp;recompute=selective", "dense=cp:8,fsdp", "dense=fsdp;offload=weights",
    "dense=zero1;offload=activations", "dense=ddp;micro=2", "dense=tp:8,pp:2,ddp", "dense=fsdp;experts=ep:8,fsdp", "dense=ddp;embedding=row_wise",
    "dense=ddp;embedding=ddp", "dense=ddp;fused=off",
)  # fmt: skip


def networks(system: System, *factors: float) -> list[System]:
    """The same system, its outer network so many times as fast."""
    return [
        replace(system, tiers=(*system.tiers[:-1], replace(system.tiers[-1], bandwidth_bytes_per_s=system.tiers[-1].bandwidth_bytes_per_s * factor)))
        for factor in factors
    ]


def taken(asked: Configurations, index_C: np.ndarray) -> Configurations:
    return replace(
        asked, workload_C=asked.workload_C[index_C], system_C=asked.system_C[index_C], plan_C=asked.plan_C[index_C], batch_C=asked.batch_C[index_C]
    )


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.integers(1, 20_000), min_size=2, max_size=9), inner=st.lists(st.integers(1, 20_000), min_size=9, max_size=9), n=st.integers(1, 60_000),
    batch=st.integers(1, 64), device=st.sampled_from(["selene", "zionex", "dgx-h100-superpod"]),
)  # fmt: skip
def test_property_products_in_lanes_are_products(rows: list[int], inner: list[int], n: int, batch: int, device: str) -> None:
    row, count = kernel_parameters(load_system(device).device, "bf16"), len(rows)
    room = np.array([rows, inner[:count], [0] * count, [0] * count], dtype=np.float64)
    gemm_lanes(room, 0, float(n), 1, float(batch), row, count, 2, 3)
    one_by_one = [gemm_seconds(m, float(n), k, float(batch), row) for m, k in zip(room[0], room[1], strict=True)]
    np.testing.assert_allclose(room[3], one_by_one, rtol=1e-13)


def test_property_side_by_side_is_one_by_one() -> None:
    """150 batches of every plan and network in any order, more than go side by side at once: every number of every answer."""
    asked = Configurations.product(
        [DEEP, MIXTURE, DLRM], networks(CLUSTER, 0.1, 1.0), [Plan.parse(text) for text in PLANS], [64 * i for i in range(1, 151)]
    )
    draw = np.random.default_rng(0)
    mixed = taken(asked, draw.permutation(len(asked)))
    together = answers_of(encode(mixed), mixed.batch_C.astype(np.float64))
    assert 0.6 < (together[:, -1] > 0).mean() < 1.0
    for at in draw.choice(len(mixed), 150):
        alone = taken(mixed, np.array([at]))
        np.testing.assert_allclose(together[at], answers_of(encode(alone), alone.batch_C.astype(np.float64))[0], rtol=1e-11, atol=1e-18)


@pytest.mark.parametrize("factor", [0.02, 0.1, 0.3, 1.0, 3.0, 30.0])
@pytest.mark.parametrize("plan", [text for text in PLANS if "pp" not in text and "experts" not in text and "embedding" not in text])
def test_property_jumping_over_alike_layers_is_going_through_them(plan: str, factor: float) -> None:
    """97 layers on networks from far too slow to hide to far too fast to matter, against the iteration as tasks."""
    (system,) = networks(CLUSTER, factor)
    words = Plan.parse(plan)
    found = evaluate_physical_many(Configurations.product([DEEP], [system], [words], [128, 384, 1536]))
    for at, batch in enumerate((128, 384, 1536)):
        makespan = schedule(iteration_tasks(DEEP, system, words, batch=batch)).makespan_s_C[0]
        assert found.iteration_s_C[at] == pytest.approx(makespan, rel=1e-11)


def test_property_levels_laid_once_are_levels_laid_anew() -> None:
    """Plans that share levels and differ in all else, legal or not, and one that treats a layer apart."""
    levels = Plan.parse("dense=tp:8,pp:2,ddp").levels
    shared = [
        Plan(levels=levels, micro_batch=micro, interleave=chunks, schedule="interleaved" if chunks > 1 else "1f1b", recompute=again, sequence=sequence)
        for micro in (1, 2, 5) for chunks in (1, 2, 4, 5) for again in ("none", "selective", "full") for sequence in (False, True)
    ]  # fmt: skip
    layers = Transformer(name="even", layers=16, hidden=1024, heads=16, seq=512, ffn=4096, vocab=32000).to_layers()
    shared += [replace(plan, offload=frozenset({"optimizer", "activations"})) for plan in shared]
    shared += [Plan.parse("ffn.3=fsdp;dense=ddp"), Plan.parse("dense=tp:3,ddp")]
    found = evaluate_physical_many(Configurations.product([layers], [CLUSTER], shared, [64]))
    assert 20 < found.valid_C.sum() < len(shared)
    for at, plan in enumerate(shared):
        try:
            one = evaluate_physical(layers, CLUSTER, Plan.parse(str(plan)), batch=64)
        except BadValue as error:
            assert not found.valid_C[at] and found.extra["reasons"][at][:5] == str(error)[:5]
            continue
        assert found.valid_C[at] and found.iteration_s_C[at] == pytest.approx(one.iteration_s, rel=1e-12)
        if not plan.text.startswith("ffn.3"):  # which is held by its batch of placing
            assert found.memory_bytes_C[at] == pytest.approx(one.memory.total_bytes, rel=1e-12)

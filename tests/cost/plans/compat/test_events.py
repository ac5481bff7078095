"""The published iteration as tasks: by hand, beside the scheduler of `timeline`, and within the bounds of any schedule."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.cost.plans.compat import drawn

from thrifty import timeline
from thrifty.cost.plans.compat import compat_tasks, evaluate_compat, published
from thrifty.cost.plans.compat.events import COMMUNICATION, COMPUTE, CompatTask, Variant, critical, solve
from thrifty.cost.plans.compat.rates import PublishedRates
from thrifty.cost.plans.models.layers import Block, Layers, Product, Segment
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task
from thrifty.errors import BadValue
from thrifty.hardware import load_system

ZIONEX = load_system("zionex")


def ones(nodes: int = 2, node: int = 2) -> PublishedRates:
    """One FLOP and one byte a second, everywhere; gathers too."""
    tiers = (1.0,) * (2 if nodes > 1 else 1)
    return PublishedRates(
        name="ones", devices=nodes * node, node_devices=node, flops={8: 1.0, 4: 1.0, 2: 1.0, 1: 1.0}, memory=1.0, all_to_all=tiers, all_reduce=tiers,
        all_gather=tiers, capacity_bytes=1e9,
    )  # fmt: skip


def body(layers: int) -> Layers:
    """Sublayers of 12 weights of one byte, 24 FLOPs and 4 bytes handed on a sample."""
    block = Block(name="ffn", layer_class="ffn", products=(Product(rows=1.0, n=4, k=3),), weights=12, width=4)
    return Layers(name="body", segments=(Segment(role="body", blocks=(block,), repeat=layers),), format="int8", embedding_format="int8")


def evaluate(layers: Layers, plan: str, task: Task | None = None, variant: Variant = "pre", batch: int = 4) -> float:
    return evaluate_compat(layers, ZIONEX, Plan.parse(plan), batch=batch, task=task, rates=ones(), variant=variant).iteration_s


def test_formula_ddp() -> None:
    """Two layers, a sample a device: forward 2 x 24 s; backward 48 s each, then the last layer's gradients of 12 bytes."""
    assert evaluate(body(2), "ffn=ddp") == 2 * 24 + 2 * 48 + 12
    assert evaluate(body(2), "ffn=ddp", Task(kind="inference")) == 48


def test_formula_tp() -> None:
    """Four samples on each device, a quarter of the arithmetic; a sum of 16 bytes after every sublayer, forward and backward."""
    assert evaluate(body(2), "ffn=tp") == 2 * (24 + 16) + 2 * (48 + 16)


def test_formula_fsdp_pre_and_post_optimised() -> None:
    """Gathers of 12 s before layers of 24 s: the first is waited for, the others are hidden forward. Backward: gather 12, compute 48, scatter 12; a gather
    is issued behind the scatter of the layer before it, unless post-optimised."""
    assert evaluate(body(3), "ffn=fsdp") == (12 + 3 * 24) + (12 + 48) + 2 * (12 + 12 + 48) + 12
    assert evaluate(body(3), "ffn=fsdp", variant="post") == (12 + 3 * 24) + 12 + 3 * 48 + 12


def test_formula_gradients_queue_before_a_blocking_sum() -> None:
    """Quirk 3, (ddp, tp) on 2 x 2: 8 bytes of activations; gradients of a half of 12 bytes leave first, so each layer backward takes 48 + 6 + 8 s."""
    assert evaluate(body(2), "ffn=ddp:2,tp") == 2 * (24 + 8) + 2 * (48 + 6 + 8)


def test_formula_quirk_16_whole_gradients_across_nodes() -> None:
    """(tp, ddp): 2 samples a device; 8 bytes summed inside, then all 12 bytes of gradients across."""
    assert evaluate(body(1), "ffn=tp:2,ddp") == (24 + 8) + (48 + 8 + 12)


def test_formula_perceptrons_sum_once_in_two_layers() -> None:
    """Forward after layer 1, backward after layer 0."""
    block = Block(name="dense", layer_class="dense", products=(Product(rows=1.0, n=4, k=3),), weights=12, width=4)
    layers = Layers(name="mlp", segments=(Segment(role="top", blocks=(block,), repeat=2),), format="int8", embedding_format="int8")
    assert evaluate(layers, "dense=tp") == (2 * 24 + 16) + (2 * 48 + 16)


def test_formula_critical_path() -> None:
    tasks = [
        CompatTask("a", COMPUTE, 2.0, (), "gemm"), CompatTask("x", COMMUNICATION, 3.0, (), "all_gather"), CompatTask("b", COMPUTE, 1.0, ("x",), "gemm"),
        CompatTask("y", COMMUNICATION, 1.0, ("a",), "all_reduce"),
    ]  # fmt: skip
    times = solve(tasks)
    assert times.makespan_s == 4.0 and [task.id for task in critical(tasks, times)] in (["x", "b"], ["x", "y"])


@settings(max_examples=60)
@given(drawn.models(), drawn.rates(), drawn.plans(), drawn.tasks(), st.sampled_from(["pre", "post"]))
def test_property_bounds_and_the_scheduler_of_timeline(layers: Layers, rates: PublishedRates, plan: Plan, task: Task, variant: Variant) -> None:
    try:
        tasks = compat_tasks(layers, ZIONEX, plan, batch=64, task=task, rates=rates, variant=variant)
    except BadValue:
        return
    found = evaluate_compat(layers, ZIONEX, plan, batch=64, task=task, rates=rates, variant=variant)
    compute, communication = sum(found.compute_s.values()), sum(found.communication_s.values())
    assert max(compute, communication) <= found.iteration_s * (1 + 1e-12) and found.iteration_s <= (compute + communication) * (1 + 1e-12)
    assert found.exposed_s == pytest.approx(found.iteration_s - compute) and found.overlapped_s == pytest.approx(communication - found.exposed_s)
    assert sum(part.time_s for part in found.critical_path) == pytest.approx(found.iteration_s, rel=1e-12)
    ids = {each.id for each in tasks}
    assert len(ids) == len(tasks) and all(set(each.after) <= ids for each in tasks)
    peer = timeline.schedule(timeline.Task(id=t.id, stream=t.stream, duration_s=t.duration_s, after=t.after, kind=t.kind) for t in tasks)
    assert peer.makespan_s_C[0] == pytest.approx(found.iteration_s, rel=1e-12)


def test_property_ddp_gathers_nothing_unless_post_optimised() -> None:
    """Quirk 5: the post-optimised form charges one gather whatever the strategy, and says so."""
    layers, cluster = published("llama-65b"), load_system("dc-a")
    pre, post = (evaluate_compat(layers, cluster, Plan.parse("ffn=ddp"), batch=2048, variant=v) for v in ("pre", "post"))  # type: ignore[arg-type]
    assert pre.communication_s["all_gather"] == 0.0 < post.communication_s["all_gather"]
    assert any(quirk.startswith("5:") for quirk in post.quirks) and not any(quirk.startswith("5:") for quirk in pre.quirks)


def test_property_images_are_post_optimised_as_published() -> None:
    layers, cluster = published("vit-l"), load_system("dc-a")
    found = evaluate_compat(layers, cluster, Plan.parse("ffn=fsdp"), batch=2048)
    assert found.iteration_s == evaluate_compat(layers, cluster, Plan.parse("ffn=fsdp"), batch=2048, variant="post").iteration_s


def test_formula_quirks_bear_on_the_answers_they_are_told_with() -> None:
    def told(name: str, plan: str, task: Task | None = None) -> set[int]:
        found = evaluate_compat(published(name), ZIONEX, Plan.parse(plan), batch=65536, task=task)
        return {int(quirk.partition(":")[0]) for quirk in found.quirks}

    assert told("dlrm-a", "dense=ddp", Task(kind="inference")) == {7, 8, 10, 11, 12}
    assert told("dlrm-a", "dense=ddp") == {6, 7, 8, 10, 11, 12}
    assert told("dlrm-a-moe", "embedding=mp:8,ddp;dense=tp:8,ddp") == {1, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 16}
    assert told("gpt3-175b", "ffn=fsdp", Task(kind="finetune", trained_layers=3)) == {2, 7, 10, 11, 12, 14, 15}


def test_formula_experts_under_tp_exchange_one_part_in_experts() -> None:
    found = evaluate_compat(published("dlrm-a-moe"), ZIONEX, Plan.parse("embedding=ddp;dense=tp:8,ddp"), batch=65536, task=Task(kind="inference"))
    activations = 65536 / 16 * 3994 * 4
    assert found.communication_s["all_to_all"] == pytest.approx(10 * 2 * activations / 16 / 200.0e9, rel=1e-4)

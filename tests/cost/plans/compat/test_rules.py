"""What the published model allows, and how it says no."""

from __future__ import annotations

import pytest

from thrifty.cost.plans.compat import evaluate_compat, evaluate_compat_many, every_strategy, published, published_system, why
from thrifty.cost.plans.configurations import Configurations
from thrifty.cost.plans.models.shapes import Recommender
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task
from thrifty.errors import BadValue, UnknownName
from thrifty.hardware import load_system

ZIONEX = load_system("zionex")
ODD = Recommender(name="odd", bottom=3, top=4, mlp_dim=64, tables=8, rows_per_table=100, dim=16, pooling=2).to_layers()


@pytest.mark.parametrize(
    ("name", "plan", "batch", "task", "message"),
    [
        ("dlrm-a", "dense=ep", 65536, None, "the published model knows no ep for dense. Choose ddp, fsdp, tp, pp, or choose --mode physical."),
        ("dlrm-a", "embedding=table_wise;dense=ddp", 65536, None, "the published model knows no table_wise for embedding. Choose mp, ddp, or choose"),
        ("dlrm-a", "dense=ddp;recompute=full", 65536, None, "the published model knows no 'recompute', and the plan states it. Leave it out, or choose"),
        ("dlrm-a", "dense=tp:2,ddp:4,pp", 65536, None, "the published model has two levels, and dense names 3. Name two at most, or choose --mode physical."),
        ("dlrm-a", "dense=ddp:8,fsdp", 65536, None, "the published model has fsdp inside a node only, and dense names it second. Put it first, or choose"),
        ("dlrm-a", "dense=tp:4,ddp", 65536, None, "dense=tp:4,ddp: the published model's inner level is a node of 8 devices, and the plan says 4. Say 8."),
        ("dlrm-a", "dense=tp:8,ddp:8", 65536, None, "dense=tp:8,ddp:8 spreads over 64 of 128 devices. Let the degrees multiply to 128."),
        ("dlrm-a", "dense=ddp:64", 65536, None, "dense=ddp:64 spreads over 64 of 128 devices. Let the degrees multiply to 128."),
        ("dlrm-a", "dense=ddp", 65537, None, "batch=65537 does not spread evenly over 128 ranks of dense that see different samples. Choose a multiple"),
        ("dlrm-a", "dense=ddp", 0, None, "batch=0 is below 1. Give the samples of one step over all devices."),
        ("dlrm-a", "dense=ddp;ffn=ddp", 65536, None, "the plan names ffn, and dlrm-a has no such layers. It has: embedding, dense."),
        ("gpt3-175b", "ffn=ddp;ffn.3=tp", 65536, None, "the published model plans whole classes, and the plan names ffn.3. Name the class, or choose"),
        ("gpt3-175b", "ffn=ddp", 64, None, "batch=64 does not spread evenly over 128 ranks of embedding that see different samples. Choose a multiple of 128."),
        ("gpt3-175b", "ffn=ddp", 2048, Task(kind="finetune", lora_rank=8), "the published model fine-tunes weights, and the task states lora_rank=8. Leave it"),
        ("gpt3-175b", "ffn=ddp", 2048, Task(kind="inference", phase="decode"), "the published model's inference is one forward pass of whole samples, and"),
        ("dlrm-a", "dense=ddp", 65536, Task(kind="finetune", trained_layers=2), "the published model trains single layers of transformers only, and dlrm-a is"),
    ],
)  # fmt: skip
def test_errors_are_one_line_with_rule_value_and_fix(name: str, plan: str, batch: int, task: Task | None, message: str) -> None:
    layers, words = published(name), Plan.parse(plan)
    with pytest.raises(BadValue) as error:
        evaluate_compat(layers, ZIONEX, words, batch=batch, task=task)
    assert str(error.value).startswith(message) and "\n" not in str(error.value)
    found = evaluate_compat_many(Configurations.product([layers], [ZIONEX], [words], [batch], task))
    assert not found.valid_C[0] and why(found, 0) == str(error.value)


def test_errors_of_odd_perceptrons_under_tp() -> None:
    with pytest.raises(BadValue) as error:
        evaluate_compat(ODD, ZIONEX, Plan.parse("dense=tp:8,ddp"), batch=1024)
    assert str(error.value) == "the published model sums tp over pairs of layers, and odd has 3 bottom layers. Choose another strategy."
    assert all(level.strategy != "tp" for plan in every_strategy(ODD, ZIONEX) for level in plan.levels["dense"])


def test_errors_of_two_levels_on_one_node() -> None:
    with pytest.raises(BadValue, match="dense=tp:4,ddp has two levels, and zionex is one node of 8 devices"):
        evaluate_compat(published("dlrm-a"), ZIONEX.sized(8), Plan.parse("dense=tp:4,ddp"), batch=1024)
    assert evaluate_compat(published("dlrm-a"), ZIONEX.sized(8), Plan.parse("dense=hsdp"), batch=1024).iteration_s > 0


def test_errors_of_a_system_and_a_variant_that_were_not_published() -> None:
    with pytest.raises(UnknownName, match="No system in the published model named 'dgx-h100'"):
        published_system(load_system("dgx-h100"))
    with pytest.raises(UnknownName, match="No variant named 'middle'"):
        evaluate_compat(published("vit-l"), ZIONEX, Plan.parse("ffn=ddp"), batch=1024, variant="middle")  # type: ignore[arg-type]


def test_errors_of_a_format_without_a_rate() -> None:
    volta = load_system("cloud-v100-16-a")
    layers = Recommender(name="bytes", bottom=2, top=2, mlp_dim=64, tables=8, rows_per_table=100, dim=16, pooling=2, format="int8").to_layers()
    with pytest.raises(BadValue, match="rates numbers of 8, 4, 2 bytes on cloud-v100-16-a, and these have 1"):
        evaluate_compat(layers, volta, Plan.parse("dense=ddp"), batch=volta.devices)


def test_formula_how_many_strategies() -> None:
    """Seven of the dense classes times four of the tables on many nodes, three times two on one; seven to the power of the classes where they part."""
    dlrm, gpt = published("dlrm-a"), published("dlrm-a-transformer")
    assert len(every_strategy(dlrm, ZIONEX)) == 28 and len(every_strategy(dlrm, ZIONEX.sized(8))) == 6
    assert len(every_strategy(gpt, ZIONEX, apart=True)) == 7 * 7 * 4
    assert len(every_strategy(dlrm, ZIONEX, pipeline=True)) == 13 * 4
    assert len({str(plan) for plan in every_strategy(gpt, ZIONEX, apart=True)}) == 196


def test_formula_rates_of_zionex() -> None:
    rates = published_system(ZIONEX)
    assert rates.flops == pytest.approx({8: 9.7e12 * 0.705, 4: 156e12 * 0.705, 2: 312e12 * 0.705, 1: 624e12 * 0.705})
    assert rates.all_to_all == pytest.approx((200.0e9, 7.0e9), rel=1e-4) and rates.all_reduce == pytest.approx((200.0e9, 60.0e9), rel=1e-3)
    assert rates.all_gather == pytest.approx((400.0e9, 120.0e9), rel=1e-3) and rates.memory == pytest.approx(1555e9 * 0.836)
    assert (rates.devices, rates.node_devices, rates.nodes, rates.capacity_bytes) == (128, 8, 16, 40e9)
    one = published_system(ZIONEX.sized(8))
    assert one.all_reduce == one.all_to_all == pytest.approx((200.0e9,), rel=1e-4) and one.nodes == 1


def test_property_scaled_systems_have_scaled_rates() -> None:
    scaled = published_system(ZIONEX.scaled(compute=2.0, bandwidth=3.0, capacity=4.0, links={"nvlink": 5.0, "roce": 5.0}))
    plain = published_system(ZIONEX)
    assert all(scaled.flops[width] == pytest.approx(2 * rate) for width, rate in plain.flops.items())
    assert (scaled.memory, scaled.capacity_bytes) == (pytest.approx(3 * plain.memory), pytest.approx(4 * plain.capacity_bytes))
    for name in ("all_to_all", "all_reduce", "all_gather"):
        assert getattr(scaled, name) == pytest.approx([5 * rate for rate in getattr(plain, name)])

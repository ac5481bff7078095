"""Matrix FLOPs equal those of torch's own counter, which sees the same calls by another road."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.workload.tracing.models import EXPERTS, MODELS, Convolutions, deepseek, llama, mixtral
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from thrifty.workload import Kind, Phase, Workload, capture
from thrifty.workload.building.meta import MetaAnswers


def by_torch(module: nn.Module, inputs: dict[str, Any], *, training: bool = False) -> int:
    """FLOPs by torch's counter, which knows fused attention on no device but CUDA; on meta tensors it sees attention decomposed."""
    with MetaAnswers(), FlopCounterMode(display=False) as counter:
        if training:
            result = module(**inputs)
            (result if isinstance(result, torch.Tensor) else result.loss).backward()
        else:
            with torch.no_grad():
                module(**inputs)
    return int(counter.get_total_flops())


def flops(workload: Workload, *phases: Phase) -> int:
    rows = workload.table.rows
    return int(rows["flops_matrix"][[row["phase"] in phases for row in rows]].sum())


@pytest.mark.parametrize("name", MODELS)
def test_peer_forward_flops_equal_torchs_counter(name: str) -> None:
    module, inputs = MODELS[name]("meta")
    module.eval()
    assert capture(module, **inputs).table.totals()["flops_matrix"] == by_torch(module, inputs) > 0


@pytest.mark.parametrize("name", [name for name in MODELS if name != "convolutions"])
def test_peer_training_flops_equal_torchs_counter(name: str) -> None:
    module, inputs = MODELS[name]("meta")
    workload = capture(module, phase="training", **inputs)
    assert flops(workload, Phase.FORWARD, Phase.BACKWARD) == by_torch(module, inputs, training=True)
    assert flops(workload, Phase.OPTIMIZER) == 0


@pytest.mark.parametrize("name", EXPERTS)
def test_peer_expert_flops_equal_torchs_counter_where_it_sees_them(name: str) -> None:
    module, inputs = EXPERTS[name]("meta")
    module.eval()
    assert capture(module, **inputs).table.totals()["flops_matrix"] == by_torch(module, inputs)


@pytest.mark.parametrize(("make", "products"), [(mixtral, 3 * 24 * 40 * 2), (deepseek, 3 * 24 * 10 * 1)])
@pytest.mark.parametrize("implementation", ["batched_mm", "grouped_mm"])
def test_formula_experts_do_tokens_times_chosen_experts(make: Any, products: int, implementation: str) -> None:
    """gate, up and down of each chosen expert: 2 · tokens · top_k · 3 · hidden · width, in every layer that has experts."""
    module, inputs = make("meta", implementation)
    workload = capture(module.eval(), **inputs)
    rows = workload.table.rows[["experts" in path and "shared" not in path for path in workload.table.modules()]]
    assert int(rows["flops_matrix"].sum()) == 2 * 14 * 2 * products
    assert workload.table.unknown() == {}


def test_peer_torchs_counter_drops_grouped_products_and_we_do_not() -> None:
    module, inputs = mixtral("meta", "grouped_mm")
    batched, _ = mixtral("meta", "batched_mm")
    assert by_torch(module.eval(), inputs) < capture(module, **inputs).table.totals()["flops_matrix"] == by_torch(batched.eval(), inputs)


def test_formula_backward_of_convolutions_is_two_products_each_but_the_first() -> None:
    """torch's counter forgets to divide the weight gradient of a grouped convolution by its groups, so the oracle here is the forward pass."""
    module = Convolutions()
    workload = capture(module, torch.rand(2, 3, 11, 13), phase="training")
    rows, paths = workload.table.rows, workload.table.modules()
    for name, _ in module.named_children():
        forward = rows["flops_matrix"][(paths == name) & (rows["phase"] == Phase.FORWARD)].sum()
        backward = rows["flops_matrix"][(paths == name) & (rows["phase"] == Phase.BACKWARD)].sum()
        assert backward == (1 if name == "plain" else 2) * forward > 0, name


def test_peer_flops_of_fused_attention_on_cpu_tensors_stay_though_torchs_counter_gives_none() -> None:
    module = nn.MultiheadAttention(24, 3, batch_first=True).eval()
    x = torch.rand(2, 7, 24)
    attention = 2 * 2 * 3 * 7 * 7 * (8 + 8)
    workload = capture(module, x, x, x, need_weights=False)
    assert workload.table.by_kind()["attention"]["flops_matrix"] == attention
    assert workload.table.totals()["flops_matrix"] == by_torch(module, {"query": x, "key": x, "value": x, "need_weights": False}) + attention


def test_formula_backward_of_attention_is_four_products() -> None:
    module, inputs = llama("meta")
    rows = capture(module, phase="training", **inputs).table.rows
    attention = rows[rows["kind"] == Kind.ATTENTION]
    assert [int(f) for f in attention["flops_matrix"]] == [2 * 2 * 6 * 7 * 7 * (4 + 4)] * 2 + [2 * 2 * 6 * 7 * 7 * 2 * (4 + 4)] * 2

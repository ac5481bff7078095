"""Attention that a module spells out is attention, found by the flow of data; counts stay."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch
from tests.workload.tracing.models import llama, t5
from torch import nn

from thrifty.workload import Kind, Workload, capture

PhaseName = Literal["forward", "training"]


def flops_of(workload: Workload, kind: str) -> int:
    return workload.table.by_kind().get(kind, {}).get("flops_matrix", 0)


@pytest.mark.parametrize("device", ["meta", "cpu"])
@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("make", [llama, t5])
def test_peer_spelled_out_and_fused_attention_have_the_same_matrix_flops_by_kind(make: Any, phase: PhaseName, device: str) -> None:
    eager, inputs = make(device, attn_implementation="eager")
    fused, same = make(device, attn_implementation="sdpa")
    spelled_out, one_kernel = capture(eager, phase=phase, **inputs), capture(fused, phase=phase, **same)
    for kind in ("attention", "linear"):
        assert flops_of(spelled_out, kind) == flops_of(one_kernel, kind) > 0
    assert spelled_out.table.totals()["flops_matrix"] == one_kernel.table.totals()["flops_matrix"]
    rows = spelled_out.table.rows
    assert {spelled_out.table.op(int(i)) for i in (rows["kind"] == Kind.SOFTMAX).nonzero()[0]} <= {"aten._log_softmax", "aten._log_softmax_backward_data"}


def test_formula_rows_of_spelled_out_attention() -> None:
    """Two layers of: scores, scale, mask, softmax, product; each keeps its own shape beside that of the attention."""
    module, inputs = llama("meta", attn_implementation="eager")
    rows = [row for row in capture(module.eval(), **inputs).table.describe() if row["kind"] == "attention"]
    assert [row["op"] for row in rows] == ["aten.bmm", "aten.mul", "aten.add", "aten._softmax", "aten.bmm"] * 2
    assert [(row["batch"], row["m"], row["n"], row["k"]) for row in rows[:5]] == [(12, 7, 7, 4), (1, 588, 0, 0), (1, 588, 0, 0), (1, 84, 7, 0), (12, 7, 4, 7)]
    for row in rows:
        assert [row[name] for name in ("seq_q", "seq_k", "heads", "kv_heads", "head_dim", "value_dim")] == [7, 7, 6, 6, 4, 4]
    assert [row["flops_matrix"] for row in rows[:5]] == [2 * 12 * 7 * 7 * 4, 0, 0, 0, 2 * 12 * 7 * 7 * 4]


def test_formula_backward_rows_of_spelled_out_attention() -> None:
    module, inputs = llama("meta", attn_implementation="eager")
    rows = [row for row in capture(module, phase="training", **inputs).table.describe() if row["kind"] == "attention" and row["phase"] == "backward"]
    assert [row["op"] for row in rows] == ["aten.bmm", "aten.bmm", "aten._softmax_backward_data", "aten.mul", "aten.bmm", "aten.bmm"] * 2
    assert sum(row["flops_matrix"] for row in rows[:6]) == 4 * 2 * 12 * 7 * 7 * 4


class Spelled(nn.Module):
    """One attention over x, its parts replaced by what a test wants to see."""

    def __init__(self, between: Any = None, after: Any = None) -> None:
        super().__init__()
        self.between, self.after = between or (lambda s: s / 2.0), after or (lambda p: p)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.between(torch.bmm(x, x.transpose(1, 2)))
        out: torch.Tensor = torch.bmm(self.after(scores.softmax(-1)), x)
        return out


def kinds(module: nn.Module) -> list[str]:
    return [row["kind"] for row in capture(module, torch.rand(3, 5, 4)).table.describe()]


@pytest.mark.parametrize(
    "module",
    [
        Spelled(),
        Spelled(between=lambda s: s),
        Spelled(between=lambda s: s.mul_(0.5).add_(1.0)),
        Spelled(between=lambda s: s.masked_fill(torch.ones(5, 5, dtype=torch.bool), -1.0).double().float()),
        Spelled(between=lambda s: torch.tanh(s / 30) * 30),
        Spelled(after=lambda p: p.to(torch.float64).to(torch.float32)),
    ],
    ids=["scaled", "bare", "in place", "masked and cast", "soft cap", "cast after"],
)
def test_formula_what_stands_between_belongs_to_it(module: nn.Module) -> None:
    assert set(kinds(module)) - {"memory"} == {"attention"}


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (Spelled(between=lambda s: s.sum(1, keepdim=True).expand(3, 5, 5)), "a reduction lies between"),
        (Spelled(between=lambda s: s + s.transpose(1, 2) @ torch.ones(5, 5)), "two products reach the softmax"),
        (Spelled(after=lambda p: p.sort(-1)[0]), "what is multiplied is not what the softmax made"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_formula_uncertain_patterns_are_left_alone(module: nn.Module, why: str) -> None:
    assert "attention" not in kinds(module), why


def test_formula_a_classifiers_softmax_is_no_attention() -> None:
    table = capture(nn.Sequential(nn.Linear(4, 4), nn.Softmax(-1), nn.Linear(4, 4)), torch.rand(2, 3, 5, 4)).table
    assert [row["kind"] for row in table.describe()] == ["linear", "softmax", "linear"]
    assert not table.rows["heads"].any()

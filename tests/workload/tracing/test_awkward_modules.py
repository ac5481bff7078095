"""Modules that users write: what cannot be recorded is refused in one line, what can is counted right; never a silent zero."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from thrifty.errors import CaptureError
from thrifty.lenses.operators import breakdown
from thrifty.lenses.operators.subjects import Subject
from thrifty.workload import capture


def test_a_module_that_changes_its_input_is_counted_as_it_runs() -> None:
    class Changes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense = nn.Linear(8, 8)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x.mul_(2.0)
            result: torch.Tensor = self.dense(x)
            return result

    module = Changes()
    given, same = torch.ones(4, 8), torch.ones(4, 8)
    work = capture(module, given)
    assert torch.equal(given, same * 2)  # it ran, once
    assert work.table.ops().tolist() == ["aten.mul_", "aten.addmm"] and work.table.totals()["flops_matrix"] == 2 * 4 * 8 * 8
    again = capture(module, given)
    assert again.table.totals() == work.table.totals()


def test_a_module_on_two_devices_is_refused_with_torchs_words() -> None:
    module = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8, device="meta"))
    with pytest.raises(CaptureError, match=r"^Sequential failed on cpu tensors: .+\. Give it inputs that it runs on\.$"):
        capture(module, torch.ones(2, 8))


class Branches(nn.Module):
    """More layers for larger values."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(3 if float(x.sum()) > 0 else 1):
            x = self.dense(x)
        return x


def test_control_flow_on_values_is_followed_on_real_tensors() -> None:
    module = Branches()
    product = 2 * 2 * 8 * 8
    assert capture(module, torch.ones(2, 8)).table.totals()["flops_matrix"] == 3 * product
    assert capture(module, -torch.ones(2, 8)).table.totals()["flops_matrix"] == product


def test_control_flow_on_values_is_refused_where_there_are_none() -> None:
    with torch.device("meta"):
        module = Branches()
    with pytest.raises(CaptureError, match=r"^Branches failed on meta tensors: .+\. Give it inputs that it runs on\.$"):
        capture(module, torch.ones(2, 8, device="meta"))


def test_a_module_called_twice_and_tied_weights_are_counted_as_often_as_they_run() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(8, 8, bias=False)
            self.b = nn.Linear(8, 8, bias=False)
            self.b.weight = self.a.weight

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.b(self.a(self.a(x)))
            return result

    work = capture(Twice(), torch.ones(2, 8))
    assert work.parameters == 64 and work.table.totals()["flops_matrix"] == 3 * 2 * 2 * 8 * 8 and work.table.totals()["bytes_weight"] == 64 * 4


def test_what_raises_inside_leaves_nothing_behind() -> None:
    class Raises(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ValueError("not today")

    with pytest.raises(CaptureError, match=r"^Raises failed on cpu tensors: not today\. Give it inputs that it runs on\.$"):
        capture(Raises(), torch.ones(2, 8))
    dense = nn.Linear(8, 8)
    assert capture(dense, torch.ones(2, 8)).table.totals()["flops_matrix"] == 2 * 2 * 8 * 8


def test_an_operator_without_a_rule_is_listed() -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svdvals(x)

    work = capture(Odd(), torch.ones(4, 4))
    assert work.table.unknown() and all(size > 0 for size in work.table.unknown().values())
    assert "unknown" in {group.name for group in breakdown(Subject(workload=work))}

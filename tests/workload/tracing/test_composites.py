"""Norms that a module spells out become one row, whatever it is called; the live bytes keep the maximum of the kernels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from thrifty.workload import Kind, OperatorTable, capture
from thrifty.workload.counts import rms_norm_flops
from thrifty.workload.tracing import composites, taping


def llama_norm(width: int) -> nn.Module:
    from transformers.models.llama.modeling_llama import LlamaRMSNorm

    module: nn.Module = LlamaRMSNorm(width)
    return module


def gemma_norm(width: int) -> nn.Module:
    from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm

    module: nn.Module = Gemma3RMSNorm(width)
    return module


class Deviation(nn.Module):
    """By the standard deviation, in place where it can."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True) + 1e-6).sqrt() * self.gain


NORMS: dict[str, Callable[[int], nn.Module]] = {"llama": llama_norm, "gemma": gemma_norm, "torch": nn.RMSNorm, "deviation": Deviation}


class Around(nn.Module):
    """A norm between two products, called as anything."""

    def __init__(self, norm: nn.Module, name: str = "norm") -> None:
        super().__init__()
        self.into = nn.Linear(12, 16, bias=False)
        self.add_module(name, norm)
        self.name = name
        self.out = nn.Linear(16, 12, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = self.into(x)
        out: torch.Tensor = self.out(hidden + getattr(self, self.name)(hidden)).sum()
        return out


def raw_and_joined(monkeypatch: pytest.MonkeyPatch, module: nn.Module, x: torch.Tensor, phase: Any) -> tuple[OperatorTable, OperatorTable]:
    raw: list[OperatorTable] = []

    def keep(table: OperatorTable, *rest: Any) -> Any:
        raw.append(table)
        return composites.join_norms(table, *rest)

    monkeypatch.setattr(taping, "join_norms", keep)
    joined = capture(module, x, phase=phase).table
    return raw[0], joined


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("name", NORMS)
def test_formula_a_spelled_out_norm_is_one_row_each_way(monkeypatch: pytest.MonkeyPatch, name: str, phase: str, dtype: torch.dtype) -> None:
    module, x = Around(NORMS[name](16)).to(dtype), torch.rand(3, 5, 12).to(dtype)
    raw, joined = raw_and_joined(monkeypatch, module, x, phase)
    norms = joined.rows[joined.rows["kind"] == Kind.NORM]
    names = [joined.op(int(i)) for i in np.flatnonzero(joined.rows["kind"] == Kind.NORM)]
    assert names == (["norm"] if phase == "forward" else ["norm", "norm_backward"])
    assert [(int(r["batch"]), int(r["m"]), int(r["n"]), int(r["k"])) for r in norms] == [(1, 15, 16, 0)] * len(names)
    # Nothing is lost: FLOPs, kernels, views and calls add up; the traffic is the same, part of it staged; the peak is that of the kernels.
    for column in ("flops_matrix", "flops_vector", "launches", "views", "calls"):
        assert joined.rows[column].sum() == raw.rows[column].sum(), column
    moved = ("bytes_read", "bytes_written", "bytes_staged")
    assert sum(int(joined.rows[c].sum()) for c in moved) == sum(int(raw.rows[c].sum()) for c in moved)
    assert (joined.rows["bytes_staged"] >= 0).all()
    assert joined.peak()[0] == raw.peak()[0]
    width = 2 if dtype == torch.bfloat16 else 4
    if phase == "forward":
        found = [int(norms[0][c]) for c in ("bytes_read", "bytes_written", "bytes_weight")]
        assert found == [(240 + 16) * width, 240 * width, 16 * width]


def test_formula_vector_flops_of_a_spelled_out_norm_are_the_textbooks() -> None:
    table = capture(Around(llama_norm(16)), torch.rand(3, 5, 12)).table
    assert int(table.rows["flops_vector"][table.rows["kind"] == Kind.NORM][0]) == rms_norm_flops(15, 16)


NAMES = st.text(alphabet="abcdefghijXYZ_019", min_size=1, max_size=12).filter(lambda n: not hasattr(Around(nn.Identity()), n))


@settings(max_examples=10, deadline=None)
@given(name=NAMES, rows=st.integers(1, 5))
def test_property_names_do_not_matter(name: str, rows: int) -> None:
    plain = capture(Around(llama_norm(16)), torch.rand(rows, 12), phase="training").table
    other = capture(Around(llama_norm(16), name), torch.rand(rows, 12), phase="training").table
    assert (plain.rows[["kind", "m", "n", "bytes_read", "bytes_staged"]] == other.rows[["kind", "m", "n", "bytes_read", "bytes_staged"]]).all()
    assert name in set(other.modules().tolist())


def test_formula_two_norms_in_a_row_of_one_module_stay_two() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = llama_norm(16)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.norm(self.norm(x)).sum()
            return out

    table = capture(Twice(), torch.rand(4, 16), phase="training").table
    assert [row["op"] for row in table.describe() if row["kind"] == "norm"] == ["norm", "norm", "norm_backward", "norm_backward"]


def test_formula_a_norm_captured_alone_is_one_row() -> None:
    table = capture(llama_norm(16), torch.rand(4, 16)).table
    assert [row["op"] for row in table.describe()] == ["norm"]


def test_formula_native_norms_stay_as_they_are() -> None:
    module = nn.Sequential(nn.LayerNorm(16), nn.GroupNorm(2, 4))
    assert [row["op"] for row in capture(module, torch.rand(3, 4, 16)).table.describe()] == ["aten.native_layer_norm", "aten.native_group_norm"]


class Scatter(nn.Module):
    """Mean and deviation, but it does not normalise."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(-1) + (x.var(-1) + 1e-6).sqrt()


class NormAndMore(nn.Module):
    """A norm written into a larger module, beside a product."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(16, 16))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6)) @ self.weight


@pytest.mark.parametrize("module", [Scatter(), NormAndMore(), nn.GELU(), nn.Softplus()], ids=lambda m: type(m).__name__)
def test_formula_a_leaf_that_is_no_norm_is_left_alone(module: nn.Module) -> None:
    table = capture(module, torch.rand(4, 16)).table
    assert "norm" not in table.ops().tolist()
    assert not (table.rows["kind"] == Kind.NORM).any()
    assert not table.rows["bytes_staged"].any()


def test_formula_live_bytes_of_the_joined_row_are_the_most_that_its_kernels_held(monkeypatch: pytest.MonkeyPatch) -> None:
    raw, joined = raw_and_joined(monkeypatch, Around(gemma_norm(16)), torch.rand(3, 5, 12), "training")
    row = int(np.flatnonzero(joined.ops() == "norm")[0])
    launches = joined.rows["launches"]
    start = int(launches[:row].sum())
    assert int(joined.live_bytes()[row]) == int(raw.live_bytes()[start : start + int(launches[row])].max())

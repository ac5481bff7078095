"""Whole models on meta tensors: the same rows as on the CPU, for every family and phase."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from tests.workload.building.tiny import DEEPSEEK, MIXTRAL, MODELS, POINT, RESNET, phases_of
from torch.utils.flop_counter import FlopCounterMode

from thrifty.workload.building import Blueprint, build_module, make_inputs, set_mode
from thrifty.workload.building.meta import MetaAnswers, grouped_result
from thrifty.workload.building.sources import record_at
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import COUNTS, SHAPE, Kind, OperatorTable

CASES = [(blueprint, phase) for blueprint in MODELS for phase in phases_of(blueprint)]


def rows(table: OperatorTable, kinds: tuple[Kind, ...], columns: tuple[str, ...]) -> Counter[tuple[object, ...]]:
    chosen = [index for index in range(len(table)) if table.rows["kind"][index] in kinds]
    return Counter((table.op(index), *(int(table.rows[name][index]) for name in ("kind", "phase", *columns))) for index in chosen)


@pytest.mark.parametrize(("blueprint", "phase"), CASES, ids=lambda value: getattr(value, "name", value))
def test_peer_meta_and_cpu_give_the_same_rows(blueprint: Blueprint, phase: WorkPhase) -> None:
    with MetaAnswers():
        meta = record_at(build_module(blueprint), blueprint, phase, POINT)
    cpu = record_at(build_module(blueprint, device="cpu"), blueprint, phase, POINT, device="cpu")
    assert not meta.unknown()
    assert len(meta) > 10
    large = (Kind.LINEAR, Kind.CONV, Kind.ATTENTION, Kind.NORM, Kind.EMBEDDING)
    work = (*SHAPE, "flops_matrix", "flops_vector")
    assert rows(meta, large, work) == rows(cpu, large, work)
    if blueprint not in (MIXTRAL, DEEPSEEK):  # how many experts are met, and so the weights read, depends on values
        assert rows(meta, large[:3], COUNTS) == rows(cpu, large[:3], COUNTS)
    assert meta.totals()["flops_matrix"] == cpu.totals()["flops_matrix"]


@pytest.mark.parametrize("format_name", ["fp32", "bf16", "fp16"])
def test_grouped_products_take_every_float_on_meta(format_name: str) -> None:
    with MetaAnswers():
        table = record_at(build_module(MIXTRAL, format=format_name), MIXTRAL, "forward", POINT)
    grouped = [index for index in range(len(table)) if "grouped_mm" in table.op(index)]
    assert len(grouped) == 2 * 2  # layers × (gate and up, down)
    tokens = POINT["batch"] * POINT["seq"] * 2  # two experts a token
    assert int(table.rows["flops_matrix"][grouped].sum()) == 2 * 2 * tokens * (32 * 2 * 64 + 64 * 32)
    assert {table.formats[table.rows["format"][index]] for index in grouped} == {format_name}


def test_formula_shapes_of_grouped_products() -> None:
    def shape(*sizes: tuple[int, ...]) -> tuple[int, ...]:
        left, right = (torch.empty(size, device="meta") for size in sizes)
        return tuple(grouped_result(left, right, torch.empty(3, dtype=torch.int32, device="meta")).shape)

    assert shape((10, 4), (3, 4, 5)) == (10, 5)
    assert shape((3, 6, 4), (4, 10)) == (6, 10)
    assert shape((4, 10), (10, 5)) == (3, 4, 5)
    assert shape((3, 6, 4), (3, 4, 5)) == (3, 6, 5)


def test_only_all_and_any_are_answered() -> None:
    with MetaAnswers():
        tensor = torch.empty(3, device="meta")
        assert bool((tensor > 0).all()) is True
        assert bool((tensor > 0).any()) is False
        with pytest.raises(RuntimeError, match="cannot be called on meta tensors"):
            tensor.sum().item()


def test_peer_flop_counter_agrees_where_nothing_is_fused_or_grouped() -> None:
    module = set_mode(build_module(RESNET), "evaluation")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(**make_inputs(module, RESNET, "forward", POINT))
    assert record_at(module, RESNET, "forward", POINT).totals()["flops_matrix"] == counter.get_total_flops()

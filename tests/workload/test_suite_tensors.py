"""Every part of the suite, tiny: the same rows from meta, fake and CPU tensors; the same work however attention is run; and it really runs."""

from __future__ import annotations

from collections import Counter

import pytest
import torch

from thrifty.workload import OperatorTable, get_entry, load
from thrifty.workload.attention_forms import fused, is_fused, spelled_out
from thrifty.workload.building import TorchSource, blueprint_of
from thrifty.workload.entries import entry_names

pytest.importorskip("diffusers")

PARTS = [f"{name}@tiny" for name in entry_names() if get_entry(name).kind == "generator"]
COLUMNS = ("kind", "axes", "batch", "m", "n", "k", "seq_q", "seq_k", "heads", "head_dim", "flops_matrix")
"""Of products; whether torch adds a bias in the product or after it, and where it copies, follows the layout that each device's kernels give."""


def rows(table: OperatorTable) -> Counter[tuple[object, ...]]:
    """What is multiplied, module by module."""
    return Counter((table.module(i), *(int(table.rows[name][i]) for name in COLUMNS)) for i in range(len(table)) if table.rows["flops_matrix"][i])


@pytest.mark.parametrize("name", PARTS)
def test_property_meta_fake_and_real_tensors_agree(name: str) -> None:
    work = load(name, phase="forward", format="fp32")
    source = TorchSource(blueprint_of(get_entry(name)))
    tables = {where: source._record(where, "forward", "fp32", work.point) for where in ("meta", "fake", "cpu")}
    assert all(table.unknown() == {} for table in tables.values())
    assert rows(tables["meta"]) == rows(tables["fake"]) == rows(tables["cpu"]) == rows(work.table)
    assert len({table.totals()["flops_matrix"] for table in tables.values()}) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
@pytest.mark.parametrize("name", PARTS)
def test_property_cuda_tensors_agree_too(name: str) -> None:
    from thrifty.workload.building import build_module
    from thrifty.workload.building.sources import record_at

    work = load(name, phase="forward", format="fp32")
    blueprint = blueprint_of(get_entry(name))
    on_cuda = record_at(build_module(blueprint, device="cuda"), blueprint, "forward", work.point, device="cuda")
    assert rows(on_cuda) == rows(work.table)


@pytest.mark.parametrize("name", PARTS)
def test_property_work_is_the_same_however_attention_is_run(name: str) -> None:
    table = load(name, phase="forward").table
    eager = spelled_out(table)
    before, after = table.totals(), eager.totals()
    assert before["flops_matrix"] == after["flops_matrix"]
    if is_fused(table.rows).any():
        assert after["bytes_read"] + after["bytes_written"] > before["bytes_read"] + before["bytes_written"]
    assert fused(eager).totals() == before

"""What a workload holds at its peak, and whether it fits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from thrifty.cost.facts import load_facts
from thrifty.cost.memory import MemoryAccount, backend_of
from thrifty.errors import NoRoom
from thrifty.hardware.device import Device, MemoryTier
from thrifty.workload.builder import TableBuilder
from thrifty.workload.model import Workload
from thrifty.workload.table import Kind, Role

GPU = Device(
    name="toy-gpu", title="Toy", vendor="NVIDIA", kind="gpu", year=2020, peak_flops={"bf16": 1e12}, vector_flops=1e12,
    memory=(MemoryTier(name="hbm", capacity_bytes=600e6, bandwidth_bytes_per_s=1e12),), memory_technology="HBM2", tdp_w=300.0,
)  # fmt: skip


def workload(*, matrix: bool = True) -> Workload:
    builder = TableBuilder()
    weight = builder.storage(1000, Role.WEIGHT, "bf16")
    given = builder.storage(10, Role.INPUT, "bf16")
    cache = builder.storage(50, Role.CACHE, "bf16")
    hidden = builder.storage(300, Role.ACTIVATION, "bf16")
    builder.row(Kind.LINEAR if matrix else Kind.MEMORY, "mm", "layer", "bf16", reads=[(weight, 1000), (given, 10)], writes=[(hidden, 300)])
    result = builder.storage(200, Role.ACTIVATION, "bf16")
    builder.row(Kind.ELEMENTWISE, "add", "layer.act", "bf16", reads=[(hidden, 300), (cache, 50)], writes=[(result, 200)])
    return Workload(name="toy", phase="forward", format="bf16", point={}, table=builder.build(), parameters=500, weight_bytes=1000)


def test_formula_peak_is_what_lives_at_the_fullest_row() -> None:
    account = MemoryAccount.of(workload())
    assert account.by_role == {"weight": 1000, "buffer": 0, "input": 10, "activation": 500, "gradient": 0, "optimizer": 0, "cache": 50}
    assert account.peak_memory_bytes == account.total_bytes == account.needed_bytes == 1560
    assert (account.peak_row, account.peak_op, account.peak_module, account.backend) == (1, "add", "layer.act", "other")


def test_workspace_by_backend() -> None:
    sheet = load_facts("efficiencies")
    cuda = MemoryAccount.of(workload(), GPU)
    assert cuda.workspace_bytes == 8519680  # the allocation that the source reports
    assert cuda.process_bytes == int(sheet.get("workspace.cuda.process", "capacity"))
    assert MemoryAccount.of(workload(), replace(GPU, name="h100-toy")).workspace_bytes == 32 * 2**20
    assert MemoryAccount.of(workload(matrix=False), GPU).workspace_bytes == 0
    cpu = MemoryAccount.of(workload(), replace(GPU, kind="cpu", vendor="Intel"))
    assert (cpu.backend, cpu.workspace_bytes) == ("cpu", 0)
    assert backend_of(replace(GPU, vendor="AMD")) == "other" and backend_of(None) == "other"


def test_fit_and_shortfall() -> None:
    account = MemoryAccount.of(workload(), GPU)
    assert account.fits(GPU) and account.shortfall_bytes(GPU) == 0
    account.require(GPU)
    small = replace(GPU, memory=(replace(GPU.memory[0], capacity_bytes=100e6),))
    assert not account.fits(small)
    assert account.shortfall_bytes(small) == account.needed_bytes - 100_000_000
    with pytest.raises(NoRoom) as error:
        account.require(small)
    assert str(error.value) == (
        "needs 509 MB, toy-gpu has 100 MB: 409 MB short. Take a smaller batch, sequence or format, or a larger device."
    )


def test_an_empty_table_holds_nothing() -> None:
    empty = replace(workload(), table=TableBuilder().build())
    account = MemoryAccount.of(empty, GPU)
    assert account.peak_memory_bytes == 0
    assert account.to_dict()["peak_memory_bytes"] == 0 and account.to_dict()["backend"] == "cuda"

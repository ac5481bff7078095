"""Who is alive when: the peak of the table against torch's own allocator, and storages that die when torch frees them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from tests.workload.tracing.models import MODELS, llama
from torch import nn
from torch.utils.checkpoint import checkpoint

from thrifty.measure.memory import measure_memory
from thrifty.workload import OperatorTable, Phase, Role, capture
from thrifty.workload.tracing import record_step, settle, training_step


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """With more of them some kernels take scratch memory for each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


SCRATCH = ("resnet", "convolutions", "lstm")
"""Models whose kernels take memory of their own and give it back within one call, which no table knows."""


def measured_and_predicted(module: nn.Module, inputs: dict[str, Any], *, training: bool) -> tuple[int, int]:
    """Bytes at the peak: torch's allocator beside what was resident, and the table's."""
    if training:
        optimizer = torch.optim.AdamW(module.parameters())
        settle(optimizer)
        step = training_step(module, (), inputs, optimizer, None)
        step()
        use = measure_memory(step, module, optimizer=optimizer, inputs=inputs)
        table = record_step(module, (), inputs, training=True, optimizer=optimizer).table
    else:

        def call() -> object:
            with torch.no_grad():
                return module.eval()(**inputs)

        call()
        use = measure_memory(call, module, inputs=inputs)
        table = record_step(module, (), inputs, training=False).table
    return use.peak_memory_bytes, table.peak()[0]


@pytest.mark.parametrize("training", [False, True], ids=["forward", "training"])
@pytest.mark.parametrize("name", [name for name in MODELS if name not in SCRATCH])
def test_peer_peak_memory_equals_that_of_torchs_allocator(name: str, training: bool) -> None:
    module, inputs = MODELS[name]("cpu")
    measured, predicted = measured_and_predicted(module, inputs, training=training)
    assert predicted == pytest.approx(measured, rel=0.01)


@pytest.mark.parametrize("name", SCRATCH)
def test_peer_kernels_with_scratch_hold_more_than_the_table_knows(name: str) -> None:
    module, inputs = MODELS[name]("cpu")
    measured, predicted = measured_and_predicted(module, inputs, training=False)
    assert predicted < measured


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(16, 64), nn.Linear(64, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = x + self.out(torch.nn.functional.gelu(self.into(x)))
        return result


class Stack(nn.Module):
    """`checkpointed`: None, or whether to go about it by re-entering autograd."""

    def __init__(self, blocks: list[nn.Module], reentrant: bool | None) -> None:
        super().__init__()
        self.first, self.blocks, self.reentrant = nn.Linear(16, 16), nn.ModuleList(blocks), reentrant

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = block(x) if self.reentrant is None else checkpoint(block, x, use_reentrant=self.reentrant, preserve_rng_state=False)
        return x.square().sum()


@pytest.mark.parametrize("reentrant", [None, False, True])
def test_peer_peak_memory_under_checkpointing(reentrant: bool | None) -> None:
    inputs = {"x": torch.rand(32, 16)}
    measured, predicted = measured_and_predicted(Stack([Block() for _ in range(4)], reentrant), inputs, training=True)
    assert predicted == pytest.approx(measured, rel=0.01)


def _gains(table: OperatorTable) -> tuple[int, int]:
    forward = table.rows["phase"] == Phase.FORWARD
    return int(table.rows["flops_matrix"][forward].sum()), int(table.rows["flops_matrix"][~forward].sum())


@pytest.mark.parametrize("reentrant", [False, True])
def test_formula_checkpointing_does_the_forward_again_in_backward_and_holds_less(reentrant: bool) -> None:
    blocks, x = [Block() for _ in range(4)], torch.rand(32, 16)
    plain = capture(Stack(blocks, None), x, phase="training").table
    again = capture(Stack(blocks, reentrant), x, phase="training").table
    forward, backward = _gains(plain)
    again_done = 4 * 2 * 2 * 32 * 16 * 64
    assert forward == again_done + 2 * 32 * 16 * 16
    # Without re-entry torch stops the second forward as soon as it has what it needs: the last product of a block is not needed.
    assert _gains(again) == (forward, backward + again_done // (1 if reentrant else 2))
    assert again.peak()[0] < plain.peak()[0]
    rerun = [row for row in again.describe() if row["phase"] == "backward" and row["op"] == "aten.gelu"]
    assert sorted(row["module"] for row in rerun) == [f"blocks.{i}" for i in range(4)]


@pytest.mark.parametrize("reentrant", [False, True])
def test_formula_rows_done_again_stand_in_backward_under_their_own_modules(reentrant: bool) -> None:
    module = Stack([nn.Sequential(nn.RMSNorm(16), nn.Linear(16, 16)) for _ in range(2)], reentrant)
    rows = list(capture(module, torch.rand(8, 16), phase="training").table.describe())
    names = [(row["phase"], row["op"], row["module"]) for row in rows if row["kind"] == "norm"]
    assert names == [
        ("forward", "norm", "blocks.0.0"), ("forward", "norm", "blocks.1.0"), ("backward", "norm", "blocks.1.0"), ("backward", "norm_backward", "blocks.1.0"),
        ("backward", "norm", "blocks.0.0"), ("backward", "norm_backward", "blocks.0.0"),
    ]  # fmt: skip


def test_formula_a_chain_holds_two_links_at_a_time() -> None:
    """Each result dies when the next is made; the input stays."""
    module = nn.Sequential(*(nn.Tanh() for _ in range(5)))
    table = capture(module, torch.rand(1000)).table
    assert table.live_bytes().tolist() == [8000, 12000, 12000, 12000, 12000]
    made = table.storages[table.storages["role"] == Role.ACTIVATION]
    assert [(int(s["birth"]), int(s["death"])) for s in made] == [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]


def test_formula_a_view_keeps_its_storage_alive() -> None:
    class Views(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            first = x.exp()[:1]
            x = x.sin()
            x = x.cos()
            return first

    table = capture(Views(), torch.rand(1000)).table
    assert [int(death) for death in table.storages["death"][1:]] == [3, 2, 2]


def test_formula_a_module_called_twice_and_one_shared_count_their_weights_once() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(16, 16, bias=False)
            self.b = nn.Linear(16, 16, bias=False)
            self.b.weight = self.a.weight
            self.same = self.a

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.same(self.b(self.a(self.a(x)))).sum()
            return result

    workload = capture(Twice(), torch.rand(4, 16), phase="training")
    table = workload.table
    assert (workload.parameters, workload.weight_bytes, table.weight_bytes_touched()) == (256, 1024, 1024)
    products = table.rows[(table.rows["flops_matrix"] > 0)]
    assert int(products["flops_matrix"].sum()) == (4 + 4 + 3) * 2 * 4 * 16 * 16  # the input wants no gradient
    assert [table.module(i) for i in range(4)] == ["a", "a", "b", "a"]
    assert sum(int(row["bytes_weight"]) for row in table.rows if row["phase"] == Phase.FORWARD) == 4 * 1024


def test_formula_a_buffer_that_is_replaced_is_not_taken_for_what_comes_after() -> None:
    class Replaced(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("state", torch.ones(500))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.state = self.state + x
            for _ in range(8):
                x = x * 2
            return x

    table = capture(Replaced(), torch.rand(500)).table
    buffers = table.storages[table.storages["role"] == Role.BUFFER]
    assert [int(s["death"]) for s in buffers] == [0]
    assert int(table.live_bytes()[-1]) == 4 * 2000  # input, new state, the last two links


def test_formula_gradients_optimizer_state_and_weights_have_their_roles() -> None:
    module, inputs = llama("meta")
    table = capture(module, phase="training", **inputs).table
    size = sum(p.numel() * 4 for p in module.parameters())
    by_role = {role: int(table.storages["bytes"][table.storages["role"] == role].sum()) for role in Role}
    assert by_role[Role.WEIGHT] == size
    assert by_role[Role.GRADIENT] == size
    steps = 4 * len(list(module.parameters()))
    assert by_role[Role.OPTIMIZER] == 2 * size + steps

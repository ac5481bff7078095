"""Capture from any place, with nothing left behind, and errors in one line."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules import module as module_hooks
from torch.optim import optimizer as optimizer_hooks
from torch.utils._python_dispatch import _get_current_dispatch_mode

from thrifty.errors import BadValue, CaptureError
from thrifty.workload import Kind, capture
from thrifty.workload.tracing import record


class Calls(nn.Module):
    """Runs `what` on its inputs and its children."""

    def __init__(self, what: Callable[..., Any], *children: nn.Module) -> None:
        super().__init__()
        self.what, self.parts = what, nn.ModuleList(children)

    def forward(self, *inputs: Any) -> Any:
        return self.what(*inputs, *self.parts)


def left_behind() -> tuple[Any, ...]:
    return (
        dict(module_hooks._global_forward_hooks), dict(module_hooks._global_forward_pre_hooks), dict(module_hooks._global_forward_hooks_always_called),
        dict(optimizer_hooks._global_optimizer_pre_hooks), dict(optimizer_hooks._global_optimizer_post_hooks),
        torch.backends.mha.get_fastpath_enabled(), _get_current_dispatch_mode(), torch.overrides._get_current_function_mode(),
        F.scaled_dot_product_attention, torch.is_grad_enabled(),
    )  # fmt: skip


def fail(*_: Any) -> None:
    raise ValueError("no such thing.\nSecond line")


def test_nothing_is_left_behind() -> None:
    before = left_behind()
    module = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    capture(module, torch.rand(2, 5, 16))
    capture(module, torch.rand(2, 5, 16), phase="training", loss=torch.sum)
    assert left_behind() == before


@pytest.mark.parametrize("phase", ["forward", "training"])
def test_nothing_is_left_behind_by_a_module_that_fails(phase: Any) -> None:
    before = left_behind()
    module = Calls(lambda x, a, b: b(a(x)), nn.Linear(4, 4), Calls(fail))
    with pytest.raises(CaptureError) as caught:
        capture(module, torch.rand(2, 4), phase=phase)
    assert str(caught.value) == "Calls failed on cpu tensors: no such thing. Give it inputs that it runs on."
    assert isinstance(caught.value.__cause__, ValueError)
    assert left_behind() == before
    assert [row["module"] for row in capture(nn.Sequential(nn.Linear(4, 4)), torch.rand(2, 4)).table.describe()] == ["0"]


def test_nothing_is_left_behind_by_a_backward_that_fails() -> None:
    class Broken(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *gradients: Any) -> Any:
            raise ValueError("backwards")

    before = left_behind()
    with pytest.raises(CaptureError) as caught:
        capture(Calls(lambda x, a: Broken.apply(a(x)).sum(), nn.Linear(4, 4)), torch.rand(2, 4), phase="training")
    assert str(caught.value) == "Calls failed on cpu tensors: backwards. Give it inputs that it runs on."
    assert left_behind() == before


def test_a_module_that_catches_its_childs_failure_keeps_its_own_path() -> None:
    def tries(x: torch.Tensor, child: nn.Module) -> torch.Tensor:
        try:
            child(x)
        except ValueError:
            return x * 2
        return x

    module = nn.Sequential(Calls(tries, Calls(fail)))
    assert [row["module"] for row in capture(module, torch.rand(3)).table.describe()] == ["0"]


class Trained(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.norm(self.layer(x)).square().sum()
        return out


@pytest.mark.parametrize("make", [None, torch.optim.SGD, torch.optim.AdamW, torch.optim.Adagrad, torch.optim.RMSprop, torch.optim.Adafactor])
def test_a_training_capture_leaves_weights_buffers_gradients_and_optimizer_as_they_were(make: Any) -> None:
    module = Trained()
    keywords = {"momentum": 0.9} if make is torch.optim.SGD else {}
    optimizer = make(module.parameters(), lr=0.1, **keywords) if make else None
    if optimizer is not None:
        module(torch.rand(3, 4)).backward()
        optimizer.step()
    gradients = [p.grad for p in module.parameters()]
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    state = [value.clone() for values in optimizer.state.values() for value in values.values() if isinstance(value, torch.Tensor)] if optimizer else []
    capture(module, torch.rand(3, 4), phase="training", optimizer=optimizer)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert all(p.grad is gradient for p, gradient in zip(module.parameters(), gradients, strict=True))
    if optimizer is not None:
        after = [value for values in optimizer.state.values() for value in values.values() if isinstance(value, torch.Tensor)]
        assert all(torch.equal(a, b) for a, b in zip(after, state, strict=True))
        assert optimizer.param_groups[0]["lr"] == 0.1


def test_a_fresh_optimizer_stays_fresh() -> None:
    module = Trained()
    optimizer = torch.optim.AdamW(module.parameters())
    capture(module, torch.rand(3, 4), phase="training", optimizer=optimizer)
    assert len(optimizer.state) == 0


def test_training_is_captured_whatever_the_ambient_gradient_mode() -> None:
    plain = capture(Trained(), torch.rand(3, 4), phase="training").table.totals()
    with torch.no_grad():
        assert capture(Trained(), torch.rand(3, 4), phase="training").table.totals() == plain
    module, x = Trained(), torch.rand(3, 4)
    with torch.inference_mode():
        assert capture(module, x, phase="training").table.totals() == plain


WRAPPERS = {"compile": torch.compile, "parallel": nn.DataParallel, "both": lambda m: torch.compile(nn.DataParallel(m))}


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")  # torch's own, when it loads its compiler
@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS.keys())
def test_wrappers_are_captured_through_their_original(wrap: Any) -> None:
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
    plain, wrapped = capture(module, torch.rand(2, 4)), capture(wrap(module), torch.rand(2, 4))
    assert list(wrapped.table.describe()) == list(plain.table.describe())
    assert wrapped.notes == ("captured through the module behind torch.compile or DataParallel",)
    assert (wrapped.name, plain.notes) == ("Sequential", ())


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")
def test_a_compiled_submodule_runs_as_it_is_written() -> None:
    module = nn.Sequential(torch.compile(nn.Linear(4, 8)), nn.ReLU())
    rows = list(capture(module, torch.rand(2, 4)).table.describe())
    assert [(row["op"], row["module"]) for row in rows] == [("aten.addmm", "0"), ("aten.relu", "1")]


def test_channels_last_counts_as_plain() -> None:
    module = nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.ReLU()).eval()
    plain = capture(module, torch.rand(2, 4, 9, 9)).table
    last = capture(module.to(memory_format=torch.channels_last), torch.rand(2, 4, 9, 9).to(memory_format=torch.channels_last)).table
    assert list(last.describe()) == list(plain.describe())
    assert last.peak() == plain.peak()


def test_a_module_that_returns_views_or_its_input_has_no_rows() -> None:
    workload = capture(Calls(lambda x: (x, x[0], x.t())), torch.rand(3, 4))
    assert len(workload.table) == 0
    assert workload.table.peak() == (0, 0)
    assert workload.table.totals()["bytes_read"] == 0
    assert (workload.parameters, workload.weight_bytes, workload.format) == (0, 0, "fp32")


@pytest.mark.parametrize(("device", "origin"), [("cpu", "captured on cpu tensors"), ("meta", "captured on meta tensors")])
def test_a_module_without_parameters_says_where_its_inputs_are(device: str, origin: str) -> None:
    workload = capture(nn.Softmax(-1), torch.rand(2, 3, device=device))
    assert workload.origin == origin
    assert workload.table.by_kind()["softmax"]["rows"] == 1


@torch.library.custom_op("thrifty_tests::mystery", mutates_args=())
def mystery(x: torch.Tensor, parts: list[torch.Tensor]) -> torch.Tensor:
    return x + sum(part.sum() for part in parts)


@mystery.register_fake
def _(x: torch.Tensor, parts: list[torch.Tensor]) -> torch.Tensor:
    return torch.empty_like(x)


@torch.library.custom_op("thrifty_tests::mystery_into", mutates_args=("x",))
def mystery_into(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    x.add_(y)
    return y * 2


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_an_operator_without_a_rule_is_listed_with_its_bytes_never_counted_as_zero(device: str) -> None:
    workload = capture(Calls(lambda x, y: torch.ops.thrifty_tests.mystery(x, [y, y[:1]]) * 2), torch.rand(3, 4, device=device), torch.rand(2, device=device))
    assert workload.table.unknown() == {"thrifty_tests.mystery": 48 + 8 + 48}
    row = next(workload.table.describe())
    assert (row["kind"], row["bytes_read"], row["bytes_written"], row["flops_vector"]) == ("unknown", 56, 48, 0)


def test_an_operator_that_changes_an_operand_and_returns_writes_both() -> None:
    workload = capture(Calls(lambda x, y: torch.ops.thrifty_tests.mystery_into(x, y)), torch.rand(3, 4), torch.rand(3, 4))
    row = next(workload.table.describe())
    assert (row["bytes_read"], row["bytes_written"]) == (96, 96)


def test_bad_phase_has_one_line() -> None:
    with pytest.raises(BadValue) as caught:
        capture(nn.Linear(2, 2), torch.rand(1, 2), phase="decode")  # type: ignore[arg-type]
    assert str(caught.value) == "phase='decode' cannot be captured from a bare module. Choose forward or training."


@pytest.mark.parametrize("result", [torch.zeros(3), None, {"logits": torch.zeros(2)}, ()], ids=["vector", "none", "mapping", "empty"])
def test_a_result_without_a_loss_has_one_line(result: Any) -> None:
    with pytest.raises(BadValue) as caught:
        capture(Calls(lambda x, a: result, nn.Linear(2, 2)), torch.rand(1, 2), phase="training")
    assert str(caught.value) == "the module returned no loss to train on. Pass loss=, a function from its result to one number."


PACKS: dict[str, Callable[[torch.Tensor], Any]] = {
    "number": lambda y: y, "mapping": lambda y: {"loss": y}, "tuple": lambda y: (y, None), "object": lambda y: SimpleNamespace(loss=y),
}  # fmt: skip


@pytest.mark.parametrize("pack", PACKS.values(), ids=PACKS.keys())
def test_a_loss_is_found_in_what_modules_return(pack: Any) -> None:
    assert capture(Calls(lambda x, a: pack(a(x).sum()), nn.Linear(2, 2)), torch.rand(1, 2), phase="training").phase == "training"


@pytest.mark.parametrize("module", [Calls(lambda x: x.sum()), Calls(lambda x, a: a(x).sum(), nn.Linear(2, 2).requires_grad_(False))], ids=["none", "frozen"])
def test_nothing_to_train_has_one_line(module: nn.Module) -> None:
    with pytest.raises(BadValue) as caught:
        capture(module, torch.rand(1, 2), phase="training")
    assert str(caught.value) == "Calls has no parameter that requires a gradient, so there is nothing to train. Choose phase='forward'."


def test_frozen_weights_are_neither_trained_nor_given_state() -> None:
    module = nn.Sequential(nn.Linear(4, 4).requires_grad_(False), nn.Linear(4, 1))
    table = capture(module, torch.rand(1, 4), phase="training").table
    updated = [row for row in table.describe() if row["phase"] == "optimizer" and row["op"] == "aten.addcmul_"]
    assert [row["m"] for row in updated] == [4, 1]


def test_sparse_gradients_are_refused_in_one_line() -> None:
    with pytest.raises(CaptureError) as caught:
        capture(Calls(lambda i, e: e(i).sum(), nn.Embedding(10, 4, sparse=True)), torch.tensor([1, 2]), phase="training")
    assert str(caught.value) == (
        "aten._sparse_coo_tensor_with_dims_and_tensors works on a sparse_coo tensor, which has no single storage to count the bytes of. "
        "Use dense tensors, e.g. Embedding(sparse=False)."
    )


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage:UserWarning")
def test_nested_tensors_are_refused_in_one_line_and_jagged_ones_counted_by_their_values() -> None:
    parts = [torch.rand(2, 8), torch.rand(3, 8)]
    with pytest.raises(CaptureError) as caught:
        capture(nn.Linear(8, 4), torch.nested.as_nested_tensor(parts))
    assert str(caught.value) == (
        "aten.linear works on a nested tensor, which has no single storage to count the bytes of. Pad the batch, or use layout=torch.jagged."
    )
    table = capture(nn.Linear(8, 4), torch.nested.as_nested_tensor(parts, layout=torch.jagged)).table
    assert table.totals()["flops_matrix"] == 2 * 5 * 8 * 4


def test_a_gradient_of_fused_attentions_gradient_is_refused_in_one_line() -> None:
    def penalty(x: torch.Tensor, layer: nn.Module) -> torch.Tensor:
        y = layer(x)[None, None]
        (gradient,) = torch.autograd.grad(F.scaled_dot_product_attention(y, y, y).sum(), layer.weight, create_graph=True)
        return gradient.square().sum()

    with pytest.raises(CaptureError) as caught:
        capture(Calls(penalty, nn.Linear(4, 4)), torch.rand(3, 4), phase="training")
    assert str(caught.value) == (
        "fused attention is recorded without a gradient of its gradient (create_graph=True). Spell it out: attn_implementation='eager'."
    )


def test_a_clock_gives_every_row_its_time() -> None:
    module = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    with torch.no_grad():
        recording = record(lambda: module(torch.rand(2, 5, 16)), module, clock=True)
    assert recording.seconds is not None
    assert len(recording.seconds) == len(recording.table)
    assert (recording.seconds > 0).all()
    assert recording.seconds.sum() + recording.view_seconds <= recording.total_seconds
    assert recording.seconds[recording.table.rows["kind"] == Kind.ATTENTION].sum() > 0

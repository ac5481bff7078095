"""A recording from its opening to its table: everything that must be open around the recorder, and what is put right when it is closed."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from thrifty.workload.table import OperatorTable, Role
from thrifty.workload.tracing.attention import AttentionMode, attention_replaced
from thrifty.workload.tracing.clocks import clock_of
from thrifty.workload.tracing.composites import join_norms
from thrifty.workload.tracing.eager_attention import mark_eager_attention
from thrifty.workload.tracing.modules import ModuleStack
from thrifty.workload.tracing.provenance import has_names
from thrifty.workload.tracing.recorder import Recorder


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What was recorded.

    seconds      : (R,) time inside each row's kernels as the clock saw them, None without a clock; view_seconds: in views, all together
    total_seconds: of the whole block, the recorder's own work included; own_seconds: what of it the recorder saw itself spend
    dispatches   : operator calls that it saw
    result       : what the recorded call returned
    """

    table: OperatorTable
    result: Any
    seconds: npt.NDArray[np.float64] | None = None
    view_seconds: float = 0.0
    total_seconds: float = 0.0
    own_seconds: float = 0.0
    dispatches: int = 0


def caches(value: Any, depth: int = 0) -> Iterator[torch.Tensor]:
    """Tensors of key-value caches inside call arguments (objects with `layers` whose items hold `keys` and `values`)."""
    layers = getattr(value, "layers", None)
    if isinstance(layers, list):
        for layer in layers:
            for name in ("keys", "values"):
                tensor = getattr(layer, name, None)
                if isinstance(tensor, torch.Tensor):
                    yield tensor
    elif depth < 3 and isinstance(value, (list, tuple)):
        for item in value:
            yield from caches(item, depth + 1)
    elif depth < 3 and isinstance(value, dict):
        for item in value.values():
            yield from caches(item, depth + 1)


@contextmanager
def _optimizer_phase(recorder: Recorder, module: torch.nn.Module) -> Iterator[None]:
    def before(optimizer: Any, args: Any, kwargs: Any) -> None:
        for parameter in module.parameters():
            if parameter.grad is not None:
                recorder.relabel(parameter.grad, Role.GRADIENT)
        recorder.optimizing = True

    def after(optimizer: Any, args: Any, kwargs: Any) -> None:
        recorder.optimizing = False

    handles = (register_optimizer_step_pre_hook(before), register_optimizer_step_post_hook(after))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class Tape:
    """What `recording` gives: `finish` turns what was recorded into a Recording, once the block is left."""

    def __init__(self, recorder: Recorder, module: torch.nn.Module, inputs: Any, optimizer: torch.optim.Optimizer | None) -> None:
        self._recorder, self._module, self._inputs, self._optimizer = recorder, module, inputs, optimizer
        self.total_seconds = 0.0

    def finish(self, result: Any = None) -> Recording:
        """The table of what ran inside the block; `result` is what it returned, looked through for caches that it filled."""
        recorder = self._recorder
        for parameter in self._module.parameters():
            if parameter.grad is not None:
                recorder.relabel(parameter.grad, Role.GRADIENT)
        for tensor in caches([self._inputs, result]):
            recorder.relabel(tensor, Role.CACHE)
        for tensor in _state(self._optimizer):
            recorder.relabel(tensor, Role.OPTIMIZER)
        recorder.builder.hold_living()
        clock = recorder.clock
        seconds = clock.seconds(recorder.marks) if clock is not None else None
        table, seconds = join_norms(recorder.builder.build(), recorder.call_numbers, recorder.stack.leaves, seconds)
        table = mark_eager_attention(table)
        in_views = float(clock.seconds(recorder.view_marks).sum()) if clock is not None else 0.0
        return Recording(
            table=table, result=result, seconds=seconds, view_seconds=in_views, total_seconds=self.total_seconds,
            own_seconds=recorder.own_seconds, dispatches=recorder.dispatches,
        )  # fmt: skip


def _state(optimizer: torch.optim.Optimizer | None) -> Iterator[torch.Tensor]:
    for state in optimizer.state.values() if optimizer is not None else ():
        yield from (value for value in state.values() if isinstance(value, torch.Tensor))


def _register_residents(recorder: Recorder, module: torch.nn.Module, inputs: Any, optimizer: torch.optim.Optimizer | None) -> None:
    """What is there before the first row. (A function of its own, so that no variable of it keeps a tensor alive while recording.)"""
    for name, parameter in module.named_parameters():
        recorder.register(parameter, Role.WEIGHT, name)
    for name, buffer in module.named_buffers():
        recorder.register(buffer, Role.BUFFER, name)
    for tensor in caches(inputs):
        recorder.register(tensor, Role.CACHE)
    for tensor in _state(optimizer):
        recorder.register(tensor, Role.OPTIMIZER)


@contextmanager
def recording(
    module: torch.nn.Module, *, inputs: Any = (), optimizer: torch.optim.Optimizer | None = None, clock: bool = False
) -> Iterator[Tape]:  # fmt: skip
    """Record every operator call inside the block, which runs `module`.

    inputs    : what the module is fed, looked through for key-value caches and for names of axes, which are then followed (see `provenance`)
    optimizer : its state counts as optimizer state; its step, where the block makes one, is recorded as phase "optimizer"
    clock     : also time every row; for real tensors only
    The module and torch are left as they were, whatever happens inside.
    """
    recorder = Recorder(ModuleStack(module), clock=clock_of(module) if clock else None)
    _register_residents(recorder, module, inputs, optimizer)
    tape = Tape(recorder, module, inputs, optimizer)
    recorder.following = has_names(inputs)
    with ExitStack() as open_things:
        open_things.enter_context(_mha_fast_path_off())
        open_things.enter_context(_optimizer_phase(recorder, module))
        open_things.enter_context(recorder.stack.watching())
        open_things.enter_context(attention_replaced(recorder) if clock else AttentionMode(recorder))
        if clock:
            open_things.enter_context(_garbage_collector_off())
        open_things.enter_context(recorder)
        if recorder.clock is not None:
            recorder.clock.wait()
        start = time.perf_counter()
        yield tape
        if recorder.clock is not None:
            recorder.clock.wait()
        tape.total_seconds = time.perf_counter() - start


def record(
    call: Callable[[], Any], module: torch.nn.Module, *, inputs: Any = (), optimizer: torch.optim.Optimizer | None = None, clock: bool = False
) -> Recording:  # fmt: skip
    """Run `call()`, which runs `module`, and record every operator call below it (see `recording`). Raises whatever `call` raises."""
    with recording(module, inputs=inputs, optimizer=optimizer, clock=clock) as tape:
        result = call()
    return tape.finish(result)


@contextmanager
def _garbage_collector_off() -> Iterator[None]:
    """A recording makes many small objects; a collection of everything that torch has loaded would fall into some operator's time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def _mha_fast_path_off() -> Iterator[None]:
    """nn.TransformerEncoderLayer's fused inference kernel is one opaque call; its plain path is recorded instead."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)

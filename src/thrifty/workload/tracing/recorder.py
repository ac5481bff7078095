"""Puts every operator call into a table: rows, storages, and who is alive when."""

from __future__ import annotations

import functools
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from thrifty.errors import CaptureError
from thrifty.workload.builder import TableBuilder
from thrifty.workload.table import Axes, Kind, Phase, Role
from thrifty.workload.tracing import rules_elementwise, rules_matrix, rules_shape
from thrifty.workload.tracing.clocks import HostClock
from thrifty.workload.tracing.modules import OUTSIDE, ModuleStack, Place
from thrifty.workload.tracing.provenance import follow, score_axes
from thrifty.workload.tracing.rules import Cost, Operator, format_of, touched, understand

assert rules_elementwise and rules_matrix and rules_shape  # imported for the rules that they register

_OPERATORS: dict[Any, Operator] = {}
_NO_KEYWORDS: dict[str, Any] = {}


class Recorder(TorchDispatchMode):  # type: ignore[misc]
    """The dispatch mode. Use `record`, which opens it with everything around it."""

    def __init__(self, stack: ModuleStack, *, clock: HostClock | None = None) -> None:
        super().__init__()
        self.builder = TableBuilder()
        self.stack = stack
        self.muted = False
        self.optimizing = False
        self.following = False  # whether named axes are followed from operator to operator
        self.dispatches = 0
        self.marks: list[Any] = []
        self.view_marks: list[Any] = []
        self.own_seconds = 0.0
        self.clock = clock
        self.call_numbers: list[int] = []
        self._inside = 0.0
        self._views = 0
        self._storages: dict[int, int] = {}
        self._watched: dict[int, Any] = {}
        self._place_of_node: dict[int, Place] = {}

    def tick(self) -> Any:
        return self.clock.tick() if self.clock is not None else 0.0

    def tock(self, start: Any) -> Any:
        return self.clock.tock(start) if self.clock is not None else 0.0

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Nothing is recorded while open."""
        self.muted = True
        try:
            yield
        finally:
            self.muted = False

    # -- storages -----------------------------------------------------------------------------------------------------------------

    def register(self, tensor: torch.Tensor, role: Role, name: str = "") -> int:
        """The number of the storage behind `tensor`; made known with `role` at first sight."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        index = self._storages.get(key)
        if index is None:
            index = self.builder.storage(storage.nbytes(), role, format_of(tensor.dtype), name)
            self._storages[key] = index
            self._watched[key] = weakref.ref(storage, functools.partial(self._died, key))
        return index

    def _died(self, key: int, _: object) -> None:
        self._watched.pop(key, None)
        index = self._storages.pop(key, None)
        if index is not None:
            self.builder.release(index)

    def relabel(self, tensor: torch.Tensor, role: Role) -> None:
        """Say what a storage turned out to hold (a gradient, optimizer state, a cache)."""
        index = self._storages.get(tensor.untyped_storage()._cdata)
        if index is not None:
            self.builder.relabel(index, role)

    # -- rows ---------------------------------------------------------------------------------------------------------------------

    def place(self) -> tuple[Phase, Place]:
        """Phase and module call of what runs now. In backward, the call of the forward operator whose gradient this is."""
        if self.optimizing:
            return Phase.OPTIMIZER, OUTSIDE
        node = torch._C._current_autograd_node()
        if node is None or self.stack.rerun:
            if torch.is_grad_enabled():
                self.note_node()
            return Phase.FORWARD if node is None else Phase.BACKWARD, self.stack.here
        return Phase.BACKWARD, self._place_of_node.get(node._sequence_nr(), OUTSIDE)

    def note_node(self) -> None:
        """Remember which module call made the newest autograd node; its first operator is the first to say so."""
        self._place_of_node.setdefault(torch.autograd._get_sequence_nr() - 1, self.stack.here)

    def add(
        self, name: str, cost: Cost, reads: list[tuple[int, int]], writes: list[tuple[int, int]], format_name: str, mark: Any = 0.0,
        place: tuple[Phase, Place] | None = None, axes: Axes = Axes.NONE,
    ) -> None:  # fmt: skip
        """Append a row; the views and module calls since the last one go with it."""
        phase, (module, call) = place or self.place()
        self.builder.row(
            cost.kind, name, module, format_name, reads=reads, writes=writes, phase=phase, axes=axes, causal=cost.causal, shape=cost.shape, taps=cost.taps,
            attention=cost.attention, flops_matrix=cost.flops_matrix, flops_vector=cost.flops_vector, flops_skipped=cost.flops_skipped,
            flops_recomputed=cost.flops_recomputed, launches=cost.launches, views=self._views, calls=self.stack.calls,
        )  # fmt: skip
        self.call_numbers.append(call)
        self._views = 0
        self.stack.calls = 0
        if self.clock is not None:
            self.marks.append(mark)

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if self.clock is None or not self.clock.on_host:
            return self._dispatch(func, types, args, kwargs or _NO_KEYWORDS)
        # In a real run caches are cold between kernels, and recording takes longer than in a loop of small calls: it is timed here, each time.
        outer, self._inside, start = self._inside, 0.0, time.perf_counter()
        try:
            return self._dispatch(func, types, args, kwargs or _NO_KEYWORDS)
        finally:
            taken = time.perf_counter() - start
            self.own_seconds += taken - self._inside
            self._inside = outer + taken  # a composite operator is taken apart inside a call of this: its parts have counted themselves

    def _dispatch(self, func: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if types and any(hasattr(t, "__tensor_flatten__") for t in types):
            return NotImplemented  # a tensor made of tensors: it turns the call into calls on those, which come here again
        if self.muted:
            return func(*args, **kwargs)
        operator = _OPERATORS.get(func)
        if operator is None:
            operator = _OPERATORS[func] = understand(func)
        if operator.composite:
            if any(isinstance(x, torch.Tensor) and x.is_nested for x in args):
                raise _refusal(operator.name, args) or CaptureError(operator.name)
            with self:
                return func._op_dk(torch._C.DispatchKey.CompositeImplicitAutograd, *args, **kwargs)
        self.dispatches += 1
        mark: Any = 0.0
        if self.clock is not None:
            start = self.clock.tick()
            out = func(*args, **kwargs)
            mark = self.clock.tock(start)
            self._inside += mark if self.clock.on_host else 0.0
        else:
            out = func(*args, **kwargs)
        if self.following:
            follow(operator.name, args, out)
        if operator.view:
            self._views += 1
            self.view_marks.append(mark)
            if torch.is_grad_enabled():
                self.note_node()
            return out
        if operator.free:
            self._views += 1
            self.view_marks.append(mark)
            if isinstance(out, torch.Tensor):
                index = self.register(out, Role.ACTIVATION)
                if operator.written:  # resize_, set_
                    self.builder.resize(index, out.untyped_storage().nbytes())
            return out
        try:
            self._count(operator, args, kwargs, out, mark)
        except (RuntimeError, NotImplementedError) as error:
            raise _refusal(operator.name, (*args, *kwargs.values(), out)) or error from error
        return out

    def _count(self, operator: Operator, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any, mark: Any) -> None:
        cost = operator.rule(args, kwargs, out) if operator.rule is not None else Cost(Kind.UNKNOWN, (1, 0, 0, 0))
        reads: list[tuple[int, int]] = []
        writes: list[tuple[int, int]] = []
        narrowed = cost.reads
        dtype: torch.dtype | None = None
        for position, argument in enumerate(args):
            if isinstance(argument, torch.Tensor):
                tensors: Any = (argument,)
            elif isinstance(argument, (list, tuple)) and argument and any(isinstance(x, torch.Tensor) for x in argument):
                tensors = argument
            else:
                continue
            written = position in operator.written
            for tensor in tensors:
                if not isinstance(tensor, torch.Tensor):
                    continue
                if dtype is None and tensor.dtype.is_floating_point:
                    dtype = tensor.dtype
                index = self.register(tensor, Role.INPUT)
                if not (written and operator.fresh):
                    size = touched(tensor)
                    if narrowed is not None and position in narrowed:
                        size = min(size, narrowed[position])
                    reads.append((index, size))
                if written or (cost.writes is not None and position in cost.writes):
                    size = touched(tensor)
                    if cost.writes is not None and position in cost.writes:
                        size = min(size, cost.writes[position])
                    writes.append((index, size))
        for key, argument in kwargs.items():
            for tensor in argument if isinstance(argument, (list, tuple)) else (argument,):
                if isinstance(tensor, torch.Tensor):
                    index = self.register(tensor, Role.INPUT)
                    written = key in operator.written_keywords
                    if written:
                        self.builder.resize(index, tensor.untyped_storage().nbytes())
                    (writes if written else reads).append((index, touched(tensor)))
        if operator.results:
            made = self._outputs(out if cost.results is None else out[: cost.results], writes)
            dtype = dtype or made
        axes = score_axes(args[0]) if self.following and cost.kind == Kind.SOFTMAX else Axes.NONE
        self.add(operator.name, cost, reads, writes, format_of(dtype) if dtype is not None else "int64", mark, axes=axes)

    def _outputs(self, out: Any, writes: list[tuple[int, int]]) -> torch.dtype | None:
        if isinstance(out, torch.Tensor):
            if out.numel():
                writes.append((self.register(out, Role.ACTIVATION), touched(out)))
            return out.dtype
        found = None
        if isinstance(out, (list, tuple)):
            for item in out:
                dtype = self._outputs(item, writes)  # every result is written, whatever the first one's format
                found = found or dtype
        return found


def _refusal(name: str, values: tuple[Any, ...]) -> CaptureError | None:
    """Why a call could not be counted, where its tensors are of a kind that has no one storage."""
    listed = [x for value in values for x in (value if isinstance(value, (list, tuple)) else (value,)) if isinstance(x, torch.Tensor)]
    odd = next((x for x in listed if x.is_nested or x.layout is not torch.strided), None)
    if odd is None:
        return None
    layout = "nested" if odd.is_nested else str(odd.layout).removeprefix("torch.").removeprefix("_")
    fix = "Pad the batch, or use layout=torch.jagged." if odd.is_nested else "Use dense tensors, e.g. Embedding(sparse=False)."
    return CaptureError(f"{name} works on a {layout} tensor, which has no single storage to count the bytes of. {fix}")

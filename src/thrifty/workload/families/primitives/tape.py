"""A tape of operators: a family writes the forward pass once, and the backward pass and the optimizer step follow from it.

It does what an autograd engine does, on shapes alone: every operator of the forward pass leaves one closure that appends the rows of its
gradients, the closures run in reverse, a tensor's second gradient is added to its first, and what a gradient reads is held until that row.
So lifetimes, and with them peak memory, are those of a real training step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from thrifty.formats import get_format
from thrifty.workload.builder import Access, TableBuilder
from thrifty.workload.counts import ADAMW_FLOPS
from thrifty.workload.table import Axes, Kind, OperatorTable, Phase, Role

Parameter = tuple[str, tuple[int, ...]]
"""Name and shape of a parameter."""

ADAMW_LAUNCHES: Final = 9
ADAMW_TRAFFIC: Final = 20
"""Kernels of one parameter's AdamW step as torch's loop runs it, and the numbers of the parameter's size that they read and write (7 of them are
the gradient, the parameter and its two moments; the others go between kernels)."""


class Tensor:
    """Numbers in a storage. `needs`: whether a gradient is wanted; `is_weight`: whether it is a parameter; `grad`: the gradient so far."""

    __slots__ = ("count", "format", "grad", "is_weight", "needs", "size", "storage")

    def __init__(self, storage: int, count: int, size: int, format_name: str, needs: bool, *, is_weight: bool = False) -> None:
        self.storage, self.count, self.size, self.format, self.needs, self.is_weight = storage, count, size, format_name, needs, is_weight
        self.grad: Tensor | None = None


def activation_format(format_name: str) -> str:
    """The format of activations beside weights in `format_name`: the same where it is 16 bits or wider, else bf16 (only weights are stored narrower)."""
    chosen = get_format(format_name)
    return chosen.name if chosen.family == "float" and chosen.bits >= 16 else "bf16"


class Tape:
    """Collects the rows of one step. `keep`: whether forward operators leave closures for a backward pass; `wide`: parameters that stay in fp32."""

    def __init__(self, parameters: Iterable[Parameter], format_name: str, *, keep: bool, wide: frozenset[str] = frozenset()) -> None:
        self.builder = TableBuilder()
        self.keep = keep
        self.phase = Phase.FORWARD
        self.format = activation_format(format_name)
        self.width = get_format(self.format).bits // 8
        self.module = ""
        self.views = 0
        self.calls = 0
        self._closures: list[Callable[[], None]] = []
        self.weights: dict[str, Tensor] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._stored, self._numbers, self._wide = get_format(format_name), get_format(self.format), wide
        for name, shape in parameters:
            self.weight(name, *shape)

    # -- tensors --------------------------------------------------------------------------------------------------------------------

    def weight(self, name: str, *shape: int, format_name: str | None = None) -> Tensor:
        """The parameter `name`, made at its first mention. format_name: where it is stored in one of its own, whatever the others are in."""
        known = self.weights.get(name)
        if known is not None:
            return known
        count = 1
        for size in shape:
            count *= size
        # Vectors (norms, biases) stay in the activations' format; matrices are stored in the narrow one.
        own = "fp32" if name in self._wide else format_name
        chosen = get_format(own) if own else self._stored if len(shape) > 1 else self._numbers
        size = chosen.bytes_of(count)
        made = Tensor(self.builder.storage(size, Role.WEIGHT, chosen.name, name), count, size, chosen.name, self.keep, is_weight=True)
        self.weights[name], self.shapes[name] = made, shape
        return made

    def new(self, count: int, *, format_name: str | None = None, role: Role = Role.ACTIVATION, needs: bool | None = None, name: str = "") -> Tensor:
        """A tensor that the next row writes (or that is there already, by its role)."""
        chosen = format_name or self.format
        size = count * self.width if chosen == self.format else get_format(chosen).bytes_of(count)
        return Tensor(self.builder.storage(size, role, chosen, name), count, size, chosen, self.keep if needs is None else needs)

    def input(self, count: int, format_name: str, name: str) -> Tensor:
        """What the step is fed; it wants no gradient."""
        return self.new(count, format_name=format_name, role=Role.INPUT, needs=False, name=name)

    def touch(self, *tensors: Tensor) -> None:
        """These are still held by a caller during the row just appended."""
        for tensor in tensors:
            self.builder.touch(tensor.storage)

    # -- rows -----------------------------------------------------------------------------------------------------------------------

    def enter(self, module: str, calls: int = 1, views: int = 0) -> None:
        """Rows from here on belong to `module`, which took `calls` module calls and `views` views to reach."""
        self.module = module
        self.calls += calls
        self.views += views

    def row(
        self, kind: Kind, op: str, reads: Sequence[Tensor], writes: Sequence[Tensor], shape: tuple[int, int, int, int], *, flops_matrix: int = 0,
        flops_vector: int = 0, sizes: Sequence[int] | None = None, written: Sequence[int] | None = None, format_name: str | None = None,
        staged: int = 0, launches: int = 1, taps: int = 0, attention: Sequence[int] = (0, 0, 0, 0, 0, 0), causal: bool = False,
        axes: Axes = Axes.NONE, skipped: int = 0, recomputed: int = 0, views: int = 0,
    ) -> None:  # fmt: skip
        """Append a row. `sizes`, `written`: bytes that it reads and writes of each tensor, where that is not all of it."""
        read: list[Access] = [(t.storage, t.size) for t in reads] if sizes is None else [(t.storage, s) for t, s in zip(reads, sizes, strict=True)]
        wrote: list[Access] = [(t.storage, t.size) for t in writes] if written is None else [(t.storage, s) for t, s in zip(writes, written, strict=True)]
        self.builder.row(
            kind, op, self.module, format_name or self.format, reads=read, writes=wrote, phase=self.phase, axes=axes, causal=causal, shape=shape, taps=taps,
            attention=attention, flops_matrix=flops_matrix, flops_vector=flops_vector, flops_skipped=skipped, flops_recomputed=recomputed,
            bytes_staged=staged, launches=launches, views=self.views + views, calls=self.calls,
        )  # fmt: skip
        self.views = self.calls = 0

    def scratch(self, size: int) -> None:
        """The next row holds `size` bytes of its own while it runs."""
        if size > 0:
            self.builder.storage(size, Role.ACTIVATION, self.format)

    # -- gradients ------------------------------------------------------------------------------------------------------------------

    def later(self, out: Tensor, closure: Callable[[Tensor], None]) -> None:
        """When the gradient of `out` is complete, run `closure` on it, in the module that is running now."""
        if not (self.keep and out.needs):
            return
        module = self.module

        def run() -> None:
            grad = out.grad
            if grad is not None:
                out.grad = None
                self.module = module
                closure(grad)

        self._closures.append(run)

    def give(self, tensor: Tensor, grad: Tensor) -> None:
        """`grad` is (a part of) the gradient of `tensor`; a second part is added to the first."""
        if not tensor.needs:
            return
        if tensor.grad is None:
            tensor.grad = grad
            return
        first, total = tensor.grad, self.gradient_like(tensor, grad)
        self.row(Kind.ELEMENTWISE, "aten.add", (first, grad), (total,), (1, grad.count, 0, 0), flops_vector=grad.count)
        tensor.grad = total

    def gradient_like(self, tensor: Tensor, grad: Tensor | None = None) -> Tensor:
        """An unwritten gradient of `tensor`: of a parameter, in the role that outlives the backward pass."""
        chosen = activation_format(tensor.format) if tensor.is_weight else (grad or tensor).format
        return self.new(tensor.count, format_name=chosen, role=Role.GRADIENT if tensor.is_weight else Role.ACTIVATION, needs=False)

    def backward(self) -> None:
        """Run what the forward pass left, last first."""
        self.phase = Phase.BACKWARD
        closures, self._closures = self._closures, []
        while closures:
            closures.pop()()

    def checkpoint(self, segment: Callable[[Tensor], Tensor], entry: Tensor) -> Tensor:
        """`segment(entry)`, of which only `entry` is kept: its forward rows run once more in the backward pass, before its gradients."""
        if not self.keep:
            return segment(entry)
        self.keep = False
        plain = Tensor(entry.storage, entry.count, entry.size, entry.format, False)
        out = segment(plain)
        self.keep = True
        out.needs = True

        def rerun(grad: Tensor) -> None:
            outer, self._closures = self._closures, []
            again = Tensor(entry.storage, entry.count, entry.size, entry.format, True)
            result = segment(again)
            result.grad = grad
            while self._closures:
                self._closures.pop()()
            self._closures = outer
            if again.grad is not None:
                self.give(entry, again.grad)

        self.later(out, rerun)
        return out

    def optimizer_step(self) -> None:
        """AdamW, one row a parameter: its step count, gradient, two moments and the parameter itself."""
        self.phase, self.module = Phase.OPTIMIZER, ""
        before = 0  # the loop's variable still holds the last parameter's denominator when the next one's is made
        for name, weight in self.weights.items():
            if weight.grad is None:
                continue
            moments = [self.new(weight.count, role=Role.OPTIMIZER, needs=False, name=f"{name}.{moment}") for moment in ("exp_avg", "exp_avg_sq")]
            grad = weight.grad
            self.scratch(2 * grad.size + before)
            before = grad.size
            self.row(
                Kind.ELEMENTWISE, "adamw", (weight, grad, *moments), (weight, *moments), (1, weight.count, 0, 0), launches=ADAMW_LAUNCHES,
                flops_vector=ADAMW_FLOPS * weight.count, staged=(ADAMW_TRAFFIC - 7) * grad.size,
            )  # fmt: skip
        for weight in self.weights.values():
            if weight.grad is not None:
                self.builder.release(weight.grad.storage)

    def build(self) -> OperatorTable:
        """The table."""
        return self.builder.build()

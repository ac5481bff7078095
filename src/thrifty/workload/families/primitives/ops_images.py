"""What image networks do between their products: join channels, enlarge, and a loss where the twin has none of its own."""

from __future__ import annotations

from collections.abc import Sequence

from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.table import Kind


def concatenate(t: Tape, parts: Sequence[Tensor], *, views: int = 0) -> Tensor:
    """The parts side by side along one axis, as a copy; the gradient of each is a view of the whole's."""
    out = t.new(sum(part.count for part in parts), format_name=parts[0].format)
    t.row(Kind.MEMORY, "aten.cat", parts, (out,), (1, out.count, 0, 0), format_name=out.format, views=views)

    def backward(grad: Tensor) -> None:
        for part in parts:
            t.views += 1
            t.give(part, Tensor(grad.storage, part.count, part.size, grad.format, False))

    t.later(out, backward)
    return out


def resize_nearest(t: Tape, x: Tensor, count: int, *, axes: int = 2) -> Tensor:
    """`x` enlarged to `count` numbers by repeating the nearest one; `axes`: how many it is enlarged along."""
    out = t.new(count, format_name=x.format)
    op = f"aten.upsample_nearest{axes}d"
    t.row(Kind.MEMORY, op, (x,), (out,), (1, count, 0, 0), format_name=x.format)

    def backward(grad: Tensor) -> None:
        part = t.new(x.count, format_name=x.format, needs=False)
        t.row(Kind.ELEMENTWISE, f"{op}_backward", (grad,), (part,), (1, part.count, 0, 0), flops_vector=grad.count, format_name=x.format)
        t.give(x, part)

    t.later(out, backward)
    return out


def mean_loss(t: Tape, out: Tensor) -> None:
    """The mean of all results, which is trained on where a module has no loss of its own; starts the backward pass."""
    loss = t.new(1, format_name=out.format)
    t.row(Kind.ELEMENTWISE, "aten.mean", (out,), (loss,), (1, 1, 0, 0), flops_vector=out.count + 1, format_name=out.format)

    def backward(grad: Tensor) -> None:
        part = t.new(out.count, format_name=out.format, needs=False)
        t.row(Kind.ELEMENTWISE, "aten.div", (grad,), (part,), (1, part.count, 0, 0), flops_vector=part.count, format_name=out.format, views=1)
        t.give(out, part)

    t.later(loss, backward)
    loss.grad = t.new(1, format_name=out.format, needs=False)
    t.row(Kind.MEMORY, "aten.ones_like", (loss,), (loss.grad,), (1, 1, 0, 0), sizes=(0,), format_name=out.format)

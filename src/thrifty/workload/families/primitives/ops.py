"""Operators that every family is written in: each appends its forward row, and leaves on the tape what its backward appends.

Order and traffic are those of torch's own kernels, so that a captured twin has the same rows. Products and norms have files of their own
(`ops_matrix`, `ops_norms`) and are reached from here.
"""

from __future__ import annotations

from collections.abc import Sequence

from thrifty.workload.counts import ACTIVATION_FLOPS, BACKWARD_ACTIVATION_FLOPS, softmax_flops
from thrifty.workload.families.primitives.ops_images import concatenate as concatenate
from thrifty.workload.families.primitives.ops_images import mean_loss as mean_loss
from thrifty.workload.families.primitives.ops_images import resize_nearest as resize_nearest
from thrifty.workload.families.primitives.ops_matrix import attention as attention
from thrifty.workload.families.primitives.ops_matrix import convolution as convolution
from thrifty.workload.families.primitives.ops_matrix import grouped_linear as grouped_linear
from thrifty.workload.families.primitives.ops_matrix import linear as linear
from thrifty.workload.families.primitives.ops_norms import group_norm as group_norm
from thrifty.workload.families.primitives.ops_norms import layer_norm as layer_norm
from thrifty.workload.families.primitives.ops_norms import rms_norm as rms_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.table import Kind

INDEX_BYTES = 8
"""Of a token, position or label (int64)."""


# -- elementwise ----------------------------------------------------------------------------------------------------------------------


def add(t: Tape, a: Tensor, b: Tensor, *, views: int = 0) -> Tensor:
    """a + b; a smaller b is broadcast, and its gradient summed."""
    out = t.new(a.count, format_name=a.format)
    t.row(Kind.ELEMENTWISE, "aten.add", (a, b), (out,), (1, a.count, 0, 0), flops_vector=a.count, format_name=a.format, views=views)

    def backward(grad: Tensor) -> None:
        t.give(a, grad)
        if not b.needs:
            return
        total = grad
        if b.count != grad.count:
            total = t.gradient_like(b)
            t.row(Kind.ELEMENTWISE, "aten.sum", (grad,), (total,), (1, b.count, 0, 0), flops_vector=grad.count, views=2)
        elif b.is_weight:  # a parameter takes a copy of a gradient that others read too
            total, t.module = t.gradient_like(b), ""
            t.row(Kind.MEMORY, "aten.copy_", (grad,), (total,), (1, grad.count, 0, 0))
        t.give(b, total)

    t.later(out, backward)
    return out


def multiply(t: Tape, a: Tensor, b: Tensor, *, views: int = 0) -> Tensor:
    """a · b, element by element; both are kept for the gradients."""
    out = t.new(a.count, format_name=a.format)
    t.row(Kind.ELEMENTWISE, "aten.mul", (a, b), (out,), (1, a.count, 0, 0), flops_vector=a.count, format_name=a.format, views=views)

    def backward(grad: Tensor) -> None:
        parts = []
        for wanted, other in ((b, a), (a, b)):
            if wanted.needs:
                part = t.new(grad.count, format_name=grad.format, needs=False)
                t.row(Kind.ELEMENTWISE, "aten.mul", (grad, other), (part,), (1, grad.count, 0, 0), flops_vector=grad.count, format_name=grad.format)
                parts.append((wanted, part))
        for wanted, part in reversed(parts):
            t.give(wanted, part)

    t.later(out, backward)
    return out


def scale(t: Tape, x: Tensor, factor: Tensor | None = None) -> Tensor:
    """x times one number."""
    out = t.new(x.count, format_name=x.format)
    operands = (x,) if factor is None else (x, factor)
    t.row(Kind.ELEMENTWISE, "aten.mul", operands, (out,), (1, x.count, 0, 0), flops_vector=x.count, format_name=x.format)

    def backward(grad: Tensor) -> None:
        part = t.new(grad.count, format_name=grad.format, needs=False)
        t.row(Kind.ELEMENTWISE, "aten.mul", (grad, *operands[1:]), (part,), (1, grad.count, 0, 0), flops_vector=grad.count, format_name=grad.format)
        t.give(x, part)

    t.later(out, backward)
    return out


def activation(t: Tape, x: Tensor, name: str, *, views: int = 1) -> Tensor:
    """An elementary function of every number: silu, gelu, gelu_tanh, relu, tanh, sigmoid."""
    out = t.new(x.count, format_name=x.format)
    op = {"gelu_tanh": "gelu"}.get(name, name)
    t.row(Kind.ELEMENTWISE, f"aten.{op}", (x,), (out,), (1, x.count, 0, 0), flops_vector=ACTIVATION_FLOPS[name] * x.count, format_name=x.format, views=views)
    backward_name = {"relu": "threshold"}.get(name, name)
    kept = out if name in ("relu", "tanh", "sigmoid") else x

    def backward(grad: Tensor) -> None:
        part = t.new(x.count, format_name=x.format, needs=False)
        t.row(
            Kind.ELEMENTWISE, f"aten.{'gelu' if op == 'gelu' else backward_name}_backward", (grad, kept), (part,), (1, x.count, 0, 0),
            flops_vector=BACKWARD_ACTIVATION_FLOPS[backward_name] * x.count, format_name=x.format, views=2,
        )  # fmt: skip
        t.give(x, part)

    t.later(out, backward)
    return out


def plain(t: Tape, op: str, x: Tensor, flops: int) -> Tensor:
    """A function whose gradient is the incoming one (adding a constant)."""
    out = t.new(x.count, format_name=x.format)
    t.row(Kind.ELEMENTWISE, op, (x,), (out,), (1, x.count, 0, 0), flops_vector=flops * x.count, format_name=x.format)
    t.later(out, lambda grad: t.give(x, grad))
    return out


def gelu_spelled_out(t: Tape, x: Tensor) -> Tensor:
    """0.5 · x · (1 + tanh(√(2/π) · (x + 0.044715 · x³))), as GPT-2's module writes it: eight kernels."""
    half = scale(t, x)
    cube = t.new(x.count)
    t.row(Kind.ELEMENTWISE, "aten.pow", (x,), (cube,), (1, x.count, 0, 0), flops_vector=2 * x.count)

    def backward(grad: Tensor) -> None:
        square, tripled, part = (t.new(x.count, needs=False) for _ in range(3))
        t.row(Kind.ELEMENTWISE, "aten.pow", (x,), (square,), (1, x.count, 0, 0), flops_vector=x.count)
        t.row(Kind.ELEMENTWISE, "aten.mul", (square,), (tripled,), (1, x.count, 0, 0), flops_vector=x.count)
        t.row(Kind.ELEMENTWISE, "aten.mul", (grad, tripled), (part,), (1, x.count, 0, 0), flops_vector=x.count)
        t.touch(square)
        t.give(x, part)

    t.later(cube, backward)
    inner = scale(t, add(t, x, scale(t, cube)))
    bounded = plain(t, "aten.add", activation(t, inner, "tanh", views=0), 1)
    t.touch(half)
    out = multiply(t, half, bounded)
    t.touch(x)
    return out


# -- embeddings, movement, loss -------------------------------------------------------------------------------------------------------


def embedding(t: Tape, indices: Tensor, weight: Tensor, lookups: int, width: int, rows: int, *, index_bytes: int | None = None) -> Tensor:
    """The rows of a table that `indices` name; of the table only what is fetched is read, at most all of it. index_bytes: of indices that repeat."""
    named = lookups * INDEX_BYTES if index_bytes is None else index_bytes
    out = t.new(lookups * width)
    row_size = weight.size // rows if weight.size % rows == 0 else weight.size / rows
    fetched = int(min(lookups, rows) * row_size)
    t.row(
        Kind.EMBEDDING, "aten.embedding", (weight, indices), (out,), (1, lookups, width, rows), sizes=(fetched, named),
        format_name=weight.format,
    )  # fmt: skip

    def backward(grad: Tensor) -> None:
        gradient = t.gradient_like(weight)
        t.row(
            Kind.EMBEDDING, "aten.embedding_dense_backward", (grad, indices), (gradient,), (1, lookups, width, rows),
            sizes=(grad.size, named), flops_vector=grad.count,
        )  # fmt: skip
        t.give(weight, gradient)

    t.later(out, backward)
    return out


def move(
    t: Tape, op: str, reads: Sequence[Tensor], count: int, *, format_name: str | None = None, kind: Kind = Kind.MEMORY, flops: int = 0,
    sizes: Sequence[int] | None = None, needs: bool = False,
) -> Tensor:  # fmt: skip
    """A row that writes `count` numbers, without a gradient of its own."""
    out = t.new(count, format_name=format_name, needs=needs and t.keep)
    t.row(kind, op, reads, (out,), (1, count, 0, 0), flops_vector=flops, sizes=sizes, format_name=reads[0].format if reads else format_name)
    return out


def cast(t: Tape, x: Tensor, format_name: str) -> Tensor:
    """`x` in another format; itself where it is in that one already."""
    if x.format == format_name:
        return x
    out = move(t, "aten._to_copy", (x,), x.count, format_name=format_name, needs=x.needs)
    t.later(out, lambda grad: t.give(x, cast(t, grad, x.format)))
    return out


def cross_entropy(t: Tape, logits: Tensor, rows: int, classes: int, *, shifted: bool = False) -> None:
    """The mean loss over `rows` predictions, and the start of the backward pass. `shifted`: in fp32, and next-token labels are made first."""
    wide = cast(t, logits, "fp32") if shifted else logits
    form = wide.format
    labels = t.input(rows, "int64", "labels")
    if shifted:
        padded = move(t, "aten.constant_pad_nd", (labels,), rows, format_name="int64")
        labels = move(t, "aten.clone", (padded,), rows, format_name="int64")
    chances = t.new(wide.count, format_name=form)
    t.row(Kind.SOFTMAX, "aten._log_softmax", (wide,), (chances,), (1, rows, classes, 0), flops_vector=softmax_flops(rows, classes), format_name=form)
    loss, total = t.new(1, format_name=form), t.new(1, format_name=form, needs=False)
    picked = rows * (chances.size // chances.count)
    t.row(
        Kind.ELEMENTWISE, "aten.nll_loss_forward", (chances, labels), (loss, total), (1, rows, 0, 0), flops_vector=2 * rows, sizes=(picked, labels.size),
        format_name=form,
    )  # fmt: skip
    t.touch(logits, wide)

    def through_softmax(grad: Tensor) -> None:
        part = t.new(wide.count, format_name=form, needs=False)
        t.row(
            Kind.SOFTMAX, "aten._log_softmax_backward_data", (grad, chances), (part,), (1, rows, classes, 0), flops_vector=4 * wide.count,
            format_name=form,
        )  # fmt: skip
        t.give(wide, part)

    def through_loss(grad: Tensor) -> None:
        part = t.new(wide.count, format_name=form, needs=False)
        t.row(Kind.ELEMENTWISE, "aten.nll_loss_backward", (grad, labels, total), (part,), (1, wide.count, 0, 0), flops_vector=rows, format_name=form)
        t.give(chances, part)

    t.later(chances, through_softmax)
    t.later(loss, through_loss)
    loss.grad = move(t, "aten.ones_like", (loss,), 1, format_name=form, sizes=(0,))


def select(t: Tape, x: Tensor, count: int) -> Tensor:
    """A part of `x` as a view; its gradient is written into zeros of the whole."""
    out = Tensor(x.storage, count, count * (x.size // x.count), x.format, x.needs)
    t.later(out, lambda grad: t.give(x, move(t, "aten.select_backward", (grad,), x.count, format_name=x.format)))
    return out


def pool_all(t: Tape, x: Tensor, results: int) -> Tensor:
    """The mean over all pixels of each of `results` images and channels."""
    out = t.new(results)
    t.row(Kind.ELEMENTWISE, "aten.mean", (x,), (out,), (1, results, 0, 0), flops_vector=x.count + results, views=1)

    def backward(grad: Tensor) -> None:
        t.give(x, move(t, "aten.div", (grad,), x.count, kind=Kind.ELEMENTWISE, flops=x.count))

    t.later(out, backward)
    return out

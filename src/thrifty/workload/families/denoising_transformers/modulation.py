"""What video transformers do between their products: the step as waves, factors that a step's embedding gives, parts of one tensor as views.

Order and traffic are those of torch's kernels under diffusers' layers, forward and backward, as in `ops`.
"""

from __future__ import annotations

from collections.abc import Callable

from thrifty.workload.counts import rms_norm_flops
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.table import Kind


def step_waves(t: Tape, root: str, steps: Tensor, channels: int) -> Tensor:
    """Cosines and sines of each step (an int64 number a sample) at `channels` / 2 frequencies, in fp32 and without a gradient."""
    half, batch = channels // 2, steps.count
    t.enter(root, calls=2)
    rates = ops.move(t, "aten.arange", (), half, format_name="fp32")
    for op in ("mul", "div", "exp"):
        rates = ops.move(t, f"aten.{op}", (rates,), half, format_name="fp32", kind=Kind.ELEMENTWISE, flops=half)
    t.views += 1
    wide = ops.cast(t, steps, "fp32")
    t.views += 1

    def angle(op: str, *reads: Tensor) -> Tensor:
        return ops.move(t, f"aten.{op}", reads, batch * half, format_name="fp32", kind=Kind.ELEMENTWISE, flops=batch * half)

    angles = angle("mul", angle("mul", wide, rates))
    waves = [angle("sin", angles), angle("cos", angles)]
    joined = ops.move(t, "aten.cat", waves, batch * channels, format_name="fp32")
    t.touch(angles, rates)
    t.views += 2
    return ops.move(t, "aten.cat", (joined,), batch * channels, format_name="fp32", sizes=(joined.size // 2,))


def part(x: Tensor, count: int) -> Tensor:
    """The first or another `count` numbers of `x`, as a view."""
    return Tensor(x.storage, count, count * (x.size // x.count), x.format, x.needs)


def chunk(t: Tape, x: Tensor, pieces: int) -> list[Tensor]:
    """Equal parts of `x` as views; their gradients are joined, zeros for what nobody used. The first part must be used."""
    parts = [part(x, x.count // pieces) for _ in range(pieces)]

    def backward(first: Tensor) -> None:
        grads = [first]
        for each in parts[1:]:
            grads.append(each.grad or ops.move(t, "aten.zeros", (), each.count, format_name=first.format))
            each.grad = None
        t.give(x, ops.move(t, "aten.cat", grads, x.count, format_name=first.format))

    t.later(parts[0], backward)
    return parts


def cut(t: Tape, x: Tensor, count: int) -> Tensor:
    """A slice of `x` as a view; its gradient is written into zeros of the whole."""
    out = part(x, count)
    t.later(out, lambda grad: t.give(x, ops.move(t, "aten.slice_backward", (grad,), x.count, format_name=x.format)))
    return out


def pieces_of(t: Tape, x: Tensor, counts: tuple[int, ...]) -> list[Tensor]:
    """Unequal parts of `x` as views; their gradients are joined. All must be used."""
    parts = [part(x, count) for count in counts]

    def backward(first: Tensor) -> None:
        grads = [first, *(each.grad for each in parts[1:] if each.grad is not None)]
        for each in parts[1:]:
            each.grad = None
        t.give(x, ops.move(t, "aten.cat", grads, x.count, format_name=first.format))

    t.later(parts[0], backward)
    return parts


def reordered(t: Tape, x: Tensor) -> Tensor:
    """The same numbers seen in another order, which costs nothing; the gradient has to be written in the old one."""
    out = part(x, x.count)
    t.later(out, lambda grad: t.give(x, ops.move(t, "aten.clone", (grad,), x.count, format_name=grad.format)))
    return out


def gather(t: Tape, x: Tensor, *, back: Callable[[Tensor], Tensor] | None = None) -> Tensor:
    """A copy of `x` in the order in which a view sees it; its gradient is a view, or what `back` makes of it."""
    out = ops.move(t, "aten.clone", (x,), x.count, format_name=x.format, needs=x.needs)
    t.later(out, lambda grad: t.give(x, grad if back is None else back(grad)))
    return out


def copied_back(t: Tape) -> Callable[[Tensor], Tensor]:
    """For `gather`: the gradient too has to be copied."""
    return lambda grad: ops.move(t, "aten.clone", (grad,), grad.count, format_name=grad.format)


def factor(t: Tape, a: Tensor, b: Tensor, *, format_name: str | None = None) -> Tensor:
    """a · b where one of them is smaller and is broadcast; the gradient of that one is summed."""
    count, chosen = max(a.count, b.count), format_name or a.format
    out = t.new(count, format_name=chosen, needs=t.keep and (a.needs or b.needs))
    t.row(Kind.ELEMENTWISE, "aten.mul", (a, b), (out,), (1, count, 0, 0), flops_vector=count, format_name=a.format)

    def backward(grad: Tensor) -> None:
        made = []
        for wanted, other in ((b, a), (a, b)):
            if wanted.needs:
                whole = ops.move(t, "aten.mul", (grad, other), count, format_name=grad.format, kind=Kind.ELEMENTWISE, flops=count)
                made.append((wanted, whole))
        for wanted, whole in reversed(made):
            if wanted.count < count:
                whole = ops.move(t, "aten.sum", (whole,), wanted.count, format_name=whole.format, kind=Kind.ELEMENTWISE, flops=count)
            t.give(wanted, ops.cast(t, whole, wanted.format))

    t.later(out, backward)
    return out


def shift(t: Tape, a: Tensor, b: Tensor, *, views: int = 0) -> Tensor:
    """a + b where b may be smaller, and is broadcast, or of a narrower format: its gradient is summed in a's format, then made narrow."""
    out = t.new(a.count, format_name=a.format)
    t.row(Kind.ELEMENTWISE, "aten.add", (a, b), (out,), (1, a.count, 0, 0), flops_vector=a.count, format_name=a.format, views=views)

    def backward(grad: Tensor) -> None:
        shared = a.needs and a.grad is None
        t.give(a, grad)
        total = grad
        if b.count < a.count:
            total = ops.move(t, "aten.sum", (grad,), b.count, format_name=grad.format, kind=Kind.ELEMENTWISE, flops=a.count)
        elif b.is_weight and b.format == grad.format and shared:  # a parameter takes a copy of a gradient that others read too
            t.module = ""
            total = ops.move(t, "aten.copy_", (grad,), b.count, format_name=grad.format)
        t.give(b, ops.cast(t, total, b.format))

    t.later(out, backward)
    return out


def modulate(t: Tape, normed: Tensor, by: Tensor, plus: Tensor, *, views: tuple[int, int] = (0, 0)) -> Tensor:
    """normed · (1 + by) + plus, both of one sample and broadcast over its tokens; `views`: taken before the product and before the sum."""
    one_more = ops.plain(t, "aten.add", by, 1)
    t.views += views[0]
    scaled = factor(t, normed, one_more)
    t.touch(one_more)
    return shift(t, scaled, plus, views=views[1])


def norm_in_fp32(t: Tape, root: str, x: Tensor, rows: int, size: int, *, affine: bool) -> Tensor:
    """torch.nn.LayerNorm over numbers in fp32; a narrower weight and bias are made wide first."""
    t.enter(root)
    own = [ops.cast(t, t.weight(f"{root}.{name}", size), "fp32") for name in ("weight", "bias")] if affine else [None, None]
    return ops.layer_norm(t, x, own[0], own[1], rows, size)


def norm_across_heads(t: Tape, root: str, x: Tensor, rows: int, size: int) -> Tensor:
    """torch.nn.RMSNorm with a weight, which torch spells out in fp32: one row for its six kernels, eight where x is narrower."""
    t.enter(root)
    weight = t.weight(f"{root}.weight", size)
    if t.width == 4:
        return ops.rms_norm(t, x, weight, rows, size)
    n, e = rows * size, t.width
    out = t.new(n)
    kept = [t.new(n, format_name="fp32", needs=False) for _ in range(2)] + [t.new(rows, format_name="fp32", needs=False)] if t.keep else []
    moved_out = out.size + sum(each.size for each in kept)
    t.scratch(4 * n if t.keep else 10 * n + 4 * rows)
    t.row(
        Kind.NORM, "norm", (x, weight), (out, *kept), (1, rows, size, 0), flops_vector=rms_norm_flops(rows, size), launches=8,
        staged=(36 + 2 * e) * n + 24 * rows + e * size - x.size - weight.size - moved_out,
    )  # fmt: skip

    def backward(grad: Tensor) -> None:
        dx, dw = t.new(n, needs=False), t.gradient_like(weight)
        own = [grad, *kept, weight]
        t.row(
            Kind.NORM, "norm_backward", own, (dx, dw), (1, rows, size, 0), flops_vector=11 * n + 4 * rows, launches=17,
            staged=(84 + 10 * e) * n + 40 * rows + 12 * size - sum(o.size for o in own) - dx.size - dw.size, views=6,
        )  # fmt: skip
        t.give(weight, dw)
        t.give(x, dx)

    t.later(out, backward)
    return out

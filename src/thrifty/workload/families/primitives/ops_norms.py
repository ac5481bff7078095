"""Norms: LayerNorm and GroupNorm as the one kernel that each is, RMSNorm as the one row that its spelled-out kernels make."""

from __future__ import annotations

from thrifty.workload.counts import layer_norm_flops
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.table import Kind


def layer_norm(t: Tape, x: Tensor, weight: Tensor | None, bias: Tensor | None, rows: int, size: int) -> Tensor:
    """(x − mean) / std · w + b, a row's mean and reciprocal deviation kept (in fp32, as a GPU's kernel does; a CPU's takes the narrow format)."""
    return _standardised(t, "layer_norm", x, weight, bias, rows, size, views=3)


def group_norm(t: Tape, x: Tensor, weight: Tensor | None, bias: Tensor | None, rows: int, size: int) -> Tensor:
    """The same over groups of an image's channels: rows = images × groups, size = channels of a group × pixels. Mean and deviation in x's format."""
    return _standardised(t, "group_norm", x, weight, bias, rows, size, stats_format=x.format, views=1)


def _standardised(
    t: Tape, name: str, x: Tensor, weight: Tensor | None, bias: Tensor | None, rows: int, size: int, *, stats_format: str = "fp32", views: int
) -> Tensor:  # fmt: skip
    out = t.new(rows * size, format_name=x.format)
    stats = [t.new(rows, format_name=stats_format, needs=False) for _ in range(2)]
    affine = [w for w in (weight, bias) if w is not None]
    flops = layer_norm_flops(rows, size, affine=weight is not None)
    t.row(Kind.NORM, f"aten.native_{name}", (x, *affine), (out, *stats), (1, rows, size, 0), flops_vector=flops, format_name=x.format)

    def backward(grad: Tensor) -> None:
        dx, parts = t.new(x.count, format_name=x.format, needs=False), [t.gradient_like(w) for w in affine]
        read = [grad, x, *stats, *(affine if name == "layer_norm" else affine[:1])]
        each = 9 + (weight is not None) + 2 * (weight is not None) + (bias is not None)
        t.row(
            Kind.NORM, f"aten.native_{name}_backward", read, (dx, *parts), (1, rows, size, 0), flops_vector=each * rows * size, views=views,
            format_name=x.format,
        )  # fmt: skip
        for parameter, part in zip(affine, parts, strict=True):
            t.give(parameter, part)
        t.give(x, dx)

    t.later(out, backward)
    return out


def rms_norm(t: Tape, x: Tensor, weight: Tensor, rows: int, size: int, *, offset: bool = False) -> Tensor:
    """x / rms(x) · w, one row though modules spell it out as six to ten kernels; `offset`: times 1 + w, as Gemma does, all in fp32.

    Staged traffic and scratch are those of the kernels: to fp32 (where x is narrower), square, mean, add, root, multiply, (back), multiply.
    """
    n, m, e = rows * size, rows, t.width
    narrow = e < 4
    saved = 4 * n if narrow else 0  # x in fp32, which the gradient needs, and again what the weight multiplies
    product = 4 * n if offset or not narrow else e * n
    extra = 4 * size if offset else 0
    if offset:
        traffic = (36 + 2 * e) * n + 24 * m + (16 + e) * size if narrow else 28 * n + 24 * m + 12 * size
        flops, launches = 4 * n + 4 * m + size, 10 if narrow else 7
    else:
        traffic = (28 + 4 * e) * n + 24 * m + e * size if narrow else 28 * n + 24 * m + 4 * size
        flops, launches = 4 * n + 4 * m, 8 if narrow else 6
    out = t.new(n)
    kept = []
    if t.keep:
        wanted = ((n, saved), (m, 4 * m), (n, product), (size, extra))
        kept = [t.new(count, format_name="fp32" if 4 * count == held else t.format, needs=False) for count, held in wanted if held]
        t.scratch((4 * n if narrow else 4 * m) + (4 * m if narrow else 0))
    elif narrow:
        t.scratch((8 - e) * n + 8 * m + extra)
    else:
        t.scratch(4 * n + 4 * m + extra)
    moved_out = out.size + sum(k.size for k in kept)
    t.row(
        Kind.NORM, "norm", (x, weight), (out, *kept), (1, rows, size, 0), flops_vector=flops, staged=traffic - x.size - weight.size - moved_out,
        launches=launches,
    )  # fmt: skip

    def backward(grad: Tensor) -> None:
        other = x.grad  # what a residual brought is added within the same run of kernels
        joined = other is not None
        dx, dw = t.new(n, needs=False), t.gradient_like(weight)
        own = [grad, *kept] if narrow else [grad, x, *kept]
        own += ([] if offset else [weight]) + ([other] if other is not None else [])
        if offset:
            moved = (96 + 4 * e) * n + 40 * m + (12 + e) * size if narrow else 92 * n + 40 * m + 8 * size
        else:
            moved = (72 + 10 * e) * n + 40 * m + 2 * e * size if narrow else 92 * n + 40 * m + 8 * size
        moved += 3 * e * n if joined else 0
        t.scratch((20 - 3 * e) * n if narrow else 8 * n)
        t.row(
            Kind.NORM, "norm_backward", own, (dx, dw), (1, rows, size, 0), flops_vector=(12 if joined else 11) * n + 4 * m,
            staged=moved - sum(o.size for o in own) - dx.size - dw.size, launches=(16 if narrow else 14) + (1 if offset and narrow else 0) + joined,
            views=6,
        )  # fmt: skip
        t.give(weight, dw)
        x.grad = None
        t.give(x, dx)

    t.later(out, backward)
    return out

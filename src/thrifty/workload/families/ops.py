"""Operators that every family is written in: each appends its forward row, and leaves on the tape what its backward appends.

Order and traffic are those of torch's own kernels, so that a captured twin has the same rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from thrifty.workload.counts import ACTIVATION_FLOPS, BACKWARD_ACTIVATION_FLOPS, attention_counts, layer_norm_flops, matmul_flops, softmax_flops
from thrifty.workload.families.tape import Tape, Tensor
from thrifty.workload.table import Kind

INDEX_BYTES = 8
"""Of a token, position or label (int64)."""


# -- matrix products ------------------------------------------------------------------------------------------------------------------


def linear(t: Tape, x: Tensor, weight: Tensor, m: int, n: int, k: int, bias: Tensor | None = None, *, stored_kn: bool = False, views: int = 2) -> Tensor:
    """y (m, n) = x (m, k) · Wᵀ + b. `stored_kn`: the weight lies as (k, n), as GPT-2's does. Of a larger x only the last m rows are read.

    Backward: dX and dW are one product each, db a sum; torch does dW first where there is no bias.
    """
    out = t.new(m * n, format_name=x.format)
    x_size = m * k * (x.size // x.count)
    operands, sizes = ((x, weight), (x_size, weight.size)) if bias is None else ((x, weight, bias), (x_size, weight.size, bias.size))
    t.row(
        Kind.LINEAR, "aten.mm" if bias is None else "aten.addmm", operands, (out,), (1, m, n, k), sizes=sizes, flops_matrix=matmul_flops(1, m, n, k),
        flops_vector=0 if bias is None else m * n, format_name=x.format, views=views,
    )  # fmt: skip

    def backward(grad: Tensor) -> None:
        def to_weight() -> None:
            gradient = t.gradient_like(weight, grad)
            shape = (1, k, n, m) if stored_kn else (1, n, k, m)
            t.row(
                Kind.LINEAR, "aten.mm", (grad, x), (gradient,), shape, sizes=(grad.size, x_size), flops_matrix=matmul_flops(1, m, n, k),
                format_name=x.format, views=2,
            )  # fmt: skip
            t.give(weight, gradient)

        def to_input() -> None:
            if not x.needs:
                return
            gradient = t.new(m * k, format_name=x.format, needs=False)
            t.row(Kind.LINEAR, "aten.mm", (grad, weight), (gradient,), (1, m, k, n), flops_matrix=matmul_flops(1, m, n, k), format_name=x.format, views=2)
            t.give(x, gradient)

        if bias is None:
            to_weight()
            to_input()
            return
        to_input()
        to_weight()
        total = t.gradient_like(bias)
        t.row(Kind.ELEMENTWISE, "aten.sum", (grad,), (total,), (1, n, 0, 0), flops_vector=m * n, views=1)
        t.give(bias, total)

    t.later(out, backward)
    return out


def attention(
    t: Tape, q: Tensor, k: Tensor, v: Tensor, *, batch: int, seq_q: int, seq_k: int, heads: int, kv_heads: int, head_dim: int, value_dim: int,
    causal: bool = False, mask: Tensor | None = None, joint: bool = False,
) -> Tensor:  # fmt: skip
    """Fused attention: one row forward, one backward. `joint`: q, k and v are parts of one storage, named once."""
    e = t.width
    q_size = batch * seq_q * heads * head_dim * e
    k_size, v_size = batch * seq_k * kv_heads * head_dim * e, batch * seq_k * kv_heads * value_dim * e
    operands: list[Tensor] = [q] if joint else [q, k, v]
    sizes = [q_size + k_size + v_size] if joint else [q_size, min(k_size, k.size), min(v_size, v.size)]  # heads that share a key read it once
    if mask is not None:
        operands.append(mask)
        sizes.append(mask.size)
    shape = (seq_q, seq_k, heads, kv_heads, head_dim, value_dim)
    out = t.new(batch * seq_q * heads * value_dim)
    written = [out]
    if t.keep:  # a fused kernel keeps one log-sum-exp a query and head for its backward
        written.append(t.new(batch * heads * seq_q, format_name="fp32", needs=False))
    counts = attention_counts(batch, seq_q, seq_k, heads, head_dim, value_dim, causal=causal, masked=mask is not None)
    t.row(
        Kind.ATTENTION, "attention", operands, written, (batch, 0, 0, 0), sizes=sizes, flops_matrix=counts.flops_matrix,
        flops_vector=counts.flops_vector, attention=shape, causal=causal, skipped=counts.flops_skipped,
    )  # fmt: skip

    def backward(grad: Tensor) -> None:
        back = attention_counts(batch, seq_q, seq_k, heads, head_dim, value_dim, causal=causal, masked=mask is not None, backward=True)
        parts = [t.new(size // e, needs=False) for size in (q_size, k_size, v_size)]
        read_sizes = [grad.size, *sizes[: 1 if joint else 3], *(w.size for w in written), *sizes[1 if joint else 3 :]]
        t.row(
            Kind.ATTENTION, "attention_backward", (grad, *operands[: 1 if joint else 3], *written, *operands[1 if joint else 3 :]), parts,
            (batch, 0, 0, 0), sizes=read_sizes, flops_matrix=back.flops_matrix, flops_vector=back.flops_vector, attention=shape, causal=causal,
            skipped=back.flops_skipped, recomputed=back.flops_recomputed, views=7,
        )  # fmt: skip
        if joint:
            whole = t.new(sum(part.count for part in parts), needs=False)
            t.row(Kind.MEMORY, "aten.cat", parts, (whole,), (1, whole.count, 0, 0), views=6)
            t.give(q, whole)
            return
        for target, part in zip((q, k, v), parts, strict=True):
            t.give(target, part)

    t.later(out, backward)
    return out


# -- norms ----------------------------------------------------------------------------------------------------------------------------


def layer_norm(t: Tape, x: Tensor, weight: Tensor, bias: Tensor, rows: int, size: int) -> Tensor:
    """(x − mean) / std · w + b, a row's mean and reciprocal deviation kept (in fp32, as a GPU's kernel does; a CPU's takes the narrow format)."""
    out = t.new(rows * size)
    stats = [t.new(rows, format_name="fp32", needs=False) for _ in range(2)]
    t.row(Kind.NORM, "aten.native_layer_norm", (x, weight, bias), (out, *stats), (1, rows, size, 0), flops_vector=layer_norm_flops(rows, size))

    def backward(grad: Tensor) -> None:
        dx, dw, db = t.new(x.count, needs=False), t.gradient_like(weight), t.gradient_like(bias)
        t.row(
            Kind.NORM, "aten.native_layer_norm_backward", (grad, x, *stats, weight, bias), (dx, dw, db), (1, rows, size, 0),
            flops_vector=13 * rows * size, views=3,
        )  # fmt: skip
        t.give(weight, dw)
        t.give(bias, db)
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


# -- elementwise ----------------------------------------------------------------------------------------------------------------------


def add(t: Tape, a: Tensor, b: Tensor, *, views: int = 0) -> Tensor:
    """a + b; a smaller b is broadcast, and its gradient summed."""
    out = t.new(a.count, format_name=a.format)
    t.row(Kind.ELEMENTWISE, "aten.add", (a, b), (out,), (1, a.count, 0, 0), flops_vector=a.count, format_name=a.format, views=views)

    def backward(grad: Tensor) -> None:
        t.give(a, grad)
        if not b.needs:
            return
        if b.count == grad.count:
            t.give(b, grad)
            return
        total = t.gradient_like(b)
        t.row(Kind.ELEMENTWISE, "aten.sum", (grad,), (total,), (1, b.count, 0, 0), flops_vector=grad.count, views=2)
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
    loss.grad = move(t, "aten.ones_like", (loss,), 1, format_name=form)


def select(t: Tape, x: Tensor, count: int) -> Tensor:
    """A part of `x` as a view; its gradient is written into zeros of the whole."""
    out = Tensor(x.storage, count, count * (x.size // x.count), x.format, x.needs)
    t.later(out, lambda grad: t.give(x, move(t, "aten.select_backward", (grad,), x.count, format_name=x.format)))
    return out


def convolution(
    t: Tape, x: Tensor, weight: Tensor, pixels: int, channels: int, inputs: int, taps: int, bias: Tensor | None = None
) -> Tensor:  # fmt: skip
    """A convolution as the product that it is: images × pixels out, channels out, channels in × taps. Backward: one row for dX, dW and db."""
    out = t.new(pixels * channels)
    shape = (1, pixels, channels, inputs * taps)
    flops = matmul_flops(*shape)
    operands = (x, weight) if bias is None else (x, weight, bias)
    extra = 0 if bias is None else out.count
    t.row(Kind.CONV, "aten.convolution", operands, (out,), shape, flops_matrix=flops, flops_vector=extra, taps=taps)

    def backward(grad: Tensor) -> None:
        gradients = ([t.new(x.count, needs=False)] if x.needs else []) + [t.gradient_like(weight)] + ([t.gradient_like(bias)] if bias is not None else [])
        read = (grad, x, weight) if x.needs else (grad, x)
        t.row(
            Kind.CONV, "aten.convolution_backward", read, gradients, shape, flops_matrix=flops * (1 + x.needs), flops_vector=extra, taps=taps,
            views=2,
        )  # fmt: skip
        if bias is not None:
            t.give(bias, gradients.pop())
        t.give(weight, gradients.pop())
        if gradients:
            t.give(x, gradients.pop())

    t.later(out, backward)
    return out


def pool_all(t: Tape, x: Tensor, results: int) -> Tensor:
    """The mean over all pixels of each of `results` images and channels."""
    out = t.new(results)
    t.row(Kind.ELEMENTWISE, "aten.mean", (x,), (out,), (1, results, 0, 0), flops_vector=x.count + results, views=1)

    def backward(grad: Tensor) -> None:
        t.give(x, move(t, "aten.div", (grad,), x.count, kind=Kind.ELEMENTWISE, flops=x.count))

    t.later(out, backward)
    return out

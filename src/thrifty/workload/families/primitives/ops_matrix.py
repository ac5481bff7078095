"""Matrix products, attention and convolution: forward rows, and what their gradients append."""

from __future__ import annotations

from thrifty.workload.counts import attention_counts, matmul_flops
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.table import Axes, Kind


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


def grouped_linear(t: Tape, x: Tensor, weight: Tensor, pairs: int, n: int, k: int, experts: int, offsets: Tensor) -> Tensor:
    """Each of `pairs` rows times the matrix of its expert: one row of the table; backward two."""
    out = t.new(pairs * n)
    hit = weight.size // experts * min(experts, pairs)
    flops = matmul_flops(1, pairs, n, k)
    t.row(Kind.LINEAR, "aten._grouped_mm", (x, weight, offsets), (out,), (1, pairs, n, k), sizes=(x.size, hit, offsets.size), flops_matrix=flops, views=1)

    def backward(grad: Tensor) -> None:
        gradient = t.gradient_like(weight)
        t.row(Kind.LINEAR, "aten._grouped_mm", (grad, x, offsets), (gradient,), (1, n, k, pairs), flops_matrix=flops, views=2)
        t.give(weight, gradient)
        part = t.new(pairs * k, needs=False)
        t.row(
            Kind.LINEAR, "aten._grouped_mm", (grad, weight, offsets), (part,), (1, pairs, k, n), sizes=(grad.size, hit, offsets.size), flops_matrix=flops,
            views=2,
        )  # fmt: skip
        t.give(x, part)

    t.later(out, backward)
    return out


def attention(
    t: Tape, q: Tensor, k: Tensor, v: Tensor, *, batch: int, seq_q: int, seq_k: int, heads: int, kv_heads: int, head_dim: int, value_dim: int,
    causal: bool = False, mask: Tensor | None = None, joint: bool = False, axes: Axes = Axes.NONE,
) -> Tensor:  # fmt: skip
    """Fused attention: one row forward, one backward. `joint`: q, k and v are parts of one storage, named once; `axes`: what its sequences are."""
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
        flops_vector=counts.flops_vector, attention=shape, causal=causal, axes=axes, skipped=counts.flops_skipped,
    )  # fmt: skip

    def backward(grad: Tensor) -> None:
        back = attention_counts(batch, seq_q, seq_k, heads, head_dim, value_dim, causal=causal, masked=mask is not None, backward=True)
        parts = [t.new(size // e, needs=False) for size in (q_size, k_size, v_size)]
        if mask is not None and mask.needs:  # a learned bias
            parts.append(t.new(mask.count, needs=False))
        read_sizes = [grad.size, *sizes[: 1 if joint else 3], *(w.size for w in written), *sizes[1 if joint else 3 :]]
        t.row(
            Kind.ATTENTION, "attention_backward", (grad, *operands[: 1 if joint else 3], *written, *operands[1 if joint else 3 :]), parts,
            (batch, 0, 0, 0), sizes=read_sizes, flops_matrix=back.flops_matrix, flops_vector=back.flops_vector, attention=shape, causal=causal,
            axes=axes, skipped=back.flops_skipped, recomputed=back.flops_recomputed, views=7,
        )  # fmt: skip
        if joint:
            whole = t.new(sum(part.count for part in parts), needs=False)
            t.row(Kind.MEMORY, "aten.cat", parts, (whole,), (1, whole.count, 0, 0), views=6)
            t.give(q, whole)
            return
        for target, part in zip((q, k, v), parts[:3], strict=True):
            t.give(target, part)
        if mask is not None and mask.needs:
            t.give(mask, parts[3])

    t.later(out, backward)
    return out


def convolution(
    t: Tape, x: Tensor, weight: Tensor, pixels: int, channels: int, inputs: int, taps: int, bias: Tensor | None = None, *, groups: int = 1
) -> Tensor:  # fmt: skip
    """A convolution as the product that it is: images × pixels out, channels out, channels in × taps. Backward: one row for dX, dW and db."""
    out = t.new(pixels * channels)
    shape = (groups, pixels, channels // groups, inputs // groups * taps)
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

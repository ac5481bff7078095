"""Rules of matrix products, convolutions and attention kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from thrifty.workload.counts import AttentionCounts, attention_counts, matmul_flops
from thrifty.workload.table import Kind
from thrifty.workload.tracing.rules import Cost, Rule, elements, rule


def _product(batch: int, m: int, n: int, k: int, extra: int = 0) -> Cost:
    return Cost(Kind.LINEAR, (batch, m, n, k), matmul_flops(batch, m, n, k), extra)


@rule("mm", "_scaled_mm", "_int_mm")
def _mm(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    (m, k), n = a[0].shape, a[1].shape[1]
    return _product(1, m, n, k)


@rule("addmm", "_addmm_activation")
def _addmm(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    (m, k), n = a[1].shape, a[2].shape[1]
    return _product(1, m, n, k, m * n)


@rule("bmm")
def _bmm(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    (b, m, k), n = a[0].shape, a[1].shape[2]
    return _product(b, m, n, k)


@rule("baddbmm")
def _baddbmm(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    (b, m, k), n = a[1].shape, a[2].shape[2]
    return _product(b, m, n, k, b * m * n)


@rule("mv")
def _mv(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    return _product(1, a[0].shape[0], 1, a[0].shape[1])


@rule("addmv")
def _addmv(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    return _product(1, a[1].shape[0], 1, a[1].shape[1], a[1].shape[0])


@rule("dot", "vdot")
def _dot(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    return _product(1, 1, 1, a[0].numel())


@rule("linear")
def _linear(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    n, k = a[1].shape if a[1].dim() == 2 else (1, a[1].shape[0])
    m = elements(a[0].shape[:-1])
    return _product(1, m, n, k, m * n if len(a) > 2 and a[2] is not None else 0)


@rule("_grouped_mm", "_scaled_grouped_mm")
def _grouped_mm(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """(T, k) × (E, k, n): each row meets one expert's matrix; (m, T) × (T, n): a weight gradient, groups along T; (E, m, k) × (E, k, n): a batch."""
    left, right = a[0].shape, a[1].shape
    if len(left) == 2 and len(right) == 3:
        cost = _product(1, left[0], right[2], left[1])
        # Experts that no token chose are not read; without the offsets' values, at most one expert a row is.
        per_expert = right[1] * right[2] * a[1].element_size()
        return cost._replace(reads={1: min(right[0], left[0]) * per_expert})
    if len(left) == 2:
        return _product(1, left[0], right[1], left[1])
    if len(right) == 2:
        return _product(1, left[1], right[1], left[2])
    return _product(left[0], left[1], right[2], left[2])


def _convolution_shape(x: Any, weight: Any, out_shape: Sequence[int], groups: int, transposed: bool) -> tuple[int, int, int, int, int]:
    """(groups, m, n, k, taps). Transposed, it multiplies at every input pixel: m = input pixels, n = channels out × taps, k = channels in."""
    taps = elements(weight.shape[2:])
    if transposed:
        return groups, x.shape[0] * elements(x.shape[2:]), weight.shape[1] * taps, weight.shape[0] // groups, taps
    return groups, out_shape[0] * elements(out_shape[2:]), weight.shape[0] // groups, weight.shape[1] * taps, taps


@rule("convolution", "convolution_overrideable")
def _convolution(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    # (input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)
    b, m, n, k, taps = _convolution_shape(a[0], a[1], out.shape, a[8], bool(a[6]))
    return Cost(Kind.CONV, (b, m, n, k), matmul_flops(b, m, n, k), out.numel() if a[2] is not None else 0, taps)


@rule("convolution_backward")
def _convolution_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    # (grad, input, weight, bias_sizes, stride, padding, dilation, transposed, output_padding, groups, output_mask)
    b, m, n, k, taps = _convolution_shape(a[1], a[2], a[0].shape, a[9], bool(a[7]))
    to_input, to_weight, to_bias = (bool(wanted) for wanted in a[10])
    unread = {position: 0 for position, wanted in ((1, to_weight), (2, to_input)) if not wanted}  # dX = g ∗ W, dW = g ∗ X
    return Cost(Kind.CONV, (b, m, n, k), matmul_flops(b, m, n, k) * (to_input + to_weight), a[0].numel() if to_bias else 0, taps, reads=unread)


def attention_cost(q: Sequence[int], k: Sequence[int], v: Sequence[int], *, causal: bool, masked: bool, backward: bool) -> Cost:
    """One attention call over tensors shaped (…, heads, tokens, width); leading axes are folded into the batch."""
    heads, kv_heads = (max(q[-3], k[-3]), k[-3]) if len(q) > 3 else (1, 1)
    fold = -3 if len(q) > 3 else -2
    batch = elements(q[:fold]) if q[:fold] == k[:fold] == v[:fold] else elements(torch.broadcast_shapes(q[:fold], k[:fold], v[:fold]))
    counts: AttentionCounts = attention_counts(batch, q[-2], k[-2], heads, q[-1], v[-1], causal=causal, masked=masked, backward=backward)
    return Cost(
        Kind.ATTENTION, (batch, 0, 0, 0), counts.flops_matrix, counts.flops_vector, attention=(q[-2], k[-2], heads, kv_heads, q[-1], v[-1]),
        causal=causal, flops_skipped=counts.flops_skipped, flops_recomputed=counts.flops_recomputed,
    )  # fmt: skip


def _place(args: Sequence[Any], position: int | None) -> Any:
    """The argument there; None where it was left at its default."""
    return args[position] if position is not None and position < len(args) else None


def _fused_attention(mask_at: int | None, causal_at: int) -> Rule:
    """A kernel called by its own name (not through scaled_dot_product_attention): (q, k, v, …)."""

    def cost(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
        masked = kw.get("attn_mask") is not None or _place(a, mask_at) is not None
        return attention_cost(a[0].shape, a[1].shape, a[2].shape, causal=bool(_place(a, causal_at)), masked=masked, backward=False)

    return cost


def _fused_attention_backward(mask_at: int | None, causal_at: int) -> Rule:
    """(grad, q, k, v, …)."""

    def cost(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
        masked = kw.get("attn_mask") is not None or _place(a, mask_at) is not None
        return attention_cost(a[1].shape, a[2].shape, a[3].shape, causal=bool(_place(a, causal_at)), masked=masked, backward=True)

    return cost


rule("_scaled_dot_product_flash_attention", "_scaled_dot_product_flash_attention_for_cpu")(_fused_attention(None, 4))
rule("_scaled_dot_product_efficient_attention", "_scaled_dot_product_cudnn_attention")(_fused_attention(3, 6))
rule("_scaled_dot_product_fused_attention_overrideable", "_scaled_dot_product_attention_math_for_mps")(_fused_attention(3, 5))
rule("_scaled_dot_product_flash_attention_backward")(_fused_attention_backward(None, 11))
rule("_scaled_dot_product_flash_attention_for_cpu_backward")(_fused_attention_backward(None, 7))
rule("_scaled_dot_product_efficient_attention_backward")(_fused_attention_backward(4, 11))
rule("_scaled_dot_product_cudnn_attention_backward")(_fused_attention_backward(8, 14))
rule("_scaled_dot_product_fused_attention_overrideable_backward")(_fused_attention_backward(4, 14))


@rule("mkldnn_rnn_layer")
def _vendor_lstm(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """(input, input weight, recurrent weight, biases, …): an LSTM layer in one direction over a whole sequence, as one kernel.

    Vector, a hidden unit and step: sums of the two products 4 and the biases 8, three sigmoids 12, two tanh 2, four products and sums of cells 4.
    """
    m, n, k, hidden = _lstm_shape(a)
    return Cost(Kind.LINEAR, (1, m, n, k), matmul_flops(1, m, n, k), m * hidden * (22 + 8 * bool(a[12])))


@rule("mkldnn_rnn_layer_backward")
def _vendor_lstm_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """Both gradients of each product. Vector: three sigmoids' derivatives 9, two of tanh 6, products and sums of cells 7, sums of biases 4."""
    m, n, k, hidden = _lstm_shape(a)
    return Cost(Kind.LINEAR, (1, m, n, k), 2 * matmul_flops(1, m, n, k), m * hidden * (22 + 4 * bool(a[17])))


def _lstm_shape(a: Sequence[Any]) -> tuple[int, int, int, int]:
    """(steps × batch, gates × hidden, width in + hidden, hidden)."""
    return int(a[0].shape[0] * a[0].shape[1]), int(a[1].shape[0]), int(a[1].shape[1] + a[2].shape[1]), int(a[2].shape[1])

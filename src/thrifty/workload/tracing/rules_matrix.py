"""Rules of matrix products, convolutions and attention kernels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from thrifty.workload.counts import AttentionCounts, attention_counts, matmul_flops
from thrifty.workload.table import Kind
from thrifty.workload.tracing.rules import Cost, elements, rule


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


@rule("convolution", "_convolution", "convolution_overrideable", "mkldnn_convolution", "cudnn_convolution", "miopen_convolution")
def _convolution(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    # convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups); the vendor kernels are never transposed
    generic = len(a) >= 9
    b, m, n, k, taps = _convolution_shape(a[0], a[1], out.shape, a[8] if generic else a[-1], bool(a[6]) if generic else False)
    return Cost(Kind.CONV, (b, m, n, k), matmul_flops(b, m, n, k), out.numel() if a[2] is not None else 0, taps)


@rule("convolution_backward")
def _convolution_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    # (grad, input, weight, bias_sizes, stride, padding, dilation, transposed, output_padding, groups, output_mask)
    b, m, n, k, taps = _convolution_shape(a[1], a[2], a[0].shape, a[9], bool(a[7]))
    mask = a[10]
    return Cost(Kind.CONV, (b, m, n, k), matmul_flops(b, m, n, k) * (bool(mask[0]) + bool(mask[1])), a[0].numel() if mask[2] else 0, taps)


def attention_cost(q: Sequence[int], k: Sequence[int], v: Sequence[int], *, causal: bool, masked: bool, backward: bool) -> Cost:
    """One attention call over tensors shaped (…, heads, tokens, width); leading axes are folded into the batch."""
    heads, kv_heads = (q[-3], k[-3]) if len(q) > 3 else (1, 1)
    batch = elements(q[:-3]) if len(q) > 3 else elements(q[:-2])
    counts: AttentionCounts = attention_counts(batch, q[-2], k[-2], heads, q[-1], v[-1], causal=causal, masked=masked, backward=backward)
    return Cost(
        Kind.ATTENTION, (batch, 0, 0, 0), counts.flops_matrix, counts.flops_vector, attention=(q[-2], k[-2], heads, kv_heads, q[-1], v[-1]),
        causal=causal, flops_skipped=counts.flops_skipped, flops_recomputed=counts.flops_recomputed,
    )  # fmt: skip


@rule(
    "_scaled_dot_product_flash_attention", "_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_efficient_attention",
    "_scaled_dot_product_cudnn_attention", "_scaled_dot_product_fused_attention_overrideable", "_scaled_dot_product_attention_math_for_mps",
)  # fmt: skip
def _fused_attention(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    causal = bool(kw.get("is_causal", next((x for x in a[3:] if isinstance(x, bool)), False)))
    masked = kw.get("attn_mask") is not None
    return attention_cost(a[0].shape, a[1].shape, a[2].shape, causal=causal, masked=masked, backward=False)


@rule(
    "_scaled_dot_product_flash_attention_backward", "_scaled_dot_product_flash_attention_for_cpu_backward",
    "_scaled_dot_product_efficient_attention_backward", "_scaled_dot_product_cudnn_attention_backward",
)  # fmt: skip
def _fused_attention_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    causal = any(x is True for x in a[4:])
    return attention_cost(a[1].shape, a[2].shape, a[3].shape, causal=causal, masked=kw.get("attn_mask") is not None, backward=True)

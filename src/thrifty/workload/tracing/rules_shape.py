"""Rules of norms, softmax, embeddings, reductions and movement of data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from thrifty.workload.counts import batch_norm_inference_flops, layer_norm_flops, rms_norm_flops, softmax_flops
from thrifty.workload.table import Kind
from thrifty.workload.tracing.rules import RULES, Cost, Rule, elements, rule


def _first(out: Any) -> Any:
    return out[0] if isinstance(out, (tuple, list)) else out


def _numel(out: Any) -> int:
    first = _first(out)
    return int(first.numel()) if isinstance(first, torch.Tensor) else 0


@rule("native_layer_norm")
def _layer_norm(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    size = elements(a[1])
    rows = a[0].numel() // max(size, 1)
    return Cost(Kind.NORM, (1, rows, size, 0), 0, layer_norm_flops(rows, size, affine=a[2] is not None))


@rule("native_layer_norm_backward")
def _layer_norm_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """x̂ 2, g·w 1, its sum and its product with x̂ summed 3, dx 4; dw 2 and db 1."""
    size = elements(a[2])
    rows = a[0].numel() // max(size, 1)
    return Cost(Kind.NORM, (1, rows, size, 0), 0, (13 if len(a) > 5 and a[5] is not None else 9) * rows * size)


@rule("rms_norm", "_fused_rms_norm")
def _rms_norm(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    size = elements(a[1])
    rows = a[0].numel() // max(size, 1)
    return Cost(Kind.NORM, (1, rows, size, 0), 0, rms_norm_flops(rows, size, affine=len(a) > 2 and a[2] is not None))


@rule("_fused_rms_norm_backward")
def _rms_norm_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """x̂ 1, g·w 1, product with x̂ summed 2, dx 3; dw 2."""
    size = elements(a[2])
    rows = a[0].numel() // max(size, 1)
    return Cost(Kind.NORM, (1, rows, size, 0), 0, 9 * rows * size)


@rule("native_group_norm")
def _group_norm(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    rows = a[3] * a[6] if len(a) > 6 else a[0].shape[0]
    size = a[0].numel() // max(rows, 1)
    return Cost(Kind.NORM, (1, rows, size, 0), 0, layer_norm_flops(rows, size, affine=a[1] is not None))


@rule("native_group_norm_backward")
def _group_norm_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    rows = a[5] * a[8] if len(a) > 8 else a[0].shape[0]
    size = a[0].numel() // max(rows, 1)
    return Cost(Kind.NORM, (1, rows, size, 0), 0, 13 * rows * size)


def _batch_norm_cost(x: Any, training: bool) -> Cost:
    channels = x.shape[1] if x.dim() > 1 else 1
    size = x.numel() // max(channels, 1)
    flops = layer_norm_flops(channels, size) if training else batch_norm_inference_flops(x.numel(), channels)
    return Cost(Kind.NORM, (1, channels, size, 0), 0, flops)


@rule("native_batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit", "_batch_norm_with_update")
def _batch_norm(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    return _batch_norm_cost(a[0], bool(a[5]) if len(a) > 5 else True)


@rule("_native_batch_norm_legit_no_training", "_batch_norm_no_update")
def _batch_norm_eval(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    return _batch_norm_cost(a[0], False)


@rule("native_batch_norm_backward", "cudnn_batch_norm_backward", "batch_norm_backward")
def _batch_norm_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    channels = a[1].shape[1]
    size = a[1].numel() // max(channels, 1)
    return Cost(Kind.NORM, (1, channels, size, 0), 0, 13 * channels * size)


@rule("_softmax", "_log_softmax", "_safe_softmax", "softmax", "log_softmax")
def _softmax(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    size = a[0].shape[a[1]] if a[0].dim() else 1
    rows = a[0].numel() // max(size, 1)
    return Cost(Kind.SOFTMAX, (1, rows, size, 0), 0, softmax_flops(rows, size))


@rule("_softmax_backward_data", "_log_softmax_backward_data")
def _softmax_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    size = a[0].shape[a[2]] if a[0].dim() else 1
    return Cost(Kind.SOFTMAX, (1, a[0].numel() // max(size, 1), size, 0), 0, 4 * a[0].numel())


def _rows_read(table: Any, lookups: int) -> int:
    return min(lookups, int(table.shape[0])) * elements(table.shape[1:]) * int(table.element_size())


@rule("embedding")
def _embedding(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    lookups = a[1].numel()
    return Cost(Kind.EMBEDDING, (1, lookups, elements(a[0].shape[1:]), a[0].shape[0]), reads={0: _rows_read(a[0], lookups)})


@rule("embedding_dense_backward")
def _embedding_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    return Cost(Kind.EMBEDDING, (1, a[1].numel(), a[0].shape[-1], out.shape[0]), 0, a[0].numel())


@rule("_embedding_bag", "_embedding_bag_forward_only")
def _embedding_bag(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    lookups, width = a[1].numel(), a[0].shape[1]
    return Cost(Kind.EMBEDDING, (1, lookups, width, a[0].shape[0]), 0, lookups * width, reads={0: _rows_read(a[0], lookups)})


@rule("_embedding_bag_dense_backward", "_embedding_bag_per_sample_weights_backward")
def _embedding_bag_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    return Cost(Kind.EMBEDDING, (1, a[1].numel(), a[0].shape[-1], _first(out).shape[0]), 0, a[1].numel() * a[0].shape[-1])


def _move(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """Data is written as it is read."""
    return Cost(Kind.MEMORY, (1, _numel(out), 0, 0))


def _gather(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """Of the source, only what is fetched is read."""
    first = _first(out)
    return Cost(Kind.MEMORY, (1, _numel(out), 0, 0), reads={0: min(first.numel(), a[0].numel()) * a[0].element_size()})


def _scatter(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """In place, only what is hit is written (and for a sum, read); out of place, the whole is copied too, which the schema's reads and writes say."""
    values = next((x for x in reversed(a) if isinstance(x, torch.Tensor) and x.is_floating_point() == a[0].is_floating_point()), a[0])
    hit = min(values.numel() if values.dim() else a[0].numel(), a[0].numel()) * a[0].element_size()
    inplace = _first(out) is a[0]
    return Cost(Kind.MEMORY, (1, _numel(out), 0, 0), 0, values.numel(), reads={0: hit} if inplace else None, writes={0: hit} if inplace else None)


def _sort(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """A comparison an element and level; topk: one pass."""
    return Cost(Kind.SAMPLING, (1, _numel(out), 0, 0), 0, a[0].numel() * max(1, math.ceil(math.log2(max(2, a[0].shape[-1] if a[0].dim() else 2)))))


def _pass(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    return Cost(Kind.SAMPLING, (1, _numel(out), 0, 0), 0, a[0].numel())


def _register(function: Rule, names: str) -> None:
    for name in names.split():
        RULES[f"aten.{name}"] = function


_register(
    _move,
    "clone copy _to_copy cat stack zeros ones full zeros_like ones_like full_like new_zeros new_ones new_full arange linspace scalar_tensor "
    "eye rand randn randint rand_like "
    "randn_like randint_like randperm fill zero copy_ repeat repeat_interleave constant_pad_nd reflection_pad2d reflection_pad1d "
    "replication_pad2d replication_pad3d roll flip tril triu "
    "tril_indices triu_indices select_backward slice_backward select_scatter slice_scatter as_strided_scatter diagonal_scatter pixel_shuffle "
    "pixel_unshuffle channel_shuffle im2col "
    "col2im unfold_backward normal uniform random one_hot _foreach_zero _foreach_copy upsample_nearest1d upsample_nearest2d "
    "upsample_nearest3d _upsample_nearest_exact2d "
    "upsample_nearest2d_backward upsample_nearest1d_backward nonzero masked_select _pin_memory _efficientzerotensor _resize_output "
    "split_with_sizes_copy view_copy "
    "permute_copy expand_copy unbind_copy diag_embed lift_fresh_copy _conj_physical resolve_conj diagonal_copy block_diag",
)  # fmt: skip
_register(_gather, "gather index index_select take")
_register(_scatter, "scatter scatter_add scatter_reduce index_put index_add index_copy index_fill masked_scatter _index_put_impl put")
_register(_sort, "sort argsort")
_register(_pass, "topk kthvalue multinomial argmax argmin bincount histc searchsorted bucketize unique_dim _unique2 exponential")

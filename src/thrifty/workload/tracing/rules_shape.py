"""Rules of norms, softmax, embeddings, reductions and movement of data."""

from __future__ import annotations

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


def _norm_backward_flops(weight: Any, wanted: Sequence[bool]) -> int:
    """An element: x̂ 2; for dx: g·w 1 where there is a weight, its sum and its product with x̂ summed 3, dx 4; dw 2; db 1."""
    return 2 + (7 + (weight is not None)) * bool(wanted[0]) + 2 * bool(wanted[1]) + bool(wanted[2])


@rule("native_layer_norm")
def _layer_norm(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    size = elements(a[1])
    rows = a[0].numel() // max(size, 1)
    return Cost(Kind.NORM, (1, rows, size, 0), 0, layer_norm_flops(rows, size, affine=a[2] is not None))


@rule("native_layer_norm_backward")
def _layer_norm_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    size = elements(a[2])
    rows = a[0].numel() // max(size, 1)
    return Cost(Kind.NORM, (1, rows, size, 0), 0, _norm_backward_flops(a[5], a[7]) * rows * size)


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
    rows = a[3] * a[6]
    size = a[0].numel() // max(rows, 1)
    return Cost(Kind.NORM, (1, rows, size, 0), 0, layer_norm_flops(rows, size, affine=a[1] is not None))


@rule("native_group_norm_backward")
def _group_norm_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    rows = a[5] * a[8]
    size = a[0].numel() // max(rows, 1)
    return Cost(Kind.NORM, (1, rows, size, 0), 0, _norm_backward_flops(a[4], a[9]) * rows * size)


def _batch_norm_cost(x: Any, training: bool) -> Cost:
    channels = x.shape[1] if x.dim() > 1 else 1
    size = x.numel() // max(channels, 1)
    flops = layer_norm_flops(channels, size) if training else batch_norm_inference_flops(x.numel(), channels)
    return Cost(Kind.NORM, (1, channels, size, 0), 0, flops)


@rule("native_batch_norm")
def _batch_norm(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """In training it also updates the running statistics, which its schema does not say: a lerp of each, 3 a channel and statistic."""
    cost = _batch_norm_cost(a[0], bool(a[5]))
    if not a[5]:
        return cost._replace(results=1)
    if a[3] is None:
        return cost
    return cost._replace(flops_vector=cost.flops_vector + 6 * a[3].numel(), writes={3: a[3].nbytes, 4: a[4].nbytes})


@rule("_native_batch_norm_legit", "_batch_norm_with_update")
def _batch_norm_with_update(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """The same with a schema that says so (without stored statistics: nothing is updated)."""
    cost = _batch_norm_cost(a[0], True)
    return cost._replace(flops_vector=cost.flops_vector + 6 * a[3].numel()) if isinstance(a[3], torch.Tensor) else cost


@rule("_native_batch_norm_legit_no_training", "_batch_norm_no_update")
def _batch_norm_eval(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    return _batch_norm_cost(a[0], False)._replace(results=1)


@rule("native_batch_norm_backward", "batch_norm_backward")
def _batch_norm_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """With the batch's own statistics the running ones are not read; with stored ones dx is g·w times the deviation alone."""
    channels = a[1].shape[1]
    size = a[1].numel() // max(channels, 1)
    if a[7]:
        return Cost(Kind.NORM, (1, channels, size, 0), 0, _norm_backward_flops(a[2], a[9]) * channels * size, reads={3: 0, 4: 0})
    per_element = (1 + (a[2] is not None)) * bool(a[9][0]) + 4 * bool(a[9][1]) + bool(a[9][2])
    return Cost(Kind.NORM, (1, channels, size, 0), 0, per_element * channels * size)


@rule("_softmax", "_log_softmax", "_safe_softmax", "softmax", "log_softmax")
def _softmax(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    size = a[0].shape[a[1]] if a[0].dim() else 1
    rows = a[0].numel() // max(size, 1)
    heads = a[0].shape[1] if a[0].dim() == 4 else 0  # (batch, heads, queries, keys), if it is attention's; see `eager_attention`
    return Cost(Kind.SOFTMAX, (1, rows, size, 0), 0, softmax_flops(rows, size), attention=(0, 0, heads, 0, 0, 0))


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
    """Adds up (or takes the maximum of) the rows of each bag; a weight of each look-up multiplies once more, a mean divides once a result."""
    lookups, width = a[1].numel(), a[0].shape[1]
    weighted = len(a) > 6 and a[6] is not None
    mean = len(a) > 4 and a[4] == 1
    flops = lookups * width * (1 + weighted) + (_numel(out) if mean else 0)
    return Cost(Kind.EMBEDDING, (1, lookups, width, a[0].shape[0]), 0, flops, reads={0: _rows_read(a[0], lookups)})


@rule("_embedding_bag_backward", "_embedding_bag_dense_backward")
def _embedding_bag_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    return Cost(Kind.EMBEDDING, (1, a[1].numel(), a[0].shape[-1], out.shape[0]), 0, a[1].numel() * a[0].shape[-1])


@rule("_embedding_bag_per_sample_weights_backward")
def _embedding_bag_weights_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """(grad, weight, indices, …): the product of each fetched row with its bag's gradient, summed."""
    lookups, width = a[2].numel(), a[1].shape[1]
    return Cost(Kind.EMBEDDING, (1, lookups, width, a[1].shape[0]), 0, 2 * lookups * width, reads={1: _rows_read(a[1], lookups)})


def _move(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """Data is written as it is read."""
    return Cost(Kind.MEMORY, (1, _numel(out), 0, 0))


def _gather(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """Of the source, only what is fetched is read."""
    first = _first(out)
    return Cost(Kind.MEMORY, (1, _numel(out), 0, 0), reads={0: min(first.numel(), a[0].numel()) * a[0].element_size()})


def _fill_like(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """Of the tensor that it is like, only the shape is used."""
    return Cost(Kind.MEMORY, (1, _numel(out), 0, 0), reads={0: 0})


def _hits(target: Any, count: int, out: Any, *, sums: int = 0) -> Cost:
    """`count` numbers go into `target`, in place or into a copy of all of it; `sums`: FLOPs of each, where what was there is read too."""
    hit = min(count, target.numel()) * target.element_size()
    if _first(out) is not target:
        return Cost(Kind.MEMORY, (1, _numel(out), 0, 0), 0, sums * count)
    return Cost(Kind.MEMORY, (1, count, 0, 0), 0, sums * count, reads={0: hit if sums else 0}, writes={0: hit})


def _scatter(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """(target, axis, index, source or value): one number for each index; `reduce` (a keyword, or given last to scatter_reduce) sums."""
    return _hits(a[0], a[2].numel(), out, sums=int("reduce" in kw or len(a) > 4))


def _scatter_add(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    return _hits(a[0], a[2].numel(), out, sums=1)


def _index_put(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """(target, indices, values, accumulate): the indices, broadcast against each other, span the hit part; the axes they skip are whole."""
    chosen = [i for i in a[1] if i is not None]
    skipped = [size for axis, size in enumerate(a[0].shape) if axis >= len(a[1]) or a[1][axis] is None]
    if any(i.dtype in (torch.bool, torch.uint8) for i in chosen):  # a mask: how many it hits is not known without its values
        return _hits(a[0], a[0].numel(), out, sums=int(len(a) > 3 and bool(a[3])))
    hit = elements(torch.broadcast_shapes(*(i.shape for i in chosen))) * elements(skipped)
    return _hits(a[0], hit, out, sums=int(len(a) > 3 and bool(a[3])))


def _index_rows(sums: int) -> Rule:
    """(target, axis, index, source or value): whole slices along one axis."""

    def cost(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
        width = a[0].numel() // max(a[0].shape[a[1]], 1) if a[0].dim() else 1
        return _hits(a[0], a[2].numel() * width, out, sums=sums)

    return cost


def _masked_scatter(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    return _hits(a[0], a[0].numel(), out)


def _sort(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """A comparison an element: how many passes it takes is the kernel's choice."""
    return Cost(Kind.SAMPLING, (1, _numel(out), 0, 0), 0, a[0].numel())


def _pass(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """One comparison an element."""
    return Cost(Kind.SAMPLING, (1, _numel(out), 0, 0), 0, a[0].numel())


def _register(function: Rule, names: str) -> None:
    for name in names.split():
        RULES[f"aten.{name}"] = function


_register(
    _move,
    "clone copy _to_copy cat stack zeros ones full arange linspace logspace scalar_tensor eye rand randn randint randperm zero copy_ repeat "
    "repeat_interleave constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d "
    "roll flip tril triu tril_indices triu_indices select_backward slice_backward select_scatter slice_scatter as_strided_scatter "
    "diagonal_scatter diagonal_backward pixel_shuffle pixel_unshuffle channel_shuffle im2col unfold_backward normal uniform random log_normal "
    "geometric cauchy one_hot _foreach_zero _foreach_copy upsample_nearest1d upsample_nearest2d upsample_nearest3d _upsample_nearest_exact1d "
    "_upsample_nearest_exact2d _upsample_nearest_exact3d nonzero masked_select _pin_memory _efficientzerotensor _resize_output "
    "split_with_sizes_copy split_copy view_copy permute_copy expand_copy unbind_copy diag_embed lift_fresh_copy _conj_physical resolve_conj "
    "diagonal_copy block_diag constant_pad_nd_backward",
)  # fmt: skip
_register(
    _fill_like,
    "fill zeros_like ones_like full_like new_zeros new_ones new_full rand_like randn_like randint_like",
)
_register(_gather, "gather index _unsafe_index index_select take")
_register(_scatter, "scatter scatter_reduce")
_register(_scatter_add, "scatter_add")
_register(_index_put, "index_put _index_put_impl _unsafe_index_put")
_register(_index_rows(0), "index_copy index_fill")
_register(_index_rows(1), "index_add index_reduce")
_register(_masked_scatter, "masked_scatter")
_register(_sort, "sort argsort")
_register(_pass, "topk kthvalue mode multinomial argmax argmin bincount histc searchsorted bucketize unique_dim _unique2 exponential")

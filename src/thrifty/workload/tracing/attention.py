"""Fused attention as one record forward and one backward, whichever kernel or decomposition a backend runs.

A function mode sees `scaled_dot_product_attention` before torch picks a kernel. On real tensors the true kernel runs with recording muted; on
meta and fake tensors nothing runs and the result is allocated in the layout that fused kernels give it (that of the queries).
Backward is an autograd function of ours, so its row appears when and where autograd reaches it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FunctionType
from typing import TYPE_CHECKING, Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode

from thrifty.errors import CaptureError
from thrifty.workload.table import Axes, Role
from thrifty.workload.tracing.provenance import attention_axes, axes_of, name_as
from thrifty.workload.tracing.rules import format_of, touched
from thrifty.workload.tracing.rules_matrix import attention_cost

if TYPE_CHECKING:
    from thrifty.workload.tracing.recorder import Recorder

_SDPA = torch.nn.functional.scaled_dot_product_attention
_MULTI_HEAD: Any = torch.nn.functional.multi_head_attention_forward


def _is_real(tensor: torch.Tensor) -> bool:
    return tensor.device.type != "meta" and not isinstance(tensor, FakeTensor)


def _like_fused(q: torch.Tensor, width: int) -> torch.Tensor:
    """An unset (…, heads, tokens, width) whose axes lie in the order in which those of `q` do, as fused kernels give it."""
    if q.dim() < 4:
        return q.new_empty((*q.shape[:-1], width))
    if width == q.shape[-1]:
        return torch.empty_like(q)
    order = sorted(range(q.dim() - 1), key=lambda axis: q.stride(axis), reverse=True)
    laid_out = q.new_empty([q.shape[axis] for axis in order] + [width])
    return laid_out.permute(*(order.index(axis) for axis in range(q.dim() - 1)), q.dim() - 1)


def _shape_like_q(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """`q`, broadcast (as a view) over the leading axes that only k or v have."""
    fold = -3 if q.dim() > 3 else -2
    if q.dim() == k.dim() == v.dim() and q.shape[:fold] == k.shape[:fold] == v.shape[:fold]:
        return q
    lead = torch.broadcast_shapes(q.shape[:fold], k.shape[:fold], v.shape[:fold])
    return q.expand(*lead, *q.shape[fold:])


def _in_fused_layout(out: torch.Tensor, q: torch.Tensor, width: int) -> torch.Tensor:
    """`out`, copied where a backend laid it out otherwise, so that what follows does not depend on the backend."""
    wanted = _like_fused(q, width)
    if out.dim() < 4 or wanted.dim() != out.dim() or wanted.stride() == out.stride():
        return out
    return wanted.to(out.dtype).copy_(out)


class _Attention(torch.autograd.Function):  # type: ignore[misc]
    """softmax(Q Kᵀ · scale + mask) V, its two records written where autograd runs it."""

    @staticmethod
    def forward(
        ctx: Any, recorder: Recorder, keywords: dict[str, Any], q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None
    ) -> Any:  # fmt: skip
        ctx.recorder, ctx.keywords, ctx.axes = recorder, keywords, attention_axes(q, k) if recorder.following else Axes.NONE
        recorder.note_node()
        operands = [q, k, v] + ([mask] if mask is not None else [])
        with recorder.silence():
            shape_of = _shape_like_q(q, k, v)
            if _is_real(q):
                with torch._C._DisableTorchDispatch(), torch.enable_grad():
                    start = recorder.tick()
                    inner = [t.detach().requires_grad_(t.is_floating_point()) for t in operands]
                    ctx.inner_out = _SDPA(inner[0], inner[1], inner[2], inner[3] if mask is not None else None, **keywords)
                    mark = recorder.tock(start)
                ctx.inner = inner
                out = _in_fused_layout(ctx.inner_out.detach(), shape_of, v.shape[-1])
            else:
                mark = 0.0
                out = _like_fused(shape_of, v.shape[-1])
            # What a fused kernel keeps for its backward: the output and one log-sum-exp a query and head.
            log_sum_exp = q.new_empty(shape_of.shape[:-1], dtype=torch.float32)
        record_forward(recorder, keywords, q, k, v, mask, out, log_sum_exp, mark)
        ctx.save_for_backward(q, k, v, out, log_sum_exp, *operands[3:])
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        if torch.is_grad_enabled():
            raise CaptureError(
                "fused attention is recorded without a gradient of its gradient (create_graph=True). Spell it out: attn_implementation='eager'."
            )
        (grad,) = gradients
        q, k, v, out, log_sum_exp, *rest = ctx.saved_tensors
        recorder: Recorder = ctx.recorder
        place = recorder.place()  # before the inner engine run below takes over as the current one
        masks = [m for m in rest if ctx.needs_input_grad[5]]
        wanted = [q, k, v, *masks]
        mark: Any = 0.0
        with recorder.silence():
            if _is_real(q):
                again = torch._C._autograd._get_current_graph_task_keep_graph()
                with torch._C._DisableTorchDispatch():
                    start = recorder.tick()
                    found = torch.autograd.grad(ctx.inner_out, ctx.inner[: len(wanted)], grad, retain_graph=again)
                    mark = recorder.tock(start)
                found = tuple(_in_fused_layout(g, t, t.shape[-1]) for g, t in zip(found[:3], wanted[:3], strict=True)) + found[3:]
                if not again:
                    ctx.inner = ctx.inner_out = None
            else:
                found = (*(_like_fused(t, t.shape[-1]) for t in wanted[:3]), *(torch.empty_like(m) for m in masks))
        cost = attention_cost(q.shape, k.shape, v.shape, causal=bool(ctx.keywords.get("is_causal")), masked=bool(rest), backward=True)
        reads = _reads(recorder, Role.ACTIVATION, (grad, q, k, v, out, log_sum_exp, *rest))
        writes = [(recorder.register(t, Role.ACTIVATION), touched(t)) for t in found]
        recorder.add("attention_backward", cost, reads, writes, format_of(q.dtype), mark, place, ctx.axes)
        return (None, None, *found, *([None] * (4 - len(found))))


def _reads(recorder: Recorder, role: Role, tensors: Iterable[torch.Tensor | None]) -> list[tuple[int, int]]:
    """Storages and the bytes read of each: parts of one storage (q, k and v of one projection) add up, the same part given twice counts once."""
    parts: set[object] = set()
    sizes: dict[int, int] = {}
    for tensor in tensors:
        if tensor is not None:
            index = recorder.register(tensor, role)
            part = (index, tensor.storage_offset(), tensor.shape, tensor.stride())
            if part not in parts:
                parts.add(part)
                sizes[index] = min(sizes.get(index, 0) + touched(tensor), tensor.untyped_storage().nbytes())
    return list(sizes.items())


def record_forward(
    recorder: Recorder, keywords: dict[str, Any], q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None, out: torch.Tensor,
    log_sum_exp: torch.Tensor | None, mark: Any,
) -> None:  # fmt: skip
    """One row for one forward attention call."""
    cost = attention_cost(q.shape, k.shape, v.shape, causal=bool(keywords.get("is_causal")), masked=mask is not None, backward=False)
    reads = _reads(recorder, Role.INPUT, (q, k, v, mask))
    writes = [(recorder.register(t, Role.ACTIVATION), touched(t)) for t in (out, log_sum_exp) if t is not None]
    recorder.add("attention", cost, reads, writes, format_of(q.dtype), mark, axes=attention_axes(q, k) if recorder.following else Axes.NONE)
    named = axes_of(q) if recorder.following else None
    if named is not None:
        name_as(out, named)


class AttentionMode(TorchFunctionMode):  # type: ignore[misc]
    """Catches `scaled_dot_product_attention` while a recorder is open."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self._multi_head: Any = None

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if func is _SDPA and not self._recorder.muted:
            return self._attend(*args, **(kwargs or {}))
        if func is _MULTI_HEAD:
            return self._multi_head_attention()(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))

    def _multi_head_attention(self) -> Any:
        """torch's own function, its attention call bound to ours: torch runs a function that a mode has seen with the mode off."""
        if self._multi_head is None:
            names = {**_MULTI_HEAD.__globals__, "scaled_dot_product_attention": self._attend, "has_torch_function": lambda tensors: False}
            self._multi_head = FunctionType(_MULTI_HEAD.__code__, names, "multi_head_attention_forward", _MULTI_HEAD.__defaults__)
            self._multi_head.__kwdefaults__ = _MULTI_HEAD.__kwdefaults__
        return self._multi_head

    def _attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attn_mask: torch.Tensor | None = None, dropout_p: float = 0.0,
        is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
    ) -> Any:  # fmt: skip
        keywords = {"dropout_p": dropout_p, "is_causal": is_causal, "scale": scale, "enable_gqa": enable_gqa}
        if any(t.is_nested or not _is_plain(t) for t in (query, key, value)):  # the subclass knows how to do it; its kernels are recorded
            return _SDPA(query, key, value, attn_mask, **keywords)
        query, key, value, attn_mask = _as_autocast_would(query, key, value, attn_mask)
        needs = [t for t in (query, key, value, attn_mask) if t is not None and t.requires_grad]
        if torch.is_grad_enabled() and needs:
            return _Attention.apply(self._recorder, keywords, query, key, value, attn_mask)
        recorder = self._recorder
        with recorder.silence():
            shape_of = _shape_like_q(query, key, value)
            if _is_real(query):
                with torch._C._DisableTorchDispatch():  # the plain run knows no modes either
                    start = recorder.tick()
                    out = _SDPA(query, key, value, attn_mask, **keywords)
                    mark = recorder.tock(start)
                out = _in_fused_layout(out, shape_of, value.shape[-1])
            else:
                mark = 0.0
                out = _like_fused(shape_of, value.shape[-1])
        record_forward(recorder, keywords, query, key, value, attn_mask, out, None, mark)
        return out


@contextmanager
def attention_replaced(recorder: Recorder) -> Iterator[None]:
    """Catches `scaled_dot_product_attention` by its name in torch instead of by a mode, which costs every touch of a tensor (its shape, its type)
    two microseconds: too much where time is measured. A module that took the function under a name of its own is recorded by its kernel's rule.
    """
    mode = AttentionMode(recorder)

    def attend(*args: Any, **kwargs: Any) -> Any:
        return _SDPA(*args, **kwargs) if recorder.muted else mode._attend(*args, **kwargs)

    functional: Any = torch.nn.functional
    functional.scaled_dot_product_attention = attend
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = _SDPA


def _is_plain(tensor: torch.Tensor) -> bool:
    return type(tensor) in (torch.Tensor, torch.nn.Parameter, FakeTensor) or not hasattr(type(tensor), "__tensor_flatten__")


def _as_autocast_would(*tensors: torch.Tensor | None) -> list[Any]:
    """Operands in the format that an open autocast gives to attention."""
    device = next(t.device.type for t in tensors if t is not None)
    if not (torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)):
        return list(tensors)
    dtype = torch.get_autocast_dtype(device)
    return [t.to(dtype) if t is not None and t.is_floating_point() and t.dtype is not torch.float64 else t for t in tensors]

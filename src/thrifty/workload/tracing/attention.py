"""Fused attention as one record forward and one backward, whichever kernel or decomposition a backend runs.

A function mode sees `scaled_dot_product_attention` before torch picks a kernel. On real tensors the true kernel runs with recording muted; on
meta and fake tensors nothing runs and the result is allocated in the layout that fused kernels give it (tokens before heads).
Backward is an autograd function of ours, so its row appears when and where autograd reaches it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode

from thrifty.workload.table import Role
from thrifty.workload.tracing.rules import format_of, touched
from thrifty.workload.tracing.rules_matrix import attention_cost

if TYPE_CHECKING:
    from thrifty.workload.tracing.recorder import Recorder

_SDPA = torch.nn.functional.scaled_dot_product_attention


def _is_real(tensor: torch.Tensor) -> bool:
    return tensor.device.type != "meta" and not isinstance(tensor, FakeTensor)


def _like_fused(q: torch.Tensor, width: int) -> torch.Tensor:
    """An unset (…, heads, tokens, width) laid out as (…, tokens, heads, width)."""
    if q.dim() < 4:
        return q.new_empty((*q.shape[:-1], width))
    return q.new_empty((*q.shape[:-3], q.shape[-2], q.shape[-3], width)).transpose(-3, -2)


class _Attention(torch.autograd.Function):  # type: ignore[misc]
    """softmax(Q Kᵀ · scale + mask) V, its two records written where autograd runs it."""

    @staticmethod
    def forward(
        ctx: Any, recorder: Recorder, keywords: dict[str, Any], q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None
    ) -> Any:  # fmt: skip
        ctx.recorder, ctx.keywords = recorder, keywords
        recorder.note_node()
        operands = [q, k, v] + ([mask] if mask is not None else [])
        recorder.muted = True
        start = time.perf_counter()
        try:
            if _is_real(q):
                with torch.enable_grad():
                    inner = [t.detach().requires_grad_(t.is_floating_point()) for t in operands]
                    ctx.inner_out = _SDPA(inner[0], inner[1], inner[2], inner[3] if mask is not None else None, **keywords)
                ctx.inner = inner
                out = ctx.inner_out.detach()
            else:
                out = _like_fused(q, v.shape[-1])
            # What a fused kernel keeps for its backward: the output and one log-sum-exp a query and head.
            log_sum_exp = q.new_empty(q.shape[:-1], dtype=torch.float32)
        finally:
            seconds = time.perf_counter() - start
            recorder.muted = False
        record_forward(recorder, keywords, q, k, v, mask, out, log_sum_exp, seconds)
        ctx.save_for_backward(q, k, v, out, log_sum_exp, *operands[3:])
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        (grad,) = gradients
        q, k, v, out, log_sum_exp, *rest = ctx.saved_tensors
        recorder: Recorder = ctx.recorder
        place = recorder.place()  # before the inner engine run below takes over as the current one
        recorder.muted = True
        start = time.perf_counter()
        try:
            wanted = [q, k, v, *[m for m in rest if m.requires_grad]]
            if _is_real(q):
                targets = ctx.inner[: len(wanted)]
                found = torch.autograd.grad(ctx.inner_out, targets, grad)
                ctx.inner = ctx.inner_out = None
            else:
                found = tuple(_like_fused(t, t.shape[-1]) for t in wanted)
        finally:
            seconds = time.perf_counter() - start
            recorder.muted = False
        cost = attention_cost(q.shape, k.shape, v.shape, causal=bool(ctx.keywords.get("is_causal")), masked=bool(rest), backward=True)
        reads = [(recorder.register(t, Role.ACTIVATION), touched(t)) for t in (grad, q, k, v, out, log_sum_exp, *rest)]
        writes = [(recorder.register(t, Role.ACTIVATION), touched(t)) for t in found]
        recorder.add("attention_backward", cost, reads, writes, format_of(q.dtype), seconds, place)
        return (None, None, *found, *([None] * (4 - len(found))))


def record_forward(
    recorder: Recorder, keywords: dict[str, Any], q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None, out: torch.Tensor,
    log_sum_exp: torch.Tensor | None, seconds: float,
) -> None:  # fmt: skip
    """One row for one forward attention call."""
    cost = attention_cost(q.shape, k.shape, v.shape, causal=bool(keywords.get("is_causal")), masked=mask is not None, backward=False)
    reads = [(recorder.register(t, Role.INPUT), touched(t)) for t in (q, k, v, mask) if t is not None]
    writes = [(recorder.register(t, Role.ACTIVATION), touched(t)) for t in (out, log_sum_exp) if t is not None]
    recorder.add("attention", cost, reads, writes, format_of(q.dtype), seconds)


class AttentionMode(TorchFunctionMode):  # type: ignore[misc]
    """Catches `scaled_dot_product_attention` while a recorder is open."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None) -> Any:
        if func is not _SDPA or self._recorder.muted:
            return func(*args, **(kwargs or {}))
        return self._attend(*args, **(kwargs or {}))

    def _attend(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, attn_mask: torch.Tensor | None = None, dropout_p: float = 0.0,
        is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
    ) -> Any:  # fmt: skip
        keywords = {"dropout_p": dropout_p, "is_causal": is_causal, "scale": scale, "enable_gqa": enable_gqa}
        needs = [t for t in (query, key, value, attn_mask) if t is not None and t.requires_grad]
        if torch.is_grad_enabled() and needs:
            return _Attention.apply(self._recorder, keywords, query, key, value, attn_mask)
        recorder = self._recorder
        recorder.muted = True
        start = time.perf_counter()
        try:
            out = _SDPA(query, key, value, attn_mask, **keywords) if _is_real(query) else _like_fused(query, value.shape[-1])
        finally:
            seconds = time.perf_counter() - start
            recorder.muted = False
        record_forward(recorder, keywords, query, key, value, attn_mask, out, None, seconds)
        return out

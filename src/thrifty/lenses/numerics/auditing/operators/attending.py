"""Scaled dot-product attention taken apart as it is written out: scores, scale, mask, softmax, product; and its backward pass. Imports torch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from thrifty.lenses.numerics.auditing.numbers.rounding import elementwise
from thrifty.lenses.numerics.auditing.operators.steps import Steps

aten = torch.ops.aten


def scores(m: Steps, q: Tensor, k: Tensor, causal: bool, mask: Tensor | None, scale: float | None) -> Tensor:
    """q kᵀ, then times the scale, then plus the mask; −inf where a query may not look."""
    held = m.product("s", q, k.transpose(-1, -2))
    held = m.point("scale", aten.mul.Scalar, held, 1.0 / math.sqrt(q.shape[-1]) if scale is None else scale)
    if mask is not None and mask.dtype != torch.bool:
        held = m.point("bias", aten.add.Tensor, held, mask)
    hidden = None if mask is None or mask.dtype != torch.bool else ~mask
    if causal:
        later = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).triu(1)
        hidden = later if hidden is None else hidden | later
    return held if hidden is None else held.masked_fill(hidden, -math.inf)


def attend(
    m: Steps, q: Tensor, k: Tensor, v: Tensor, dropout: float = 0.0, causal: bool = False, *, attn_mask: Tensor | None = None, scale: float | None = None
) -> tuple[Tensor, Tensor]:
    """(output, log of the row sums). A row that may look nowhere gives zeros."""
    assert dropout == 0.0, "dropout within fused attention is refused at the door"
    groups = q.shape[-3] // k.shape[-3]
    k, v = (x.repeat_interleave(groups, -3) if groups > 1 else x for x in (k, v))
    s = scores(m, q, k, causal, attn_mask, scale)
    largest = s.amax(-1, keepdim=True) if s.shape[-1] else s.new_zeros((*s.shape[:-1], 1))
    largest = torch.where(largest == -math.inf, torch.zeros_like(largest), largest)
    e = m.point("exp", aten.exp.default, m.point("sub", aten.sub.Tensor, s, largest))
    total = m.sum("sum", e, [e.dim() - 1])
    p = m.point("div", aten.div.Tensor, e, torch.where(total == 0, torch.ones_like(total), total))
    lse = m.point("lse", _log_sum, largest, total)
    return m.out(m.product("out", p, v)), m.out(lse).squeeze(-1)


def _log_sum(largest: Tensor, total: Tensor) -> Tensor:
    return largest + torch.from_numpy(elementwise("log", np.ascontiguousarray(total.detach().numpy())))


def attend_backward(
    m: Steps, grad: Tensor, q: Tensor, k: Tensor, v: Tensor, out: Tensor, lse: Tensor, dropout: float, causal: bool, *,
    attn_mask: Tensor | None = None, scale: float | None = None, **_: Any,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """P = e^(S − lse); dV = Pᵀ dO; dP = dO Vᵀ; D = Σ dO O; dS = P (dP − D); dQ = dS K·scale; dK = dSᵀ Q·scale."""
    factor = 1.0 / math.sqrt(q.shape[-1]) if scale is None else scale
    heads, groups = k.shape[-3], q.shape[-3] // k.shape[-3]
    k, v = (x.repeat_interleave(groups, -3) if groups > 1 else x for x in (k, v))
    s = scores(m, q, k, causal, attn_mask, scale)
    held = lse.reshape(q.shape[:-1]).unsqueeze(-1)
    held = torch.where(held == -math.inf, torch.zeros_like(held), held)
    p = m.point("p", aten.exp.default, m.point("sub", aten.sub.Tensor, s, held))
    dp = m.product("dp", grad, v.transpose(-1, -2))
    dsum = m.sum("dsum", m.point("dsum", aten.mul.Tensor, grad, out), [grad.dim() - 1])
    ds = m.point("ds", aten.mul.Tensor, p, m.point("sub", aten.sub.Tensor, dp, dsum))
    dq = m.product("dq", ds, k, factor)
    dk, dv = m.product("dk", ds.transpose(-1, -2), q, factor), m.product("dv", p.transpose(-1, -2), grad)
    if groups > 1:
        dk, dv = (m.sum(step, x.unflatten(-3, (heads, groups)), [x.dim() - 3 + 1], keepdim=False) for step, x in (("dk", dk), ("dv", dv)))
    return m.out(dq), m.out(dk), m.out(dv)

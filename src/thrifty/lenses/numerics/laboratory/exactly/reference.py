"""Golden: attention in FP64 or in twice its bits, of the inputs as a policy rounds them or as they were given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats import elementary
from thrifty.lenses.numerics.laboratory.exactly import double_double as dd
from thrifty.lenses.numerics.laboratory.exactly.double_double import Pair
from thrifty.lenses.numerics.laboratory.exactly.slices import products
from thrifty.lenses.numerics.laboratory.prepare import Problem, prepare
from thrifty.lenses.numerics.policy import Policy
from thrifty.lenses.numerics.policy.checks import choose

Floats = npt.NDArray[np.float64]

SLICES: Final = {"fp64": 3, "dd": 6}
"""Slices of 20 bits or more: beyond 60 and 120 bits of the largest element of a row."""
ELEMENTS: Final = {"fp64": 1 << 21, "dd": 1 << 19}
"""Scores held at once."""


def golden(
    q: Any, k: Any, v: Any, *, policy: str | Policy = "baseline_paper", format: str = "bf16", inputs: str = "rounded", precision: str = "fp64",
    block_q: int | None = None, block_k: int | None = None, causal: bool = False, window: Any = None, alibi: Any = None, mask: Any = None,
    scale: float | None = None, seed: int = 0,
) -> Any:  # fmt: skip
    """softmax(QKᵀ/√d)V (…, H, N, d_v) in FP64, of the kind that came in: the same bits on every machine.

    inputs    : "rounded": of q, k, v as the policy's sites in.q, in.k, in.v leave them in `format`, which isolates the operator; "given": of what came
    precision : "fp64": products without error, one FP64 rounding a step; "dd": about 100 bits at every step, rounded to FP64 at the end
    Others as in `attend`. Raises BadValue, UnknownName, BadFile.
    """
    problem = prepare(
        q, k, v, policy=policy, format=format, block_q=block_q, block_k=block_k, causal=causal, window=window, alibi=alibi, mask=mask, scale=scale, seed=seed,
    )  # fmt: skip
    return problem.kind(golden_of(problem, inputs=inputs, precision=precision)[0])


def golden_of(problem: Problem, *, inputs: str = "rounded", precision: str = "fp64") -> tuple[Floats, Floats]:
    """Output (batch, H, N, d_v) of a prepared problem as high and low part (0 in FP64)."""
    choose("inputs", inputs, ("rounded", "given"))
    choose("precision", precision, tuple(SLICES))
    q, k, v = problem.given if inputs == "given" else problem.dequantised()
    k, v = problem.shared(k), problem.shared(v)
    seq, seq_kv = q.shape[2], k.shape[2]
    part = _part_fp64 if precision == "fp64" else _part_dd
    high = np.zeros((*q.shape[:3], v.shape[3]))
    low = np.zeros_like(high)
    rows = max(1, ELEMENTS[precision] // max(1, seq_kv))
    ones = np.concatenate([v, np.ones((*v.shape[:3], 1))], axis=-1)
    bad = not all(np.isfinite(x).all() for x in (q, k, v))
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        for b in range(q.shape[0]):
            for h in range(q.shape[1]):
                for first in range(0, seq, rows):
                    last = min(first + rows, seq)
                    seen = _seen(problem, b, h, first, last)
                    bias = problem.sight.bias_of(h, first, last)
                    made = (_part_ieee if bad else part)(q[b, h, first:last], k[b, h], ones[b, h], problem.scale, bias, seen)
                    high[b, h, first:last], low[b, h, first:last] = made
    return high, low


def _seen(problem: Problem, b: int, h: int, first: int, last: int) -> Any:
    seen = problem.sight.seen(0, problem.k.shape[2])
    if seen is None:
        return None
    return seen[first:last] if seen.ndim == 2 else seen[b if seen.shape[0] > 1 else 0, h, first:last]


def _part_fp64(q: Floats, k: Floats, v: Floats, scale: float, bias: Floats | None, seen: Any) -> tuple[Floats, Any]:
    scores = _add_up(q, k.T) * scale
    weights = _softmax(scores if bias is None else scores + bias, seen, elementary.exp)
    made = _add_up(weights, v)
    return _over(made[:, :-1], made[:, -1:]), 0.0


def _part_ieee(q: Floats, k: Floats, v: Floats, scale: float, bias: Floats | None, seen: Any) -> tuple[Floats, Any]:
    """For inputs with NaN or infinite elements: what IEEE 754 makes of them."""
    scores = (q @ k.T) * scale
    weights = _softmax(scores if bias is None else scores + bias, seen, elementary.exp)
    made = weights @ v
    return _over(made[:, :-1], made[:, -1:]), 0.0


def _softmax(scores: Floats, seen: Any, grow: Callable[[Floats], Floats]) -> Floats:
    """e^(scores - their row maximum), 0 where not seen; not yet over its sum."""
    held = scores if seen is None else np.where(seen, scores, -np.inf)
    top = held.max(axis=-1, keepdims=True, initial=-np.inf)
    return grow(held - np.where(np.isneginf(top), 0.0, top))


def _add_up(a: Floats, b: Floats) -> Floats:
    made = np.zeros((a.shape[0], b.shape[1]))
    for each in products(a, b, SLICES["fp64"]):
        made = made + each
    return made


def _over(made: Floats, total: Floats) -> Floats:
    return np.where(total == 0, 0.0, made / total)


def _part_dd(q: Floats, k: Floats, v: Floats, scale: float, bias: Floats | None, seen: Any) -> tuple[Floats, Floats]:
    scores = dd.multiply(_pairs(q, k.T), dd.single(np.full((1, 1), scale)))
    if bias is not None:
        scores = dd.add(scores, dd.single(bias))
    top = (scores.high if seen is None else np.where(seen, scores.high, -np.inf)).max(axis=-1, keepdims=True, initial=-np.inf)
    held = dd.add(scores, dd.single(np.broadcast_to(np.where(np.isneginf(top), 0.0, -top), scores.high.shape)))
    weights = dd.exp(held)
    if seen is not None:
        weights = Pair(np.where(seen, weights.high, 0.0), np.where(seen, weights.low, 0.0))
    made = dd.add(_pairs(weights.high, v), _pairs(weights.low, v))
    total = Pair(made.high[:, -1:], made.low[:, -1:])
    safe = Pair(np.where(total.high == 0, 1.0, total.high), total.low)
    out = dd.divide(Pair(made.high[:, :-1], made.low[:, :-1]), safe)
    return np.where(total.high == 0, 0.0, out.high), np.where(total.high == 0, 0.0, out.low)


def _pairs(a: Floats, b: Floats) -> Pair:
    made = dd.single(np.zeros((a.shape[0], b.shape[1])))
    for each in products(a, b, SLICES["dd"]):
        made = dd.add(made, dd.single(each))
    return made

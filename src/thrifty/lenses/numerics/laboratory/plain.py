"""The definition of attention under a policy, with NumPy: all rows at once, tiles of keys one after the other.

Every step is one FP64 operation on what the sites before it left, rounded once at its own site. Rows do not know of each other, so tiles of queries cannot
matter. A row skips a tile in which it sees no key. A row that sees none at all gives 0, its log-sum-exp is -inf.

Baseline: S = QKᵀ; m = max S; P = e^(S - m); l = ΣP; P / l; O = PV. Flash 1 keeps O normalised after every tile; Flash 2, 3, 4 divide at the end
(Dao et al. 2022; Dao 2023; Shah et al. 2024; Zadouri et al. 2026).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.formats import elementary
from thrifty.lenses.numerics.laboratory.joining import Part, join
from thrifty.lenses.numerics.laboratory.kernels.running import parts as compiled_parts
from thrifty.lenses.numerics.laboratory.kernels.running import served
from thrifty.lenses.numerics.laboratory.polynomials import exp_cubic
from thrifty.lenses.numerics.laboratory.prepare import Problem
from thrifty.lenses.numerics.laboratory.result import Counts
from thrifty.lenses.numerics.laboratory.steps import TURNS, Floats

Bools = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Tally:
    """Counts as they grow."""

    visits: int = 0
    rescales: int = 0
    repeated: int = 0
    seen: int = 0
    underflows: int = 0
    overflows: int = 0
    longest: int = field(default=0)


def attend_plain(problem: Problem) -> tuple[Floats, Floats, Counts]:
    """Output (batch, H, N, d_v), log-sum-exp (batch, H, N), counts."""
    tally = Tally()
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        kind, number = served(problem), sum(map(len, problem.splits))
        if kind is not None:
            compiled = compiled_parts(problem, kind, tally)
            parts = [Part(out, _log_sum(problem, top, total, number * TURNS)) for out, top, total in compiled]
        elif problem.policy.algorithm == "baseline":
            parts = [_baseline(problem, tally)]
        else:
            parts, place = [], 0
            for tiles in problem.splits:
                parts.append(_flash(problem, tiles, place, tally))
                place += len(tiles)
        out, lse = join(problem.steps, parts, number)
        out = problem.steps.at("o.store", out)
    rows = int(np.prod(problem.q.shape[:3], dtype=int))
    return out, lse, Counts(
        rows=rows, visits=tally.visits, rescales=tally.rescales, repeated=tally.repeated, seen=tally.seen, underflows=tally.underflows,
        overflows=tally.overflows,
    )  # fmt: skip


def score_tile(problem: Problem, first: int, last: int, number: int) -> tuple[Floats, Bools]:
    """Scores (batch, H, N, last - first) of keys first to last - 1, -inf where a key is not seen, and where it is.

    number : of the tile in the order of visits, for modes that draw
    """
    steps, turn = problem.steps, number * TURNS
    keys = problem.shared(problem.k[:, :, first:last])
    scores = steps.at("s.store", steps.product("s.acc", problem.q, keys.swapaxes(-1, -2)), turn)
    if problem.factor is not None:
        factor: Any = problem.factor
        if problem.q_scale is not None and problem.k_scale is not None:
            factor = (factor * problem.q_scale)[..., None] * problem.shared(problem.k_scale[:, :, first:last])[..., None, :]
        scores = steps.at("s.scale", scores * factor, turn)
    bias = problem.sight.bias(first, last)
    if bias is not None:
        scores = steps.at("s.bias", scores + bias, turn)
    seen = problem.sight.seen(first, last)
    if seen is None:
        return scores, np.ones(scores.shape, dtype=bool)
    seen = np.broadcast_to(seen, scores.shape)
    return np.where(seen, scores, -np.inf), seen


def _maximum(problem: Problem, scores: Floats, seen: Bools, tally: Tally) -> Floats:
    """Row maximum (NaN where a score is), mended where it repeats if the policy says so."""
    top = scores.max(axis=-1, initial=-np.inf)
    repeats = ((scores == top[..., None]) & seen).sum(axis=-1) > 1
    tally.repeated += int(repeats.sum())
    beta = problem.policy.options.repeated_max
    if beta:
        top = np.where(repeats, np.where(top > 0, beta * top, 0.0), top)
    return np.asarray(top)


def _weights(problem: Problem, scores: Floats, seen: Bools, top: Floats, turn: int) -> Floats:
    """P = e^(S - m), 0 where a key is not seen."""
    steps = problem.steps
    held = steps.at("s.sub", scores - np.where(np.isneginf(top), 0.0, top)[..., None], turn)
    grown = exp_cubic(held) if problem.policy.options.exp2_degree == 3 else elementary.exp(held)
    return np.where(seen, steps.at("p.exp", grown, turn), 0.0)


def _stored(problem: Problem, weights: Floats, seen: Bools, turn: int, tally: Tally) -> Floats:
    """P as it goes into PV."""
    stored = np.where(seen, problem.steps.at("p.store", weights * problem.policy.options.p_scale, turn), 0.0)
    tally.underflows += int(((stored == 0) & seen).sum())
    return stored


def _values(problem: Problem, stored: Floats, first: int, last: int, turn: int) -> Floats:
    """PV of keys first to last - 1, its scales taken out."""
    steps = problem.steps
    made = steps.product("o.acc", stored, problem.shared(problem.v[:, :, first:last]))
    if problem.v_scale is not None and last > first:
        made = made * problem.shared(problem.v_scale[:, :, first : first + 1])[..., None]
    return steps.at("pv.store", made / problem.policy.options.p_scale, turn)


def _baseline(problem: Problem, tally: Tally) -> Part:
    steps, after = problem.steps, problem.policy.options.divide_after
    scores, seen = score_tile(problem, 0, problem.k.shape[2], 0)
    tally.visits, tally.seen = int(seen.any(axis=-1).sum()), int(seen.sum())
    tally.overflows = int((np.isinf(scores) & seen).sum())
    top = _maximum(problem, scores, seen, tally)
    weights = _weights(problem, scores, seen, top, 0)
    total = steps.at("l.store", steps.total("l.acc", weights))
    empty = np.asarray(total == 0)
    if not after:
        weights = np.where(seen, steps.at("p.div", _zero(weights / total[..., None], empty)), 0.0)
    out = _values(problem, _stored(problem, weights, seen, 0, tally), 0, problem.k.shape[2], 0)
    if after:
        out = steps.at("o.div", _zero(out / total[..., None], empty))
    return Part(_zero(out, empty), _log_sum(problem, top, total))


def _flash(problem: Problem, tiles: list[tuple[int, int]], number: int, tally: Tally) -> Part:
    """Output over its row sum, and log-sum-exp, of the keys of these tiles; number: of the first tile in the order of visits."""
    steps, options = problem.steps, problem.policy.options
    first_kind = problem.policy.algorithm == "fa1"
    rows = problem.q.shape[:3]
    top, total, out = np.full(rows, -np.inf), np.zeros(rows), np.zeros((*rows, problem.v.shape[3]))
    for place, (first, last) in enumerate(tiles, start=number):
        turn = place * TURNS
        scores, seen = score_tile(problem, first, last, place)
        visits: Bools = np.asarray(seen.any(axis=-1))
        tally.visits += int(visits.sum())
        tally.seen += int(seen.sum())
        tally.overflows += int((np.isinf(scores) & seen).sum())
        here = _maximum(problem, scores, seen, tally)
        kept: Bools = np.asarray(((here - top) * elementary.LOG2E <= options.rescale_log2) & ~np.isneginf(top) & bool(options.rescale_log2))
        grown = np.where(kept, top, np.maximum(top, here))
        tally.rescales += int((visits & (grown != top) & ~np.isneginf(top)).sum())
        weights = _weights(problem, scores, seen, here if first_kind else grown, turn)
        added = steps.at("l.store", steps.total("l.acc", weights), turn)
        values = _values(problem, _stored(problem, weights, seen, turn, tally), first, last, turn)
        alpha = _factor(problem, top, grown, turn)
        if first_kind:
            beta = _factor(problem, here, grown, turn + 1)
            held, new = steps.at("l.mul", alpha * total, turn), steps.at("l.mul", beta * added, turn + 1)
            both = steps.at("l.add", held + new, turn)
            mixed = steps.at("o.mul", held[..., None] * out, turn) + steps.at("o.mul", beta[..., None] * values, turn + 1)
            mixed = steps.at("o.div", _zero(steps.at("o.add", mixed, turn) / both[..., None], both == 0), turn)
        else:
            held = np.where(kept, total, steps.at("l.mul", alpha * total, turn))
            both = steps.at("l.add", held + added, turn)
            mixed = np.where(kept[..., None], out, steps.at("o.mul", alpha[..., None] * out, turn)) + values
            mixed = steps.at("o.add", mixed, turn)
        top, total, out = np.where(visits, grown, top), np.where(visits, both, total), np.where(visits[..., None], mixed, out)
    if not first_kind:
        out = steps.at("o.div", _zero(out / total[..., None], np.asarray(total == 0)), number * TURNS)
    return Part(_zero(out, np.asarray(total == 0)), _log_sum(problem, top, total, number * TURNS))


def _factor(problem: Problem, old: Floats, new: Floats, turn: int) -> Floats:
    """e^(old - new), 0 where there is nothing old."""
    steps = problem.steps
    grown = steps.at("alpha.exp", elementary.exp(steps.at("alpha.sub", np.where(np.isneginf(old), 0.0, old - new), turn)), turn)
    return np.where(np.isneginf(old), 0.0, grown)


def _log_sum(problem: Problem, top: Floats, total: Floats, turn: int = 0) -> Floats:
    return np.where(total == 0, -np.inf, problem.steps.at("lse", np.where(total == 0, 0.0, top + problem.steps.log(total)), turn))


def _zero(out: Any, empty: Any) -> Floats:
    """0 for rows without a key."""
    return np.where(empty[..., None], 0.0, out)

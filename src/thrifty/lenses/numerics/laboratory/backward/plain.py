"""The definition of the backward pass, with NumPy: all heads of a tile at once, every result rounded at its site.

Flash, for a tile of queries i and one of keys j (FlashAttention-2, algorithm 2), P made anew from scores and lse; a masked score has P = 0 and dS = 0:

    S = Qi Kjᵀ · scale + bias        s.store, s.scale, s.bias       as in the forward pass
    P = e^(S - lse)                  s.sub, b.p                     and p.store where it goes into the product for dV
    dVj += Pᵀ dOi                    b.dv of the product and of the sum, i ascending
    dP = dOi Vjᵀ                     b.dp
    dS = P · (dP - D)                b.sub, b.ds
    dQi += dS Kj                     b.dq likewise, j in the order that is asked for
    dKj += dSᵀ Qi                    b.dk likewise, i ascending

D is the row sum of dO · O, or of P · dP, whose tiles are added in order (d.acc, b.dsum). dQ and dK are multiplied by the scale as they go out (b.out).
The baseline is one tile: P is what its forward pass stored (s.sub, p.exp, l.store, p.div, p.store), and dS is multiplied by the scale before it goes into
products (b.ds), as the derivative of a written-out attention does. Sums start from +0. Heads that share keys have their dK and dV added by b.acc, then b.out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from thrifty.formats import elementary
from thrifty.lenses.numerics.laboratory.plain import score_tile
from thrifty.lenses.numerics.laboratory.prepare import Problem
from thrifty.lenses.numerics.laboratory.steps import TURNS, Steps, site_seed

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ranges = list[tuple[int, int]]
_ROWS: Final = 8
AGAIN: Final = 1
"""A site's second use within a tile, for modes that draw."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Pulled:
    """Gradients as they leave a policy's last site: dq (batch, H, N, d), dk and dv by heads of keys, dsum (batch, H, N)."""

    dq: Floats
    dk: Floats
    dv: Floats
    dsum: Floats


def backward_steps(problem: Problem) -> Steps:
    """Steps whose draws are others than those of the forward pass."""
    steps = problem.steps
    return Steps(steps.policy, steps.working, site_seed(steps.seed, "in.do"), steps.compiled)


def tiles_of(problem: Problem) -> tuple[Ranges, Ranges]:
    """Of queries and of keys, first to last; the baseline has one of each."""
    rows = problem.q.shape[2] or 1
    block = rows if problem.policy.algorithm == "baseline" else problem.block_q
    return [(first, min(first + block, rows)) for first in range(0, problem.q.shape[2], block)], sorted(tile for part in problem.splits for tile in part)


def stores_weights(problem: Problem) -> bool:
    """The forward pass keeps P, so that the backward pass need not make it anew."""
    return problem.policy.algorithm == "baseline" and not problem.policy.options.divide_after


def orders(problem: Problem, order: str | int) -> npt.NDArray[np.int64]:
    """(batch, H, tiles of queries, tiles of keys): which tile of keys is added to dQ first, second, … A seed draws one order for every tile of every head."""
    tiles_q, tiles_k = map(len, tiles_of(problem))
    straight = np.broadcast_to(np.arange(tiles_k, dtype=np.int64), (*problem.q.shape[:2], tiles_q, tiles_k))
    if order == "sorted":
        return (straight[..., ::-1] if problem.policy.options.kv_order == "reverse" else straight).copy()
    return np.random.default_rng(int(order)).permuted(straight, axis=-1)


def pull(problem: Problem, dout: Floats, out: Floats, lse: Floats, order: npt.NDArray[np.int64]) -> Pulled:
    """dout, out: (batch, H, N, d_v), rounded; lse: (batch, H, N)."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore", divide="ignore"):
        return _Pass(problem, dout, out, lse).run(order)


def together(problem: Problem, x: Floats, turn: int) -> Floats:
    """dK or dV of every head of queries, as they go out: those of heads that share keys are added."""
    groups = problem.groups
    if groups == 1:
        return x
    steps = backward_steps(problem)
    apart = x.reshape(x.shape[0], x.shape[1] // groups, groups, *x.shape[2:])
    return steps.at("b.out", steps.total("b.acc", np.moveaxis(apart, 2, -1)), turn + TURNS)


class _Pass:
    """One backward pass on its way."""

    def __init__(self, problem: Problem, dout: Floats, out: Floats, lse: Floats) -> None:
        self.problem, self.steps, self.dout, self.out, self.lse = problem, backward_steps(problem), dout, out, lse
        self.k, self.v = problem.shared(problem.k), problem.shared(problem.v)
        self.baseline = problem.policy.algorithm == "baseline"
        self.tiles_q, self.tiles_k = tiles_of(problem)
        self.number = {tile: place for place, tile in enumerate(tile for part in problem.splits for tile in part)}
        self.weights = {tile: self.stored_weights(*tile) if stores_weights(problem) else self.new_weights(*tile) for tile in self.tiles_k}

    def run(self, order: npt.NDArray[np.int64]) -> Pulled:
        problem, steps = self.problem, self.steps
        dk, dv, dsum = np.zeros(self.k.shape), np.zeros(self.v.shape), self.dsum()
        parts = np.zeros((len(self.tiles_k), *problem.q.shape))
        for j, (first, last) in enumerate(self.tiles_k):
            p, seen = self.weights[first, last]
            turn = j * TURNS
            ds = steps.at("b.ds", p * steps.at("b.sub", self.dp(j) - dsum[..., None], turn), turn)
            if self.baseline and problem.factor is not None:
                ds = steps.at("b.ds", ds * problem.factor, turn + AGAIN)
            ds = np.where(seen, ds, 0.0)
            stored = p if stores_weights(problem) else steps.at("p.store", p, turn)
            for i, (top, bottom) in enumerate(self.tiles_q):
                place = (i * len(self.tiles_k) + j) * TURNS
                live = np.asarray(seen[:, :, top:bottom].any(axis=(2, 3)))[..., None, None]
                for site, held, left, right in (("b.dv", dv, stored, self.dout), ("b.dk", dk, ds, problem.q)):
                    part = steps.product("b.acc", left[:, :, top:bottom].swapaxes(2, 3), right[:, :, top:bottom])
                    held[:, :, first:last] = self.add(site, held[:, :, first:last], np.where(live, steps.at(site, part, place), 0.0), place)
                part = steps.product("b.acc", ds[:, :, top:bottom], self.k[:, :, first:last])
                parts[j, :, :, top:bottom] = np.where(live, steps.at("b.dq", part, place), 0.0)
        return Pulled(
            dq=self.leave(self.joined(parts, order), None if self.baseline and problem.factor is not None else problem.scale, 0),
            dk=together(problem, self.leave(dk, None if self.baseline else problem.factor, 1), 1), dv=together(problem, self.leave(dv, None, 2), 2), dsum=dsum,
        )  # fmt: skip

    def new_weights(self, first: int, last: int) -> tuple[Floats, Bools]:
        """P of all queries made anew, 0 where masked, and what is seen."""
        number = self.number[first, last]
        scores, seen = score_tile(self.problem, first, last, number)
        held = np.where(seen, scores - self.lse[..., None], 0.0)
        turn = number * TURNS
        return np.where(seen, self.steps.at("b.p", elementary.exp(self.steps.at("s.sub", held, turn)), turn), 0.0), seen

    def stored_weights(self, first: int, last: int) -> tuple[Floats, Bools]:
        """P of all queries as the baseline's forward pass stored it."""
        problem, steps = self.problem, self.problem.steps
        scores, seen = score_tile(problem, first, last, 0)
        top = scores.max(axis=-1, initial=-np.inf)
        beta = problem.policy.options.repeated_max
        if beta:
            repeats = ((scores == top[..., None]) & seen).sum(axis=-1) > 1
            top = np.where(repeats, np.where(top > 0, beta * top, 0.0), top)
        held = elementary.exp(steps.at("s.sub", scores - np.where(np.isneginf(top), 0.0, top)[..., None]))
        weights = np.where(seen, steps.at("p.exp", held), 0.0)
        total = steps.at("l.store", steps.total("l.acc", weights))[..., None]
        divided = steps.at("p.div", np.where(total == 0, 0.0, weights / total))
        return np.where(seen, steps.at("p.store", np.where(seen, divided, 0.0)), 0.0), seen

    def dp(self, j: int) -> Floats:
        first, last = self.tiles_k[j]
        return self.steps.at("b.dp", self.steps.product("b.acc", self.dout, self.v[:, :, first:last].swapaxes(2, 3)), j * TURNS)

    def dsum(self) -> Floats:
        """D of every row."""
        steps = self.steps
        if self.problem.policy.options.dsum == "do_o":
            return steps.at("b.dsum", self.dots(self.dout, self.out))
        total = np.zeros(self.lse.shape)
        for j, tile in enumerate(self.tiles_k):
            p, seen = self.weights[tile]
            part = steps.at("b.dsum", self.dots(p, np.where(seen, self.dp(j), 0.0)), j * TURNS)
            total = self.add("b.dsum", total, part, j * TURNS)
        return total

    def dots(self, a: Floats, b: Floats) -> Floats:
        """Row by row, the sum of products."""
        rows = np.empty(a.shape[:-1])
        for first in range(0, a.shape[2], _ROWS):  # few rows at a time: only the diagonal of each product is wanted
            some = slice(first, first + _ROWS)
            rows[:, :, some] = np.diagonal(self.steps.product("d.acc", a[:, :, some], b[:, :, some].swapaxes(2, 3)), axis1=2, axis2=3)
        return rows

    def add(self, site: str, held: Floats, part: Floats, turn: int) -> Floats:
        return self.steps.at(site, held + part, turn + AGAIN)

    def joined(self, parts: Floats, order: npt.NDArray[np.int64]) -> Floats:
        """Tiles' shares of dQ, added in order."""
        dq = np.zeros(parts.shape[1:])
        for i, (top, bottom) in enumerate(self.tiles_q):
            for place in range(len(parts)):
                chosen = np.take_along_axis(parts[:, :, :, top:bottom], order[None, :, :, i, place, None, None], axis=0)[0]
                dq[:, :, top:bottom] = self.add("b.dq", dq[:, :, top:bottom], chosen, (i * len(parts) + place) * TURNS)
        return dq

    def leave(self, x: Floats, factor: float | None, turn: int) -> Floats:
        return self.steps.at("b.out", x if factor is None else x * factor, turn)

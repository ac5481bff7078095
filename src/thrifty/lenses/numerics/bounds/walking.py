"""Attention walked step by step under a policy: every step of `laboratory.plain`, in the same order, with what its site's rounding can do."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.formats.elementary import LOG2E
from thrifty.lenses.numerics.bounds.tape import Effect, Node, Tape
from thrifty.lenses.numerics.bounds.widths import Width, rounding_width, sum_width
from thrifty.lenses.numerics.laboratory.prepare import Problem

Floats = npt.NDArray[np.float64]
Part = tuple[Node, Node, npt.NDArray[np.bool_]]


class Walk:
    """One head's rows. q (R, d), k (n, d), v (n, D) as the policy's inputs leave them; seen (R, n)."""

    def __init__(self, problem: Problem, b: int, h: int, rows: npt.NDArray[np.intp]) -> None:
        self.problem, self.tape = problem, Tape()
        group = h // problem.groups
        self.q, self.k, self.v = problem.q[b, h, rows], problem.k[b, group], problem.v[b, group]
        seen = problem.sight.seen(0, self.k.shape[0])
        if seen is not None:
            full = np.broadcast_to(seen, (problem.q.shape[0], problem.q.shape[1], *seen.shape[-2:]))
            seen = full[b, h, rows]
        self.seen = np.ones((len(rows), self.k.shape[0]), dtype=bool) if seen is None else seen
        bias = problem.sight.bias(0, self.k.shape[0])
        self.bias = None if bias is None else np.broadcast_to(bias, (*problem.q.shape[:3], self.k.shape[0]))[b, h, rows]
        factor: Any = problem.factor
        if factor is not None and problem.q_scale is not None and problem.k_scale is not None:
            factor = factor * problem.q_scale[b, h, rows][:, None, None] * problem.k_scale[b, group][None, None, :]
        self.factor = factor
        self.v_scale = None if problem.v_scale is None else problem.v_scale[b, group]

    def at(self, site: str, node: Node) -> Node:
        """Rounded at a site; the same node, since first order takes weights where nothing is rounded."""
        return self.tape.mark(site, node, rounding_width(node.value, self.problem.steps.roundings[site]))

    def kept(self, site: str, node: Node, terms: Floats, *, products: bool = True) -> Node:
        """Summed by the accumulator of `site`; terms (…, n) of the node's shape."""
        width = sum_width(terms, self.problem.policy.accumulator(site), products=products)
        return self.tape.mark(site, node, width)

    def scores(self, first: int, last: int) -> Node:
        """Scores (R, 1, n) of keys first to last - 1; where a key is not seen the value does not matter."""
        keys = self.k[first:last]
        node = self.tape.put((self.q @ keys.T)[:, None, :])
        node = self.at("s.store", self.kept("s.acc", node, (self.q[:, None, :] * keys[None])[:, None]))
        if self.factor is not None:
            factor = self.factor if np.ndim(self.factor) == 0 else self.factor[..., first:last]
            node = self.at("s.scale", self.tape.scale(node, factor))
        if self.bias is not None:
            node = self.at("s.bias", self.tape.shift(node, self.bias[:, None, first:last]))
        return node

    def weights(self, scores: Node, seen: Any, top: Floats) -> Node:
        """P = e^(S - m), 0 where not seen. What a cubic instead of e^x leaves counts as one-way error of its site."""
        tape, nothing = self.tape, self.tape.put(np.zeros(scores.value.shape))
        shifted = np.where(np.isneginf(top), 0.0, top)[:, None, None]
        held = tape.choose(seen[:, None, :], self.at("s.sub", tape.shift(scores, -shifted)), nothing)
        grown = tape.choose(seen[:, None, :], self.at("p.exp", tape.exp(held)), tape.put(np.zeros(scores.value.shape)))
        if self.problem.policy.options.exp2_degree == 3:
            from thrifty.lenses.numerics.laboratory.polynomials import exp_cubic

            tape.mark("p.exp", grown, Width.of(np.where(seen[:, None, :], np.abs(exp_cubic(held.value) - np.exp(held.value)), 0.0), one_way=True))
        return grown

    def product(self, weights: Node, first: int, last: int) -> Node:
        """PV, with P stored."""
        options, tape = self.problem.policy.options, self.tape
        stored = self.at("p.store", tape.scale(weights, options.p_scale))
        v = self.v[first:last]
        node = self.kept("o.acc", tape.values(stored, v), stored.value[:, 0, None, :] * v.T[None])
        scale = 1.0 / options.p_scale * (1.0 if self.v_scale is None else self.v_scale[first])
        return self.at("pv.store", tape.scale(node, scale) if scale != 1.0 else node)

    def total(self, weights: Node) -> Node:
        return self.at("l.store", self.kept("l.acc", self.tape.total(weights), weights.value, products=False))

    def tops(self, scores: Node, seen: Any) -> Floats:
        held = np.where(seen, scores.value[:, 0, :], -np.inf)
        top = held.max(axis=-1, initial=-np.inf)
        beta = self.problem.policy.options.repeated_max
        if beta:
            repeats = (held == top[:, None]).sum(axis=-1) > 1
            top = np.where(repeats & ~np.isneginf(top), np.where(top > 0, beta * top, 0.0), top)
        return np.asarray(top)

    def factor_of(self, old: Floats, new: Floats) -> Node:
        """e^(old - new) (R, 1), 0 where there is nothing old."""
        empty = np.isneginf(old)
        node = self.at("alpha.exp", self.tape.exp(self.at("alpha.sub", self.tape.put(np.where(empty, 0.0, old - new)[:, None]))))
        return self.tape.choose(~empty[:, None], node, self.tape.put(np.zeros((len(old), 1))))

    def baseline(self) -> Node:
        n = self.k.shape[0]
        scores = self.scores(0, n)
        top = self.tops(scores, self.seen)
        weights = self.weights(scores, self.seen, top)
        total = self.total(weights)
        if self.problem.policy.options.divide_after:
            return self.at("o.div", self.tape.divide(self.product(weights, 0, n), total))
        return self.product(self.at("p.div", self.tape.divide(weights, total)), 0, n)

    def flash(self, tiles: list[tuple[int, int]]) -> Part:
        """Output over its row sum, log-sum-exp, and which rows see nothing."""
        tape, options, rows = self.tape, self.problem.policy.options, len(self.q)
        kind1 = self.problem.policy.algorithm == "fa1"
        top = np.full(rows, -np.inf)
        total, out = tape.put(np.zeros((rows, 1))), tape.put(np.zeros((rows, self.v.shape[1])))
        for first, last in tiles:
            seen = self.seen[:, first:last]
            visits: npt.NDArray[np.bool_] = np.asarray(seen.any(axis=-1))
            scores = self.scores(first, last)
            here = self.tops(scores, seen)
            kept: npt.NDArray[np.bool_] = np.asarray(((here - top) * LOG2E <= options.rescale_log2) & ~np.isneginf(top) & bool(options.rescale_log2))
            grown = np.where(kept, top, np.maximum(top, here))
            weights = self.weights(scores, seen, here if kind1 else grown)
            added, values = self.total(weights), self.product(weights, first, last)
            alpha = self.factor_of(top, grown)
            if kind1:
                beta = self.factor_of(here, grown)
                held, new = self.at("l.mul", tape.multiply(alpha, total)), self.at("l.mul", tape.multiply(beta, added))
                both = self.at("l.add", tape.add(held, new))
                mixed = tape.add(self.at("o.mul", tape.multiply(held, out)), self.at("o.mul", tape.multiply(beta, values)))
                mixed = self.at("o.div", tape.divide(self.at("o.add", mixed), both))
            else:
                keep = kept[:, None]
                both = self.at("l.add", tape.add(tape.choose(keep, total, self.at("l.mul", tape.multiply(alpha, total))), added))
                mixed = tape.add(tape.choose(keep, out, self.at("o.mul", tape.multiply(alpha, out))), values)
                mixed = self.at("o.add", mixed)
            visited = visits[:, None]
            top = np.where(visits, grown, top)
            total, out = tape.choose(visited, both, total), tape.choose(visited, mixed, out)
        if not kind1:
            out = self.at("o.div", tape.divide(out, total))
        lse = self.at("lse", tape.shift(tape.log(total), np.where(np.isneginf(top), 0.0, top)[:, None]))
        return out, lse, np.asarray(np.isneginf(top))

    def join(self, parts: list[Part]) -> Node:
        """Splits, as `laboratory.joining` joins them."""
        if len(parts) == 1:
            return parts[0][0]
        tape, rows = self.tape, len(self.q)
        whole = np.max([np.where(empty, -np.inf, lse.value[:, 0]) for _, lse, empty in parts], axis=0)
        whole = np.where(np.isneginf(whole), 0.0, whole)[:, None]
        total = tape.put(np.zeros((rows, 1)))
        for _, lse, empty in parts:
            grown = self.at("alpha.exp", tape.exp(self.at("alpha.sub", tape.shift(lse, -whole))))
            total = tape.choose(~empty[:, None], self.at("l.add", tape.add(total, grown)), total)
        joined = self.at("lse", tape.shift(tape.log(total), whole))
        out = tape.put(np.zeros((rows, self.v.shape[1])))
        for part, lse, empty in parts:
            weight = self.at("alpha.exp", tape.exp(self.at("alpha.sub", tape.add(lse, tape.scale(joined, -1.0)))))
            out = tape.choose(~empty[:, None], self.at("o.add", tape.add(out, self.at("o.mul", tape.multiply(weight, part)))), out)
        return out

    def run(self) -> tuple[Floats, dict[str, Effect]]:
        """Exact results (R, D) in FP64, and what every site can do to them."""
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            plain = self.problem.policy.algorithm == "baseline"
            out = self.baseline() if plain else self.join([self.flash(tiles) for tiles in self.problem.splits])
            out = self.at("o.store", out)
            return out.value, self.tape.walk(out)

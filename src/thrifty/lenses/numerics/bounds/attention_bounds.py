"""How far attention under a policy can deviate, element by element, to first order in all of its roundings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.lenses.numerics.bounds.constants import lambda_of
from thrifty.lenses.numerics.bounds.tape import Effect
from thrifty.lenses.numerics.bounds.walking import Walk
from thrifty.lenses.numerics.laboratory.prepare import Problem, prepare
from thrifty.lenses.numerics.policy import Policy

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteBound:
    """One site's part: its format (or accumulator), how many roundings, and what they do at worst and probably, means over elements."""

    site: str
    keeps: str
    roundings: int
    worst: float
    probable: float

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttentionBound:
    """Bounds of |output - golden| (batch, H, R, D) for R rows of every head; golden is that of the inputs as they are rounded.

    worst    : Σ over roundings of |∂O/∂x|·(half the spacing at x), the most that they can do together, to first order
    probable : Σ of those that point one way + λ·√Σ of squares of the others, which are taken as independent and of mean zero (Azuma's inequality);
               holds for one element with `confidence`; everywhere: the same for all elements at once. Neither is ever more than `worst`
    exact    : the output without any rounding, FP64
    """

    worst: Floats
    probable: Floats
    everywhere: Floats
    exact: Floats
    rows: tuple[int, ...]
    confidence: float
    sites: tuple[SiteBound, ...]
    policy: Policy
    format: str


def attention_bound(
    q: Any, k: Any, v: Any, *, policy: str | Policy = "fa_paper", format: str = "bf16", rows: Sequence[int] | None = None, confidence: float = 0.95,
    **options: Any,
) -> AttentionBound:  # fmt: skip
    """Bounds on the deviation of `attend(q, k, v, policy=…, format=…)` from golden: derived by walking the policy's algorithm, not by a formula for each.

    rows    : of queries to look at, at most 16 spread evenly where not given; options: as for `attend`
    Each rounding enters with its exact weight in each output element, so errors that cancel (softmax does not feel a shift) do so here, too.
    To first order: products of two errors are left out, which matters where formats are so coarse that bounds exceed the output itself.
    """
    problem = prepare(q, k, v, policy=policy, format=format, **options)
    batch, heads, seq, _ = problem.q.shape
    if seq == 0 or problem.k.shape[2] == 0:
        raise BadValue(f"q has {seq} rows and k {problem.k.shape[2]}; a bound needs one at least of each.")
    chosen = np.unique(np.linspace(0, seq - 1, min(seq, 16)).round().astype(np.intp)) if rows is None else np.asarray(rows, dtype=np.intp)
    if chosen.size == 0 or chosen.min() < 0 or chosen.max() >= seq:
        raise BadValue(f"rows={rows!r} must be places from 0 to {seq - 1}, one at least.")
    walked = [[Walk(problem, b, h, chosen).run() for h in range(heads)] for b in range(batch)]
    exact = np.array([[out for out, _ in line] for line in walked])
    names = sorted({site for line in walked for _, effects in line for site in effects})
    one, every = lambda_of(confidence), lambda_of(confidence, exact.size)
    effects = {name: _stack([[found.get(name, Effect()) for _, found in line] for line in walked], exact.shape) for name in names}
    worst = np.sum([each.worst for each in effects.values()], axis=0)
    square, drift = (np.sum([getattr(each, part) for each in effects.values()], axis=0) for part in ("square", "drift"))
    return AttentionBound(
        worst=worst, probable=np.minimum(worst, drift + one * np.sqrt(square)),
        everywhere=np.minimum(worst, drift + every * np.sqrt(square)), exact=exact,
        rows=tuple(int(row) for row in chosen), confidence=confidence, policy=problem.policy, format=problem.steps.working,
        sites=_sites(problem, effects, one),
    )  # fmt: skip


def _stack(grid: list[list[Effect]], shape: tuple[int, ...]) -> Effect:
    parts = [np.array([[np.broadcast_to(getattr(each, part), shape[2:]) for each in line] for line in grid]) for part in ("worst", "square", "drift")]
    return Effect(parts[0], parts[1], parts[2], sum(each.roundings for line in grid for each in line))


def _sites(problem: Problem, effects: Mapping[str, Effect], lam: float) -> tuple[SiteBound, ...]:
    """Those that do something, the most probable effect first."""
    found = [
        SiteBound(
            site=name, keeps=problem.policy.accumulator(name) if name.endswith(".acc") else problem.steps.roundings[name].spec.name, roundings=each.roundings,
            worst=float(np.mean(each.worst)), probable=float(np.mean(np.minimum(each.worst, each.drift + lam * np.sqrt(each.square)))),
        )
        for name, each in effects.items()
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda each: -each.probable))

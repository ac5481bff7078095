"""Which site causes the error: each alone, all but each, and a fair share of the squared error by Shapley's rule."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from thrifty.errors import BadValue
from thrifty.lenses.numerics.bounds import attention_bound
from thrifty.lenses.numerics.policy import Policy, as_policy
from thrifty.lenses.numerics.search.trials import Deviates, Trial, only
from thrifty.progress import Progress
from thrifty.report.numbers import finite

if TYPE_CHECKING:
    from thrifty.report import Block, Section

MOST_EXACT: Final = 10
"""Families up to which every coalition is run: 2^10 of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One site, or one family of sites.

    keeps   : format or accumulator; members: sites of a family
    alone   : deviation where only this one rounds; without: where all others do
    share   : of the squared error of all, by Shapley's rule: its mean effect over all orders in which sites may join; error: of that mean, sampled
    predicted : its probable effect as the bounds walk it (`bounds`), None for a family
    """

    name: str
    keeps: str
    members: tuple[str, ...]
    alone: Deviates
    without: Deviates
    share: float | None
    error: float | None
    predicted: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name, "keeps": self.keeps, "members": list(self.members), "alone_rmse": finite(self.alone.rmse), "alone_max": finite(self.alone.max),
            "without_rmse": finite(self.without.rmse), "without_max": finite(self.without.max), "share": finite(self.share), "share_error": finite(self.error),
            "predicted": finite(self.predicted),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """Sites and families by what they cause, the largest first. everything, nothing: deviation with all sites rounding, and with none."""

    policy: str
    settings: Mapping[str, Any]
    everything: Deviates
    nothing: Deviates
    sites: tuple[Part, ...]
    families: tuple[Part, ...]
    runs: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "policy": self.policy, **self.settings, "rmse": finite(self.everything.rmse), "max": finite(self.everything.max),
            "unrounded_rmse": finite(self.nothing.rmse), "sites": [each.to_dict() for each in self.sites],
            "families": [each.to_dict() for each in self.families], "runs": self.runs,
        }  # fmt: skip

    def sections(self) -> Sequence[Section]:
        from thrifty.lenses.numerics.pages.search import attribution_sections

        return attribution_sections(self)

    def brief(self) -> Sequence[Block]:
        from thrifty.lenses.numerics.pages.search import attribution_brief

        return attribution_brief(self)


def attribute(
    *, policy: str | Policy = "fa_paper", format: str = "bf16", seq: int = 1024, head_dim: int = 64, block_k: int | None = None, inputs: str = "uniform",
    rows: int = 16, permutations: int = 0, seed: int = 0, progress: Progress = lambda what, share: None,
) -> Attribution:  # fmt: skip
    """Run the policy with one site rounding, with all but one, and with every coalition of families; inputs are rounded in all of them.

    rows : of queries looked at, spread evenly; permutations: of sites, sampled for their Shapley shares (0: of families only, which are exact)
    """
    if isinstance(permutations, bool) or not isinstance(permutations, int) or permutations < 0:
        raise BadValue(f"permutations={permutations!r} must be a whole number of at least 0.")
    said = as_policy(policy)
    trial = Trial.of(said, format=format, seq=seq, head_dim=head_dim, block_k=block_k, inputs=inputs, rows=rows, seed=seed)
    bound = attention_bound(trial.q, trial.k, trial.v, policy=said, format=format, block_k=block_k, seed=seed)
    names = [each.site for each in bound.sites]
    predicted = {each.site: each.probable for each in bound.sites}
    keeps = {each.site: each.keeps for each in bound.sites}
    families: dict[str, tuple[str, ...]] = {}
    for name in sorted(names):
        families[family(name)] = (*families.get(family(name), ()), name)
    if len(families) > MOST_EXACT:
        raise BadValue(f"policy '{said.name}' has {len(families)} families of sites; at most {MOST_EXACT} can be divided exactly.")
    known: dict[frozenset[str], Deviates] = {}
    planned = 2 * len(names) + (1 << len(families)) + permutations * len(names)

    def run(kept: frozenset[str]) -> Deviates:
        if kept not in known:
            progress(f"sites: {len(known)} runs of at most {planned}", min(len(known) / planned, 1.0))
            known[kept] = trial.run(only(said, set(kept)))
        return known[kept]

    whole = frozenset(names)
    everything, nothing = run(whole), run(frozenset())
    fair = shapley(list(families), lambda some: run(frozenset(site for name in some for site in families[name])).rmse ** 2)
    sampled = sampled_shapley(names, lambda some: run(some).rmse ** 2, permutations, seed) if permutations else {}
    total = everything.rmse**2 - nothing.rmse**2

    def part(name: str, members: tuple[str, ...], mean: float | None, error: float | None, *, effect: float | None) -> Part:
        inside = frozenset(members)
        return Part(
            name=name, keeps=keeps.get(name, ", ".join(dict.fromkeys(keeps[site] for site in members))), members=members, alone=run(inside),
            without=run(whole - inside), predicted=effect, share=None if mean is None or total == 0 else mean / total,
            error=None if error is None or total == 0 else error / abs(total),
        )  # fmt: skip

    none: tuple[float | None, float | None] = (None, None)
    sites = [part(name, (name,), *sampled.get(name, none), effect=predicted[name]) for name in names]
    grouped = [part(name, members, fair[name], None, effect=None) for name, members in families.items()]
    return Attribution(
        policy=said.name, settings={"hash": said.hash(bound.format), **trial.settings(), "permutations": permutations}, everything=everything, nothing=nothing,
        sites=tuple(sorted(sites, key=lambda each: -each.alone.rmse)), families=tuple(sorted(grouped, key=lambda each: -(each.share or 0.0))), runs=len(known),
    )  # fmt: skip


def family(site: str) -> str:
    """What a site's share is pooled with: the part before the dot; sums of PV go with PV."""
    return "pv" if site == "o.acc" else site.split(".")[0]


def shapley(players: Sequence[str], value: Callable[[frozenset[str]], float]) -> dict[str, float]:
    """Mean effect of each player over all orders, from every coalition (Shapley 1953). Sums to value(all) - value(none)."""
    n, found = len(players), dict.fromkeys(players, 0.0)
    for size in range(n):
        weight = math.factorial(size) * math.factorial(n - size - 1) / math.factorial(n)
        for some in itertools.combinations(players, size):
            base = value(frozenset(some))
            for player in players:
                if player not in some:
                    found[player] += weight * (value(frozenset((*some, player))) - base)
    return found


def sampled_shapley(players: Sequence[str], value: Callable[[frozenset[str]], float], count: int, seed: int = 0) -> dict[str, tuple[float, float]]:
    """The same from `count` orders drawn at random: mean effect and its standard error (NaN of one order)."""
    rng = np.random.Generator(np.random.PCG64(seed))
    effects: dict[str, list[float]] = {player: [] for player in players}
    for _ in range(count):
        some: frozenset[str] = frozenset()
        base = value(some)
        for at in rng.permutation(len(players)):
            some |= {players[at]}
            now = value(some)
            effects[players[at]].append(now - base)
            base = now
    return {
        player: (float(np.mean(each)), float(np.std(each, ddof=1) / math.sqrt(count)) if count > 1 else math.nan) for player, each in effects.items()
    }

"""The cheapest formats that keep attention within a deviation: every combination priced, tried from the cheapest up, the winner run again on other draws."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from thrifty.errors import BadValue
from thrifty.footprint.pareto import pareto_front
from thrifty.formats import float_spec
from thrifty.lenses.numerics.laboratory.tiles import block_sizes
from thrifty.lenses.numerics.policy import Policy, as_policy
from thrifty.lenses.numerics.policy.checks import choose
from thrifty.lenses.numerics.search.pricing import Price, Pricer
from thrifty.lenses.numerics.search.trials import Deviates, Trial
from thrifty.progress import Progress
from thrifty.report.numbers import finite

if TYPE_CHECKING:
    from thrifty.report import Block, Section

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "inputs": ("in.q", "in.k", "in.v"),
    "scores": ("s.store", "s.scale", "s.bias", "s.sub", "p.exp"),
    "p": ("p.div", "p.store"),
    "state": ("l.store", "l.mul", "l.add", "alpha.sub", "alpha.exp", "pv.store", "o.mul", "o.add", "o.div", "lse"),
    "output": ("o.store",),
}
"""Sites that take one format together: operands of QKᵀ and PV, what is between them, what is carried from tile to tile, what goes out."""
FORMATS: Final[dict[str, tuple[str, ...]]] = {
    "inputs": ("fp8_e4m3", "bf16", "fp16"), "scores": ("bf16", "fp16", "fp32"), "p": ("fp8_e4m3", "bf16", "fp16"), "state": ("bf16", "fp16", "fp32"),
    "output": ("bf16", "fp16"),
}  # fmt: skip
"""Formats tried where none are given."""
MOST: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One combination: format of every group, its price, its deviation (None: not run, since a cheaper one met the budget), and whether nothing beats it."""

    formats: Mapping[str, str]
    price: Price
    deviates: Deviates | None
    front: bool = False

    def to_dict(self) -> dict[str, Any]:
        return {
            "formats": dict(self.formats), "time_s": self.price.time_s, "energy_j": self.price.energy_j, "front": self.front,
            "max": None if self.deviates is None else finite(self.deviates.max), "rmse": None if self.deviates is None else finite(self.deviates.rmse),
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgeted:
    """What meets a budget at the least cost.

    chosen   : None where no combination does; verified: its deviation on draws it was not chosen by, all rows, with their seeds
    dropped  : ones before it that met the budget on the rows tried and failed on other draws
    candidates : all, the cheapest first; wider_pairs, worse: how often one group's wider format was compared, and how often it deviated more
    """

    settings: Mapping[str, Any]
    metric: str
    budget: float
    by: str
    chosen: Candidate | None
    policy: Policy | None
    verified: Mapping[int, Deviates]
    dropped: int
    candidates: tuple[Candidate, ...]
    wider_pairs: int
    worse: int

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.settings, "metric": self.metric, "budget": self.budget, "by": self.by, "chosen": None if self.chosen is None else self.chosen.to_dict(),
            "policy": None if self.policy is None else self.policy.to_dict(),
            "verified": [{"seed": seed, "max": finite(each.max), "rmse": finite(each.rmse)} for seed, each in self.verified.items()],
            "dropped": self.dropped, "front": [each.to_dict() for each in self.candidates if each.front],
            "tried": sum(each.deviates is not None for each in self.candidates), "combinations": len(self.candidates),
            "monotonicity": {"pairs": self.wider_pairs, "wider_deviates_more": self.worse},
        }  # fmt: skip

    def sections(self) -> Sequence[Section]:
        from thrifty.lenses.numerics.pages.search import budget_sections

        return budget_sections(self)

    def brief(self) -> Sequence[Block]:
        from thrifty.lenses.numerics.pages.search import budget_brief

        return budget_brief(self)


def cheapest(
    budget: float, *, metric: str = "max", by: str = "energy", policy: str | Policy = "fa2_kernel", device: str = "h100-sxm5", batch: int = 1, heads: int = 16,
    seq: int = 1024, head_dim: int = 64, block_k: int | None = None, inputs: str = "normal", formats: Mapping[str, Sequence[str]] | None = None,
    rows: int = 32, draws: int = 3, seed: int = 0, everything: bool = True, progress: Progress = lambda what, share: None,
) -> Budgeted:  # fmt: skip
    """The cheapest formats for the groups of a policy's sites with max or RMSE of (result - golden) at most `budget`, golden of the inputs as given.

    by         : "energy" or "time" of `batch` × `heads` heads on `device`; ties go to the other one, then to fewer bytes on chip, then to less deviation
    formats    : choices of a group (GROUPS); of those not named FORMATS', or what the policy has where it names none
    everything : run all combinations, for the front of cost and deviation; else stop at the first that meets the budget
    draws      : on which the winner must hold, too, all rows of one head each

    Exact for the combinations given: all are priced, and run from the cheapest up, so none that is cheaper than the answer went unrun. That wider formats
    deviate less is counted, not assumed. Raises BadValue, UnknownName.
    """
    choose("metric", metric, ("max", "rmse"))
    choose("by", by, ("energy", "time"))
    if not (isinstance(budget, int | float) and budget > 0 and math.isfinite(budget)):
        raise BadValue(f"budget={budget!r} must be a positive deviation.")
    said = as_policy(policy)
    choices = _choices(formats)
    _, rows_k = block_sizes(head_dim, None, block_k)
    pricer = Pricer(device, batch=batch, heads=heads, seq=seq, head_dim=head_dim, block_k=rows_k)
    combinations = [dict(zip(choices, each, strict=True)) for each in itertools.product(*choices.values())]
    if len(combinations) > MOST:
        raise BadValue(f"formats make {len(combinations)} combinations; at most {MOST} are tried. Name fewer.")
    priced = [(each, pricer.price(with_formats(said, each), each["output"])) for each in combinations]
    priced.sort(key=lambda pair: pair[1].order(by))
    trial = Trial.of(
        said, format="fp64", seq=seq, head_dim=head_dim, block_k=block_k, inputs=inputs, rows=rows, seed=seed, judged="given",
    )  # fmt: skip
    tried: list[Candidate] = []
    chosen: Candidate | None = None
    verified: dict[int, Deviates] = {}
    dropped = 0
    for _, equal in itertools.groupby(priced, key=lambda pair: pair[1].order(by)):
        here: list[Candidate] = []
        for each, price in equal:
            progress(f"combinations: {len(tried) + len(here)} of {len(priced)}", (len(tried) + len(here)) / len(priced))
            wanted = everything or chosen is None
            here.append(Candidate(formats=each, price=price, deviates=trial.run(with_formats(said, each)) if wanted else None))
        tried += here
        good = sorted(
            (each.deviates.by(metric), place) for place, each in enumerate(here) if each.deviates is not None and each.deviates.by(metric) <= budget
        )
        for _, place in good if chosen is None else ():
            progress("verification: on other draws", len(tried) / len(priced))
            others = {
                other: Trial.of(
                    said, format="fp64", seq=seq, head_dim=head_dim, block_k=block_k, inputs=inputs, rows=seq, seed=other, judged="given"
                ).run(with_formats(said, here[place].formats))
                for other in range(seed + 1, seed + 1 + draws)
            }  # fmt: skip
            if all(each.by(metric) <= budget for each in others.values()):
                chosen, verified = here[place], others
                break
            dropped += 1
    pairs, worse = _monotone(tried, metric)
    fronted = _fronted(tried, metric)
    if chosen is not None:
        chosen = fronted[tried.index(chosen)]
    return Budgeted(
        settings={"policy_from": said.name, **pricer.to_dict(), **{key: value for key, value in trial.settings().items() if key != "format"},
                  "choices": {group: list(names) for group, names in choices.items()}},
        metric=metric, budget=float(budget), by=by, chosen=chosen, policy=None if chosen is None else with_formats(said, chosen.formats),
        verified=verified, dropped=dropped, candidates=fronted, wider_pairs=pairs, worse=worse,
    )  # fmt: skip


def with_formats(policy: Policy, formats: Mapping[str, str]) -> Policy:
    """The policy with every site of a group in the group's format; saturating where that has no infinities. Sums stay as they are."""
    sites = {site: replace(policy.rule(site), format=name, overflow=None) for group, name in formats.items() for site in GROUPS[group]}
    return replace(policy, name=f"{policy.name} with {', '.join(f'{group} {name}' for group, name in formats.items())}", sites={**policy.sites, **sites})


def _choices(formats: Mapping[str, Sequence[str]] | None) -> dict[str, tuple[str, ...]]:
    given = {} if formats is None else dict(formats)
    for group, names in given.items():
        choose("group", group, tuple(GROUPS))
        if not names:
            raise BadValue(f"group '{group}' has no formats. Name one at least.")
    return {group: tuple(dict.fromkeys(float_spec(name).name for name in given.get(group, FORMATS[group]))) for group in GROUPS}


def _monotone(tried: Sequence[Candidate], metric: str) -> tuple[int, int]:
    """Pairs that differ in one group, whose format in one holds all numbers of the other's; and those in which the wider deviates more."""
    known = {tuple(each.formats.values()): each.deviates.by(metric) for each in tried if each.deviates is not None}
    pairs = worse = 0
    for one, value in known.items():
        for place, name in enumerate(one):
            for other in {key[place] for key in known} - {name}:
                wide = (*one[:place], other, *one[place + 1 :])
                if wide in known and float_spec(other).holds(float_spec(name)):
                    pairs += 1
                    worse += known[wide] > value
    return pairs, worse


def _fronted(tried: Sequence[Candidate], metric: str) -> tuple[Candidate, ...]:
    """Marked where no other is both cheaper and nearer."""
    run = [place for place, each in enumerate(tried) if each.deviates is not None and math.isfinite(each.deviates.by(metric))]
    if not run:
        return tuple(tried)
    points = np.array([
        [*tried[place].price.order("energy"), tried[place].deviates.by(metric)] for place in run  # type: ignore[union-attr]
    ])  # fmt: skip
    front = {place for place, keep in zip(run, pareto_front(points), strict=True) if keep}
    return tuple(replace(each, front=place in front) for place, each in enumerate(tried))


"""Measures that abate: what each costs a tonne, which are taken under a cap, and what the cap's last tonne is worth.

    minimise  sum cost * share   subject to   sum abates * share >= need,  0 <= share <= 1,  shares of one group together <= 1
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thrifty.errors import BadValue
from thrifty.levers.steward.decision import Certificate
from thrifty.levers.steward.schedule.asking.reading import read_rows
from thrifty.levers.steward.schedule.coupled.solving import solver


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """cost_usd (below 0 where it saves money) and abates_t of the whole measure; group: of measures that exclude each other, "" for none"""

    name: str
    cost_usd: float
    abates_t: float
    group: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.cost_usd) and math.isfinite(self.abates_t) and self.abates_t > 0):
            raise BadValue(f"measure '{self.name}': cost {self.cost_usd:g} USD, abates {self.abates_t:g} t. Give finite numbers, abates above 0.")

    @property
    def usd_per_t(self) -> float:
        """Marginal abatement cost."""
        return self.cost_usd / self.abates_t


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """share of each measure, in the order given; shadow_usd_per_t: what one more tonne of abatement would cost"""

    shares: tuple[float, ...]
    cost_usd: float
    abated_t: float
    shadow_usd_per_t: float
    certificate: Certificate


def read_measures(path: Path) -> tuple[Measure, ...]:
    """`[[measures]]` of a TOML, JSON or CSV file: name, cost_usd, abates_t, group. Raises BadFile, BadValue."""
    found = []
    for row in read_rows(path, "measures"):
        name = str(row.get("name", ""))
        for key in row:
            if key not in ("name", "cost_usd", "abates_t", "group"):
                raise BadValue(f"measure '{name}' has unknown key '{key}'. Allowed: name, cost_usd, abates_t, group.")
        try:
            found.append(Measure(name=name, cost_usd=float(row["cost_usd"]), abates_t=float(row["abates_t"]), group=str(row.get("group", ""))))
        except (KeyError, TypeError, ValueError):
            raise BadValue(f"measure '{name}' needs name, cost_usd and abates_t as numbers. Add them.") from None
    names = [measure.name for measure in found]
    if not found:
        raise BadValue(f"'{path}' holds no measure. Give at least one.")
    if len(set(names)) < len(names):
        raise BadValue(f"two measures are named '{next(name for name in names if names.count(name) > 1)}'. Give every measure a name of its own.")
    return tuple(found)


def abatement_curve(measures: Sequence[Measure]) -> list[tuple[Measure, float]]:
    """Measures from the cheapest tonne on, each with the tonnes abated so far. Groups are not told apart here."""
    ordered = sorted(measures, key=lambda measure: (measure.usd_per_t, measure.name))
    return list(zip(ordered, np.cumsum([measure.abates_t for measure in ordered]).tolist(), strict=True))


def abate(measures: Sequence[Measure], need_t: float) -> Taken:
    """The cheapest way to abate `need_t`. Raises BadValue where all measures together abate less."""
    if not (math.isfinite(need_t) and need_t >= 0):
        raise BadValue(f"abating {need_t:g} t cannot be asked. Give a finite number of at least 0.")
    cost, tonnes = (np.array([getattr(measure, key) for measure in measures]) for key in ("cost_usd", "abates_t"))
    groups = sorted({measure.group for measure in measures if measure.group})
    rows = np.array([-tonnes, *([float(measure.group == group) for measure in measures] for group in groups)])
    right = np.array([-need_t, *(1.0 for _ in groups)])
    found = solver().linprog(cost, A_ub=rows, b_ub=right, bounds=(0, 1), method="highs")
    if found.status != 0:
        most = sum(max((m.abates_t for m in measures if m.group == group), default=0.0) for group in groups)
        most += sum(m.abates_t for m in measures if not m.group)
        raise BadValue(f"all measures together abate {most:g} t at most, below the {need_t:g} t asked for. Ask for less, or add measures.")
    price = np.maximum(0.0, -np.asarray(found.ineqlin.marginals))
    # Weak duality, recomputed: for any prices of at least 0 no choice of shares costs less than this.
    bound = float(-price @ right + np.minimum(0.0, cost + price @ rows).sum())
    value = float(found.fun)
    certificate = Certificate(value=value, bound=min(bound, value), unit="USD", by="linear program, its dual recomputed")
    shares = tuple(float(x) for x in found.x)
    return Taken(shares=shares, cost_usd=value, abated_t=float(tonnes @ found.x), shadow_usd_per_t=float(price[0]), certificate=certificate)

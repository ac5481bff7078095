"""The fleet of least carbon: one design for all, or, where stock is short, the best mix by a MILP."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thrifty.errors import NoRoom, missing_extra
from thrifty.levers.steward.decision import Certificate
from thrifty.levers.steward.reuse.designs import Design
from thrifty.levers.steward.reuse.needs import Needs


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Servers by design, and how good the choice can be at most."""

    designs: tuple[tuple[Design, int], ...]
    certificate: Certificate

    @property
    def carbon_g(self) -> float:
        return math.fsum(design.carbon_g * count for design, count in self.designs)

    @property
    def cores(self) -> int:
        return sum(design.server.cores * count for design, count in self.designs)

    @property
    def credit_g(self) -> float:
        return math.fsum(design.credit_g * count for design, count in self.designs)

    def used(self) -> dict[str, int]:
        """Parts by name over all servers."""
        total: dict[str, int] = {}
        for design, servers in self.designs:
            for name, count in design.server.counts().items():
                total[name] = total.get(name, 0) + count * servers
        return total

    def to_dict(self) -> dict[str, Any]:
        return {"cores": self.cores, "parts": self.used(), "servers": [{"count": count, **design.to_dict()} for design, count in self.designs]}


def choose(designs: Sequence[Design], needs: Needs) -> Fleet:
    """The fleet with at least `needs.cores` cores that emits least over its life.

    Without stock limits the best whole servers by dynamic programming (`cover`); with them the best mix by HiGHS' branch and bound (needs SciPy).
    Raises NoRoom where the stock is not enough.
    """
    if any(needs.stock.values()):
        return _mixed(designs, needs)
    by_cores: dict[int, Design] = {}
    for design in designs:  # of servers with as many cores only the lightest can serve
        kept = by_cores.get(design.server.cores)
        if kept is None or design.carbon_g < kept.carbon_g:
            by_cores[design.server.cores] = design
    counts = cover(needs.cores, {cores: design.carbon_g for cores, design in by_cores.items()})
    chosen = tuple((by_cores[cores], count) for cores, count in counts.items())
    value = math.fsum(design.carbon_g * count for design, count in chosen)
    return Fleet(designs=chosen, certificate=Certificate(value=value, bound=value, unit="gCO2e", by="dynamic programming over every mix of whole servers"))


def cover(wanted: int, costs: Mapping[int, float]) -> dict[int, int]:
    """Counts by size whose sizes add up to at least `wanted` at least cost: sizes and costs above 0, exact.

    Of sizes other than the one of least cost a unit (b of them, in units of all sizes' common divisor) fewer than b are ever needed: among b some add up to
    a multiple of it, and it does as much for no more. So only what b times the largest size leaves open is searched; the rest is of that one.
    """
    unit = math.gcd(*costs)
    sizes = [size // unit for size in costs]
    prices = list(costs.values())
    best = min(range(len(sizes)), key=lambda k: prices[k] / sizes[k])
    need = -(-wanted // unit)
    alike = max(0, (need - sizes[best] * max(sizes)) // sizes[best])
    need -= alike * sizes[best]
    least, last = [0.0] * (need + 1), [0] * (need + 1)
    for amount in range(1, need + 1):
        least[amount], last[amount] = min((prices[k] + least[max(0, amount - sizes[k])], k) for k in range(len(sizes)))
    counts = {best: alike} if alike else {}
    while need > 0:
        counts[last[need]] = counts.get(last[need], 0) + 1
        need -= sizes[last[need]]
    return {sizes[k] * unit: count for k, count in counts.items()}


def _mixed(designs: Sequence[Design], needs: Needs) -> Fleet:
    try:
        from scipy.optimize import Bounds, LinearConstraint, milp
    except ImportError as error:
        raise missing_extra("a fleet from limited stock", "scipy", "optimize") from error
    scarce = [part for part, count in needs.stock.items() if count]
    carbon_D = np.array([design.carbon_g for design in designs])
    scale = float(carbon_D.min())
    cores_D = np.array([design.server.cores for design in designs], dtype=np.float64)
    rows = [LinearConstraint(cores_D[None], lb=needs.cores, ub=np.inf)]
    if scarce:
        used_PD = np.array([[_count(design.server.counts(), part) for design in designs] for part in scarce], dtype=np.float64)
        rows.append(LinearConstraint(used_PD, lb=-np.inf, ub=np.array([needs.stock[part] for part in scarce], dtype=np.float64)))
    most = math.ceil(needs.cores / cores_D.min())
    found = milp(carbon_D / scale, constraints=rows, integrality=np.ones(len(designs)), bounds=Bounds(0, most), options={"mip_rel_gap": 1e-9})
    if found.x is None:
        raise NoRoom(f"{needs.cores} cores cannot be built from this stock: {found.message} Allow parts that are not limited, or fewer cores.")
    servers = np.rint(found.x).astype(int)
    chosen = tuple((design, int(count)) for design, count in zip(designs, servers, strict=True) if count)
    value = math.fsum(design.carbon_g * count for design, count in chosen)
    bound = min(value, float(found.mip_dual_bound) * scale)
    return Fleet(designs=chosen, certificate=Certificate(value=value, bound=bound, unit="gCO2e", by="branch and bound (HiGHS)"))


def _count(counts: Mapping[str, int], part: str) -> int:
    return counts.get(part, 0)

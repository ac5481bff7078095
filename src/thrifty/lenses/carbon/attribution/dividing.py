"""One question, any method: how much of this carbon is whose?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.lenses.carbon.attribution.demands import Demand
from thrifty.lenses.carbon.attribution.energy import energy_shares
from thrifty.lenses.carbon.attribution.games.capacity import MOST_EXACT, exact_shapley
from thrifty.lenses.carbon.attribution.games.sampling import sampled_shapley
from thrifty.lenses.carbon.attribution.proportional import demand_shares, peak_shares, temporal_shares, time_shares

Floats = npt.NDArray[np.float64]
METHODS: Final[Mapping[str, str]] = {
    "shapley": f"what a tenant adds to the peak, averaged over all orders of arrival, exactly (up to {MOST_EXACT} tenants)",
    "sampled": "the same, from drawn orders, with error bars",
    "temporal": "what each period is answerable for, within it by resource-time",
    "reserved": "resource-time that is asked for",
    "usage": "resource-time that is used",
    "demand": "resource-time weighted by how busy the time is",
    "peak": "each tenant's own peak",
}
IDLE_RULES: Final = ("apart", *METHODS)
"""Who pays for capacity above the peak: nobody (a line of its own), or tenants by a method's shares."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attribution:
    """share_N sums to 1 over tenants, of what is not idle; half_N: half-width of a 95 % interval where the method samples.

    embodied_g, operational_g : grams to divide, None where only shares were asked for; embodied_g_N, operational_g_N: by tenant
    idle_g                    : grams of capacity that nobody needed, a line of its own unless a rule charged it (idle_rule)
    """

    demand: Demand
    method: str
    share_N: Floats = field(repr=False)
    half_N: Floats | None = field(default=None, repr=False)
    embodied_g: float | None = None
    operational_g: float | None = None
    embodied_g_N: Floats = field(repr=False)
    operational_g_N: Floats = field(repr=False)
    idle_g: float = 0.0
    idle_rule: str = "apart"
    notes: tuple[str, ...] = ()

    @property
    def total_g(self) -> float | None:
        return None if self.embodied_g is None and self.operational_g is None else (self.embodied_g or 0.0) + (self.operational_g or 0.0)

    def to_dict(self) -> dict[str, Any]:
        total_g, rows = self.total_g, []
        for place, name in enumerate(self.demand.tenants):
            row: dict[str, Any] = {"tenant": name, "share": float(self.share_N[place])}
            if self.half_N is not None:
                row["share_half_width"] = float(self.half_N[place])
            if total_g is not None:
                embodied, operational = float(self.embodied_g_N[place]) / 1e3, float(self.operational_g_N[place]) / 1e3
                row |= {"kg": embodied + operational, "embodied_kg": embodied, "operational_kg": operational}
            rows.append(row)
        return {
            "method": self.method, "meaning": METHODS[self.method], "truth": "modelled", "total_kg": None if total_g is None else total_g / 1e3,
            "peak": self.demand.peak, "steps": len(self.demand.demand_TN), "tenants": rows, "idle_kg": self.idle_g / 1e3, "idle_rule": self.idle_rule,
            "notes": list(self.notes),
        }  # fmt: skip


def method_shares(demand: Demand, method: str, *, blocks: int = 256, seed: int = 0, splits: tuple[int, ...] = ()) -> tuple[Floats, Floats | None]:
    """((N,) shares of 1, half-widths of 95 % intervals where the method samples). Raises BadValue for an unknown method or one that cannot answer."""
    if method not in METHODS:
        raise BadValue(f"'{method}' is no way to attribute carbon. Choose from: {', '.join(METHODS)}.")
    if splits and method != "temporal":
        raise BadValue(f"splits={'×'.join(map(str, splits))} belong to method temporal, and the method is {method}. Leave them out.")
    if not demand.demand_TN.any():
        raise BadValue("no tenant asks for anything at any time, so nobody can be charged. Give demand above 0 somewhere, or report the carbon as idle.")
    if method == "usage":
        if demand.used_TN is None:
            raise BadValue("method usage divides by what was used, and only demand is known. Give --used FILE, or choose --method reserved.")
        return time_shares(demand.used_TN), None
    if method == "sampled":
        found = sampled_shapley(demand.demand_TN, blocks=blocks, seed=seed)
        return found.share_N / demand.peak, found.half_N / demand.peak
    if method == "shapley":
        return exact_shapley(demand.demand_TN) / demand.peak, None
    if method == "temporal":
        return temporal_shares(demand.demand_TN, splits), None
    return {"reserved": time_shares, "demand": demand_shares, "peak": peak_shares}[method](demand.demand_TN), None


def possible_methods(demand: Demand) -> tuple[str, ...]:
    """The methods that can answer for this demand, to hold beside each other."""
    active = int((demand.demand_TN.max(axis=0) > 0).sum())
    skipped = {"sampled" if active <= MOST_EXACT else "shapley", *(() if demand.used_TN is not None else ("usage",))}
    return tuple(method for method in METHODS if method not in skipped)


def attribute_carbon(
    demand: Demand, method: str, *, embodied_g: float | None = None, operational_g: float | None = None, capacity: float | None = None,
    idle_rule: str = "apart", idle_share: float = 0.0, blocks: int = 256, seed: int = 0, splits: tuple[int, ...] = (),
) -> Attribution:  # fmt: skip
    """Divide the carbon of making hardware by `method`, and that of running it by use (idle energy by reservation).

    capacity   : what there is of the resource; what lies above the peak is idle, and `idle_rule` says who pays for it. None: the peak, nothing idle
    idle_share : share of the energy that machines draw at rest
    Raises BadValue for carbon below 0, capacity below the peak, or what `method_shares` refuses.
    """
    for name, grams in (("embodied_kg", embodied_g), ("operational_kg", operational_g)):
        if grams is not None and not (math.isfinite(grams) and grams >= 0):
            raise BadValue(f"{name}={grams / 1e3} is below 0 or not finite. Give what is to be divided; offsets never subtract.")
    if capacity is not None and not (math.isfinite(capacity) and capacity >= demand.peak * (1 - 1e-12)):
        raise BadValue(f"capacity={capacity:g} is below the peak of {demand.peak:g}. Give what the machines have, in the unit of demand.")
    if idle_rule not in IDLE_RULES:
        raise BadValue(f"'{idle_rule}' is no rule for idle capacity. Choose from: {', '.join(IDLE_RULES)}.")
    share_N, half_N = method_shares(demand, method, blocks=blocks, seed=seed, splits=splits)
    there = demand.peak if capacity is None else capacity
    used_TN = demand.demand_TN if demand.used_TN is None else demand.used_TN
    running_N, resting = energy_shares(demand.demand_TN, used_TN, capacity=there, idle_share=idle_share)
    needed = demand.peak / there
    embodied_g_N = share_N * (embodied_g or 0.0) * needed
    operational_g_N = running_N * (operational_g or 0.0)
    idle_g = (embodied_g or 0.0) * (1 - needed) + (operational_g or 0.0) * resting
    if idle_rule != "apart":
        rule_N, _ = method_shares(demand, idle_rule, blocks=blocks, seed=seed)
        embodied_g_N = embodied_g_N + rule_N * (embodied_g or 0.0) * (1 - needed)
        operational_g_N = operational_g_N + rule_N * (operational_g or 0.0) * resting
    notes = [f"idle capacity is charged by method {idle_rule}"] if idle_rule != "apart" else []
    if operational_g is not None and demand.used_TN is None:
        notes.append("use is not known: running is divided by what was asked for")
    if method == "sampled":
        notes.append(f"{blocks} blocks of drawn orders, seed {seed}; half-widths are of 95 % intervals")
    return Attribution(
        demand=demand, method=method, share_N=share_N, half_N=half_N, embodied_g=embodied_g, operational_g=operational_g, embodied_g_N=embodied_g_N,
        operational_g_N=operational_g_N, idle_g=idle_g, idle_rule=idle_rule, notes=tuple(notes),
    )  # fmt: skip

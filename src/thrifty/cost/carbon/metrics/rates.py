"""Carbon of one unit of something: a request, a token, a core, an EFLOP; and what a tonne less costs.

    SCI  = (E · I + M) / R                                      ISO/IEC 21031:2024; offsets never subtract
    M    = TE · TiR/EL · RR/ToR                                 share of time and of the resource
    CCI  = carbon over life / EFLOP over life, gCO2e/EFLOP      Schneider et al. 2025, six years
    CFE  = Σ [matched + (load − matched) · grid CFE] / Σ load   hour by hour, matched = min(load, contracted)
    MAC  = (cost − cost₀) / (carbon₀ − carbon), USD/tCO2e
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.metrics.doors import Floats, amounts, positive, shares
from thrifty.errors import BadValue
from thrifty.quantities import J_PER_KWH

G_PER_T = 1e6
FLOP_PER_EFLOP = 1e18


def embodied_share(
    embodied_gco2e: npt.ArrayLike, reserved_s: npt.ArrayLike, life_s: npt.ArrayLike, resource_share: npt.ArrayLike = 1.0
) -> Floats:  # fmt: skip
    """M of SCI: TE · TiR/EL · RR/ToR, gCO2e. Raises BadValue for a life of 0, a share above 1, or more time than a life."""
    total, reserved = amounts(embodied_gco2e=embodied_gco2e, reserved_s=reserved_s)
    (life,) = positive(life_s=life_s)
    (share,) = shares(resource_share=resource_share)
    if (reserved > life).any():
        raise BadValue(f"reserved_s={reserved.max():g} is above life_s={life.min():g}. Count more devices.")
    return total * (reserved / life) * share


def sci(energy_j: npt.ArrayLike, intensity_gco2e_per_kwh: npt.ArrayLike, embodied_gco2e: npt.ArrayLike, units: npt.ArrayLike) -> Floats:
    """Software carbon intensity, gCO2e a functional unit; `embodied_gco2e` is M, the share of `embodied_share`. Raises BadValue for no units."""
    e, i, m = amounts(energy_j=energy_j, intensity_gco2e_per_kwh=intensity_gco2e_per_kwh, embodied_gco2e=embodied_gco2e)
    (r,) = positive(units=units)
    return (e * i / J_PER_KWH + m) / r


def carbon_per(carbon_gco2e: npt.ArrayLike, units: npt.ArrayLike) -> Floats:
    """gCO2e a token, FLOP, request or core. Raises BadValue for no units."""
    (c,), (n,) = amounts(carbon_gco2e=carbon_gco2e), positive(units=units)
    return c / n


def cci(carbon_gco2e: npt.ArrayLike, flops: npt.ArrayLike) -> Floats:
    """Compute carbon intensity, gCO2e/EFLOP: all carbon of a life over all FLOPs done in it (done, not peak)."""
    return carbon_per(carbon_gco2e, flops) * FLOP_PER_EFLOP


def abatement_cost(
    cost_before_usd: npt.ArrayLike, cost_after_usd: npt.ArrayLike, carbon_before_gco2e: npt.ArrayLike, carbon_after_gco2e: npt.ArrayLike
) -> Floats:  # fmt: skip
    """Marginal abatement cost, USD/tCO2e: below 0 where less carbon is also cheaper. Raises BadValue where carbon does not fall: it then has no price."""
    before, after = amounts(cost_before_usd=cost_before_usd, cost_after_usd=cost_after_usd)
    c0, c1 = amounts(carbon_before_gco2e=carbon_before_gco2e, carbon_after_gco2e=carbon_after_gco2e)
    saved = c0 - c1
    if (saved <= 0).any():
        raise BadValue(f"carbon rises or stays by {-float(np.min(saved)):g} gCO2e, so that nothing is abated at any price. Leave that measure out.")
    return (after - before) / (saved / G_PER_T)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Something that could be done: what it costs (below 0: earns) and what it saves."""

    name: str
    cost_usd: float
    saves_gco2e: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of the curve: at `usd_per_t`, from `start_t` to `end_t` tonnes saved in all."""

    name: str
    usd_per_t: float
    start_t: float
    end_t: float


def abatement_curve(measures: Sequence[Measure]) -> tuple[Step, ...]:
    """Measures from the cheapest tonne to the dearest, their savings end to end (taken as independent: what overlaps must be priced together).

    Raises BadValue for none, a cost that is not finite, or a saving that is not above 0.
    """
    if not measures:
        raise BadValue("no measures make no curve. Give at least one.")
    for measure in measures:
        if not np.isfinite(measure.cost_usd):
            raise BadValue(f"measure '{measure.name}' costs {measure.cost_usd}. Give a finite number of USD.")
        positive(saves_gco2e=measure.saves_gco2e)
    ordered = sorted(measures, key=lambda measure: (measure.cost_usd / measure.saves_gco2e, measure.name))
    steps, done = [], 0.0
    for measure in ordered:
        tonnes = measure.saves_gco2e / G_PER_T
        steps.append(Step(name=measure.name, usd_per_t=measure.cost_usd / tonnes, start_t=done, end_t=done + tonnes))
        done += tonnes
    return tuple(steps)

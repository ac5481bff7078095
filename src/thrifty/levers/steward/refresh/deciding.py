"""The whole question: these old machines, those new ones, this place, so many years."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

from thrifty.cost.carbon import Embodied
from thrifty.cost.energy import EnergyModel
from thrifty.errors import BadValue
from thrifty.footprint import Footprint, Interval
from thrifty.hardware import Device, Site
from thrifty.levers.contract import Change
from thrifty.levers.steward.decision import Certificate, Decision
from thrifty.levers.steward.refresh.fleets import Fleets, Future, Kind, Sums, best_replacements
from thrifty.levers.steward.refresh.lifetimes import best_life_years
from thrifty.levers.steward.refresh.ratios import WorkRatio
from thrifty.levers.steward.refresh.swap import Swap
from thrifty.levers.steward.refresh.timing import Upgrade, needed_carbon_price, upgrades
from thrifty.quantities import HOURS_PER_YEAR, YEAR_S

End = Literal["low", "mid", "high"]
ENDS: Final[tuple[End, ...]] = get_args(End)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshing:
    """The answer: the decision, and what a page draws of it.

    fleets   : the middle case; replaced: the best years to replace all, empty: keep
    by_case  : best years under every combination of the ends of (making, ratio); robust: all of them agree on replacing, or keeping, now
    """

    decision: Decision
    swap: Swap
    fleets: Fleets
    replaced: tuple[int, ...]
    by_case: dict[str, tuple[int, ...]]
    robust: bool
    upgrades: tuple[Upgrade, ...]
    break_even_years: tuple[float, float, float]
    sentence: str


def load_w(device: Device, utilisation: float) -> tuple[float, tuple[str, ...]]:
    """Watts at a share of full load, linear between idle and TDP; notes on what the sheet lacks. Raises BadValue for a share outside 0 to 1."""
    if not (math.isfinite(utilisation) and 0 <= utilisation <= 1):
        raise BadValue(f"utilisation={utilisation} is not from 0 to 1. Give the share of full load, e.g. 0.6.")
    model = EnergyModel.of(device)
    return model.idle_w + utilisation * (device.tdp_w - model.idle_w), tuple(f"{device.name}: {note}" for note in model.notes if "idle" in note)


def swap_of(old: Device, new: Device, ratio: WorkRatio, *, devices: int = 1, utilisation: float = 0.6) -> Swap:
    """`devices` old machines and as many new ones as do their work. Raises BadValue for one machine against itself and for counts below 1."""
    if old.name == new.name:
        raise BadValue(f"old and new are both {old.name}. Name two different machines.")
    if isinstance(devices, bool) or devices != int(devices) or devices < 1:
        raise BadValue(f"devices={devices} is no whole number from 1 up. Give how many old machines there are.")
    (old_w, old_notes), (new_w, new_notes) = load_w(old, utilisation), load_w(new, utilisation)
    embodied = [Embodied.of(device) for device in (old, new)]
    notes = [*old_notes, *new_notes, *(f"{device.name}: {note}" for device, made in zip((old, new), embodied, strict=True) for note in made.notes)]
    return Swap(
        old=old.name, new=new.name, old_count=float(devices), new_count=devices / ratio.mid, old_w=old_w, new_w=new_w,
        old_gco2e=embodied[0].total_gco2e, new_gco2e=embodied[1].total_gco2e, ratio=ratio.mid, ratio_ground=ratio.ground,
        old_usd=old.price_usd, new_usd=new.price_usd, notes=tuple(dict.fromkeys(notes)),
    )  # fmt: skip


def fleets_of(swap: Swap, site: Site, future: Future, making: End = "mid") -> Fleets:
    """The yearly question with making at one end of its interval."""
    old_g, new_g = getattr(swap.old_gco2e, making) * swap.old_count, getattr(swap.new_gco2e, making) * swap.new_count
    return Fleets(
        standing=Kind(making_gco2e=old_g, power_w=swap.old_power_w, making_usd=(swap.old_usd or 0.0) * swap.old_count),
        sold=Kind(making_gco2e=new_g, power_w=swap.new_power_w, making_usd=(swap.new_usd or 0.0) * swap.new_count),
        future=future, intensity_gco2e_per_kwh=site.intensity_gco2e_per_kwh, pue=site.pue, price_usd_per_kwh=site.electricity_usd_per_kwh or 0.0,
    )  # fmt: skip


def decide_refresh(
    old: Device, new: Device, site: Site, future: Future, ratio: WorkRatio, *, devices: int = 1, utilisation: float = 0.6,
    objective: Literal["carbon", "cost"] = "carbon", longest_years: int = 0, command: str = "",
) -> Refreshing:  # fmt: skip
    """Whether and when to replace `devices` old machines by new ones that do the same work, so that the horizon emits (or costs) least.

    Raises BadValue for what `swap_of` and `best_replacements` refuse, and for the objective "cost" where a price is unknown.
    """
    swap = swap_of(old, new, ratio, devices=devices, utilisation=utilisation)
    known = swap.new_usd is not None and site.electricity_usd_per_kwh is not None
    if objective == "cost" and not known:
        lacking = f"{swap.new} a price" if swap.new_usd is None else f"{site.name} a price of electricity"
        raise BadValue(f"the catalogue does not give {lacking}. Choose --objective carbon.")
    fleets = fleets_of(swap, site, future)
    replaced = best_replacements(fleets, objective, longest_years=longest_years)
    by_case = _by_case(swap, site, future, ratio, objective, longest_years)
    robust = len({0 in plan for plan in by_case.values()}) == 1
    kept, chosen = ({end: fleets_of(swap, site, future, end).total(plan) for end in ENDS} for plan in ((), replaced))
    pays = swap.break_even_years(site.intensity_gco2e_per_kwh, site.pue)
    sentence = _sentence(swap, pays, replaced, robust, future.years)
    value = chosen["mid"].carbon_gco2e if objective == "carbon" else chosen["mid"].cost_usd
    unit = "gCO2e" if objective == "carbon" else "USD"
    needed = needed_carbon_price(fleets, replaced or (0,)) if known else None
    plan: dict[str, Any] = {
        "answer": sentence, "replace_in_years": list(replaced), "robust": robust, "by_case": {case: list(years) for case, years in by_case.items()},
        "pays_back": math.isfinite(pays[1]), "break_even_years": dict(zip(ENDS, map(_finite, pays), strict=True)),
        "old": {"name": swap.old, "count": swap.old_count, "power_w": swap.old_power_w},
        "new": {"name": swap.new, "count": swap.new_count, "power_w": swap.new_power_w, "making_gco2e": (swap.new_gco2e * swap.new_count).to_dict()},
        "ratio": {"low": ratio.low, "mid": ratio.mid, "high": ratio.high, "ground": ratio.ground},
        "paying_intensity_gco2e_per_kwh": dict(zip(ENDS, map(_finite, swap.paying_intensity(future.years, site.pue)), strict=True)),
        "best_life_years": _finite(_life(swap, site, future)), "carbon_price_needed_usd_per_t": needed,
        "upgrade_once": [
            {"year": each.year, "carbon_gco2e": each.sums.carbon_gco2e, "cost_usd": each.sums.cost_usd if known else None} for each in upgrades(fleets)
        ],
    }  # fmt: skip
    decision = Decision(
        change=Change(before=_footprint(kept, future, known), after=_footprint(chosen, future, known), artefact="", command=command),
        plan=plan, certificate=Certificate(value=value, bound=value, unit=unit, by="dynamic programming over every sequence of yearly replacements"),
        notes=(
            "what making the old machines emitted is spent whatever is decided and counts nowhere",
            "hosts, racks and buildings around the machines are left out on both sides", *swap.notes, *site.notes,
        ),
        sources=tuple(dict.fromkeys(fact.source for fact in (*site.facts.values(), *old.facts.values(), *new.facts.values()))),
    )  # fmt: skip
    return Refreshing(
        decision=decision, swap=swap, fleets=fleets, replaced=replaced, by_case=by_case, robust=robust, upgrades=upgrades(fleets), break_even_years=pays,
        sentence=sentence,
    )  # fmt: skip


def _by_case(
    swap: Swap, site: Site, future: Future, ratio: WorkRatio, objective: Literal["carbon", "cost"], longest_years: int
) -> dict[str, tuple[int, ...]]:  # fmt: skip
    found = {}
    for name, value in {f"ratio {getattr(ratio, end):.3g}": getattr(ratio, end) for end in ENDS}.items():
        resized = replace(swap, new_count=swap.old_count / value)
        for making in ENDS:
            found[f"making {making}, {name}"] = best_replacements(fleets_of(resized, site, future, making), objective, longest_years=longest_years)
    return found


def _life(swap: Swap, site: Site, future: Future) -> float:
    yearly = swap.new_power_w / 1000 * HOURS_PER_YEAR * site.pue * site.intensity_gco2e_per_kwh
    return best_life_years(swap.new_gco2e.mid * swap.new_count, yearly, future.gain)


def _footprint(by_end: dict[End, Sums], future: Future, known: bool) -> Footprint:
    carbon = sorted(by_end[end].carbon_gco2e for end in ENDS)
    return Footprint(
        time_s=future.years * YEAR_S, memory_bytes=0.0, energy_j=by_end["mid"].energy_j, carbon_gco2e=Interval(*carbon),
        cost_usd=by_end["mid"].cost_usd if known else None,
    )  # fmt: skip


def _sentence(swap: Swap, pays: tuple[float, float, float], replaced: Iterable[int], robust: bool, years: int) -> str:
    when = [str(year) for year in replaced]
    answer = f"Keep the {swap.old}." if not when else "Replace now." if when == ["0"] else f"Replace at the start of year {', '.join(when)} (0 is now)."
    if not math.isfinite(pays[1]):
        why = f"{swap.new} never pays back: it draws {swap.new_power_w:,.0f} W for the work that {swap.old} does with {swap.old_power_w:,.0f} W."
        if swap.new_power_w < swap.old_power_w:
            why = f"{swap.new} never pays back: electricity here emits nothing."
    else:
        why = f"Making {swap.new} pays back after {pays[1]:.2g} years ({pays[0]:.2g} to {pays[2]:.2g} over what models of making say); planned are {years}."
    return f"{answer} {why} " + ("Every estimate agrees." if robust else "Estimates disagree: at one end of their range the answer is another.")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

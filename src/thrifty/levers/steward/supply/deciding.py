"""The answer to a question of supply: what to build, how near the best it is, and what a yearly account would have said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from thrifty.cost.carbon.supply import annual_matching, battery_life_years, replay, shift_days, supply_embodied_g
from thrifty.footprint import Footprint, Interval
from thrifty.levers.contract import Change
from thrifty.levers.steward.decision import Certificate, Decision
from thrifty.levers.steward.supply.question import Floats, Question
from thrifty.levers.steward.supply.replayed import outcomes
from thrifty.levers.steward.supply.searching import Grid, Searched, search_supplies
from thrifty.levers.steward.supply.sizing import Built, Sized, near, size_supply
from thrifty.progress import Progress
from thrifty.quantities import YEAR_S

J_PER_MWH = 3.6e9


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Hours:
    """Step by step with the supply found, MWh: load after moving, own solar and wind, from the battery, from the grid, spilled; level at the end."""

    load_T: Floats = field(repr=False)
    solar_T: Floats = field(repr=False)
    wind_T: Floats = field(repr=False)
    battery_T: Floats = field(repr=False)
    grid_T: Floats = field(repr=False)
    spilled_T: Floats = field(repr=False)
    level_T: Floats = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Supplying:
    """The decision, and what a page draws of it."""

    decision: Decision
    question: Question
    sized: Sized
    hours: Hours
    searched: Searched | None
    sentence: str


def hours_of(question: Question, built: Built) -> Hours:
    """One supply, step by step."""
    solar, wind = built.solar_mw * question.solar_share_T, built.wind_mw * question.wind_share_T
    load = question.load_mw_T
    if question.flexible:
        cap = float(load.max()) + built.extra_mw
        load = shift_days(load, question.days_T, flexible_share=question.flexible, cap_mw=cap, supply_mw_T=solar + wind, step_h=question.step_h).load_mw_T
    run = replay(solar + wind - load, question.battery(built.depth).sized(built.battery_mwh), question.step_h)
    step = question.step_h
    given = np.maximum(load - solar - wind, 0.0) * step - run.unmet_mwh_T
    return Hours(
        load_T=load * step, solar_T=solar * step, wind_T=wind * step, battery_T=np.maximum(given, 0.0), grid_T=run.unmet_mwh_T, spilled_T=run.spilled_mwh_T,
        level_T=run.level_mwh_T,
    )  # fmt: skip


def decide_supply(
    question: Question, *, points: int = 0, folder: Path | None = None, asked: Mapping[str, Any] | None = None, progress: Progress | None = None,
    command: str = "",
) -> Supplying:  # fmt: skip
    """Size the supply; with `points`, also search a grid of so many supplies and keep its front. Raises what `size_supply` and `search_supplies` raise."""
    sized = size_supply(question, progress=progress)
    built = sized.built
    hours = hours_of(question, built)
    searched = None
    if points:
        searched = search_supplies(question, Grid.of(question, points), depth=built.depth, progress=progress, folder=folder, asked=asked)
    making_g, discharged = _making_g(question, built, hours)
    grid_kg = float(hours.grid_T @ question.intensity_T)
    load_kg = float(question.load_mw_T @ question.intensity_T) * question.step_h
    costs = _costs(question, built)
    sentence = _sentence(question, sized, making_g.mid / 1e6, grid_kg / 1e3, load_kg / 1e3)
    carbon = Interval(making_g.low + grid_kg * 1e3, making_g.mid + grid_kg * 1e3, making_g.high + grid_kg * 1e3)
    time_s = question.years * YEAR_S
    losses_mwh = max(0.0, float((hours.solar_T + hours.wind_T + hours.grid_T - hours.load_T - hours.spilled_T).sum()) - float(hours.level_T[-1]))
    energy_j = question.load_mwh * J_PER_MWH
    before = Footprint(time_s=time_s, memory_bytes=0.0, energy_j=energy_j, carbon_gco2e=Interval.exact(load_kg * 1e3), cost_usd=costs[0])
    after = Footprint(time_s=time_s, memory_bytes=0.0, energy_j=energy_j + losses_mwh * J_PER_MWH, carbon_gco2e=carbon, cost_usd=costs[1])
    clean = None
    if question.clean_T is not None:
        clean = 1.0 - float(hours.grid_T @ (1.0 - question.clean_T)) / question.load_mwh
    generated = hours.solar_T + hours.wind_T
    cycles = discharged / (built.depth * built.battery_mwh * question.years) if built.battery_mwh else 0.0
    plan: dict[str, Any] = {
        "answer": sentence, **built.to_dict(), "flexible": question.flexible, "kind": question.kind, "target": question.target, "reached": sized.reached,
        "coverage": 1.0 - float(hours.grid_T.sum()) / question.load_mwh, "cfe_score": clean, "target_binds": sized.reached < question.target + 1e-4,
        "making_t": (making_g * 1e-6).to_dict(), "hourly_t": grid_kg / 1e3, "total_t": carbon.mid / 1e6, "grid_only_t": load_kg / 1e3,
        "spilled_share": float(hours.spilled_T.sum()) / max(1e-12, float(generated.sum())),
        "cycles_per_year": cycles, "battery_life_years": float(battery_life_years([cycles], built.depth)[0]) if built.battery_mwh else None,
        "annual_matching": annual_matching(question.load_mw_T * question.step_h, generated),
        "annual_only": _annual_only(question), "if_making_is": _ends(question, sized), "truth": "modelled",
        "relaxed": {f"{depth:g}": {"bound": each.bound, "solar_mw": each.solar_mw, "wind_mw": each.wind_mw, "battery_mwh": each.battery_mwh}
                    for depth, each in sized.relaxed.items()},
        "search": None if searched is None else _search(question, searched),
    }  # fmt: skip
    notes = (
        "the battery follows the hour: it takes what is spilled and gives what lacks; the bound knows the whole year ahead",
        "making by orders of size as remembered: ranges are carried through; a battery weighs by its years or its cycles, whichever end first",
        *(["prices of supply are orders of size as remembered"] if costs[1] is not None else []), *question.notes,
    )
    by = "LP dual (HiGHS), recomputed; whole-year foresight, no taper, free dispatch"
    return Supplying(
        decision=Decision(
            change=Change(before=before, after=after, artefact="", command=command, quality={"coverage": {"before": 0.0, "after": plan["coverage"]}}),
            plan=plan, certificate=Certificate(value=sized.value, bound=min(sized.bound, sized.value), unit=question.unit, by=by), notes=notes,
            sources=question.sources,
        ),
        question=question, sized=sized, hours=hours, searched=searched, sentence=sentence,
    )  # fmt: skip


def _making_g(question: Question, built: Built, hours: Hours) -> tuple[Interval, float]:
    """Grams of what is built that fall to the period, by the accounts' own function; and MWh that left the cells."""
    found = outcomes(
        question, [built.solar_mw], [built.wind_mw], [built.battery_mwh], [built.extra_mw], depth=built.depth, rates=question.rates("carbon")
    )  # fmt: skip
    discharged = float(found.discharged_mwh_N[0])
    low, mid, high = supply_embodied_g(
        solar_mwh_N=[hours.solar_T.sum()], wind_mwh_N=[hours.wind_T.sum()], battery_mwh_N=[built.battery_mwh], discharged_mwh_N=[discharged],
        years=question.years, depth=built.depth, servers_N=[built.extra_mw * 1e6 / question.server_w],
    )[:, 0]  # fmt: skip
    return Interval(float(low), float(mid), float(high)), discharged


def _costs(question: Question, built: Built) -> tuple[float | None, float | None]:
    if not np.isfinite(question.price_usd_per_mwh):
        return None, None
    found = outcomes(question, [built.solar_mw], [built.wind_mw], [built.battery_mwh], [built.extra_mw], depth=built.depth, rates=question.rates("cost"))
    return question.load_mwh * question.price_usd_per_mwh, float(found.value_N[0])


def _annual_only(question: Question) -> dict[str, Any]:
    """The least making with which the year generates what the load takes: what a net-zero claim by the year asks for, and what it leaves by the hour."""
    rates = question.rates("carbon")
    yields = {"solar": float(question.solar_share_T.sum()) * question.step_h, "wind": float(question.wind_share_T.sum()) * question.step_h}
    per_mwh = {"solar": rates.solar_per_mw / max(yields["solar"], 1e-12), "wind": rates.wind_per_mw / max(yields["wind"], 1e-12)}
    fuel = min((name for name in yields if yields[name] > 0), key=lambda name: per_mwh[name], default="wind")
    mw = question.load_mwh / max(yields[fuel], 1e-12)
    still = question.asking(flexible=0.0)
    found = outcomes(still, [mw if fuel == "solar" else 0.0], [mw if fuel == "wind" else 0.0], [0.0], rates=rates)
    return {
        "fuel": fuel, "mw": mw, "annual_matching": 1.0, "annual_matched_t": 0.0, "coverage": 1.0 - float(found.unmet_mwh_N[0]) / question.load_mwh,
        "hourly_t": float(found.grid_N[0]) / 1e3,
    }  # fmt: skip


def _ends(question: Question, sized: Sized) -> dict[str, Any]:
    """What would be built if making weighed the low or the high end, and how far the supply found is above that then."""
    if question.objective != "carbon":
        return {}
    ends: tuple[Literal["low", "high"], ...] = ("low", "high")
    built = sized.built
    said: dict[str, Any] = {}
    for end in ends:
        rates = question.rates("carbon", end)
        value, other = near(question, built, rates)
        extra = [built.extra_mw]
        mine = float(outcomes(question, [built.solar_mw], [built.wind_mw], [built.battery_mwh], extra, depth=built.depth, rates=rates).value_N[0])
        said[end] = {**other.to_dict(), "total_t": value / 1e3, "regret": max(0.0, mine / value - 1.0) if value else 0.0}
    return said


def _search(question: Question, searched: Searched) -> dict[str, Any]:
    names = searched.columns
    least = {**searched.built(searched.least).to_dict(), "value": float(searched.rows_PC[searched.least, 4:6].sum())}
    return {
        "points": searched.points, "unit": question.unit, "checked": len(searched.rows_PC), "disagreed_mwh": searched.disagreed_mwh,
        "seconds": sum(searched.seconds), "least_total": least,
        "least_that_reaches_the_target": None if searched.holding is None else {**searched.holding.to_dict(), "value": searched.holding_value},
        "front": [dict(zip(names, map(float, row), strict=True)) for row in searched.rows_PC],
    }  # fmt: skip


def _sentence(question: Question, sized: Sized, making_t: float, grid_t: float, before_t: float) -> str:
    b = sized.built
    parts = [f"{b.solar_mw:.4g} MW solar", f"{b.wind_mw:.4g} MW wind", f"{b.battery_mwh:.4g} MWh of battery"]
    if b.battery_mwh and b.depth < 1:
        parts[-1] += f" used to {b.depth:.0%}"
    if question.flexible:
        parts.append(f"machines for {b.extra_mw:.3g} MW more")
    word = "24/7 score" if question.kind == "cfe" else "coverage"
    least = "least carbon" if question.objective == "carbon" else "least cost"
    holds = f"reach a {word} of {sized.reached:.2%}"
    if sized.reached > question.target + 1e-4:
        holds += f" (asked: {question.target:.4g}; {least} lies above it)"
    gap = max(0.0, sized.value - sized.bound) / sized.value if sized.value else 0.0
    worse = " That is more than the grid alone emits: here the target costs carbon." if making_t + grid_t > before_t else ""
    return (
        f"Build {', '.join(parts)}: they {holds} and emit {making_t + grid_t:,.0f} t in the period ({making_t:,.0f} making, {grid_t:,.0f} grid) instead of "
        f"{before_t:,.0f} t.{worse} No supply can be more than {gap:.2%} better."
    )

"""The best supply that reaches a target under replay: a linear programme points the way, replay decides, and the programme's bound says how near it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from thrifty.errors import BadValue
from thrifty.levers.steward.supply.linear import Relaxed, relax
from thrifty.levers.steward.supply.question import SLACK, Floats, Question, Rates
from thrifty.levers.steward.supply.replayed import outcomes
from thrifty.progress import Progress

_HALVINGS, _LAST_HALVINGS = 20, 36
_SIDE, _SIDE_EXTRA, _MORE = 7, 5, 5
_LEVELS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A supply: MW, MWh, MW of machines beyond the largest load, and the share of the battery that cycles may take."""

    solar_mw: float
    wind_mw: float
    battery_mwh: float
    extra_mw: float = 0.0
    depth: float = 1.0

    def to_dict(self) -> dict[str, float]:
        return {"solar_mw": self.solar_mw, "wind_mw": self.wind_mw, "battery_mwh": self.battery_mwh, "extra_mw": self.extra_mw, "battery_depth": self.depth}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """value, reached: of the supply under replay; bound: no supply within the limits is below it; relaxed: the programme by depth of cycles."""

    built: Built
    value: float
    reached: float
    bound: float
    relaxed: dict[float, Relaxed]


def best_reachable(question: Question) -> float:
    """The most coverage (or 24/7 score) that the limits allow: everything at its largest. More supply or battery never covers less."""
    most = question.most
    deepest = max(question.depths)
    extra = [most.extra_mw] if question.flexible else None
    return float(outcomes(question, [most.solar_mw], [most.wind_mw], [most.battery_mwh], extra, depth=deepest).reached_N[0])


def size_supply(question: Question, *, progress: Progress | None = None) -> Sized:
    """The least-carbon (or cheapest) supply that reaches the question's target, hour by hour, under replay with the tapering battery.

    One linear programme a depth of cycles, deepest first; where its cycles do not bind, shallower ones cannot be better and are left out. Around each
    answer replays are searched: a grid of solar, wind and machines that halves around its best point, each with the least battery that holds the
    target, found by bisection, or a little more. Raises BadValue for a target out of reach, with the best that can be reached.
    """
    tell = progress or (lambda what, share: None)
    reachable = best_reachable(question)
    if reachable < question.target - SLACK:
        most = question.most
        raise BadValue(
            f"a {question.kind} of {question.target:g} is out of reach: {reachable:.4f} is the most with {most.solar_mw:g} MW solar, "
            f"{most.wind_mw:g} MW wind and {most.battery_mwh:g} MWh. Raise the limits, or lower the target."
        )
    relaxed: dict[float, Relaxed] = {}
    found: tuple[float, Built, float] | None = None
    depths = sorted(question.depths, reverse=True)
    for place, depth in enumerate(depths):
        tell(f"bound: cycles of {depth:.0%} of the battery", place / len(depths))
        relaxed[depth] = relax(question, depth)
        tell(f"replay: around {relaxed[depth].solar_mw:.0f} MW solar, {relaxed[depth].wind_mw:.0f} MW wind", (place + 0.7) / len(depths))
        best = _around(question, depth, relaxed[depth])
        if found is None or best[0] < found[0]:
            found = best
        if not relaxed[depth].wears:
            break
    if found is None or not math.isfinite(found[0]):
        raise BadValue(f"no supply near the linear programme's answer holds a {question.kind} of {question.target:g} under replay. Raise the limits.")
    value, built, reached = found
    return Sized(built=built, value=value, reached=reached, bound=min(each.bound for each in relaxed.values()), relaxed=relaxed)


def near(question: Question, start: Built, rates: Rates) -> tuple[float, Built]:
    """The best replay near a supply when other rates weigh it: (value, supply)."""
    value, built, _ = _around(question, start.depth, start, rates)
    return value, built


def _least_battery(question: Question, depth: float, points_PC: Floats, halvings: int = _HALVINGS) -> Floats:
    """(P,) MWh of the least battery with which each (solar, wind, extra) holds the target; infinite where the largest does not."""
    extra = points_PC[:, 2] if question.flexible else None

    def holds(battery_P: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        return np.asarray(outcomes(question, points_PC[:, 0], points_PC[:, 1], battery_P, extra, depth=depth).counted_mwh_N <= question.allowed_mwh)

    count = len(points_PC)
    most = np.full(count, question.most.battery_mwh)
    possible, without = holds(most), holds(np.zeros(count))
    low, high = np.zeros(count), np.where(without, 0.0, most)
    for _ in range(halvings if (possible & ~without).any() else 0):
        middle = (low + high) / 2
        enough = holds(middle)
        high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    return np.where(possible, high, np.inf)


def _around(question: Question, depth: float, start: Relaxed | Built, rates: Rates | None = None) -> tuple[float, Built, float]:
    """(value, supply, reached) of the best replay near the programme's answer."""
    most = question.most
    tops = np.array([most.solar_mw, most.wind_mw, most.extra_mw if question.flexible else 0.0, most.battery_mwh])
    centre = np.minimum(np.array([start.solar_mw, start.wind_mw, start.extra_mw, start.battery_mwh]), tops)
    mean = question.load_mwh / (len(question.load_mw_T) * question.step_h)
    width = np.maximum(0.3 * centre, 0.5 * mean) * (tops > 0)
    width[3] = 0.3 * max(start.battery_mwh, mean) * (tops[3] > 0)
    best: tuple[float, Floats, float, float] = (math.inf, centre, 0.0, 0.0)
    for _ in range(_LEVELS):
        axes = [_axis(centre[i], width[i], tops[i], side) for i, side in enumerate((_SIDE, _SIDE, _SIDE_EXTRA, _MORE))]
        points = np.stack(np.meshgrid(*axes[:3], indexing="ij"), axis=-1).reshape(-1, 3)
        least = _least_battery(question, depth, points)
        kept = np.isfinite(least)
        if not kept.any():
            centre, width = np.minimum(centre + width, tops), width * 1.5
            continue
        points, least = points[kept], least[kept]
        # Beside the least battery, larger ones: where the target does not bind, the best is far above the least.
        sizes = np.maximum(least[:, None], np.append(0.0, axes[3])[None, :])
        every = np.repeat(points, sizes.shape[1], axis=0)
        battery = sizes.ravel()
        found = outcomes(question, every[:, 0], every[:, 1], battery, every[:, 2] if question.flexible else None, depth=depth, rates=rates)
        at = int(found.value_N.argmin())
        if found.value_N[at] < best[0]:
            best = (float(found.value_N[at]), every[at], float(battery[at]), float(found.reached_N[at]))
            moved = np.array([*every[at], battery[at]])
        else:
            moved = centre
        edge = (np.abs(moved - centre) >= 0.999 * width) & (width > 0) & (moved > 0) & (moved < tops)
        centre = moved
        width = np.where(edge, width, width / 2)
        if (width < 1e-4 * np.maximum(centre, mean)).all():
            break
    value, at_best, battery_mwh, reached = best
    if math.isfinite(value):  # the same supply with the least battery to the last digit, where that is what was found
        least_mwh = float(_least_battery(question, depth, at_best[None, :3], _LAST_HALVINGS)[0])
        if least_mwh < battery_mwh <= least_mwh + most.battery_mwh * 2.0 ** (1 - _HALVINGS):
            extra = [at_best[2]] if question.flexible else None
            last = outcomes(question, [at_best[0]], [at_best[1]], [least_mwh], extra, depth=depth, rates=rates)
            value, battery_mwh, reached = float(last.value_N[0]), least_mwh, float(last.reached_N[0])
    built = Built(solar_mw=float(at_best[0]), wind_mw=float(at_best[1]), battery_mwh=battery_mwh, extra_mw=float(at_best[2]), depth=depth)
    return value, built, reached


def _axis(centre: float, width: float, top: float, side: int) -> Floats:
    if width <= 0:
        return np.array([min(centre, top)])
    return np.unique(np.append(np.linspace(max(0.0, centre - width), min(top, centre + width), side), min(centre, top)))

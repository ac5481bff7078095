"""Every supply of a grid replayed, those that nothing beats kept, and each of these checked again the slow way."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from thrifty.errors import BadValue
from thrifty.levers.steward.supply.question import Floats, Question
from thrifty.levers.steward.supply.rechecking import unmet_slowly
from thrifty.levers.steward.supply.replayed import making, outcomes
from thrifty.levers.steward.supply.sizing import Built
from thrifty.levers.steward.supply.stating import question_of_text
from thrifty.progress import Progress

AXES: Final = ("solar_mw", "wind_mw", "battery_mwh", "extra_mw")
_REACH: Final = {"solar_mw": 12.0, "wind_mw": 12.0, "battery_mwh": 24.0}
"""How far a grid goes where no limit is nearer: megawatts (megawatt-hours) a megawatt of mean load."""
AGREES: Final = 1e-9
"""Share of the load's energy by which the two ways may differ over the whole period."""
_COLUMNS: Final = (*AXES, "making", "grid", "counted_mwh", "discharged_mwh")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grid:
    """Sizes to combine, ascending."""

    solar_mw: Floats
    wind_mw: Floats
    battery_mwh: Floats
    extra_mw: Floats

    def __len__(self) -> int:
        return math.prod(len(getattr(self, axis)) for axis in AXES)

    @classmethod
    def of(cls, question: Question, points: int) -> Grid:
        """At least `points` combinations, evenly spaced from nothing to the limits or to twelve times (battery: a day of) the mean load."""
        if isinstance(points, bool) or points != int(points) or points < 1:
            raise BadValue(f"points={points} is no whole number from 1 up. Give how many supplies to try, e.g. 100000.")
        mean = question.load_mwh / (len(question.load_mw_T) * question.step_h)
        tops = {axis: min(getattr(question.most, axis), times * mean) for axis, times in _REACH.items()}
        tops["extra_mw"] = question.most.extra_mw if question.flexible else 0.0
        free = [axis for axis in AXES if tops[axis] > 0]
        sides = dict.fromkeys(AXES, 1)
        for axis in free:
            sides[axis] = max(2, math.floor(points ** (1 / len(free))))
        for axis in free * 2:
            if math.prod(sides.values()) < points:
                sides[axis] += 1
        return cls(**{axis: np.linspace(0.0, tops[axis], sides[axis]) if sides[axis] > 1 else np.zeros(1) for axis in AXES})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Searched:
    """points: tried; rows_PC: the front's supplies by `columns`, sorted by making; all rechecked.

    least : place in the front of the least total; holding: the least total of all tried that reach the target, None where none does
    disagreed_mwh : largest difference of the period's unmet or discharged energy between the replay and the slow way, over the front
    seconds : of the search and of the recheck
    """

    points: int
    rows_PC: Floats = field(repr=False)
    least: int
    holding: Built | None
    holding_value: float
    disagreed_mwh: float
    seconds: tuple[float, float]
    depth: float
    columns: tuple[str, ...] = _COLUMNS

    def built(self, place: int) -> Built:
        return Built(**dict(zip(AXES, map(float, self.rows_PC[place, :4]), strict=True)), depth=self.depth)


def front_of(making_N: Floats, grid_N: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Places of the points that no other beats in both, by rising making; of equal points the first. N log N."""
    order = np.lexsort((grid_N, making_N))
    before = np.minimum.accumulate(np.append(np.inf, grid_N[order][:-1]))
    return np.asarray(order[grid_N[order] < before], dtype=np.int64)


def search_supplies(
    question: Question, grid: Grid, *, depth: float = 1.0, progress: Progress | None = None, folder: Path | None = None,
    asked: Mapping[str, Any] | None = None, backend: str = "loky",
) -> Searched:  # fmt: skip
    """Replay every supply of `grid` and keep the front of (making, grid) and the least total that reaches the target.

    folder, asked : where given, slabs of the grid are tasks of a campaign in `folder`, so that a stopped search goes on; `asked` states the question;
        backend: who runs them, see `campaign`
    Raises BadValue where the recheck disagrees: a defect of ours.
    """
    tell = progress or (lambda what, share: None)
    began = time.perf_counter()
    slabs: list[list[dict[str, float]]] = []
    if folder is not None:
        if asked is None:
            raise BadValue("a search in a folder states its question as plain values. Give asked.")
        slabs = _campaign(grid, depth, folder, asked, progress, backend)
    else:
        for place, solar in enumerate(grid.solar_mw):
            tell(f"search: {solar:.0f} MW solar", 0.9 * place / len(grid.solar_mw))
            slabs.append(_slab(question, float(solar), grid, depth))
    rows = np.array([[row[name] for name in _COLUMNS] for slab in slabs for row in slab])
    holding = np.array([row["holding"] for slab in slabs for row in slab]) > 0
    searched = time.perf_counter()
    values = rows[:, 4] + rows[:, 5]
    held = int(np.flatnonzero(holding)[values[holding].argmin()]) if holding.any() else None
    kept = rows[front_of(rows[:, 4], rows[:, 5])]
    tell(f"recheck: {len(kept)} supplies minute by minute", 0.92)
    kept, disagreed = _rechecked(question, kept, depth)
    return Searched(
        points=len(grid), rows_PC=kept, least=int((kept[:, 4] + kept[:, 5]).argmin()),
        holding=None if held is None else Built(**dict(zip(AXES, map(float, rows[held, :4]), strict=True)), depth=depth),
        holding_value=math.nan if held is None else float(values[held]), disagreed_mwh=disagreed,
        seconds=(searched - began, time.perf_counter() - searched), depth=depth,
    )  # fmt: skip


def _slab(question: Question, solar: float, grid: Grid, depth: float) -> list[dict[str, float]]:
    """Rows of the front of one solar size, and the least total that holds the target, marked."""
    wind, extra, battery = (axis.ravel() for axis in np.meshgrid(grid.wind_mw, grid.extra_mw, grid.battery_mwh, indexing="ij"))
    found = outcomes(question, np.full(len(wind), solar), wind, battery, extra, depth=depth)
    places = set(front_of(found.making_N, found.grid_N).tolist())
    holds = np.flatnonzero(found.counted_mwh_N <= question.allowed_mwh)
    best = int(holds[found.value_N[holds].argmin()]) if len(holds) else -1
    if best >= 0:
        places.add(best)
    return [
        {"solar_mw": solar, "wind_mw": float(wind[p]), "battery_mwh": float(battery[p]), "extra_mw": float(extra[p]), "making": float(found.making_N[p]),
         "grid": float(found.grid_N[p]), "counted_mwh": float(found.counted_mwh_N[p]), "discharged_mwh": float(found.discharged_mwh_N[p]),
         "holding": float(p == best)}
        for p in sorted(places)
    ]  # fmt: skip


def run_slab(configuration: Mapping[str, Any], seed: int) -> list[dict[str, float]]:
    """A task of a campaign: one solar size of a grid. Pure; the seed is not used."""
    axes = {axis: np.array(configuration[axis], dtype=np.float64) for axis in AXES[1:]}
    question = question_of_text(configuration["asked"])
    return _slab(question, float(configuration["solar_mw"]), Grid(solar_mw=np.zeros(1), **axes), float(configuration["depth"]))


def _campaign(grid: Grid, depth: float, folder: Path, asked: Mapping[str, Any], progress: Progress | None, backend: str) -> list[list[dict[str, float]]]:
    from thrifty.campaign import run

    text = json.dumps({key: value for key, value in asked.items() if value == value}, sort_keys=True)
    tasks = [
        {"asked": text, "solar_mw": float(solar), "depth": depth, **{axis: getattr(grid, axis).tolist() for axis in AXES[1:]}} for solar in grid.solar_mw
    ]
    results = run("thrifty.levers.steward.supply.searching:run_slab", tasks, folder=folder, backend=backend, progress=progress)
    if results.failures:
        raise BadValue(f"{len(results.failures)} parts of the search failed, the first: {results.failures[0].error}. Mend it and run again.")
    names = (*_COLUMNS, "holding")
    columns = results.columns(*names)
    return [[{name: float(columns[name][k]) for name in names} for k in range(len(columns["holding"]))]]


def _rechecked(question: Question, rows_PC: Floats, depth: float) -> tuple[Floats, float]:
    """The rows with what the slow way says of them, the front of these, and the largest difference in MWh."""
    unmet_TN, discharged = unmet_slowly(question, *(rows_PC[:, k] for k in range(4)), depth=depth)
    rates = question.rates()
    mended = rows_PC.copy()
    mended[:, 4] = making(rates, rows_PC[:, 0], rows_PC[:, 1], rows_PC[:, 2], rows_PC[:, 3], discharged, depth)
    mended[:, 5] = rates.grid_T @ unmet_TN
    mended[:, 6] = question.counted_T @ unmet_TN
    mended[:, 7] = discharged
    differ = float(np.abs(mended[:, 6:8] - rows_PC[:, 6:8]).max())
    if not differ <= AGREES * question.load_mwh:
        raise BadValue(f"the replay and the minute-by-minute check differ by {differ:.2g} MWh. Report this as a defect.")
    return mended[front_of(mended[:, 4], mended[:, 5])], differ

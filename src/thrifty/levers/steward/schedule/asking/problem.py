"""Jobs and places on one grid of slots.

Intensity is constant within a slot, so what a job emits is linear in its start between slots' bounds: the best start of all instants lies where the start
or the end meets a bound. The slot is therefore the largest that divides the series' step and every job's duration and times; then the best plan
on slots is the best of all plans. With a longer step of the user's, durations are rounded up, releases up and deadlines down, and a note says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.levers.steward.schedule.asking.jobs import Job, check_jobs
from thrifty.levers.steward.schedule.asking.places import Place, rates, usd
from thrifty.levers.steward.schedule.asking.signals import must_be_alike

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
MINUTE_S: Final = 60.0
MOST_SLOTS: Final = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """What is to be planned. J jobs, P places (the first is home), T slots of `step_s` from `start`.

    release_J, first_J, last_J : slots of release, of earliest begin, and after the last that a job may use; length_J: slots of work
    power_w_J, power_scale_P   : drawn on one server, and what a place's machines multiply it by; may_JP: where a job may run
    grams_PT  : gCO2e a kWh at the machine, PUE included; usd_PT: USD a kWh likewise, NaN where nobody states a price
    moved_JP  : gCO2e of copying a job's data to a place; embodied_P: gCO2e an hour of a job
    cap_w_P   : most that all jobs may draw at once
    """

    jobs: tuple[Job, ...]
    places: tuple[Place, ...]
    start: datetime
    step_s: float
    release_J: Ints = field(repr=False)
    first_J: Ints = field(repr=False)
    last_J: Ints = field(repr=False)
    length_J: Ints = field(repr=False)
    may_JP: npt.NDArray[np.bool_] = field(repr=False)
    grams_PT: Floats = field(repr=False)
    usd_PT: Floats = field(repr=False)
    moved_JP: Floats = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def slots(self) -> int:
        return int(self.grams_PT.shape[1])

    @property
    def step_h(self) -> float:
        return self.step_s / 3600.0

    @property
    def power_w_J(self) -> Floats:
        return np.array([job.power_w for job in self.jobs], dtype=np.float64)

    @property
    def power_scale_P(self) -> Floats:
        return np.array([place.power_scale for place in self.places], dtype=np.float64)

    @property
    def embodied_P(self) -> Floats:
        return np.array([place.embodied_g_per_h for place in self.places], dtype=np.float64)

    @property
    def cap_w_P(self) -> Floats:
        return np.array([place.cap_w for place in self.places], dtype=np.float64)

    @property
    def pauses_J(self) -> npt.NDArray[np.bool_]:
        return np.array([job.pauses for job in self.jobs])

    def time_of(self, slot: int) -> datetime:
        """The instant at which a slot begins."""
        return self.start + timedelta(seconds=self.step_s * int(slot))

    def with_grams(self, grams_PT: Floats) -> Problem:
        """The same question under other intensities: a forecast, shuffled hours."""
        return replace(self, grams_PT=np.ascontiguousarray(grams_PT, dtype=np.float64))

    @classmethod
    def of(
        cls, jobs: Sequence[Job], places: Sequence[Place], *, step_s: float | None = None, start: datetime | None = None, end: datetime | None = None,
        kwh_per_gb: float = 0.0,
    ) -> Problem:  # fmt: skip
        """Lay jobs and places on slots. kwh_per_gb: energy of copying data between places. Raises BadValue naming the job or place at fault."""
        jobs = check_jobs(tuple(jobs))
        known = _check_places(jobs, places)
        notes = [note for place in places for note in place.notes]
        must_be_alike([place.intensity for place in places])
        hourly = [place.intensity.series for place in places if not place.intensity.flat]
        grain_s = max((series.step_s for series in hourly), default=3600.0)
        origin = hourly[0].start if hourly else jobs[0].release.replace(minute=0, second=0, microsecond=0)
        _check_period(jobs, hourly, start, end)
        times = _times(jobs, origin)
        step = step_s if step_s is not None else _common_step(grain_s, times)
        if not (math.isfinite(step) and step > 0):
            raise BadValue(f"a step of {step:g} s cannot be. Give one above 0.")
        on_slots, rounded = _on_slots(jobs, times, step)
        if rounded:
            names = ", ".join(rounded[:3]) + (f" and {len(rounded) - 3} more" if len(rounded) > 3 else "")
            notes.append(f"durations rounded up to whole steps of {step / 60:g} min: {names}")
        begin = math.floor(on_slots[:, 1].min() * step / grain_s) * grain_s
        alone = [0 if job.elastic else at + length for job, at, length in zip(jobs, on_slots[:, 0], on_slots[:, 3], strict=True)]
        close = math.ceil(max(on_slots[:, 2].max(), *alone, 0) * step / grain_s) * grain_s  # one that nobody cares for may end after its deadline
        count = round((close - begin) / step)
        if count > MOST_SLOTS:
            raise BadValue(f"{count:,} slots of {step:g} s are above {MOST_SLOTS:,}. Give a longer step, e.g. --step 1h.")
        first, last = (origin + timedelta(seconds=at) for at in (begin, close))
        shift = round(begin / step)
        grams = np.array([rates(place, first, last, step) for place in places])
        money = [usd(place, first, last, step) for place in places]
        may = np.array([[place.name in known[job.name] for place in places] for job in jobs])
        home = np.array([[place.name for place in places].index(known[job.name][0]) for job in jobs])
        mean_P = grams.mean(axis=1)
        gb_J = np.array([job.moved_bytes / 1e9 for job in jobs])
        moved = gb_J[:, None] * kwh_per_gb * (mean_P[None, :] + mean_P[home][:, None]) / 2
        moved[np.arange(len(jobs)), home] = 0.0
        return cls(
            jobs=jobs, places=tuple(places), start=first, step_s=step, release_J=on_slots[:, 0] - shift, first_J=on_slots[:, 1] - shift,
            last_J=on_slots[:, 2] - shift, length_J=on_slots[:, 3], may_JP=may, grams_PT=grams,
            usd_PT=np.array([each if each is not None else np.full(grams.shape[1], np.nan) for each in money]), moved_JP=moved,
            notes=tuple(dict.fromkeys(notes)),
        )  # fmt: skip

    @property
    def home_J(self) -> Ints:
        """(J,) index of the place where each job runs if nobody cares: the first that it names, else the first place."""
        names = [place.name for place in self.places]
        return np.array([names.index(job.places[0]) if job.places else 0 for job in self.jobs], dtype=np.int64)


def _check_places(jobs: Sequence[Job], places: Sequence[Place]) -> dict[str, tuple[str, ...]]:
    """Names of the places of each job."""
    names = [place.name for place in places]
    if not names:
        raise BadValue("there is no place to run at. Give --site NAME.")
    if len(set(names)) < len(names):
        raise BadValue(f"two places are named '{next(name for name in names if names.count(name) > 1)}'. Give every place a name of its own.")
    for job in jobs:
        for name in job.places:
            if name not in names:
                raise BadValue(f"job '{job.name}' names place '{name}', which the question does not have. It has: {', '.join(names)}.")
        able = [place for place in places if place.name in (job.places or names)]
        if all(job.power_w * place.power_scale > place.cap_w for place in able):
            most = max(able, key=lambda place: place.cap_w / place.power_scale)
            raise BadValue(
                f"job '{job.name}' draws {job.power_w * most.power_scale / 1e3:g} kW, above the cap of {most.cap_w / 1e3:g} kW at {most.name}. Raise the cap."
            )
    return {job.name: job.places or tuple(names) for job in jobs}


def _check_period(jobs: Sequence[Job], hourly: Sequence[Any], start: datetime | None, end: datetime | None) -> None:
    for job in jobs:
        for bound, late in ((start, False), (end, True)):
            if bound is not None and (job.deadline > bound if late else job.begin < bound):
                raise BadValue(f"job '{job.name}' may run {'until' if late else 'from'} {job.deadline if late else job.begin:%Y-%m-%d %H:%MZ}, "
                               f"outside the period that {'ends' if late else 'begins'} {bound:%Y-%m-%d %H:%MZ}. Widen the period.")  # fmt: skip
        for series in hourly:
            if job.begin < series.start or job.deadline > series.end:
                raise BadValue(
                    f"job '{job.name}' may run from {job.begin:%Y-%m-%d %H:%MZ} to {job.deadline:%Y-%m-%d %H:%MZ}; {series.name} covers "
                    f"{series.start:%Y-%m-%d %H:%MZ} to {series.end:%Y-%m-%d %H:%MZ}. Give times within it, or a longer series."
                )


def _times(jobs: Sequence[Job], origin: datetime) -> Floats:
    """(J, 4) seconds from `origin` to release, earliest begin and deadline, and the duration."""
    return np.array([
        [(job.release - origin).total_seconds(), (job.begin - origin).total_seconds(), (job.deadline - origin).total_seconds(), job.duration_s] for job in jobs
    ])  # fmt: skip


def _common_step(grain_s: float, times_J4: Floats) -> float:
    """The largest whole number of minutes that divides the series' step and all times (which are rounded to minutes first)."""
    minutes = np.unique(np.rint(np.ceil(times_J4 / MINUTE_S - 1e-9)).astype(np.int64))
    if grain_s % MINUTE_S:
        return float(grain_s)
    return float(np.gcd.reduce([round(grain_s / MINUTE_S), *np.abs(minutes[minutes != 0])]) * MINUTE_S)


def _on_slots(jobs: Sequence[Job], times_J4: Floats, step: float) -> tuple[Ints, list[str]]:
    """(J, 4) release, first, last, length in slots, and the names of jobs whose duration was rounded. Raises BadValue where rounding leaves no room."""
    slots = times_J4 / step
    up = np.ceil(slots - 1e-9)
    up[:, 2] = np.floor(slots[:, 2] + 1e-9)
    rounded = [job.name for job, given, kept in zip(jobs, slots[:, 3], up[:, 3], strict=True) if abs(given - kept) > 1e-9]
    result = up.astype(np.int64)
    servers = np.array([max(1.0, sum(job.elastic)) for job in jobs])
    short = (result[:, 2] - result[:, 1]) * servers < result[:, 3] - 1e-9
    if short.any():
        job = jobs[int(short.argmax())]
        raise BadValue(f"job '{job.name}' does not fit before its deadline in whole steps of {step / 60:g} min. Give a shorter step or a later deadline.")
    return result, rounded

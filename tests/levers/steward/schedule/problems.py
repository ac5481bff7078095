"""Little problems whose answers can be reasoned out or enumerated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from thrifty.cost.carbon.series import LifeCycleIntensity, Series
from thrifty.levers.steward.schedule import Job, Place, Problem

START = datetime(2020, 3, 2, tzinfo=UTC)


def hour(k: float) -> datetime:
    return START + timedelta(hours=k)


def place(grams: Sequence[float] | Any, name: str = "home", **given: Any) -> Place:
    series = Series(start=START, step_s=3600.0, values_T=np.array(grams, dtype=np.float64), unit="gCO2e/kWh", name=f"grid of {name}")
    return Place(name=name, intensity=LifeCycleIntensity(series=series, signal="production", source="test"), **given)


def job(name: str, hours: float, first: float, last: float, kw: float = 1.0, **given: Any) -> Job:
    return Job(name=name, power_w=kw * 1e3, duration_s=hours * 3600, release=hour(first), deadline=hour(last), **given)


def problem(jobs: Sequence[Job], *places: Place, **given: Any) -> Problem:
    return Problem.of(jobs, places, **given)

"""Small questions: a fortnight of made-up sun and wind, and the shipped year of California."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from thrifty.levers.steward.supply import Most, Question, asked_question


def _made_up(days: int = 14, seed: int = 0, **changes: Any) -> Question:
    """A question of so many days; sun by the hour of the day, wind as a slow random walk."""
    rng = np.random.default_rng(seed)
    hours = np.arange(24 * days)
    solar = np.clip(np.sin((hours % 24 - 6) / 12 * np.pi), 0, 1) * rng.uniform(0.4, 1.0, days).repeat(24)
    wind = np.clip(0.35 + 0.3 * np.sin(hours / 31 + rng.uniform(0, 6)) + 0.1 * rng.standard_normal(len(hours)), 0, 1)
    load = 10 + 3 * np.sin((hours % 24 - 9) / 24 * 2 * np.pi) + rng.uniform(0, 1, len(hours))
    usual: dict[str, Any] = {
        "name": "made-up", "start": datetime(2020, 3, 1, tzinfo=UTC), "step_h": 1.0, "load_mw_T": load, "solar_share_T": solar, "wind_share_T": wind,
        "intensity_T": 250 + 150 * np.cos((hours % 24) / 24 * 2 * np.pi) + rng.uniform(0, 50, len(hours)), "days_T": hours // 24, "target": 0.9,
        "clean_T": rng.uniform(0.2, 0.6, len(hours)), "most": Most(solar_mw=300, wind_mw=300, battery_mwh=600, extra_mw=10),
        "price_usd_per_mwh": 120.0,
    }  # fmt: skip
    return Question(**{**usual, **changes})


@pytest.fixture(scope="session")
def made_up() -> Callable[..., Question]:
    return _made_up


@pytest.fixture(scope="session")
def california() -> Question:
    return asked_question(power_mw=20.0)

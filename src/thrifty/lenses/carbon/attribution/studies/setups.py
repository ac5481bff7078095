"""The study of schedules again with other set-ups: which of its figures belong to the method, and which to what was drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thrifty.lenses.carbon.attribution.studies.schedules import Schedules, Study, study_schedules


def study_setups(trials: int = 1000, *, seed: int = 0, progress: Callable[[str, float], None] | None = None) -> tuple[Study, ...]:
    """The usual set-up with all `trials`, and five that differ from it in one thing, with a fifth of them."""
    usual = Schedules.usual()
    others: dict[str, dict[str, Any]] = {
        "running up to 4 steps": {"longest": 4},
        "1 to 3 running at a step": {"running": (1, 3)},
        "always 3 running": {"running": (3, 3)},
        "all of one size": {"sizes": (48.0,)},
        "sizes from 1 to 64": {"sizes": (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)},
    }
    found = [study_schedules(usual, trials=trials, seed=seed, name="usual", progress=progress)]
    found += [
        study_schedules(Schedules.usual(**changed), trials=max(2, trials // 5), seed=seed, name=name, progress=progress) for name, changed in others.items()
    ]  # fmt: skip
    return tuple(found)

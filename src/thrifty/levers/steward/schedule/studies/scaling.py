"""CarbonScaler's comparison on grids that ship: the same work under four policies, begun at many hours of the year.

The published job curves were measured on clusters and are not at hand; here total work of k servers follows Amdahl's law, k / (1 + s (k - 1)), for a few
serial shares s. So the policies are theirs and the numbers are this grid's and these curves'.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from thrifty.levers.steward.schedule.elastic.policies import compare_policies

Floats = npt.NDArray[np.float64]
PUBLISHED: Final = {"agnostic": 0.51, "suspend-resume": 0.37, "best static": 0.08}
"""What CarbonScaler saves against each policy, by its abstract."""
SERVERS: Final = 8


def amdahl(serial: float, servers: int = SERVERS) -> Floats:
    """Work that each server adds, the first 1."""
    k = np.arange(servers + 1)
    return np.asarray(np.diff(k / (1 + serial * (np.maximum(k, 1) - 1))))


def scaling_savings(hourly_T: Floats, *, length_h: int = 24, slack: float = 1.0, serial: float = 0.05, starts: int = 100, seed: int = 0) -> dict[str, float]:
    """Share that scaling saves against each policy, in all over `starts` random hours: `length_h` of work due after slack x length_h."""
    draw = np.random.default_rng(seed)
    room = round(length_h * slack)
    marginal = amdahl(serial)
    marginal = marginal / marginal[0]
    totals: dict[str, float] = {"agnostic": 0.0, "suspend-resume": 0.0, "best static": 0.0}
    scaled = 0.0
    for at in draw.integers(0, len(hourly_T) - room, size=starts):
        found = compare_policies(hourly_T[at : at + room], marginal.tolist(), float(length_h))
        scaled += found.scaled
        for name, cost in (("agnostic", found.agnostic), ("suspend-resume", found.suspend_resume), ("best static", found.best_static)):
            totals[name] += cost
    return {name: 1 - scaled / total for name, total in totals.items()}

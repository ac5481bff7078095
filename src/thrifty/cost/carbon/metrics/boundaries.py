"""Who wins where, in closed form, over every intensity and lifetime at once.

life · carbon of a unit = intercept + slope · exposure, exposure = life · PUE · intensity. So designs are straight lines over one number, the winners are
their lower envelope, and a boundary between two of them is a hyperbola intensity · life = constant: a straight line in logarithmic axes. What is not on
the envelope wins nowhere, whatever the place and the life (CORDOBA's elimination). tCDP and tCEP weight each line by its delay or energy: the same holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.metrics.designs import METRICS, Design, lines
from thrifty.cost.carbon.metrics.doors import Floats, amounts, positive
from thrifty.errors import BadValue, unknown_name
from thrifty.quantities import J_PER_KWH, YEAR_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Lower envelope of D lines: `winners[k]` is the index of the least one from `breaks[k-1]` to `breaks[k]` (0 and infinity at the ends)."""

    winners: tuple[int, ...]
    breaks: tuple[float, ...]
    count: int

    @property
    def eliminated(self) -> float:
        """Share of the lines that are least nowhere."""
        return 1 - len(self.winners) / self.count

    def at(self, exposure: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Indices of the winners at any exposures of at least 0."""
        (s,) = amounts(exposure=exposure)
        return np.asarray(self.winners, dtype=np.int64)[np.searchsorted(np.array(self.breaks), s, side="right")]


def envelope(intercept_D: npt.ArrayLike, slope_D: npt.ArrayLike) -> Envelope:
    """Lower envelope of intercept + slope · s over s ≥ 0, in O(D log D). Of lines that are the same the first counts.

    Raises BadValue for none, or numbers that are negative or not finite.
    """
    a, b = amounts(intercept_D=intercept_D, slope_D=slope_D)
    if a.ndim != 1 or a.shape != b.shape or not len(a):
        raise BadValue(f"{a.shape} intercepts and {b.shape} slopes make no lines. Give one of each a design, one design or more.")
    winners: list[int] = []
    breaks: list[float] = []
    for k in np.lexsort((np.arange(len(a)), b, a)):  # from the least intercept; a later line must have a smaller slope
        k = int(k)
        if winners and b[k] >= b[winners[-1]]:
            continue
        while winners:
            s = (a[k] - a[winners[-1]]) / (b[winners[-1]] - b[k])
            if s > (breaks[-1] if breaks else 0.0):
                breaks.append(float(s))
                break
            winners.pop()
            if breaks:
                breaks.pop()
        winners.append(k)
    return Envelope(winners=tuple(winners), breaks=tuple(breaks), count=len(a))


def envelope_of(designs: Sequence[Design], metric: str = "carbon", utilisation: float = 1.0) -> Envelope:
    """Winners of a metric over all exposures. Raises UnknownName for a metric that there is not."""
    intercept, slope = _weighted(designs, metric, utilisation)
    return envelope(intercept, slope)


def _weights(designs: Sequence[Design], metric: str) -> Floats:
    found = METRICS.get(metric)
    if found is None:
        raise unknown_name("metric", metric, METRICS, "thrifty carbon compare --help")
    if not found.total:
        raise BadValue(f"metric '{metric}' has no use and no life in it, so that one design wins everywhere. Choose carbon, tcdp or tcep.")
    return np.array([{"carbon": 1.0, "tcdp": d.delay_s, "tcep": d.energy_j}[metric] for d in designs])


def _weighted(designs: Sequence[Design], metric: str, utilisation: float) -> tuple[Floats, Floats]:
    weight, (intercept, slope) = _weights(designs, metric), lines(designs, utilisation)
    return intercept * weight, slope * weight


def boundary(a: Design, b: Design, *, metric: str = "carbon", utilisation: float = 1.0, pue: float = 1.0) -> float | None:
    """intensity · life in gCO2e/kWh · years at which both come to the same; None where one of them wins everywhere (or they are the same)."""
    (a0, b0), (a1, b1) = _weighted([a, b], metric, utilisation)
    if (a0 - b0) * (b1 - a1) <= 0:
        return None
    return float((a0 - b0) / (b1 - a1) * J_PER_KWH / pue / YEAR_S)


def turning_utilisation(a: Design, b: Design, exposure: float, metric: str = "carbon") -> float | None:
    """The utilisation at which both come to the same at `exposure` (g·s/J); None where there is none between 0 and 1.

    u · life · carbon = embodied · delay + (u · energy + (1 − u) · idle · delay) · exposure is linear in u.
    """
    positive(exposure=exposure)
    of_a, of_b = _weights([a, b], metric)
    at_0, at_1 = (float(of_a * _scaled(a, exposure, u) - of_b * _scaled(b, exposure, u)) for u in (0.0, 1.0))
    if at_0 == at_1 or not 0 < (u := at_0 / (at_0 - at_1)) < 1:
        return None
    return u


def _scaled(design: Design, exposure: float, u: float) -> float:
    return design.embodied_gco2e * design.delay_s + (u * design.energy_j + (1 - u) * design.idle_w * design.delay_s) * exposure


def winner_map(designs: Sequence[Design], intensity_I: npt.ArrayLike, life_L: npt.ArrayLike, *, metric: str = "carbon", utilisation: float = 1.0,
               pue: float = 1.0) -> npt.NDArray[np.int64]:  # fmt: skip
    """(I, L) index of the winner at intensities in gCO2e/kWh and lives in years."""
    intensity, life = amounts(intensity_I=intensity_I)[0], positive(life_L=life_L)[0]
    exposure: Floats = intensity[:, None] * life[None, :] * YEAR_S * pue / J_PER_KWH
    return envelope_of(designs, metric, utilisation).at(exposure)

"""Which datum to buy? What knowing more would save of the design that is least in the mean.

    EVPI      min_d E[L_d] − E[min_d L_d]                    of knowing everything
    EVPPI(x)  min_d E[L_d] − E[min_d E[L_d | x]]             of knowing x alone

both in the unit of L (gCO2e here), never below 0, and 0 when no answer would change the choice (Howard 1966; Strong & Oakley 2013). For sums of
products E[L_d | x] is known in closed form, so that only one integral over x is left; else it is the mean within thin slices of x. Slices of one half
of the points choose, those of the other half are charged, and the other way round: noise cannot pass for knowledge.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.uncertainty.drawing import Draws, spread_of_mean
from thrifty.cost.carbon.uncertainty.inputs import Choice, Variable
from thrifty.cost.carbon.uncertainty.points import Floats
from thrifty.cost.carbon.uncertainty.products import Products
from thrifty.errors import BadValue

_LEVELS: Final = 20_000
"""Points of the one integral of the closed form: the middle of as many equal shares of probability."""
_ROUNDING: Final = 1e-12
_FEW: Final = 64
"""Values of an input that are slices of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Datum:
    """What knowing `name` would save in the mean, with a standard error (0 in closed form)."""

    name: str
    saves: float
    se: float

    def to_dict(self) -> dict[str, object]:
        return {"name": self.name, "saves": self.saves, "se": self.se}


def value_of_everything(draws: Draws, designs: Sequence[str] | None = None) -> Datum:
    """EVPI over the outputs `designs`, all when left out. Raises BadValue for fewer than two."""
    losses = _losses(draws, designs)
    best = int(losses.mean(axis=1).argmin())
    gain = losses[best] - losses.min(axis=0)
    return Datum(name="everything", saves=float(gain.mean()), se=spread_of_mean(gain.reshape(draws.replicates, -1).mean(axis=1)))


def value_of_datum(draws: Draws, name: str, designs: Sequence[str] | None = None) -> Datum:
    """EVPPI of the kept input `name`, from draws: slices of its values, as many as the square root of the points; options of a choice are slices.

    Raises BadValue for fewer than two designs or an input that was not kept.
    """
    losses = _losses(draws, designs)
    if name not in draws.kept:
        raise BadValue(f"'{name}' was not kept with the draws. Draw with keep=['{name}'].")
    known = draws.kept[name]
    count = losses.shape[1]
    each, slices = np.unique(known, return_inverse=True)
    if len(each) > _FEW:
        slices = np.empty(count, dtype=np.int64)
        slices[np.argsort(known, kind="stable")] = np.arange(count) * max(1, round(count**0.5 / 4)) // count
    best = int(losses.mean(axis=1).argmin())
    halves = np.arange(count) // (count // draws.replicates) % 2  # whole replicates, which are independent
    gain = np.empty(count)
    for half in (0, 1):
        chosen = _least(losses[:, halves != half], slices[halves != half], int(slices.max()) + 1)
        here = np.flatnonzero(halves == half)
        gain[here] = losses[best, here] - losses[chosen[slices[here]], here]
    return Datum(name=name, saves=max(0.0, float(gain.mean())), se=spread_of_mean(gain.reshape(draws.replicates, -1).mean(axis=1)))


def value_of_products(designs: Mapping[str, Products]) -> tuple[Datum, ...]:
    """EVPPI of every input of sums of products over the same inputs, in closed form but for one integral each, most worth first; groups are left out.

    Raises BadValue for fewer than two designs, or designs over different inputs.
    """
    models = list(designs.values())
    if len(models) < 2:
        raise BadValue(f"{len(models)} design leaves nothing to choose, so that no datum has a value. Give two or more.")
    inputs = models[0].inputs
    if any(model.inputs is not inputs for model in models):
        raise BadValue("the designs stand on different inputs. Make them over one set, so that what they share is drawn once.")
    found = []
    for block in inputs.blocks:
        each = inputs.by_name[block[0]]
        if len(block) > 1:
            continue
        at: Any
        if isinstance(each, Choice):
            at, weights = np.arange(len(each.options)), np.array(each.weights)
        else:
            assert isinstance(each, Variable)
            at, weights = each.distribution.quantile((np.arange(_LEVELS) + 0.5) / _LEVELS), np.full(_LEVELS, 1.0 / _LEVELS)
        means = np.stack([model.given(each.name, at) for model in models])
        # The same integral for the choice made without knowing: what the points miss of the tails cancels.
        plain = (means @ weights).min()
        saves = float(plain - means.min(axis=0) @ weights)
        found.append(Datum(name=each.name, saves=saves if saves > _ROUNDING * abs(plain) else 0.0, se=0.0))
    return tuple(sorted(found, key=lambda datum: -datum.saves))


def _losses(draws: Draws, designs: Sequence[str] | None) -> Floats:
    names = list(draws.outputs) if designs is None else list(designs)
    if len(names) < 2:
        raise BadValue(f"{len(names)} design leaves nothing to choose, so that no datum has a value. Give two or more.")
    return np.stack([draws.output(name) for name in names])


def _least(losses_DN: Floats, slices_N: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """(count,) the design of the least mean in each slice; the least of all where a slice is empty."""
    sizes = np.bincount(slices_N, minlength=count)
    sums = np.stack([np.bincount(slices_N, weights=row, minlength=count) for row in losses_DN])
    means = np.where(sizes > 0, sums / np.maximum(sizes, 1), losses_DN.mean(axis=1, keepdims=True))
    return np.asarray(means.argmin(axis=0), dtype=np.int64)

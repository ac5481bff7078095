"""Models' answers side by side: which cover a part, and the interval that they span."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from thrifty.cost.carbon.embodied.design import designing_g
from thrifty.cost.carbon.embodied.models import MODEL_SOURCES, MODELS, Values
from thrifty.cost.carbon.embodied.models.tables import one_of
from thrifty.cost.carbon.embodied.models.threed import share_good
from thrifty.cost.carbon.embodied.parts.kinds import spread_of
from thrifty.errors import BadValue, unknown_name
from thrifty.footprint.interval import Interval

ENSEMBLE: Final = "ensemble"
_ANY: Final = frozenset({"any"})


class NotCovered(BadValue):
    """A part that none of the chosen models knows; a tree leaves it out and says so."""


def chosen_models(models: str | Sequence[str]) -> tuple[str, ...]:
    """The names that a choice stands for: "ensemble" is all. Raises UnknownName with the known ones, BadValue for none."""
    if models == ENSEMBLE:
        return tuple(MODELS)
    names = (models,) if isinstance(models, str) else tuple(dict.fromkeys(models))
    if not names:
        raise BadValue(f"models names none. Choose from: {ENSEMBLE}, {', '.join(MODELS)}.")
    for name in names:
        if name not in MODELS:
            raise unknown_name("model", name, (ENSEMBLE, *MODELS), f"{ENSEMBLE}, {', '.join(MODELS)}")
    return names


def covering(kind: str) -> tuple[str, ...]:
    """Models that know parts of this kind, some of them perhaps not every such part."""
    if kind == "package":
        return ("act", "imec", "llmcarbon", "threed")
    return tuple(name for name, parts in MODELS.items() if kind in parts)


def grams_by_model(kind: str, values: Values, names: Sequence[str]) -> dict[str, float]:
    """Grams of one part by every model of `names` that covers it; design carbon, where stated, stands in each."""
    found = {name: float(MODELS[name][kind](values)) for name in names if kind in MODELS[name]}
    design = float(designing_g(values)) if kind == "logic" else 0.0
    return {name: grams + design for name, grams in found.items() if grams == grams}


def with_failing(kind: str, values: Values, names: Sequence[str]) -> Values | None:
    """`values` with what dies that fail add, where several models answer for a die whose yield and use are not stated; None elsewhere.

    ACT's default yield and imec's table know no area: they price two halves like the whole. An ensemble that took its middle from them would not know that
    large dies fail more often, so it tells them the die's own yield: carbon per good area rises by default / own. Each model's own answer stays as its
    authors state it, and so does the middle for a die of a stated use (cpu, gpu, ...): products are sold with faulty units switched off.
    """
    if kind != "logic" or len(names) < 2:
        return None
    share = values["yield"] / share_good(values)
    told = np.isnan(values["yield_stated"]) & one_of(values["use"], _ANY) & np.isfinite(share)
    return {**values, "failing": np.where(told, share, 1.0)} if np.any(told) else None


def interval_of(by_model: Mapping[str, float], kind: str, at_own_yield: Mapping[str, float] | None = None) -> Interval:
    """Least, median and most of the models; a single one is widened both ways by the stated spread of such models.

    `at_own_yield` are the models' answers for a die whose yield is told (see `with_failing`): the median is theirs, the ends are of all.
    """
    values = sorted(by_model.values())
    if len(values) == 1:
        spread = spread_of(kind)
        return Interval(values[0] / spread, values[0], values[0] * spread)
    told = sorted((at_own_yield or by_model).values())
    return Interval(min(values[0], told[0]), statistics.median(told), max(values[-1], told[-1]))


def sources_of(names: Sequence[str]) -> tuple[str, ...]:
    """Keys of what models stand on, each once."""
    return tuple(dict.fromkeys(source for name in names for source in MODEL_SOURCES[name]))

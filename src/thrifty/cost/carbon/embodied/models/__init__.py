"""Public models of what making parts emitted, each as its authors state it: grams of CO2e by kind of part, for one part or for columns of them.

- `tables` reads the pack by name and by process node; `act`, `imec`, `llmcarbon`, `boavizta`, `threed` are models, `lists` are weighed parts.

A model covers the kinds in its table, and says NaN for a part of such a kind that it cannot price.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from thrifty.cost.carbon.embodied.models import act, boavizta, imec, lists, llmcarbon, threed
from thrifty.cost.carbon.embodied.models.tables import Labels, Number, Values

MODELS: Final[Mapping[str, Mapping[str, Callable[[Values], Number]]]] = {
    "act": act.PARTS, "imec": imec.PARTS, "boavizta": boavizta.PARTS, "greensku": lists.GREENSKU, "llmcarbon": llmcarbon.PARTS, "fair-co2": lists.FAIR_CO2,
    "threed": threed.PARTS, **{name: parts for name, (parts, _) in lists.VENDORS.items()},
}  # fmt: skip
"""Model -> kind of part -> grams."""

MODEL_SOURCES: Final[Mapping[str, tuple[str, ...]]] = {
    "act": act.SOURCES, "imec": imec.SOURCES, "boavizta": boavizta.SOURCES, "greensku": ("greensku-data",), "llmcarbon": llmcarbon.SOURCES,
    "fair-co2": ("fair-co2-node",), "threed": threed.SOURCES, **{name: sources for name, (_, sources) in lists.VENDORS.items()},
}  # fmt: skip

__all__ = ["MODELS", "MODEL_SOURCES", "Labels", "Number", "Values"]

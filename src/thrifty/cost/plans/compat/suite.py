"""The published models by name, with the sizes that the paper's suite gives them: stand-ins where those differ from the true models."""

from __future__ import annotations

import functools
from typing import Any, Final

from thrifty.cost.facts import load_facts
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.models.shapes import Recommender, Transformer
from thrifty.errors import unknown_name

_SHEET: Final = "published_models"
_VARIANTS: Final = ("", "-transformer", "-moe", "-small", "-transformer-small", "-moe-small")
_COMMAND: Final = "thrifty parallelize evaluate --help"


def published_models() -> tuple[str, ...]:
    """Names that `published` knows."""
    kinds = {path.removesuffix(".kind"): kind for path, kind in load_facts(_SHEET).texts.items() if path.endswith(".kind")}
    named = [name for name, kind in kinds.items() if kind not in ("part", "recommender")]
    return (*(f"{name}{variant}" for name, kind in kinds.items() if kind == "recommender" for variant in _VARIANTS), *named)


@functools.cache
def published(name: str) -> Layers:
    """The model called `name` in the published suite, as a plan sees it; a suffix ``:published`` may stand behind. Raises UnknownName."""
    base = name.removesuffix(":published")
    if base not in published_models():
        raise unknown_name("published model", name, published_models(), _COMMAND)
    sheet = load_facts(_SHEET)
    kind = sheet.texts.get(f"{base}.kind", "recommender")
    if kind == "recommender":
        return _recommender(base)
    stand_in = str(sheet.texts.get(f"{base}.stand_in", ""))
    sizes = _sizes(base)
    if kind == "images":
        side = -(-sizes.pop("image") // sizes["patch"])
        model = Transformer(name=base, seq=side * side, positions=True, head=False, stand_in=stand_in, format="fp16", **sizes)
    else:
        model = Transformer(name=base, positions=True, stand_in=stand_in, format="fp16", **sizes)
    return model.to_layers()


def _recommender(name: str) -> Layers:
    small, interaction = name.endswith("-small"), "-transformer" in name
    base = name.removesuffix("-small").removesuffix("-transformer").removesuffix("-moe")
    sizes = _sizes(base)
    if small:
        sizes["rows_per_table"] //= _sizes("small")["rows_divisor"]
    experts = _sizes("experts") if "-moe" in name else {}
    between = Transformer(name="interaction", format="fp32", **_sizes("interaction")) if interaction else None
    return Recommender(name=name, interaction=between, **sizes, **experts).to_layers()


def _sizes(name: str) -> dict[str, Any]:
    sheet = load_facts(_SHEET)
    return {key: int(sheet.get(f"{name}.{key}", "ratio")) for key in sheet.under(name)}

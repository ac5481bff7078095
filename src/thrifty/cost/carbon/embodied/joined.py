"""A package of several dies: by 3D-Carbon as it is built, by die models as so many dies in one package."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from thrifty.cost.carbon.embodied.chiplets import package_of, price_package
from thrifty.cost.carbon.embodied.ensemble import grams_by_model
from thrifty.cost.carbon.embodied.parts.checking import complete
from thrifty.cost.carbon.embodied.parts.part import Part
from thrifty.cost.carbon.embodied.pricing import Priced, priced_from

_BY_DIE: Final = ("act", "imec", "llmcarbon")


def price_joined(part: Part, names: Sequence[str]) -> Priced:
    """Price a part of kind "package". Raises BadValue where dies are of no node that a chosen model knows."""
    package = package_of(part.parameters)
    fab = {} if package.fab_g_per_kwh is None else {"fab_ci": package.fab_g_per_kwh}
    grams: dict[str, float] = {}
    if "threed" in names:
        grams["threed"] = price_package(package).total_g
    die_models = [name for name in _BY_DIE if name in names]
    for place, die in enumerate(package.each):
        said = {"area_mm2": die.area_mm2, "node_nm": die.node_nm, "packages": 1 if place == 0 else 0, **fab}
        said |= {} if die.yield_share is None else {"yield": die.yield_share}
        found = grams_by_model("logic", complete("logic", said), die_models)
        die_models = [name for name in die_models if name in found]
        for name in die_models:
            grams[name] = (grams.get(name, 0.0) if place else 0.0) + found[name]
    kept = {name: value for name, value in grams.items() if name == "threed" or name in die_models}
    note = "act, imec and llmcarbon price the dies and one plain package: they know no interposer, no bond and no loss in joining"
    return priced_from(part, kept, names, (note,) if set(kept) - {"threed"} else ())

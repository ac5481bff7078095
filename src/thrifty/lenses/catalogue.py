"""The lenses that there are."""

from __future__ import annotations

from typing import Final

from thrifty.lenses.carbon.lens import CarbonLens
from thrifty.lenses.contract import Lens
from thrifty.lenses.numerics.lens import NumericsLens
from thrifty.lenses.operators.lens import OperatorsLens
from thrifty.plugins import load_plugins

LENSES: Final[tuple[Lens, ...]] = (OperatorsLens(), NumericsLens(), CarbonLens())


def all_lenses() -> tuple[Lens, ...]:
    """Ours, and those of installed packages."""
    return (*LENSES, *(plugin() if isinstance(plugin, type) else plugin for plugin in load_plugins("thrifty.lenses").values()))

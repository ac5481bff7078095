"""The list of levers: ours, then those of other packages."""

from __future__ import annotations

from typing import Final

from thrifty.levers.basics import LARGER_BATCH, OTHER_DEVICE, OTHER_FORMAT, OTHER_SITE
from thrifty.levers.contract import Lever
from thrifty.levers.parallelize.lever import PARALLELIZE
from thrifty.levers.steward.lever import STEWARD
from thrifty.plugins import load_plugins

LEVERS: Final[tuple[Lever, ...]] = (OTHER_FORMAT, LARGER_BATCH, OTHER_DEVICE, OTHER_SITE, PARALLELIZE, STEWARD)


def all_levers() -> tuple[Lever, ...]:
    """`LEVERS`, and every object that an installed package offers in the entry-point group "thrifty.levers"."""
    return (*LEVERS, *load_plugins("thrifty.levers").values())

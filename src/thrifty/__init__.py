"""thrifty: make machine-learning systems do more with less time, memory, energy and carbon, and prove it.

An engineer says what runs (`workload`) and where (`hardware`), and asks what it costs (`cost`); then changes one thing and asks again.
`assess` does it all for one case. The names below are the whole public surface of the top level; each is loaded on first touch, so that
``import thrifty`` stays light. Every room has its own list in its `__init__`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from thrifty.errors import ThriftyError
from thrifty.version import __version__

if TYPE_CHECKING:
    from thrifty import campaign, cost, footprint, formats, hardware, measure, report, timeline, workload
    from thrifty.assessment import assess
    from thrifty.lenses import carbon, numerics, operators
    from thrifty.levers import parallelize, steward

__all__ = [
    "ThriftyError",  # every error that a user can cause and mend
    "__version__",
    "assess",  # the main job: one case, run, priced, compared, and what would help most
    "campaign",  # many independent tasks, resumable, on one machine or a cluster
    "carbon",  # who emits what, and when: the lens on carbon
    "cost",  # how much, by a model
    "footprint",  # time, memory, energy, carbon, money and quality in one value
    "formats",  # in which numbers
    "hardware",  # where: devices, systems, sites
    "measure",  # how much, by running it
    "numerics",  # how far results drift: the lens on rounding
    "operators",  # what dominates: the lens on operators
    "parallelize",  # how to spread training and serving over devices
    "report",  # findings as a page
    "steward",  # when, where and how long to run, what supply to build
    "timeline",  # when
    "workload",  # what runs
]

_FUNCTIONS: Final = {"assess": "thrifty.assessment"}
"""Public functions of the top level and the module in which each lives."""
_HOMES: Final = {
    "carbon": "thrifty.lenses", "numerics": "thrifty.lenses", "operators": "thrifty.lenses", "parallelize": "thrifty.levers", "steward": "thrifty.levers",
}  # fmt: skip
"""Lenses and levers, which are reached without saying that they are; every other name is a room."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'thrifty' has no attribute '{name}'")
    if name in _FUNCTIONS:
        value = getattr(importlib.import_module(_FUNCTIONS[name]), name)
        globals()[name] = value
        return value
    return importlib.import_module(f"{_HOMES.get(name, 'thrifty')}.{name}")


def __dir__() -> list[str]:
    return sorted(__all__)

"""What runs? A columnar table of operators, captured from a torch module or built from a family's shapes.

Data flows in this order: `table` holds rows and storages, `builder` makes them, `counts` says what operators cost; `families` build tables from shapes,
`tracing` records them from torch modules that `building` makes; `model` is the Workload, `points` moves it to other sizes and `scaling` knows its
counts at any size; `entry` is a sheet of the catalogue, `entries` finds models and `pipelines` puts them together as stages that repeat; `library` finds
all of them by name. `attention_forms` spells attention out or fuses it in a finished table, by `rewriting` its rows; `feeds` say what a twin is fed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from thrifty.workload.entry import Entry, Weights
from thrifty.workload.model import PHASES, Source, Symbol, Workload, WorkPhase
from thrifty.workload.table import Axes, Kind, OperatorTable, Phase, Role, Stage

if TYPE_CHECKING:
    from thrifty.workload.library import get_entry, load, names
    from thrifty.workload.tracing import capture

__all__ = [
    "PHASES", "Axes", "Entry", "Kind", "OperatorTable", "Phase", "Role", "Source", "Stage", "Symbol", "Weights", "WorkPhase", "Workload", "capture",
    "get_entry", "load", "names",
]  # fmt: skip

_LAZY: Final = {
    "capture": "thrifty.workload.tracing", "get_entry": "thrifty.workload.library", "load": "thrifty.workload.library",
    "names": "thrifty.workload.library",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'thrifty.workload' has no attribute '{name}'")
    import importlib

    value = getattr(importlib.import_module(_LAZY[name]), name)
    globals()[name] = value
    return value

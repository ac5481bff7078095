"""How much power this machine may draw. No sensor is read: watts per core come from a sheet, and the note says so."""

from __future__ import annotations

import functools
import os
import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import Any

from thrifty.quantities import to_si


@dataclass(frozen=True, slots=True, kw_only=True)
class HostWatts:
    """tdp_w: of the cores that this machine has; idle_w: its share at rest; notes: the ground of both."""

    tdp_w: float
    idle_w: float
    notes: tuple[str, ...]


@functools.cache
def _sheet() -> dict[str, Any]:
    with (resources.files("thrifty.hardware") / "catalogue" / "host.toml").open("rb") as file:
        return tomllib.load(file)


def host_watts() -> HostWatts:
    """Power of this machine's cores, as their share of a server processor."""
    sheet, cores = _sheet(), os.cpu_count() or 1
    per_core = to_si(sheet["watts_per_core"]["value"], sheet["watts_per_core"]["unit"], "power")
    idle = to_si(sheet["idle_share"]["value"], sheet["idle_share"]["unit"], "ratio")
    note = f"power is modelled, not measured: {cores} cores at {per_core:g} W each ({sheet['watts_per_core']['where']})"
    return HostWatts(tdp_w=cores * per_core, idle_w=idle * cores * per_core, notes=(note,))

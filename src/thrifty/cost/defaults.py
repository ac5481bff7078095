"""What a kind of device sustains, and what software adds, when nobody has calibrated it. All from `catalogue/efficiencies.toml`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from thrifty.cost.facts import load_facts
from thrifty.hardware.device import DeviceKind

Backend = Literal["cuda", "cpu", "other"]
MATRIX_CLASSES: Final = ("conv", "linear", "attention")


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """Uncalibrated efficiencies and overheads of one kind of device.

    efficiency           : sustained share of the matrix peak, by operator kind: conv, linear, attention
    bandwidth_efficiency : sustained share of the largest memory's bandwidth; vector_efficiency: of the vector peak
    launch_s             : what one kernel adds when called from Python one at a time; launch_fused_s: recorded in a graph, or compiled
    tile_q, tile_k       : tile of a fused attention kernel, in queries and keys
    kv_on_chip_bytes     : keys and values of one head up to this size are read once; beyond, once a query tile
    """

    kind: DeviceKind
    efficiency: Mapping[str, float]
    bandwidth_efficiency: float
    vector_efficiency: float
    launch_s: float
    launch_fused_s: float
    tile_q: int
    tile_k: int
    kv_on_chip_bytes: float


@functools.cache
def defaults_for(kind: DeviceKind) -> Defaults:
    """The defaults of a kind of device."""
    sheet = load_facts("efficiencies")
    return Defaults(
        kind=kind,
        efficiency=MappingProxyType({name: sheet.get(f"efficiency.{kind}.{name}", "ratio") for name in MATRIX_CLASSES}),
        bandwidth_efficiency=sheet.get(f"efficiency.{kind}.bandwidth", "ratio"),
        vector_efficiency=sheet.get(f"efficiency.{kind}.vector", "ratio"),
        launch_s=sheet.get(f"launch.{kind}.eager", "time"),
        launch_fused_s=sheet.get(f"launch.{kind}.graph", "time"),
        tile_q=int(sheet.get("attention.tile_q", "ratio")),
        tile_k=int(sheet.get("attention.tile_k", "ratio")),
        kv_on_chip_bytes=sheet.get(f"attention.on_chip.{kind}", "capacity"),
    )

"""Another table of what a server is made of: the node of Fair-CO2's study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from thrifty.cost.carbon.embodied.servers.parts import number
from thrifty.errors import BadValue

_ONCE: Final = ("cooling", "dram", "board", "chassis", "peripheral", "supply")


def fair_co2_node(silicon: str = "imec") -> Mapping[str, float]:
    """Grams of CO2e by part of a node with two Xeon 6240R, 192 GB of memory and 480 GB of flash. `silicon`: imec or act, whose carbon per area."""
    if silicon not in ("imec", "act"):
        raise BadValue(f"silicon='{silicon}' is unknown. Choose from: imec, act.")
    here = "node.fair-co2"
    cpu = number(f"{here}.cpu" if silicon == "imec" else f"{here}.cpu_act", "carbon")
    parts = {"cpu": cpu * number(f"{here}.cpus", "count"), **{name: number(f"{here}.{name}", "carbon") for name in _ONCE}}
    return {**parts, "ssd": number(f"{here}.ssd_per_gb", "carbon_per_capacity") * number(f"{here}.ssd", "capacity")}

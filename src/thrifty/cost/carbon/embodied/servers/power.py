"""What a server takes at a load."""

from __future__ import annotations

import functools
import math

import numpy as np

from thrifty.cost.carbon.embodied.servers.parts import Server, number
from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import BadValue


@functools.cache
def _cubic() -> tuple[float, ...]:
    """Coefficients, cube first, of the least-squares cubic through the sheet's derates."""
    rows = load_pack().under("servers:derate")
    loads = np.array([float(row[1:]) for row in rows])
    shares = np.array([number(f"derate.{row}", "ratio") for row in rows])
    return tuple(float(x) for x in np.polyfit(loads, shares, 3))


def derate(load_percent: float) -> float:
    """Share of its rated power that a part takes at a load of SPEC, 10 to 100 %: the cubic that fits GreenSKU's table best (40 → 0.44293)."""
    if not 10 <= load_percent <= 100:
        raise BadValue(f"load={load_percent} % lies outside the table of derates. Give 10 to 100.")
    a, b, c, d = _cubic()
    return ((a * load_percent + b) * load_percent + c) * load_percent + d


def server_power_w(server: Server, load_percent: float) -> float:
    """Watts at the server's plug: derated parts (processors with their voltage regulators), the bare chassis, fans.

    Fans take their own rated power and a share of what the rest takes beyond `fan_from_w`, both derated; never below 0.
    """
    share, regulators = derate(load_percent), number("use.voltage_regulators", "ratio")
    parts = math.fsum(part.power_w * count * (regulators if part.cores else 1.0) for part, count in server.parts.items())
    chassis = server.chassis
    still = parts * share + chassis.power_w
    fans = (chassis.fan_power_w + number("use.fan_slope", "ratio") * (still - chassis.fan_from_w)) * share
    return still + max(0.0, fans)

"""How many dies of a wafer are good, and what a good one costs of it."""

from __future__ import annotations

import math

from thrifty.errors import BadValue


def positive(name: str, value: float, example: str) -> float:
    """`value`, or BadValue where it is not a finite number above 0."""
    if not (math.isfinite(value) and value > 0):
        raise BadValue(f"{name}={value} is not above 0. Give e.g. {example}.")
    return value


def share(name: str, value: float) -> float:
    """`value`, or BadValue where it lies outside (0, 1]."""
    if not 0 < value <= 1:
        raise BadValue(f"{name}={value} is outside (0, 1]. Give a share such as 0.9.")
    return value


def die_yield(area_mm2: float, defects_per_mm2: float, clustering: float = 10.0) -> float:
    """Share of good dies, (1 + A·D0/α)^−α: the negative binomial; for α without end Poisson's exp(−A·D0). Raises BadValue."""
    positive("area_mm2", area_mm2, "213")
    positive("clustering", clustering, "10")
    if not (math.isfinite(defects_per_mm2) and defects_per_mm2 >= 0):
        raise BadValue(f"defects_per_mm2={defects_per_mm2} is below 0 or not finite. Give e.g. 0.001.")
    return math.exp(-clustering * math.log1p(area_mm2 * defects_per_mm2 / clustering))


def dies_per_wafer(area_mm2: float, wafer_mm: float = 300.0) -> int:
    """Whole dies on a round wafer, ⌊πd²/4A − πd/√(2A)⌋. Raises BadValue where none fits."""
    positive("area_mm2", area_mm2, "213")
    positive("wafer_mm", wafer_mm, "300")
    count = math.floor(math.pi * wafer_mm**2 / (4 * area_mm2) - math.pi * wafer_mm / math.sqrt(2 * area_mm2))
    if count < 1:
        raise BadValue(f"area_mm2={area_mm2:g} leaves no whole die on a wafer of {wafer_mm:g} mm. Give the area of one die.")
    return count


def wafer_area_mm2(area_mm2: float, wafer_mm: float = 300.0) -> float:
    """Wafer that one die uses up, rim and rest shared evenly; above `area_mm2`."""
    return math.pi * wafer_mm**2 / 4 / dies_per_wafer(area_mm2, wafer_mm)


def mean_inverse_yield(a: float, b: float) -> float:
    """E[1/Y] for a yield that is Beta(a, b): (a + b − 1)/(a − 1). Carbon per good die follows it, not 1/E[Y]. Raises BadValue for a ≤ 1 (no mean)."""
    if not (math.isfinite(a) and a > 1):
        raise BadValue(f"a={a} gives 1/yield no mean. Give a above 1.")
    positive("b", b, "2")
    return (a + b - 1) / (a - 1)

"""What Fair-CO2 published, from the sheet "attribution"."""

from __future__ import annotations

from thrifty.cost.carbon.factors import load_pack


def published_deviations() -> dict[str, dict[str, tuple[float, float]]]:
    """Study ("schedules", "neighbours") → method → (mean, worst tenant), relative."""
    pack, found = load_pack(), {}
    for study, methods in (("schedules", ("reserved", "demand", "temporal")), ("neighbours", ("reserved", "interference"))):
        found[study] = {
            method: (pack.get(f"attribution:published.{study}.{method}.mean", "ratio"), pack.get(f"attribution:published.{study}.{method}.worst", "ratio"))
            for method in methods
        }
    return found

"""Configurations beside a baseline, per core, and beside what was published of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.cost.carbon.embodied.servers.parts import SCENARIOS, Server, load_server, number
from thrifty.cost.carbon.embodied.servers.pricing import Accounts, Boundary, Use, per_core
from thrifty.cost.carbon.embodied.servers.racking import Limits
from thrifty.cost.carbon.factors import load_pack


@dataclass(frozen=True, slots=True, kw_only=True)
class Saving:
    """Share of carbon per core that a server saves over another; below 0 where it emits more."""

    operational: float
    embodied: float
    total: float

    def to_dict(self) -> dict[str, float]:
        return {"operational": self.operational, "embodied": self.embodied, "total": self.total}


def saving(
    server: Server, baseline: Server, use: Use, *, limits: Limits | None = None, boundary: Boundary = "rack", accounts: Accounts = "thrifty"
) -> Saving:  # fmt: skip
    """What `server` saves over `baseline`. The published tables end at the rack, hence the boundary."""
    ours, theirs = (per_core(each, use, limits=limits, boundary=boundary, accounts=accounts) for each in (server, baseline))
    return Saving(
        operational=1 - ours.operational_g / theirs.operational_g if theirs.operational_g else 0.0, embodied=1 - ours.embodied_g / theirs.embodied_g,
        total=1 - ours.total_g / theirs.total_g,
    )  # fmt: skip


def published_savings() -> Mapping[str, Mapping[str, Saving]]:
    """What the result tables of two versions of the artifact state (V, VIII), by table and configuration."""
    found = {}
    for table in ("table_v", "table_viii"):
        known = load_pack().under(f"servers:published.{table}")
        names = [name for name in SCENARIOS if f"{name}_total" in known]
        found[table] = {
            name: Saving(**{what: number(f"published.{table}.{name}_{what}", "ratio") for what in ("operational", "embodied", "total")}) for name in names
        }
    return found


def published_grid_g_per_kwh() -> float:
    """The intensity at which the published tables come out."""
    return number("published.grid", "carbon_per_energy")


def all_savings(use: Use, *, boundary: Boundary = "rack", accounts: Accounts = "thrifty") -> Mapping[str, Saving]:
    """Every configuration that ships beside the baseline."""
    baseline = load_server("baseline")
    return {name: saving(load_server(name), baseline, use, boundary=boundary, accounts=accounts) for name in SCENARIOS if name != "baseline"}

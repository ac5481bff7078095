"""Prices on carbon: a number of the user's, or a scenario of the pack, dated and with its source. A scenario is what was, not what will be."""

from __future__ import annotations

import math
from dataclasses import dataclass

from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import BadValue, unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class CarbonPrice:
    """usd_per_t: what a tonne costs; low, high: the range that its source gives; dated: the time that it holds for, "" for the user's own"""

    name: str
    usd_per_t: float
    low: float
    high: float
    dated: str = ""
    source: str = ""
    note: str = ""

    def to_dict(self) -> dict[str, object]:
        return {
            "name": self.name, "usd_per_t": self.usd_per_t, "low": self.low, "high": self.high, "dated": self.dated, "source": self.source, "note": self.note,
            "truth": "literature" if self.source else "given",
        }  # fmt: skip


def scenarios() -> tuple[str, ...]:
    """Names of the scenarios of the pack."""
    prefix, suffix = "policy:scenario.", ".price"
    return tuple(path[len(prefix) : -len(suffix)] for path in load_pack().factors if path.startswith(prefix) and path.endswith(suffix))


def price_of(scenario: str) -> CarbonPrice:
    """A scenario's price in dollars. Raises UnknownName."""
    if scenario not in scenarios():
        raise unknown_name("carbon price scenario", scenario, scenarios(), "thrifty steward policy --list")
    pack = load_pack()
    factor = pack.factor(f"policy:scenario.{scenario}.price")
    euros = factor.unit.startswith("EUR")
    dimension = "price_eur_per_carbon" if euros else "price_per_carbon"
    rate = pack.get("policy:exchange.usd_per_eur", "exchange") if euros else 1.0
    spread = factor.spread(dimension)
    ends = spread.parameters if spread.kind == "uniform" else (factor.in_unit_of(dimension),) * 2
    dated = f"{factor.valid_from} to {factor.valid_to}" if factor.valid_from else factor.read_on
    return CarbonPrice(
        name=scenario, usd_per_t=factor.in_unit_of(dimension) * rate, low=ends[0] * rate, high=ends[-1] * rate, dated=dated, source=factor.source,
        note=factor.note + (f"; {factor.value:g} EUR at {rate:g} USD" if euros else ""),
    )  # fmt: skip


def given_price(usd_per_t: float) -> CarbonPrice:
    """The user's own price. Raises BadValue below 0 or for no number."""
    if not (math.isfinite(usd_per_t) and usd_per_t >= 0):
        raise BadValue(f"a carbon price of {usd_per_t:g} USD/t cannot be. Give a finite number of at least 0.")
    return CarbonPrice(name="given", usd_per_t=usd_per_t, low=usd_per_t, high=usd_per_t)

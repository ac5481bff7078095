"""Two views of one ledger that are not to be mistaken for each other: what is billed, and what a decision can still change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.lenses.carbon.ledger.table import Ledger

SUNK = ("manufacture", "transport")
"""Phases whose carbon is out once a machine stands in the hall. Its end of life comes whatever runs on it."""
SETTLED = (*SUNK, "end of life")


@dataclass(frozen=True, slots=True)
class BillingLedger:
    """Everything that a period is charged with: running, and the period's share of making, carrying and disposing of machines."""

    ledger: Ledger


@dataclass(frozen=True, slots=True)
class DecisionLedger:
    """What depends on the decision: running; of machines yet to be bought also making, carrying and disposing of them. Nothing that is spent already."""

    ledger: Ledger
    bought: frozenset[str]

    def __post_init__(self) -> None:
        settled = self.ledger.texts["phase"].among(SETTLED) & self.ledger.texts["asset"].among(sorted(self.bought))
        if settled.any():
            raise BadValue("carbon of making a machine that stands already is spent whatever one decides. Use DecisionLedger.of, which leaves it out.")

    @classmethod
    def of(cls, ledger: Ledger, to_buy: Iterable[str] = ()) -> DecisionLedger:
        """Of a ledger of machines that are all bought, but for those of `to_buy`. Raises UnknownName for a name that the ledger does not have."""
        wanted = tuple(to_buy)
        if wanted and len(ledger):
            ledger.select(asset=wanted)
        bought = frozenset(ledger.names("asset")) - frozenset(wanted)
        settled = ledger.texts["phase"].among(SETTLED) & ledger.texts["asset"].among(sorted(bought))
        return cls(ledger.taken(~settled), bought)


def least_carbon(decision: DecisionLedger, method: str = "location") -> str:
    """The asset that emits least of those that the decision is between: where to place work.

    Takes a `DecisionLedger` only: a bill would send work to a machine because it is old. Raises BadValue for a bill, or for no asset.
    """
    if not isinstance(decision, DecisionLedger):
        raise BadValue(f"work is placed by a DecisionLedger, not a {type(decision).__name__}: carbon that is spent must not count. Use DecisionLedger.of.")
    totals = decision.ledger.by("asset", method=method)
    if not totals:
        raise BadValue("no asset to choose from. Give a ledger with rows of running.")
    return str(min(totals, key=lambda asset: totals[asset]))

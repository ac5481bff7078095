"""The ledger: one sparse table of carbon by asset, phase, scope, hour and tenant that nothing is added to or lost from unseen.

- `columns` says what a row says; `table` is the `Ledger`, immutable columns, with totals by any of them; `checks` refuses negative carbon (an offset never
  subtracts), words out of their lists, and carbon that is counted twice; `coding` keeps words short
- `moving` spreads carbon over hours and divides it among tenants, idle and stranded capacity as lines of their own; totals are checked after every move
- `books` are two views: the bill, with its share of making machines, and the decision, without carbon that is spent whatever one decides (the sunk
  carbon fallacy: Bashir et al., SoCC 2024); `depreciation` says how making is charged over a life
- `exchange` writes and reads CSV, JSON and Arrow in pieces; `sealing` chains hashes over rows, so that a changed one shows
- `fleet` reads the description of a fleet, `accounting` turns it into a ledger
"""

from thrifty.lenses.carbon.ledger.books import BillingLedger, DecisionLedger, least_carbon
from thrifty.lenses.carbon.ledger.columns import COLUMNS, LINES, NOBODY, PHASES
from thrifty.lenses.carbon.ledger.depreciation import DEPRECIATIONS, life_share
from thrifty.lenses.carbon.ledger.exchange import read_ledger, write_ledger
from thrifty.lenses.carbon.ledger.moving import charge, divide, spread
from thrifty.lenses.carbon.ledger.sealing import Seal, seal
from thrifty.lenses.carbon.ledger.table import Ledger

__all__ = [
    "COLUMNS", "DEPRECIATIONS", "LINES", "NOBODY", "PHASES", "BillingLedger", "DecisionLedger", "Ledger", "Seal", "charge", "divide", "least_carbon",
    "life_share", "read_ledger", "seal", "spread", "write_ledger",
]  # fmt: skip

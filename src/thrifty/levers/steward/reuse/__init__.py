"""Servers from what is needed and what can be used again, and who bears what a part's making emitted over several lives.

After GreenSKU (ISCA 2024) and the rethinking of reuse and the hardware odometer that Carbon Connect (2024) asks for. Data flows in this order:

- `allocation` divides a part's making among its lives by a named rule, and keeps credits in lines of their own: nothing is netted, the total stays
- `odometer` is a part's history that only grows: a chain of hashes in a file of JSON lines, so that a part is sold with its past; `wear` turns history
  into remaining life and the share of parts worth using again; `flash` weighs more flash against longer life
- `needs` says what servers must offer and what stock there is; `designs` lists every server that nothing beats; `choosing` picks the fleet of least
  carbon, by enumeration or, where stock is short, by a MILP; `deciding` puts it together

Not known here: how fast a core of another processor or memory behind a controller is, prices, and transport of used parts.
"""

from thrifty.levers.steward.reuse.allocation import RULES, Allocation, Life, Line, allocate
from thrifty.levers.steward.reuse.choosing import Fleet, choose
from thrifty.levers.steward.reuse.deciding import Reusing, decide_reuse
from thrifty.levers.steward.reuse.designs import Design, all_designs
from thrifty.levers.steward.reuse.flash import best_overprovisioning, flash_life_years, overprovisioning_for
from thrifty.levers.steward.reuse.needs import Needs
from thrifty.levers.steward.reuse.odometer import Reading, append_reading, read_history
from thrifty.levers.steward.reuse.wear import Remaining, failure_law, remaining_life, survival, worth_reusing

__all__ = [
    "RULES", "Allocation", "Design", "Fleet", "Life", "Line", "Needs", "Reading", "Remaining", "Reusing", "all_designs", "allocate", "append_reading",
    "best_overprovisioning", "choose", "decide_reuse", "failure_law", "flash_life_years", "overprovisioning_for", "read_history", "remaining_life",
    "survival", "worth_reusing",
]  # fmt: skip

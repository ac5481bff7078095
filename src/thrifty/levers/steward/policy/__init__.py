"""What a price or a cap on carbon changes: which plan is cheapest, at which price it changes, what the cap's last tonne is worth, what rebound eats.

`prices` are dated scenarios; `paying` chooses schedules by electricity plus carbon; `measures` is the abatement curve and its cheapest part under a cap;
`rebound` lets demand answer; `deciding` gives the decision. Scope 3 of machines that exist is billed where asked, and moves nothing: it is sunk.
It does not know markets: prices don't answer to what is decided.
"""

from thrifty.levers.steward.policy.deciding import Abated, Policed, decide_measures, police
from thrifty.levers.steward.policy.measures import Measure, Taken, abate, abatement_curve, read_measures
from thrifty.levers.steward.policy.paying import Paid, Step, pay, plans_by_price
from thrifty.levers.steward.policy.prices import CarbonPrice, given_price, price_of, scenarios
from thrifty.levers.steward.policy.rebound import Rebound

__all__ = [
    "Abated", "CarbonPrice", "Measure", "Paid", "Policed", "Rebound", "Step", "Taken", "abate", "abatement_curve", "decide_measures", "given_price", "pay",
    "plans_by_price", "police", "price_of", "read_measures", "scenarios",
]  # fmt: skip

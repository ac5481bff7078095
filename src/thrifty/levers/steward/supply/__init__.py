"""What clean supply to build for a load: solar, wind, battery, and machines for hours that can wait.

After Carbon Explorer (Acun et al., ASPLOS 2023): what counts is what covers the load in its hour; embodied and operational carbon are weighed together. Data
flows in this order: `stating` makes a `question` from plain values; `replayed` replays supplies, many at once; `linear` bounds what any supply could come to,
by a linear programme over the year whose dual is recomputed here; `sizing` finds the best supply that holds the target under replay; `searching` replays a
whole grid and keeps what nothing beats, each checked again by `rechecking`, minute by minute; `deciding` puts it together.

Not known here: where to build and what connects it, what weather another year brings, selling what is spilled, loss of a battery's capacity within its life,
and a battery that waits for dirtier hours: the replayed one follows the hour, and the bound says what waiting could be worth.
"""

from thrifty.levers.steward.supply.deciding import Supplying, decide_supply, hours_of
from thrifty.levers.steward.supply.linear import Relaxed, relax
from thrifty.levers.steward.supply.question import Most, Question, Rates
from thrifty.levers.steward.supply.rechecking import unmet_slowly
from thrifty.levers.steward.supply.replayed import Outcomes, outcomes
from thrifty.levers.steward.supply.searching import Grid, Searched, front_of, search_supplies
from thrifty.levers.steward.supply.sizing import Built, Sized, best_reachable, size_supply
from thrifty.levers.steward.supply.stating import asked_question

__all__ = [
    "Built", "Grid", "Most", "Outcomes", "Question", "Rates", "Relaxed", "Searched", "Sized", "Supplying", "asked_question", "best_reachable", "decide_supply",
    "front_of", "hours_of", "outcomes", "relax", "search_supplies", "size_supply", "unmet_slowly",
]  # fmt: skip

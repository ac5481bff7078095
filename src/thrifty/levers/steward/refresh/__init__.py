"""How long should machines serve, and when do new ones pay for their making?

After the refresh cycles that Carbon Connect (2024) asks to rethink, with the rule of the Sunk Carbon Fallacy (2024): what making the old machines emitted is
spent, and enters no decision. Data flows in this order: `swap` counts old and new machines and says when the new ones are paid back; `ratios` says
how much more a new one does; `lifetimes` has the closed form of the best life under linear gains; `fleets` plans year by year with growing demand, failures, a
changing grid and a price of carbon, exactly; `timing` looks at one upgrade and at the price of carbon that would bring it; `billing` spreads making
over years; `deciding` puts it together.

Not known here: hosts and racks around devices, second lives of what is taken out (`reuse` knows), kinds of machines side by side in one fleet.
"""

from thrifty.levers.steward.refresh.billing import RULES, yearly_shares
from thrifty.levers.steward.refresh.deciding import Refreshing, decide_refresh
from thrifty.levers.steward.refresh.fleets import Fleets, Future, Kind, Sums, best_replacements
from thrifty.levers.steward.refresh.lifetimes import best_life_years, yearly_excess
from thrifty.levers.steward.refresh.ratios import WorkRatio, peak_ratio, workload_ratio
from thrifty.levers.steward.refresh.swap import Swap, break_even_h
from thrifty.levers.steward.refresh.timing import Upgrade, needed_carbon_price, upgrades

__all__ = [
    "RULES", "Fleets", "Future", "Kind", "Refreshing", "Sums", "Swap", "Upgrade", "WorkRatio", "best_life_years", "best_replacements", "break_even_h",
    "decide_refresh", "needed_carbon_price", "peak_ratio", "upgrades", "workload_ratio", "yearly_excess", "yearly_shares",
]  # fmt: skip

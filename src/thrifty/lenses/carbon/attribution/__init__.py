"""Whose is it? Shared carbon divided among tenants by what they reserved, used or asked for, and by what they are answerable for.

After "Fair-CO2" (Han et al., ISCA 2025) and Shapley (1953). In order:

- `demands` reads what tenants ask for over time; `proportional` divides by amounts, as most bills do
- `games` has Shapley's value: hardware is bought for the peak, so a tenant owes what it adds to peaks, on average over all orders of arrival
- `colocation` shares a machine's time among neighbours who slow each other down; `energy` divides electricity (idle power by reservation, the rest by use)
- `dividing` is one question asked of any method; `studies` draws random schedules and neighbours and says how far each method is from the fair share

It does not know prices, nor which resource is scarce: give one demand file a resource, and weigh the answers by the carbon of each.
"""

from thrifty.lenses.carbon.attribution.colocation import interference_shares, paid_for_time, seating_shares
from thrifty.lenses.carbon.attribution.demands import Demand, read_demand
from thrifty.lenses.carbon.attribution.dividing import METHODS, Attribution, attribute_carbon, method_shares
from thrifty.lenses.carbon.attribution.energy import energy_shares
from thrifty.lenses.carbon.attribution.games import Sampled, airport_shares, exact_shapley, period_shares, sampled_shapley
from thrifty.lenses.carbon.attribution.proportional import demand_shares, peak_shares, time_shares

__all__ = [
    "METHODS", "Attribution", "Demand", "Sampled", "airport_shares", "attribute_carbon", "demand_shares", "energy_shares", "exact_shapley",
    "interference_shares", "method_shares", "paid_for_time", "peak_shares", "period_shares", "read_demand", "sampled_shapley", "seating_shares",
    "time_shares",
]  # fmt: skip

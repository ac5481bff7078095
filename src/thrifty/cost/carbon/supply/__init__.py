"""What clean supply does for a load: panels, turbines, a battery and hours that can wait.

- `battery` is the model of a battery whose power tapers; `loops` runs it in closed form, one step at a time; `replaying` asks for one year or for very many;
- `shifting` moves load within its day, exactly; `matching` says how much is covered, by the hour and by the year; `making` what building it all emitted;
- `checking` refuses arrays that are none.

After Carbon Explorer (Acun et al., ASPLOS 2023); the closed forms and the shift that keeps its limits are ours. What it does not know: grid connections,
ageing of the battery within the year, prices.
"""

from thrifty.cost.carbon.supply.battery import CHEMISTRIES, Battery
from thrifty.cost.carbon.supply.making import battery_life_years, cycle_life, supply_embodied_g
from thrifty.cost.carbon.supply.matching import annual_matching, cfe_score, coverage
from thrifty.cost.carbon.supply.replaying import Replay, Sums, replay, replay_many
from thrifty.cost.carbon.supply.shifting import Shift, shift_days

__all__ = [
    "CHEMISTRIES", "Battery", "Replay", "Shift", "Sums", "annual_matching", "battery_life_years", "cfe_score", "coverage", "cycle_life", "replay",
    "replay_many", "shift_days", "supply_embodied_g",
]  # fmt: skip

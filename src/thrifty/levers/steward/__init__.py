"""When, where and how long to run, what supply to build, what to reuse: decisions about carbon, each with a bound on how good it could be.

After "Carbon Connect: An Ecosystem for Sustainable Computing" (Lee et al., 2024). Everything is priced by `cost.carbon`; what each decision returns is a
`Decision`: a change with before and after, its plan, and a `Certificate` that says how far from the best it can be and how that was proved.

- `supply` sizes sun, wind, batteries, moved load and servers for a share of clean hours;
- `schedule` moves jobs in time and place, stretches them, and caps power under an objective of service;
- `refresh` says when new machines pay for their making; `reuse` builds servers from new and used parts and divides making among lives;
- `policy` puts a price or a cap on carbon and says at which price plans change;
- `lever` is what `assess` sees.

What it does not know: prices and intensities of the future (forecasts are stated as such), networks' own carbon when work moves, and any legal duty.
"""

from thrifty.levers.steward.decision import Certificate, Decision
from thrifty.levers.steward.policy import decide_measures
from thrifty.levers.steward.refresh import decide_refresh
from thrifty.levers.steward.reuse import decide_reuse
from thrifty.levers.steward.schedule import decide as decide_schedule
from thrifty.levers.steward.supply import decide_supply

__all__ = ["Certificate", "Decision", "decide_measures", "decide_refresh", "decide_reuse", "decide_schedule", "decide_supply"]

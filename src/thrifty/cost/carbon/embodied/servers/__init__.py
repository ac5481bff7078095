"""From parts to servers, racks and buildings: power, carbon of use and of making, per core.

After "Designing Cloud Servers for Lower Carbon" (Wang et al., ISCA 2024), the GreenSKU model, with its open data:

- `parts` reads parts and configurations; `power` says what a server takes at a load (least-squares derates, regulators, fans);
- `racking` counts servers in a rack by power and by space, and racks in a building; `pricing` gives carbon per core;
- `savings` sets configurations beside a baseline, by our accounts and by those of the published program, which also scales what making the parts emitted
  by PUE and power factor; `maintenance` counts repairs with parts that fail in place; `nodes` has another table of a server's parts (Fair-CO2).

A core counts as a core: how much slower one with less cache or with memory behind CXL is, the caller has to know.
"""

from thrifty.cost.carbon.embodied.servers.maintenance import repairs_per_100_server_years
from thrifty.cost.carbon.embodied.servers.nodes import fair_co2_node
from thrifty.cost.carbon.embodied.servers.parts import SCENARIOS, Chassis, Server, ServerPart, all_parts, load_chassis, load_part, load_server
from thrifty.cost.carbon.embodied.servers.power import derate, server_power_w
from thrifty.cost.carbon.embodied.servers.pricing import PerCore, Use, per_core
from thrifty.cost.carbon.embodied.servers.racking import Limits, racks_per_building, servers_per_rack
from thrifty.cost.carbon.embodied.servers.savings import Saving, all_savings, published_grid_g_per_kwh, published_savings, saving

__all__ = [
    "SCENARIOS", "Chassis", "Limits", "PerCore", "Saving", "Server", "ServerPart", "Use", "all_parts", "all_savings", "derate", "fair_co2_node",
    "load_chassis", "load_part", "load_server", "per_core", "published_grid_g_per_kwh", "published_savings", "racks_per_building",
    "repairs_per_100_server_years", "saving", "server_power_w", "servers_per_rack",
]  # fmt: skip

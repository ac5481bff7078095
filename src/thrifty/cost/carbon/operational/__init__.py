"""Carbon of running: the energy that machines take, times what their building and their grid add.

- `yearly` is one average for all hours, as every lens and lever prices by default;
- `powers` are public models of what a machine draws; `supplied` is a site's own sun, wind and battery; `accounts` puts an hourly load against an hourly
  grid and that supply, and holds the accounts that are in use (location, market, matched by the year and by the hour, 24/7) side by side.
"""

from thrifty.cost.carbon.operational.accounts import Accounts, Hours, account
from thrifty.cost.carbon.operational.supplied import Supply, regional_shares, weather_shares
from thrifty.cost.carbon.operational.yearly import operational_g, operational_g_per_j

__all__ = [
    "Accounts", "Hours", "Supply", "account", "operational_g", "operational_g_per_j", "regional_shares", "weather_shares",
]  # fmt: skip

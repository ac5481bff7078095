"""Carbon of running: the energy that machines take, times what their building and their grid add.

- `yearly` is one average for all hours, as every lens and lever prices by default;
- `powers` are public models of what a machine draws; `accounts` puts an hourly load against an hourly grid and its own supply, and holds the accounts
  that are in use (location, market, matched by the year and by the hour) side by side; `supplied` replays the supply behind them.
"""

from thrifty.cost.carbon.operational.yearly import J_PER_KWH, operational_g, operational_g_per_j

__all__ = ["J_PER_KWH", "operational_g", "operational_g_per_j"]

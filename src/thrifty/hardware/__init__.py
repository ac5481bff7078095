"""Where work runs: devices, systems of many devices, and sites with their grid and prices.

Every number is a line of a data sheet (`catalogue/*.toml`) with its unit, its source, the place in that source and the day it was read;
`sheets` refuses one that lacks any of these. Sheets state *peaks*: what a device sustains is calibration and is kept apart. Where sources
disagree the sheet says so (`disagrees_with`), and where nobody states a number the sheet leaves it out, so `idle_w` or a price may be None.

In the order in which data flow: `units` and `sources` (what a sheet may lean on), `sheets` (TOML to frozen values in SI), `device` (those
values), `library` (finding them by name), `cli` (showing them).

Not known here: how fast anything runs (see `cost`), clocks and power states, prices of today, and any hour of a grid: a site is a yearly mean.
"""

from thrifty.hardware.device import Cache, Calibration, Device, DeviceKind, Fact, Link, MemoryTier, Site, System, Tier
from thrifty.hardware.library import THIS_CUDA, THIS_MACHINE, device_names, load, load_site, load_system, site_names, system_names
from thrifty.hardware.sources import Source, catalogue_sources

__all__ = [
    "THIS_CUDA",
    "THIS_MACHINE",
    "Cache",
    "Calibration",
    "Device",
    "DeviceKind",
    "Fact",
    "Link",
    "MemoryTier",
    "Site",
    "Source",
    "System",
    "Tier",
    "catalogue_sources",
    "device_names",
    "load",
    "load_site",
    "load_system",
    "site_names",
    "system_names",
]

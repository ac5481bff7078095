"""Hierarchies of real devices: from their sheets, and this machine's from what its kernel says about it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from thrifty.errors import BadValue
from thrifty.hardware import THIS_MACHINE, Cache, Device, device_names, load
from thrifty.lenses.operators.caching.hierarchy import Hierarchy

SYSFS: Final = Path("/sys/devices/system/cpu/cpu0/cache")


def hierarchy_of(device: str | Device, *, last: str = "l2") -> Hierarchy:
    """The first level and the level called `last` ("l2", on a CPU also "l3") of a device.

    A GPU has one first level for each of its streaming multiprocessors, whose stores go through, and one last level that picks sets by a hash and is
    written in sectors; a CPU is one of its cores. `this-machine` is read from the system, other names from their sheets (`thrifty.hardware.load`).

    Raises BadValue for a device whose sheet does not say how its caches are built, or that has no level of that name.
    """
    caches: tuple[Cache, ...]
    if isinstance(device, str) and device == THIS_MACHINE:
        name, gpu, caches = device, False, host_caches()
    else:
        found = load(device) if isinstance(device, str) else device
        name, gpu, caches = found.name, found.kind == "gpu", found.caches or (host_caches() if found.name == THIS_MACHINE else ())
    if not caches:
        known = ", ".join(other for other in device_names() if load(other).caches)
        raise BadValue(f"the sheet of {name} does not say how its caches are built. Choose from: {known}, {THIS_MACHINE}.")
    levels = {cache.name: cache for cache in caches}
    first = caches[0]
    if last not in levels or last == first.name:
        raise BadValue(f"{name} has no level '{last}' behind {first.name}. Choose from: {', '.join(other for other in levels if other != first.name)}.")
    return Hierarchy(first=first, last=levels[last], cores=first.instances if gpu else 1, hashed=gpu, store_fetches=not gpu)


def host_caches(folder: Path = SYSFS) -> tuple[Cache, ...]:
    """The data caches of this machine's first core, nearest first, as Linux describes them. Raises BadValue where it does not."""
    found = []
    for index in sorted(folder.glob("index*")):
        try:
            said = {key: (index / key).read_text().strip() for key in ("type", "level", "size", "coherency_line_size", "ways_of_associativity")}
            level, line, ways, capacity = int(said["level"]), int(said["coherency_line_size"]), int(said["ways_of_associativity"]), _bytes(said["size"])
        except (OSError, ValueError):
            continue
        if said["type"] in ("Data", "Unified") and min(line, ways, capacity) > 0 and capacity % (line * ways) == 0:
            found.append((level, Cache(name=f"l{level}", capacity_bytes=capacity, line_bytes=line, sector_bytes=line, ways=ways)))
    if not found:
        raise BadValue(f"this machine does not describe its caches in {folder}. Name a device whose sheet does, e.g. epyc-9654.")
    return tuple(cache for _, cache in sorted(found, key=lambda pair: pair[0]))


def _bytes(text: str) -> int:
    scale = {"K": 2**10, "M": 2**20, "G": 2**30}.get(text[-1:])
    return int(text[:-1]) * scale if scale else int(text)

"""Finds a device or chip by name: the hardware catalogue first, in any spelling, then catalogues of other packages that are installed."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.cost.carbon.embodied.parts.kinds import KINDS, TREES
from thrifty.cost.carbon.factors.adapters import Chip, find_chip
from thrifty.cost.carbon.factors.adapters.chips import words
from thrifty.errors import UnknownName
from thrifty.hardware import device_names, load
from thrifty.hardware.device import Device, DeviceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Silicon:
    """What pricing a device needs to know: the fields of `hardware.Device` by the same names, for a chip that is not in our catalogue.

    memory_bytes: 0 where it has none of its own; boarded: whether it is sold as a board
    """

    name: str
    kind: DeviceKind
    die_area_mm2: float | None
    process_node_nm: float | None
    memory_bytes: float
    memory_technology: str
    boarded: bool
    source: str = ""


@functools.cache
def _spellings() -> Mapping[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for name in device_names():
        for spelling in (name, load(name).title):
            found.setdefault(words(spelling), name)
    return found


def find_named(name: str) -> Device | Silicon:
    """The device or chip called `name`. Raises UnknownName with the nearest names and what a part may be, BadValue where a name fits several chips."""
    try:
        return load(name)
    except UnknownName:
        known = _spellings().get(words(name))
    if known is not None:
        return load(known)
    try:
        return _silicon(find_chip(name))
    except UnknownName as error:
        near = difflib.get_close_matches(name.lower(), [*device_names(), *KINDS], n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise UnknownName(
            f"No part, device or chip named '{name}'.{hint} Kinds of parts: {', '.join((*KINDS, *TREES))}. Devices: thrifty hardware list. {error}"
        ) from error


def _silicon(chip: Chip) -> Silicon:
    return Silicon(
        name=chip.name, kind="gpu" if chip.kind == "gpu" else "cpu", die_area_mm2=chip.die_area_mm2, process_node_nm=chip.node_nm,
        memory_bytes=chip.memory_bytes, memory_technology=chip.memory_type, boarded=chip.kind == "gpu", source=chip.source,
    )  # fmt: skip

"""What the published model lets a system sustain (brief of MAD-Max, 2.3): one rate of arithmetic by width, one of memory, one of each collective by tier."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from thrifty.cost.facts import load_facts
from thrifty.errors import BadValue, unknown_name
from thrifty.hardware import load_system
from thrifty.hardware.device import Device, System

WIDTHS: Final[Mapping[int, str]] = {8: "f64", 4: "tf32", 2: "f16", 1: "int8"}
"""Bytes of a number, and the peak at which numbers of that width multiply."""

_PEAKS: Final[Mapping[int, tuple[str, ...]]] = {8: ("fp64",), 4: ("tf32", "fp32"), 2: ("fp16", "bf16"), 1: ("int8",)}
_SHEET: Final = "published_systems"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRates:
    """Rates of one device, in FLOP/s and bytes/s.

    flops                               : by bytes of a number; a width that the device lacks is left out
    all_to_all, all_reduce, all_gather  : by tier, innermost first; one tier where there is one node. A reduce-scatter runs like an all-gather
    """

    name: str
    devices: int
    node_devices: int
    flops: Mapping[int, float]
    memory: float
    all_to_all: tuple[float, ...]
    all_reduce: tuple[float, ...]
    all_gather: tuple[float, ...]
    capacity_bytes: float

    @property
    def nodes(self) -> int:
        return self.devices // self.node_devices

    def flops_of(self, width: float) -> float:
        """FLOP/s for numbers of `width` bytes. Raises BadValue for a width that the published model or this device does not know."""
        if width not in self.flops:
            known = ", ".join(str(each) for each in self.flops)
            raise BadValue(f"the published model rates numbers of {known} bytes on {self.name}, and these have {width:g}. Choose a format of such a width.")
        return self.flops[int(width)]


@functools.cache
def published_names() -> tuple[str, ...]:
    """Systems whose sustained rates the published model states."""
    return tuple(path.removesuffix(".node.devices") for path in load_facts(_SHEET).facts if path.endswith(".node.devices"))


def published_system(system: System) -> PublishedRates:
    """The rates of `system` as published under its name.

    A system that was scaled (`System.scaled`) has the published rates times the same factors; one of another size (`System.sized`) keeps its rates and
    loses the outer tier on a single node. Raises UnknownName for a system about which nothing was published, BadValue for one of more than two tiers.
    """
    if system.name not in published_names():
        raise unknown_name("system in the published model", system.name, published_names(), "thrifty hardware list (zionex, dc-a and cloud-… have them)")
    if len(system.tiers) > 2:
        raise BadValue(f"{system.name} has {len(system.tiers)} tiers, and the published model knows nodes and a network. Choose --mode physical.")
    base, sheet = load_system(system.name), _sheet(system.name)
    inside = sheet.inside * system.tiers[0].bandwidth_bytes_per_s / base.tiers[0].bandwidth_bytes_per_s
    outside = sheet.outside * system.tiers[-1].bandwidth_bytes_per_s / base.tiers[-1].bandwidth_bytes_per_s
    device, known = system.device, base.device
    several = system.devices > system.tiers[0].count
    mixed = sheet.intra * inside + (1 - sheet.intra) * outside
    reduce = (inside, mixed) if several else (inside,)
    return PublishedRates(
        name=system.name, devices=system.devices, node_devices=system.tiers[0].count,
        flops={width: rate * _grown(device, known, width) for width, rate in sheet.flops.items()},
        memory=sheet.memory * device.bandwidth_bytes_per_s / known.bandwidth_bytes_per_s, all_to_all=(inside, outside) if several else (inside,),
        all_reduce=reduce, all_gather=tuple(2 * rate for rate in reduce), capacity_bytes=sheet.capacity_bytes * device.memory_bytes / known.memory_bytes,
    )  # fmt: skip


def _grown(device: Device, known: Device, width: int) -> float:
    """How many times the catalogue's peak the device has."""
    name = next((name for name in _PEAKS[width] if name in known.peak_flops and name in device.peak_flops), "")
    return device.peak_flops[name] / known.peak_flops[name] if name else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    flops: Mapping[int, float]
    memory: float
    capacity_bytes: float
    inside: float
    outside: float
    intra: float


@functools.cache
def _sheet(name: str) -> _Sheet:
    """A system of the sheet: links and ports halved, as the published model takes both directions together."""
    facts = load_facts(_SHEET)
    share = {key: facts.get(f"{name}.share.{key}", "ratio") for key in ("flops", "memory", "nvlink", "nic", "intra")}
    links = facts.get(f"{name}.nvlink.count", "ratio") * facts.get(f"{name}.nvlink.bandwidth", "bandwidth")
    ports = facts.get(f"{name}.nic.ports", "ratio") * facts.get(f"{name}.nic.bandwidth", "bandwidth")
    peaks = {width: f"{name}.peak.{word}" for width, word in WIDTHS.items()}
    return _Sheet(
        flops={width: facts.get(path, "compute") * share["flops"] for width, path in peaks.items() if path in facts.facts},
        memory=facts.get(f"{name}.memory.bandwidth", "bandwidth") * share["memory"], capacity_bytes=facts.get(f"{name}.memory.capacity", "capacity"),
        inside=links / 2 * share["nvlink"], outside=ports / 2 * share["nic"] / facts.get(f"{name}.node.devices", "ratio"), intra=share["intra"],
    )  # fmt: skip

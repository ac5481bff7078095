"""Where work runs: devices, systems as trees of tiers, and sites. Plain frozen values in SI; sheets are read in `sheets`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from thrifty.errors import BadValue
from thrifty.formats import get_format
from thrifty.quantities import Truth

DeviceKind = Literal["gpu", "tpu", "npu", "cpu", "soc"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One number of a sheet with its ground: what it said, and where."""

    value: float
    unit: str
    source: str
    where: str
    read_on: str
    note: str = ""
    disagrees_with: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryTier:
    """One level of memory, e.g. HBM or L2. Capacity and bandwidth are of the whole device."""

    name: str
    capacity_bytes: float
    bandwidth_bytes_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """How one level of cache is built; a `MemoryTier` says how much and how fast all of it is, this how one of its instances decides what stays.

    capacity_bytes   : of one instance
    line_bytes       : what one tag covers; sector_bytes: what one miss fetches (the line, where lines have no sectors)
    ways             : lines that compete for one place
    instances        : how many the device has (one a core, one a streaming multiprocessor, or one for all)
    write_through    : stores go on to the next level and bring no line in; else they stay until the line leaves (write-back, write-allocate)
    scratchpad_bytes : how much of the capacity kernels may take as shared memory; 0 where the cache keeps it all
    """

    name: str
    capacity_bytes: int
    line_bytes: int
    sector_bytes: int
    ways: int
    instances: int = 1
    write_through: bool = False
    scratchpad_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A way out of the device. bandwidth is per device and per direction."""

    name: str
    bandwidth_bytes_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a device was seen to sustain, kept apart from its peaks. See `measure.calibration` for how each part is obtained.

    path : the cache file it came from; content: its parsed JSON (schema in `cost.sustained`)
    """

    path: str
    content: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One chip (or one socket, or one board sold as one). Peaks only: what is sustained is calibration.

    peak_flops        : FLOP/s (OP/s for integers) of dense matrix products by arithmetic format
    vector_flops      : FLOP/s outside the matrix units, FP32
    memory            : tiers from the largest (off chip) to the smallest
    caches            : from the one nearest to the arithmetic outwards; empty where nobody says how they are built
    chip              : the piece of silicon, e.g. "GH100", which several devices may share; "" where it has no name of its own
    idle_w            : power when on and doing nothing; None where nobody says
    facts             : every number of the sheet by its path, e.g. "peak.bf16", "memory.hbm.bandwidth"
    """

    name: str
    title: str
    vendor: str
    kind: DeviceKind
    year: int
    peak_flops: Mapping[str, float]
    vector_flops: float
    memory: tuple[MemoryTier, ...]
    memory_technology: str
    chip: str = ""
    caches: tuple[Cache, ...] = ()
    links: tuple[Link, ...] = ()
    tdp_w: float
    idle_w: float | None = None
    die_area_mm2: float | None = None
    process_node_nm: float | None = None
    price_usd: float | None = None
    price_usd_per_hour: float | None = None
    truth: Truth = "literature"
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict, repr=False)
    calibration: Calibration | None = field(default=None, repr=False)

    @property
    def memory_bytes(self) -> float:
        """Capacity of the largest tier."""
        return self.memory[0].capacity_bytes

    @property
    def bandwidth_bytes_per_s(self) -> float:
        """Bandwidth of the largest tier."""
        return self.memory[0].bandwidth_bytes_per_s

    def runs_in(self, format_name: str) -> str:
        """The arithmetic format in which this device multiplies numbers stored in `format_name`.

        The format's own arithmetic where the device has a peak for it; else the next wider one that it has (a device without FP8
        units expands FP8 to BF16, FP16 or FP32, in this order). Raises BadValue when it has none.
        """
        wanted = get_format(format_name).arithmetic
        for candidate in (wanted, *_WIDER.get(wanted, ())):
            if candidate in self.peak_flops:
                return candidate
        known = ", ".join(self.peak_flops)
        raise BadValue(f"{self.name} has no arithmetic for format '{format_name}'. Its sheet lists: {known}.")

    def peak(self, format_name: str) -> float:
        """Dense peak in FLOP/s for numbers stored in `format_name`."""
        return self.peak_flops[self.runs_in(format_name)]


_HALF = ("bf16", "fp16", "tf32", "fp32")
_WIDER: Mapping[str, tuple[str, ...]] = {
    "nvfp4": ("fp4_e2m1", "mxfp4", "fp8_e4m3", *_HALF),
    "mxfp4": ("fp4_e2m1", "nvfp4", "fp8_e4m3", *_HALF),
    "fp4_e2m1": ("nvfp4", "mxfp4", "fp8_e4m3", *_HALF),
    "mxfp6": ("fp6_e2m3", "fp8_e4m3", *_HALF),
    "fp6_e2m3": ("fp8_e4m3", *_HALF),
    "fp6_e3m2": ("fp8_e4m3", *_HALF),
    "mxfp8": ("fp8_e4m3", *_HALF),
    "fp8_e4m3": _HALF,
    "fp8_e5m2": ("fp8_e4m3", *_HALF),
    "int4": ("int8", *_HALF),
    "int8": _HALF,
    # Indices and counters: no product of theirs is ever multiplied in the matrix units, and a device that lists no such format still adds them.
    "int16": _HALF,
    "int32": _HALF,
    "int64": ("fp32", "fp64", *_HALF),
    "bf16": ("fp16", "fp32"),
    "fp16": ("bf16", "fp32"),
    "tf32": ("fp32", "bf16"),
    # Devices that list no FP32 matrix peak (TPUs) emulate it by several BF16 passes; their sheets state `fp32` explicitly where known.
    "fp32": ("tf32", "bf16", "fp16"),
    "fp64": ("fp32",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One level of a system's network: `count` children joined by a link of `bandwidth` per child and direction."""

    name: str
    count: int
    bandwidth_bytes_per_s: float
    latency_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """Devices joined in tiers, innermost first: 8 GPUs by NVLink, 16 nodes by InfiniBand.

    host_power_w       : of a node (a unit of the first tier) without its devices: hosts, fans, NICs; None where nobody says
    price_usd_per_hour : of renting a node; price_usd: of the whole
    """

    name: str
    title: str
    device: Device
    tiers: tuple[Tier, ...]
    host_power_w: float | None = None
    price_usd: float | None = None
    price_usd_per_hour: float | None = None
    year: int = 0
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict, repr=False)

    @property
    def devices(self) -> int:
        """How many devices the whole tree has."""
        return math.prod(tier.count for tier in self.tiers)

    def sized(self, devices: int) -> System:
        """The same system with `devices` of them: inner tiers are filled first, the last grows or shrinks to fit.

        Raises BadValue for a number that fills an inner tier in part: 12 devices in nodes of 8.
        """
        if devices < 1:
            raise BadValue(f"devices={devices} is below 1. Give the number of devices.")
        tiers, left = [], devices
        for tier in self.tiers[:-1]:
            count = min(tier.count, left)
            if left % count:
                raise BadValue(f"{devices} devices do not fill the {tier.name} units of {self.name} ({tier.count} each). Choose a multiple of {tier.count}.")
            tiers.append(replace(tier, count=count))
            left //= count
        share = devices / self.devices
        return replace(
            self, tiers=(*tiers, replace(self.tiers[-1], count=left)), price_usd=None if self.price_usd is None else self.price_usd * share
        )  # fmt: skip

    def scaled(self, *, compute: float = 1.0, bandwidth: float = 1.0, capacity: float = 1.0, links: Mapping[str, float] | None = None) -> System:
        """The same system with other resources, as factors: arithmetic peaks, bandwidth and capacity of the largest memory, bandwidth by tier name.

        Raises BadValue for a factor that is not above 0 or a tier that does not exist.
        """
        links = dict(links or {})
        for name, factor in (("compute", compute), ("bandwidth", bandwidth), ("capacity", capacity), *links.items()):
            if not (math.isfinite(factor) and factor > 0):
                raise BadValue(f"{name} times {factor} is no system. Give a factor above 0.")
        known = [tier.name for tier in self.tiers]
        for name in links:
            if name not in known:
                raise BadValue(f"{self.name} has no tier '{name}'. It has: {', '.join(known)}.")
        largest = self.device.memory[0]
        largest = replace(largest, bandwidth_bytes_per_s=largest.bandwidth_bytes_per_s * bandwidth, capacity_bytes=largest.capacity_bytes * capacity)
        device = replace(
            self.device, peak_flops={name: peak * compute for name, peak in self.device.peak_flops.items()}, vector_flops=self.device.vector_flops * compute,
            memory=(largest, *self.device.memory[1:]),
        )  # fmt: skip
        tiers = tuple(replace(tier, bandwidth_bytes_per_s=tier.bandwidth_bytes_per_s * links.get(tier.name, 1.0)) for tier in self.tiers)
        return replace(self, device=device, tiers=tiers)

    @property
    def nodes(self) -> int:
        """Units of the first tier: what a host of `host_power_w` serves."""
        return max(1, self.devices // self.tiers[0].count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A place: its grid, its building, its prices.

    intensity_gco2e_per_kwh : yearly average of the grid; year says which
    mix                     : share of each fuel, adding up to 1 (empty where the source gives only the total)
    pue                     : power drawn by the building over power drawn by the machines
    """

    name: str
    title: str
    country: str
    year: int
    intensity_gco2e_per_kwh: float
    intensity_scope: Literal["direct", "life-cycle"]
    pue: float
    electricity_usd_per_kwh: float | None = None
    mix: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict, repr=False)

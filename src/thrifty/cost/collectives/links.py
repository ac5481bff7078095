"""What a tier's link does to a collective, as the row of numbers that the kernels take: fitted where tables of the library exist, analytic elsewhere.

A link class (nvlink3, nvlink4, nvlink5, pcie4, pcie5) has latencies in seconds and efficiencies as shares of the data sheet's bandwidth, from
`catalogue/collectives.toml`; the bandwidth is the tier's own, so that one class serves every device with such links. `nvlink` is the geometric mean
of the three, for a generation that nobody has measured; `network` is what lies between nodes, assumed; `analytic` has the tier's own latency_s in
every step, its full bandwidth and no protocols, which gives the textbook's formulas.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from thrifty.cost.collectives.kernels import BANDWIDTH, LINK_FIELDS, PROTOCOLS, RATES, SWITCH_RANKS
from thrifty.cost.facts import load_facts
from thrifty.errors import BadValue, unknown_name
from thrifty.hardware.device import Device, Tier

Floats = NDArray[np.float64]
ANALYTIC: Final = "analytic"
NVLINKS: Final = ("nvlink3", "nvlink4", "nvlink5")
PCIES: Final = ("pcie4", "pcie5")
LINK_CLASSES: Final = (*NVLINKS, "nvlink", *PCIES, "network", ANALYTIC)
OWN_SECONDS: Final = ("ll_alpha", "ll_step", "ll128_alpha", "ll128_step", "simple_alpha", "simple_step")
OWN_SHARES: Final = ("simple_efficiency", "copy", "direct_copy", "spread")
OWN: Final = (*OWN_SECONDS, *OWN_SHARES)
"""The constants of one class; spread is 0 where a switch joins all devices."""
SHARED_SECONDS: Final = ("switch_alpha",)
SHARED_SHARES: Final = ("ll_efficiency", "ll128_share", "direct_step", "direct_rate", "switch_efficiency", "int8_reduction")
SHARED: Final = (*SHARED_SECONDS, *SHARED_SHARES)
"""The constants that all classes share. ll128_share: of the Simple protocol's rate; int8_reduction: how much longer integers of one byte take to sum."""
_NETWORKS: Final = ("infiniband", "roce", "ethernet", "network", "nic", "efa", "fabric", "spine", "pod")


def row_of(bandwidth_bytes_per_s: float, own: Mapping[str, float], shared: Mapping[str, float], *, switch_ranks: float = math.inf) -> Floats:
    """(P,) the row of a link of this bandwidth from constants by the names of `OWN` and `SHARED`, in seconds and shares."""
    simple = own["simple_efficiency"] * bandwidth_bytes_per_s
    return np.array([
        bandwidth_bytes_per_s,
        own["ll_alpha"], own["ll_step"], shared["ll_efficiency"] * bandwidth_bytes_per_s,
        own["ll128_alpha"], own["ll128_step"], shared["ll128_share"] * simple,
        own["simple_alpha"], own["simple_step"], simple,
        own["copy"], own["direct_copy"], shared["direct_step"], shared["direct_rate"],
        shared["switch_alpha"], shared["switch_efficiency"] * bandwidth_bytes_per_s, switch_ranks, tree_step(), own.get("spread", 0.0), 0.0,
    ])  # fmt: skip


def analytic_row(bandwidth_bytes_per_s: float, step_s: float, *, efficiency: float = 1.0) -> Floats:
    """(P,) the row of a link with one latency a step, one rate, and every algorithm of the textbook."""
    row = np.zeros(len(LINK_FIELDS))
    rate = bandwidth_bytes_per_s * efficiency
    row[BANDWIDTH] = bandwidth_bytes_per_s
    for first in range(PROTOCOLS, PROTOCOLS + 9, 3):
        row[first + 1], row[first + 2] = step_s, rate
    row[[LINK_FIELDS.index(name) for name in ("direct_step", "direct_rate", "tree_step", "doubling")]] = 1.0
    row[LINK_FIELDS.index("switch_rate")], row[SWITCH_RANKS] = rate, math.inf
    return row


def link_class(tier: Tier, device: Device | None) -> str:
    """The class of `tier` on `device`: of NVLink by what the device is, of PCIe and networks by the tier's name; without a device `analytic`.

    A tier with the bandwidth of the device's NVLink is NVLink whatever its name (tray and rack of an NVL72).
    """
    name = tier.name.lower()
    if device is None:
        return ANALYTIC
    nvlink = next((link.bandwidth_bytes_per_s for link in device.links if link.name == "nvlink"), None)
    if "nvlink" in name or (nvlink is not None and nvlink == tier.bandwidth_bytes_per_s):
        return next((link for link in NVLINKS if device.name in _members(link)), "nvlink")
    if "pcie" in name:
        return next((link for link in PCIES if device.name in _members(link)), ANALYTIC)
    return "network" if any(word in name for word in _NETWORKS) else ANALYTIC


def link_parameters(
    tier: Tier, device: Device | None = None, *, link: str | None = None, efficiency: float | None = None, latency_s: float | None = None
) -> Floats:
    """(P,) the row of `LINK_FIELDS` that kernels take for `tier`.

    device     : whose link it is; decides the class (see `link_class`) where `link` does not
    link       : a class of `LINK_CLASSES`
    efficiency : for `network` and `analytic`, the share of the bandwidth that is sustained, instead of the catalogue's (network) or 1 (analytic)
    latency_s  : for these two, of one step, instead of the tier's own; a tier that states none has the catalogue's (network) or 0 (analytic)
    Fitted classes have their own latencies: those of the tier are not used there.
    Raises BadValue for a bandwidth, latency or efficiency that is none, UnknownName for an unknown class.
    """
    check_tier(tier)
    chosen = link or link_class(tier, device)
    if chosen not in LINK_CLASSES:
        raise unknown_name("link class", chosen, LINK_CLASSES, "thrifty.cost.collectives.LINK_CLASSES")
    if chosen in ("network", ANALYTIC):
        sheet = load_facts("collectives")
        wanted = latency_s if latency_s is not None else tier.latency_s
        step = wanted if wanted is not None else sheet.get("links.network.step", "time") if chosen == "network" else 0.0
        share = efficiency if efficiency is not None else sheet.get("links.network.efficiency", "ratio") if chosen == "network" else 1.0
        if not (math.isfinite(step) and step >= 0):
            raise BadValue(f"latency_s is {step!r}. Give a finite number of seconds, 0 or more.")
        if not 0 < share <= 1:
            raise BadValue(f"efficiency is {share!r}. Give a share of the bandwidth, above 0 and at most 1.")
        row = analytic_row(tier.bandwidth_bytes_per_s, step, efficiency=share)
        row[LINK_FIELDS.index("doubling")] = float(chosen == ANALYTIC)
        return row
    if efficiency is not None or latency_s is not None:
        raise BadValue(f"link class '{chosen}' has fitted constants of its own. Leave efficiency and latency_s out, or say link='analytic'.")
    return row_of(tier.bandwidth_bytes_per_s, own_constants(chosen), shared_constants(), switch_ranks=switch_ranks(chosen))


def check_tier(tier: Tier) -> None:
    """Raises BadValue for a tier with a count below 1, a bandwidth that is not above 0, or a latency below 0."""
    if isinstance(tier.count, bool) or not isinstance(tier.count, int) or tier.count < 1:
        raise BadValue(f"tier '{tier.name}' has count {tier.count!r}. Give the ranks under one of its units, a whole number of at least 1.")
    if not (math.isfinite(tier.bandwidth_bytes_per_s) and tier.bandwidth_bytes_per_s > 0):
        raise BadValue(f"tier '{tier.name}' has bandwidth {tier.bandwidth_bytes_per_s!r} bytes/s. Give a finite number above 0.")
    if tier.latency_s is not None and not (math.isfinite(tier.latency_s) and tier.latency_s >= 0):
        raise BadValue(f"tier '{tier.name}' has latency {tier.latency_s!r} s. Give a finite number of seconds, 0 or more, or None.")


def shared_link(link_P: Floats, factor: float) -> Floats:
    """(P,) the row of a link of which `factor` flows have an equal part each: rates divided, latencies as they are."""
    if not (math.isfinite(factor) and factor >= 1):
        raise BadValue(f"{factor!r} flows share a tier. Give a finite number of at least 1.")
    row = link_P.copy()
    row[list(RATES)] /= factor
    return row


@functools.cache
def own_constants(link: str) -> Mapping[str, float]:
    """The fitted constants of a class, in seconds and shares; `nvlink` is the geometric mean of the measured generations."""
    if link == "nvlink":
        rows = [own_constants(name) for name in NVLINKS]
        return MappingProxyType({name: math.prod(row[name] for row in rows) ** (1 / len(rows)) for name in OWN})
    sheet = load_facts("collectives")
    found = {name: sheet.get(f"fitted.{link}.{name}", "time" if name in OWN_SECONDS else "ratio") for name in OWN if name != "spread"}
    spread = f"fitted.{link}.spread"
    return MappingProxyType({**found, "spread": sheet.get(spread, "ratio") if spread in sheet.facts else 0.0})


@functools.cache
def shared_constants() -> Mapping[str, float]:
    """The fitted constants of all classes, in seconds and shares."""
    sheet = load_facts("collectives")
    return MappingProxyType({name: sheet.get(f"fitted.all.{name}", "time" if name in SHARED_SECONDS else "ratio") for name in SHARED})


@functools.cache
def tree_step() -> float:
    """How much longer a step of the tree takes than one of the ring."""
    return load_facts("collectives").get("tree.step", "ratio")


@functools.cache
def switch_ranks(link: str) -> float:
    """From how many ranks on the switches of a class sum by themselves; inf for never."""
    path = f"links.{'nvlink4' if link == 'nvlink' else link}.switch_ranks"
    sheet = load_facts("collectives")
    return sheet.get(path, "count") if path in sheet.facts else math.inf


def _members(link: str) -> Any:
    return load_facts("collectives").texts.get(f"members.{link}", ())

"""Where a job runs: one device of the catalogue or a system of many, with the hosts around them and what making those emitted."""

from __future__ import annotations

import math
from dataclasses import dataclass

from thrifty.cost.carbon import CarbonModel
from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import BadFile, BadValue
from thrifty.footprint import Interval
from thrifty.hardware import Site, load, load_system, system_names
from thrifty.hardware.device import Device, System, Tier

HOST_MODELS = ("llmcarbon", "bloom", "ecologits")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Devices, and the share of hosts that carries them.

    system  : one device stands as a system of one; single: it was named as a device, so the operator table prices it
    host_w  : power of all hosts, fans and network cards together; 0 where nobody states it (a note says so)
    hosts   : how many, a part of one where a device is one of several in it
    """

    system: System
    single: bool
    host_w: float
    hosts: float
    notes: tuple[str, ...] = ()

    @property
    def device(self) -> Device:
        return self.system.device

    @property
    def devices(self) -> int:
        return self.system.devices

    def embodied_g_per_s(self, site: Site) -> tuple[Interval, Interval]:
        """Grams a second of having made devices and hosts: the span over public models and service lives."""
        carbon = CarbonModel.of(self.device, site)
        made, life = host_making_g(), carbon.life_s
        hosts = Interval(made.low / life.high, made.mid / life.mid, made.high / life.low) * self.hosts
        return carbon.g_per_s * self.devices, hosts


def host_making_g() -> Interval:
    """Grams of making one host of eight accelerators, without them: the span over the public models that state one."""
    values = sorted(load_pack().get(f"predictors:host.{name}", "carbon") for name in HOST_MODELS)
    return Interval(*values)


def machine_of(on: str, devices: int = 0, host_power_w: float | None = None) -> Machine:
    """The machine called `on`: a device, or so many devices of a system (0: all that its sheet has).

    host_power_w : what one host really draws besides its devices; None: as the system's sheet states, which is the most that it may draw

    Raises UnknownName for a name that no catalogue knows; BadValue for several devices where nothing joins them, or a power below 0.
    """
    if host_power_w is not None and not (math.isfinite(host_power_w) and host_power_w >= 0):
        raise BadValue(f"host_power={host_power_w} W is below 0 or not a number. Give what one host draws, e.g. --host-power '1800 W'.")
    if devices < 0:
        raise BadValue(f"devices={devices} is below 1. Give the number of devices.")
    if on.lower() in system_names():
        system = load_system(on)
    elif on.endswith(".toml"):
        try:
            system = load_system(on)
        except BadFile:  # a sheet of one device
            return _single(load(on), devices, host_power_w)
    else:
        return _single(load(on), devices, host_power_w)
    return _of_system(system.sized(devices) if devices else system, system.tiers[0].count, host_power_w)


def _of_system(system: System, per_node: int, host_power_w: float | None) -> Machine:
    notes = []
    nodes = system.devices / per_node  # of a node that is used in part, the same share of its host's power and making counts
    if system.devices < per_node:
        notes.append(f"{system.devices} of the {per_node} devices of a node: that share of its host is counted")
    power = system.host_power_w if host_power_w is None else host_power_w
    if power is None:
        notes.append(f"hosts of '{system.name}' draw power that nobody states: left out")
    elif host_power_w is None:
        notes.append(f"each host draws the most that its sheet allows, {power:.0f} W, whatever the load")
    carried = load_pack().get("predictors:host.accelerators", "ratio")
    return Machine(
        system=system, single=False, host_w=(power or 0.0) * nodes, hosts=system.devices / carried, notes=tuple(notes)
    )  # fmt: skip


def _single(device: Device, devices: int, host_power_w: float | None) -> Machine:
    if devices > 1:
        raise BadValue(f"devices={devices} of '{device.name}' are joined by nothing. Name a system: thrifty hardware list")
    system = System(name=device.name, title=device.title, device=device, tiers=(Tier(name="device", count=1, bandwidth_bytes_per_s=1.0),))
    if device.kind in ("cpu", "soc"):
        return Machine(system=system, single=True, host_w=0.0, hosts=0.0, notes=("the device is the host: no other is counted",))
    carried = load_pack().get("predictors:host.accelerators", "ratio")
    if host_power_w is not None:
        share = host_power_w / carried
        return Machine(system=system, single=True, host_w=share, hosts=1 / carried, notes=(f"one of {carried:.0f} shares of a host is counted, {share:.0f} W",))
    like = next((each for each in map(load_system, system_names()) if each.device.name == device.name and each.host_power_w), None)
    if like is None:
        return Machine(system=system, single=True, host_w=0.0, hosts=1 / carried, notes=(f"no system with '{device.name}' states what a host draws: left out",))
    share = (like.host_power_w or 0.0) / like.tiers[0].count
    return Machine(
        system=system, single=True, host_w=share, hosts=1 / carried,
        notes=(f"one of {like.tiers[0].count} shares of the most that a host of '{like.name}' draws is counted, {share:.0f} W",),
    )  # fmt: skip

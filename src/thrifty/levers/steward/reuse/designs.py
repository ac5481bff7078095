"""Every server that meets the needs and that no other beats.

Of two ways to reach the memory (or the storage) of a server, one that takes no less power, emits no less and uses no less of anything scarce can be left out:
carbon per core only rises with power and with what making emitted. What is left is crossed and priced one by one, so that the best is truly the best.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from thrifty.cost.carbon.embodied.servers import Chassis, PerCore, Server, ServerPart, Use, load_chassis, per_core
from thrifty.errors import NoRoom
from thrifty.levers.steward.reuse.allocation import borne_by_second_g
from thrifty.levers.steward.reuse.needs import Needs

HEIGHTS: Final = (1, 2)
Counts = dict[ServerPart, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A server with its price per core; `credit_g`: of one server, beside its carbon."""

    server: Server
    priced: PerCore
    credit_g: float

    @property
    def carbon_g(self) -> float:
        """Of one server over its life, with its share of rack and building."""
        return self.priced.total_g * self.server.cores

    def to_dict(self) -> dict[str, Any]:
        return {
            "parts": self.server.counts(), "units": self.server.chassis.units, "cores": self.server.cores, "memory_bytes": self.server.memory_bytes,
            "storage_bytes": self.server.storage_bytes, "per_core": self.priced.to_dict(), "credit_gco2e": self.credit_g,
        }  # fmt: skip


def borne(part: ServerPart, needs: Needs) -> tuple[ServerPart, float]:
    """`part` with what this life of it bears of its making, and the credit beside."""
    if not part.reused:
        return part, 0.0
    grams, credit = borne_by_second_g(part.first_carbon_g, needs.rule, needs.second_share or 0.0)
    return replace(part, carbon_g=part.carbon_g + grams), credit


def all_designs(needs: Needs, use: Use) -> list[Design]:
    """Every undominated server, cheapest in carbon per core first. Raises NoRoom where none meets the needs within a rack."""
    priced = {part.name: borne(part, needs) for part in needs.allowed()}
    parts = [part for part, _ in priced.values()]
    by_kind: dict[str, list[ServerPart]] = {kind: [part for part in parts if part.kind == kind] for kind in ("cpu", "memory", "storage", "controller", "other")}
    found: list[Design] = []
    full = ""
    for cpu, height in itertools.product(by_kind["cpu"], HEIGHTS):
        chassis = load_chassis(height)
        memories = _best(_memories(by_kind["memory"], by_kind["controller"], chassis, needs.memory_per_core_bytes * cpu.cores), needs)
        storages = _best(_storages(by_kind["storage"], chassis, needs.storage_per_core_bytes * cpu.cores), needs)
        for memory, storage in itertools.product(memories, storages):
            server = Server(name="built", chassis=chassis, parts={cpu: 1, **memory, **storage, **dict.fromkeys(by_kind["other"], 1)})
            try:
                price = per_core(server, use, limits=needs.limits)
            except NoRoom as error:
                full = str(error)
                continue
            credit = math.fsum(priced[part.name][1] * count for part, count in server.parts.items())
            found.append(Design(server=server, priced=price, credit_g=credit))
    if not found:
        raise NoRoom(
            full
            or f"no server of these parts holds {needs.memory_per_core_bytes / 1e9:g} GB of memory and {needs.storage_per_core_bytes / 1e9:g} GB of storage "
            "a core. Ask for less a core, or allow more parts."
        )  # fmt: skip
    return sorted(found, key=lambda design: design.priced.total_g)


def _counts(parts: Sequence[ServerPart], most: int) -> Iterator[tuple[int, ...]]:
    """Every way to put up to `most` of `parts` into as many places."""
    if not parts:
        yield ()
        return
    for first in range(most + 1):
        for rest in _counts(parts[1:], most - first):
            yield (first, *rest)


def _memories(parts: Sequence[ServerPart], controllers: Sequence[ServerPart], chassis: Chassis, wanted_bytes: float) -> Iterator[Counts]:
    """Modules in the board's slots are new ones; reused ones sit behind controllers, of which as few as hold them are bought."""
    direct, behind = [part for part in parts if not part.reused], [part for part in parts if part.reused]
    for controller in controllers or (None,):
        each = controller.modules if controller else 0
        for far in _counts(behind, each * chassis.controllers):
            cards = math.ceil(sum(far) / each) if each else 0
            for near in _counts(direct, chassis.dimms):
                held = {**dict(zip(direct, near, strict=True)), **dict(zip(behind, far, strict=True))}
                if sum(part.memory_bytes * count for part, count in held.items()) >= wanted_bytes:
                    yield {**{part: count for part, count in held.items() if count}, **({controller: cards} if controller and cards else {})}


def _storages(parts: Sequence[ServerPart], chassis: Chassis, wanted_bytes: float) -> Iterator[Counts]:
    for counts in _counts(parts, chassis.drives):
        held = {part: count for part, count in zip(parts, counts, strict=True) if count}
        if sum(part.storage_bytes * count for part, count in held.items()) >= wanted_bytes:
            yield held


def _best(choices: Iterator[Counts], needs: Needs) -> list[Counts]:
    """What nothing beats in power, carbon and use of every part that is scarce."""

    def costs(choice: Counts) -> tuple[float, ...]:
        power = sum(part.power_w * count for part, count in choice.items())
        carbon = sum(part.carbon_g * count for part, count in choice.items())
        named = {part.name: count for part, count in choice.items()}
        return (power, carbon, *(named.get(part, 0) for part in needs.stock))

    kept: list[tuple[tuple[float, ...], Counts]] = []
    for cost, choice in sorted(((costs(choice), choice) for choice in choices), key=lambda pair: pair[0]):
        # Sorted by power first, so that a later one never beats an earlier one but where they are equal.
        if not any(all(a <= b for a, b in zip(other, cost, strict=True)) for other, _ in kept):
            kept.append((cost, choice))
    return [choice for _, choice in kept]

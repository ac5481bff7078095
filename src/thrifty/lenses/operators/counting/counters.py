"""Who counts what: thrifty and every FLOP counter that is installed, on the same model, each against the closed form.

The closed form comes from the family's shapes and runs no torch; the counters run on diffusers' or transformers' own module, at full size on meta tensors
and at the tiny preset on CPU tensors, where fused attention takes another path. Everything is brought to FLOPs of matrix work, 2 a multiply-add; what
a counter adds of vector work shows as error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from thrifty.errors import BadValue, missing_extra

if TYPE_CHECKING:
    from rich.console import RenderableType

    from thrifty.lenses.operators.counting.counting_peers import Peer, Plain
    from thrifty.workload import Entry

TINY: Final = "tiny"
ROOM_PARAMETERS: Final = 100_000_000
"""A model with more is not run on the CPU."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One size of the model and where it ran: `flops` is the closed form of its matrix work."""

    workload: str
    device: str
    point: dict[str, int]
    parameters: int
    flops: int

    def to_dict(self) -> dict[str, Any]:
        return {"workload": self.workload, "device": self.device, "point": dict(self.point), "parameters": self.parameters, "flops": self.flops}


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """What one counter made of one place. flops is None where it failed, and `failure` says why; error is relative to the closed form."""

    flops: float | None
    error: float | None
    failure: str
    seconds: float

    def cells(self) -> tuple[str, str]:
        """The count in GMAC and its error."""
        if self.flops is None:
            return ("fails", "")
        return (f"{self.flops / 2e9:,.3f}", "" if self.error is None else f"{self.error:+.2%}")

    def __str__(self) -> str:
        return f"fails: {self.failure}" if self.flops is None else f"{self.flops / 2e9:,.3f} GMAC"

    def to_dict(self) -> dict[str, Any]:
        return {"flops": self.flops, "error": self.error, "failure": self.failure or None, "seconds": self.seconds}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One counter. version is None where it is not installed, and `counts_by_place` then empty."""

    counter: str
    version: str | None
    unit: str
    counts: str
    install: str
    counts_by_place: tuple[Count, ...]

    def to_dict(self) -> dict[str, Any]:
        return {
            "counter": self.counter, "version": self.version, "unit": self.unit, "counts": self.counts, "install": self.install,
            "places": [count.to_dict() for count in self.counts_by_place],
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class CountersTable:
    """Every counter at every place, thrifty first."""

    places: tuple[Place, ...]
    rows: tuple[Row, ...]

    def to_dict(self) -> dict[str, Any]:
        full = self.places[0]
        return {
            "schema": 1, "workload": full.workload, "point": dict(full.point), "parameters": full.parameters, "flops": full.flops,
            "places": [place.to_dict() for place in self.places], "counters": [row.to_dict() for row in self.rows],
        }  # fmt: skip

    def cells(self) -> list[tuple[str, ...]]:
        """A line for each counter: name, version, (count, error) of each place, what it counts."""
        truth = [cell for place in self.places for cell in (f"{place.flops / 2e9:,.3f}", "")]
        lines: list[tuple[str, ...]] = [("closed form", "", *truth, "the family's shapes, without torch")]
        for row in self.rows:
            if row.version is None:
                lines.append((row.counter, "", *("", "") * len(self.places), f"not installed: {row.install}"))
                continue
            lines.append((row.counter, row.version, *(cell for count in row.counts_by_place for cell in count.cells()), row.counts))
        return lines

    def parts(self) -> list[RenderableType]:
        """What a terminal shows."""
        from thrifty.printing import make_table

        headings = ["counter", "version", *(cell for place in self.places for cell in (f"GMAC, {place.device}", "error")), "what it counts"]
        said = [f"{place.workload} on {place.device}: {_point(place)}, {place.parameters:,} parameters" for place in self.places]
        failures = [
            f"{row.counter} on {place.device} fails: {count.failure}"
            for row in self.rows for place, count in zip(self.places, row.counts_by_place, strict=False) if count.failure
        ]  # fmt: skip
        return ["\n".join(said), make_table(*headings, rows=self.cells()), *failures]


def _point(place: Place) -> str:
    return ", ".join(f"{name} {size}" for name, size in place.point.items())


def counters(workload_name: str = "sd-1.5-unet", *, peers: Sequence[Peer] | None = None, **sizes: int) -> CountersTable:
    """Count `workload_name`'s matrix work with thrifty's capture and every counter that is installed.

    sizes : of the full-size run (latent, text, batch, …); the tiny one keeps its preset's
    peers : which counters (all of `counting_peers.PEERS`)
    Raises UnknownName for a model that is not in the catalogue, BadValue for one without a torch class or a size that it does not take, MissingExtra
    without torch or the package that builds the model. A counter that fails is a row that says so.
    """
    from thrifty.workload import get_entry

    entry = get_entry(workload_name)
    if entry.torch_class is None:
        raise BadValue(f"'{entry.name}' has no torch class that a counter could run. Choose another, such as sd-1.5-unet.")
    try:
        from thrifty.lenses.operators.counting.counting_peers import PEERS, run_contained
    except ModuleNotFoundError as error:
        raise missing_extra("Running counters", error.name or "torch", "models") from error
    chosen = [(entry, "meta", sizes)]
    if TINY in entry.presets:
        chosen.append((entry.at_preset(TINY), "cpu", {}))
    elif entry.parameters <= ROOM_PARAMETERS:
        chosen.append((entry, "cpu", sizes))
    places = tuple(_place(what, device, at) for what, device, at in chosen)
    rows = []
    for peer in PEERS if peers is None else peers:
        version, found = peer.version, list[Count]()
        for (what, device, _), place in zip(chosen, places, strict=True) if version is not None else ():
            outcome = run_contained(peer, _fresh(what, device, place))
            apart = outcome.flops / place.flops - 1 if outcome.flops is not None and place.flops else None
            found.append(Count(flops=outcome.flops, error=apart, failure=outcome.failure, seconds=outcome.seconds))
        rows.append(
            Row(
                counter=peer.name, version=version, unit=peer.unit, counts=peer.counts, install=f"pip install {peer.distribution}",
                counts_by_place=tuple(found),
            )
        )  # fmt: skip
    return CountersTable(places=places, rows=tuple(rows))


def _place(entry: Entry, device: str, sizes: dict[str, int]) -> Place:
    from thrifty.workload import load

    work = load(entry, format="fp32").at(sizes)
    flops = work.table.totals()["flops_matrix"]
    return Place(workload=entry.name, device=device, point=dict(work.point), parameters=work.parameters, flops=flops)


def _fresh(entry: Entry, device: str, place: Place) -> Plain:
    """A module of its own for every run: counters leave buffers and hooks behind."""
    from thrifty.lenses.operators.counting.counting_peers import plain
    from thrifty.workload import load
    from thrifty.workload.building.inputs import make_inputs
    from thrifty.workload.building.modules import build_module

    module = build_module(entry, device=device)
    return plain(module, make_inputs(module, entry, load(entry).phase, place.point, device=device))

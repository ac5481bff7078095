"""Designs to compare: a device of the catalogue, or a line "name:embodied_kg=..,delay_s=..,power_w=.." whose keys name their units.

A number may be one, or low/mid/high ("20/30/50"), which makes a triangle of it. `bom=FILE` prices the making by every model instead of `embodied_kg`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from thrifty.cost.carbon import Embodied
from thrifty.cost.carbon.embodied import Priced
from thrifty.cost.carbon.factors import Distribution, load_pack
from thrifty.cost.carbon.factors.normal import normal_quantile
from thrifty.cost.energy import EnergyModel
from thrifty.cost.facts import load_facts
from thrifty.errors import BadValue
from thrifty.footprint import Interval
from thrifty.hardware import Device, load

KEYS: Final = {
    "embodied_kg": "kgCO2e of making one device", "bom": "instead: a bill of materials (file, or one that ships)",
    "delay_s": "seconds of one unit of work", "energy_j": "joules of one unit of work", "power_w": "watts while it works (instead of energy_j)",
    "idle_w": "watts while it does not",
}  # fmt: skip
_ALIKE: Final = {"logic": "die", "packaging": "package", "dram": "memory", "gpu-board": "board", "mainboard": "board"}
"""Kinds of parts that a device's pieces are called by."""
_EXAMPLE: Final = "mine:embodied_kg=40,delay_s=2,power_w=300"
LARGEST: Final = 1e30
"""Of any number, and the inverse of the least above 0: so that squares of products stay numbers."""
_NONE: Final = Distribution.exact(0.0)
_HALF: Final = float(normal_quantile(0.75))
"""Half of a normal's values lie within so many standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One part of a device: what each model says of it, and the span in which it lies (wider where its size is not known). Grams of CO2e."""

    name: str
    by_model: Mapping[str, float]
    span_gco2e: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One design.

    pieces   : of the device, priced by models; () where `embodied` states the whole
    embodied : kgCO2e; delay_s or (work, peak, attained): how long a unit takes; energy_j or power_w: what it draws meanwhile; idle_w: else
    """

    name: str
    title: str
    pieces: tuple[Piece, ...] = ()
    embodied_kg: Distribution | None = None
    delay_s: Distribution | None = None
    flops: float = 0.0
    peak_flops_per_s: float = 0.0
    attained: Distribution | None = None
    energy_j: Distribution | None = None
    power_w: Distribution | None = None
    idle_w: Distribution = _NONE
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def middle_embodied_gco2e(self) -> float:
        """What the middle of all models says."""
        if self.embodied_kg is not None:
            return middle_of(self.embodied_kg) * 1e3
        return math.fsum(piece.span_gco2e.mid for piece in self.pieces)

    @property
    def span_gco2e(self) -> Interval:
        if self.embodied_kg is None:
            return Interval(*(math.fsum(getattr(piece.span_gco2e, end) for piece in self.pieces) for end in ("low", "mid", "high")))
        ends = self.embodied_kg.parameters if self.embodied_kg.kind == "triangular" else (self.embodied_kg.mean,) * 3
        return Interval(*(1e3 * end for end in ends))

    @property
    def middle_delay_s(self) -> float:
        if self.delay_s is not None:
            return middle_of(self.delay_s)
        assert self.attained is not None
        return self.flops / (self.peak_flops_per_s * middle_of(self.attained))

    @property
    def middle_energy_j(self) -> float:
        if self.energy_j is not None:
            return middle_of(self.energy_j)
        assert self.power_w is not None
        return middle_of(self.power_w) * self.middle_delay_s


def middle_of(shape: Distribution) -> float:
    """The mode of a triangle, the mean of anything else."""
    return shape.parameters[1] if shape.kind == "triangular" else shape.mean


def read_number(name: str, text: str, *, above: bool = False) -> Distribution:
    """One number, or low/mid/high. Raises BadValue for what is no number, is negative, or (above) may be 0."""
    try:
        values = [float(piece) for piece in text.split("/")]
    except ValueError:
        values = []
    if len(values) not in (1, 3):
        raise BadValue(f"{name}='{text}' is no number. Write one, e.g. {name}=40, or low/mid/high, e.g. {name}=30/40/60; the key says the unit.")
    if not all(math.isfinite(value) and (value > 0 if above else value >= 0) for value in values):
        raise BadValue(f"{name}={text} is {'not above 0' if above else 'below 0'} or not finite. Mend it.")
    if any(value and not 1 / LARGEST <= value <= LARGEST for value in values):
        raise BadValue(f"{name}={text} is outside {1 / LARGEST:g} to {LARGEST:g}. Mend it.")
    if len(values) == 1 or len(set(values)) == 1:
        return Distribution.exact(values[0])
    if sorted(values) != values:
        raise BadValue(f"{name}={text} is not ordered. Write low/mid/high.")
    return Distribution("triangular", tuple(values))


def read_subject(text: str, *, flops: float, number_format: str, workload: str = "") -> Subject:
    """A design of the words of a command line. Raises UnknownName, BadValue."""
    name, colon, rest = text.partition(":")
    if colon:
        return _stated(name.strip(), rest)
    if text.endswith((".toml", ".json")):
        raise BadValue(f"'{text}' says what is built, not how fast and how hungry it is. Write e.g. mine:bom={text},delay_s=2,power_w=300.")
    return _running(load(text), workload, number_format) if workload else _device(load(text), flops, number_format)


def _stated(name: str, text: str) -> Subject:
    given: dict[str, str] = {}
    for word in text.split(","):
        key, equals, value = (piece.strip() for piece in word.partition("="))
        if not equals or key not in KEYS or key in given:
            fault = "stands twice" if key in given else "is no key with a unit"
            raise BadValue(f"'{key}' in '{name}:{text}' {fault}. Keys: {', '.join(KEYS)}; e.g. {_EXAMPLE}.")
        given[key] = value
    missing = ["delay_s"] if "delay_s" not in given else []
    if ("embodied_kg" in given) == ("bom" in given):
        missing.append("one of embodied_kg and bom")
    if ("energy_j" in given) == ("power_w" in given):
        missing.append("one of energy_j and power_w")
    for one, other in (("energy_j", "power_w"), ("embodied_kg", "bom")):
        if one in given and other in given:
            raise BadValue(f"'{name}:{text}' states both {one} and {other}. Keep one.")
    if missing or not name:
        raise BadValue(f"'{name}:{text}' lacks {', '.join(missing) or 'a name'}. Write e.g. {_EXAMPLE}.")
    read = {key: read_number(key, value, above=key == "delay_s") for key, value in given.items() if key != "bom"}
    pieces, sources = _bill(given["bom"]) if "bom" in given else ((), ())
    return Subject(
        name=name, title=given.get("bom", name), pieces=pieces, sources=sources, embodied_kg=read.get("embodied_kg"), delay_s=read["delay_s"],
        energy_j=read.get("energy_j"), power_w=read.get("power_w"),
        idle_w=read.get("idle_w", _NONE), notes=() if "idle_w" in read else (f"{name}: no idle_w given, so idle time draws nothing",),
    )  # fmt: skip


def _bill(place: str) -> tuple[tuple[Piece, ...], tuple[str, ...]]:
    """A bill's parts by kind; those of a kind that other models cover stand by themselves. Raises what reading and pricing raise."""
    from thrifty.cost.carbon.embodied import price_assembly, read_assembly

    grams: dict[tuple[str, frozenset[str]], list[Priced]] = {}
    sources: dict[str, None] = {}
    for _, leaf in price_assembly(read_assembly(place)).leaves():
        sources.update(dict.fromkeys(leaf.sources))
        if leaf.kgco2e.high > 0:
            grams.setdefault((_ALIKE.get(leaf.part.kind, leaf.part.kind), frozenset(leaf.by_model)), []).append(leaf)
    pieces: list[Piece] = []
    for (kind, models), leaves in grams.items():
        earlier = sum(piece.name.partition(" ")[0] == kind for piece in pieces)
        span = Interval(*(1e3 * math.fsum(getattr(leaf.kgco2e, end) for leaf in leaves) for end in ("low", "mid", "high")))
        by_model = {model: 1e3 * math.fsum(leaf.by_model[model] for leaf in leaves) for model in sorted(models)}
        pieces.append(Piece(name=f"{kind} {earlier + 1}" if earlier else kind, by_model=by_model, span_gco2e=span))
    return tuple(pieces), tuple(sources)


def _pieces(device: Device) -> tuple[tuple[Piece, ...], Embodied]:
    embodied = Embodied.of(device)
    pieces = []
    for name in ("die", "package", "memory", "board"):
        span: Interval = getattr(embodied, f"{name}_gco2e")
        by_model = embodied.models.get(name, {})
        if span.high > 0:
            pieces.append(Piece(name=name, by_model=by_model or {"stated": span.mid}, span_gco2e=span))
    return tuple(pieces), embodied


def _power_error(device: Device) -> float:
    """Standard deviation of the logarithm, from the energy model's published median error."""
    path = "model.error.gpu_median" if device.kind == "gpu" else "model.error.all_median"
    return load_facts("energy").get(path, "ratio") / _HALF


def _device(device: Device, flops: float, number_format: str) -> Subject:
    pieces, embodied = _pieces(device)
    attained = load_pack().factor("uncertainty:compare.attained")
    energy = EnergyModel.of(device)
    seconds = flops / (device.peak(number_format) * attained.value)
    watts = energy.energy_j(time_s=seconds, flops_matrix=flops, format_name=number_format) / seconds
    runs = device.runs_in(number_format)
    notes = [f"{device.name}: {note}" for note in (*embodied.notes, *energy.notes)]
    if runs != number_format:
        notes.append(f"{device.name}: has no {number_format} units and runs the work in {runs}")
    return Subject(
        name=device.name, title=device.title, pieces=pieces, flops=flops, peak_flops_per_s=device.peak(number_format), attained=attained.distribution,
        power_w=Distribution("lognormal", (watts, _power_error(device))), idle_w=Distribution.exact(energy.idle_w),
        sources=(*embodied.sources, attained.source), notes=tuple(notes),
    )  # fmt: skip


def _running(device: Device, workload: str, number_format: str) -> Subject:
    from thrifty.cost import Case, Job
    from thrifty.hardware import load_site
    from thrifty.workload import load as load_workload

    pieces, embodied = _pieces(device)
    case = Case(job=Job.of(load_workload(workload).at(format=number_format)), device=device, site=load_site("world"))
    if not case.fits:
        raise BadValue(f"{workload} does not fit in {device.name}. Choose a smaller workload, or a device with more memory.")
    one = case.per_unit
    spread = load_pack().factor("uncertainty:compare.model_time")
    return Subject(
        name=device.name, title=device.title, pieces=pieces, delay_s=spread.distribution.scaled(one.time_s),
        power_w=Distribution("lognormal", (one.energy_j / one.time_s, _power_error(device))), idle_w=Distribution.exact(EnergyModel.of(device).idle_w),
        sources=(*embodied.sources, spread.source), notes=tuple(f"{device.name}: {note}" for note in embodied.notes),
    )  # fmt: skip

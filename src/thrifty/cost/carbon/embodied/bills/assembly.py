"""Bills of materials as trees: parts, and assemblies of parts inside them; each with count, life and state."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from thrifty.cost.carbon.embodied.ensemble import ENSEMBLE, NotCovered, chosen_models, covering
from thrifty.cost.carbon.embodied.models.tables import fact
from thrifty.cost.carbon.embodied.parts.part import MOST, STATES, Part, State
from thrifty.cost.carbon.embodied.pricing import Priced, price
from thrifty.errors import BadValue
from thrifty.footprint.interval import Interval
from thrifty.quantities import YEAR_S, positive_int


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """Parts and smaller assemblies under one name.

    count      : how many of it; state, life_years: of everything in it that states none of its own (a state other than "new", a life)
    """

    name: str
    parts: tuple[Part, ...] = ()
    children: tuple[Assembly, ...] = ()
    count: int = 1
    state: State = "new"
    life_years: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", positive_int("count", self.count, at_most=MOST))
        if self.state not in STATES:
            raise BadValue(f"state='{self.state}' is unknown. Choose from: {', '.join(STATES)}.")
        if self.life_years is not None and not (math.isfinite(self.life_years) and self.life_years > 0):
            raise BadValue(f"life={self.life_years} is not above 0. Give years of service, e.g. 5.")
        if not (self.parts or self.children):
            raise BadValue(f"assembly '{self.name}' has no parts. Give it one, e.g. 'dram:gb=32,type=ddr4'.")


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedAssembly:
    """An assembly with what making it emitted; all numbers are of everything, counts multiplied out.

    parts, children : as in the bill, priced; missing: labels of parts that no chosen model covers, which are in no number
    """

    name: str
    count: int
    parts: tuple[Priced, ...]
    children: tuple[PricedAssembly, ...]
    missing: tuple[str, ...]

    def leaves(self, above: str = "") -> Iterator[tuple[str, Priced]]:
        """Every part with the path of names that leads to it; a device or a package as its pieces."""
        for part in self.parts:
            if part.covers is None:
                yield above + part.part.label, part
            for piece in part.pieces:
                yield f"{above}{part.part.label} / {piece.part.label}", _times(piece, part.part)
        for child in self.children:
            yield from child.leaves(f"{above}{child.name} / ")

    @property
    def kgco2e(self) -> Interval:
        """Least, median and most of the models, part by part, added end by end; the same whatever the order of parts."""
        found = [priced.kgco2e for _, priced in self.leaves()]
        return Interval(*(math.fsum(getattr(each, end) for each in found) for end in ("low", "mid", "high")))

    @property
    def by_model(self) -> dict[str, float]:
        """Each model's sum over the parts that it covers; see `covers` before comparing two."""
        found: dict[str, list[float]] = {}
        for _, priced in self.leaves():
            for name, value in priced.by_model.items():
                found.setdefault(name, []).append(value)
        return {name: math.fsum(values) for name, values in found.items()}

    @property
    def covers(self) -> dict[str, list[str]]:
        """Model -> paths of the parts that it covers."""
        found: dict[str, list[str]] = {}
        for path, priced in self.leaves():
            for name in priced.by_model:
                found.setdefault(name, []).append(path)
        return found

    @property
    def kgco2e_per_year(self) -> Interval:
        """Over each part's life; five years (`embodied:life.mid`) where none is stated."""
        usual = fact("embodied:life.mid", "time") / YEAR_S
        found = [(priced.kgco2e, priced.part.life_years or usual) for _, priced in self.leaves()]
        return Interval(*(math.fsum(getattr(each, end) / life for each, life in found) for end in ("low", "mid", "high")))

    @property
    def sources(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(source for _, priced in self.leaves() for source in priced.sources))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed, with the first part that it was assumed of."""
        found: dict[str, str] = {}
        for part in self.every_part():
            for note in part.notes:
                found.setdefault(note, part.part.label)
        gone = (f"not counted, for no chosen model covers it: {', '.join(self.missing)}",) if self.missing else ()
        return (*gone, *(f"{label}: {note}" for note, label in found.items()))

    def every_part(self) -> Iterator[Priced]:
        """Every part of the bill, as it stands there."""
        yield from self.parts
        for child in self.children:
            yield from child.every_part()

    def to_dict(self) -> dict[str, Any]:
        """The contract's JSON: total, by model, by part with shares, sources (their keys) and notes."""
        total = self.kgco2e
        rows = [(path, priced, priced.to_dict(total.mid)) for path, priced in self.leaves()]
        return {
            "name": self.name, "truth": "modelled", "kgco2e": total.to_dict(), "by_model": self.by_model, "covers": self.covers,
            "by_part": [{**said, "path": path} for path, _, said in rows], "single_model": any(priced.single_model for _, priced, _ in rows),
            "kgco2e_per_year": self.kgco2e_per_year.to_dict(), "missing": list(self.missing), "sources": list(self.sources), "notes": list(self.notes),
        }  # fmt: skip


def price_assembly(assembly: Assembly, models: str | Sequence[str] = ENSEMBLE) -> PricedAssembly:
    """Price a bill of materials by "ensemble" or by models by name. Raises UnknownName, and BadValue where no chosen model covers any part."""
    names = chosen_models(models)
    with np.errstate(over="ignore"):
        found = _priced(assembly, names, 1, "new", None)
    if next(found.leaves(), None) is None:
        kinds = dict.fromkeys(part.kind for part in assembly.parts)
        knowing = [f"{', '.join(covering(kind))} know {kind}" for kind in kinds if covering(kind)]
        more = f" Of models, {'; '.join(knowing)}." if knowing else ""
        raise NotCovered(f"{', '.join(names)} covers no part of {assembly.name}. Choose another model, or ensemble.{more}")
    if not math.isfinite(found.kgco2e.high):
        raise BadValue(f"'{assembly.name}' comes to more kilograms than a number holds. Check its sizes, yields and counts.")
    return found


def _priced(assembly: Assembly, names: Sequence[str], times: int, state: State, life: float | None) -> PricedAssembly:
    times *= assembly.count
    state = assembly.state if assembly.state != "new" else state
    life = assembly.life_years or life
    parts: list[Priced] = []
    missing: list[str] = []
    for part in assembly.parts:
        own: dict[str, Any] = {"count": part.count * times, "state": part.state if part.state != "new" else state, "life_years": part.life_years or life}
        try:
            parts.append(price(replace(part, **own), names))
        except NotCovered:
            missing.append(part.label)
    children = tuple(_priced(child, names, times, state, life) for child in assembly.children)
    gone = (*missing, *(label for child in children for label in child.missing))
    return PricedAssembly(name=assembly.name, count=assembly.count, parts=tuple(parts), children=children, missing=gone)


def _times(piece: Priced, whole: Part) -> Priced:
    """A piece of one device, for all of them."""
    by_model: Mapping[str, float] = {name: value * whole.count for name, value in piece.by_model.items()}
    part = replace(piece.part, count=piece.part.count * whole.count, state=whole.state, life_years=whole.life_years)
    return replace(piece, part=part, kgco2e=piece.kgco2e * whole.count, by_model=by_model)

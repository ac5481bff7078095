"""Subjects in a setting as uncertain inputs, shared where they are one thing, and one sum of products a design: carbon of one unit of work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from thrifty.cost.carbon.factors import Distribution, load_pack
from thrifty.cost.carbon.factors.factor import MOST_G_PER_KWH
from thrifty.cost.carbon.metrics import Design, Setting
from thrifty.cost.carbon.operational.accounts import MOST_PUE
from thrifty.cost.carbon.uncertainty import Choice, Group, Inputs, Lookup, Products, Variable
from thrifty.errors import BadValue
from thrifty.lenses.carbon.comparing.subjects import Piece, Subject, middle_of
from thrifty.quantities import YEAR_S

Terms = list[tuple[str, dict[str, int], float]]
GRID, LIFE, USE = "grid intensity", "service life", "utilisation"
_TOLERANCE = 1.001
MOST_YEARS = 1000.0


@dataclass(frozen=True, kw_only=True)
class Question:
    """Designs in one setting. intensity: gCO2e/kWh, life: years, utilisation: a share, each with its spread; pue: of the building.

    Raises BadValue for fewer than two designs, one named twice, a utilisation above 1, or a PUE below 1.
    """

    subjects: tuple[Subject, ...]
    intensity: Distribution
    life: Distribution
    utilisation: Distribution
    pue: float
    place: str
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        names = [subject.name for subject in self.subjects]
        if len(names) < 2:
            raise BadValue(f"{len(names)} design leaves nothing to compare. Name two or more.")
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise BadValue(f"design '{twice}' is named twice. Give each design a name of its own.")
        high = self.utilisation.parameters[-1]
        if not (self.utilisation.lowest > 0 and high <= 1):
            raise BadValue(f"utilisation={high:g} is not above 0 and at most 1. Give the share of their life in which devices work.")
        if self.pue > MOST_PUE:
            raise BadValue(f"pue={self.pue:g} is above {MOST_PUE:g}. Give a ratio such as 1.18, not per cent.")
        if middle_of(self.intensity) > MOST_G_PER_KWH:
            raise BadValue(f"intensity={middle_of(self.intensity):g} gCO2e/kWh: no fuel emits so much. Check grams against kilograms.")
        if middle_of(self.life) > MOST_YEARS:
            raise BadValue(f"life={middle_of(self.life):g} years is above {MOST_YEARS:g}. Give years.")
        for design in self.designs:
            if not (design.embodied_gco2e or (design.energy_j and self.intensity.mean)):
                raise BadValue(f"design '{design.name}' emits nothing, neither in making nor in use, so all shares of it are of 0. Give it one of them.")
        self.setting  # noqa: B018 — checks the rest

    @cached_property
    def setting(self) -> Setting:
        """The middle of it all."""
        return Setting(
            intensity_gco2e_per_kwh=middle_of(self.intensity), life_s=middle_of(self.life) * YEAR_S, utilisation=middle_of(self.utilisation), pue=self.pue
        )  # fmt: skip

    @cached_property
    def designs(self) -> tuple[Design, ...]:
        """Each subject at the middle of what it may be."""
        return tuple(
            Design(name=s.name, embodied_gco2e=s.middle_embodied_gco2e, delay_s=s.middle_delay_s, energy_j=s.middle_energy_j, idle_w=middle_of(s.idle_w))
            for s in self.subjects
        )  # fmt: skip

    @cached_property
    def models(self) -> dict[str, Products]:
        """Carbon of one unit of work by design, all over one set of inputs."""
        inputs, terms = self._made
        return {name: Products.of(inputs, each) for name, each in terms.items()}

    @property
    def inputs(self) -> Inputs:
        return self._made[0]

    @cached_property
    def _made(self) -> tuple[Inputs, dict[str, Terms]]:
        book = _Book()
        book.variable(GRID, self.intensity, "gCO2e/kWh")
        book.variable(LIFE, self.life, "year")
        book.variable(USE, self.utilisation, "dimensionless")
        working = not (self.utilisation.exactly and self.utilisation.mean == 1)
        terms: dict[str, Terms] = {}
        for subject in self.subjects:
            delay = book.delay(subject)
            own: Terms = [(part, {**powers, **delay, LIFE: -1, USE: -1}, 1.0) for part, powers in book.making(subject, self.subjects, self.notes)]
            own.append(("use", {**book.energy(subject, delay), GRID: 1}, self.pue))
            if working and subject.idle_w.mean > 0:
                book.variable(f"idle power of {subject.name}", subject.idle_w, "watt")
                idle = {f"idle power of {subject.name}": 1, **delay, GRID: 1}
                own += [("idle", {**idle, USE: -1}, self.pue), ("idle", idle, -self.pue)]
            terms[subject.name] = own
        return book.inputs(self.notes), terms


class _Book:
    """Variables, choices and lookups as they come up, each once."""

    def __init__(self) -> None:
        self._variables: dict[str, Variable] = {}
        self._choices: dict[str, Choice] = {}
        self._lookups: dict[str, Lookup] = {}

    def variable(self, name: str, shape: Distribution, unit: str) -> str:
        self._variables[name] = Variable(name=name, distribution=shape, unit=unit)
        return name

    def delay(self, subject: Subject) -> dict[str, int]:
        """Powers whose product is the seconds of one unit of work."""
        if subject.delay_s is not None:
            return {self.variable(f"time of {subject.name}", subject.delay_s, "second"): 1}
        assert subject.attained is not None
        return {
            self.variable(f"work of {subject.name}", Distribution.exact(subject.flops), "FLOP"): 1,
            self.variable(f"peak of {subject.name}", Distribution.exact(subject.peak_flops_per_s), "FLOP/s"): -1,
            self.variable(f"attained share of {subject.name}", subject.attained, "dimensionless"): -1,
        }  # fmt: skip

    def energy(self, subject: Subject, delay: dict[str, int]) -> dict[str, int]:
        if subject.energy_j is not None:
            return {self.variable(f"energy of {subject.name}", subject.energy_j, "joule"): 1}
        assert subject.power_w is not None
        return {self.variable(f"power of {subject.name}", subject.power_w, "watt"): 1, **delay}

    def making(self, subject: Subject, subjects: Sequence[Subject], notes: list[str]) -> list[tuple[str, dict[str, int]]]:
        """(part, powers whose product is what making it emitted), by part."""
        if subject.embodied_kg is not None:
            return [("making", {self.variable(f"making of {subject.name}", subject.embodied_kg, "kgCO2e"): 1})]
        return [(piece.name, self._piece(piece, subject, subjects, notes)) for piece in subject.pieces]

    def _piece(self, piece: Piece, subject: Subject, subjects: Sequence[Subject], notes: list[str]) -> dict[str, int]:
        alike = [other for s in subjects for other in s.pieces if other.name == piece.name]
        shared = [model for model in piece.by_model if all(model in other.by_model for other in alike)]
        one_for_all = len(alike) > 1 and len(shared) > 1
        options = tuple(sorted(shared if one_for_all else piece.by_model))
        choice = f"model of the {piece.name}" + ("" if one_for_all else f" of {subject.name}")
        self._choices[choice] = Choice(name=choice, options=options)
        name = f"{piece.name} of {subject.name}"
        chosen = {model: piece.by_model[model] for model in options}
        self._lookups[name] = Lookup(name=name, choice=choice, by_option=chosen, unit="gCO2e")
        left = sorted(set(piece.by_model) - set(options))
        if left:
            notes.append(f"{piece.name} of {subject.name}: left out {', '.join(left)}, which do not cover every design, so that like is compared with like")
        return {name: 1, **self._size(piece, subject)}

    def _size(self, piece: Piece, subject: Subject) -> dict[str, int]:
        """A factor where the piece may be smaller or larger than what its models were asked about: size unknown, or one model only."""
        least, most = min(piece.by_model.values()), max(piece.by_model.values())
        low = piece.span_gco2e.low / least if least > 0 else 1.0
        high = piece.span_gco2e.high / most if most > 0 else 1.0
        if low * _TOLERANCE >= 1 and high <= _TOLERANCE:
            return {}
        shape = Distribution("triangular", (min(low, 1.0), 1.0, max(high, 1.0)))
        return {self.variable(f"size of the {piece.name} of {subject.name}", shape, "dimensionless"): 1}

    def inputs(self, notes: list[str]) -> Inputs:
        attained = tuple(name for name, v in self._variables.items() if name.startswith("attained share") and not v.distribution.exactly)
        groups: tuple[Group, ...] = ()
        if len(attained) > 1:
            together = load_pack().get("uncertainty:compare.same_software", "ratio")
            groups = (Group(attained, together),)
            notes.append(f"attained shares of peak go together with a correlation of {together:g}: the same software runs on all")
        return Inputs(variables=tuple(self._variables.values()), choices=tuple(self._choices.values()), lookups=tuple(self._lookups.values()), groups=groups)

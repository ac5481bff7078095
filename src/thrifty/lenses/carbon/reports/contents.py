"""What a report holds: lines with their formulas, inputs that are missing, dated facts. It claims nothing about compliance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from thrifty.cost.carbon.factors import load_pack
from thrifty.report.numbers import Ground

SAID: Final = "This lists numbers and what is missing. Whether a rule applies, or is met, it does not say."


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One number of a report; value None where its inputs are missing. formula: how it comes from the inputs, in the standard's symbols."""

    name: str
    value: float | None
    unit: str
    formula: str = ""
    truth: Ground = "given"

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "value": self.value, "unit": self.unit, "formula": self.formula, "truth": self.truth}


@dataclass(frozen=True, slots=True)
class Missing:
    """An input that the standard asks for and that nobody gave; key: what to write in the input file."""

    key: str
    meaning: str

    def to_dict(self) -> dict[str, str]:
        return {"key": self.key, "meaning": self.meaning}


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedFact:
    """A date or threshold as read in a source on a day."""

    name: str
    value: float
    unit: str
    says: str
    valid_from: str
    source: str
    read_on: str

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("name", "value", "unit", "says", "valid_from", "source", "read_on")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """lines in order; missing inputs; facts with dates; apart: numbers that are stated beside and never netted, such as offsets."""

    standard: str
    title: str
    lines: tuple[Line, ...]
    missing: tuple[Missing, ...]
    facts: tuple[DatedFact, ...]
    apart: tuple[Line, ...] = ()
    notes: tuple[str, ...] = ()

    def line(self, name: str) -> Line:
        return next(line for line in self.lines if line.name == name)

    def to_dict(self) -> dict[str, Any]:
        return {
            "standard": self.standard, "title": self.title, "lines": [line.to_dict() for line in self.lines],
            "missing_inputs": [each.to_dict() for each in self.missing], "stated_apart": [line.to_dict() for line in self.apart],
            "dated_facts": [fact.to_dict() for fact in self.facts], "notes": list(self.notes), "says": SAID,
        }  # fmt: skip


def facts_of(group: str) -> tuple[DatedFact, ...]:
    """Dated facts of a group of `reports.toml`: sci, ghg or eu."""
    pack = load_pack()
    found = [pack.factor(f"reports:{group}.{name}") for name in pack.under(f"reports:{group}")]
    return tuple(
        DatedFact(
            name=each.path.rpartition(".")[2], value=each.value, unit="" if each.unit == "dimensionless" else each.unit, says=each.where,
            valid_from="" if each.valid_from is None else each.valid_from.isoformat(), source=each.source, read_on=each.read_on,
        ) for each in found
    )  # fmt: skip

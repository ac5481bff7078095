"""The standards that there are, and one door to all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from thrifty.errors import unknown_name
from thrifty.lenses.carbon.ledger import Ledger
from thrifty.lenses.carbon.reports import eu, ghg, sci
from thrifty.lenses.carbon.reports.contents import Report
from thrifty.lenses.carbon.reports.inputs import Field, Numbers, read_numbers

STANDARDS: Final[dict[str, tuple[Sequence[Field], Callable[[Numbers, Ledger | None, str], Report]]]] = {
    "sci": (sci.FIELDS, sci.sci_report), "ghg": (ghg.FIELDS, ghg.ghg_report), "eu": (eu.FIELDS, eu.eu_report),
}  # fmt: skip


def _known(standard: str) -> tuple[Sequence[Field], Callable[[Numbers, Ledger | None, str], Report]]:
    if standard not in STANDARDS:
        raise unknown_name("standard", standard, STANDARDS, "thrifty carbon report --help")
    return STANDARDS[standard]


def report_on(standard: str, path: str | Path | None, ledger: Ledger | None = None) -> Report:
    """A report by `standard` on the numbers of a file, a ledger, or both. Raises UnknownName, BadFile and BadValue, one line each."""
    fields, make = _known(standard)
    numbers: Numbers = {} if path is None else read_numbers(path, fields)
    return make(numbers, ledger, Path(path).name if path is not None else "nothing yet" if ledger is None else "the ledger")


def example_of(standard: str) -> str:
    """An input file to start from."""
    _known(standard)
    return (files("thrifty.lenses.carbon.reports") / "examples" / f"{standard}.toml").read_text(encoding="utf-8")

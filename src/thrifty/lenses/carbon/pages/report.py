"""A report as a page: lines with formulas, missing inputs, what is stated apart, dated facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from thrifty.cost.carbon.citing import cited
from thrifty.lenses.carbon.reports.contents import SAID
from thrifty.report import Block, Bullets, Cell, Column, Note, Number, Page, Section, Table, Text, made_now, number_text

if TYPE_CHECKING:
    from thrifty.lenses.carbon.reports import Line, Report

NAMES = {"sci": "ISO/IEC 21031:2024", "ghg": "GHG Protocol", "eu": "Delegated Regulation (EU) 2024/1364"}


def report_page(report: Report, *, command: str, inputs: Mapping[str, Number | str]) -> Page:
    """The whole report."""
    told = "; ".join(
        f"{line.name}: {number_text(line.value, line.unit)}" if line.value is not None else f"{line.name} cannot be stated" for line in _first(report)
    )
    count = len(report.missing)
    blocks: list[Block] = [_lines(report.lines, "Lines of the report")]
    if report.apart:
        blocks.append(_lines(report.apart, "Stated apart, never netted"))
    sections = [Section("Numbers", blocks, id="numbers"), _missing(report)]
    if report.notes:
        sections.append(Section("Notes", [Bullets(list(report.notes))], id="notes"))
    sections.append(_facts(report))
    return Page(
        title=report.title, summary=f"{told}. {count} inputs that {NAMES[report.standard]} asks for are missing. {SAID}" if count else f"{told}. {SAID}",
        headline={line.name: Number(value=line.value, unit=line.unit, truth=line.truth, digits=3) for line in _first(report)},
        sections=sections, inputs={"standard": NAMES[report.standard], **inputs},
        sources=cited(fact.source for fact in report.facts),
        command=command, generated=made_now(),
    )  # fmt: skip


def _first(report: Report) -> list[Line]:
    """What the reader came for: the score, the totals by both methods, the four indicators."""
    if report.standard == "ghg":
        return [line for line in report.lines if line.name.startswith("scopes")]
    return list(report.lines[: 4 if report.standard == "eu" else 1])


def _lines(lines: tuple[Line, ...], caption: str) -> Table:
    rows: list[list[Cell]] = [[line.name, Number(value=line.value, unit=line.unit, truth=line.truth, digits=4), line.formula] for line in lines]
    columns = (Column(key="name", title="Line"), Column(key="value", title="Value"), Column(key="formula", title="From"))
    return Table(columns=columns, rows=rows, caption=caption)


def _missing(report: Report) -> Section:
    if not report.missing:
        return Section("Missing inputs", [Text("Nothing of what this report reads is missing. That is no statement about compliance.")], id="missing")
    rows: list[list[Cell]] = [[each.key, each.meaning] for each in report.missing]
    table = Table(columns=(Column(key="key", title="Key"), Column(key="meaning", title="What it is")), rows=rows, caption="Asked for and not given")
    return Section("Missing inputs", [table], id="missing")


def _facts(report: Report) -> Section:
    rows: list[list[Cell]] = [
        [fact.says, Number(value=fact.value, unit=fact.unit, truth="literature", source=fact.source, style="plain") if fact.unit
         else f"{fact.value:g} (literature)", fact.valid_from, fact.read_on] for fact in report.facts
    ]  # fmt: skip
    columns = (
        Column(key="says", title="Fact"), Column(key="value", title="Number"), Column(key="since", title="In force since"), Column(key="read", title="Read on")
    )
    return Section("Dated facts", [Note("As read in the sources on these days; rules change. No advice."), Table(columns=columns, rows=rows,
                                   caption="Thresholds and dates that the report refers to")], id="facts")  # fmt: skip

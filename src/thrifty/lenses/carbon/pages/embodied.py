"""Making as a page: parts with their shares, models against one another, and the tree of a bill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from thrifty.report import Block, Bullets, Cell, Chart, Column, Note, Number, Page, Section, Source, Table

if TYPE_CHECKING:
    from thrifty.cost.carbon.embodied import PricedAssembly

G: Final = 1e3
CARBON: Final = Column(key="carbon_gco2e", title="Median", unit="gCO2e", truth="modelled")
SAID: Final = Column(key="carbon_gco2e", title="Making", unit="gCO2e", truth="modelled")
LOW: Final = Column(key="low", title="Least", unit="gCO2e", truth="modelled")
HIGH: Final = Column(key="high", title="Most", unit="gCO2e", truth="modelled")
_NAMES: Final = 8
_BARS: Final = 24
"""Parts that a drawing can hold; the table has all."""


def embodied_page(found: PricedAssembly, *, model: str, command: str, generated: str) -> Page:
    """Everything about one part or bill."""
    total, by_model = found.kgco2e, found.by_model
    rows = list(found.leaves())
    single = [path for path, priced in rows if priced.single_model]
    values = sorted(value for value in by_model.values() if value > 0)
    summary = f"Making {found.name} emitted {_kg(total.mid)} of CO2e, {_kg(total.low)} to {_kg(total.high)} by {len(by_model)} public models."
    if len(rows) > 1:
        largest = max(rows, key=lambda row: row[1].kgco2e.mid)
        summary += f" Most of it is {largest[0]}, {largest[1].kgco2e.mid / total.mid:.0%}." if total.mid else ""
    elif len(values) > 1:
        summary += f" They differ {values[-1] / values[0]:.3g} times."
    if single:
        summary += f" Single model for {', '.join(single[:3])}{' and others' if len(single) > 3 else ''}: the range there is the spread of such models."
    sections = [Section("Parts", parts_blocks(found), id="parts"), Section("Models", model_blocks(found), id="models")]
    if found.children:
        sections.append(Section("Tree", [tree_table(found)], id="tree"))
    if found.notes:
        sections.append(Section("Assumptions", [Bullets(found.notes)], id="assumptions"))
    number = Number(value=total.mid * G, unit="gCO2e", truth="modelled", low=total.low * G, high=total.high * G, model=model)
    year = found.kgco2e_per_year
    return Page(
        title=f"Carbon of making {found.name}", summary=summary, sections=sections,
        headline={"making": number, "a year of service": Number(value=year.mid * G, unit="gCO2e", truth="modelled", low=year.low * G, high=year.high * G)},
        inputs={"models": model, "parts": Number(value=len(rows), truth="given", style="integer")}, sources=_sources(found),
        command=command, generated=generated,
    )  # fmt: skip


def parts_blocks(found: PricedAssembly) -> list[Block]:
    """Every part with its interval, share and the models that cover it."""
    total = found.kgco2e.mid
    rows: list[list[Cell]] = [
        [
            path, Number(value=priced.part.count, truth="given", style="integer"), priced.kgco2e.low * G, priced.kgco2e.mid * G, priced.kgco2e.high * G,
            priced.kgco2e.mid / total if total else None, priced.part.state,
            f"single model: {', '.join(priced.by_model)}" if priced.single_model else ", ".join(sorted(priced.by_model)),
        ]
        for path, priced in found.leaves()
    ]  # fmt: skip
    ends = found.kgco2e
    rows.append(["together", None, ends.low * G, ends.mid * G, ends.high * G, 1.0 if total else None, "", ""])
    table = Table(
        columns=(
            Column(key="part", title="Part"), Column(key="count", title="Count", truth="given"), LOW, CARBON, HIGH,
            Column(key="share", title="Share", truth="modelled", style="percent"), Column(key="state", title="State"),
            Column(key="models", title="Models that cover it"),
        ),
        rows=rows, caption="Parts, counts multiplied out", strong_rows=[len(rows) - 1],
    )  # fmt: skip
    return [table]


def model_blocks(found: PricedAssembly) -> list[Block]:
    """What each model says of each part, stacked; and how far they lie apart."""
    parts = list(found.leaves())
    covers, by_model = found.covers, found.by_model
    shown = sorted(parts, key=lambda row: -row[1].kgco2e.mid)[:_BARS]
    stacked: list[list[Cell]] = [
        [model, path, priced.by_model[model] * G] for model in by_model for path, priced in shown if model in priced.by_model
    ]  # fmt: skip
    table: list[list[Cell]] = [
        [model, value * G, Number(value=len(covers[model]), truth="given", style="integer"), _named([p for p, _ in parts], set(covers[model]))]
        for model, value in sorted(by_model.items(), key=lambda item: item[1])
    ]
    blocks: list[Block] = [
        Chart(
            kind="stacked bars", title="What each model says, by part",
            columns=(Column(key="model", title="Model"), Column(key="part", title="Part"), SAID), rows=stacked, x="carbon_gco2e", y="model", series="part",
            alt="Stacked bars of grams of CO2e, one bar a model, its pieces the parts that it covers; a short bar may be a model that covers few parts.",
        ),
        Table(
            columns=(
                Column(key="model", title="Model"), SAID, Column(key="covered", title="Parts covered", truth="given"),
                Column(key="gone", title="Not covered"),
            ),
            rows=table, caption="Models, each over the parts that it covers: compare two only where they cover the same",
        ),
    ]  # fmt: skip
    spans: list[list[Cell]] = [
        [path, priced.kgco2e.mid * G, max(priced.kgco2e.low, min(positive)) * G, priced.kgco2e.high * G, priced.disagreement]
        for path, priced in shown if (positive := [value for value in (*priced.by_model.values(), priced.kgco2e.low) if value > 0])
    ]  # fmt: skip
    if len(spans) > 1:
        blocks.append(
            Chart(
                kind="bars", title="Where the models lie, part by part", x="carbon_gco2e", y="part", low="low", high="high", x_log=True, rows=spans,
                columns=(
                    Column(key="part", title="Part"), CARBON, LOW, HIGH, Column(key="times", title="Most over least model", truth="modelled"),
                ),
                alt="A row a part: the median of the models with the range from the least to the most, on a logarithmic axis. The wider, the less is known.",
            )
        )  # fmt: skip
    if any(priced.single_model for _, priced in parts):
        blocks.append(Note("A part that one model covers has the range that such models usually span, on both sides of its answer.", "warning"))
    return blocks


def tree_table(found: PricedAssembly) -> Block:
    """The bill as it is nested."""
    total = found.kgco2e.mid
    rows: list[list[Cell]] = [
        [name, Number(value=count, truth="given", style="integer"), kg * G, kg / total if total else None] for name, count, kg in _tree(found, 0)
    ]
    return Table(
        columns=(
            Column(key="name", title="Assembly"), Column(key="count", title="Count", truth="given"), CARBON,
            Column(key="share", title="Share", truth="modelled", style="percent"),
        ),
        rows=rows, caption="The tree; a count is of what stands one level up",
    )  # fmt: skip


def _tree(found: PricedAssembly, depth: int, above: int = 1) -> Iterator[tuple[str, int, float]]:
    indent = "\u2003" * depth
    yield indent + found.name, found.count, found.kgco2e.mid
    inside = above * found.count
    for part in found.parts:
        yield f"{indent}\u2003{part.part.label}", part.part.count // inside, part.kgco2e.mid
    for child in found.children:
        yield from _tree(child, depth + 1, inside)


def _named(paths: list[str], covered: set[str]) -> str:
    """The paths that are not covered, the first of them by name."""
    gone = [path for path in paths if path not in covered]
    return ", ".join(gone[:_NAMES]) + (f" and {len(gone) - _NAMES} others" if len(gone) > _NAMES else "") or "–"


def _kg(value: float) -> str:
    return f"{value / 1e3:,.3g} t" if value >= 1e3 else f"{value:.3g} kg"


def _sources(found: PricedAssembly) -> list[Source]:
    from thrifty.cost.carbon.factors import load_pack

    known = load_pack().sources
    return [Source(key=key, title=s.title, publisher=s.publisher, date=s.date, url=s.url, licence=s.licence) for key in found.sources if (s := known[key])]

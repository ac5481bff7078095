"""Making as a page: parts with their shares, models against one another, and the tree of a bill."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from thrifty.cost.carbon.citing import cited
from thrifty.report import Block, Bullets, Cell, Chart, Column, Note, Number, Page, Section, Table

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
        summary += f" Most of it is {_short(found)[largest[0]]}, {largest[1].kgco2e.mid / total.mid:.0%}." if total.mid else ""
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
        inputs={"models": model, "parts": Number(value=len(rows), truth="given", style="integer")}, sources=cited(found.sources),
        command=command, generated=generated,
    )  # fmt: skip


def parts_blocks(found: PricedAssembly) -> list[Block]:
    """Every part with its interval, its share and how many models cover it."""
    total = found.kgco2e.mid
    parts = list(found.leaves())
    names = _short(found)
    counted, used = any(priced.part.count != 1 for _, priced in parts), any(priced.part.state != "new" for _, priced in parts)
    rows: list[list[Cell]] = [
        [
            names[path], Number(value=priced.part.count, truth="given", style="integer"), priced.kgco2e.low * G, priced.kgco2e.mid * G, priced.kgco2e.high * G,
            priced.kgco2e.mid / total if total else None, priced.part.state,
            f"{next(iter(priced.by_model))} alone" if priced.single_model else str(len(priced.by_model)),
        ]
        for path, priced in parts
    ]  # fmt: skip
    ends = found.kgco2e
    if len(parts) > 1:
        rows.append(["together", None, ends.low * G, ends.mid * G, ends.high * G, 1.0 if total else None, "", ""])
    columns = (
        Column(key="part", title="Part"), Column(key="count", title="Count", truth="given"), LOW, CARBON, HIGH,
        Column(key="share", title="Share", truth="modelled", style="percent"), Column(key="state", title="State"), Column(key="models", title="Models"),
    )  # fmt: skip
    kept = [place for place, column in enumerate(columns) if {"count": counted, "state": used, "share": len(parts) > 1}.get(column.key, True)]
    table = Table(
        columns=[columns[place] for place in kept], rows=[[row[place] for place in kept] for row in rows],
        caption="Parts, counts multiplied out" if counted else "What making emitted, over models", strong_rows=[len(parts)] if len(parts) > 1 else [],
    )  # fmt: skip
    return [table]


def model_blocks(found: PricedAssembly) -> list[Block]:
    """What each model says of each part, stacked; and how far they lie apart."""
    parts, names = list(found.leaves()), _short(found)
    covers, by_model = found.covers, found.by_model
    shown = sorted(parts, key=lambda row: -row[1].kgco2e.mid)[:_BARS]
    models = sorted(by_model, key=lambda model: -by_model[model])
    told = {model: model if len(covers[model]) == len(parts) else f"{model}, {len(covers[model])} of {len(parts)}" for model in models}
    stacked: list[list[Cell]] = [
        [told[model], names[path], priced.by_model[model] * G] for model in models for path, priced in shown if model in priced.by_model
    ]  # fmt: skip
    gaps: list[list[Cell]] = [
        [model, _named([names[path] for path, _ in parts if path not in covers[model]])]
        for model in models if len(covers[model]) < len(parts)
    ]  # fmt: skip
    partly = " A model that covers fewer parts says how many: compare two only where they cover the same." if gaps else ""
    blocks: list[Block] = [
        Chart(
            kind="stacked bars", title="What each model says" + (", by part" if len(parts) > 1 else ""),
            columns=(Column(key="model", title="Model"), Column(key="part", title="Part"), SAID), rows=stacked, x="carbon_gco2e", y="model",
            series="part" if len(parts) > 1 else "", caption=partly.strip(),
            alt="Stacked bars of grams of CO2e, one bar a model, its pieces the parts that it covers; a short bar may be a model that covers few parts.",
        )
    ]  # fmt: skip
    spans: list[list[Cell]] = [
        [names[path], priced.kgco2e.mid * G, max(priced.kgco2e.low, min(positive)) * G, priced.kgco2e.high * G, priced.disagreement]
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
    if gaps:
        columns = (Column(key="model", title="Model"), Column(key="gone", title="Does not cover"))
        blocks.append(Table(columns=columns, rows=gaps, caption="Models that cover some parts only"))
    if any(priced.single_model for _, priced in parts):
        blocks.append(Note("A part that one model covers has the range that such models usually span, on both sides of its answer.", "warning"))
    return blocks


def _short(found: PricedAssembly) -> dict[str, str]:
    """The paths of parts without the name that all of them begin with."""
    paths = [path for path, _ in found.leaves()]
    head = f"{paths[0].split(' / ')[0]} / " if paths else ""
    common = len(paths) > 1 and all(path.startswith(head) for path in paths)
    return {path: path.removeprefix(head) if common else path for path in paths}


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


def _named(gone: list[str]) -> str:
    """The first of many names, and how many more there are."""
    return ", ".join(gone[:_NAMES]) + (f" and {len(gone) - _NAMES} others" if len(gone) > _NAMES else "")


def _kg(value: float) -> str:
    return f"{value / 1e3:,.3g} t" if value >= 1e3 else f"{value:.3g} kg"

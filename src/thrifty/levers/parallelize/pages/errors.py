"""The model beside measured runs as a page."""

from __future__ import annotations

from thrifty.levers.parallelize.pages.columns import modelled
from thrifty.levers.parallelize.validating import Validation
from thrifty.report import Cell, Chart, Column, Facts, Note, Page, Section, Table

DRAWN_ROWS = 400
UNITS = {
    "product": ("time of a product over a benchmark's", ""), "stream": ("share of the memory's bandwidth that element-wise kernels reach", ""),
    "kernel_s": ("launch of a kernel", "s"), "collective_s": ("launch of a collective", "s"),
    "network": ("share of the network's bandwidth that collectives reach", ""),
}  # fmt: skip
"""Fitted numbers: their words and units."""


def validation_page(found: Validation, *, command: str, generated: str) -> Page:
    """Errors of every table, and its rows beside the model's answers."""
    errors: list[list[Cell]] = []
    sections: list[Section] = []
    charts: list[Chart] = []
    told: set[tuple[tuple[str, float], ...]] = set()  # tables of one device have one set of numbers
    for part in found.parts:
        errors.append([part.name, "catalogue's constants", len(part.rows), part.mape, part.spearman])
        errors += [["", f"fitted to {what}" if "," not in what else what, None, error, None] for what, error in part.held_out.items()]
        others = {key.replace("_mape", ", mean").replace("_worst", ", worst row"): value for key, value in part.further.items() if "spearman" not in key}
        errors += [["", what, None, value, None] for what, value in others.items()]
        step = max(1, len(part.rows) // DRAWN_ROWS)
        rows: list[list[Cell]] = [["", float(row["measured"]), float(row["predicted"])] for row in part.rows[::step]]
        chart = Chart(
            kind="scatter", title=f"{part.name}: predicted against measured", x="measured", y="predicted", label="name", x_log=True, y_log=True, rows=rows,
            columns=(
                Column(key="name", title="Row"), Column(key="measured", title="Measured", unit=part.unit, truth="literature"),
                Column(key="predicted", title="Predicted", unit=part.unit, truth="modelled"),
            ),
            alt=f"Scatter of predicted against measured values of the table {part.name}, both logarithmic; a perfect model lies on the diagonal.",
        )  # fmt: skip
        known = tuple(part.parameters.items())
        numbers = Facts({UNITS.get(name, (name, ""))[0]: modelled(value, UNITS.get(name, ("", ""))[1]) for name, value in known}) if known else None
        charts.append(chart)
        if numbers is not None and known not in told:
            told.add(known)
            sections.append(Section(f"Fitted numbers of {part.name}", [numbers], id=part.name))
    columns = (
        Column(key="name", title="Table"), Column(key="what", title="With"), Column(key="rows", title="Rows", truth="given", style="integer"),
        Column(key="mape", title="Mean error", truth="modelled", style="percent"), Column(key="rank", title="Rank correlation", truth="modelled"),
    )  # fmt: skip
    first = Section(
        "Errors", [Table(columns=columns, rows=errors, caption="Mean of |predicted / measured - 1|"), *(Note(text) for text in found.skipped)], id="errors"
    )
    return Page(
        title="The plan model beside measured runs",
        summary="; ".join(f"{part.name}: {part.mape:.1%} off on {len(part.rows):,} rows" for part in found.parts) + ".",
        sections=[first, *sections, Section("Row by row", charts, id="rows")], command=command, generated=generated,
    )  # fmt: skip

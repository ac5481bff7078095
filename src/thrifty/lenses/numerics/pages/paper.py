"""Published figures beside ours, as a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thrifty.lenses.numerics.paper.claims import papers
from thrifty.report import Bullets, Cell, Chart, Column, Page, Section, Source, Table, Text

if TYPE_CHECKING:
    from thrifty.lenses.numerics.paper import PaperFinding, Row

RATIOS = "×"


def paper_page(found: PaperFinding, *, command: str, generated: str) -> Page:
    """The whole page."""
    kept = sum(row.holds for row in found.rows)
    used = {row.claim.source for row in found.rows}
    return Page(
        title="What papers say about deviation, and what it is here", summary=f"{_sentence(found)} {kept} of {len(found.rows)} figures lie in their bands.",
        sections=sections_of(found), sources=[Source(key=key, title=each.title, url=each.url) for key, each in papers().items() if key in used],
        command=command, generated=generated,
    )  # fmt: skip


def sections_of(found: PaperFinding) -> list[Section]:
    """In the order in which they should be read."""
    made = [Section("Published and measured", [_table(found)], id="claims")]
    ratios = [row for row in found.rows if row.claim.unit == RATIOS]
    if ratios:
        made.append(Section("Ratios", [_chart(ratios)], id="ratios"))
    if found.left_out:
        made.append(Section("Left out", [Bullets([f"{key}: {why}" for key, why in found.left_out.items()])], id="left-out"))
    made.append(Section("Training", [Text(
        "That weights drift 2 to 5 times less under Flash than under low precision is a claim about whole training runs: `thrifty numerics train-study` "
        "makes them, and says of which low precision it holds."
    )], id="training"))  # fmt: skip
    made.append(Section("How each was measured", [Bullets([f"{row.claim.text}: {row.claim.note} ({row.claim.where})." for row in found.rows])], id="how"))
    return made


def _sentence(found: PaperFinding) -> str:
    by = {row.claim.key: row for row in found.rows}
    if "ten_times" in by and "kernel_state" in by:
        return (
            f"The same attention on the same inputs deviates **{by['ten_times'].mid:.3g} times** as much as the baseline if all of its state is stored in "
            f"BF16, and **{by['kernel_state'].mid:.2g} times** if that is kept in FP32, as real kernels do: one switch of policy."
        )
    return "Figures of papers beside what the same set-up gives here."


def _table(found: PaperFinding) -> Table:
    rows: list[list[Cell]] = [
        [row.claim.text, row.claim.published or "–", row.mid, min(row.ours), max(row.ours), _band(row), row.claim.unit, "yes" if row.holds else "**no**",
         row.claim.source]
        for row in found.rows
    ]  # fmt: skip
    return Table(
        columns=(
            Column(key="claim", title="Claim"), Column(key="published", title="Published", truth="literature"),
            Column(key="ours", title="Ours, middle", truth="measured", digits=3), Column(key="least", title="Least", truth="measured", digits=3),
            Column(key="most", title="Most", truth="measured", digits=3), Column(key="band", title="Band"), Column(key="unit", title="Unit"),
            Column(key="holds", title="In it"), Column(key="source", title="Source"),
        ),
        rows=rows, caption=f"Figures over {len(found.seeds)} seeds; bands where a paper prints none come from an independent prototype",
    )  # fmt: skip


def _band(row: Row) -> str:
    low, high = row.claim.low, row.claim.high
    return f"above {low:g}" if high > 1e20 else f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _chart(rows: list[Row]) -> Chart:
    return Chart(
        kind="bars", title="Deviation over the baseline's (of RMSE: the baseline's over it)", x="ratio", y="claim", low="least", high="most", x_log=True,
        columns=(
            Column(key="claim", title="Claim"), Column(key="ratio", title="Ratio", truth="measured"), Column(key="least", title="Least", truth="measured"),
            Column(key="most", title="Most", truth="measured"),
        ),
        rows=[[row.claim.key.replace("_", " "), row.mid, min(row.ours), max(row.ours)] for row in rows],
        alt="Bars of ratios on a logarithmic axis: from about ten for Flash stored in BF16 to one half for the same with FP32 state.",
    )  # fmt: skip

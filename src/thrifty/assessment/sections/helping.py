"""What the levers offer, best first, with what each does not know; and why others offer nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from thrifty.report import Block, Bullets, Cell, Chart, Code, Column, Note, Section, Table, Text

if TYPE_CHECKING:
    from thrifty.assessment.result import Assessment

WHAT: Final = ("time", "energy", "carbon", "money")
DRAWN: Final = 6


def section(a: Assessment) -> Section:
    unit = a.case.job.unit
    blocks: list[Block] = [
        Text(f"How many times less one {unit} takes after a change, by the model that priced the case itself; ranked by the geometric mean of time, energy "
             "and carbon. Below 1 it takes more.")
    ]  # fmt: skip
    if not a.estimates:
        blocks.append(Note("No lever has anything to offer for this case."))
    else:
        blocks += [_chart(a), _table(a)]
        if caveats := _caveats(a):
            blocks += [Text("What these prices do not know:"), Bullets(caveats)]
        blocks.append(Code("\n".join(dict.fromkeys(e.command for e in a.estimates)), "See any of them in full, in the order of the table"))
    if a.refusals:
        blocks.append(Bullets([f"**{refusal.lever}** offers nothing: {refusal.reason}." for refusal in a.refusals]))
    return Section("What would help most", blocks, id="help")


def _table(a: Assessment) -> Table:
    known = [what for what in WHAT if any(e.factor(what) is not None for e in a.estimates)]
    rows: list[list[Cell]] = [[e.lever, e.change, *(e.factor(what) for what in known)] for e in a.estimates]
    factors = [Column(key=what, title=what.capitalize(), truth="modelled", style="plain", meaning="before over after") for what in known]
    return Table(
        columns=[Column(key="lever", title="Lever"), Column(key="change", title="Change"), *factors], rows=rows,
        caption=f"{len(rows)} changes, best first: how many times less",
    )  # fmt: skip


def _caveats(a: Assessment) -> list[str]:
    """What the price does not know of each lever's changes, each said once."""
    found: dict[str, list[str]] = {}
    for estimate in a.estimates:
        if estimate.caveat and estimate.caveat not in found.setdefault(estimate.lever, []):
            found[estimate.lever].append(estimate.caveat)
    return [f"**{lever}**: {'; '.join(caveats)}." for lever, caveats in found.items() if caveats]


def _chart(a: Assessment) -> Chart:
    rows: list[list[Cell]] = []
    for estimate in a.estimates[:DRAWN]:
        rows += [[estimate.change, what, factor] for what in ("time", "energy", "carbon") if (factor := estimate.factor(what)) is not None]
    columns = (Column(key="change", title="Change"), Column(key="what", title="Of"),
               Column(key="factor", title="Times less", truth="modelled", style="plain"))  # fmt: skip
    best = a.estimates[0]
    return Chart(
        kind="bars", title=f"The {min(DRAWN, len(a.estimates))} best changes", columns=columns, rows=rows, x="factor", y="change", series="what", x_log=True,
        alt=f"Dots on a logarithmic axis: how many times less time, energy and carbon one {a.case.job.unit} takes after each change; best is {best.change}.",
    )  # fmt: skip

"""A deviation report as sections: both results against golden, the element that is farthest off, where on the output, what to know before quoting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from thrifty.report import Block, Bullets, Cell, Chart, Column, Facts, Note, Number, Section, Table, Text

if TYPE_CHECKING:
    from thrifty.lenses.numerics.deviations import Deviation, Pair

MEASURES: Final = (
    ("max", "largest |difference|"), ("mean", "mean |difference|"), ("signed_mean", "mean difference"), ("std", "standard deviation of the difference"),
    ("bias_ratio", "bias: mean difference over RMSE"), ("rmse", "RMSE"), ("frobenius", "relative Frobenius norm"),
    ("ulp_max", "largest distance in ulps"), ("ulp_mean", "mean distance in ulps"), ("changed", "share of elements that differ once rounded"),
    ("cosine", "cosine"), ("sqnr_db", "signal to noise, dB"), ("w1", "W1 as samples"), ("floor", "floor: one rounding at the worst element"),
    ("floor_ratio", "largest |difference| over that floor"), ("floor_rmse", "RMSE of rounding the reference once"),
)  # fmt: skip
"""Field of a pair → what a reader calls it."""


def sections_of(found: Deviation) -> list[Section]:
    """In the order in which they should be read."""
    made = [Section("Deviation", [Text(sentence(found)), *warnings(found), measures(found)], id="deviation")]
    if found.worst is not None:
        made.append(Section("The worst element", worst(found), id="worst"))
    if len(found.blocks) > 1:
        made.append(Section("Where on the output", [blocks(found)], id="where"))
    made.append(Section("What the numbers mean", [Bullets([
        f"Golden: {found.golden}.", f"Ulps and floors are those of {found.format}.",
        "At the floor: the largest deviation is at most 1.125 times the largest error of one correct rounding at that element.",
        "W1 compares samples and forgets places; read it beside the largest difference.",
    ])], id="meaning"))  # fmt: skip
    return made


def brief_of(found: Deviation) -> list[Block]:
    """For an assessment."""
    return [Text(sentence(found)), *warnings(found), measures(found)]


def sentence(found: Deviation) -> str:
    """The answer in words."""
    a, b = found.optimised, found.baseline
    if found.worst is None:
        return f"No element of {found.names[0]} can be compared with golden."
    said = f"{_begin(found.names[0])} deviates from golden by at most **{a.max:.3g}** ({found.worst.ulps} ulp of {found.format} there; RMSE {a.rmse:.3g})"
    said += ", which is the format's floor" if a.at_floor else f", {a.floor_ratio:.3g} times what one rounding costs"
    if b is not None and b.compared:
        said += f"; {found.names[1]} by at most **{b.max:.3g}**" + (", the format's floor" if b.at_floor else "")
        said += f". Ratio {found.ratio_to_baseline:.3g}, of RMSE {found.rmse_ratio:.3g}"
    return said + "."


def _begin(name: str) -> str:
    """A name at the start of a sentence: words get a capital, a policy's name stays what it is."""
    return name if "_" in name else f"{name[:1].upper()}{name[1:]}"


def warnings(found: Deviation) -> list[Block]:
    """What must be known before a number is quoted."""
    return [Note(f"{note[0].upper()}{note[1:]}.", "warning" if "NaN" in note or "can be compared" in note else "note") for note in found.notes]


def measures(found: Deviation) -> Table:
    """Every measure, one column a pair."""
    pairs: list[tuple[str, str, Pair]] = [("optimised", f"{found.names[0]} against golden", found.optimised)]
    if found.baseline is not None and found.between is not None:
        pairs += [("baseline", f"{found.names[1]} against golden", found.baseline), ("between", f"{found.names[0]} against {found.names[1]}", found.between)]
    rows: list[list[Cell]] = [[title, *(_finite(getattr(each, field)) for _, _, each in pairs)] for field, title in MEASURES]
    rows.append(["elements compared", *(Number(value=each.compared, truth="measured", style="integer") for _, _, each in pairs)])
    return Table(
        columns=(Column(key="measure", title="Measure"), *(Column(key=key, title=title, truth="measured", digits=4) for key, title, _ in pairs)),
        rows=rows, caption=f"Measures in FP64; golden: {found.golden}",
    )  # fmt: skip


def _finite(value: float | None) -> Cell:
    return "exact" if value == float("inf") else None if value is None or value != value else float(value)


def worst(found: Deviation) -> list[Block]:
    """Values there, and what it was made of."""
    at = found.worst
    assert at is not None
    items: dict[str, Number | str] = {
        "index": ", ".join(map(str, at.index)), found.names[0]: _number(at.value), "golden": _number(at.golden), "difference": _number(at.value - at.golden),
        "ulps": Number(value=at.ulps, truth="measured", style="integer"),
    }  # fmt: skip
    if at.baseline is not None:
        items[found.names[1]] = _number(at.baseline)
    made: list[Block] = [Facts(items, caption="The element farthest from golden")]
    if at.operands:
        made.append(Table(
            columns=(Column(key="operand", title="Operand"), Column(key="value", title="Value")),
            rows=[[name, _listed(value)] for name, value in at.operands.items()], caption="What it was made of",
        ))  # fmt: skip
    return made


def _number(value: float) -> Number:
    return Number(value=value, truth="measured", digits=6)


def _listed(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(f"{each:.5g}" if isinstance(each, float) else str(each) for each in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def blocks(found: Deviation) -> Chart:
    """Where the largest deviations lie."""
    return Chart(
        kind="heat map", title="Largest deviation by block of the output", x="column", y="row", colour="max",
        columns=(
            Column(key="row", title="Block of rows"), Column(key="column", title="Block of columns"),
            Column(key="max", title="Largest |difference|", truth="measured"),
        ),
        rows=[[f"{i:02}", f"{j:02}", value] for i, row in enumerate(found.blocks) for j, value in enumerate(row)],
        alt="A heat map of the output: blocks of rows by blocks of columns, coloured by the largest deviation from golden within the block.",
    )  # fmt: skip

"""Bounds beside measured errors, as a page: do they hold, how tight are they, which site is behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from thrifty.report import Block, Bullets, Cell, Chart, Column, Facts, Note, Number, Page, Section, Source, Table, Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from thrifty.lenses.numerics.bounds import BoundStudy, ExpRange

SOURCES: Final = (
    Source(key="higham-mary-2019", title="A New Approach to Probabilistic Rounding Error Analysis", publisher="SIAM J. Sci. Comput. 41(5)", date="2019"),
    Source(key="higham-mary-2020", title="Sharper Probabilistic Backward Error Analysis for Basic Linear Algebra Kernels with Random Data",
           publisher="SIAM J. Sci. Comput. 42(5)", date="2020"),
    Source(key="connolly-2021", title="Stochastic Rounding and Its Probabilistic Backward Error Analysis", publisher="SIAM J. Sci. Comput. 43(1)", date="2021"),
    Source(key="blanchard-2021", title="Accurately computing the log-sum-exp and softmax functions", publisher="IMA J. Numer. Anal. 41(4)", date="2021"),
    Source(key="sohier-2021", title="Confidence Intervals for Stochastic Arithmetic", publisher="ACM Trans. Math. Softw. 47(2)", date="2021"),
)  # fmt: skip


def bounds_page(study: BoundStudy, ranges: Sequence[ExpRange] = (), *, command: str, generated: str) -> Page:
    """The whole page."""
    sections = sections_of(study)
    if ranges:
        sections.append(Section("Where exponentials stay in range", [_ranges(ranges)], id="range"))
    inputs: dict[str, Number | str] = {name: str(value) for name, value in study.settings.items() if value is not None}
    return Page(
        title=f"Bounds: {study.subject}", summary=sentence(study), sections=sections, inputs={**inputs, "runs": str(study.runs)}, sources=SOURCES,
        generated=generated, command=command,
    )  # fmt: skip


def sections_of(study: BoundStudy) -> list[Section]:
    """In the order in which they should be read."""
    made = [
        Section("Bounds and measured errors", [*_warnings(study), table(study), _facts(study)], id="bounds"),
        Section("Quantiles", [curve(study)], id="curve"),
    ]
    if study.sites:
        made.append(Section("Which site is behind the bound", [_sites(study)], id="sites"))
    if study.digits is not None:
        made.append(Section("Digits that chance leaves", _digits(study), id="digits"))
    made.append(Section("How to read this", [Bullets([
        "Worst case: every rounding takes its largest value with the worst sign, weighed exactly by what it does to the result, to first order.",
        "Probable: roundings are taken as independent and of mean zero; Azuma's inequality then needs λ standard lengths instead of all of them.",
        "Coverage: share of measured errors within the bound. Where it is below what was promised, the assumption is wrong for this computation.",
        "Used: the quantile of error over bound; 1 is tight, 0.1 is ten times too wide.",
    ])], id="reading"))  # fmt: skip
    return made


def brief_of(study: BoundStudy) -> list[Block]:
    """For an assessment."""
    return [Text(sentence(study)), *_warnings(study), table(study)]


def sentence(study: BoundStudy) -> str:
    """The answer in words."""
    failed = [row for row in study.bounds if not row.holds]
    best = min((row for row in study.bounds if row.holds), key=lambda row: row.median, default=None)
    said = f"Over {study.runs} runs errors reach {study.measured[1.0]:.3g}."
    if best is not None:
        said += f" The tightest bound that holds is **{best.name}**, {best.median:.3g}: it covers {best.coverage:.2%} where {best.promised:.0%} were promised."
    if failed:
        said += f" It fails for {', '.join(f'{row.name} ({row.coverage:.1%} of {row.promised:.0%})' for row in failed)}."
    return said


def _warnings(study: BoundStudy) -> list[Block]:
    return [Note(f"{note[0].upper()}{note[1:]}.", "warning") for note in study.notes]


def table(study: BoundStudy) -> Table:
    rows: list[list[Cell]] = [
        [row.name, row.assumes, _number(row.median), _number(row.largest), row.promised, row.coverage, row.over, row.used, "yes" if row.holds else "no"]
        for row in study.bounds
    ]
    return Table(
        columns=(
            Column(key="bound", title="Bound on |error|"), Column(key="assumes", title="Assumes"), Column(key="median", title="Median", truth="modelled"),
            Column(key="largest", title="Largest", truth="modelled"), Column(key="promised", title="Promised", truth="modelled", style="percent"),
            Column(key="coverage", title="Coverage", truth="measured", style="percent", digits=4), Column(key="over", title="Of every"),
            Column(key="used", title="Used", truth="measured"), Column(key="holds", title="Holds"),
        ),
        rows=rows, caption=f"{study.subject}: {study.elements:,} errors of {study.runs} runs",
    )  # fmt: skip


def _number(value: float) -> Cell:
    return "infinite" if value == float("inf") else value


def _facts(study: BoundStudy) -> Facts:
    return Facts({
        "largest measured" if q == 1 else f"{q:.0%} of errors below": Number(value=value, truth="measured") for q, value in study.measured.items()
    }, caption="Measured |error|")  # fmt: skip


def curve(study: BoundStudy) -> Chart:
    return Chart(
        kind="line", title="Measured errors and bounds, by quantile", x="quantile", y="value", series="line", y_log=True,
        columns=(
            Column(key="line", title="Line"), Column(key="quantile", title="Share of elements below", truth="given", style="percent"),
            Column(key="value", title="|error|", truth="measured"),
        ),
        rows=[[name, q, value] for name, q, value in study.curve],
        alt="Lines over quantiles on a logarithmic axis: measured errors lowest, the probable bound above them, the worst case above that.",
    )  # fmt: skip


def _sites(study: BoundStudy) -> Table:
    return Table(
        columns=(
            Column(key="site", title="Site"), Column(key="keeps", title="Keeps"), Column(key="roundings", title="Roundings", truth="given", style="integer"),
            Column(key="probable", title="Probable effect", truth="modelled"), Column(key="worst", title="Worst effect", truth="modelled"),
        ),
        rows=[[each.site, each.keeps, each.roundings, each.probable, each.worst] for each in study.sites],
        caption="What each site's roundings can do to an output element, mean over elements of the first run",
    )  # fmt: skip


def _digits(study: BoundStudy) -> list[Block]:
    held = study.digits
    assert held is not None
    names = (("digits", "decimal digits that runs share, median"), ("low", "interval from"), ("high", "to"), ("sure", "digits that one more run surely has"),
             ("least", "least over elements"), ("right", "digits that the policy to nearest gets right, median"))  # fmt: skip
    return [
        Text(f"Every rounding but those of inputs goes up or down by chance ({held['rounding']}), {held['samples']} runs of the first draw."),
        Facts({title: Number(value=held[key], truth="measured", digits=3) for key, title in names}, caption=f"Confidence {held['confidence']:.0%}"),
    ]


def _ranges(ranges: Sequence[ExpRange]) -> Table:
    return Table(
        columns=(
            Column(key="format", title="Format"), Column(key="largest", title="Largest argument", truth="given", digits=4),
            Column(key="normal", title="Result is normal from", truth="given", digits=4),
            Column(key="smallest", title="Not zero from", truth="given", digits=4),
        ),
        rows=[[each.format, each.largest, each.smallest_normal, each.smallest] for each in ranges],
        caption="Arguments of e^x whose result a format holds (Blanchard, Higham and Higham 2021); a softmax shifted by its maximum stays at 0 and below",
    )  # fmt: skip

"""Sums as a page: errors of accumulators over the length of the sum; and what probes say of tensor cores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from thrifty.report import Bullets, Cell, Chart, Column, Number, Page, Section, Source, Table

if TYPE_CHECKING:
    from thrifty.lenses.numerics.accumulating import Probe, SumError, SumStudy


def errors_page(study: SumStudy, *, command: str, generated: str) -> Page:
    """Accumulators beside each other."""
    last = study.last()
    worst, best = max(last, key=lambda row: row.rmse), min(last, key=lambda row: row.rmse)
    said = f"At {worst.k:,} terms {worst.accumulator} is off by {worst.rmse:.2g} (RMS, of the sum of sizes), {_lean(worst)}."
    if best is not worst:
        said += f" {best.accumulator} is off by {best.rmse:.2g}."
    lost = sum(row.lost for row in study.rows)
    if lost:
        said += f" {lost:,} sums are infinite or no number and are left out."
    return Page(
        title="How well sums are kept", summary=said,
        sections=[
            Section("At the longest sum", [_table(last, study)], id="errors"),
            Section("Over the length", [_chart(study)], id="length"),
            Section("At every length", [_table(study.rows, study)], id="lengths"),
            Section("How to read this", [Bullets([
                "Errors are those of sums of the same rounded factors, kept as named, less the exact sum, over the exact sum of the products' sizes.",
                "Bias over RMS is near 1 in size where all errors have one sign: truncation, or terms too small to count. To nearest it stays near 0.",
                "Promotion moves the sum every N products to an FP32 sum outside, so that no more than N products meet the narrow sum.",
            ])], id="reading"),
        ],
        inputs={"inputs": study.inputs, "sums": Number(value=study.sums, truth="given", style="integer"), "seed": str(study.seed)},
        sources=sources(), command=command, generated=generated,
    )  # fmt: skip


def probes_page(probes: Sequence[Probe], *, command: str, generated: str) -> Page:
    """Tensor cores and what they answered."""
    deaf = [each.accumulator for each in probes if each.ones == 0]
    said = f"{len(probes)} tensor cores. Beside a sum too large for one 1 to count, a whole instruction of ones adds nothing on {len(deaf)} of them."
    table = Table(
        columns=[
            Column(key="accumulator", title="Tensor core"), Column(key="terms", title="Ones", truth="given", style="integer"),
            Column(key="beside", title="Beside"), Column(key="ones", title="Add", truth="modelled", style="plain"),
            Column(key="big", title="Big"), Column(key="survivor", title="Big + 1/4 − big", truth="modelled", style="plain"),
            Column(key="kept_bits", title="Bits behind the largest", truth="modelled", style="integer"), Column(key="title", title="What it is"),
        ],
        rows=[
            [
                each.accumulator, each.terms, f"2^{each.large_log2}", each.ones, "–" if each.big_log2 is None else f"2^{each.big_log2}", each.survivor,
                each.kept_bits, each.title,
            ]
            for each in probes
        ], caption="Answers of the emulated tensor cores; a dash where operands cannot put the question, or every term that they can say survives",
    )  # fmt: skip
    return Page(
        title="Tensor cores by their answers", summary=said, sections=[Section("Probes", [table], id="probes")], sources=sources(), command=command,
        generated=generated,
    )  # fmt: skip


def sources() -> tuple[Source, ...]:
    """Where the tensor cores' numbers come from."""
    from thrifty.formats.accumulators.cores.catalogue import sources as known

    return tuple(
        Source(key=key, title=each["title"], publisher=each["publisher"], date=str(each["read_on"]), url=each["url"], licence=each["licence"])
        for key, each in known().items()
    )


def _lean(row: SumError) -> str:
    if abs(row.mean_to_rms) < 0.3:
        return "with no lean to one side"
    return f"and leans {'down' if row.bias < 0 else 'up'} by {abs(row.bias):.2g}"


def _table(rows: Sequence[SumError], study: SumStudy) -> Table:
    cells: list[list[Cell]] = [
        [row.accumulator, study.operands[row.accumulator], row.k, row.bias, row.rmse, row.worst, row.mean_to_rms, row.lost] for row in rows
    ]
    return Table(
        columns=[
            Column(key="accumulator", title="Accumulator"), Column(key="operands", title="Factors"),
            Column(key="k", title="Terms", truth="given", style="integer"),
            Column(key="bias", title="Bias", truth="modelled"), Column(key="rmse", title="RMS error", truth="modelled"),
            Column(key="worst", title="Largest error", truth="modelled"), Column(key="lean", title="Bias over RMS", truth="modelled"),
            Column(key="lost", title="Not finite", truth="modelled", style="integer"),
        ],
        rows=cells, caption=f"Errors over the sum of the products' sizes, {study.sums:,} sums a row",
    )  # fmt: skip


def _chart(study: SumStudy) -> Chart:
    return Chart(
        kind="line", title="RMS error by length of the sum", x="k", y="rmse", series="accumulator", x_log=True, y_log=True,
        columns=[
            Column(key="accumulator", title="Accumulator"), Column(key="k", title="Terms", truth="given", style="integer"),
            Column(key="rmse", title="RMS error", truth="modelled"),
        ],
        rows=[[row.accumulator, row.k, row.rmse] for row in study.rows],
        alt="Lines over the number of terms, both axes logarithmic: RMS error of each accumulator. Lines that rise in step with the terms are biased sums.",
    )  # fmt: skip

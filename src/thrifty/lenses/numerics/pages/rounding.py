"""Rounding as a page: numbers with codes and neighbours, or a file's counts; and how finely the format tells numbers apart."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from thrifty.formats import FloatSpec, float_spec
from thrifty.report import Block, Cell, Chart, Column, Facts, Number, Page, Section, Table

if TYPE_CHECKING:
    from thrifty.lenses.numerics.roundings import Row, Summary, Target

_BINADES: Final = 64
"""Of the format, as many as a drawing can hold."""
_BESIDE: Final = ("bf16", "fp16")
"""Formats that most readers know, drawn beside."""


def values_page(rows: list[Row], target: Target, *, command: str, generated: str) -> Page:
    """Numbers, one by one."""
    changed = [row for row in rows if row.kind != "exact"]
    worst = max(rows, key=lambda row: abs(row.error_ulp) if math.isfinite(row.error_ulp) else -1.0)
    summary = f"{len(changed)} of {len(rows)} numbers change in {target.name}."
    if math.isfinite(worst.error_ulp) and worst.error_ulp:
        summary += f" The largest error is {abs(worst.error_ulp):.3g} ulp: {_number(worst.value)} becomes {_number(worst.rounded)}."
    scaled = any(row.scale != 1 for row in rows)
    table = Table(
        columns=[
            Column(key="value", title="Value"), Column(key="rounded", title="Becomes"), Column(key="code", title="Code"), Column(key="fields", title="Bits"),
            Column(key="error_ulp", title="Error, ulp", truth="given"), Column(key="below", title="Next below"), Column(key="above", title="Next above"),
            *([Column(key="scale", title="Scale")] if scaled else []), Column(key="kind", title=""),
        ],
        rows=[
            [
                _number(row.value), _number(row.rounded), row.code, row.fields, row.error_ulp if math.isfinite(row.error_ulp) else None, _number(row.below),
                _number(row.above), *([_number(row.scale)] if scaled else []), row.kind,
            ]
            for row in rows
        ], caption=f"Numbers in {target.name}",
    )  # fmt: skip
    return Page(
        title=f"Rounding to {target.name}", summary=summary, sections=[Section("Numbers", [table], id="numbers"), *_of_format(target)], inputs=_inputs(target),
        command=command, generated=generated,
    )  # fmt: skip


def file_page(name: str, shape: tuple[int, ...], summary: Summary, target: Target, *, command: str, generated: str) -> Page:
    """A file, counted."""
    count = max(summary.count, 1)
    changed = summary.count - summary.exact
    said = f"{changed / count:.1%} of {summary.count:,} numbers of {name} change in {target.name}"
    said += f"; {summary.overflow:,} are beyond its largest, {summary.underflow:,} become zero." if summary.overflow or summary.underflow else "; none is lost."
    kinds: list[list[Cell]] = [
        [kind, Number(value=getattr(summary, kind), truth="given", style="integer"), getattr(summary, kind) / count]
        for kind in ("exact", "rounded", "overflow", "underflow", "nan")
    ]
    kinds.append(["subnormal, of those", Number(value=summary.subnormal, truth="given", style="integer"), summary.subnormal / count])
    ratio = summary.given_bytes / summary.stored_bytes if summary.stored_bytes else None
    return Page(
        title=f"{name} in {target.name}", summary=said,
        headline={
            "largest error": Number(value=summary.max_error, truth="given", digits=4), "in ulp": Number(value=summary.max_error_ulp, truth="given", digits=4),
            "signal to noise": Number(value=summary.sqnr_db, unit="dB", truth="given"), "smaller": Number(value=ratio, unit="times", truth="given"),
        },
        sections=[
            Section("Numbers", [
                Table(columns=[Column(key="kind", title=""), Column(key="count", title="Numbers", truth="given"),
                               Column(key="share", title="Share", truth="given", style="percent")], rows=kinds, caption="What became of them"),
                Facts({
                    "mean error": Number(value=summary.mean_error, truth="given"), "RMS error": Number(value=summary.rms_error, truth="given"),
                    "largest error at": _number(summary.max_error_at), "bytes": Number(value=summary.stored_bytes, unit="B", truth="given"),
                    "bytes before": Number(value=summary.given_bytes, unit="B", truth="given"),
                }),
            ], id="numbers"),
            *_of_format(target),
        ],
        inputs={"shape": " × ".join(str(size) for size in shape) or "one number", **_inputs(target)}, command=command, generated=generated,
    )  # fmt: skip


def _inputs(target: Target) -> dict[str, Number | str]:
    told: dict[str, Number | str] = {"format": target.name, "rounding": target.mode}
    if target.rounding is not None:
        told["overflow"] = target.rounding.overflow
        if target.rounding.flush:
            told["subnormals"] = "become zero"
    elif target.kind == "power":
        told["scale"] = target.scale
    if target.mode in ("stochastic", "random"):
        told["seed"] = str(target.seed)
    return told


def _of_format(target: Target) -> list[Section]:
    """What the format holds, and how finely."""
    grid = target.rounding.spec if target.rounding is not None else float_spec(target.element) if target.element not in ("", "int8") else None
    if grid is None:
        return []
    facts: dict[str, Number | str] = {
        "bits": Number(value=grid.code_bits, truth="given", style="integer"),
        "significand bits": Number(value=grid.significand_bits, truth="given", style="integer"),
        "largest": _number(grid.largest), "smallest normal": _number(grid.smallest_normal), "smallest": _number(grid.smallest),
        "unit roundoff": _number(grid.unit_roundoff),
        "infinities": "yes" if grid.infinities else "no", "no number": "yes" if grid.no_number != "none" else "no",
    }  # fmt: skip
    shown = [grid, *(spec for name in _BESIDE if (spec := float_spec(name)) != grid)]
    rows: list[list[Cell]] = [[spec.name, size, error] for spec in shown for size, error in _sawtooth(spec, grid)]
    chart = Chart(
        kind="line", title="Largest relative error of rounding to nearest, by size", x="size", y="error", series="format", x_log=True, y_log=True, rows=rows,
        columns=[
            Column(key="format", title="Format"),
            Column(key="size", title="Size of the number" + (" over its scale" if target.kind != "float" else ""), truth="given"),
            Column(key="error", title="Largest relative error", truth="given"),
        ],
        alt="Lines over the size of a number: half the spacing of the format over the size. It halves within every power of two, and grows among subnormals.",
        caption="From the smallest to the largest number of the format; beside it bf16 and fp16.",
    )  # fmt: skip
    name = "Format" if target.kind == "float" else "Numbers of a block, before scaling"
    blocks: list[Block] = [Facts(facts)]
    return [Section(name, blocks, id="format"), Section("Precision", [chart], id="precision")]


def _sawtooth(spec: FloatSpec, within: FloatSpec) -> list[tuple[float, float]]:
    """Half the spacing over the size at both ends of every power of two, evenly thinned to what a drawing holds, over the range of `within`."""
    lowest = max(within.emin - within.mantissa_bits if within.subnormals else within.emin, spec.emin - spec.mantissa_bits, -1000)
    binades: list[Any] = list(range(lowest, min(within.emax, spec.emax, 1000) + 1))
    step = max(1, -(-len(binades) // _BINADES))
    points = []
    for exponent in binades[::step]:
        half = 2.0 ** (max(exponent, spec.emin) - spec.mantissa_bits - 1)
        points += [(2.0**exponent, half / 2.0**exponent), (end := min(2.0 ** (exponent + 1) * (1 - 2.0**-12), spec.largest), half / end)]
    return points


def _number(value: float | None) -> str:
    """All digits that tell it apart."""
    if value is None:
        return "–"
    if math.isfinite(value) and value == math.trunc(value) and abs(value) < 1e15 and (value or math.copysign(1, value) > 0):
        return str(int(value))
    return repr(float(value))

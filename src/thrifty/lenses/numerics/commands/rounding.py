"""`thrifty numerics round`: what numbers become in a format, one by one or a file of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from thrifty.errors import BadValue
from thrifty.printing import command_line, make_table, print_json, print_parts


def round_(
    values: Annotated[list[str] | None, typer.Argument(metavar="[VALUE]...", help="Numbers: 0.1, 1e-3, 0x1.8p-4, 2^-9, inf, nan.")] = None,
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="e4m3, bf16, e5m7, mxfp4, mxfp8:e5m2, nvfp4, bfp:8:16, int4:128, …")] = "bf16",
    rounding: Annotated[str, typer.Option(metavar="MODE", help="rne, rz, ru, rd, odd, stochastic or random.")] = "rne",
    overflow: Annotated[str, typer.Option(metavar="WORD", help="saturate, inf or nan; must be said for formats without infinities.")] = "",
    scale: Annotated[str, typer.Option(metavar="RULE", help="Of blocks: floor (default), ceil, rceil or even.")] = "",
    flush: Annotated[bool, typer.Option("--flush", help="Results below the smallest normal number become zero.")] = False,
    seed: Annotated[int, typer.Option(help="Of stochastic and random rounding.")] = 0,
    file: Annotated[Path | None, typer.Option("--file", metavar="FILE.npy", help="Instead of values: round a file of numbers and count.")] = None,
    formats: Annotated[bool, typer.Option("--formats", help="List every format with what it holds.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Round numbers to a format, once: result, code and its fields, error in units in the last place, neighbours."""
    if formats:
        _formats(as_json)
        return
    import numpy as np

    from thrifty.lenses.numerics.pages.rounding import file_page, values_page
    from thrifty.lenses.numerics.roundings import parse_target, summarise, value_rows
    from thrifty.lenses.numerics.roundings.summaries import read_numbers
    from thrifty.progress import showing
    from thrifty.report import give, made_now

    if bool(values) == (file is not None):
        raise BadValue("numbers are needed, once. Give VALUE... or --file FILE.npy; list formats with: thrifty numerics round --formats")
    x = np.array([read_number(text) for text in values or ()])
    target = parse_target(format, rounding=rounding, overflow=overflow, flush=flush, seed=seed, scale=scale)
    options: dict[str, Any] = {
        "format": format, "rounding": "" if rounding == "rne" else rounding, "overflow": overflow, "scale": scale, "flush": flush, "seed": seed,
    }  # fmt: skip
    if file is not None:
        array = read_numbers(file)
        with showing() as tell:
            summary = summarise(array, target, tell)
        command = command_line("thrifty", "numerics", "round", **options, file=file)
        give(
            lambda: file_page(file.name, array.shape, summary, target, command=command, generated=made_now()),
            lambda: {"format": target.name, "rounding": target.mode, **summary.to_dict()}, out, as_json, drawn=("precision",),
        )  # fmt: skip
        return
    rows = value_rows(x, target.apply(x[None, :]))
    command = command_line("thrifty", "numerics", "round", *(values or ()), **options)
    give(
        lambda: values_page(rows, target, command=command, generated=made_now()),
        lambda: {"format": target.name, "rounding": target.mode, "values": [row.to_dict() for row in rows]}, out, as_json, drawn=("precision",),
    )  # fmt: skip


def read_number(text: str) -> float:
    """A decimal number, a hexadecimal one, a power such as 2^-9, or one taken times: 1.5*2^-9. Raises BadValue."""
    if text.startswith("--"):  # numbers below 0 look like options, so that those unknown come here
        raise BadValue(f"No such option: {text.partition('=')[0]}. See: thrifty numerics round --help")
    sign, text = (-1.0, text[1:]) if text.startswith("-") else (1.0, text)
    try:
        if "^" in text:
            factor, _, power = text.replace("**", "^").rpartition("*") if "*" in text else ("1", "", text)
            base, _, exponent = power.partition("^")
            return sign * float(factor) * float(base) ** int(exponent)
        return sign * float.fromhex(text) if "0x" in text.lower() else sign * float(text)
    except (ValueError, OverflowError, ZeroDivisionError):
        raise BadValue(f"value '{text}' is no number. Write e.g. 0.1, 1e-3, 0x1.8p-4, 2^-9, inf or nan.") from None


def _formats(as_json: bool) -> None:
    from thrifty.lenses.numerics.roundings import known_targets

    rows = known_targets()
    if as_json:
        print_json(rows)
        return

    def said(number: float | None) -> str:
        return "–" if number is None else f"{number:.6g}"

    print_parts(
        make_table("format", "bits", "largest", "smallest normal", "smallest", "unit roundoff", "specials", "scale", rows=[
            (
                row["format"], str(row["bits"] or "–"), said(row["largest"]), said(row["smallest_normal"]), said(row["smallest"]), said(row["unit_roundoff"]),
                ", ".join(row["specials"]) or "none", row["scale"],
            )
            for row in rows
        ]),
        "Scales: E8M0 is a power of two from 2^-127 to 2^127; UE4M3 is E4M3 without a sign. BITS are 2 to 16. Largest and smallest are before scaling.",
        "Any e<exponent>m<mantissa> is a format, too: e5m7 with infinities and NaN as in IEEE 754, e5m7fn with one NaN of either sign.",
    )  # fmt: skip

"""`thrifty carbon report`: the numbers of a standard and the inputs that are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thrifty.printing import print_json, print_parts


def report(
    file: Annotated[Path | None, typer.Argument(metavar="FILE", help="Numbers with units, .toml or .json (see --example); without, what is missing.")] = None,
    standard: Annotated[str, typer.Option("--standard", help="sci, ghg or eu.")] = "sci",
    ledger: Annotated[Path | None, typer.Option("--ledger", metavar="FILE", help="A ledger that account or workload exported.")] = None,
    example: Annotated[bool, typer.Option("--example", help="Print an input file to start from.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write it as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:  # fmt: skip
    """SCI (ISO/IEC 21031), GHG scopes 1 to 3, or the EU's data-centre indicators: numbers, formulas and what is missing. No compliance claim."""
    from thrifty.lenses.carbon.ledger import read_ledger
    from thrifty.lenses.carbon.pages.report import report_page
    from thrifty.lenses.carbon.reports import example_of, report_on
    from thrifty.report import to_terminal, write_html

    if example:
        if as_json:
            print_json({"standard": standard, "example": example_of(standard)})
        else:
            typer.echo(example_of(standard), nl=False)
        return
    found = report_on(standard, file, read_ledger(ledger) if ledger is not None else None)
    words = ["thrifty carbon report", *([str(file)] if file else []), f"--standard {standard}", *([f"--ledger {ledger}"] if ledger else [])]
    page = report_page(found, command=" ".join(words), inputs={
        **({"numbers": file.name} if file is not None else {}), **({"ledger": ledger.name} if ledger is not None else {}),
    })  # fmt: skip
    if out is not None:
        write_html(page, out)
    if as_json:
        print_json(found.to_dict())
        return
    print_parts(to_terminal(page), *([f"page: {out}"] if out is not None else []))

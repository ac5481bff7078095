"""`thrifty carbon report`: the numbers of a standard and the inputs that are missing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thrifty.printing import command_line, print_json


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
    from thrifty.report import give

    if example:
        if as_json:
            print_json({"standard": standard, "example": example_of(standard)})
        else:
            typer.echo(example_of(standard), nl=False)
        return
    found = report_on(standard, file, read_ledger(ledger) if ledger is not None else None)
    command = command_line("thrifty", "carbon", "report", *([file] if file else []), standard=standard, ledger=ledger)
    inputs = {what: path.name for what, path in (("numbers", file), ("ledger", ledger)) if path is not None}
    give(lambda: report_page(found, command=command, inputs=inputs), found.to_dict, out, as_json)

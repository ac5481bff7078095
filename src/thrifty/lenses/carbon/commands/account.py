"""`thrifty carbon account`: the ledger of a fleet over a period, by whatever one asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thrifty.errors import BadValue
from thrifty.printing import command_line, make_table, print_json, print_parts

USUAL = ("phase", "scope", "asset", "tenant", "line")


def account(
    fleet: Annotated[Path, typer.Argument(metavar="FLEET", help="Description of a fleet (.toml, .json), or a ledger (.csv, .arrow, .json of --export).")],
    start: Annotated[str, typer.Option("--from", show_default=False, metavar="TIME", help="First hour: 2020-07-01T00:00-07:00. [default: the fleet's]")] = "",
    end: Annotated[str, typer.Option("--to", show_default=False, metavar="TIME", help="The hour after the last. [default: the fleet's]")] = "",
    by: Annotated[list[str] | None, typer.Option("--by", metavar="COLUMN", help="Totals by it (repeat for pairs): asset, phase, tenant, hour, ..")] = None,
    ledger: Annotated[str, typer.Option("--ledger", metavar="WHICH", help="billing (all), or decision (nothing that is spent already).")] = "billing",
    buy: Annotated[list[str] | None, typer.Option("--buy", metavar="ASSET", help="decision: not bought yet, so its making counts (repeat).")] = None,
    method: Annotated[str, typer.Option("--method", metavar="WAY", help="Scope 2 by location or market.")] = "location",
    boundary: Annotated[str, typer.Option("--boundary", show_default=False, metavar="B", help="Of grids: life-cycle or direct.")] = "",
    charge_idle: Annotated[str, typer.Option("--charge-idle", show_default=False, metavar="RULE", help="Idle and stranded capacity to tenants, by used.")] = "",
    export: Annotated[Path | None, typer.Option("--export", metavar="FILE", help="Write all rows: .csv, .json or .arrow.")] = None,
    seal_to: Annotated[Path | None, typer.Option("--seal", metavar="FILE", help="Write hashes chained over the rows, as JSON.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:  # fmt: skip
    """The ledger of a fleet: carbon by asset, phase, scope, hour and tenant, idle capacity as a line of its own."""
    from thrifty.lenses.carbon.ledger import write_ledger
    from thrifty.lenses.carbon.ledger.fleets.answering import answered, answers, sealed

    if buy and ledger != "decision":
        raise BadValue("buy names what a decision could add, and the ledger is billing. Choose --ledger decision, or leave --buy out.")
    found = answered(fleet, start, end, ledger=ledger, buy=tuple(buy or ()), boundary=boundary, charge_idle=charge_idle)
    counted = found.ledger.counted(method)
    said = answers(found, counted, tuple(by or ()), method)
    if export is not None:
        write_ledger(found.ledger, export)
    if seal_to is not None:
        sealed(found.ledger, seal_to)
    if out is not None:
        from thrifty.lenses.carbon.pages.account import account_page
        from thrifty.report import write_html

        command = command_line(
            "thrifty", "carbon", "account", fleet, **{"from": start, "to": end}, ledger="" if ledger == "billing" else ledger, method=method,
            boundary=boundary, charge_idle=charge_idle, buy=buy,
        )  # fmt: skip
        write_html(account_page(found, counted, method=method, command=command), out)
    if as_json:
        print_json(said)
        return
    total = counted.total_g()
    tables = [
        make_table(", ".join(columns), "kgCO2e", "share", rows=[
            (" · ".join(map(str, key if isinstance(key, tuple) else (key,))) or "(nobody)", f"{grams / 1e3:,.3f}", f"{grams / total:.1%}" if total else "–")
            for key, grams in counted.by(*columns).items()
        ])
        for columns in ([tuple(by)] if by else [(column,) for column in USUAL])
    ]  # fmt: skip
    print_parts(
        f"{found.name}, {found.period}: {total / 1e3:,.3f} kgCO2e ({ledger} ledger, scope 2 by {method}, {len(found.ledger):,} rows, modelled)",
        *tables, *(f"note: {note}" for note in found.notes), *([f"rows: {export}"] if export else []), *([f"page: {out}"] if out else []),
    )  # fmt: skip

"""`thrifty numerics budget`: the cheapest formats of attention that keep its deviation within a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thrifty.errors import BadValue
from thrifty.printing import command_line


def budget(
    most: Annotated[float, typer.Argument(metavar="DEVIATION", help="Largest deviation from FP64 that may be, inputs as given: 2e-3.")],
    metric: Annotated[str, typer.Option("--metric", metavar="WORD", help="max or rmse.")] = "max",
    by: Annotated[str, typer.Option("--by", metavar="WORD", help="Cheapest in energy or time.")] = "energy",
    on: Annotated[str, typer.Option("--on", metavar="DEVICE", help="Device of the catalogue (thrifty hardware).")] = "h100-sxm5",
    policy: Annotated[str, typer.Option("--policy", metavar="NAME", help="Algorithm, sums and options: preset, or a .toml or .json file.")] = "fa2_kernel",
    formats: Annotated[
        list[str] | None, typer.Option("--formats", metavar="GROUP=A,B", help="Choices for inputs, scores, p, state or output (repeat): p=e4m3,bf16.")
    ] = None,
    batch: Annotated[int, typer.Option("--batch", metavar="N", help="For the price.")] = 1,
    heads: Annotated[int, typer.Option("--heads", metavar="N", help="For the price.")] = 16,
    seq: Annotated[int, typer.Option("--seq", metavar="N", help="Queries and keys.")] = 1024,
    head_dim: Annotated[int, typer.Option("--head-dim", metavar="D", help="Head dimension.")] = 64,
    block_k: Annotated[int | None, typer.Option("--block-k", metavar="N", show_default=False, help="Keys of a tile. [default: by the paper's rule]")] = None,
    inputs: Annotated[str, typer.Option("--inputs", metavar="NAME", help="Distribution: uniform, normal, outliers, …")] = "normal",
    rows: Annotated[int, typer.Option("--rows", metavar="R", help="Queries looked at for each combination; the winner is run in full.")] = 32,
    draws: Annotated[int, typer.Option("--draws", metavar="R", help="Other draws on which the winner must hold.")] = 3,
    first: Annotated[bool, typer.Option("--first", help="Stop at the first that meets the budget; no front then.")] = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the draw.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """The cheapest precision policy within a deviation: every combination priced from the catalogue, run, and the winner verified."""
    from thrifty.lenses.numerics.pages.search import budget_page
    from thrifty.lenses.numerics.search import cheapest
    from thrifty.progress import showing
    from thrifty.report import give, made_now

    given: dict[str, list[str]] = {}
    for word in formats or ():
        group, equals, names = word.partition("=")
        if not equals or not names:
            raise BadValue(f"formats='{word}' must be group=format,format: p=e4m3,bf16, say.")
        given[group.strip()] = [name.strip() for name in names.split(",") if name.strip()]
    with showing() as progress:
        found = cheapest(
            most, metric=metric, by=by, policy=policy, device=on, batch=batch, heads=heads, seq=seq, head_dim=head_dim, block_k=block_k, inputs=inputs,
            formats=given, rows=rows, draws=draws, seed=seed, everything=not first, progress=progress,
        )  # fmt: skip
    command = command_line(
        "thrifty", "numerics", "budget", f"{most:g}", metric=metric, by=by, on=on, policy=policy, formats=formats, batch=batch, heads=heads, seq=seq,
        head_dim=head_dim, block_k=block_k, inputs=inputs, rows=rows, draws=draws, first=first, seed=seed,
    )  # fmt: skip
    give(
        lambda: budget_page(found, command=command, generated=made_now()), lambda: {**found.to_dict(), "command": command}, out, as_json, drawn=("front",)
    )  # fmt: skip

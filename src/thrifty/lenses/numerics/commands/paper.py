"""`thrifty numerics paper`: published figures beside what the same set-up gives here."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thrifty.printing import command_line, make_table, print_json, print_parts


def paper(
    only: Annotated[list[str] | None, typer.Argument(metavar="[CLAIM]...", help="Keys of claims; all where none is given.")] = None,
    seeds: Annotated[int, typer.Option("--seeds", metavar="N", help="Draws of inputs for each claim.")] = 5,
    listed: Annotated[bool, typer.Option("--list", help="List the claims with their papers; measure nothing.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """What papers say about deviation of attention, measured here: ten times, a half, and what separates them."""
    from thrifty.lenses.numerics.pages.paper import paper_page
    from thrifty.lenses.numerics.paper import all_claims, check_papers, papers
    from thrifty.progress import showing
    from thrifty.report import give, made_now

    if listed:
        if as_json:
            print_json({claim.key: {"claim": claim.text, "published": claim.published, "source": papers()[claim.source].title} for claim in all_claims()})
        else:
            print_parts(make_table("key", "claim", "published", "paper", rows=[
                (claim.key, claim.text, claim.published or "–", papers()[claim.source].title) for claim in all_claims()
            ]))  # fmt: skip
        return
    with showing() as progress:
        found = check_papers(tuple(only or ()), seeds=seeds, progress=progress)
    command = command_line("thrifty", "numerics", "paper", *(only or ()), seeds=seeds if seeds != 5 else 0)
    give(lambda: paper_page(found, command=command, generated=made_now()), found.to_dict, out, as_json, drawn=("ratios",))

"""`thrifty numerics sites`: which site of a policy causes the error."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thrifty.printing import command_line


def sites(
    policy: Annotated[str, typer.Option("--policy", metavar="NAME", help="Preset, or a .toml or .json file.")] = "fa_paper",
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="Working format: bf16, fp16, fp32, e4m3, …")] = "bf16",
    seq: Annotated[int, typer.Option("--seq", metavar="N", help="Queries and keys.")] = 1024,
    head_dim: Annotated[int, typer.Option("--head-dim", metavar="D", help="Head dimension.")] = 64,
    block_k: Annotated[int | None, typer.Option("--block-k", metavar="N", show_default=False, help="Keys of a tile. [default: by the paper's rule]")] = None,
    inputs: Annotated[str, typer.Option("--inputs", metavar="NAME", help="Distribution: uniform, normal, outliers, …")] = "uniform",
    rows: Annotated[int, typer.Option("--rows", metavar="R", help="Queries looked at, spread evenly.")] = 16,
    permutations: Annotated[int, typer.Option("--permutations", metavar="R", help="Also shares of single sites, from R random orders.")] = 0,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the draw.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Which site causes the error: each site alone, all but each, and fair shares of families."""
    from thrifty.lenses.numerics.pages.search import attribution_page
    from thrifty.lenses.numerics.search import attribute
    from thrifty.progress import showing
    from thrifty.report import give, made_now

    options = {"policy": policy, "format": format, "seq": seq, "head_dim": head_dim, "block_k": block_k, "inputs": inputs, "rows": rows}
    with showing() as progress:
        found = attribute(
            policy=policy, format=format, seq=seq, head_dim=head_dim, block_k=block_k, inputs=inputs, rows=rows, permutations=permutations, seed=seed,
            progress=progress,
        )  # fmt: skip
    command = command_line("thrifty", "numerics", "sites", **options, permutations=permutations, seed=seed)
    give(lambda: attribution_page(found, command=command, generated=made_now()), lambda: {**found.to_dict(), "command": command}, out, as_json)

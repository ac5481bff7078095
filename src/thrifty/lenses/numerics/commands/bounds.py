"""`thrifty numerics bounds`: how far attention, or a sum, can deviate, and whether many runs agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thrifty.errors import BadValue
from thrifty.printing import command_line


def bounds_(
    policy: Annotated[str, typer.Option("--policy", metavar="NAME", help="Preset, or a .toml or .json file.")] = "fa_paper",
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="Working format: bf16, fp16, fp32, e4m3, …")] = "bf16",
    seq: Annotated[int, typer.Option("--seq", metavar="N", help="Queries and keys.")] = 1024,
    head_dim: Annotated[int, typer.Option("--head-dim", metavar="D", help="Head dimension.")] = 64,
    block_k: Annotated[int | None, typer.Option("--block-k", metavar="N", show_default=False, help="Keys of a tile. [default: by the paper's rule]")] = None,
    sum_: Annotated[int | None, typer.Option("--sum", metavar="N", show_default=False, help="Instead of attention: a sum of N numbers.")] = None,
    accumulator: Annotated[str, typer.Option("--accumulator", metavar="SPEC", help="Of --sum. [default: sequential in the format]", show_default=False)] = "",
    rounding: Annotated[str, typer.Option("--rounding", metavar="MODE", help="Of --sum: rne or stochastic.")] = "rne",
    inputs: Annotated[str, typer.Option("--inputs", metavar="NAME", help="Distribution: uniform, normal, …; of --sum also ones.")] = "uniform",
    runs: Annotated[int, typer.Option("--runs", metavar="R", help="Draws of inputs.")] = 50,
    rows: Annotated[int, typer.Option("--rows", metavar="R", help="Queries looked at in each run, spread evenly.")] = 8,
    confidence: Annotated[float, typer.Option("--confidence", metavar="P", help="Of probable bounds.")] = 0.95,
    digits: Annotated[int, typer.Option("--digits", metavar="R", help="Also R runs whose roundings go up or down by chance; 0: none.")] = 30,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the first draw.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Bounds on deviation (worst case, probable, stochastic) against measured errors: how often they hold, how tight they are."""
    from thrifty.lenses.numerics.bounds import attention_study, exp_range, sum_study
    from thrifty.lenses.numerics.pages.bounds import bounds_page
    from thrifty.progress import showing
    from thrifty.report import give, made_now

    if sum_ is None and (accumulator or rounding != "rne"):
        raise BadValue("accumulator and rounding are those of a sum. Give --sum N, or set them in the policy.")
    with showing() as progress:
        if sum_ is not None:
            study = sum_study(
                sum_, format=format, accumulator=accumulator or None, inputs=inputs, rounding=rounding, runs=runs, confidence=confidence, seed=seed,
                progress=progress,
            )  # fmt: skip
            options = {"sum": sum_, "format": format, "accumulator": accumulator, "rounding": "" if rounding == "rne" else rounding}
        else:
            study = attention_study(
                policy=policy, format=format, seq=seq, head_dim=head_dim, block_k=block_k, inputs=inputs, runs=runs, rows=rows, confidence=confidence,
                seed=seed, digits=digits, progress=progress,
            )  # fmt: skip
            options = {"policy": policy, "format": format, "seq": seq, "head_dim": head_dim, "block_k": block_k, "rows": rows, "digits": str(digits)}
    ranges = [] if sum_ is not None else [exp_range(name) for name in dict.fromkeys((study.settings["format"], "bf16", "fp16", "fp32"))]
    command = command_line("thrifty", "numerics", "bounds", **options, inputs=inputs, runs=runs, confidence=confidence, seed=seed)
    give(
        lambda: bounds_page(study, ranges, command=command, generated=made_now()),
        lambda: {**study.to_dict(), "exp_range": [each.to_dict() for each in ranges], "command": command}, out, as_json, drawn=("curve",),
    )  # fmt: skip

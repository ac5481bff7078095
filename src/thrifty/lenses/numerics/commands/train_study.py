"""`thrifty numerics train-study`: paired training runs of a small real model, and whether optimised attention drifts faster than what is accepted anyway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from thrifty.printing import command_line

STEPS: Final = 1000
LOW: Final = ["autocast:bf16", "pure:bf16", "autocast:fp16"]


def train_study(
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="digits: class-to-image diffusion transformer; text: byte-level language model.")
    ] = "digits",
    steps: Annotated[int, typer.Option("--steps", help="Training steps of every run; fewer than 1,000 give no verdict.")] = STEPS,
    every: Annotated[int, typer.Option("--every", help="Steps between snapshots of the weights; 0: a tenth of all.")] = 0,
    seeds: Annotated[int, typer.Option("--seeds", help="Initialisations; fewer than five give no verdict.")] = 5,
    order: Annotated[int, typer.Option("--order", help="Seed of the order of data and of noise, the same for all runs.")] = 0,
    format: Annotated[str, typer.Option("--format", metavar="FMT", help="Working format of attention, baseline's and optimised.")] = "bf16",
    policy: Annotated[str, typer.Option("--policy", metavar="NAME|FILE", help="Rounding policy of the optimised attention.")] = "fa_paper",
    baseline: Annotated[str, typer.Option("--baseline", metavar="NAME|FILE", help="Rounding policy of the baseline attention.")] = "baseline_paper",
    block_k: Annotated[int, typer.Option("--block-k", help="Keys in a tile; 0: a quarter of the sequence.")] = 0,
    low: Annotated[
        list[str] | None,
        typer.Option("--low", metavar="VARIANT:FMT", help="Low-precision runs to hold it against; repeatable. Default: " + ", ".join(LOW) + "."),
    ] = None,
    text: Annotated[str, typer.Option("--text", metavar="FILE", help="Train model text on this file, not on Python's own reference text.")] = "",
    folder: Annotated[Path | None, typer.Option("--folder", metavar="DIR", help="Keep runs here: a stopped study goes on, more seeds add to it.")] = None,
    workers: Annotated[int, typer.Option("--workers", help="Runs at once, one thread each; 0: one a core.")] = 0,
    maxima: Annotated[
        bool, typer.Option("--repeated-maxima", help="Instead: show how repeated maxima make errors add up over steps, and the fix.")
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Whether optimised attention drifts from baseline attention in training faster than other seeds or low precision do. Minutes; give --folder to resume."""
    if maxima:
        _maxima(steps if steps != STEPS else 200, order, format, out, as_json)
        return
    from thrifty.lenses.numerics.pages.training import training_page
    from thrifty.lenses.numerics.training import train_study as study
    from thrifty.progress import showing
    from thrifty.report import give, made_now

    with showing() as tell:
        found = study(
            model, steps=steps, every=every, seeds=seeds, order=order, format=format, policy=policy, baseline=baseline, block_k=block_k,
            low=tuple(low or LOW), text=text, folder=folder, workers=workers or None, progress=tell,
        )  # fmt: skip
    command = command_line(
        "thrifty", "numerics", "train-study", model=model if model != "digits" else "", steps=steps if steps != STEPS else 0, every=every,
        seeds=seeds if seeds != 5 else 0, order=order, format=format if format != "bf16" else "", policy=policy if policy != "fa_paper" else "",
        baseline=baseline if baseline != "baseline_paper" else "", block_k=block_k, low=low, text=text, folder=folder or "",
    )  # fmt: skip
    give(lambda: training_page(found, command=command, generated=made_now()), found.to_dict, out, as_json, drawn=("steps",))


def _maxima(steps: int, seed: int, format: str, out: Path | None, as_json: bool) -> None:
    from thrifty.lenses.numerics.pages.repeating import repeating_page
    from thrifty.lenses.numerics.training import repeated_maxima
    from thrifty.progress import showing
    from thrifty.report import give, made_now

    with showing() as tell:
        found = repeated_maxima(steps=steps, seed=seed, format=format, progress=tell)
    command = command_line(
        "thrifty", "numerics", "train-study", "--repeated-maxima", steps=steps if steps != 200 else 0, order=seed, format=format if format != "bf16" else ""
    )
    give(lambda: repeating_page(found, command=command, generated=made_now()), found.to_dict, out, as_json)

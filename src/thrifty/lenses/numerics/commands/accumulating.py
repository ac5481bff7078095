"""`thrifty numerics accumulate`: how well accumulators keep sums, and what tells tensor cores apart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thrifty.errors import BadValue
from thrifty.printing import command_line, make_table, print_json, print_parts

USUAL = ("hopper-e4m3", "hopper-e4m3:promote=128", "blackwell-e4m3", "fma:fp32")


def accumulate_(
    accumulator: Annotated[list[str] | None, typer.Option("--accumulator", "-a", metavar="SPEC", show_default=False, help=(
        "hopper-e4m3, hopper-e4m3:promote=128, fma:fp32, sequential:bf16, pairwise:fp32:leaf=8, tree:fp16:radix=4, kahan:fp32, exact:fp32, "
        "split_k:4:fma:fp32|sequential:fp32 (repeat to compare). [default: Hopper's FP8 with and without promotion, Blackwell's, FP32]"))] = None,
    k: Annotated[int, typer.Option("--k", metavar="K", help="Terms of the longest sum.")] = 4096,
    inputs: Annotated[str, typer.Option("--inputs", metavar="NAME", help="Of both factors: uniform, normal, outliers or ones.")] = "uniform",
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="What factors are rounded to; tensor cores have formats of their own.")] = "bf16",
    side: Annotated[int, typer.Option("--side", metavar="N", help="N × N sums are kept.")] = 32,
    probe: Annotated[bool, typer.Option("--probe", help="Instead: classic probes of every tensor core, or of those named.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List accumulators and tensor cores.")] = False,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the factors.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Errors of sums of products over their length, as tensor cores and other accumulators keep them, against exact sums."""
    if list_:
        _list(as_json)
        return
    from thrifty.lenses.numerics import accumulating
    from thrifty.lenses.numerics.pages.accumulating import errors_page, probes_page
    from thrifty.progress import showing
    from thrifty.report import give, made_now

    if probe:
        asked = [accumulating.probe(each) for each in accumulator] if accumulator else list(accumulating.probes())
        command = command_line("thrifty", "numerics", "accumulate", accumulator=accumulator, probe=True)
        give(
            lambda: probes_page(asked, command=command, generated=made_now()),
            lambda: {"probes": [each.to_dict() for each in asked], "command": command}, out, as_json,
        )  # fmt: skip
        return
    if accumulator is not None and not all(accumulator):
        raise BadValue("accumulator is empty. Name one, such as hopper-e4m3; list them with: thrifty numerics accumulate --list")
    with showing() as progress:
        study = accumulating.sum_errors(accumulator or USUAL, k=k, inputs=inputs, format=format, side=side, seed=seed, progress=progress)
    command = command_line("thrifty", "numerics", "accumulate", accumulator=accumulator, k=k, inputs=inputs, format=format, side=side, seed=seed)
    give(
        lambda: errors_page(study, command=command, generated=made_now()),
        lambda: {**study.to_dict(), "command": command}, out, as_json, drawn=("length", "lengths"),
    )  # fmt: skip


def _list(as_json: bool) -> None:
    from thrifty.formats.accumulators import tensor_cores
    from thrifty.formats.accumulators.specs import KINDS

    cores = tensor_cores()
    if as_json:
        print_json({
            "kinds": [*KINDS, "split_k"],
            "tensor_cores": [
                {
                    "name": core.name, "title": core.title, "a": core.a.name, "b": core.b.name, "kept_in": core.result, "method": core.method,
                    "chunk": core.chunk, "fraction_bits": core.fraction_bits or None, "scale": core.scale.name if core.scale else None,
                    "scale_block": core.scale_block or None, "source": core.source,
                }
                for core in cores
            ],
        })  # fmt: skip
        return
    print_parts(
        make_table("tensor core", "operands", "kept in", "fused", "bits", "how", "what it is", rows=[
            (
                core.name, core.a.name + (f", scales {core.scale.name} of {core.scale_block}" if core.scale else ""), core.result, str(core.chunk),
                str(core.fraction_bits or "–"), core.method, core.title,
            )
            for core in cores if core.a == core.b
        ]),
        f"{len(cores) - sum(core.a == core.b for core in cores)} more multiply one format with another: hopper-e4m3-e5m2, blackwell-mx-e4m3-e2m1, …",
        "Others: sequential:FMT, fma:FMT, pairwise:FMT:leaf=N, tree:FMT:radix=N, kahan:FMT, exact:FMT, split_k:N:INNER|OUTER.",
        "Any of them, but split_k, takes :promote=N: every N products the sum goes to an FP32 sum outside.",
    )  # fmt: skip

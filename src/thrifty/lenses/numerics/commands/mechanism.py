"""`thrifty numerics mechanism`: repeated maxima, shown, or looked for in an attention of one's own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thrifty.errors import BadFile, BadValue
from thrifty.printing import command_line


def mechanism(
    inputs: Annotated[Path | None, typer.Argument(metavar="[FILE.npz]", help="Arrays q, k, v, perhaps dout (…, H, N, d) to look at; else it is shown.")] = None,
    policy: Annotated[str, typer.Option("--policy", metavar="NAME", help="Of FILE.npz: a preset, or a .toml or .json file.")] = "fa_paper",
    format: Annotated[str, typer.Option("--format", metavar="NAME", help="Working format.")] = "bf16",
    override: Annotated[list[str] | None, typer.Option("--override", metavar="SITE=RULE", help="Change a line of the policy.")] = None,
    beta: Annotated[float, typer.Option("--beta", metavar="B", help="Of FILE.npz: what the fix multiplies a repeated maximum by.")] = 7.0,
    block_k: Annotated[int | None, typer.Option("--block-k", metavar="N", show_default=False, help="Keys of a tile. [default: by the paper's rule]")] = None,
    causal: Annotated[bool, typer.Option("--causal", help="Of FILE.npz: keys after a query are not seen.")] = False,
    heads: Annotated[int, typer.Option("--heads", metavar="N", help="Heads of 16 rows in each set-up.")] = 32,
    steps: Annotated[int, typer.Option("--steps", metavar="N", help="Steps over which errors of dW_Q are added.")] = 64,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of set-ups, tokens and modes that draw.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:  # fmt: skip
    """Why attention in BF16 can make training fail (Qiu and Yao 2025): repeated maxima, errors that lean, a weight that takes them up; and the fix."""
    from thrifty.lenses.numerics.mechanism import examine, show_mechanism
    from thrifty.lenses.numerics.pages.mechanism import finding_page, study_page
    from thrifty.lenses.numerics.policy import as_policy
    from thrifty.progress import showing
    from thrifty.report import give, made_now

    if seed < 0:
        raise BadValue(f"seed={seed} is below 0. Choose a whole number from 0 up.")
    if inputs is None:
        with showing() as progress:
            shown = show_mechanism(format=format, heads=heads, steps=steps, seed=seed, progress=progress)
        command = command_line("thrifty", "numerics", "mechanism", format=format, heads=heads, steps=steps, seed=seed)
        give(lambda: study_page(shown, command=command, generated=made_now()), shown.to_dict, out, as_json, drawn=("weight-chart",))
        return
    q, k, v, dout = _arrays(inputs)
    found = examine(
        q, k, v, dout, policy=as_policy(policy).override(*(override or ())), format=format, beta=beta, block_k=block_k, causal=causal, seed=seed
    )  # fmt: skip
    command = command_line(
        "thrifty", "numerics", "mechanism", inputs, policy=policy, format=format, override=override or [], beta=beta, block_k=block_k, causal=causal, seed=seed
    )  # fmt: skip
    give(lambda: finding_page(found, command=command, generated=made_now()), found.to_dict, out, as_json)


def _arrays(path: Path) -> tuple[object, ...]:
    """q, k, v, and dout or None."""
    import zipfile

    import numpy as np

    try:
        with np.load(path, allow_pickle=False) as held:
            found = {name: held[name] for name in held.files}
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError) as why:
        raise BadFile(f"'{path}' cannot be read as arrays: {why}. Write it with numpy.savez(path, q=..., k=..., v=...).") from None
    missing = [name for name in ("q", "k", "v") if name not in found]
    if missing:
        raise BadFile(f"'{path}' lacks {', '.join(missing)}; it has {', '.join(found) or 'nothing'}. Write it with numpy.savez(path, q=..., k=..., v=...).")
    return found["q"], found["k"], found["v"], found.get("dout")

"""`thrifty numerics audit`: any torch function or module under a rounding policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from thrifty.errors import BadValue
from thrifty.printing import command_line, make_table, print_json, print_parts


def audit(
    subject: Annotated[str, typer.Argument(metavar="[SUBJECT]", help="package.module:function (or :module object), or a name of --list.")] = "",
    policy: Annotated[str, typer.Option("--policy", metavar="FILE|NAME", help="A policy file (.toml, .json) or a preset.")] = "baseline_paper",
    format: Annotated[str, typer.Option("--format", metavar="F", help="The working format: what dt in the policy stands for.")] = "bf16",
    override: Annotated[list[str] | None, typer.Option("--override", metavar="SITE=RULE", help="Change a line of the policy, such as aten.sum=fp32.")] = None,
    baseline: Annotated[str, typer.Option("--baseline", metavar="MODULE:FUNCTION", help="What it should compute; golden is then this in FP64.")] = "",
    inputs: Annotated[Path | None, typer.Option("--inputs", metavar="FILE.npz", help="Arrays to call it with. [default: its make_inputs()]")] = None,
    fuse: Annotated[str, typer.Option("--fuse", metavar="A,B,..", help="Operators (softmax, layer_norm, ...) or parts of a module that are one kernel.")] = "",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of inputs, weights and random modes.")] = 0,
    contributions: Annotated[bool, typer.Option("--contributions/--no-contributions", help="Also run every site alone.")] = True,
    listed: Annotated[bool, typer.Option("--list", help="List subjects that come along, and operators with steps.")] = False,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write it as one page.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:  # fmt: skip
    """How far a function or module drifts when every operator rounds as a policy says, and which makes most of it. Its file is imported, so it runs."""
    import importlib.util

    from thrifty.errors import missing_extra

    if importlib.util.find_spec("torch") is None:
        raise missing_extra("numerics audit", "torch", "torch")
    if listed:
        _list(as_json)
        return
    if not subject:
        raise BadValue("a subject is needed. Write package.module:function, or a name of: thrifty numerics audit --list")
    if seed < 0:
        raise BadValue(f"seed={seed} is below 0. Choose a whole number from 0 up.")
    from thrifty.lenses.numerics.auditing import audit as audit_it
    from thrifty.lenses.numerics.auditing.loading import load, load_function, read_inputs
    from thrifty.lenses.numerics.pages.audit import audit_page
    from thrifty.lenses.numerics.policy import as_policy
    from thrifty.progress import showing
    from thrifty.report import give, made_now

    held = as_policy(policy).override(*(override or ()))
    found, against, given, names = load(subject, seed)
    if baseline:
        against, names = load_function(baseline)[1], (names[0], baseline.partition(":")[2])
    given = read_inputs(inputs, found) if inputs is not None else given
    if given is None:
        raise BadValue(f"'{subject}' has no inputs. Give --inputs FILE.npz, or write make_inputs() beside it.")
    with showing() as progress:
        made = audit_it(
            found, given, held, format, baseline=against, fused=tuple(each.strip() for each in fuse.split(",") if each.strip()), seed=seed,
            contributions=contributions, names=names, progress=progress,
        )  # fmt: skip
    command = command_line(
        "thrifty", "numerics", "audit", subject, policy=policy, format=format, override=override or [], baseline=baseline, inputs=inputs, fuse=fuse, seed=seed,
        no_contributions=not contributions,
    )  # fmt: skip
    give(lambda: audit_page(made, command=command, generated=made_now()), made.to_dict, out, as_json, drawn=("calls-chart",))


def _list(as_json: bool) -> None:
    from thrifty.lenses.numerics.auditing.subjects import SUBJECTS
    from thrifty.lenses.numerics.policy.operators import STEPS

    said: dict[str, Any] = {"subjects": {name: known.title for name, known in SUBJECTS.items()}, "operators with steps": {k: list(v) for k, v in STEPS.items()}}
    if as_json:
        print_json(said)
        return
    print_parts(
        make_table("subject", "what", rows=list(said["subjects"].items())),
        make_table("operator", "steps, as aten.operator.step", rows=[(name, ", ".join(steps)) for name, steps in STEPS.items()]),
        "Every other operator of torch rounds once, at aten.NAME; sums are kept as aten.NAME.acc says.",
    )  # fmt: skip

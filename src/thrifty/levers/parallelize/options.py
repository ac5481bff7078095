"""What the commands of this lever share: their options, and how a command line asks a question."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from thrifty.cost.plans.evaluation import MODES
from thrifty.cost.plans.models.layers import CLASSES
from thrifty.cost.plans.plan import OPTIONS, STRATEGIES, Plan
from thrifty.cost.plans.tasks import PARTS, TASKS, Task
from thrifty.errors import BadValue
from thrifty.levers.parallelize.asking.questions import Question, ask
from thrifty.printing import command_line

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Name = Annotated[str, typer.Argument(metavar="WORKLOAD", help="A model of the catalogue (NAME:published: the paper's stand-in), a sheet or a model folder.")]
On = Annotated[str, typer.Option("--on", metavar="SYSTEM", help="A system of the catalogue, or your own .toml.")]
Systems = Annotated[list[str], typer.Option("--on", metavar="SYSTEM", help="A system (repeat for several).")]
Devices = Annotated[int, typer.Option("--devices", show_default=False, metavar="N", help="Devices of it. [default: all that its sheet has]")]
Batch = Annotated[int, typer.Option("--batch", show_default=False, metavar="B", help="Samples (sequences) of a step over all devices. [default: one a device]")]
Mode = Annotated[str, typer.Option("--mode", help=f"{' or '.join(MODES)}: calibrated, or as published with its quirks.")]
PLAN_WORDS = (
    f'CLASS=STRATEGY:DEGREE,..;..., innermost level first: "embedding=mp;dense=fsdp:8,ddp". Classes: {", ".join(CLASSES)}. '
    f"Strategies: {', '.join(STRATEGIES)}, zero3, hsdp. Options: {'; '.join(f'{key}={words}' for key, words in OPTIONS.items())}."
)
PlanText = Annotated[str, typer.Option("--plan", metavar="PLAN", help=PLAN_WORDS)]
Plans = Annotated[list[str], typer.Option("--plan", metavar="PLAN", help="A plan (repeat for several).")]
TaskName = Annotated[str, typer.Option("--task", help=f"{', '.join(TASKS)}.")]
Freeze = Annotated[list[str] | None, typer.Option("--freeze", metavar="PART", help=f"finetune: what stays as it is (repeat): {', '.join(PARTS)}.")]
Trained = Annotated[int, typer.Option("--train-layers", show_default=False, metavar="N", help="finetune: train the last N layers of the body only.")]
Lora = Annotated[int, typer.Option("--lora-rank", show_default=False, metavar="R", help="finetune: train matrices of rank R beside every product.")]
Base = Annotated[str, typer.Option("--base-format", show_default=False, metavar="FORMAT", help="finetune: format of frozen weights, e.g. int4 for QLoRA.")]
Phase = Annotated[str, typer.Option("--phase", help="inference: prefill or decode; search also knows disaggregated: two pools.")]
Context = Annotated[int, typer.Option("--context", show_default=False, metavar="N", help="decode: tokens already cached.")]
Seq = Annotated[int, typer.Option("--seq", show_default=False, metavar="N", help="Tokens of a sequence. [default: 2048, or the model's context]")]
Format = Annotated[str | None, typer.Option("--format", metavar="FORMAT", help="Number format. [default: as published]")]
Where = Annotated[str, typer.Option("--site", metavar="SITE", help="The place whose grid and prices count.")]
Samples = Annotated[float, typer.Option("--samples", show_default=False, metavar="N", help="Price a whole job of so many samples.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")]

DENSE = "dense=fsdp"
"""Where no plan is named: what most begin with."""


def task_of(
    kind: str, *, freeze: Sequence[str] | None = None, train_layers: int = -1, lora_rank: int = 0, base_format: str = "", phase: str = "prefill",
    context: int = 0,
) -> Task:  # fmt: skip
    """The task that options state."""
    if phase not in ("prefill", "decode"):
        raise BadValue(f"phase='{phase}' is none of prefill, decode. Choose one of them.")
    return Task(
        kind=kind, frozen=frozenset(freeze or ()), trained_layers=train_layers, lora_rank=lora_rank, base_format=base_format,  # type: ignore[arg-type]
        phase=phase, context=context,  # type: ignore[arg-type]
    )  # fmt: skip


def question_of(workload: str, on: str, **options: Any) -> Question:
    """The question that a command line asks."""
    if options.get("mode") not in MODES:
        raise BadValue(f"mode='{options.get('mode')}' is none of {', '.join(MODES)}. Choose one of them.")
    if options.get("devices", 0) < 0:
        raise BadValue(f"devices={options['devices']} is below 1. Give the number of devices.")
    if options.get("format") == "":
        raise BadValue("format='' names no number format. Give one of `thrifty formats`, or leave the option out.")
    return ask(workload, on, **options)


def read_plans(texts: Sequence[str]) -> list[Plan]:
    return [Plan.parse(text) for text in texts]


def asked_for(
    task: str, freeze: Sequence[str] | None, train_layers: int, lora_rank: int, base_format: str, phase: str, context: int
) -> dict[str, Any]:  # fmt: skip
    """The options that state a task, without those that are as usual."""
    return {
        "task": task if task != "pretrain" else "", "freeze": list(freeze or ()), "train_layers": str(train_layers) if train_layers >= 0 else "",
        "lora_rank": lora_rank, "base_format": base_format, "phase": phase if phase != "prefill" else "", "context": context,
    }  # fmt: skip


def said(command: str, workload: str, **options: Any) -> str:
    """The command that makes an answer again."""
    return command_line("thrifty", "parallelize", command, workload, **options)

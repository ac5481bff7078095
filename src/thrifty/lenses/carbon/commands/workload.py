"""`thrifty carbon workload`: what a training run, fine-tuning or serving emits; `thrifty carbon predictors`: what others predict, and how well."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thrifty.errors import BadValue
from thrifty.lenses.carbon.commands.asking import quantity
from thrifty.printing import command_line, make_table, print_json, print_parts

Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def workload(
    name: Annotated[str, typer.Argument(metavar="WORKLOAD", help="A model of the catalogue, a sheet or a model folder.")],
    on: Annotated[str, typer.Option("--on", metavar="MACHINE", help="A device (operator by operator) or a system (by a plan).")] = "h100-sxm5",
    task: Annotated[str, typer.Option("--task", help="train, finetune or serve.")] = "train",
    tokens: Annotated[float, typer.Option(show_default=False, metavar="N", help="Training: tokens of the whole run, e.g. 300e9.")] = 0.0,
    samples: Annotated[float, typer.Option(show_default=False, metavar="N", help="Training of models without tokens: samples of the whole run.")] = 0.0,
    requests: Annotated[float, typer.Option(show_default=False, metavar="N", help="Serving: requests answered.")] = 0.0,
    prompt: Annotated[int, typer.Option(show_default=False, metavar="N", help="Serving: tokens read a request. [default: 512]")] = 0,
    new_tokens: Annotated[int, typer.Option("--new-tokens", show_default=False, metavar="N", help="Serving: tokens written. [default: 256]")] = 0,
    devices: Annotated[int, typer.Option(show_default=False, metavar="N", help="Devices of a system. [default: all]")] = 0,
    batch: Annotated[int, typer.Option(show_default=False, metavar="B", help="Samples of a step, or requests at once, over all devices.")] = 0,
    seq: Annotated[int, typer.Option(show_default=False, metavar="N", help="Training: tokens of a sample. [default: 2048]")] = 0,
    plan: Annotated[str, typer.Option(show_default=False, metavar="PLAN", help="Of a system, e.g. dense=fsdp (see parallelize).")] = "",
    lora_rank: Annotated[int, typer.Option("--lora-rank", show_default=False, metavar="R", help="Fine-tuning: rank of matrices. [default: 16]")] = 0,
    base_format: Annotated[str, typer.Option("--base-format", show_default=False, metavar="FORMAT", help="Fine-tuning: of frozen weights.")] = "",
    number_format: Annotated[str | None, typer.Option("--format", metavar="FORMAT", help="Number format. [default: as published]")] = None,
    site: Annotated[str, typer.Option("--site", metavar="SITE", help="The place whose grid and building count.")] = "world",
    pue: Annotated[float | None, typer.Option(help="Of the building. [default: the site's]")] = None,
    start: Annotated[str, typer.Option(show_default=False, metavar="TIME", help="Take the grid by the hour from then: 2020-06-01T00:00-08:00.")] = "",
    busy: Annotated[float, typer.Option("--busy", help="Share of their time in which the machines work.")] = 1.0,
    host_power: Annotated[
        str, typer.Option("--host-power", show_default=False, metavar="'1800 W'", help="Of one host besides its devices. [default: its most]")
    ] = "",
    export: Annotated[Path | None, typer.Option("--export", metavar="FILE", help="Write the ledger: .csv, .json or .arrow.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")] = None, as_json: Json = False,
) -> None:  # fmt: skip
    """What a training run, fine-tuning or serving emits: by whom, a token or request, and beside published predictors."""
    from thrifty.cost.plans import Task
    from thrifty.lenses.carbon.ledger import write_ledger
    from thrifty.lenses.carbon.pages.job import job_page
    from thrifty.lenses.carbon.workloads import Place, carbon_of_serving, carbon_of_training, machine_of, references_of
    from thrifty.lenses.carbon.workloads.jobs import TASKS
    from thrifty.report import give

    if task not in TASKS:
        raise BadValue(f"task='{task}' is none of {', '.join(TASKS)}. Choose one of them.")
    _refuse(task, serve={"requests": requests, "prompt": prompt, "new-tokens": new_tokens}, train={"tokens": tokens, "samples": samples, "seq": seq},
            finetune={"lora-rank": lora_rank, "base-format": base_format})  # fmt: skip
    machine, place = machine_of(on, devices, quantity("host-power", host_power, "power") if host_power else None), Place.of(site, start, pue)
    if task == "serve":
        job = carbon_of_serving(
            name, machine, place, requests=requests, prompt=prompt, new_tokens=new_tokens, batch=batch, format=number_format, plan=plan, busy=busy
        )  # fmt: skip
    else:
        chosen = Task(kind="finetune", lora_rank=lora_rank or 16, base_format=base_format) if task == "finetune" else Task()
        job = carbon_of_training(
            name, machine, place, tokens=tokens, samples=samples, batch=batch, seq=seq, format=number_format, plan=plan, task=chosen, busy=busy
        )  # fmt: skip
    found = references_of(job)
    asked = {
        "on": on, "task": task, "tokens": tokens, "samples": samples, "requests": requests, "prompt": prompt, "new-tokens": new_tokens, "devices": devices,
        "batch": batch, "seq": seq, "plan": plan, "lora-rank": lora_rank, "base-format": base_format, "format": number_format, "site": site, "pue": pue,
        "start": start, "busy": "" if busy == 1 else busy, "host-power": host_power,
    }  # fmt: skip
    command = command_line("thrifty", "carbon", "workload", name, **asked)
    if export is not None:
        write_ledger(job.ledger(hourly=True), export)
    give(lambda: job_page(job, found, command=command), lambda: {**job.to_dict(), "references": [each.to_dict() for each in found]}, out, as_json)


def _refuse(task: str, **of: dict[str, object]) -> None:
    """Raises BadValue for an option of another task."""
    allowed = {"serve": ("serve",), "train": ("train",), "finetune": ("train", "finetune")}[task]
    for owner, options in of.items():
        given = [name for name, value in options.items() if value]
        if given and owner not in allowed:
            raise BadValue(f"{given[0]} belongs to --task {owner}, and the task is {task}. Leave it out.")


def predictors(as_json: Json = False) -> None:
    """Published predictors and runs: LLMCarbon's five models and XLM's machines predicted again, and our answer beside published runs."""
    from thrifty.lenses.carbon.workloads.checking import RUNS, check_published
    from thrifty.lenses.carbon.workloads.predictors import published_run, published_runs, validate_llmcarbon

    rows, checks = validate_llmcarbon(), [check_published(name) for name in RUNS]
    runs = [published_run(name) for name in published_runs()]
    if as_json:
        print_json({"llmcarbon": [row.to_dict() for row in rows], "ours": [check.to_dict() for check in checks], "published": [run.to_dict() for run in runs]})
        return
    print_parts(
        "LLMCarbon (literature), predicted again from its inputs",
        make_table("model", "part", "published", "predicted", "error", rows=[
            (row.name, row.kind, f"{row.published_gco2e / 1e6:.4g} t", f"{row.predicted_gco2e / 1e6:.4g} t", f"{row.error:+.1%}") for row in rows
        ]),
        "Ours (modelled) beside runs that their owners published, on their boundary, PUE and intensity",
        make_table("run", "device hours", "ours", "error", "carbon", "ours", "error", "why", rows=[
            (c.published.name, f"{c.published.device_hours:,.0f}", f"{c.ours.device_hours:,.0f}", f"{c.hours_error:+.0%}",
             f"{c.published.carbon_gco2e / 1e6:.4g} t", f"{c.same_gco2e / 1e6:.4g} t", f"{c.carbon_error:+.0%}", c.why) for c in checks
        ]),
        "Published runs (literature)",
        make_table("run", "device hours", "energy", "carbon", "remembered", rows=[
            (r.name, f"{r.device_hours:,.0f}", f"{r.energy_j / 3.6e9:.4g} MWh", f"{r.carbon_gco2e / 1e6:.4g} t", ", ".join(r.remembered)) for r in runs
        ]),
    )  # fmt: skip

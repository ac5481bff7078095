"""The commands of this lever: `thrifty parallelize evaluate`, `search`, `sweep`, `compare`, `explain`, `validate`. They parse, ask and print."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from thrifty.errors import BadValue, NoRoom
from thrifty.levers.parallelize import options as o
from thrifty.report import give, made_now

if TYPE_CHECKING:
    pass

DRAWN: Final = ("timeline", "pareto", "rows")
"""Sections of pages that are drawings of many rows."""
app = typer.Typer(no_args_is_help=True, help="How to spread training and serving over devices: plans evaluated, searched, explained.")


@app.command("evaluate")
def evaluate(
    workload: o.Name, on: o.On = "zionex", devices: o.Devices = 0, task: o.TaskName = "pretrain", plan: o.PlanText = o.DENSE, batch: o.Batch = 0,
    mode: o.Mode = "physical", seq: o.Seq = 0, number_format: o.Format = None, site: o.Where = "world", freeze: o.Freeze = None,
    train_layers: o.Trained = -1, lora_rank: o.Lora = 0, base_format: o.Base = "", phase: o.Phase = "prefill", context: o.Context = 0,
    samples: o.Samples = 0.0,
    spread: Annotated[int, typer.Option("--spread", show_default=False, metavar="N", help="Also draw N iterations of varying length: p50, p95.")] = 0,
    trace: Annotated[Path | None, typer.Option("--trace", metavar="FILE", help="Write the schedule as a Chrome/Perfetto trace.")] = None,
    must_fit: Annotated[bool, typer.Option("--must-fit", help="Refuse a plan that does not fit.")] = False, out: o.Out = None, as_json: o.Json = False,
) -> None:  # fmt: skip
    """Time, memory, energy and carbon of one plan."""
    from thrifty.levers.parallelize.pages.answers import answer_page
    from thrifty.levers.parallelize.showing import Answer, write_trace

    chosen = o.task_of(task, freeze=freeze, train_layers=train_layers, lora_rank=lora_rank, base_format=base_format, phase=phase, context=context)
    question = o.question_of(workload, on, devices=devices, batch=batch, task=chosen, mode=mode, site=site, seq=seq, format=number_format)
    (words,) = o.read_plans([plan])
    answer = Answer.of(question, words, samples=samples, spread=spread)
    if must_fit and not answer.evaluation.fits:
        raise NoRoom(answer.shortfall)
    if trace is not None:
        write_trace(question, words, trace)
    command = o.said(
        "evaluate", workload, on=on, devices=devices, **o.asked_for(task, freeze, train_layers, lora_rank, base_format, phase, context), plan=plan,
        batch=batch, mode=mode, seq=seq, format=number_format, site="" if site == "world" else site, samples=samples, spread=spread,
    )  # fmt: skip
    give(lambda: answer_page(answer, command=command, generated=made_now()), answer.to_dict, out, as_json, drawn=DRAWN)


@app.command("search")
def search(
    workload: o.Name, on: o.On = "zionex", devices: o.Devices = 0, batch: o.Batch = 0,
    objective: Annotated[str, typer.Option(metavar="WHAT", help="time, cost, energy or carbon, or weights: time=1,carbon=0.5.")] = "time",
    top: Annotated[int, typer.Option(metavar="K", help="Plans to show.")] = 5, task: o.TaskName = "pretrain", mode: o.Mode = "physical", seq: o.Seq = 0,
    number_format: o.Format = None, site: o.Where = "world", freeze: o.Freeze = None, train_layers: o.Trained = -1, lora_rank: o.Lora = 0,
    base_format: o.Base = "", phase: o.Phase = "prefill", context: o.Context = 0, samples: o.Samples = 0.0,
    deadline_hours: Annotated[float, typer.Option(show_default=False, metavar="H", help="The job of --samples must be done by then.")] = 0.0,
    power_kw: Annotated[float, typer.Option(show_default=False, metavar="KW", help="Most that devices and hosts may draw.")] = 0.0,
    offload: Annotated[bool, typer.Option("--offload", help="Also try optimizer states and activations in the host's memory.")] = False,
    contexts: Annotated[str, typer.Option("--cp", metavar="A,B,..", help="Degrees of context parallelism to try.")] = "1",
    new_tokens: Annotated[int, typer.Option(metavar="N", help="--phase disaggregated: tokens written for a request.")] = 256,
    ttft_ms: Annotated[float, typer.Option(show_default=False, metavar="MS", help="--phase disaggregated: most for the first token.")] = 0.0,
    tpot_ms: Annotated[float, typer.Option(show_default=False, metavar="MS", help="--phase disaggregated: most for each later token.")] = 0.0,
    out: o.Out = None, as_json: o.Json = False,
) -> None:  # fmt: skip
    """The best plans, every plan of the space evaluated."""
    from thrifty.levers.parallelize.asking.searching import Limits, search
    from thrifty.levers.parallelize.asking.space import Space
    from thrifty.levers.parallelize.pages.choices import search_page
    from thrifty.progress import showing

    if top < 1:
        raise BadValue(f"top={top} is below 1. Choose how many plans to show.")
    if phase == "disaggregated":
        from thrifty.cost.plans.models.naming import LENGTH
        from thrifty.levers.parallelize.asking.serving import disaggregate
        from thrifty.levers.parallelize.pages.choices import serving_page

        if task != "inference":
            raise BadValue(f"phase=disaggregated belongs to inference, and the task is {task}. Choose --task inference.")
        given = {"batch": batch, "context": context, "lora_rank": lora_rank, "deadline_hours": deadline_hours, "power_kw": power_kw, "samples": samples}
        unknown = [name for name, value in given.items() if value] + [name for name, value, usual in (
            ("mode", mode, "physical"), ("objective", objective, "time"), ("cp", contexts, "1"), ("offload", offload, False),
        ) if value != usual]  # fmt: skip
        if unknown:
            raise BadValue(f"{unknown[0]} has no meaning for phase=disaggregated, which chooses batches itself and serves the most requests. Leave it out.")
        served = disaggregate(
            workload, on, devices=devices, seq=seq or LENGTH, new_tokens=new_tokens, ttft_s=ttft_ms / 1e3 or None, tpot_s=tpot_ms / 1e3 or None,
            format=number_format,
        )  # fmt: skip
        words = o.said("search", workload, on=on, devices=devices, task=task, phase=phase, seq=seq, new_tokens=new_tokens, ttft_ms=ttft_ms, tpot_ms=tpot_ms)
        said = {"workload": workload, "system": on, **served.to_dict()}
        give(lambda: serving_page(workload, on, served, command=words, generated=made_now()), lambda: said, out, as_json, drawn=DRAWN)
        return
    if ttft_ms or tpot_ms or new_tokens != 256:
        raise BadValue("ttft_ms, tpot_ms and new_tokens are of two pools, and the phase is not disaggregated. Choose --phase disaggregated, or leave them out.")
    chosen = o.task_of(task, freeze=freeze, train_layers=train_layers, lora_rank=lora_rank, base_format=base_format, phase=phase, context=context)
    question = o.question_of(workload, on, devices=devices, batch=batch, task=chosen, mode=mode, site=site, seq=seq, format=number_format)
    limits = Limits(deadline_s=deadline_hours * 3600 or None, samples=samples or None, power_w=power_kw * 1e3 or None)
    offloads = (frozenset(), frozenset({"optimizer"}), frozenset({"activations"}), frozenset({"optimizer", "activations"})) if offload else (frozenset(),)
    space = Space(published=mode == "compat", offload=offloads, context=_degrees(contexts))  # type: ignore[arg-type]
    with showing() as progress:
        found = search(question, objective=objective, space=space, limits=limits, top=top, progress=progress)
    command = o.said(
        "search", workload, on=on, devices=devices, batch=batch, objective=objective, top=top, mode=mode, seq=seq, format=number_format,
        **o.asked_for(task, freeze, train_layers, lora_rank, base_format, phase, context), site="" if site == "world" else site, samples=samples,
        deadline_hours=deadline_hours, power_kw=power_kw, offload=offload, cp="" if contexts == "1" else contexts,
    )  # fmt: skip
    give(lambda: search_page(question, found, command=command, generated=made_now()), found.to_dict, out, as_json, drawn=DRAWN)


@app.command("sweep")
def sweep(
    workload: o.Name, on: o.On = "zionex", devices: o.Devices = 0, plan: o.PlanText = "", batch: o.Batch = 0, task: o.TaskName = "pretrain",
    mode: o.Mode = "physical", seq: o.Seq = 0, factors: Annotated[str, typer.Option(metavar="A,B,..", help="Factors.")] = "1,2,3,4,5,6,7,8,9,10",
    out: o.Out = None, as_json: o.Json = False,
) -> None:  # fmt: skip
    """How much faster with each resource alone, and with all together, times 1 to 10. Without --plan: the fastest that fits."""
    from thrifty.levers.parallelize.asking.searching import search
    from thrifty.levers.parallelize.asking.sweeping import sweep_hardware
    from thrifty.levers.parallelize.pages.choices import sweep_page

    question = o.question_of(workload, on, devices=devices, batch=batch, task=o.task_of(task), mode=mode, seq=seq)
    words = o.read_plans([plan])[0] if plan else search(question, top=1).best[0].plan
    found = sweep_hardware(question, words, _numbers(factors))
    usual = task if task != "pretrain" else ""
    command = o.said("sweep", workload, on=on, devices=devices, task=usual, plan=str(words), batch=batch, mode=mode, seq=seq, factors=factors)
    said = {"workload": question.layers.name, "on": question.system.name, "mode": mode, "truth": "modelled", "plan": str(words), **found.to_dict()}
    give(lambda: sweep_page(question, words, found, command=command, generated=made_now()), lambda: said, out, as_json, drawn=DRAWN)


@app.command("compare")
def compare(
    workload: o.Name, on: o.Systems = ["zionex"], devices: o.Devices = 0, plan: o.Plans = ["dense=fsdp", "dense=ddp"], batch: o.Batch = 0,  # noqa: B006
    task: o.TaskName = "pretrain", mode: o.Mode = "physical", seq: o.Seq = 0, site: o.Where = "world", samples: o.Samples = 0.0, out: o.Out = None,
    as_json: o.Json = False,
) -> None:  # fmt: skip
    """Plans and systems side by side, each in both modes; ratios are against the first."""
    from thrifty.levers.parallelize.asking.sweeping import side_by_side
    from thrifty.levers.parallelize.pages.choices import compare_page

    questions = [(system, o.question_of(workload, system, devices=devices, batch=batch, task=o.task_of(task), mode=mode, seq=seq, site=site)) for system in on]
    sides = side_by_side(questions, o.read_plans(plan), samples=samples)
    place = "" if site == "world" else site
    command = o.said(
        "compare", workload, on=on, devices=devices, task=task if task != "pretrain" else "", plan=plan, batch=batch, mode=mode, seq=seq, site=place,
        samples=samples,
    )  # fmt: skip
    said = {"workload": questions[0][1].layers.name, "mode": mode, "truth": "modelled", "sides": [side.to_dict() for side in sides]}
    give(lambda: compare_page(questions[0][1], sides, command=command, generated=made_now()), lambda: said, out, as_json, drawn=DRAWN)


@app.command("explain")
def explain(
    workload: o.Name, on: o.On = "zionex", devices: o.Devices = 0, plan: o.PlanText = o.DENSE, batch: o.Batch = 0, task: o.TaskName = "pretrain",
    mode: o.Mode = "physical", seq: o.Seq = 0, reach: Annotated[float, typer.Option(metavar="X", help="Which hardware gives X times the speed?")] = 2.0,
    out: o.Out = None, as_json: o.Json = False,
) -> None:  # fmt: skip
    """Why a plan takes as long as it does, what would have to change for it to fit, and what the hardware must have to reach a speed-up."""
    from thrifty.levers.parallelize.asking.explaining import reach as reach_speedup
    from thrifty.levers.parallelize.asking.explaining import why
    from thrifty.levers.parallelize.pages.answers import explain_page
    from thrifty.levers.parallelize.showing import Answer

    question = o.question_of(workload, on, devices=devices, batch=batch, task=o.task_of(task), mode=mode, seq=seq)
    (words,) = o.read_plans([plan])
    answer, reasons, needed = Answer.of(question, words), why(question, words), reach_speedup(question, words, reach)
    usual = task if task != "pretrain" else ""
    command = o.said("explain", workload, on=on, devices=devices, task=usual, plan=plan, batch=batch, mode=mode, seq=seq, reach=reach)
    said = {**answer.to_dict(), "why": reasons.to_dict(), "reach": {"speedup": reach, "factors": needed}}
    give(lambda: explain_page(answer, reasons, reach, needed, command=command, generated=made_now()), lambda: said, out, as_json, drawn=DRAWN)


@app.command("validate")
def validate(
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Measured iterations, or a folder of them. [default: kernels, NCCL, LLaMA]")
    ] = None,
    folds: Annotated[bool, typer.Option("--folds/--no-folds", help="Also fit without some rows and predict those.")] = True, out: o.Out = None,
    as_json: o.Json = False,
) -> None:  # fmt: skip
    """The model beside measured runs: every row, relative errors, and errors on rows that had no part in the fit."""
    from thrifty.levers.parallelize.pages.errors import validation_page
    from thrifty.levers.parallelize.validating import validate as hold_against
    from thrifty.progress import showing

    with showing() as progress:
        found = hold_against(data, folds=folds, progress=progress)
    command = "thrifty parallelize validate" + (f" --data {data}" if data else "")
    give(lambda: validation_page(found, command=command, generated=made_now()), found.to_dict, out, as_json, drawn=DRAWN)


def _numbers(text: str) -> list[float]:
    try:
        return [float(piece) for piece in text.split(",")]
    except ValueError as error:
        raise BadValue(f"'{text}' is no list of numbers. Write them with commas between: 1,2,5,10.") from error


def _degrees(text: str) -> tuple[int, ...]:
    numbers = _numbers(text)
    if any(not math.isfinite(number) or number < 1 or number != int(number) for number in numbers):
        raise BadValue(f"cp={text} has a degree that is no whole number from 1 up. Give such numbers.")
    return tuple(int(number) for number in numbers)

"""Many plans, systems or strengths of hardware as a page: searches, comparisons, sweeps, two pools."""

from __future__ import annotations

from collections.abc import Sequence

from thrifty.cost.plans.answering import schedule_of
from thrifty.cost.plans.plan import Plan
from thrifty.levers.parallelize.asking.questions import Question
from thrifty.levers.parallelize.asking.searching import Candidate, Found
from thrifty.levers.parallelize.asking.serving import Serving
from thrifty.levers.parallelize.asking.sweeping import Side, Sweep
from thrifty.levers.parallelize.pages.answers import time_blocks, timeline_chart
from thrifty.levers.parallelize.pages.columns import CARBON, COST, ENERGY, MEMORY, NAME, RATE, TIME, inputs_of, modelled
from thrifty.quantities import show
from thrifty.report import Block, Bullets, Cell, Chart, Column, Note, Page, Section, Table


def candidate_row(name: str, candidate: Candidate, baseline: Candidate | None) -> list[Cell]:
    e, f = candidate.evaluation, candidate.footprint
    gain = baseline.evaluation.iteration_s / e.iteration_s if baseline else None
    return [name, e.iteration_s, e.throughput_per_s, gain, e.memory_bytes, f.energy_j, f.carbon_gco2e.mid, f.cost_usd]


CANDIDATES = (NAME, TIME, RATE, Column(key="gain", title="Against FSDP", truth="modelled"), MEMORY, ENERGY, CARBON, COST)


def search_page(question: Question, found: Found, *, command: str, generated: str) -> Page:
    """The best plans."""
    best = found.best[0]
    rows = [candidate_row(str(number), c, found.baseline) for number, c in enumerate(found.best, 1)]
    if found.baseline is not None:
        rows.append(candidate_row("FSDP" if found.baseline.evaluation.fits else "FSDP, does not fit", found.baseline, found.baseline))
    blocks: list[Block] = [Bullets([str(c.plan) for c in found.best], ordered=True), Table(columns=CANDIDATES, rows=rows, caption="One iteration, best first")]
    if found.unlimited is not None:
        gain = best.evaluation.iteration_s / found.unlimited.evaluation.iteration_s
        blocks.append(
            Note(f"With more memory {found.unlimited.plan} would be {gain:.2f} times as fast: {found.unlimited.evaluation.memory_bytes / 1e9:.1f} GB a device.")
        )
    sections = [Section("Best plans", blocks, id="best"), Section("What is possible", [pareto_chart(found)], id="pareto")]
    sections.append(Section("Where the best one's time goes", time_blocks(best.evaluation), id="time"))
    events = schedule_of(question.layers, question.system, best.plan, batch=question.batch, task=question.task, mode=question.mode)
    sections.append(Section("Timeline", [timeline_chart(events)], id="timeline"))
    against = ""
    if found.baseline is not None:
        ratio = found.baseline.evaluation.iteration_s / best.evaluation.iteration_s
        against = f", {ratio:.2f} times as fast as FSDP everywhere" + ("" if found.baseline.evaluation.fits else ", which does not fit")
    return Page(
        title=f"Best plans for {question.layers.name} on {question.system.devices} x {question.system.device.title}",
        summary=f"{best.plan} takes {show(best.evaluation.iteration_s, 's')} an iteration{against}. {found.asked:,} plans were evaluated, {found.legal:,} are "
        f"legal, {found.fitting:,} fit and keep to the limits: none of them is better by {found.objective}.",
        sections=sections,
        headline={"iteration": modelled(best.evaluation.iteration_s, "s"), "samples a second": modelled(best.evaluation.throughput_per_s, style="si")},
        inputs=inputs_of(question), command=command, generated=generated,
    )  # fmt: skip


def pareto_chart(found: Found) -> Chart:
    """Every plan that fits by time and energy; those that nothing beats are named."""
    front = {(c.evaluation.iteration_s, c.footprint.energy_j): str(c.plan) for c in found.front}
    points = found.points_PX[:: max(1, len(found.points_PX) // 400)]
    rows: list[list[Cell]] = [["", float(t), float(e), False] for t, e in points[:, :2] if (float(t), float(e)) not in front]
    rows += [[name, t, e, True] for (t, e), name in front.items()]
    return Chart(
        kind="scatter", title="Plans that fit: time and energy of an iteration", x="time_s", y="energy", label="name", front="front", x_log=True, y_log=True,
        columns=(NAME, TIME, ENERGY, Column(key="front", title="Nothing beats it")), rows=rows,
        alt="Scatter of iteration time against energy for every plan that fits; the plans that no other beats in time, energy, carbon and cost are marked.",
    )  # fmt: skip


def sweep_page(question: Question, plan: Plan, found: Sweep, *, command: str, generated: str) -> Page:
    """Speed-up over the factor of every resource."""
    rows: list[list[Cell]] = [
        [name, factor, gain] for name, row in zip(found.resources, found.speedup_RF, strict=True) for factor, gain in zip(found.factors, row, strict=True)
    ]
    chart = Chart(
        kind="line", title="How much faster with more of each resource", x="factor", y="gain", series="name", rows=rows,
        columns=(
            Column(key="name", title="Resource"), Column(key="factor", title="Times", truth="given"),
            Column(key="gain", title="Speed-up", truth="modelled"),
        ),
        alt="Lines of the speed-up of an iteration over the factor by which each resource alone, or all together, is multiplied.",
    )  # fmt: skip
    table = Table(
        columns=(Column(key="name", title="Resource"), *(Column(key=f"x{f:g}", title=f"x{f:g}", truth="modelled") for f in found.factors)),
        rows=[[name, *row] for name, row in zip(found.resources, found.speedup_RF, strict=True)], caption="Speed-up",
    )  # fmt: skip
    last = {name: row[-1] for name, row in zip(found.resources, found.speedup_RF, strict=True)}
    alone = max((name for name in last if name != "all"), key=lambda name: last[name])
    return Page(
        title=f"More hardware under {question.layers.name}",
        summary=f"Of all resources alone, {alone} helps most: {last[alone]:.2f} times as fast with {found.factors[-1]:g} times of it; "
        f"all together {last['all']:.2f} times.",
        sections=[Section("Speed-up", [table, chart], id="speedup")], inputs={"plan": str(plan), **inputs_of(question)}, command=command, generated=generated,
    )  # fmt: skip


def compare_page(question: Question, sides: Sequence[Side], *, command: str, generated: str) -> Page:
    """Plans and systems side by side; ratios against the first, in both modes."""
    other = "compat" if question.mode == "physical" else "physical"
    first = next(side for side in sides if side.evaluation is not None)
    base = first.evaluation
    assert base is not None
    rows: list[list[Cell]] = []
    for number, side in enumerate(sides, 1):
        e, f = side.evaluation, side.footprint
        there = first.other.iteration_s / side.other.iteration_s if side.other and first.other else None
        if e is None or f is None:
            rows.append([str(number), None, None, None, there, None, None, None, None, "no"])
            continue
        gain, fits = base.iteration_s / e.iteration_s, "yes" if e.fits else "no"
        rows.append([str(number), e.iteration_s, e.throughput_per_s, gain, there, e.memory_bytes, f.energy_j, f.carbon_gco2e.mid, f.cost_usd, fits])
    columns = (
        NAME, TIME, RATE, Column(key="gain", title=f"Ratio, {question.mode}", truth="modelled"), Column(key="there", title=f"Ratio, {other}", truth="modelled"),
        MEMORY, ENERGY, CARBON, COST, Column(key="fits", title="Fits"),
    )  # fmt: skip
    named = Bullets([side.title for side in sides], ordered=True)
    blocks: list[Block] = [named, Table(columns=columns, rows=rows, caption=f"One iteration; ratios of speed against {first.title}")]
    blocks += [Note(f"{side.title}: {side.refusal}") for side in sides if side.refusal]
    if any(side.job for side in sides):
        jobs: list[list[Cell]] = [
            [str(number), side.job.hours, side.job.device_hours, side.job.energy_mwh, side.job.carbon_tco2e, side.job.cost_usd]
            for number, side in enumerate(sides, 1)
            if side.job
        ]
        job_columns = (
            NAME, Column(key="hours", title="Hours", truth="modelled"), Column(key="device_hours", title="Device-hours", truth="modelled"),
            Column(key="mwh", title="Energy", unit="MWh", truth="modelled"), Column(key="t", title="Carbon", unit="tCO2e", truth="modelled"), COST,
        )  # fmt: skip
        blocks.append(Table(columns=job_columns, rows=jobs, caption="The whole job"))
    fastest = max(
        (side for side in sides if side.evaluation is not None and side.evaluation.fits),
        key=lambda s: s.evaluation.throughput_per_s if s.evaluation else 0.0,
        default=first,
    )
    said = f"Fastest of those that fit: {fastest.title}." if fastest.evaluation and fastest.evaluation.fits else "None of them fits."
    return Page(
        title=f"Plans for {question.layers.name} side by side", summary=said, sections=[Section("Side by side", blocks, id="sides")],
        inputs=inputs_of(question), command=command, generated=generated,
    )  # fmt: skip


def serving_page(workload: str, on: str, served: Serving, *, command: str, generated: str) -> Page:
    """Two pools of devices, side by side."""
    columns = (
        Column(key="name", title="Pool"), Column(key="devices", title="Devices", truth="given", style="integer"),
        Column(key="tensor", title="Tensor parallel", truth="given", style="integer"), Column(key="batch", title="Batch", truth="given", style="integer"),
        Column(key="step_s", title="Step", unit="s", truth="modelled"), Column(key="rate", title="Requests a second", truth="modelled"), MEMORY,
    )  # fmt: skip
    rows: list[list[Cell]] = [[p.phase, p.devices, p.tensor, p.batch, p.step_s, p.rate_per_s, p.memory_bytes] for p in (served.prefill, served.decode)]
    against = f"{served.gain:.2f} times what the same devices serve doing both in turn" if served.gain else "doing both in turn keeps to no such limits"
    return Page(
        title=f"Serving {workload} by two pools on {on}",
        summary=f"{served.requests_per_s:,.4g} requests a second: {against}. First token after {show(served.ttft_s, 's')}, then one every "
        f"{show(served.tpot_s, 's')}.",
        sections=[Section("Pools", [Table(columns=columns, rows=rows, caption="What reads prompts, what writes tokens")], id="pools")],
        headline={
            "requests a second": modelled(served.requests_per_s), "first token": modelled(served.ttft_s, "s"), "each token": modelled(served.tpot_s, "s"),
        },
        command=command, generated=generated,
    )  # fmt: skip

"""Answers as pages: one plan, a search, a sweep of the hardware, plans side by side, an explanation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from thrifty.cost.plans.answering import schedule_of
from thrifty.cost.plans.evaluation import Evaluation
from thrifty.cost.plans.plan import Plan
from thrifty.levers.parallelize.asking.explaining import Why
from thrifty.levers.parallelize.asking.questions import Question
from thrifty.levers.parallelize.asking.searching import Candidate, Found
from thrifty.levers.parallelize.asking.serving import Serving
from thrifty.levers.parallelize.asking.sweeping import Side, Sweep
from thrifty.levers.parallelize.showing import Answer
from thrifty.quantities import show
from thrifty.report import Block, Bullets, Cell, Chart, Column, Facts, Note, Number, Page, Section, Table, Text
from thrifty.timeline import Event

NAME = Column(key="name", title="Plan")
TIME = Column(key="time_s", title="Iteration", unit="s", truth="modelled")
RATE = Column(key="rate", title="Samples a second", truth="modelled")
MEMORY = Column(key="memory", title="Memory a device", unit="B", truth="modelled")
ENERGY = Column(key="energy", title="Energy", unit="J", truth="modelled")
CARBON = Column(key="carbon", title="Carbon", unit="gCO2e", truth="modelled")
COST = Column(key="cost", title="Cost", unit="USD", truth="modelled")
MOST_BARS = 1500


def _inputs(question: Question) -> dict[str, Number | str]:
    tiers = " x ".join(f"{tier.count} {tier.name}" for tier in question.system.tiers)
    return {
        "workload": question.layers.name + (f" ({question.layers.stand_in})" if question.layers.stand_in else ""), "format": question.layers.format,
        "system": f"{question.system.title}: {question.system.devices} devices, {tiers}", "task": question.task.kind,
        "batch": f"{question.batch:,} samples", "mode": question.mode, "site": question.site.name,
    }  # fmt: skip


def _number(value: float | None, unit: str = "", *, style: str = "auto") -> Number:
    return Number(value=value, unit=unit, truth="modelled", style=style)  # type: ignore[arg-type]


def answer_page(answer: Answer, *, command: str, generated: str) -> Page:
    """One plan."""
    question, e = answer.question, answer.evaluation
    sections = [Section("Where the time goes", time_blocks(e), id="time"), Section("Memory", memory_blocks(answer), id="memory")]
    sections.append(Section("Cost", cost_blocks(answer), id="cost"))
    if answer.spread is not None:
        spread = answer.spread
        facts = {"p5": _number(spread.p5, "s"), "p50": _number(spread.p50, "s"), "p95": _number(spread.p95, "s"), "mean": _number(spread.mean, "s")}
        sections.append(Section("How it varies", [Facts(facts), Text(f"{spread.samples:,} iterations drawn with varying durations.")], id="spread"))
    events = schedule_of(question.layers, question.system, answer.plan, batch=question.batch, task=question.task, mode=question.mode)
    sections.append(Section("Timeline", [timeline_chart(events)], id="timeline"))
    if e.quirks or e.notes:
        quirks: list[Block] = [Note("Published rules that bear on this answer and that physics contradicts:"), Bullets(e.quirks)] if e.quirks else []
        sections.append(Section("Assumptions", [*quirks, *([Bullets(e.notes)] if e.notes else [])], id="assumptions"))
    return Page(
        title=f"{question.layers.name} on {question.system.devices} x {question.system.device.title}", summary=summary(answer), sections=sections,
        headline={
            "iteration": _number(e.iteration_s, "s"), f"{e.unit}s a second": _number(e.units / e.iteration_s, style="si"),
            "waiting for communication": _number(e.exposed_s / e.iteration_s, style="percent"), "memory a device": _number(e.memory_bytes, "B"),
        },
        inputs={"plan": str(answer.plan), **_inputs(question)}, command=command, generated=generated,
    )  # fmt: skip


def summary(answer: Answer) -> str:
    """The answer in a sentence or two."""
    e = answer.evaluation
    said = f"One iteration takes {show(e.iteration_s, 's')}: {e.throughput_per_s:,.4g} samples a second, {e.exposed_s / e.iteration_s:.0%} of it not computing."
    return said + (f" It fits: {e.memory_bytes / 1e9:.1f} of {e.capacity_bytes / 1e9:.1f} GB." if e.fits else f" It does not fit: {answer.shortfall}")


def time_blocks(e: Evaluation) -> list[Block]:
    """Busy time by kind of work, and what the iteration waits for."""
    rows: list[list[Cell]] = [[name, "compute", value, value / e.iteration_s] for name, value in e.compute_s.items() if value]
    rows += [[name, "communication", value, value / e.iteration_s] for name, value in e.communication_s.items() if value]
    rows += [[name, "other", value, value / e.iteration_s] for name, value in e.other_s.items() if value]
    columns = (
        Column(key="name", title="Work"),
        Column(key="what", title="What"),
        TIME,
        Column(key="share", title="Of the iteration", truth="modelled", style="percent"),
    )
    chart = Chart(
        kind="bars", title="Busy seconds of a device, by kind of work", columns=columns, rows=rows, x="time_s", y="name", series="what",
        alt="Bars of the seconds that a device spends on each kind of computing and communicating in one iteration.",
    )  # fmt: skip
    facts = Facts({"communication behind computing": _number(e.overlapped_s, "s"), "not computing": _number(e.exposed_s, "s")})
    blocks: list[Block] = [chart, facts]
    if e.critical_path:
        path: list[list[Cell]] = [[part.name, part.stream, part.time_s, part.time_s / e.iteration_s] for part in e.critical_path]
        blocks.append(Table(columns=columns, rows=path, caption="What the iteration waits for: its critical path, by kind of work"))
    return blocks


def memory_blocks(answer: Answer) -> list[Block]:
    """What a device holds."""
    e = answer.evaluation
    parts = {key: value for key, value in e.memory.to_dict().items() if isinstance(value, float) and value}
    rows: list[list[Cell]] = [[name.replace("_", " "), value, value / e.capacity_bytes] for name, value in parts.items()]
    rows.append(["together", e.memory_bytes, e.memory_bytes / e.capacity_bytes])
    columns = (Column(key="name", title="Held"), MEMORY, Column(key="share", title="Of the device's memory", truth="modelled", style="percent"))
    blocks: list[Block] = [Table(columns=columns, rows=rows, caption="On the fullest device", strong_rows=[len(rows) - 1])]
    if not e.fits:
        blocks.append(Note(answer.shortfall, "warning"))
    if len(e.memory.by_stage) > 1:
        stages: list[list[Cell]] = [[f"stage {index}", value] for index, value in enumerate(e.memory.by_stage)]
        blocks.append(Table(columns=(Column(key="name", title="Stage"), MEMORY), rows=stages, caption="By pipeline stage"))
    return blocks


def cost_blocks(answer: Answer) -> list[Block]:
    """Of an iteration, and of the job."""
    f = answer.footprint
    facts = {"energy": _number(f.energy_j, "J"), "carbon": _number(f.carbon_gco2e.mid, "gCO2e"), "cost": _number(f.cost_usd, "USD")}
    blocks: list[Block] = [Facts(facts, caption="One iteration, all devices and hosts")]
    if answer.job is not None:
        j = answer.job
        blocks.append(
            Facts(
                {
                    "samples": f"{j.samples:,.4g}", "hours": _number(j.hours), "device-hours": _number(j.device_hours), "energy": _number(j.energy_mwh, "MWh"),
                    "carbon": _number(j.carbon_tco2e, "tCO2e"), "cost": _number(j.cost_usd, "USD"),
                },
                caption="The whole job",
            )
        )  # fmt: skip
    return blocks


def timeline_chart(events: Sequence[Event]) -> Chart:
    """The schedule of one iteration: every stream a row."""
    rows: list[list[Cell]] = [[event.thread, event.start_s, event.end_s, event.category or event.name] for event in events if event.duration_s > 0]
    return Chart(
        kind="timeline", title="One iteration on one device, stream by stream",
        columns=(
            Column(key="stream", title="Stream"), Column(key="start", title="From", unit="s", truth="modelled"),
            Column(key="end", title="To", unit="s", truth="modelled"), Column(key="kind", title="Work"),
        ),
        rows=rows, x="start", y="stream", low="start", high="end", series="kind",
        alt="Timeline of one iteration: computing and each tier of the network are rows, every piece of work a bar from its start to its end.",
    )  # fmt: skip


def candidate_row(candidate: Candidate, baseline: Candidate | None) -> list[Cell]:
    e, f = candidate.evaluation, candidate.footprint
    gain = baseline.evaluation.iteration_s / e.iteration_s if baseline else None
    return [str(candidate.plan), e.iteration_s, e.throughput_per_s, gain, e.memory_bytes, f.energy_j, f.carbon_gco2e.mid, f.cost_usd]


CANDIDATES = (NAME, TIME, RATE, Column(key="gain", title="Against FSDP", truth="modelled"), MEMORY, ENERGY, CARBON, COST)


def search_page(question: Question, found: Found, *, command: str, generated: str) -> Page:
    """The best plans."""
    best = found.best[0]
    blocks: list[Block] = [Table(columns=CANDIDATES, rows=[candidate_row(c, found.baseline) for c in found.best], caption="Best first")]
    if found.baseline is not None:
        fits = "fits" if found.baseline.evaluation.fits else "does not fit"
        row = candidate_row(found.baseline, found.baseline)
        blocks.append(Table(columns=CANDIDATES, rows=[row], caption=f"FSDP over all devices, which {fits}"))
    if found.unlimited is not None:
        gain = best.evaluation.iteration_s / found.unlimited.evaluation.iteration_s
        blocks.append(
            Note(f"With more memory {found.unlimited.plan} would be {gain:.2f} times as fast: {found.unlimited.evaluation.memory_bytes / 1e9:.1f} GB a device.")
        )
    sections = [Section("Best plans", blocks, id="best"), Section("What is possible", [pareto_chart(found)], id="pareto")]
    sections.append(Section("Where the best one's time goes", time_blocks(best.evaluation), id="time"))
    events = schedule_of(question.layers, question.system, best.plan, batch=question.batch, task=question.task, mode=question.mode)
    sections.append(Section("Timeline", [timeline_chart(events)], id="timeline"))
    against = f", {found.baseline.evaluation.iteration_s / best.evaluation.iteration_s:.2f} times as fast as FSDP everywhere" if found.baseline else ""
    return Page(
        title=f"Best plans for {question.layers.name} on {question.system.devices} x {question.system.device.title}",
        summary=f"{best.plan} takes {show(best.evaluation.iteration_s, 's')} an iteration{against}. {found.asked:,} plans were evaluated, {found.legal:,} are "
        f"legal, {found.fitting:,} fit and keep to the limits: none of them is better by {found.objective}.",
        sections=sections,
        headline={"iteration": _number(best.evaluation.iteration_s, "s"), "samples a second": _number(best.evaluation.throughput_per_s, style="si")},
        inputs=_inputs(question), command=command, generated=generated,
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
        sections=[Section("Speed-up", [table, chart], id="speedup")], inputs={"plan": str(plan), **_inputs(question)}, command=command, generated=generated,
    )  # fmt: skip


def compare_page(question: Question, sides: Sequence[Side], *, command: str, generated: str) -> Page:
    """Plans and systems side by side; ratios against the first, in both modes."""
    other = "compat" if question.mode == "physical" else "physical"
    first = next(side for side in sides if side.evaluation is not None)
    base = first.evaluation
    assert base is not None
    rows: list[list[Cell]] = []
    for side in sides:
        e, f = side.evaluation, side.footprint
        there = first.other.iteration_s / side.other.iteration_s if side.other and first.other else None
        if e is None or f is None:
            rows.append([side.title, None, None, None, there, None, None, None, None, "no"])
            continue
        rows.append(
            [
                side.title,
                e.iteration_s,
                e.throughput_per_s,
                base.iteration_s / e.iteration_s,
                there,
                e.memory_bytes,
                f.energy_j,
                f.carbon_gco2e.mid,
                f.cost_usd,
                "yes" if e.fits else "no",
            ]
        )
    columns = (
        NAME, TIME, RATE, Column(key="gain", title=f"Ratio, {question.mode}", truth="modelled"), Column(key="there", title=f"Ratio, {other}", truth="modelled"),
        MEMORY, ENERGY, CARBON, COST, Column(key="fits", title="Fits"),
    )  # fmt: skip
    blocks: list[Block] = [Table(columns=columns, rows=rows, caption=f"One iteration; ratios of speed against {first.title}")]
    blocks += [Note(f"{side.title}: {side.refusal}") for side in sides if side.refusal]
    if any(side.job for side in sides):
        jobs: list[list[Cell]] = [
            [side.title, side.job.hours, side.job.device_hours, side.job.energy_mwh, side.job.carbon_tco2e, side.job.cost_usd] for side in sides if side.job
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
        inputs=_inputs(question), command=command, generated=generated,
    )  # fmt: skip


def explain_page(answer: Answer, reasons: Why, speedup: float, needed: Mapping[str, float | None], *, command: str, generated: str) -> Page:
    """Why, and what the hardware would have to have."""
    shares: list[list[Cell]] = [[name, share] for name, share in reasons.shares.items()]
    shares.append(["latency, launches, idle stages", 1.0 - sum(reasons.shares.values())])
    name = Column(key="name", title="Resource")
    table = Table(
        columns=(name, Column(key="share", title="Share of the iteration", truth="modelled", style="percent")),
        rows=shares,
        caption="What an iteration's time is owed to",
    )
    rows: list[list[Cell]] = [[resource, factor if factor is not None else "no factor will do"] for resource, factor in needed.items()]
    wanted = Table(
        columns=(name, Column(key="factor", title="Times", truth="modelled")),
        rows=rows,
        caption=f"What each alone must grow by to be {speedup:g} times as fast",
    )
    page = answer_page(answer, command=command, generated=generated)
    sections = [
        Section(
            "Why", [table, Text(f"One per cent more {reasons.binding} makes it {reasons.shares[reasons.binding]:.2f} per cent faster: it binds.")], id="why"
        )
    ]
    sections.append(Section(f"To be {speedup:g} times as fast", [wanted], id="reach"))
    return Page(
        title=page.title, summary=f"{reasons.binding.capitalize()} binds. {page.summary}", sections=[*sections, *page.sections], headline=page.headline,
        inputs=page.inputs, command=command, generated=generated,
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
        headline={"requests a second": _number(served.requests_per_s), "first token": _number(served.ttft_s, "s"), "each token": _number(served.tpot_s, "s")},
        command=command, generated=generated,
    )  # fmt: skip

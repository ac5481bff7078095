"""One plan as a page, and why it is so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from thrifty.cost.plans.answering import schedule_of
from thrifty.cost.plans.evaluation import Evaluation
from thrifty.levers.parallelize.asking.explaining import Why
from thrifty.levers.parallelize.pages.columns import MEMORY, TIME, inputs_of, modelled
from thrifty.levers.parallelize.showing import Answer
from thrifty.quantities import show
from thrifty.report import Block, Bullets, Cell, Chart, Column, Facts, Note, Page, Section, Table, Text
from thrifty.timeline import Event


def answer_page(answer: Answer, *, command: str, generated: str) -> Page:
    """One plan."""
    question, e = answer.question, answer.evaluation
    sections = [Section("Where the time goes", time_blocks(e), id="time"), Section("Memory", memory_blocks(answer), id="memory")]
    sections.append(Section("Cost", cost_blocks(answer), id="cost"))
    if answer.spread is not None:
        spread = answer.spread
        facts = {"p5": modelled(spread.p5, "s"), "p50": modelled(spread.p50, "s"), "p95": modelled(spread.p95, "s"), "mean": modelled(spread.mean, "s")}
        sections.append(Section("How it varies", [Facts(facts), Text(f"{spread.samples:,} iterations drawn with varying durations.")], id="spread"))
    events = schedule_of(question.layers, question.system, answer.plan, batch=question.batch, task=question.task, mode=question.mode)
    sections.append(Section("Timeline", [timeline_chart(events)], id="timeline"))
    if e.quirks or e.notes:
        quirks: list[Block] = [Note("Published rules that bear on this answer and that physics contradicts:"), Bullets(e.quirks)] if e.quirks else []
        sections.append(Section("Assumptions", [*quirks, *([Bullets(e.notes)] if e.notes else [])], id="assumptions"))
    return Page(
        title=f"{question.layers.name} on {question.system.devices} x {question.system.device.title}", summary=summary(answer), sections=sections,
        headline={
            "iteration": modelled(e.iteration_s, "s"), f"{e.unit}s a second": modelled(e.units / e.iteration_s, style="si"),
            "waiting for communication": modelled(e.exposed_s / e.iteration_s, style="percent"), "memory a device": modelled(e.memory_bytes, "B"),
        },
        inputs={"plan": str(answer.plan), **inputs_of(question)}, command=command, generated=generated,
    )  # fmt: skip


def summary(answer: Answer) -> str:
    """The answer in a sentence or two."""
    e = answer.evaluation
    waiting = e.exposed_s / e.iteration_s
    said = f"One iteration takes {show(e.iteration_s, 's')}: {_rate(e.throughput_per_s)} samples a second, {waiting:.0%} of it waiting for communication."
    return said + (f" It fits: {e.memory_bytes / 1e9:.1f} of {e.capacity_bytes / 1e9:.1f} GB." if e.fits else f" It does not fit: {answer.shortfall}")


def _rate(per_s: float) -> str:
    return f"{per_s:,.0f}" if per_s >= 1000 else f"{per_s:.4g}"


def time_blocks(e: Evaluation) -> list[Block]:
    """Busy time by kind of work, and what the iteration waits for."""
    rows: list[list[Cell]] = [[name.replace("_", " "), "compute", value, value / e.iteration_s] for name, value in e.compute_s.items() if value]
    rows += [[name.replace("_", " "), "communication", value, value / e.iteration_s] for name, value in e.communication_s.items() if value]
    rows += [[name, "other", value, value / e.iteration_s] for name, value in e.other_s.items() if value]
    columns = (
        Column(key="name", title="Work"),
        Column(key="what", title="What"),
        TIME,
        Column(key="share", title="Of the iteration", truth="modelled", style="percent"),
    )
    chart = Chart(
        kind="bars", title="Busy seconds of a device, by kind of work", columns=columns, rows=rows, x="time_s", y="name",
        alt="Bars of the seconds that a device spends on each kind of computing and communicating in one iteration.",
    )  # fmt: skip
    facts = Facts({"communication behind computing": modelled(e.overlapped_s, "s"), "waiting for communication": modelled(e.exposed_s, "s")})
    blocks: list[Block] = [chart, facts]
    if e.critical_path:
        path: list[list[Cell]] = [[part.name.replace("_", " "), part.stream, part.time_s, part.time_s / e.iteration_s] for part in e.critical_path]
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
    facts = {"energy": modelled(f.energy_j, "J"), "carbon": modelled(f.carbon_gco2e.mid, "gCO2e"), "cost": modelled(f.cost_usd, "USD")}
    blocks: list[Block] = [Facts(facts, caption="One iteration, all devices and hosts")]
    if answer.job is not None:
        j = answer.job
        blocks.append(
            Facts(
                {
                    "samples": f"{j.samples:,.4g}", "hours": modelled(j.hours), "device-hours": modelled(j.device_hours),
                    "energy": modelled(j.energy_mwh, "MWh"),
                    "carbon": modelled(j.carbon_tco2e, "tCO2e"), "cost": modelled(j.cost_usd, "USD"),
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

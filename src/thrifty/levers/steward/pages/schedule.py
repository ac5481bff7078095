"""A schedule as a page: what is saved, when each job runs over the grid's intensity, how far from the best it can be."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from thrifty.cost.carbon.citing import cited
from thrifty.levers.steward.pages.parts import certificate_block
from thrifty.levers.steward.schedule.deciding import Scheduled
from thrifty.levers.steward.schedule.plan import Plan
from thrifty.report import Block, Bullets, Cell, Chart, Column, Number, Page, Section, Table, Text, made_now, number_text

MOST_DRAWN: Final = 20
"""Jobs that a timeline can show."""
MODEL: Final = "sum over slots of energy x PUE x intensity"


def schedule_page(found: Scheduled) -> Page:
    """Everything about one schedule."""
    problem, decision = found.problem, found.decision
    before, after = decision.change.before, decision.change.after
    sections = [
        Section("Before and after", _both(found), id="both"), Section("When jobs run", _timelines(found), id="when"),
        Section("Jobs", [_jobs(found)], id="jobs"), Section("How good it can be", _certificate(found), id="certificate"),
    ]  # fmt: skip
    if decision.notes:
        sections.append(Section("What to know", [Bullets(decision.notes)], id="notes"))
    moved = "Nothing is saved" if found.saving < 5e-4 else f"Waiting saves {found.saving:.1%} of the carbon"
    return Page(
        title=f"{len(problem.jobs)} {'job' if len(problem.jobs) == 1 else 'jobs'} at {', '.join(place.name for place in problem.places)}",
        summary=(
            f"{moved}: {number_text(before.carbon_gco2e.mid, 'gCO2e')} if every job runs at its release, "
            f"{number_text(after.carbon_gco2e.mid, 'gCO2e')} by this plan."
        ),
        sections=sections,
        headline={
            "carbon before": Number(value=before.carbon_gco2e.mid, unit="gCO2e", truth="modelled"),
            "carbon after": Number(value=after.carbon_gco2e.mid, unit="gCO2e", truth="modelled", model=MODEL),
            "saved": Number(value=found.saving, truth="modelled", style="percent"),
        },
        inputs={
            "period": f"{problem.time_of(0):%Y-%m-%d %H:%MZ} to {problem.time_of(problem.slots):%Y-%m-%d %H:%MZ}",
            "step": Number(value=problem.step_s, unit="s", truth="given"), "places": ", ".join(place.name for place in problem.places),
            "intensity": "; ".join(f"{p.intensity.boundary} {p.intensity.signal}" for p in problem.places),
        },
        sources=cited(decision.sources), command=decision.change.command,
        generated=made_now(),
    )  # fmt: skip


def _both(found: Scheduled) -> list[Block]:
    before, after = found.decision.change.before, found.decision.change.after
    wait = "mean_hours_from_release_to_end"
    rows: list[list[Cell]] = [
        [name, each.carbon_gco2e.mid, each.energy_j, each.cost_usd, each.quality[wait].value] for name, each in (("at release", before), ("this plan", after))
    ]
    columns = (
        Column(key="name", title="Schedule"), Column(key="carbon", title="Carbon", unit="gCO2e", truth="modelled"),
        Column(key="energy", title="Energy", unit="J", truth="modelled"), Column(key="cost", title="Electricity", unit="USD", truth="modelled"),
        Column(key="wait", title="Hours from release to end", truth="modelled"),
    )  # fmt: skip
    chart = Chart(
        kind="bars", title="Carbon of all jobs", columns=columns[:2], rows=[row[:2] for row in rows], x="carbon", y="name",
        alt="Two bars: grams of CO2e of all jobs run at their release, and by this plan.",
    )  # fmt: skip
    kept = [place for place in range(len(columns)) if any(row[place] is not None for row in rows)]  # the electricity's price may be unknown
    table = Table(columns=[columns[place] for place in kept], rows=[[row[place] for place in kept] for row in rows], caption="All jobs together")
    return [chart, table]


def _timelines(found: Scheduled) -> list[Block]:
    problem = found.problem
    zone = ZoneInfo(problem.places[0].zone)
    begin = problem.time_of(0).astimezone(zone)
    hours = [problem.step_h * t for t in range(problem.slots)]
    keep = max(1, problem.slots // 2000)
    rows: list[list[Cell]] = [
        [hours[t], float(problem.grams_PT[p, t]), place.name] for p, place in enumerate(problem.places) for t in range(0, problem.slots, keep)
    ]
    line = Chart(
        kind="line", title=f"Intensity at the machine, hours from {begin:%Y-%m-%d %H:%M} local time",
        columns=(
            Column(key="hour", title="Hour", unit="h", truth="given"), Column(key="grams", title="gCO2e/kWh", truth="modelled"),
            Column(key="place", title="Place"),
        ),
        rows=rows, x="hour", y="grams", series="place",
        alt="Line of the grid's carbon intensity with the building's share, hour by hour over the period of the plan, one line a place.",
    )  # fmt: skip
    names = set(range(min(len(problem.jobs), MOST_DRAWN)))
    both = [bar for what, plan in (("at release", found.before), ("this plan", found.after)) for bar in _bars(found, plan, what, names)]
    bars: list[list[Cell]] = [bar for _, bar in sorted(both, key=lambda pair: pair[0])]
    gantt = Chart(
        kind="timeline", title="Jobs at release and by this plan" + ("" if len(names) == len(problem.jobs) else f" (the first {MOST_DRAWN})"),
        columns=(
            Column(key="job", title="Job"), Column(key="from", title="From", unit="h", truth="modelled"),
            Column(key="to", title="To", unit="h", truth="modelled"), Column(key="what", title="Schedule"),
        ),
        rows=bars, x="from", y="job", low="from", high="to", series="what",
        alt="Timeline of jobs over hours: for every job a row of bars when it would run at its release, and one of when it runs by this plan.",
    )  # fmt: skip
    return [line, gantt]


def _bars(found: Scheduled, plan: Plan, what: str, jobs: set[int]) -> list[tuple[int, list[Cell]]]:
    """Bars of one schedule with the number of their job, by which both schedules' rows stand together."""
    step = found.problem.step_h
    several = len(found.problem.places) > 1
    return [
        (job, [f"{found.problem.jobs[job].name}, {what}" + (f" ({found.problem.places[place].name})" if several else ""), first * step, last * step, what])
        for job, place, first, last, _ in plan.spans(found.problem) if job in jobs
    ]  # fmt: skip


def _jobs(found: Scheduled) -> Table:
    problem = found.problem
    zone = ZoneInfo(problem.places[0].zone)
    was, now = found.before.carbon_g_J(problem), found.after.carbon_g_J(problem)
    first: dict[int, int] = {}
    for job, slot in zip(found.after.job_R, found.after.slot_R, strict=True):
        first.setdefault(int(job), int(slot))
    place_J = found.after.place_J(problem)
    rows: list[list[Cell]] = [
        [job.name, problem.places[place_J[j]].name, f"{problem.time_of(first[j]).astimezone(zone):%Y-%m-%d %H:%M}", float(was[j]), float(now[j]),
         float((was[j] - now[j]) / was[j]) if was[j] else 0.0]
        for j, job in enumerate(problem.jobs[:200])
    ]  # fmt: skip
    columns = (
        Column(key="job", title="Job"), Column(key="place", title="Place"), Column(key="begins", title="Begins (local)"),
        Column(key="before", title="At release", unit="gCO2e", truth="modelled"), Column(key="after", title="This plan", unit="gCO2e", truth="modelled"),
        Column(key="saved", title="Saved", truth="modelled", style="percent"),
    )  # fmt: skip
    more = "" if len(problem.jobs) <= 200 else f", the first 200 of {len(problem.jobs):,}"
    return Table(columns=columns, rows=rows, caption=f"Every job{more}")


def _certificate(found: Scheduled) -> list[Block]:
    certificate = found.decision.certificate
    assert certificate is not None
    blocks: list[Block] = [certificate_block(certificate, "gCO2e")]
    if found.regret_g is not None:
        regret = number_text(found.regret_g, "gCO2e")
        blocks.append(Text(f"The forecast's errors cost {regret} against a plan that knew the true hours: the gap is that regret."))
    return blocks

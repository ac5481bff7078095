"""`thrifty steward schedule`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thrifty.printing import command_line

JobFile = Annotated[Path | None, typer.Option("--jobs", metavar="FILE", help="Jobs as TOML, JSON or CSV; may hold [[places]] too.")]
JobText = Annotated[
    list[str] | None,
    typer.Option("--job", metavar="TEXT", help='A job (repeat): "name=night,power=2 kW,duration=30 min,release=2020-01-01T01:00,early=8 h,slack=8 h".'),
]
SiteName = Annotated[str, typer.Option("--site", metavar="NAME", help="Home: a site, or a region with hourly generation (eia-cal, eia-ne, eia-nw).")]
SiteNames = Annotated[str, typer.Option("--sites", metavar="A,B", help="Places where jobs may run, the first is home.")]
Mix = Annotated[Path | None, typer.Option("--mix", metavar="FILE", help="CSV of time and gCO2e/kWh instead of a site's grid.")]
Prices = Annotated[Path | None, typer.Option("--prices", metavar="FILE", help="CSV of time and USD/kWh.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE.html", help="Write everything as one page.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Cap = Annotated[str, typer.Option("--cap", metavar="POWER", help="Most that all jobs may draw at once at each place: 2 MW (a number is in MW).")]
Step = Annotated[str, typer.Option("--step", metavar="TIME", help="Slots: 30min, 1h. [default: the largest that no job's times cut]")]
From = Annotated[str, typer.Option("--from", metavar="TIME", help="Nothing runs before.")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="Nothing runs after.")]
BoundaryName = Annotated[str, typer.Option("--boundary", help="life-cycle or direct. [default: what the places' data state]")]
FillName = Annotated[str, typer.Option("--fill", help="How holes of a series are filled: linear or day. [default: refused]")]
Seconds = Annotated[float, typer.Option("--time-limit", metavar="S", help="Most for jobs that run through under a cap.")]


def schedule(
    jobs: JobFile = None, job: JobText = None, site: SiteName = "", sites: SiteNames = "", mix: Mix = None, prices: Prices = None, cap: Cap = "",
    step: Step = "", start: From = "", end: To = "",
    forecast_error: Annotated[float, typer.Option("--forecast-error", metavar="SHARE", help="Plan on a forecast wrong by this share (Gaussian).")] = 0.0,
    forecast: Annotated[str, typer.Option("--forecast", help="seasonal: plan on a day-ahead naive forecast with conformal intervals.")] = "",
    coverage: Annotated[float, typer.Option(metavar="SHARE", help="--forecast: how often the interval must hold.")] = 0.9,
    seed: Annotated[int, typer.Option(help="Of the forecast error.")] = 0,
    count_embodied: Annotated[bool, typer.Option("--count-embodied", help="Let making of machines decide too (sunk: a warning says so).")] = False,
    boundary: BoundaryName = "", fill: FillName = "", time_limit: Seconds = 20.0, out: Out = None, as_json: Json = False,
) -> None:  # fmt: skip
    """When and where to run jobs: least carbon within deadlines and caps, beside running at release."""
    from thrifty.levers.steward.commands.asked import asked_problem
    from thrifty.levers.steward.pages.schedule import schedule_page
    from thrifty.levers.steward.schedule.deciding import decide
    from thrifty.levers.steward.schedule.forecasting import believe
    from thrifty.report import give

    problem = asked_problem(
        jobs=jobs, texts=job or [], site=site, sites=sites, mix=mix, prices=prices, cap=cap, step=step, start=start, end=end, boundary=boundary, fill=fill
    )
    believed, extra = believe(problem, error=forecast_error, seed=seed, how=forecast, coverage=coverage)
    command = command_line(
        "thrifty", "steward", "schedule", jobs=jobs, job=job, site=site, sites=sites, mix=mix, prices=prices, cap=cap, step=step, **{"from": start, "to": end},
        forecast_error=forecast_error, forecast=forecast, coverage=coverage if forecast else 0, seed=seed, count_embodied=count_embodied, boundary=boundary,
        fill=fill, time_limit=time_limit if time_limit != 20.0 else 0,
    )  # fmt: skip
    found = decide(problem, believed_PT=believed, embodied=count_embodied, seconds=time_limit, command=command, extra=extra)
    give(lambda: schedule_page(found), found.to_dict, out, as_json, drawn=("when",))

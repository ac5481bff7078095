"""`thrifty steward policy`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thrifty.levers.steward.commands import schedule as options
from thrifty.printing import command_line, print_json, print_parts


def policy(
    jobs: options.JobFile = None, job: options.JobText = None, site: options.SiteName = "", sites: options.SiteNames = "", mix: options.Mix = None,
    prices: options.Prices = None, cap: options.Cap = "", step: options.Step = "", start: options.From = "", end: options.To = "",
    scenario: Annotated[str, typer.Option("--scenario", metavar="NAME", help="A dated price of the pack: eu-ets, us-scc.")] = "",
    carbon_price: Annotated[float | None, typer.Option("--carbon-price", show_default=False, metavar="USD", help="A price of your own, USD a tonne.")] = None,
    cap_t: Annotated[float | None, typer.Option("--cap-t", show_default=False, metavar="T", help="At most so many tonnes of CO2e.")] = None,
    scope3: Annotated[bool, typer.Option("--scope3", help="Bill the making of machines too (it moves nothing: it is sunk).")] = False,
    elasticity: Annotated[float | None, typer.Option(show_default=False, metavar="E", help="Demand grows as unit cost falls: ratio to the -E.")] = None,
    measures: Annotated[Path | None, typer.Option("--measures", metavar="FILE", help="Measures instead of jobs: name, cost_usd, abates_t, group.")] = None,
    baseline_t: Annotated[float | None, typer.Option("--baseline-t", show_default=False, metavar="T", help="--measures: tonnes without any.")] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the scenarios.")] = False, boundary: options.BoundaryName = "", fill: options.FillName = "",
    time_limit: options.Seconds = 20.0, out: options.Out = None, as_json: options.Json = False,
) -> None:  # fmt: skip
    """What a carbon price or cap changes: plans by cost, break-even and shadow prices, abatement curve, rebound."""
    from thrifty.errors import BadValue
    from thrifty.levers.steward.commands.asked import asked_problem
    from thrifty.levers.steward.pages.policy import measures_page, policy_page, price_lines
    from thrifty.levers.steward.policy import decide_measures, given_price, police, price_of, read_measures, scenarios
    from thrifty.report import to_terminal, write_html

    if listed:
        known = [price_of(name) for name in scenarios()]
        if as_json:
            print_json([each.to_dict() for each in known])
        else:
            print_parts(price_lines(known))
        return
    if scenario and carbon_price is not None:
        raise BadValue("--scenario and --carbon-price both state a price. Give one of them.")
    said = {"scenario": scenario, "carbon_price": carbon_price, "cap_t": cap_t, "scope3": scope3}
    if measures is not None:
        if baseline_t is None or cap_t is None:
            raise BadValue("--measures needs --baseline-t (tonnes without any) and --cap-t (tonnes allowed). Give both.")
        command = command_line("thrifty", "steward", "policy", measures=measures, baseline_t=baseline_t, cap_t=cap_t)
        abated = decide_measures(read_measures(measures), baseline_t, cap_t, command=command)
        made, content = measures_page(abated), abated.decision.to_dict()
    else:
        problem = asked_problem(
            jobs=jobs, texts=job or [], site=site, sites=sites, mix=mix, prices=prices, cap=cap, step=step, start=start, end=end, boundary=boundary, fill=fill
        )
        price = price_of(scenario) if scenario else given_price(carbon_price or 0.0)
        command = command_line(
            "thrifty", "steward", "policy", jobs=jobs, job=job, site=site, sites=sites, mix=mix, prices=prices, cap=cap, step=step,
            **{"from": start, "to": end}, **said, elasticity=elasticity, boundary=boundary, fill=fill,
        )  # fmt: skip
        found = police(problem, price, most_t=cap_t, scope3=scope3, elasticity=elasticity, seconds=time_limit, command=command)
        made, content = policy_page(found), found.decision.to_dict()
    if out is not None:
        write_html(made, out)
    if as_json:
        print_json(content)
        return
    print_parts(to_terminal(made), *([f"page: {out}"] if out is not None else []))

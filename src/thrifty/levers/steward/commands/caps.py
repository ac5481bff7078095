"""`thrifty steward caps`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thrifty.levers.steward.commands import schedule as options


def caps(
    device: Annotated[str, typer.Option("--device", metavar="NAME", help="A device of the catalogue.")] = "h100-sxm5",
    devices: Annotated[int, typer.Option("--devices", metavar="N", help="How many.")] = 1,
    site: options.SiteName = "us-california", mix: options.Mix = None,
    start: Annotated[str, typer.Option("--from", metavar="TIME", help="Local time of the site.")] = "2020-07-06T00:00",
    end: Annotated[str, typer.Option("--to", metavar="TIME", help="Local time of the site.")] = "2020-07-13T00:00",
    demand: Annotated[str, typer.Option("--demand", metavar="SHARE|FILE", help="Work that comes, as a share of full speed, or a file of such shares.")] = "0.6",
    trace: Annotated[Path | None, typer.Option("--trace", metavar="FILE", help="Caps that are given: a file of watts of one device.")] = None,
    event: Annotated[
        list[str] | None, typer.Option("--event", metavar="FROM/TO=SHARE", help="A cap (repeat), of full power: 2020-07-08T17:00/2020-07-08T21:00=60%.")
    ] = None,
    latency: Annotated[str, typer.Option("--latency", metavar="TIME", help="How long work may wait: 2 h (a number is in hours).")] = "0",
    throughput: Annotated[float, typer.Option("--throughput", metavar="SHARE", help="Share of the work that must be done, without caps given.")] = 1.0,
    idle_w: Annotated[float | None, typer.Option("--idle-w", show_default=False, metavar="W", help="At rest. [default: the sheet's, or a usual share]")] = None,
    exponent: Annotated[float | None, typer.Option("--exponent", show_default=False, metavar="X", help="Speed as power to the X. [default: 1/3]")] = None,
    boundary: options.BoundaryName = "", fill: options.FillName = "", out: options.Out = None, as_json: options.Json = False,
) -> None:  # fmt: skip
    """Power caps: what given ones save and keep waiting, or the best ones while work waits no longer than it may."""
    from thrifty.levers.steward.commands.asked import asked_response
    from thrifty.levers.steward.pages.caps import caps_page
    from thrifty.report import give

    found, begin = asked_response(
        device=device, devices=devices, site=site, mix=mix, start=start, end=end, demand=demand, trace=trace, events=event or [], latency=latency,
        throughput=throughput, idle_w=idle_w, exponent=exponent, boundary=boundary, fill=fill,
    )  # fmt: skip
    give(lambda: caps_page(found, begin), found.decision.to_dict, out, as_json, drawn=("hours",))

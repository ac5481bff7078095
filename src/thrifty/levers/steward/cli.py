"""The commands of this lever: `thrifty steward supply`, `schedule`, `refresh`, `reuse`, `policy`."""

from __future__ import annotations

import typer

from thrifty.levers.steward.commands.caps import caps
from thrifty.levers.steward.commands.policy import policy
from thrifty.levers.steward.commands.refresh import refresh
from thrifty.levers.steward.commands.reuse import reuse
from thrifty.levers.steward.commands.schedule import schedule
from thrifty.levers.steward.commands.supply import supply

app = typer.Typer(no_args_is_help=True, help="When, where and how long to run, what supply to build: decisions about carbon with certificates.")
app.command("refresh")(refresh)
app.command("schedule")(schedule)
app.command("reuse")(reuse)
app.command("caps")(caps)
app.command("policy")(policy)
app.command("supply")(supply)

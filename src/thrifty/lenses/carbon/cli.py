"""The commands of this lens: `thrifty carbon embodied`, `operate`, `account`, `attribute`, `compare`, `report`."""

from __future__ import annotations

import typer

app = typer.Typer(no_args_is_help=True, help="Who emits what, and when: embodied and hourly operational carbon, ledgers, attribution, reports.")

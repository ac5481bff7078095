"""The commands of this lens: `thrifty carbon embodied`, `operate`, `account`, `attribute`, `compare`, `report`."""

from __future__ import annotations

import typer

from thrifty.lenses.carbon.commands.account import account
from thrifty.lenses.carbon.commands.attribute import attribute
from thrifty.lenses.carbon.commands.compare import compare
from thrifty.lenses.carbon.commands.embodied import embodied
from thrifty.lenses.carbon.commands.factors import factors
from thrifty.lenses.carbon.commands.operate import operate
from thrifty.lenses.carbon.commands.report import report
from thrifty.lenses.carbon.commands.workload import predictors, workload

app = typer.Typer(no_args_is_help=True, help="Who emits what, and when: embodied and hourly operational carbon, ledgers, attribution, reports.")
app.command("factors")(factors)
app.command("embodied")(embodied)
app.command("workload")(workload)
app.command("predictors")(predictors)
app.command("operate")(operate)
app.command("report")(report)
app.command("account")(account)
app.command("attribute")(attribute)
app.command("compare")(compare)

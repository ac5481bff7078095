"""The commands of this lens: `thrifty numerics round`, `accumulate`, `attention`, `bounds`, `audit`, `train-study`, `paper`."""

from __future__ import annotations

import typer

from thrifty.lenses.numerics.commands.accumulating import accumulate_
from thrifty.lenses.numerics.commands.attention import attention_
from thrifty.lenses.numerics.commands.audit import audit
from thrifty.lenses.numerics.commands.bounds import bounds_
from thrifty.lenses.numerics.commands.budget import budget
from thrifty.lenses.numerics.commands.mechanism import mechanism
from thrifty.lenses.numerics.commands.paper import paper
from thrifty.lenses.numerics.commands.rounding import round_
from thrifty.lenses.numerics.commands.sites import sites
from thrifty.lenses.numerics.commands.train_study import train_study

app = typer.Typer(no_args_is_help=True, help="How far results drift: rounding, sums, attention, any operator, training; bounds and budgets.")
app.command("accumulate")(accumulate_)
app.command("attention")(attention_)
app.command("audit")(audit)
app.command("bounds")(bounds_)
app.command("sites")(sites)
app.command("budget")(budget)
app.command("mechanism")(mechanism)
app.command("paper")(paper)
app.command("train-study")(train_study)
app.command("round", context_settings={"ignore_unknown_options": True})(round_)  # numbers below 0 look like options

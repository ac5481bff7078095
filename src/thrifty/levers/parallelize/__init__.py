"""How to spread training and serving over devices (after MAD-Max: Hsia et al., ISCA 2024).

`asking` holds the questions: `questions` puts model, system, task and batch together; `space` lists every plan worth asking about; `searching` evaluates
them all and ranks; `explaining` says which resource binds and what the hardware would have to have; `serving` splits devices into two pools; `sweeping`
varies hardware, systems and plans. `showing` and `pages` tell the answers; `validating` holds the model against measured runs; `lever` is what `assess`
asks. What a plan costs is known to `cost.plans` alone.

What it does not know: faults and restarts, placement of single tables, schedules of learning rates, how fast a loss falls with the batch.
"""

from thrifty.cost.plans.answering import evaluate, evaluate_many
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task
from thrifty.levers.parallelize.asking.explaining import Why, reach, why
from thrifty.levers.parallelize.asking.questions import Job, Question, ask
from thrifty.levers.parallelize.asking.searching import Candidate, Found, Limits, search
from thrifty.levers.parallelize.asking.serving import Pool, Serving, disaggregate
from thrifty.levers.parallelize.asking.space import Space
from thrifty.levers.parallelize.asking.sweeping import Side, Sweep, side_by_side, sweep_hardware
from thrifty.levers.parallelize.lever import PARALLELIZE, Parallelize

__all__ = [
    "PARALLELIZE", "Candidate", "Found", "Job", "Limits", "Parallelize", "Plan", "Pool", "Question", "Serving", "Side", "Space", "Sweep", "Task", "Why",
    "ask", "disaggregate", "evaluate", "evaluate_many", "reach", "search", "side_by_side", "sweep_hardware", "why",
]  # fmt: skip

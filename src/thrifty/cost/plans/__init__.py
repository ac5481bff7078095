"""What does a plan cost? Training or serving a model over many devices: time, memory, and what the time is spent on (after MAD-Max, ISCA 2024).

Data flows in this order: `models` is the model as a plan sees it, sublayer by sublayer; `plan` is the words of a plan, `tasks` what is done with the model;
`placing` checks both against a system. Two modes answer: `compat` is the published model to the letter, quirks and all; `physical` is the calibrated one.
Both give an `Evaluation`, or `Evaluations` of many `configurations`, through the doors in `answering`; `pricing` adds energy, carbon and money,
`variability` draws iterations of varying length, `validation` holds the calibrated mode against measured runs.

What it does not know: faults, checkpoints, input pipelines, how fast a loss falls with the batch.
"""

from thrifty.cost.plans.answering import evaluate, evaluate_many, schedule_of, spread_of
from thrifty.cost.plans.configurations import Configurations, Evaluations
from thrifty.cost.plans.evaluation import Evaluation, PlanMemory
from thrifty.cost.plans.models.extracting import layers_of
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.models.naming import layers_named
from thrifty.cost.plans.models.shapes import Recommender, Transformer
from thrifty.cost.plans.placing import Placed, place
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.pricing import Costs, costs_of, footprint_of
from thrifty.cost.plans.tasks import Task

__all__ = [
    "Configurations", "Costs", "Evaluation", "Evaluations", "Layers", "Placed", "Plan", "PlanMemory", "Recommender", "Task", "Transformer", "costs_of",
    "evaluate", "evaluate_many", "footprint_of", "layers_named", "layers_of", "place", "schedule_of", "spread_of",
]  # fmt: skip

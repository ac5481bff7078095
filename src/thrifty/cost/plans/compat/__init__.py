"""The published model of MAD-Max (Hsia et al., ISCA 2024, arXiv 2310.02784), quirks and all: the mode `compat`.

Data flows in this order: `rates` is what the model lets a system sustain, `sublayers` what it counts of a model (`suite`: its own models), `rules` which
plans it allows. `events` makes one iteration as tasks on two streams and schedules them as published; `evaluating` answers for one plan, `quirks` says
which of the answer's rules physics contradicts. `encoding`, `kernel` and `many` give the same answers for millions of plans a second, by a second
implementation that walks the layers instead of listing events, and jumps ahead where identical layers have become periodic.

Written from a description of the method; the paper's own code was not looked at. Its published results are tests (tests/cost/plans/compat/test_paper.py);
what it prints or measures besides is shown by `beside`, held to nothing.
What the model leaves out is told with every answer: `QUIRKS`.
"""

from thrifty.cost.plans.compat.beside import PublishedRow, beside_published
from thrifty.cost.plans.compat.evaluating import compat_tasks, evaluate_compat
from thrifty.cost.plans.compat.many import evaluate_compat_many, why
from thrifty.cost.plans.compat.quirks import QUIRKS
from thrifty.cost.plans.compat.rates import PublishedRates, published_system
from thrifty.cost.plans.compat.rules import every_strategy
from thrifty.cost.plans.compat.suite import published, published_models

__all__ = [
    "QUIRKS", "PublishedRates", "PublishedRow", "beside_published", "compat_tasks", "evaluate_compat", "evaluate_compat_many", "every_strategy", "published",
    "published_models", "published_system", "why",
]  # fmt: skip

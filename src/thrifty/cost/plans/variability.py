"""How an iteration's time varies: the schedule of a plan with drawn durations (after PRISM, arXiv 2510.15596).

Kernels vary from rank to rank, so a piece of computing is over when the slowest of the ranks that wait for it is; a collective draws once for its group;
all collectives of an iteration share one factor, the congestion of the fabric.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thrifty.cost.facts import load_facts
from thrifty.timeline import Spread, Task, TaskGraph, Variation, sample


def spread_of_tasks(tasks: Sequence[Task], *, computing: frozenset[str], ranks: int, samples: int, seed: int = 0, straggler: float | None = None) -> Spread:
    """The spread of the makespan of `tasks` over `samples` iterations.

    computing : streams that compute; all others communicate
    ranks     : that wait for each other at every collective
    straggler : probability that a rank is slow in an iteration; None: the catalogue's
    """
    sheet = load_facts("variability")
    compute = Variation(
        cv=sheet.get("compute.mid", "ratio"), ranks=ranks, slowdown=sheet.get("straggler.slowdown", "ratio"),
        straggler=sheet.get("straggler.probability", "ratio") if straggler is None else straggler,
    )  # fmt: skip
    network = (
        Variation(cv=sheet.get("communication.own", "ratio")), Variation(cv=sheet.get("communication.congestion", "ratio"), group="fabric"),
    )  # fmt: skip
    graph = TaskGraph.of(tasks)
    varying = {task.id: compute if task.stream in computing else network for task in tasks}
    seconds = [float(np.asarray(task.duration_s, dtype=np.float64)) for task in tasks]
    return Spread.of(graph.solve(sample(graph, seconds, varying, samples=samples, seed=seed)).makespan_s_C, seed=seed)

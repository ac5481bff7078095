"""Iterations of varying length."""

import numpy as np
import pytest

from thrifty.cost.plans import layers_named, spread_of
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.variability import spread_of_tasks
from thrifty.hardware import load_system
from thrifty.timeline import Task

COMPUTE = frozenset({"compute"})


def test_formula_the_slowest_of_many_ranks_is_the_largest_of_so_many_draws() -> None:
    """The oracle draws them all."""
    rng, cv, ranks = np.random.default_rng(7), 0.03, 256
    width = np.sqrt(np.log1p(cv**2))
    drawn = np.exp(width * rng.standard_normal((4000, ranks)) - width**2 / 2).max(axis=1)
    found = spread_of_tasks([Task(id="a", stream="compute", duration_s=1.0)], computing=COMPUTE, ranks=ranks, samples=4000)
    assert found.p50 == pytest.approx(float(np.median(drawn)), rel=2e-3)
    assert found.p95 == pytest.approx(float(np.quantile(drawn, 0.95)), rel=3e-3)


def test_property_one_rank_on_the_mean_takes_what_the_model_says() -> None:
    tasks = [Task(id=str(i), stream="compute", duration_s=1.0) for i in range(400)]
    assert spread_of_tasks(tasks, computing=COMPUTE, ranks=1, samples=500).mean == pytest.approx(400, rel=2e-3)


def test_property_congestion_is_shared_and_does_not_average_out() -> None:
    tasks = [Task(id=str(i), stream="network", duration_s=1.0) for i in range(400)]
    found = spread_of_tasks(tasks, computing=COMPUTE, ranks=8, samples=2000)
    assert (found.p95 - found.p50) / found.p50 == pytest.approx(1.645 * 0.1, rel=0.15)


def test_formula_stragglers_slow_iterations_of_many_ranks() -> None:
    """The oracle draws every rank, one in fifty of them slower by the catalogue's 1.2."""
    rng, cv, ranks = np.random.default_rng(8), 0.03, 1024
    width = np.sqrt(np.log1p(cv**2))
    factors = np.where(rng.random((1000, ranks)) < 0.02, 1.2, 1.0)
    drawn = (factors * np.exp(width * rng.standard_normal((1000, ranks)) - width**2 / 2)).max(axis=1)
    one = [Task(id="a", stream="compute", duration_s=1.0)]
    found = spread_of_tasks(one, computing=COMPUTE, ranks=ranks, samples=2000, straggler=0.02)
    assert found.p50 == pytest.approx(float(np.median(drawn)), rel=5e-3)


def test_property_a_spread_repeats_itself_and_lies_around_the_iteration() -> None:
    asked = (layers_named("dlrm-a"), load_system("zionex"), Plan.parse("dense=fsdp"))
    first, again = (spread_of(*asked, batch=65536, samples=100, seed=3) for _ in range(2))
    assert first == again
    assert first.p5 < first.p50 < first.p95

"""Servers by slot against linear programs, and the policies beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.errors import BadValue
from thrifty.levers.steward.schedule.elastic import compare_policies, hull_groups, kept, replanned, scale_out

prices = st.lists(st.integers(1, 50), min_size=2, max_size=10)
curves = st.lists(st.integers(0, 10), min_size=0, max_size=4)


@settings(max_examples=80, deadline=None)
@given(prices, curves, st.floats(0.1, 1.0))
def test_property_the_greedy_equals_the_program_over_servers(price: list[int], rest: list[int], share: float) -> None:
    """Over all curves, falling or not: mixing whole numbers of servers within a slot is a program whose value the hull reaches."""
    from scipy.optimize import linprog

    marginal = [1.0, *(each / 10 for each in rest)]
    total = np.concatenate(([0.0], np.cumsum(marginal)))
    price_T = np.array(price, dtype=float)
    work = share * total.max() * len(price_T)
    found = scale_out(price_T, marginal, work)
    servers = len(total)
    cost = np.concatenate([k * price_T for k in range(servers)])
    one = np.tile(np.eye(len(price_T)), servers)
    done = np.concatenate([np.full(len(price_T), total[k]) for k in range(servers)])
    program = linprog(cost, A_eq=np.vstack([one, done]), b_eq=np.concatenate([np.ones(len(price_T)), [work]]), bounds=(0, 1))
    assert found.cost == pytest.approx(program.fun, rel=1e-7, abs=1e-9)
    assert found.bound == pytest.approx(found.cost, rel=1e-9, abs=1e-9)


def test_formula_servers_go_where_a_gram_does_most() -> None:
    # Prices 1 and 3; the second server adds half: pairs at 1, 2 (first slot), 3, 6 (second slot). Work of 2: slot one in full, half of slot two.
    found = scale_out(np.array([1.0, 3.0]), (1.0, 0.5), 2.0)
    assert found.servers_T.tolist() == pytest.approx([2.0, 0.5])
    assert found.cost == pytest.approx(3.5)


def test_formula_a_curve_that_rises_is_taken_in_groups() -> None:
    servers, work = hull_groups((1.0, 0.2, 1.8))
    assert servers.tolist() == [3.0]
    assert work.tolist() == [3.0]
    assert hull_groups((1.0, 1.0, 0.0))[0].tolist() == [2.0]  # a server that adds nothing is not taken


def test_too_much_work_is_refused() -> None:
    with pytest.raises(BadValue, match=r"9 slots of work do not fit: all servers in all 4 slots do 6\. Give a later deadline or more servers\."):
        scale_out(np.ones(4), (1.0, 0.5), 9.0)


@settings(max_examples=60, deadline=None)
@given(prices, st.floats(0.0, 1.0), st.floats(0.2, 0.9))
def test_property_scaling_is_never_worse_than_the_policies(price: list[int], fall: float, share: float) -> None:
    marginal = [1.0, fall, fall**2]
    found = compare_policies(np.array(price, dtype=float), marginal, share * len(price))
    assert found.scaled <= min(found.agnostic, found.suspend_resume, found.best_static) + 1e-9
    assert found.suspend_resume <= found.agnostic + 1e-9
    assert found.best_static <= found.suspend_resume + 1e-9


def test_kept_takes_the_dearest_slot_in_part() -> None:
    assert kept(np.array([3.0, 1.0, 2.0]), 1.5).tolist() == [0.0, 1.0, 0.5]


def test_planning_again_on_a_true_forecast_is_the_plan_itself() -> None:
    draw = np.random.default_rng(0)
    truth = draw.uniform(100, 400, size=48)
    plan = scale_out(truth, (1.0, 0.9, 0.7), 40.0)
    again = replanned(truth, lambda _: truth, (1.0, 0.9, 0.7), 40.0, every=6)
    assert again @ truth == pytest.approx(plan.cost)


def test_planning_again_regains_what_a_wrong_forecast_lost() -> None:
    draw = np.random.default_rng(1)
    truth = 250 + 100 * np.sin(np.arange(72) / 4)
    first = np.maximum(0, truth + draw.normal(0, 80, size=72))

    def updated(at: int) -> np.ndarray:
        seen = first.copy()
        seen[at : at + 12] = truth[at : at + 12]  # the next hours are known well
        return seen

    once = replanned(truth, lambda _: first, (1.0, 0.8), 40.0, every=72) @ truth
    often = replanned(truth, updated, (1.0, 0.8), 40.0, every=6) @ truth
    best = scale_out(truth, (1.0, 0.8), 40.0).cost
    assert best <= often < once
    with pytest.raises(BadValue, match="a forecast every 0 slots cannot be"):
        replanned(truth, lambda _: truth, (1.0,), 4.0, every=0)

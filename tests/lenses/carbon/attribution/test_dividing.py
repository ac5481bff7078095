"""Methods beside each other: by amounts, with idle capacity, electricity, neighbours; and questions that have no answer."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from tests.lenses.carbon.attribution.oracles import by_orders

from thrifty.errors import BadValue
from thrifty.lenses.carbon.attribution import (
    METHODS,
    Demand,
    attribute_carbon,
    energy_shares,
    interference_shares,
    method_shares,
    paid_for_time,
    seating_shares,
)
from thrifty.lenses.carbon.attribution.dividing import possible_methods

AMOUNTS = st.floats(min_value=0.0, max_value=50.0).map(lambda value: round(value, 3))
TABLES = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(lambda shape: npst.arrays(np.float64, shape, elements=AMOUNTS)).filter(np.any)


def of(table: Any, used: Any = None) -> Demand:
    count = np.asarray(table).shape[1]
    return Demand(tenants=tuple("abcdefgh"[:count]), demand_TN=np.asarray(table, dtype=float), used_TN=used)


@given(TABLES, st.sampled_from(sorted(METHODS)))
@settings(max_examples=120, deadline=None)
def test_property_every_method_gives_all_away_and_nothing_to_who_asks_for_nothing(table: np.ndarray, method: str) -> None:
    table = np.column_stack([table, np.zeros(len(table))])
    share, _ = method_shares(of(table, table), method, blocks=10)
    assert share.sum() == pytest.approx(1.0)
    assert (share >= 0).all()
    assert share[-1] == 0.0
    twin, _ = method_shares(of(np.column_stack([table, table[:, 0]]), np.column_stack([table, table[:, 0]])), method, blocks=10)
    if method != "sampled":
        assert twin[0] == pytest.approx(twin[-1], abs=1e-9)


RULES = st.sampled_from(["apart", "reserved", "shapley", "temporal"])


@given(TABLES, st.floats(0.0, 1e5), st.floats(0.0, 1e5), st.floats(1.0, 3.0), st.floats(0.0, 1.0), RULES)
@settings(max_examples=80, deadline=None)
def test_property_carbon_is_conserved_with_idle_as_a_line_of_its_own(
    table: np.ndarray, embodied_g: float, operational_g: float, spare: float, idle_share: float, rule: str
) -> None:
    demand = of(table)
    found = attribute_carbon(
        demand, "shapley", embodied_g=embodied_g, operational_g=operational_g, capacity=demand.peak * spare, idle_rule=rule, idle_share=idle_share
    )
    given_out = found.embodied_g_N.sum() + found.operational_g_N.sum()
    assert given_out + (found.idle_g if rule == "apart" else 0.0) == pytest.approx(embodied_g + operational_g, rel=1e-9, abs=1e-9)
    assert found.idle_g >= embodied_g * (1 - 1 / spare) - 1e-6


def test_formula_idle_capacity_by_hand() -> None:
    found = attribute_carbon(of([[4.0, 0.0], [0.0, 2.0]]), "shapley", embodied_g=800.0, capacity=8.0)
    assert found.embodied_g_N.tolist() == [300.0, 100.0]
    assert found.idle_g == 400.0
    charged = attribute_carbon(of([[4.0, 0.0], [0.0, 2.0]]), "shapley", embodied_g=800.0, capacity=8.0, idle_rule="reserved")
    np.testing.assert_allclose(charged.embodied_g_N, [300 + 400 * 4 / 6, 100 + 400 * 2 / 6])


def test_formula_timing_matters_to_the_fair_share_and_not_to_a_bill_by_reservation() -> None:
    """Pitfall 6: a fair share that were proportional would give both the same here."""
    apart, together = of([[6.0, 0.0, 0.0], [0.0, 3.0, 3.0]]), of([[6.0, 3.0, 0.0], [0.0, 0.0, 3.0]])
    np.testing.assert_allclose(method_shares(apart, "reserved")[0], method_shares(together, "reserved")[0])
    assert method_shares(apart, "shapley")[0][1] < method_shares(together, "shapley")[0][1]
    assert method_shares(together, "shapley")[0].tolist() != pytest.approx(method_shares(together, "reserved")[0].tolist(), abs=0.01)


def test_formula_the_three_proportions_by_hand() -> None:
    demand = of([[4.0, 0.0], [2.0, 2.0]], np.array([[1.0, 0.0], [0.0, 1.0]]))
    assert method_shares(demand, "reserved")[0].tolist() == [0.75, 0.25]
    assert method_shares(demand, "usage")[0].tolist() == [0.5, 0.5]
    assert method_shares(of([[4.0, 0.0], [1.0, 1.0]]), "demand")[0].tolist() == pytest.approx([18 / 20, 2 / 20])
    assert method_shares(demand, "peak")[0].tolist() == pytest.approx([4 / 6, 2 / 6])


def test_formula_electricity_at_rest_follows_reservations_and_the_rest_use() -> None:
    share, left = energy_shares([[6.0, 2.0]], [[1.0, 3.0]], capacity=16.0, idle_share=0.5)
    assert share.tolist() == [0.5 * 6 / 16 + 0.5 * 1 / 4, 0.5 * 2 / 16 + 0.5 * 3 / 4]
    assert left == 0.5 * 8 / 16
    assert share.sum() + left == 1.0
    nobody, unused = energy_shares([[6.0, 2.0]], [[0.0, 0.0]], capacity=16.0, idle_share=0.5)
    assert (nobody.tolist(), unused) == ([6 / 16, 2 / 16], 0.5)


def test_formula_one_tenant_pays_everything_by_any_method() -> None:
    for method in METHODS:
        assert method_shares(of([[2.0], [0.0]], np.array([[1.0], [0.0]])), method, blocks=10)[0].tolist() == [1.0]


def test_methods_that_can_answer() -> None:
    assert possible_methods(of([[1.0, 2.0]])) == ("shapley", "temporal", "reserved", "demand", "peak")
    many = Demand(tenants=tuple(f"t{n}" for n in range(30)), demand_TN=np.ones((2, 30)), used_TN=np.ones((2, 30)))
    assert possible_methods(many) == ("sampled", "temporal", "reserved", "usage", "demand", "peak")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: method_shares(of([[1.0]]), "fair"), "'fair' is no way to attribute carbon. Choose from: shapley, sampled, temporal"),
        (lambda: method_shares(of([[0.0, 0.0]]), "reserved"), "no tenant asks for anything at any time, so nobody can be charged"),
        (lambda: method_shares(of([[1.0]]), "usage"), "only demand is known. Give --used FILE"),
        (lambda: method_shares(of([[1.0]]), "shapley", splits=(1,)), "belong to method temporal"),
        (lambda: attribute_carbon(of([[1.0]]), "shapley", embodied_g=-1.0), "offsets never subtract"),
        (lambda: attribute_carbon(of([[1.0]]), "shapley", embodied_g=math.nan), "is below 0 or not finite"),
        (lambda: attribute_carbon(of([[4.0]]), "shapley", capacity=3.0), "capacity=3 is below the peak of 4"),
        (lambda: attribute_carbon(of([[4.0]]), "shapley", idle_rule="fair"), "'fair' is no rule for idle capacity"),
        (lambda: Demand(tenants=(), demand_TN=np.zeros((2, 0))), "there is no tenant to attribute carbon to"),
        (lambda: Demand(tenants=("a", "a"), demand_TN=np.ones((2, 2))), "tenant 'a' is named 2 times"),
        (lambda: of([[1.0, -1.0]]), "nobody asks for less than nothing"),
        (lambda: of([[1.0, math.nan]]), "no finite number"),
        (lambda: energy_shares([[2.0]], [[1.0]], capacity=1.0, idle_share=0.5), "capacity=1 is less than the 2 that is reserved"),
        (lambda: energy_shares([[2.0]], [[1.0]], capacity=2.0, idle_share=1.5), "idle_share=1.5 is not between 0 and 1"),
        (lambda: seating_shares([1.0], [[0.0]]), "1 pieces of work have no neighbours"),
        (lambda: seating_shares([1.0, 0.0], np.zeros((2, 2))), "a time is not above 0"),
        (lambda: seating_shares([1.0, 1.0], [[0.0, -0.1], [0.0, 0.0]]), "a slowdown is below 0"),
        (lambda: interference_shares([1.0, 1.0], np.zeros((2, 2)), np.zeros((2, 2))), "work 0 was measured beside nobody"),
        (lambda: paid_for_time([1.0, 1.0], np.zeros((2, 2)), [(0, 0)]), "somebody is in two pairs"),
    ],
)
def test_questions_without_an_answer(call: Any, message: str) -> None:
    with pytest.raises(BadValue, match=message):
        call()


@pytest.mark.parametrize("count", [4, 6])
def test_formula_neighbours_shares_are_those_of_the_definition(count: int) -> None:
    """All orders of arrival, seats filled two by two; the value of a set depends on its order, as the game says."""
    random = np.random.default_rng(count)
    time, slow = random.random(count) + 0.5, random.random((count, count))

    def cost(order: Any) -> float:
        pairs, rest = list(zip(order[::2], order[1::2], strict=False)), order[-1:] if len(order) % 2 else ()
        return sum(0.5 * (time[i] * (1 + slow[i, j]) + time[j] * (1 + slow[j, i])) for i, j in pairs) + sum(0.5 * time[i] for i in rest)

    oracle = np.array(by_orders(count, cost))
    np.testing.assert_allclose(seating_shares(time, slow), oracle / oracle.sum(), rtol=1e-9)
    whole = np.mean([cost(order) for order in itertools.permutations(range(count))])
    assert oracle.sum() == pytest.approx(whole)


def test_formula_a_noisy_neighbour_pays_for_its_noise() -> None:
    slow = np.zeros((3, 3))
    slow[[1, 2], 0] = 0.5  # 0 slows the others and is not slowed itself
    time = np.ones(3)
    assert paid_for_time(time, slow, [(0, 1)]).argmax() == 1  # the bill goes to the victim
    fair = seating_shares(time, slow)
    np.testing.assert_allclose(fair, np.array([1.25, 1.125, 1.125]) / 3.5)
    np.testing.assert_allclose(interference_shares(time, slow, ~np.eye(3, dtype=bool)), fair)

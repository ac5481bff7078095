"""Shapley's value against its definition, its axioms, and what is published of it."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from tests.lenses.carbon.attribution.oracles import by_orders, by_subsets, peak_of

from thrifty.errors import BadValue
from thrifty.lenses.carbon.attribution import airport_shares, exact_shapley, period_shares, sampled_shapley, time_shares
from thrifty.lenses.carbon.attribution.games import capacity, coalition_peaks
from thrifty.lenses.carbon.attribution.games.sampling import student_t

AMOUNTS = st.floats(min_value=0.0, max_value=100.0).map(lambda value: round(value, 3))


def tables(most_steps: int = 5, most_tenants: int = 7) -> st.SearchStrategy[np.ndarray]:
    shapes = st.tuples(st.integers(1, most_steps), st.integers(1, most_tenants))
    return shapes.flatmap(lambda shape: npst.arrays(np.float64, shape, elements=AMOUNTS))


@given(tables())
@settings(max_examples=60, deadline=None)
def test_property_exact_shares_are_those_of_the_definition(demand: np.ndarray) -> None:
    oracle = by_subsets(demand.shape[1], peak_of(demand.tolist()))
    np.testing.assert_allclose(exact_shapley(demand), oracle, atol=1e-9)
    np.testing.assert_allclose(exact_shapley(demand, compiled=False), oracle, atol=1e-9)


def test_formula_two_enumerations_agree() -> None:
    demand = np.random.default_rng(5).random((4, 6)).tolist()
    assert by_subsets(6, peak_of(demand)) == pytest.approx(by_orders(6, peak_of(demand)))


@given(tables(most_tenants=9), st.randoms())
@settings(max_examples=60, deadline=None)
def test_property_axioms(demand: np.ndarray, random: object) -> None:
    peak = demand.sum(axis=1).max()
    share = exact_shapley(demand)
    assert share.sum() == pytest.approx(peak, abs=1e-9)  # efficiency
    twins = exact_shapley(np.column_stack([demand, demand[:, 0]]))
    assert twins[0] == pytest.approx(twins[-1], abs=1e-9)  # symmetry
    null = exact_shapley(np.column_stack([demand, np.zeros(len(demand))]))
    assert null[-1] == 0.0
    np.testing.assert_allclose(null[:-1], share, atol=1e-9)  # a null player pays nothing and changes nothing
    order = np.random.default_rng(0).permutation(demand.shape[1])
    np.testing.assert_allclose(exact_shapley(demand[:, order]), share[order], atol=1e-9)
    np.testing.assert_allclose(exact_shapley(demand[::-1]), share, atol=1e-9)  # time has no order in this game
    np.testing.assert_allclose(exact_shapley(3 * demand), 3 * share, atol=1e-8)
    assert (share <= demand.max(axis=0) + 1e-9).all()  # nobody pays for more than hardware of its own would take


@given(tables(most_tenants=6), tables(most_tenants=6))
@settings(max_examples=40, deadline=None)
def test_property_additivity_over_two_sites(here: np.ndarray, there: np.ndarray) -> None:
    """Shares of the sum of two games are the sums of shares; the sum of two peaks is no peak, so the oracle takes it."""
    count = min(here.shape[1], there.shape[1])
    one, two = here[:, :count], there[:, :count]
    v, w = peak_of(one.tolist()), peak_of(two.tolist())
    together = by_subsets(count, lambda chosen: v(chosen) + w(chosen))
    np.testing.assert_allclose(exact_shapley(one) + exact_shapley(two), together, atol=1e-8)


@given(tables(most_tenants=6), AMOUNTS)
@settings(max_examples=40, deadline=None)
def test_property_monotone(demand: np.ndarray, more: float) -> None:
    """Whoever asks for more at every step does not pay less."""
    grown = demand.copy()
    grown[:, 0] += more
    assert exact_shapley(grown)[0] >= exact_shapley(demand)[0] - 1e-9


def test_formula_two_tenants_at_different_times_share_one_machine() -> None:
    assert exact_shapley([[4.0, 0.0], [0.0, 2.0]]).tolist() == [3.0, 1.0]  # the airport game of 4 and 2
    assert exact_shapley([[4.0, 2.0]]).tolist() == pytest.approx([4.0, 2.0])  # at the same time: each its own
    assert exact_shapley([[7.0]]).tolist() == [7.0]  # one tenant pays all
    assert exact_shapley([[0.0, 0.0]]).tolist() == [0.0, 0.0]


def test_paper_a_burst_that_makes_the_peak_pays_for_it() -> None:
    """The artefact's worked example: 1523 kg, jobs of 40 and 60 cores for 10 slots, one of 100 for slots 4 and 5."""
    demand = np.zeros((10, 3))
    demand[:, 0], demand[:, 1], demand[4:6, 2] = 40, 60, 100
    total = demand.sum(axis=1)
    temporal = (demand * (period_shares(total) / total)[:, None]).sum(axis=0)
    for share, published_kg in (
        (time_shares(demand), (507.7, 761.5, 253.8)), (exact_shapley(demand) / 200, (304.6, 456.9, 761.5)), (temporal, (380.8, 571.2, 571.2)),
    ):  # fmt: skip
        np.testing.assert_allclose(1523 * share, published_kg, atol=0.1)


@given(npst.arrays(np.float64, st.integers(1, 9), elements=AMOUNTS))
@settings(max_examples=60, deadline=None)
def test_property_airport_shares_are_those_of_the_definition(peaks: np.ndarray) -> None:
    oracle = by_subsets(len(peaks), lambda chosen: max((peaks[place] for place in chosen), default=0.0))
    np.testing.assert_allclose(airport_shares(peaks), oracle, atol=1e-9)
    assert airport_shares(peaks).sum() == pytest.approx(peaks.max(), abs=1e-9)


def test_formula_airport_shares_of_twelve_peaks() -> None:
    peaks = np.random.default_rng(3).random(12)
    oracle = by_subsets(12, lambda chosen: max((peaks[place] for place in chosen), default=0.0))
    np.testing.assert_allclose(airport_shares(peaks), oracle, atol=1e-11)


@given(st.sampled_from([(12,), (3, 4), (2, 2, 3), (1, 12), (4, 3)]), npst.arrays(np.float64, 12, elements=AMOUNTS).filter(np.any))
@settings(max_examples=80, deadline=None)
def test_property_periods_conserve_what_is_divided_and_idle_ones_get_nothing(splits: tuple[int, ...], demand: np.ndarray) -> None:
    share = period_shares(demand, splits)
    assert share.sum() == pytest.approx(1.0)
    assert (share >= 0).all()
    assert (share[demand == 0] == 0).all()


def test_formula_hierarchy_is_the_flat_rule_within_each_period() -> None:
    demand = np.array([1.0, 3.0, 2.0, 2.0, 5.0, 4.0])
    outer = airport_shares(np.array([3.0, 5.0])) * np.array([6.0, 11.0])
    outer /= outer.sum()
    inner = [airport_shares(part) * part for part in (demand[:3], demand[3:])]
    expected = np.concatenate([share * part / part.sum() for share, part in zip(outer, inner, strict=True)])
    np.testing.assert_allclose(period_shares(demand, (2, 3)), expected)


def test_formula_flat_demand_is_shared_evenly_over_thirty_days_of_five_minutes() -> None:
    np.testing.assert_allclose(period_shares(np.full(8640, 7.0), (10, 9, 8, 12)), 1 / 8640)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exact_shapley(np.zeros((3, 0))), "there is no tenant to attribute carbon to"),
        (lambda: exact_shapley(np.zeros((0, 3))), "demand has no step of time"),
        (lambda: exact_shapley([1.0, 2.0]), r"demand has shape \(2,\)"),
        (lambda: exact_shapley([[1.0, -2.0]]), "demand falls to -2, and nobody asks for less than nothing"),
        (lambda: exact_shapley([[1.0, math.nan]]), "demand has a value that is no finite number"),
        (lambda: exact_shapley(np.ones((2, 23))), "23 tenants have 2^23 coalitions; up to 22 are counted exactly. Choose --method sampled"),
        (lambda: coalition_peaks(np.ones((2, 23))), "up to 22 are counted"),
        (lambda: sampled_shapley([[1.0, 2.0]], blocks=5), "5 blocks of orders are too few for an error bar"),
        (lambda: sampled_shapley([[1.0, 2.0]], level=1.0), "a level of 1.0 is not between 0 and 1"),
        (lambda: airport_shares([]), "there is no period to share carbon between"),
        (lambda: airport_shares([1.0, -1.0]), "a peak is negative or no number"),
        (lambda: period_shares(np.zeros(4)), "nobody demands anything at any step"),
        (lambda: period_shares([1.0, math.nan]), "demand is negative or no number at a step"),
        (lambda: period_shares(np.ones(10), (3, 3)), "splits 3×3 make 9 steps, and there are 10"),
    ],
)
def test_questions_without_an_answer(call: object, message: str) -> None:
    with pytest.raises(BadValue, match=message.replace("^", r"\^")):
        call()  # type: ignore[operator]


def test_null_tenants_do_not_count_towards_the_most() -> None:
    demand = np.zeros((2, 40))
    demand[:, :3] = [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]
    np.testing.assert_allclose(exact_shapley(demand)[:3], exact_shapley(demand[:, :3]))


def test_without_numba_the_same_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    demand = np.random.default_rng(1).random((24, 10))
    with_numba = exact_shapley(demand)
    monkeypatch.setitem(sys.modules, "numba", None)
    capacity._kernel.cache_clear()
    try:
        np.testing.assert_allclose(exact_shapley(demand), with_numba, rtol=1e-12)
    finally:
        capacity._kernel.cache_clear()


def test_formula_coalition_peaks_by_hand() -> None:
    assert coalition_peaks([[1.0, 2.0], [3.0, 0.5]]).tolist() == [0.0, 3.0, 2.0, 3.5]


@given(tables(most_tenants=9), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_property_sampled_shares_sum_to_the_peak_and_null_tenants_pay_nothing(demand: np.ndarray, seed: int) -> None:
    demand = np.column_stack([demand, np.zeros(len(demand))])
    found = sampled_shapley(demand, blocks=10, seed=seed)
    assert found.share_N.sum() == pytest.approx(demand.sum(axis=1).max(), abs=1e-9)
    assert found.share_N[-1] == found.half_N[-1] == 0.0


def test_formula_error_bars_hold_the_value_as_often_as_they_say() -> None:
    """300 independent estimates of 8 tenants' shares: the exact one lies within 95 % intervals in 93 to 97 % of 2400 cases, within 80 % ones in 77 to 83."""
    random = np.random.default_rng(11)
    for level, low, high in ((0.95, 0.93, 0.97), (0.8, 0.77, 0.83)):
        inside = []
        for seed in range(300):
            demand = random.random((6, 8)) * random.integers(0, 2, (6, 8))
            exact, found = exact_shapley(demand), sampled_shapley(demand, blocks=24, seed=seed, level=level)
            free = found.half_N > 1e-12
            inside += (np.abs(found.share_N - exact)[free] <= found.half_N[free]).tolist()
        assert low <= np.mean(inside) <= high, (level, np.mean(inside), len(inside))


def test_formula_error_bars_shrink_with_the_root_of_the_blocks() -> None:
    demand = np.random.default_rng(2).random((12, 40))
    few, many = sampled_shapley(demand, blocks=32), sampled_shapley(demand, blocks=512, seed=1)
    assert 3.3 < few.half_N.mean() / many.half_N.mean() < 4.9
    assert (np.abs(few.share_N - many.share_N) <= 2.5 * few.half_N).all()


@pytest.mark.parametrize(("level", "freedom", "published"), [(0.95, 9, 2.262), (0.95, 30, 2.042), (0.99, 15, 2.947), (0.8, 9, 1.383)])
def test_paper_students_t(level: float, freedom: int, published: float) -> None:
    assert student_t(level, freedom) == pytest.approx(published, rel=1e-3)

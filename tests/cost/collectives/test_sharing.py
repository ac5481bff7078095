"""Several collectives on one tier, and computing beside a collective."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.collectives import communication_tax, fair_shares, finish_seconds, sharing_factors, taxed_compute_seconds
from thrifty.errors import BadValue


@pytest.mark.parametrize(
    ("demands", "capacity", "shares"),
    [
        ([10, 10], 10, [5, 5]),
        ([2, 10, 10], 12, [2, 5, 5]),
        ([1, 2], 10, [1, 2]),
        ([math.inf, 1, math.inf], 9, [4, 1, 4]),
        ([0, 5], 4, [0, 4]),
        ([], 4, []),
    ],
)
def test_formula_fair_shares(demands: list[float], capacity: float, shares: list[float]) -> None:
    assert fair_shares(demands, capacity).tolist() == pytest.approx(shares)


@given(demands=st.lists(st.floats(0, 1e3), min_size=1, max_size=6), capacity=st.floats(0.1, 1e3))
def test_property_fair_shares_fill_the_tier_and_nobody_starves(demands: list[float], capacity: float) -> None:
    shares = fair_shares(demands, capacity)
    assert (shares <= np.array(demands) * (1 + 1e-9) + 1e-9).all()
    assert shares.sum() == pytest.approx(min(capacity, sum(demands)), rel=1e-9, abs=1e-9)
    short = shares < np.array(demands) * (1 - 1e-6) - 1e-6
    assert (shares[short] >= shares.max(initial=0) * (1 - 1e-6)).all()


def test_formula_two_flows_share_then_one_has_all() -> None:
    assert finish_seconds([0, 0], [[10.0], [30.0]], [10.0]).tolist() == pytest.approx([2.0, 4.0])


def test_formula_latency_lets_the_other_go_first() -> None:
    assert finish_seconds([0, 1], [[20.0], [10.0]], [10.0]).tolist() == pytest.approx([3.0, 3.0])


def test_formula_flows_on_different_tiers_do_not_meet() -> None:
    assert finish_seconds([0.5, 0], [[10.0, 0.0], [0.0, 30.0]], [10.0, 10.0]).tolist() == pytest.approx([1.5, 3.0])


def test_formula_nothing_to_move_takes_the_latency() -> None:
    assert finish_seconds([0.25], [[0.0]], [10.0]).tolist() == [0.25]


@given(
    flows=st.lists(st.tuples(st.floats(0, 2), st.floats(0, 50), st.floats(0, 50)), min_size=1, max_size=5),
    bandwidth=st.tuples(st.floats(0.5, 20), st.floats(0.5, 20)),
)
def test_property_sharing_is_between_alone_and_one_after_another(flows: list[tuple[float, float, float]], bandwidth: tuple[float, float]) -> None:
    latency, volume = np.array([flow[0] for flow in flows]), np.array([flow[1:] for flow in flows])
    transfer = (volume / np.array(bandwidth)).max(axis=1)
    finish = finish_seconds(latency, volume, bandwidth)
    assert (finish >= (latency + transfer) * (1 - 1e-9) - 1e-12).all()
    assert finish.max() >= (volume.sum(axis=0) / np.array(bandwidth)).max() * (1 - 1e-9) - 1e-12
    assert finish.max() <= (latency.max() + transfer.sum()) * (1 + 1e-6) + 1e-9


def test_formula_compute_beside_a_collective() -> None:
    assert taxed_compute_seconds([9.0, 1.0, 1.0], [1.0, 9.0, 0.0], 0.1).tolist() == pytest.approx([9.1, 1 / 0.9, 1.0])


def test_tax_is_from_literature() -> None:
    assert (communication_tax("low"), communication_tax()) == (0.02, 0.15)
    with pytest.raises(BadValue, match=r"^tax level is 'none'\. Choose from: low, high\.$"):
        communication_tax("none")  # type: ignore[arg-type]


def test_factors_count_who_crosses_each_tier() -> None:
    assert sharing_factors([[0, 1], [1], [1]], 3) == (1.0, 3.0, 1.0)
    with pytest.raises(BadValue, match=r"^tier 3 does not exist\. Number them from 0 to 2, innermost first\.$"):
        sharing_factors([[3]], 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fair_shares([1.0], 0.0), "capacity is 0.0. Give a finite number above 0."),
        (lambda: fair_shares([-1.0], 1.0), "demands are not a row of numbers of at least 0. Give one a user, inf for as much as there is."),
        (lambda: finish_seconds([0.0], [[1.0, 1.0]], [1.0]), "shapes (1,), (1, 2) and (1,) do not fit. Give (C,), (C, T) and (T,)."),
        (lambda: finish_seconds([0.0], [[-1.0]], [1.0]), "latencies and volumes must be finite numbers, 0 or more. Mend them."),
        (lambda: finish_seconds([0.0], [[1.0]], [0.0]), "bandwidths must be finite numbers above 0. Mend them."),
        (lambda: taxed_compute_seconds(1.0, 1.0, 1.0), "tax is 1.0. Give a share of the compute units, at least 0 and below 1."),
        (lambda: taxed_compute_seconds(-1.0, 1.0, 0.1), "compute_s and communication_s must be numbers of at least 0. Mend them."),
    ],
)
def test_bad_values_are_refused(call: object, message: str) -> None:
    with pytest.raises(BadValue) as caught:
        call()  # type: ignore[operator]
    assert str(caught.value) == message

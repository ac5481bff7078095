"""Devices under caps: closed forms, a queue simulated bit by bit, and the best caps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.errors import BadValue
from thrifty.hardware import load
from thrifty.levers.steward.schedule.capping import CappedDevice, best_caps, respond, serve
from thrifty.levers.steward.schedule.capping.controlling import least_of

CHIP = CappedDevice(name="chip", idle_w=100, full_w=700, exponent=1 / 3)
SQUARE = CappedDevice(name="square", idle_w=0, full_w=1000, exponent=0.5)


def test_formula_speed_and_power_are_each_other_s_inverse_and_concave() -> None:
    caps = np.linspace(100, 700, 50)
    speed = CHIP.speed(caps)
    assert CHIP.power_w(speed) == pytest.approx(caps)
    assert CHIP.speed([100 + 600 / 8]) == pytest.approx([0.5])
    assert (np.diff(speed, 2) <= 1e-12).all()
    assert CHIP.speed([9000]) == pytest.approx([1.0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=12), st.lists(st.integers(1, 8), min_size=12, max_size=12), st.integers(0, 4))
def test_property_the_queue_equals_one_of_bits(demand: list[int], speed: list[int], allowed: int) -> None:
    linear = CappedDevice(name="linear", idle_w=0, full_w=8, exponent=1)
    found = serve(linear, np.array(demand) / 8, np.array(speed[: len(demand)], dtype=float), allowed=allowed)
    queue: list[int] = []
    late = waits = 0
    for t, new in enumerate(demand):
        queue += [t] * new
        done, queue = queue[: speed[t]], queue[speed[t] :]
        late += sum(t - came > allowed for came in done)
        waits += sum(t - came for came in done)
        assert found.waiting_T[t] == pytest.approx(len(queue) / 8)
    late += len(queue)
    waits += sum(len(demand) - came for came in queue)
    total = sum(demand)
    assert found.late == pytest.approx(late / total if total else 0)
    assert found.mean_delay == pytest.approx(waits / total if total else 0)


def test_formula_racing_and_resting_draws_a_share_of_the_cap() -> None:
    found = serve(CHIP, [0.5, 0.25], [700, 175])
    assert found.power_w_T == pytest.approx([100 + 0.5 * 600, 100 + 0.5 * 75])


def test_formula_speed_goes_inversely_with_intensity_where_power_is_a_square() -> None:
    # min a x^2 + b y^2 with x + y = 1: x = b / (a + b).
    found = best_caps(SQUARE, [1.0, 0.0], np.array([1.0, 3.0]), allowed=1)
    assert found.speed_T == pytest.approx([0.75, 0.25], abs=0.01)
    assert found.value == pytest.approx(1000 * (0.75**2 + 3 * 0.25**2), rel=1e-3)
    assert found.bound <= found.value <= found.bound * (1 + 1e-4)


def test_formula_even_work_at_even_intensity_runs_evenly() -> None:
    demand = np.array([1.0, 0.2, 0.6, 0.2])
    found = best_caps(SQUARE, demand, np.ones(4), allowed=4)
    assert found.speed_T == pytest.approx(np.full(4, 0.5), abs=0.01)


def test_no_waiting_means_the_speed_that_each_slot_needs() -> None:
    found = best_caps(CHIP, [0.3, 0.9], np.array([1.0, 1.0]))
    assert found.speed_T == pytest.approx([0.3, 0.9])


def test_property_patience_and_less_throughput_never_cost() -> None:
    draw = np.random.default_rng(0)
    demand, grams = draw.uniform(0.2, 0.8, size=48), draw.uniform(100, 400, size=48)
    values = [best_caps(CHIP, demand, grams, allowed=allowed).value for allowed in (0, 1, 4, 12)]
    assert values == sorted(values, reverse=True)
    assert best_caps(CHIP, demand, grams, allowed=4, throughput=0.9).value < values[2]


def test_best_caps_as_a_change_keep_their_promise() -> None:
    draw = np.random.default_rng(1)
    demand, grams = draw.uniform(0.2, 0.8, size=72), 250 + 100 * np.sin(np.arange(72) / 4)
    found = respond(CHIP, demand, grams, step_h=1.0, allowed=3)
    assert found.after.late == pytest.approx(0, abs=1e-6)
    assert found.after.left == pytest.approx(0, abs=1e-6)
    d = found.decision.to_dict()
    assert d["after"]["carbon_gco2e"]["mid"] < d["before"]["carbon_gco2e"]["mid"]
    assert d["certificate"]["gap"] < 2e-4
    assert d["plan"]["avoided_gco2e"] == pytest.approx(d["before"]["carbon_gco2e"]["mid"] - d["after"]["carbon_gco2e"]["mid"])


def test_demand_response_says_who_waits() -> None:
    demand, caps = np.full(24, 0.8), np.full(24, 700.0)
    caps[17:21] = 250
    found = respond(CHIP, demand, np.full(24, 300.0), step_h=1.0, cap_w_T=caps, usd_T=np.full(24, 0.2), allowed=0)
    certificate = found.decision.certificate
    assert certificate is not None
    assert 0 < certificate.bound <= certificate.value
    assert found.before.late == 0
    assert 0 < found.after.late < 0.5
    assert found.after.waiting_T[20] == pytest.approx(4 * (0.8 - (150 / 600) ** (1 / 3)))
    assert found.decision.plan["avoided_usd"] == pytest.approx(found.decision.plan["avoided_gco2e"] / 300 * 0.2)


@pytest.mark.parametrize(("call", "message"), [
    (lambda: CHIP.speed([50.0]), r"a cap of 50 W is below the 100 W that chip draws at rest\. Raise it\."),
    (lambda: CHIP.speed([float("nan")]), r"a cap of nan W is below"),
    (lambda: serve(CHIP, [-0.1], [700.0]), r"demand has a step that is negative or not a number"),
    (lambda: serve(CHIP, [float("nan")], [700.0]), r"demand has a step that is negative or not a number"),
    (lambda: best_caps(CHIP, [1.5, 1.5], np.ones(2)), r"even at full speed chip cannot do 100% of this demand within 0 slots"),
    (lambda: best_caps(CHIP, [0.5], np.ones(1), throughput=0), r"throughput=0 cannot be"),
    (lambda: respond(CHIP, [0.5], np.ones(2), step_h=1.0), r"demand has 1 steps and the period 2"),
    (lambda: respond(CHIP, [0.5], np.ones(1), step_h=1.0, cap_w_T=[1, 2]), r"2 caps do not fit 1 steps"),
    (lambda: CappedDevice(name="x", idle_w=9, full_w=9, exponent=1), r"x idles at 9 W and draws 9 W at full speed"),
    (lambda: CappedDevice(name="x", idle_w=1, full_w=9, exponent=2), r"exponent=2 of speed over power cannot be"),
])  # fmt: skip
def test_bad_inputs(call: object, message: str) -> None:
    with pytest.raises(BadValue, match=message):
        call()  # type: ignore[operator]


def test_the_pack_states_the_exponent() -> None:
    device = load("h100-sxm5")
    found = CappedDevice.of(device, idle_w=70)
    assert (found.full_w, found.exponent) == (device.tdp_w, pytest.approx(1 / 3))


@pytest.mark.parametrize("exponent", [1.0, 0.5, 1 / 3])
def test_property_no_caps_do_the_same_work_with_less(exponent: float) -> None:
    rng = np.random.default_rng(3)
    chip = CappedDevice(name="chip", idle_w=100, full_w=700, exponent=exponent)
    grams = rng.uniform(0, 0.5, 12) * (rng.random(12) > 0.2)
    for _ in range(200):
        speed = rng.random(12)
        assert least_of(chip, float(speed.sum()), grams) <= float(grams @ chip.power_w(speed)) + 1e-9
    # Equal intensity: the even speed is best where slowing saves, and the bound meets it.
    assert least_of(chip, 6.0, np.full(12, 0.2)) == pytest.approx(0.2 * float(chip.power_w(np.full(12, 0.5)).sum()))

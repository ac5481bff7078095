"""The closed form against the straight loop over minutes, on random years and batteries; NumPy against Numba; what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.carbon.supply import Battery, replay, replay_many
from thrifty.cost.carbon.supply import loops as both
from thrifty.errors import BadValue


def minutes(net_T, battery: Battery, step_h: float, level: float):
    """The model as published: small steps, one after the other."""
    tau = 1 / battery.steps_per_hour
    most_in, most_out = battery.c_charge * battery.capacity_mwh / battery.eta_c, battery.c_discharge * battery.capacity_mwh / battery.eta_d
    unmet, spilled, levels = [], [], []
    for net in net_T:
        open_mwh = lost = 0.0
        for _ in range(round(step_h * battery.steps_per_hour)):
            if net > 0:
                p = min(net, most_in, (battery.v_u * battery.capacity_mwh - level) / (battery.eta_c * tau - battery.u_u))
                level += battery.eta_c * p * tau
                lost += (net - p) * tau
            else:
                p = min(-net, most_out, (level - battery.v_l * battery.capacity_mwh) / (battery.u_l + battery.eta_d * tau))
                level -= battery.eta_d * p * tau
                open_mwh += (-net - p) * tau
        unmet.append(open_mwh)
        spilled.append(lost)
        levels.append(level)
    return np.array(unmet), np.array(spilled), np.array(levels)


batteries = st.builds(
    Battery, capacity_mwh=st.sampled_from([0.0, 0.3, 7.0, 100.0]), c_charge=st.floats(0.05, 4), c_discharge=st.floats(0.05, 4), eta_c=st.floats(0.5, 1),
    eta_d=st.floats(1, 2), u_u=st.sampled_from([0.0, -0.04, -0.125, -1.0]), v_u=st.floats(0.6, 1), u_l=st.sampled_from([0.0, 0.01, 0.05, 1.0]),
    v_l=st.floats(0, 0.5), steps_per_hour=st.sampled_from([1, 4, 60, 240]),
)  # fmt: skip


@given(battery=batteries, seed=st.integers(0, 10**6), full=st.floats(0, 1), step_h=st.sampled_from([1.0, 2.0]))
def test_formula_the_closed_form_is_the_loop_over_small_steps(battery: Battery, seed: int, full: float, step_h: float) -> None:
    rng = np.random.default_rng(seed)
    net = rng.normal(0, rng.choice([0.01, 1, 30, 500]), 30) * (rng.random(30) > 0.1)
    bottom, top = battery.levels()
    level = min(top, bottom + full * (top - bottom))
    found, (unmet, spilled, levels) = replay(net, battery, step_h, level), minutes(net, battery, step_h, level)
    assert np.abs(found.unmet_mwh_T - unmet).max() < 1e-9
    assert np.abs(found.spilled_mwh_T - spilled).max() < 1e-9
    assert np.abs(found.level_mwh_T - levels).max() < 1e-9


def test_formula_a_year_is_the_loop_over_minutes() -> None:
    rng = np.random.default_rng(5)
    net = np.cumsum(rng.normal(0, 4, 8784)) * 0.2 % 60 - 30
    battery = Battery.of(100)
    found, (unmet, spilled, levels) = replay(net, battery, level_mwh=40), minutes(net, battery, 1.0, 40)
    assert np.abs(found.level_mwh_T - levels).max() < 1e-9
    assert np.abs(found.unmet_mwh_T - unmet).max() < 1e-9
    assert np.abs(found.spilled_mwh_T - spilled).max() < 1e-9
    assert 0 < found.unmet_mwh < np.maximum(-net, 0).sum()


def test_formula_one_hour_by_hand() -> None:
    """1 MW into 10 MWh: all 60 steps at full power, 0.97 MWh more; then 1 MW out for half of what is there."""
    found = replay([1.0, -0.5], Battery.of(10))
    assert found.level_mwh_T == pytest.approx([0.97, 0.97 - 0.52], abs=1e-12)
    assert found.spilled_mwh_T == pytest.approx([0, 0], abs=1e-12)
    assert found.unmet_mwh_T == pytest.approx([0, 0], abs=1e-12)
    assert found.discharged_mwh == pytest.approx(0.52)


@given(battery=batteries, seed=st.integers(0, 10**6))
def test_property_energy_is_conserved_and_the_level_stays_within(battery: Battery, seed: int) -> None:
    net = np.random.default_rng(seed).normal(0, 30, 48)
    found = replay(net, battery)
    bottom, top = battery.levels()
    slack = 1e-9 * max(1, battery.capacity_mwh)
    assert (found.level_mwh_T >= bottom - slack).all() and (found.level_mwh_T <= top + slack).all()
    moves = np.diff(found.level_mwh_T, prepend=found.start_mwh)
    taken, given_ = np.maximum(net, 0) - found.spilled_mwh_T, np.maximum(-net, 0) - found.unmet_mwh_T
    assert taken * battery.eta_c - given_ * battery.eta_d == pytest.approx(moves, abs=1e-7)


@pytest.mark.parametrize("flexible", [0.0, 0.4])
def test_formula_many_configurations_are_single_replays_with_and_without_numba(flexible: float) -> None:
    rng = np.random.default_rng(2)
    hours, count = 24 * 9 + 7, 25
    load, sun, wind, weights = 10 + rng.random(hours), rng.random(hours), rng.random(hours), rng.random(hours)
    rated = {"solar_mw_N": rng.uniform(0, 40, count), "wind_mw_N": rng.uniform(0, 40, count), "battery_mwh_N": rng.uniform(0, 90, count)}
    rated["battery_mwh_N"][:3] = 0
    days = np.arange(hours) // 24
    more = {"flexible_share": flexible, "cap_mw_N": rng.uniform(12, 25, count), "days_T": days} if flexible else {}
    ways = [
        replay_many(load, sun, wind, **rated, battery=Battery.of(0), weights_T=weights, start_share=0.5, compiled=compiled, threads=threads, **more)
        for compiled, threads in ((None, 1), (False, 1), (None, 3))
    ]
    for name in ("unmet_mwh_N", "spilled_mwh_N", "weighted_N", "discharged_mwh_N", "level_mwh_N"):
        first = getattr(ways[0], name)
        assert all(np.abs(first - getattr(way, name)).max() < 1e-9 for way in ways)
    if flexible:
        return
    for i in range(count):
        net = rated["solar_mw_N"][i] * sun + rated["wind_mw_N"][i] * wind - load
        one = replay(net, Battery.of(rated["battery_mwh_N"][i]), level_mwh=0.5 * rated["battery_mwh_N"][i])
        assert ways[0].unmet_mwh_N[i] == pytest.approx(one.unmet_mwh, abs=1e-9)
        assert ways[0].weighted_N[i] == pytest.approx(float(one.unmet_mwh_T @ weights), abs=1e-9)
        assert ways[0].discharged_mwh_N[i] == pytest.approx(one.discharged_mwh, abs=1e-9)


def test_formula_the_loops_say_the_same_uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """The functions behind the compiled ones are what runs where Numba is not installed."""
    if not both.COMPILED:
        pytest.skip("Numba is not installed: the loops already run uncompiled")
    net, battery = np.random.default_rng(0).normal(0, 30, 300), Battery.of(50)
    compiled = replay(net, battery)
    monkeypatch.setattr(both, "moved", both.moved.py_func)
    monkeypatch.setattr(both, "replay_one", both.replay_one.py_func)
    plain = replay(net, battery)
    assert np.abs(compiled.level_mwh_T - plain.level_mwh_T).max() < 1e-12


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"eta_c": 1.1}, "battery: eta_c=1.1 is not above 0 and at most 1: no battery stores more than it is given. Mend it."),
        ({"eta_d": 0.9}, "battery: eta_d=0.9 is not at least 1: no battery gives more than it stores. Mend it."),
        ({"u_u": 0.1}, "battery: u_u=0.1 is not 0 or below: power falls towards full. Mend it."),
        ({"v_l": 1.0}, "battery: v_l=1.0 and v_u=1.0 are no range of charge. Give 0 ≤ v_l < v_u ≤ 1."),
        ({"c_charge": 0.0}, "battery: c_charge=0.0 is not above 0. Mend it."),
        ({"u_l": float("nan")}, "battery: u_l=nan is not a finite number. Mend it."),
        ({"steps_per_hour": 0}, "battery: steps_per_hour=0 is not a whole number from 1 to 3600. Mend it."),
    ],
)  # fmt: skip
def test_a_battery_that_cannot_be_is_refused(change: dict[str, float], said: str) -> None:
    with pytest.raises(BadValue) as error:
        Battery.of(1, **change)
    assert str(error.value) == said


def test_bad_questions_are_refused() -> None:
    battery = Battery.of(10)
    with pytest.raises(BadValue, match=r"net_mw_T has nan at place 1. Give finite numbers."):
        replay([1.0, float("nan")], battery)
    with pytest.raises(BadValue, match=r"level_mwh=11 is outside the battery's 0 to 10 MWh. Start within."):
        replay([1.0], battery, level_mwh=11)
    with pytest.raises(BadValue, match=r"step_h=0.01 does not hold a whole number of the battery's 60 steps an hour"):
        replay([1.0], battery, step_h=0.01)
    with pytest.raises(BadValue, match=r"capacity_mwh=-1.0 is not 0 or more"):
        Battery.of(-1)
    with pytest.raises(BadValue, match=r"battery chemistry 'lead' is unknown. Choose from: li-ion, li-ion-slow."):
        Battery.of(1, "lead")
    rated = {"solar_mw_N": [1.0], "wind_mw_N": [1.0], "battery_mwh_N": [1.0], "battery": battery}
    with pytest.raises(BadValue, match=r"wind_share_T has shape \(1,\). Give one number a step, 2 of them."):
        replay_many([1.0, 2.0], [1.0, 1.0], [1.0], **rated)
    with pytest.raises(BadValue, match=r"solar_mw_N has -1.0 at place 0. Give finite numbers of at least 0."):
        replay_many([1.0], [1.0], [1.0], **{**rated, "solar_mw_N": [-1.0]})
    with pytest.raises(BadValue, match=r"flexible_share=0.4 needs cap_mw_N and days_T"):
        replay_many([1.0], [1.0], [1.0], **rated, flexible_share=0.4)
    with pytest.raises(BadValue, match=r"cap_mw_N=0.5 is below the load's 1 MW"):
        replay_many([1.0], [1.0], [1.0], **rated, flexible_share=0.4, cap_mw_N=[0.5], days_T=[0])

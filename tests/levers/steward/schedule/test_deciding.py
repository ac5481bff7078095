"""Decisions: before and after, what must not decide, and what must."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.levers.steward.schedule.problems import job, place, problem

from thrifty.levers.steward.schedule import decide, parse_job, place_of
from thrifty.levers.steward.schedule.asking.problem import Problem


def test_formula_before_runs_at_release_and_after_in_the_greenest_hours() -> None:
    found = decide(problem([job("a", 2, 0, 6, kw=3)], place([400, 400, 100, 100, 400, 400], pue=1.5, usd_per_kwh=0.1)))
    d = found.decision.to_dict()
    assert d["before"]["carbon_gco2e"]["mid"] == pytest.approx(3 * 2 * 400 * 1.5)
    assert d["after"]["carbon_gco2e"]["mid"] == pytest.approx(3 * 2 * 100 * 1.5)
    assert d["before"]["energy_j"] == d["after"]["energy_j"] == pytest.approx(6 * 3.6e6)
    assert d["after"]["cost_usd"] == pytest.approx(6 * 0.1 * 1.5)
    assert d["plan"]["saving"] == pytest.approx(0.75)
    assert d["plan"]["jobs"][0]["runs"] == [{"place": "home", "from": "2020-03-02T02:00:00+00:00", "to": "2020-03-02T04:00:00+00:00", "servers": 1.0}]
    assert d["certificate"] == {"value": pytest.approx(900), "bound": pytest.approx(900), "gap": 0.0, "unit": "gCO2e", "by": d["certificate"]["by"]}
    assert d["before"]["quality"]["mean_hours_from_release_to_end"] == {"value": 2.0, "better": "lower"}
    assert d["after"]["quality"]["mean_hours_from_release_to_end"]["value"] == 4.0
    json.dumps(d, allow_nan=False)


def test_making_of_machines_that_exist_decides_nothing_unless_asked() -> None:
    grid = [100.0] * 4
    old, new = place(grid, "old", power_scale=1.5, embodied_g_per_h=0.0), place(grid, "new", embodied_g_per_h=400.0)
    p = problem([job("a", 2, 0, 4)], old, new)
    by_operation = decide(p)
    assert by_operation.after.place_J(p).tolist() == [1]
    assert any("left out of the placement (sunk)" in note for note in by_operation.decision.notes)
    dearer = replace(new, embodied_g_per_h=1e6)
    assert decide(problem([job("a", 2, 0, 4)], old, dearer)).after.place_J(p).tolist() == [1]
    asked = decide(p, embodied=True)
    assert asked.after.place_J(p).tolist() == [0]
    assert any("don't choose existing machines by it" in note for note in asked.decision.notes)
    assert asked.decision.change.after.carbon_gco2e.mid == pytest.approx(2 * 1.5 * 100)


def real(text: str) -> Problem:
    place_ = place_of("us-california")
    from zoneinfo import ZoneInfo

    return Problem.of(parse_job(text, ZoneInfo(place_.zone)), [place_])


def test_shuffled_hours_change_the_schedule_and_a_yearly_average_saves_nothing() -> None:
    p = real("name=n,power=1 kW,duration=2 h,release=2020-02-03T01:00,slack=20 h,every=day,times=20,interruptible")
    shuffled = p.with_grams(np.random.default_rng(0).permutation(p.grams_PT[0])[None])
    flat = p.with_grams(np.full_like(p.grams_PT, p.grams_PT.mean()))
    savings = [decide(each).saving for each in (p, shuffled, flat)]
    assert savings[0] > 0.3
    assert abs(savings[0] - savings[1]) > 0.05
    assert savings[2] == pytest.approx(0)


def test_pausing_is_never_worse_and_more_time_never_costs() -> None:
    text = "name=n,power=1 kW,duration=14 h,release=2020-05-04T09:00,slack={} h{}"
    asked = [(slack, pausing) for slack in (0, 8, 40) for pausing in ("", ",interruptible")]
    carbon = {each: decide(real(text.format(*each))).decision.change.after.carbon_gco2e.mid for each in asked}
    assert carbon[0, ""] == pytest.approx(carbon[0, ",interruptible"])
    assert carbon[40, ""] <= carbon[8, ""] <= carbon[0, ""]
    assert carbon[40, ",interruptible"] < carbon[40, ""]


def test_the_change_of_clocks_takes_an_hour_from_nobody() -> None:
    # From Saturday evening to Sunday noon of the spring change there are 15 hours, not 16.
    p = real("name=n,power=1 kW,duration=15 h,release=2020-03-07T20:00,deadline=2020-03-08T12:00")
    assert p.slots == 15
    with pytest.raises(Exception, match=r"job 'n': 16 h of work do not fit into the 15 h"):
        real("name=n,power=1 kW,duration=16 h,release=2020-03-07T20:00,deadline=2020-03-08T12:00")


def test_under_a_cap_before_comes_in_order_of_release() -> None:
    p = problem([job("a", 2, 0, 6), job("b", 2, 0, 6), job("c", 1, 1, 6)], place([1, 2, 3, 4, 5, 6], cap_w=1e3))
    found = decide(p)
    assert found.before.slot_R.tolist() == [0, 1, 2, 3, 4]
    assert found.decision.certificate is not None and found.decision.certificate.gap == pytest.approx(0, abs=1e-9)

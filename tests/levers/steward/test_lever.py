"""The lever that assess sees."""

from __future__ import annotations

import numpy as np
import pytest
from tests.cost.tables import little

from thrifty.cost import Case, Job
from thrifty.cost.carbon import CarbonModel
from thrifty.cost.carbon.series.grids import intensity_of_grid
from thrifty.hardware import load, load_site
from thrifty.levers import Refusal
from thrifty.levers.steward.lever import LONGER_YEARS, STEWARD, green_share
from thrifty.quantities import YEAR_S


def case(site: str) -> Case:
    return Case(job=Job.of(little(1, 512, "fp32")), device=load("t4"), site=load_site(site))


def test_green_hours_cut_what_running_emits_and_nothing_else() -> None:
    subject = case("us-california")
    offers = STEWARD.estimate(subject)
    assert not isinstance(offers, Refusal)
    best = offers[0]
    assert best.change == "any hour → the greenest 4 of each day"
    model, before = CarbonModel.of(subject.device, subject.site), subject.per_unit
    saved = (model.g_per_j * before.energy_j).mid * (1 - green_share("eia-cal", 4))
    assert best.before.carbon_gco2e.mid - best.after.carbon_gco2e.mid == pytest.approx(saved)
    assert best.factor("energy") == best.factor("time") == pytest.approx(1)
    assert best.command.startswith('thrifty steward schedule --site us-california --job "name=little,')


def test_formula_green_share_is_a_mean_over_days() -> None:
    values = intensity_of_grid("eia-nw").series.values_T
    days = [values[24 * d : 24 * d + 24] for d in range(len(values) // 24)]
    days = [day for day in days if not np.isnan(day).any()]
    assert green_share("eia-nw", 8) == pytest.approx(np.mean([np.sort(day)[:8].mean() for day in days]) / np.mean(days))


def test_a_yearly_average_offers_no_hours_only_a_longer_life() -> None:
    subject = case("france")
    offers = STEWARD.estimate(subject)
    assert not isinstance(offers, Refusal)
    (only,) = offers
    model, before = CarbonModel.of(subject.device, subject.site), subject.per_unit
    years = model.life_s.mid / YEAR_S
    share = (model.g_per_s * before.time_s).mid * LONGER_YEARS / (years + LONGER_YEARS)
    assert only.before.carbon_gco2e.mid - only.after.carbon_gco2e.mid == pytest.approx(share)
    assert only.change == f"t4 kept {years:.3g} → {years + LONGER_YEARS:.3g} years"


def test_commands_of_the_lever_run(capsys: pytest.CaptureFixture[str]) -> None:
    import shlex

    from thrifty.cli import main

    offers = STEWARD.estimate(case("us-oregon"))
    assert not isinstance(offers, Refusal)
    for offer in offers:
        assert main(shlex.split(offer.command)[1:]) == 0
    assert "Before and after" in capsys.readouterr().out

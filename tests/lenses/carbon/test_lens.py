"""The carbon lens: sums, equalities, hours of the day."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from thrifty.cost import Case, Job
from thrifty.cost.carbon import CarbonModel
from thrifty.cost.carbon.series.grids import intensity_of_grid
from thrifty.hardware import load as load_device
from thrifty.hardware import load_site
from thrifty.lenses.carbon.finding import CarbonFinding, hours_of_day
from thrifty.lenses.carbon.lens import CarbonLens
from thrifty.quantities import YEAR_S
from thrifty.workload import load as load_workload


def case(site: str, workload: str = "smollm2-135m") -> Case:
    return Case(job=Job.of(load_workload(workload)), device=load_device("a100-80gb"), site=load_site(site))


@pytest.fixture(scope="module")
def seen() -> CarbonFinding:
    return CarbonLens().look(case("us-california"))


def test_formula_both_sides_are_the_footprint(seen: CarbonFinding) -> None:
    foot = seen.case.footprint.carbon_gco2e
    for end in ("low", "mid", "high"):
        assert seen.operational_gco2e + getattr(seen.embodied_gco2e, end) == pytest.approx(getattr(foot, end))
    assert seen.ledger().total_g() == pytest.approx(foot.mid)
    share = seen.embodied_share
    assert 0 < share.low <= share.mid <= share.high < 1


def test_formula_running_for_so_long_emits_what_making_did(seen: CarbonFinding) -> None:
    assert seen.equal_years is not None
    g_per_s = CarbonModel.of(seen.case.device, seen.case.site).g_per_j.mid * seen.power_w
    assert seen.equal_years.mid * YEAR_S * g_per_s == pytest.approx(seen.making_gco2e.mid)
    life = CarbonModel.of(seen.case.device, seen.case.site).life_s.mid
    kwh = seen.power_w * seen.case.site.pue * life / 3.6e6
    assert seen.equal_g_per_kwh.mid * kwh == pytest.approx(seen.making_gco2e.mid)


def test_formula_a_grid_without_carbon_never_catches_up() -> None:
    clean = case("world")
    found = CarbonFinding.of(replace(clean, site=replace(clean.site, name="clean", intensity_gco2e_per_kwh=0.0)))
    assert found.equal_years is None and found.operational_gco2e == 0 and found.embodied_share.mid == 1
    assert found.to_dict()["equal_after_years"] is None and found.brief() and found.sections()


def test_formula_hours_are_means_by_local_hour() -> None:
    """Against a loop over the year's instants."""
    found = hours_of_day("us-california")
    assert found is not None
    series = intensity_of_grid("us-california").series
    _, hour_T = series.local()
    for hour in (0, 7, 19):
        assert found.g_per_kwh_H[hour] == pytest.approx(np.nanmean([v for v, h in zip(series.values_T, hour_T, strict=True) if h == hour]))
    assert found.g_per_kwh_H[found.least] == min(found.g_per_kwh_H) and found.least in range(8, 16) and found.most not in range(8, 16)
    assert hours_of_day("world") is None


def test_formula_a_unit_by_the_hour(seen: CarbonFinding) -> None:
    by = seen.by_hour()
    assert len(by) == 24 and seen.hours is not None
    kwh = seen.case.footprint.energy_j / 3.6e6 * seen.case.site.pue
    assert by[3] * seen.case.job.units == pytest.approx(kwh * seen.hours.g_per_kwh_H[3])
    assert CarbonLens().look(case("world")).by_hour() == []


def test_formula_disagreement_is_said(seen: CarbonFinding) -> None:
    said = seen.by_model["memory"]
    assert seen.disagreement("memory") == pytest.approx(max(said.values()) / min(v for v in said.values() if v > 0))
    assert (seen.disagreement("memory") or 0) > 5 and seen.disagreement("nothing") is None


def test_formula_pages_name_both_sides_and_the_hours(seen: CarbonFinding) -> None:
    assert [section.anchor for section in seen.sections()][:4] == ["running", "making", "hours", "ledger"]
    text = " ".join(str(block) for block in seen.brief())
    assert "running around the clock has emitted what making did after" in text and "dirtiest" in text and "--site us-california" in text

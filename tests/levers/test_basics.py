"""The four changes that prices alone can judge, on a little workload whose answers can be reasoned out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.cost.tables import little

from thrifty.cost import Case, Job
from thrifty.footprint import Footprint, Interval
from thrifty.hardware import load, load_site
from thrifty.levers import LEVERS, Estimate, Refusal, all_levers
from thrifty.levers.basics import LARGER_BATCH, OTHER_DEVICE, OTHER_FORMAT, OTHER_SITE


def case(device: str = "t4", site: str = "world", number_format: str = "fp32", batch: int = 1, seq: int = 512) -> Case:
    return Case(job=Job.of(little(batch, seq, number_format)), device=load(device), site=load_site(site))


def test_a_cleaner_grid_cuts_operational_carbon_and_nothing_else() -> None:
    offers = OTHER_SITE.estimate(case(site="world"))
    assert not isinstance(offers, Refusal)
    best = offers[0]
    assert best.factor("time") == pytest.approx(1.0)
    assert best.factor("energy") == pytest.approx(1.0)
    assert (best.factor("carbon") or 0) > 1.1
    assert [e.after.carbon_gco2e.mid for e in offers] == sorted(e.after.carbon_gco2e.mid for e in offers)
    assert best.command == f"thrifty assess little --on t4 --site {best.change.split()[-1]}"


def test_a_narrower_format_is_offered_only_where_it_is_faster() -> None:
    offers = OTHER_FORMAT.estimate(case("h100-sxm5", seq=4096))
    assert not isinstance(offers, Refusal)
    assert all((e.factor("time") or 0) > 1.01 for e in offers)
    assert all(e.caveat == "quality after rounding is not priced" for e in offers)
    assert {e.change.split()[0] for e in offers} == {"fp32"}


def test_a_larger_batch_shares_the_launches() -> None:
    offers = LARGER_BATCH.estimate(case("h100-sxm5", seq=16))
    assert not isinstance(offers, Refusal)
    assert offers[0].change == "batch 1 → 256"
    assert (offers[0].factor("time") or 0) > 50  # launches are nearly all of it, and 256 samples share them


def test_another_device_takes_less_energy() -> None:
    offers = OTHER_DEVICE.estimate(case("v100-sxm2-32gb"))
    assert not isinstance(offers, Refusal)
    assert len(offers) == 3
    assert (offers[0].factor("energy") or 0) >= (offers[1].factor("energy") or 0) > 1


def test_a_batch_that_does_not_fit_is_not_offered() -> None:
    crowded = case("t4", batch=1, seq=4096)
    small = replace(crowded.device, memory=(replace(crowded.device.memory[0], capacity_bytes=1e6),))
    answer = LARGER_BATCH.estimate(replace(crowded, device=small))
    assert answer == Refusal("batch", "no larger batch fits and takes less time a unit")


def test_every_lever_answers_and_the_list_is_open() -> None:
    assert {lever.name for lever in LEVERS} == {"format", "batch", "device", "site", "parallelize", "steward"}
    assert all_levers()[: len(LEVERS)] == LEVERS
    for lever in LEVERS:
        answer = lever.estimate(case())
        assert isinstance(answer, Refusal) or all(isinstance(e, Estimate) for e in answer)


def test_formula_factors_and_unknown_money() -> None:
    before = Footprint(time_s=2, memory_bytes=0, energy_j=8, carbon_gco2e=Interval(1, 2, 3), cost_usd=None)
    after = Footprint(time_s=1, memory_bytes=0, energy_j=2, carbon_gco2e=Interval(1, 1, 1), cost_usd=1.0)
    estimate = Estimate(lever="x", change="y", before=before, after=after, unit="token", command="")
    assert [estimate.factor(what) for what in ("time", "energy", "carbon", "money")] == [2, 4, 2, None]

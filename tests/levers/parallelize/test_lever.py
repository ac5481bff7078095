"""The lever as an assessment sees it."""

import pytest

from thrifty.cost import Case, Job
from thrifty.hardware import load, load_site
from thrifty.levers import LEVERS, Refusal
from thrifty.levers.parallelize import PARALLELIZE
from thrifty.workload import load as load_workload


def case_of(workload: str, device: str, **sizes: int) -> Case:
    return Case(job=Job.of(load_workload(workload, **sizes)), device=load(device), site=load_site("world"))


def test_formula_more_devices_take_less_time_and_more_of_everything_else() -> None:
    offered = PARALLELIZE.estimate(case_of("llama2-13b", "a100-80gb", seq=1024, batch=8))
    assert not isinstance(offered, Refusal)
    assert offered[0].factor("time") == max(each.factor("time") or 0 for each in offered)
    for each in offered:
        devices = int(each.change.split()[2])
        time, money = each.factor("time"), each.factor("money")
        assert time is not None
        assert money is not None
        assert 1.01 < time <= devices
        assert money == pytest.approx(time / devices, rel=1e-6)


def test_formula_a_device_without_links_is_refused() -> None:
    said = PARALLELIZE.estimate(case_of("llama2-7b", "raspberry-pi-5"))
    assert isinstance(said, Refusal)
    assert "no link" in said.reason


def test_property_it_is_in_the_list_that_assess_ranks() -> None:
    assert PARALLELIZE in LEVERS

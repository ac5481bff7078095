"""Which resource binds, and what hardware would have to have."""

import pytest

from thrifty.cost.plans.answering import evaluate
from thrifty.errors import BadValue
from thrifty.levers.parallelize import Plan, Question, ask, reach, side_by_side, sweep_hardware, why
from thrifty.levers.parallelize.asking.explaining import resources, scaled

PLAN = Plan.parse("embedding=mp;dense=tp:8,ddp:16")


@pytest.fixture(scope="module")
def published() -> Question:
    return ask("dlrm-a", "zionex", batch=65536, mode="compat")


def test_paper_ten_times_of_each_resource(published: Question) -> None:
    """MAD-Max's study of the hardware: compute 1.05, memory 1.10, NVLink 1.43, network 1.99, all ten times exactly."""
    found = sweep_hardware(published, PLAN, [10])
    gains = dict(zip(found.resources, (row[0] for row in found.speedup_RF), strict=True))
    assert {name: round(gain, 2) for name, gain in gains.items()} == {"compute": 1.05, "memory bandwidth": 1.1, "nvlink": 1.43, "roce": 1.99, "all": 10.0}
    assert gains["all"] == pytest.approx(10, rel=1e-12)


def test_property_shares_of_resources_are_the_whole_of_a_model_without_latency(published: Question) -> None:
    found = why(published, PLAN)
    assert sum(found.shares.values()) == pytest.approx(1.0, abs=0.01)
    assert found.binding == max(found.shares, key=lambda name: found.shares[name])


def test_formula_a_share_is_a_derivative(published: Question) -> None:
    before, shares = published.answer(PLAN).iteration_s, why(published, PLAN).shares
    for name in resources(published.system):
        after = evaluate(published.layers, scaled(published.system, {name: 1.001}), PLAN, batch=published.batch, mode="compat").iteration_s
        assert (before - after) / before / 0.001 == pytest.approx(shares[name], abs=0.01)


def test_property_the_factor_reaches_the_target_and_no_less(published: Question) -> None:
    needed, now = reach(published, PLAN, 1.3), published.answer(PLAN).iteration_s
    assert needed["compute"] is None
    for name, factor in needed.items():
        if factor is not None:
            there, short = (
                evaluate(published.layers, scaled(published.system, {name: f}), PLAN, batch=published.batch, mode="compat").iteration_s
                for f in (factor, factor * 0.999)
            )
            assert there <= now / 1.3 * (1 + 1e-9)
            assert short > now / 1.3
    with pytest.raises(BadValue, match="asks for nothing more"):
        reach(published, PLAN, 1.0)


def test_formula_sides_say_why_one_cannot_be(published: Question) -> None:
    sides = side_by_side([("here", published)], [PLAN, Plan.parse("dense=tp:7,ddp")], samples=5e9)
    assert sides[0].evaluation is not None
    assert sides[0].job is not None
    assert sides[0].job.device_hours == pytest.approx(128 * 5e9 / sides[0].evaluation.throughput_per_s / 3600)
    assert sides[1].evaluation is None
    assert "7" in sides[1].refusal
    with pytest.raises(BadValue):
        side_by_side([("here", published)], [Plan.parse("dense=tp:7,ddp")])


def test_formula_hardware_that_cannot_be(published: Question) -> None:
    with pytest.raises(BadValue, match="factor 0 is no hardware"):
        sweep_hardware(published, PLAN, [0])
    with pytest.raises(BadValue, match="has no tier 'ether'"):
        published.system.scaled(links={"ether": 2})
    with pytest.raises(BadValue, match="compute times nan is no system"):
        published.system.scaled(compute=float("nan"))

"""Intervals hold as often as they say, and regret stays below its bound."""

from __future__ import annotations

import numpy as np
import pytest
from tests.levers.steward.schedule.problems import hour, job, place, problem

from thrifty.cost.carbon.series.grids import intensity_of_grid
from thrifty.errors import BadValue
from thrifty.levers.steward.schedule import decide
from thrifty.levers.steward.schedule.coupled.packing import cost_of
from thrifty.levers.steward.schedule.forecasting import believe, conformal_day_ahead, noisy
from thrifty.levers.steward.schedule.forecasting.regret import regret_bound
from thrifty.levers.steward.schedule.temporal.alone import plan_alone


@pytest.mark.parametrize("coverage", [0.8, 0.9])
@pytest.mark.parametrize("region", ["eia-cal", "eia-ne", "eia-nw"])
def test_intervals_cover_days_held_out(region: str, coverage: float) -> None:
    series = intensity_of_grid(region, fill="linear").series.values_T
    days = series[: len(series) // 24 * 24].reshape(-1, 24)
    errors = np.abs(np.diff(days, axis=0))
    draw = np.random.default_rng(0)
    single, whole = [], []
    for _ in range(40):
        mixed = draw.permutation(errors)  # days shuffled, so that they are exchangeable and the promise is exact on average
        sign = np.where(np.arange(240)[:, None] % 2, -1, 1)
        fitted = conformal_day_ahead(np.concatenate([np.zeros((1, 24)), np.cumsum(sign * mixed[:240], axis=0)]), coverage)
        held = mixed[240:] / fitted.scale_H
        single.append((held <= fitted.quantile).mean())
        whole.append((held <= fitted.band).all(axis=1).mean())
    assert np.mean(single) == pytest.approx(coverage, abs=0.015)
    assert np.mean(whole) == pytest.approx(coverage, abs=0.02)


def test_a_rolling_forecast_covers_nearly_as_often_though_days_have_trends() -> None:
    series = intensity_of_grid("eia-cal").series.values_T
    days = series[: len(series) // 24 * 24].reshape(-1, 24)
    held = []
    for day in range(61, len(days)):
        fitted = conformal_day_ahead(days[day - 60 : day], 0.9)
        low, high = fitted.around(days[day - 1], np.arange(24))
        held.append(((days[day] >= low) & (days[day] <= high)).mean())
    assert np.mean(held) == pytest.approx(0.9, abs=0.05)


def test_property_regret_stays_below_its_bound() -> None:
    draw = np.random.default_rng(2)
    none = np.zeros(1)
    for _ in range(40):
        low = draw.uniform(50, 200, size=(1, 24))
        high = low + draw.uniform(0, 150, size=(1, 24))
        forecast, truth = (draw.uniform(low, high) for _ in range(2))
        jobs = [job("a", 3, 0, 20), job("b", 5, 2, 24, interruptible=True), job("c", 6, 0, 24, elastic=(1.0, 0.7))]
        p = problem(jobs, place(truth[0]))
        plan, _ = plan_alone(p, forecast, p.moved_JP, none)
        _, best = plan_alone(p, truth, p.moved_JP, none)
        regret = cost_of(p, plan, truth, p.moved_JP, none) - best
        assert -1e-9 <= regret <= regret_bound(p, forecast, low, high) + 1e-9


def test_a_wrong_forecast_costs_what_the_certificate_says() -> None:
    p = problem([job("a", 3, 0, 40, interruptible=True)], place(200 + 100 * np.sin(np.arange(48) / 3)))
    believed, said = believe(p, error=0.3, seed=1)
    found, oracle = decide(p, believed_PT=believed, extra=said), decide(p)
    assert found.regret_g is not None and found.regret_g > 0
    assert found.decision.certificate is not None
    assert found.decision.certificate.bound == pytest.approx(oracle.decision.change.after.carbon_gco2e.mid)
    assert found.regret_g == pytest.approx(found.decision.change.after.carbon_gco2e.mid - oracle.decision.change.after.carbon_gco2e.mid)
    assert found.decision.plan["forecast"] == {"kind": "gaussian", "error": 0.3, "seed": 1}


def test_noise_has_the_size_that_it_says() -> None:
    grams = np.full((1, 20_000), 300.0)
    wrong = noisy(grams, 0.05, seed=0)
    assert np.std(wrong) == pytest.approx(15, rel=0.02)
    assert np.array_equal(wrong, noisy(grams, 0.05, seed=0))
    assert (noisy(grams, 1.0, seed=0) >= 0).all()


def test_a_seasonal_forecast_repeats_the_day_before() -> None:
    grams = np.tile(np.arange(24.0), 30) + np.repeat(np.arange(30.0), 24)
    p = problem([job("a", 3, 24 * 28, 24 * 29)], place(grams))
    believed, said = believe(p, how="seasonal", coverage=0.8)
    assert believed is not None
    assert believed[0].tolist() == grams[24 * 27 : 24 * 28].tolist()
    (about,) = said["forecast"]["places"]
    assert about["days_of_history"] == 28
    assert about["held"] == 1.0
    assert said["forecast"]["regret_bound_gco2e"] > 0


@pytest.mark.parametrize(("given", "message"), [
    ({"error": 1.5}, r"a forecast error of 1.5 cannot be\. Give a share from 0 to 1"),
    ({"error": float("nan")}, r"a forecast error of nan cannot be"),
    ({"how": "arima"}, r"forecast='arima' is unknown\. Choose seasonal"),
    ({"how": "seasonal", "error": 0.1}, r"two ways of not knowing\. Give one"),
    ({"how": "seasonal", "coverage": 1.0}, r"coverage=1 cannot be"),
    ({"how": "seasonal", "coverage": 0.99}, r"3 days of history are too few for 99% coverage"),
])  # fmt: skip
def test_bad_forecasts(given: dict[str, object], message: str) -> None:
    p = problem([job("a", 3, 72, 90)], place(np.arange(96.0)))
    assert p.start == hour(72)
    with pytest.raises(BadValue, match=message):
        believe(p, **given)  # type: ignore[arg-type]

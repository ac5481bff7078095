"""Winners over all intensities and lives against a dense grid, boundaries against both sides of them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.cost.carbon.metrics import (
    METRICS,
    Design,
    Setting,
    boundary,
    carbon_of,
    envelope,
    envelope_of,
    parts_of,
    turning_utilisation,
    winner_map,
)  # fmt: skip
from thrifty.errors import BadValue, UnknownName
from thrifty.quantities import YEAR_S

OLD = Design(name="old", embodied_gco2e=0.0, delay_s=1.0, energy_j=300.0, idle_w=100.0)
NEW = Design(name="new", embodied_gco2e=150e3, delay_s=0.5, energy_j=100.0, idle_w=50.0)
POSITIVE = st.floats(0.1, 1000)


@given(st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1, max_size=30))
@settings(max_examples=200, deadline=None)
def test_property_the_envelope_is_the_least_everywhere(pairs: list[tuple[float, float]]) -> None:
    a, b = np.array(pairs).T
    found = envelope(a, b)
    s = np.concatenate([[0.0], np.geomspace(1e-6, 1e7, 400), np.array(found.breaks) * 1.000001, np.array(found.breaks) * 0.999999])
    values = a[:, None] + b[:, None] * s
    np.testing.assert_allclose(values[found.at(s), np.arange(len(s))], values.min(axis=0), rtol=1e-9)
    assert list(found.breaks) == sorted(found.breaks) and len(set(found.winners)) == len(found.winners) == len(found.breaks) + 1


def test_formula_three_lines_by_hand() -> None:
    found = envelope([0.0, 1.0, 6.0, 5.0], [3.0, 2.0, 1.0, 1.5])
    assert found.winners == (0, 1, 2) and found.breaks == (1.0, 5.0)  # the fourth, 5 + 1.5 s, is above 1 + 2 s until 8 and above 6 + s from 2
    assert found.eliminated == 0.25
    assert envelope([2.0, 2.0], [1.0, 1.0]).winners == (0,)


def test_formula_carbon_of_a_unit() -> None:
    setting = Setting(intensity_gco2e_per_kwh=400.0, life_s=5 * YEAR_S, utilisation=0.25, pue=1.5)
    embodied, used = parts_of([NEW], setting)
    assert embodied[0] == pytest.approx(150e3 * 0.5 / (0.25 * 5 * YEAR_S))
    assert used[0] == pytest.approx((100 + 50 * 0.5 * 3) / 3.6e6 * 1.5 * 400)
    assert carbon_of([NEW], setting)[0] == pytest.approx(embodied[0] + used[0])


@pytest.mark.parametrize("utilisation", [1.0, 0.3])
def test_formula_a_boundary_parts_the_plane(utilisation: float) -> None:
    product = boundary(OLD, NEW, utilisation=utilisation, pue=1.2)
    assert product is not None
    for life in (1.0, 4.0, 9.0):
        for side, winner in ((0.999, 0), (1.001, 1)):
            setting = Setting(intensity_gco2e_per_kwh=product / life * side, life_s=life * YEAR_S, utilisation=utilisation, pue=1.2)
            assert carbon_of([OLD, NEW], setting).argmin() == winner
    weighted = boundary(OLD, NEW, metric="tcdp", utilisation=utilisation, pue=1.2)
    assert weighted is not None
    at = Setting(intensity_gco2e_per_kwh=weighted / 4, life_s=4 * YEAR_S, utilisation=utilisation, pue=1.2)
    assert METRICS["tcdp"].of([OLD], at)[0] == pytest.approx(METRICS["tcdp"].of([NEW], at)[0])
    assert boundary(OLD, Design(name="worse", embodied_gco2e=1.0, delay_s=1.0, energy_j=400.0)) is None


@pytest.mark.parametrize("metric", ["carbon", "tcdp", "tcep"])
def test_property_the_map_is_the_metrics_own_winner(metric: str) -> None:
    draw = np.random.default_rng(3)
    designs = [Design(name=str(k), embodied_gco2e=x * 1e5, delay_s=y, energy_j=z * 100) for k, (x, y, z) in enumerate(draw.lognormal(size=(60, 3)))]
    intensity, life = np.geomspace(1, 1000, 12), np.linspace(0.5, 12, 9)
    found = winner_map(designs, intensity, life, metric=metric, pue=1.3)
    for i, ci in enumerate(intensity):
        for j, years in enumerate(life):
            values = METRICS[metric].of(designs, Setting(intensity_gco2e_per_kwh=ci, life_s=years * YEAR_S, pue=1.3))
            assert values[found[i, j]] == pytest.approx(values.min(), rel=1e-12)
    assert set(np.unique(found)) <= set(envelope_of(designs, metric).winners)


def test_formula_the_turning_utilisation() -> None:
    saver = Design(name="saver", embodied_gco2e=30e3, delay_s=1.0, energy_j=200.0, idle_w=100.0)
    exposure = 3.0 * YEAR_S * 50 / 3.6e6
    u = turning_utilisation(OLD, saver, exposure)
    assert u is not None and 0 < u < 1
    at = [carbon_of([OLD, saver], Setting(intensity_gco2e_per_kwh=50.0, life_s=3 * YEAR_S, utilisation=x)) for x in (u * 0.99, u, u * 1.01)]
    assert at[0].argmin() == 0 and at[1][0] == pytest.approx(at[1][1]) and at[2].argmin() == 1
    assert turning_utilisation(OLD, OLD, exposure) is None


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: Design(name="x", embodied_gco2e=-1.0, delay_s=1.0, energy_j=1.0), "embodied_gco2e=-1 is below 0"),
        (lambda: Design(name="x", embodied_gco2e=1.0, delay_s=0.0, energy_j=1.0), "delay_s=0 is not a finite number above 0"),
        (lambda: Setting(intensity_gco2e_per_kwh=math.nan, life_s=1.0), "intensity_gco2e_per_kwh=nan is below 0"),
        (lambda: Setting(intensity_gco2e_per_kwh=1.0, life_s=0.0), "life_s=0 is not a finite number above 0"),
        (lambda: Setting(intensity_gco2e_per_kwh=1.0, life_s=1.0, utilisation=1.5), "utilisation=1.5 is above 1"),
        (lambda: Setting(intensity_gco2e_per_kwh=1.0, life_s=1.0, pue=0.9), "pue=0.9 is below 1"),
        (lambda: envelope([], []), "make no lines. Give one of each a design"),
        (lambda: envelope_of([]), "no designs to compare"),
        (lambda: envelope_of([OLD], "cdp"), "metric 'cdp' has no use and no life in it, so that one design wins everywhere"),
    ],
)
def test_what_cannot_be_is_refused(ask, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        ask()
    with pytest.raises(UnknownName, match="No metric named 'tcpd'"):
        envelope_of([OLD], "tcpd")

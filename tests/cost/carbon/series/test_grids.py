"""Intensities of grids against published statistics and hand sums; kinds that must not mix; the marginal estimate on a grid whose margin is known."""

import dataclasses

import numpy as np
import pytest

from thrifty.cost.carbon.factors import load_pack
from thrifty.cost.carbon.series import (
    DirectIntensity,
    LifeCycleIntensity,
    carbon_free_share,
    fuel_factors,
    intensity_of_grid,
    load_generation,
    marginal_of,
    region_of,
    residual_of,
)
from thrifty.cost.carbon.series import library as shipped
from thrifty.errors import BadValue, UnknownName
from thrifty.hardware import load_site


def test_paper_california_2020() -> None:
    """Mean 302.8, P5 157.7, P95 415.0 g/kWh; capacity factors .274 and .343 of own maxima, over the first 8784 rows of the source."""
    values = intensity_of_grid("eia-cal").series.values_T[:8784]
    assert values.mean() == pytest.approx(302.8, abs=0.05)
    assert np.percentile(values, [5, 95]) == pytest.approx([157.7, 415.0], abs=0.05)
    assert values.std() == pytest.approx(80.6, abs=0.05)  # reading notes say 80.8
    generation = load_generation("eia-cal")
    for fuel, factor in (("solar", 0.274), ("wind", 0.343)):
        mw = np.maximum(generation.of(fuel).values_T[:8784], 0)
        assert mw.mean() / mw.max() == pytest.approx(factor, abs=5e-4)


def test_formula_an_hour_by_hand() -> None:
    generation, factors = load_generation("eia-ne"), fuel_factors(load_generation("eia-ne").fuels, "life-cycle")
    at = 4000
    by_hand = sum(mw * factor for mw, factor in zip(generation.by_fuel_FT[:, at], factors, strict=True)) / generation.by_fuel_FT[:, at].sum()
    assert intensity_of_grid("eia-ne").series.values_T[at] == pytest.approx(by_hand)
    assert dict(zip(generation.fuels, factors, strict=True))["coal"] == 820
    pack = load_pack()
    assert pack.get("fuels:direct.coal", "carbon_per_energy") == pytest.approx(2.30 * 453.59237, abs=0.05)
    assert pack.get("fuels:direct.gas", "carbon_per_energy") == pytest.approx(0.97 * 453.59237, abs=0.05)
    assert pack.get("fuels:direct.oil", "carbon_per_energy") == pytest.approx(2.38 * 453.59237, abs=0.05)


def test_boundaries_are_types_and_do_not_mix() -> None:
    life, direct = intensity_of_grid("eia-cal"), intensity_of_grid("eia-cal", "direct")
    assert type(life) is LifeCycleIntensity and type(direct) is DirectIntensity
    assert direct.series.values_T.mean() < life.series.values_T.mean()
    with pytest.raises(BadValue, match=r"is life-cycle, production; .* is direct, production. They count different things: choose series of one kind."):
        life.must_match(direct)


def test_small_negatives_are_clipped_with_a_count() -> None:
    raw = load_generation("eia-cal").by_fuel_FT
    (note,) = intensity_of_grid("eia-cal").notes
    assert note.startswith(f"{int((raw < 0).sum())} negative values of eia-cal (wind, solar, oil, coal; at least -14 MW) counted as 0")


def test_holes_stay_holes_and_are_refused_unless_filled() -> None:
    intensity = intensity_of_grid("eia-ne")
    series = intensity.series
    assert series.holes == 9
    with pytest.raises(BadValue, match=r"has 9 steps without a value, the first at 2020-.*Fill them: --fill linear or --fill day."):
        intensity.over(series.start, series.end, 3600)
    for how in ("linear", "day"):
        filled = intensity_of_grid("eia-ne", fill=how)
        assert filled.series.holes == 0
        assert filled.notes == (f"9 of 8785 steps of life-cycle production intensity of eia-ne had no value and were filled ({how})",)
        known = ~np.isnan(series.values_T)
        assert (filled.series.values_T[known] == series.values_T[known]).all()


def test_sites_in_a_region_take_its_hours_and_others_their_average() -> None:
    assert (region_of("us-california"), region_of("us-washington"), region_of("eia-nw"), region_of("france")) == ("eia-cal", "eia-nw", "eia-nw", None)
    assert np.array_equal(intensity_of_grid("us-california").series.values_T, intensity_of_grid("eia-cal").series.values_T)
    flat = intensity_of_grid(load_site("france"))
    assert flat.flat and flat.series.values_T.tolist() == [load_site("france").intensity_gco2e_per_kwh]
    assert "one average of 2023 for all hours" in flat.notes[0]
    assert type(intensity_of_grid("us-iowa", None)) is DirectIntensity
    assert len(flat.over(flat.series.start, flat.series.start.replace(year=2025), 1800)) == 2 * 17544


@pytest.mark.parametrize(
    ("ask", "kind", "said"),
    [
        (("us-iowa",), BadValue, "site 'us-iowa' states direct intensity, not life-cycle. Choose --boundary direct."),
        (("eia-cal", "scope"), BadValue, "boundary='scope' is unknown. Choose from: direct, life-cycle."),
        (("eia-cal", "direct", "consumption"), BadValue,
         "no consumption intensity is known of 'eia-cal': its data state what is generated there. Use production or marginal."),
        (("france", "life-cycle", "marginal"), BadValue,
         "site 'france' states a yearly average, so its marginal intensity is not known. Use production, or one of: eia-cal, eia-ne, eia-nw."),
        (("eia-cal", "direct", "production", "zero"), BadValue, "fill='zero' is unknown. Choose from: linear, day."),
        (("frnce",), UnknownName, "No site named 'frnce'. Did you mean 'france'? Regions with hours: eia-cal, eia-ne, eia-nw. "
         "List all with: thrifty carbon operate --list"),
    ],
)  # fmt: skip
def test_bad_questions_are_refused(ask, kind, said: str) -> None:
    with pytest.raises(kind) as error:
        intensity_of_grid(*ask)
    assert str(error.value) == said


def test_formula_the_residual_mix_by_hand() -> None:
    generation = load_generation("eia-cal")
    wind, total = generation.of("wind").values_T[100], generation.by_fuel_FT[:, 100].sum()
    claim = np.maximum(generation.of("wind").values_T, 0) / 2
    residual, average = residual_of("eia-cal", {"wind": claim}), intensity_of_grid("eia-cal")
    by_hand = (average.series.values_T[100] * total - wind / 2 * 11) / (total - wind / 2)
    assert residual.series.values_T[100] == pytest.approx(by_hand)
    assert residual.signal == "residual" and (residual.series.values_T >= average.series.values_T - 1e-9).all()
    with pytest.raises(BadValue, match=r"claimed wind of eia-cal is above what was generated in hour \d+: 9000 of \d+ MW. Claim less."):
        residual_of("eia-cal", {"wind": 9000.0})
    with pytest.raises(UnknownName, match="No fuel named 'peat'"):
        residual_of("eia-cal", {"peat": 1.0})


def test_formula_the_carbon_free_share_by_hand() -> None:
    generation = load_generation("eia-nw")
    row = dict(zip(generation.fuels, np.maximum(generation.by_fuel_FT[:, 9], 0), strict=True))
    assert carbon_free_share("eia-nw").values_T[9] == pytest.approx(sum(row[f] for f in ("wind", "solar", "hydro", "nuclear")) / sum(row.values()))


def test_formula_the_margin_is_found_where_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hydro runs up to 100 MW, then gas follows: the estimate is hydro's factor below and gas's above."""
    rng = np.random.default_rng(0)
    demand = 100 + 75 * np.sin(0.037 * np.arange(4000)) + rng.normal(0, 1, 4000)
    fuels = np.zeros((8, 4000))
    fuels[2], fuels[5], fuels[1] = np.minimum(demand, 100), np.maximum(demand - 100, 0), rng.uniform(0, 50, 4000)
    base = load_generation("eia-cal")
    made = dataclasses.replace(base, by_fuel_FT=fuels)
    monkeypatch.setattr("thrifty.cost.carbon.series.marginal.load_generation", lambda name: made)
    found = marginal_of("eia-cal", levels=8, blocks=1)
    values = found.intensity.series.values_T
    assert np.median(values[demand > 140]) == pytest.approx(490, abs=2)
    assert np.median(values[demand < 60]) == pytest.approx(24, abs=2)
    assert found.intensity.estimated and found.intensity.signal == "marginal"


@pytest.mark.parametrize(("name", "least"), [("eia-cal", 0.95), ("eia-ne", 0.93), ("eia-nw", 0.8)])
def test_the_marginal_estimate_says_how_well_it_fits(name: str, least: float) -> None:
    found = marginal_of(name)
    assert least < found.r_squared < 1
    assert f"R² {found.r_squared:.3f}" in " ".join(found.intensity.notes)
    assert found.slopes_LH.shape == (10, 6)
    with pytest.raises(BadValue, match="levels=0, blocks=6: levels must be 1 to 40 and blocks divide 24"):
        marginal_of(name, levels=0)


def test_shipped_hours_are_whole_and_a_leap_year_has_8784() -> None:
    for name in shipped.generation_names():
        generation = load_generation(name)
        series = generation.of("gas")
        day, _ = series.local()
        in_2020 = (day >= 18262) & (day < 18262 + 366)
        assert in_2020.sum() == 8784
        hours = np.bincount((day - day.min())[in_2020])
        assert sorted(np.unique(hours[hours > 0]).tolist()) == [23, 24, 25]

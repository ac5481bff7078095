"""The rule, in its three outcomes, and what may not be decided."""

from __future__ import annotations

import math

import numpy as np

from thrifty.lenses.numerics.training.judging.bands import bands_of
from thrifty.lenses.numerics.training.judging.intervals import Estimate
from thrifty.lenses.numerics.training.judging.verdict import judge, judge_all, judge_each

SEEDS, STEPS, PLACES = 5, (0, 100, 200), {"a": slice(0, 6), "key.bias": slice(6, 9)}
GAUGE = np.arange(9) >= 6


def spans(value: float, width: float = 0.1) -> Estimate:
    return Estimate(value=value, low=value - width, high=value + width)


def test_formula_bounded_below_the_binding_reference() -> None:
    found = judge(spans(1.0), {"other seeds": spans(2.0), "pure bf16": spans(9.0)})
    assert (found.verdict, found.binding) == ("bounded", "other seeds")


def test_formula_not_bounded_above_it_even_if_below_all_others() -> None:
    found = judge(spans(3.0), {"other seeds": spans(2.0), "pure bf16": spans(9.0)})
    assert (found.verdict, found.binding) == ("not bounded", "other seeds")
    assert "lies above that of other seeds" in found.why


def test_formula_inconclusive_where_intervals_overlap() -> None:
    assert judge(spans(1.9), {"other seeds": spans(2.0)}).verdict == "inconclusive"
    # Its upper end is at most the binding slope, and still in the other's interval.
    assert judge(Estimate(value=1.0, low=0.9, high=1.95), {"other seeds": spans(2.0)}).verdict == "inconclusive"


def test_formula_there_is_no_margin() -> None:
    assert judge(Estimate(value=1.0, low=0.9, high=1.0999), {"s": Estimate(value=1.2, low=1.1, high=1.3)}).verdict == "bounded"
    assert judge(Estimate(value=1.3001, low=1.3001, high=1.3002), {"s": Estimate(value=1.2, low=1.1, high=1.3)}).verdict == "not bounded"


def test_formula_nothing_to_compare_is_inconclusive() -> None:
    nothing = Estimate(value=math.nan, low=math.nan, high=math.nan)
    assert judge(spans(1.0), {"pure fp16": nothing}).why == "no reference trained to its end"
    assert judge(nothing, {"other seeds": spans(1.0)}).verdict == "inconclusive"


def drifting(optimised: float, low: float, gauge: float = 0.0) -> dict[tuple[str, int], np.ndarray]:
    """Runs whose weights drift evenly, all elements alike, a little differently from seed to seed; the last three elements are a gauge direction."""
    runs, made = {}, np.random.default_rng(3)
    for seed in range(SEEDS):
        start, own = made.normal(size=9), 1 + 0.02 * seed
        time = np.array(STEPS)[:, None] * own
        away = np.array([1.0] * 6 + [0.0] * 3)
        walks = np.array([0.0] * 6 + [1.0] * 3)
        base = start + time * away * made.normal(0, 1, 9) * 1e-2
        made_of = {"baseline": base, "fp32": base, "floor": base + 1e-8 * time * away, "low": base + low * time * away}
        made_of["optimised"] = base + optimised * time * away + gauge * time * walks
        runs |= {(name, seed): each.astype(np.float32) for name, each in made_of.items()}
    return runs


def test_formula_verdicts_of_curves_whose_slopes_are_known() -> None:
    for optimised, expected in ((1e-5, "bounded"), (1e-3, "not bounded"), (1.005e-4, "inconclusive")):
        bands = bands_of(drifting(optimised, 1e-4), PLACES, GAUGE, STEPS, SEEDS, ["low"], {})
        found = judge_all(bands)["filtered"]["max"]
        assert (found.verdict, found.binding) == (expected, "low"), optimised
        assert np.isclose(found.optimised.value, 1.04 * optimised, rtol=1e-3)


def test_formula_each_reference_alone() -> None:
    found = judge_each(bands_of(drifting(1e-3, 1e-4), PLACES, GAUGE, STEPS, SEEDS, ["low"], {}), "max", "filtered")
    assert {name: each.verdict for name, each in found.items()} == {"other seeds": "bounded", "low": "not bounded"}


def test_formula_a_gauge_direction_turns_the_raw_verdict_only() -> None:
    verdicts = judge_all(bands_of(drifting(1e-5, 1e-4, gauge=1e-2), PLACES, GAUGE, STEPS, SEEDS, ["low"], {}))
    assert verdicts["filtered"]["max"].verdict == "bounded"
    assert verdicts["raw"]["max"].verdict == "not bounded"


def test_formula_levels_do_not_count() -> None:
    """Other seeds are far apart from the start; an optimised run that moves faster than they do is not bounded by them."""
    runs = drifting(1e-3, 1.0)
    for name in ("baseline", "floor", "fp32"):
        for seed in range(SEEDS):
            runs[name, seed] = runs[name, seed] * 0 + runs[name, seed][0]
    for seed in range(SEEDS):
        runs["optimised", seed] = (runs["baseline", seed] + 1e-6 * np.array(STEPS)[:, None]).astype(np.float32)
    bands = bands_of(runs, PLACES, GAUGE, STEPS, SEEDS, ["low"], {})
    assert bands.curve("other seeds", "max", "filtered")[-1].value > 1000 * bands.curve("optimised", "max", "filtered")[-1].value
    assert judge_all(bands)["filtered"]["max"].verdict == "not bounded"


def test_formula_a_reference_that_diverged_binds_nothing_and_an_optimised_run_that_did_is_not_bounded() -> None:
    runs = drifting(1e-5, 1e-4)
    runs["low", 3] = runs["low", 3][:2]
    bands = bands_of(runs, PLACES, GAUGE, STEPS, SEEDS, ["low"], {("low", 3): 150})
    assert bands.found["low"].diverged == (150,)
    assert judge_all(bands)["filtered"]["max"].binding == "other seeds"
    runs["optimised", 0] = runs["optimised", 0][:1]
    bands = bands_of(runs, PLACES, GAUGE, STEPS, SEEDS, ["low"], {("optimised", 0): 7})
    found = judge_all(bands)["filtered"]["max"]
    assert (found.verdict, found.why) == ("not bounded", "an optimised run diverged to no number at step 7")


def test_formula_a_refusal_stands_before_all() -> None:
    found = judge_all(bands_of(drifting(1e-5, 1e-4), PLACES, GAUGE, STEPS, SEEDS, ["low"], {}), "3 seeds are fewer than 5")["filtered"]["max"]
    assert (found.verdict, found.why) == ("inconclusive", "3 seeds are fewer than 5")

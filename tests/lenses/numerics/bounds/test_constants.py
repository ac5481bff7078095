"""Error constants, digits and widths against formulas by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.errors import BadValue
from thrifty.formats import Rounding, float_spec, round_to
from thrifty.formats.accumulators import accumulate
from thrifty.lenses.numerics.bounds import (
    depth,
    exp_range,
    gamma,
    gamma_probable,
    gamma_stochastic,
    lambda_of,
    rounding_width,
    significant_digits,
    sum_width,
    zero_mean_error,
)  # fmt: skip
from thrifty.lenses.numerics.bounds.digits import chi_square, randomised

BF16 = 2.0**-8


def test_formula_gamma() -> None:
    assert gamma(100, BF16) == pytest.approx(100 / 256 / (1 - 100 / 256))
    assert gamma(255, BF16) == pytest.approx(255.0) and gamma(256, BF16) == math.inf  # useless from n·u = 1 on
    assert gamma(0, BF16) == 0.0


def test_formula_probable_constants() -> None:
    lam = lambda_of(0.95, 1024)
    assert 2 * 1024 * math.exp(-(lam**2) / 2) == pytest.approx(0.05)
    assert gamma_probable(1024, BF16, events=1024) == pytest.approx(math.expm1(lam / (1 - BF16) * 32 * BF16 + 1024 * BF16**2 / (1 - BF16)))
    assert gamma_stochastic(1024, BF16) == gamma_probable(1024, 2 * BF16)
    assert gamma_probable(10**6, 2.0**-24) < gamma(10**6, 2.0**-24) / 50
    # data about zero: the length is lost relative to Σ|x| ~ n
    grown = [zero_mean_error(n, BF16, 0.0, 1.0) / n for n in (100, 10000)]
    assert grown[1] / grown[0] < 2 < 8 < zero_mean_error(10000, BF16, 0.5, 0.5) / 10000 / (zero_mean_error(100, BF16, 0.5, 0.5) / 100)


def test_paper_ranges_of_exponentials() -> None:
    """Blanchard, Higham, Higham 2021, as the brief prints them."""
    for name, largest, normal, smallest in (("bf16", 88.7, -87.3, -92.2), ("fp16", 11.0, -9.70, -16.6), ("fp32", 88.7, -87.3, -103)):
        found = exp_range(name)
        assert found.largest == pytest.approx(largest, abs=0.1)
        assert found.smallest_normal == pytest.approx(normal, abs=0.05) and found.smallest == pytest.approx(smallest, abs=0.3)


@given(st.sampled_from(["bf16", "fp16", "e4m3"]), st.sampled_from(["rne", "rz", "ru", "rd", "odd", "stochastic", "random"]), st.floats(-1e4, 1e4))
def test_property_a_rounding_stays_within_its_width(name: str, mode: str, x: float) -> None:
    to = Rounding.of(name, rounding=mode, overflow="saturate")
    width = rounding_width(np.array([x]), to)
    got = float(np.asarray(round_to(np.array([x]), name, rounding=mode, overflow="saturate"))[0])
    assert abs(got - x) <= width.worst[0]
    assert (width.drift[0] > 0) == (mode in ("rz", "ru", "rd") and width.worst[0] > 0)


def test_formula_widths_of_what_is_special() -> None:
    flushed = rounding_width(np.array([1e-39, 0.0]), Rounding.of("bf16", flush=True)).worst
    assert flushed[0] >= 1e-39 and flushed[1] == 0.0
    assert rounding_width(np.array([1e5]), Rounding.of("fp16")).worst[0] == math.inf
    assert rounding_width(np.array([500.0]), Rounding.of("e4m3", overflow="saturate")).worst[0] == 52.0


@pytest.mark.parametrize(
    "accumulator",
    ["sequential:bf16", "fma:fp16", "pairwise:bf16:leaf=4", "tree:bf16:radix=3", "kahan:bf16", "exact:bf16", "split_k:4:sequential:bf16",
     "fma:bf16:promote=16", "hopper-bf16", "hopper-e4m3", "ampere-fp16-acc16"],
)  # fmt: skip
def test_property_sums_stay_within_their_width(accumulator: str) -> None:
    draw = np.random.default_rng(5)
    for n in (1, 2, 7, 64, 100):
        for x in (draw.random((20, n)), draw.standard_normal((20, n))):
            held = np.asarray(round_to(x, "e4m3", overflow="saturate"), dtype=np.float64)
            exact = np.array([math.fsum(row) for row in held.tolist()])
            error = np.abs(np.asarray(accumulate(held, accumulator), dtype=np.float64) - exact)
            width = sum_width(held, accumulator)
            assert (error <= width.worst * 1.02).all()  # first order


def test_formula_roundings_in_a_row() -> None:
    counts = {
        "fma:fp32": 64, "sequential:bf16": 64, "exact:fp32": 1, "pairwise:bf16": 7, "pairwise:bf16:leaf=8": 11, "tree:bf16": 7, "tree:bf16:radix=4": 10,
    }  # fmt: skip
    assert {text: depth(text, 64) for text in counts} == counts
    assert depth("split_k:4:fma:fp32", 64) == 16 + 4 and depth("fma:bf16:promote=16", 64) == 16 + 4


def test_formula_significant_digits() -> None:
    draw = np.random.default_rng(2)
    samples = 5.0 + 5e-4 * draw.standard_normal((4000, 3))
    found = significant_digits(samples)
    assert np.abs(found.digits - 4.0).max() < 0.03  # sigma / |mean| is 1e-4
    assert (found.low < found.digits).all() and (found.digits < found.high).all()
    # one run in twenty lies beyond 1.96 sigma: 0.29 digits less
    assert found.digits[0] - found.sure[0] == pytest.approx(math.log10(1.96), abs=0.02)
    assert np.isinf(significant_digits(np.ones((3, 2))).digits).all()
    assert significant_digits(samples, 5.0).digits == pytest.approx(found.digits, abs=0.01)
    for call, said in ((lambda: significant_digits(np.ones((2, 3))), "at least 3"), (lambda: significant_digits([1.0, np.nan, 2.0]), "NaN")):
        with pytest.raises(BadValue, match=said):
            call()


def test_property_digit_intervals_cover_the_truth() -> None:
    samples = 1.0 + 1e-3 * np.random.default_rng(7).standard_normal((12, 4000))
    found = significant_digits(samples)
    assert ((found.low <= 3.0) & (found.high >= 3.0)).mean() == pytest.approx(0.95, abs=0.015)
    assert (found.sure <= 3.0 - math.log10(1.96)).mean() == pytest.approx(0.95, abs=0.015)


def test_peer_scipy_chi_square() -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")
    for free in (2, 5, 29, 200):
        for below in (0.025, 0.05, 0.5, 0.975):
            assert chi_square(free, below) == pytest.approx(stats.chi2.ppf(below, free), rel=1e-6)


def test_formula_roundings_left_to_chance() -> None:
    chance = randomised("fa2_kernel", "stochastic")
    assert chance.rule("o.add").rounding == "stochastic" and chance.rule("o.add").format == "fp32"
    assert chance.rule("in.q").rounding == "rne" and chance.rule("p.store").rounding == "stochastic"
    assert float_spec(chance.rounding("p.store", "bf16").spec).name == "bf16"
    with pytest.raises(BadValue, match="rounding='rz' is unknown"):
        randomised("fa_paper", "rz")


@pytest.mark.parametrize(
    ("call", "said"),
    [(lambda: gamma(-1, 0.5), "n=-1"), (lambda: gamma(1, 2.0), "u=2.0"), (lambda: lambda_of(1.0), "confidence=1.0")],
)
def test_formula_refusals(call: object, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        call()  # type: ignore[operator]

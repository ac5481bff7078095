"""The deviation report: every measure by hand, floors, NaN and infinite elements, and what is refused."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.errors import BadValue
from thrifty.formats import float_spec, round_to
from thrifty.lenses.contract import Finding
from thrifty.lenses.numerics import deviation
from thrifty.lenses.numerics.deviations.ulps import floor_of, nearest, ulp_distance
from thrifty.report import Page, to_html


def test_formula_every_measure_by_hand() -> None:
    golden = np.array([[1.0, -2.0], [4.0, 0.5]])
    a, b = golden + np.array([[0.0, 0.25], [0.25, 0.0]]), golden + np.array([[0.125, 0.0], [0.0, 0.0]])
    found = deviation(a, b, golden, format="bf16")
    one = found.optimised
    assert (one.max, one.mean, one.signed_mean, one.std) == (0.25, 0.125, 0.125, 0.125)
    assert one.rmse == pytest.approx(0.25 / math.sqrt(2)) and one.bias_ratio == pytest.approx(0.125 / one.rmse)
    assert one.frobenius == pytest.approx(math.sqrt(2 * 0.0625) / math.sqrt(21.25))
    assert one.sqnr_db == pytest.approx(-20 * math.log10(one.frobenius))
    assert one.cosine == pytest.approx((a * golden).sum() / math.sqrt((a**2).sum() * (golden**2).sum()))
    assert one.changed == 0.5 and one.w1 == pytest.approx(0.125)
    # -2 → -1.75: spacing 2^-7 below 2; 4 → 4.25: spacing 2^-5
    assert one.ulp_max == 32 and one.ulp_mean == (32 + 8) / 4
    assert found.ratio_to_baseline == 2.0 and found.rmse_ratio == pytest.approx(one.rmse / 0.0625)
    assert found.worst is not None and found.worst.index == (0, 1) and found.worst.baseline == -2.0 and found.worst.ulps == 32
    assert found.between is not None and found.between.max == 0.25
    assert not found.at_floor


def test_formula_the_floor_is_one_rounding() -> None:
    golden = np.random.default_rng(0).random((64, 64))
    rounded = round_to(golden, "bf16")
    twice = deviation(rounded + np.spacing(rounded.astype(np.float32)), rounded, golden, format="bf16")
    assert twice.baseline is not None and twice.baseline.at_floor and twice.at_floor
    assert twice.baseline.rmse == twice.baseline.floor_rmse and twice.baseline.changed == 0.0
    assert any("ratios to it compare with the least deviation" in note for note in twice.notes)
    off = rounded.copy()
    off[3, 5] += 0.01
    assert not deviation(off, rounded, golden, format="bf16").at_floor
    # beyond the largest number nothing can be nearer than that number
    assert deviation([448.0], None, [500.0], format="e4m3").at_floor
    assert deviation([0.0], None, [0.0], format="e4m3").to_dict()["sqnr_db"] is None  # exact: infinite


@given(st.sampled_from(["bf16", "fp16", "e4m3", "e5m2", "e2m1", "fp32"]), st.floats(-1e5, 1e5))
def test_property_rounding_never_leaves_the_floor(name: str, x: float) -> None:
    spec = float_spec(name)
    value = np.array([x])
    got = nearest(value, spec)
    assert not np.isfinite(got[0]) or abs(got[0] - x) <= floor_of(value, spec)[0]


@given(st.integers(0, 255), st.integers(0, 255))
def test_property_ulps_count_numbers_between(i: int, j: int) -> None:
    from thrifty.formats import decode

    spec = float_spec("e4m3")
    table = np.unique(np.asarray(decode(np.arange(256, dtype=np.uint8), spec), dtype=np.float64))
    table = table[np.isfinite(table)]
    a, b = table[i % table.size], table[j % table.size]
    assert ulp_distance(np.array([a]), np.array([b]), spec)[0] == abs(np.searchsorted(table, a) - np.searchsorted(table, b))


def test_formula_nan_and_infinite_elements_are_counted_and_left_out() -> None:
    golden = np.array([1.0, np.nan, np.inf, 2.0, np.inf, 3.0])
    a = np.array([np.nan, np.nan, np.inf, 2.5, -np.inf, np.inf])
    found = deviation(a, golden, golden, format="fp16")
    census = found.optimised.census
    assert (census.nan_a, census.inf_a, census.only_a, census.only_b, census.both, census.apart) == (2, 3, 2, 0, 2, 1)
    assert found.optimised.compared == 1 and found.optimised.max == 0.5 and not found.at_floor
    assert found.worst is not None and found.worst.index == (3,)
    assert found.notes[0].startswith("3 of 6 elements of optimised and golden are NaN or infinite")
    none = deviation(np.full(3, np.nan), None, np.ones(3), format="bf16")
    assert none.optimised.compared == 0 and none.worst is None and "no element can be compared" in none.notes
    json.dumps(none.to_dict(), allow_nan=False)
    to_html(Page(title="t", summary="s", sections=none.sections()))


def test_formula_extremes_stay_numbers() -> None:
    big = np.array([1.5e308, -1.5e308, 1e300])
    found = deviation(big * 0.5, big, big).optimised
    assert math.isfinite(found.rmse) and found.cosine == pytest.approx(1.0) and found.frobenius == pytest.approx(0.5)
    assert deviation(-big, None, big).optimised.compared == 1  # the first two differences are beyond FP64
    tiny = np.array([5e-324, 0.0])
    assert deviation(tiny, None, tiny * 0).optimised.rmse == pytest.approx(5e-324)
    assert math.isnan(deviation(np.zeros(2), None, np.ones(2)).optimised.cosine)


def test_formula_report_for_machines_and_readers() -> None:
    golden = np.random.default_rng(1).random((40, 3))
    found = deviation(
        golden.astype(np.float32), round_to(golden, "fp16"), golden, names=("mine", "theirs"), operands={"x": golden}, golden_is="FP64, inputs as given"
    )
    assert isinstance(found, Finding)
    said = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert {"max", "mean", "signed_mean", "bias_ratio", "rmse", "ulp_max", "cosine", "sqnr_db", "w1", "ratio_to_baseline", "at_floor", "worst"} <= set(said)
    assert said["format"] == "fp32" and said["golden"] == "FP64, inputs as given" and said["names"] == ["mine", "theirs"]
    assert said["worst"]["operands"]["x"] == said["worst"]["golden"]
    assert any("elements of theirs are no numbers" in note for note in said["notes"]) is False  # FP16's are FP32's
    page = to_html(Page(title="t", summary="s", sections=found.sections()))
    assert "FP64, inputs as given" in page and "Mine deviates from golden by at most" in page
    assert found.brief()
    assert max(map(max, found.blocks)) == found.optimised.max
    assert deviation(golden, None, golden, operands=lambda at: {"place": str(at), "row": golden[at[0]]}).worst is not None


def test_peer_torch_tensors() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    golden = torch.rand(8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = deviation(golden.to(torch.bfloat16), golden.to(torch.float32), golden)
    assert found.format == "bf16" and found.at_floor and found.notes[0].startswith("64 of 64 elements of baseline are no numbers of bf16")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: deviation(np.ones((2, 3)), None, np.ones((3, 2))), r"shapes differ: a \[2, 3\], golden \[3, 2\]"),
        (lambda: deviation(np.ones(0), np.ones(0), np.ones(0)), "hold no elements"),
        (lambda: deviation(np.ones(2) * 1j, None, np.ones(2)), "complex128"),
        (lambda: deviation([1.0], None, [1.0], format="e8m0"), "it is for scales"),
        (lambda: deviation([1.0], None, [1.0], operands={"x": [1.0, 2.0]}), "operand x has shape"),
    ],
)
def test_formula_refusals(call: object, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        call()  # type: ignore[operator]

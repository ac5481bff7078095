"""Whole numbers with scales, against fractions worked by hand; every width, scheme and grouping."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.errors import BadValue
from thrifty.formats import ROUNDINGS, integers, quantize_int, unpack
from thrifty.formats.integers import round_whole


def test_formula_symmetric_by_hand() -> None:
    found = quantize_int([7.0, -3.5, 0.6, 0.0], 4)
    assert (found.codes.tolist(), float(found.scale), int(found.zero_point), found.clipped) == ([7, -4, 1, 0], 1.0, 0, 0)
    assert (found.least, found.most) == (-7, 7)
    assert quantize_int([7.0, -8.0], 4, narrow=False, scale=1.0).codes.tolist() == [7, -8]
    assert quantize_int([7.0, -8.0], 4, scale=1.0).clipped == 1
    unsigned = quantize_int([7.0, -3.5, 0.6], 4, signed=False)
    assert (unsigned.codes.tolist(), int(unsigned.zero_point), unsigned.codes.dtype) == ([15, 4, 9], 8, np.uint8)
    assert unsigned.dequantize().tolist() == [7, -4, 1]


def test_formula_affine_by_hand() -> None:
    found = quantize_int([-1.0, 0.0, 2.0, 6.5], 4, scheme="affine", signed=False)
    assert (float(found.scale), int(found.zero_point), found.codes.tolist()) == (0.5, 2, [0, 2, 6, 15])
    assert found.dequantize().tolist() == [-1, 0, 2, 6.5]
    signed = quantize_int([-1.0, 0.0, 2.0, 6.5], 4, scheme="affine")
    assert (int(signed.zero_point), signed.codes.tolist()) == (-6, [-8, -6, -2, 7])
    one_sided = quantize_int([3.0, 4.0], 8, scheme="affine", signed=False)
    assert int(one_sided.zero_point) == 0  # the range holds 0, so that 0 is exact
    assert abs(float(one_sided.scale) - 4 / 255) < 1e-9


@pytest.mark.parametrize("scale", [0.7, 1 / 3, 0.9999999, 1e-30, 3.0000002])
def test_formula_a_hair_beside_a_tie_is_no_tie(scale: float) -> None:
    """FP64 neighbours of (k + 1/2) · scale and k · scale go their own way; the tie itself goes to the even code."""
    single = float(np.float32(scale))
    for k in (0, 1, 2, 3, 126):
        tie = (k + 0.5) * single
        near = [np.nextafter(tie, 0), tie, np.nextafter(tie, np.inf)]
        assert quantize_int(near, 8, scale=single).codes.tolist() == [k, k + k % 2, k + 1]
        whole = [np.nextafter((k + 1) * single, 0), (k + 1) * single]
        assert quantize_int(whole, 16, scale=single, rounding="rd").codes.tolist() == [k, k + 1]
        assert quantize_int([-each for each in whole], 16, scale=single, rounding="rz").codes.tolist() == [-k, -k - 1]


@pytest.mark.parametrize("scheme", ["symmetric", "affine"])
@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize("bits", range(2, 17))
def test_property_every_number_is_within_half_a_step(bits: int, signed: bool, scheme: str) -> None:
    x = np.random.default_rng(bits).normal(size=(6, 50)).astype(np.float32)
    for options in ({}, {"axis": -1}, {"axis": (0, 1)}, {"group": 16}, {"group": 4, "axis": 0}):
        found = quantize_int(x, bits, scheme=scheme, signed=signed, **options)
        assert found.codes.dtype == np.dtype(f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}")
        assert found.least <= found.codes.min()
        assert found.codes.max() <= found.most
        step = np.broadcast_to(np.float64(found.scale), x.shape) if "group" not in options else None
        if step is None:
            step = np.repeat(found.scale, options["group"], axis=options.get("axis", -1))[: x.shape[0], : x.shape[1]].astype(np.float64)
        ends = 1.0 if scheme == "affine" else 0.5  # a zero point to nearest moves the ends by up to half a step
        assert (np.abs(found.dequantize() - x) <= step * (ends + 2.0**-20 * (1 << bits) / 16)).all()
        np.testing.assert_array_equal(unpack(found.pack(), bits, x.size, signed=signed).reshape(x.shape), found.codes)


def test_formula_groups_share_what_their_axis_says() -> None:
    x = np.array([[1.0, 2.0, 4.0, 8.0, 16.0], [0, 0, 0, 0, 3]])
    assert quantize_int(x, 8, axis=-1).scale.shape == (2, 1)
    assert quantize_int(x, 8, axis=0).scale.shape == (1, 5)
    grouped = quantize_int(x, 8, group=2)
    assert grouped.scale.shape == (2, 3)
    np.testing.assert_array_equal(grouped.scale, np.float32([[2 / 127, 8 / 127, 16 / 127], [1, 1, 3 / 127]]))
    assert grouped.bytes == 10 + 6 * 4
    assert quantize_int(x, 4, group=2, scheme="affine", scale_format="fp16").bytes == 5 + 6 * 2 + 3
    assert quantize_int(x, 3).bytes == 4 + 4


@settings(max_examples=60)
@given(
    st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=12), st.integers(2, 16), st.sampled_from(ROUNDINGS[:5]),
    st.sampled_from(["symmetric", "affine"]),
)  # fmt: skip
def test_property_codes_are_those_of_exact_fractions(x: list[float], bits: int, rounding: str, scheme: str) -> None:
    found = quantize_int(x, bits, scheme=scheme, rounding=rounding)
    scale, zero = Fraction(float(found.scale)), int(found.zero_point)
    for value, code in zip(x, found.codes.tolist(), strict=True):
        quotient = Fraction(value) / scale
        low = math.floor(quotient)
        rest = quotient - low
        steps = {
            "rne": low + (rest > Fraction(1, 2) or (rest == Fraction(1, 2) and low % 2 == 1)), "rz": low if quotient >= 0 else math.ceil(quotient),
            "ru": math.ceil(quotient), "rd": low, "odd": low if rest == 0 or low % 2 == 1 else low + 1,
        }[rounding]  # fmt: skip
        assert code == min(max(steps + zero, found.least), found.most)


@pytest.mark.parametrize("options", [{}, {"axis": -1}, {"axis": 0}, {"group": 4}, {"group": 4, "axis": 0}, {"axis": 1, "rounding": "stochastic"}])
def test_property_pieces_change_nothing(options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Large arrays are taken a piece at a time; pieces of one row give the same codes."""
    x = np.random.default_rng(5).normal(size=(11, 6, 5))
    whole = quantize_int(x, 5, scheme="affine", **options)
    monkeypatch.setattr(integers, "_AT_ONCE", 31)
    pieces = quantize_int(x, 5, scheme="affine", **options)
    np.testing.assert_array_equal(pieces.codes, whole.codes)
    np.testing.assert_array_equal(pieces.scale, whole.scale)
    np.testing.assert_array_equal(pieces.dequantize(), whole.dequantize())
    assert pieces.clipped == whole.clipped


def test_property_random_modes_are_fair_and_repeat() -> None:
    x = np.full(20000, 2.25)
    drawn = round_whole(x, "stochastic", seed=3)
    assert set(drawn) == {2.0, 3.0}
    assert abs(drawn.mean() - 2.25) < 5 * 0.433 / math.sqrt(x.size)
    assert abs(round_whole(x, "random", seed=3).mean() - 2.5) < 5 * 0.5 / math.sqrt(x.size)
    np.testing.assert_array_equal(round_whole(x[5:], "stochastic", seed=3, first=5), drawn[5:])
    assert round_whole(np.array([-2.25, 2.0, -3.0]), "random", seed=1)[1:].tolist() == [2, -3]
    one, two = (quantize_int(x, 4, rounding="stochastic", seed=seed, scale=1.0).codes for seed in (1, 2))
    assert (one != two).any()


def test_formula_empty_zero_and_extreme() -> None:
    zero = quantize_int(np.zeros((2, 3)), 4, axis=-1)
    assert (zero.scale.tolist(), zero.codes.tolist()) == ([[1.0], [1.0]], [[0, 0, 0], [0, 0, 0]])
    assert quantize_int(np.zeros(3), 4, scheme="affine").dequantize().tolist() == [0, 0, 0]
    assert quantize_int([], 4).codes.shape == (0,)
    assert quantize_int(np.zeros((2, 0)), 4, group=8).scale.shape == (2, 0)
    assert quantize_int(np.zeros((0, 8)), 4, scheme="affine", group=4).scale.shape == (0, 2)
    assert quantize_int(np.float64(5.0), 8).dequantize() == 5
    assert quantize_int([1e-45, 0.0], 8).codes.tolist() == [1, 0]  # the scale is the least that float32 has, 1.4e-45
    assert quantize_int([np.inf, -np.inf, 1.0], 4, scale=1.0).codes.tolist() == [7, -7, 1]
    wide = quantize_int([3.0e38, -3.0e38], 8, scheme="affine")
    assert (wide.codes.tolist(), wide.clipped) == ([127, -128], 1)  # a tie, and 128 is no code
    assert quantize_int([0.1, 0.7], 4, scale_format="e8m0").scale.tolist() == 0.125


def test_formula_tensors_come_back_as_tensors() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    x = torch.randn(4, 24, generator=torch.Generator().manual_seed(1), requires_grad=True)
    found = quantize_int(x.t(), 5, axis=0, group=2, scheme="affine")
    assert all(isinstance(each, torch.Tensor) for each in (found.codes, found.scale, found.zero_point, found.pack()))
    same = quantize_int(x.detach().numpy().T, 5, axis=0, group=2, scheme="affine")
    np.testing.assert_array_equal(found.dequantize().numpy(), same.dequantize())
    half = quantize_int(x.to(torch.bfloat16), 16, signed=False, scheme="affine")
    assert half.codes.dtype == torch.uint16
    np.testing.assert_allclose(half.dequantize().numpy(), x.detach().to(torch.bfloat16).float().numpy(), atol=float(half.scale))


def test_peer_torch_per_channel() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    x = torch.randn(5, 40, generator=torch.Generator().manual_seed(2))
    ours = quantize_int(x, 8, axis=1, scheme="affine")
    theirs = torch.fake_quantize_per_channel_affine(x, ours.scale[:, 0], ours.zero_point[:, 0], 0, -128, 127)
    torch.testing.assert_close(ours.dequantize(), theirs, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"bits": 1}, "bits=1 must be a whole number from 2 to 16."),
        ({"scheme": "log"}, "scheme='log' is unknown. Choose: symmetric, affine."),
        ({"rounding": "up"}, "rounding='up' is no rounding mode. Choose: rne, rz, ru, rd, odd, stochastic, random."),
        ({"rounding": "random", "seed": -1}, "seed=-1 must be a whole number from 0 to 2^64 - 1."),
        ({"rounding": "stochastic", "seed": 1 << 64}, "seed=18446744073709551616 must be a whole number from 0 to 2^64 - 1."),
        ({"group": 0}, "group=0 must be a whole number of neighbours, 1 or more."),
        ({"axis": 2}, "axis=2 names no axis of x, which has 2. Give -2 to 1, or None."),
        ({"axis": (0, 1), "group": 2}, "group=2 lies along one axis, and axis=(0, 1) names 2. Name one."),
        ({"narrow": True, "signed": False}, "narrow=True leaves out the lowest of signed codes, and signed=False has none below 0. Leave one of them out."),
        ({"scale": 0.0}, "scale must be finite numbers above 0."),
        ({"scale": [1.0, 1.0, 1.0], "axis": 1}, "scale has shape (3,); groups of x have shape (2, 1). Give that."),
        ({"scale": 1.0, "zero_point": 0.5}, "zero_point must be whole numbers among the codes -7 to 7."),
        ({"zero_point": 1}, "zero_point is given without its scale. Give both, or leave both to be found."),
        ({"scale_format": "fp64"}, "scale_format='fp64' is wider than float32. Choose fp32, bf16, fp16, e8m0 or another that float32 holds."),
        ({"x": [[1e300]]}, "a scale of 1.43e+299 is beyond fp32, which ends at 3.4e+38. Choose another scale_format, or scale x down."),
        ({"x": [[np.nan, 1.0]]}, "x holds 1 NaN, and whole numbers have no code for it. Replace them first."),
        (
            {"x": [[np.inf, 1.0]]},
            "x holds 1 infinite numbers, so no scale reaches them. Clip them first, or give scale= (they become the last code).",
        ),
    ],
)
def test_bad_input_is_one_line(options: dict[str, Any], text: str) -> None:
    with pytest.raises(BadValue) as caught:
        quantize_int(options.pop("x", [[1.0, 2.0], [3.0, 4.0]]), options.pop("bits", 4), **options)
    assert str(caught.value) == text


@pytest.mark.parametrize("bits", [8, 16])
def test_formula_widths_may_be_numpys_own(bits: int) -> None:
    x = [[1.0, -2.0, 0.3]]
    np.testing.assert_array_equal(quantize_int(x, np.uint8(bits), group=np.uint8(2)).codes, quantize_int(x, bits, group=2).codes)  # type: ignore[arg-type]

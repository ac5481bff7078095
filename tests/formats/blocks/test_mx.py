"""MX blocks and block floating point, against fractions worked by hand and against gfloat; compiled and plain, bit for bit."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.errors import BadValue, UnknownName
from thrifty.formats import ELEMENTS, SCALES, Blocks, bfp, decode, float_spec, mx
from thrifty.formats.blocks import calls, value
from thrifty.formats.blocks import plain as blocks_plain
from thrifty.loops import has_numba

LARGEST = {"e4m3": (8, 448), "e5m2": (15, 57344), "e3m2": (4, 28), "e2m3": (2, Fraction(15, 2)), "e2m1": (2, 6), "int8": (0, Fraction(127, 64))}
MANTISSA = {"e4m3": 3, "e5m2": 2, "e3m2": 2, "e2m3": 3, "e2m1": 1, "int8": 6}


def scale_by_hand(amax: Fraction, element: str, rule: str) -> int:
    """The rule with exact fractions, by trying exponents one after the other."""
    emax, largest = LARGEST[element]
    power = next(e for e in range(1100, -1200, -1) if Fraction(2) ** e <= amax)
    match rule:
        case "floor":
            s = power - emax
        case "ceil":
            s = power - emax + (Fraction(2) ** power != amax)
        case "rceil":
            s = next(e for e in range(-1200, 1200) if largest * Fraction(2) ** e >= amax)
        case _:
            steps = amax / Fraction(2) ** (power - MANTISSA[element])
            whole = math.floor(steps)
            rounded = whole + (steps - whole > Fraction(1, 2) or (steps - whole == Fraction(1, 2) and whole % 2 == 1))
            s = power - emax + (rounded == 2 ** (MANTISSA[element] + 1))
    return min(max(s, -127), 127)


def numbers(element: str) -> list[Fraction]:
    """Numbers of an element that are not negative, by code."""
    if element == "int8":
        return [Fraction(k, 64) for k in range(128)]
    spec = float_spec(element)
    found = decode(np.arange(1 << (spec.code_bits - 1), dtype=np.uint8), spec)
    return [Fraction(float(each)) for each in found if math.isfinite(each)]


def nearest(x: Fraction, grid: list[Fraction]) -> Fraction:
    """The nearest, ties to the even code, the last one beyond."""
    code = min(range(len(grid)), key=lambda place: (abs(grid[place] - abs(x)), place % 2))
    return grid[code] if x >= 0 else -grid[code]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("element", ELEMENTS)
def test_formula_every_number_is_the_nearest_of_its_block(element: str, scale: str) -> None:
    draws = np.random.default_rng(1)
    x = np.concatenate([
        draws.normal(size=(2, 8)), np.ldexp(draws.integers(-16, 17, (2, 8)) / 8, draws.integers(-3, 3, (2, 1))), 2.0**-126 * draws.normal(size=(1, 8)),
    ]).astype(np.float32)  # fmt: skip
    blocks, grid = mx(x, element, scale, block=8), numbers(element)
    for row in range(len(x)):
        s = scale_by_hand(max(Fraction(abs(float(each))) for each in x[row]), element, scale)
        assert blocks.scales[row, 0] == s + 127
        by_hand = [float(nearest(Fraction(float(each)) / Fraction(2) ** s, grid) * Fraction(2) ** s) for each in x[row]]
        assert blocks.values()[row].tolist() == by_hand


@pytest.mark.parametrize("k", [-120, -1, 0, 5, 100])
@pytest.mark.parametrize("element", ELEMENTS)
def test_formula_powers_of_two_and_their_neighbours(element: str, k: int) -> None:
    """Where a floating logarithm goes wrong: amax = 2^k, 2^k (1 - 2^-24), 2^k (1 + 2^-23), and the largest element times 2^k with its neighbours."""
    emax, largest = LARGEST[element]
    power = np.float32(2.0**k)
    top = np.float32(float(largest) * 2.0**k)
    cases = [power, np.nextafter(power, np.float32(0)), np.nextafter(power, np.float32(np.inf)), top, np.nextafter(top, np.float32(np.inf))]
    found = {scale: [int(mx([case], element, scale).scales[0]) - 127 for case in cases] for scale in SCALES}
    clip = lambda s: min(max(s, -127), 127)  # noqa: E731
    assert found["floor"] == [clip(k + each - emax) for each in (0, -1, 0, emax, emax)]
    assert found["ceil"] == [clip(k + each - emax) for each in (0, 0, 1, emax + 1, emax + 1)]
    assert found["rceil"][3:] == [clip(k), clip(k + 1)]
    assert found["even"][:3] == [clip(k - emax)] * 3


def test_formula_known_blocks() -> None:
    """By hand: 7 in MXFP4. Floor clips it to 6; the others double the scale, where 3.5 lies between 3 and 4 and goes to the even code, 4."""
    x = [7.0, 1.0, -0.3, 0.25]
    assert mx(x, scale="floor").values().tolist() == [6, 1, -0.5, 0]
    assert mx(x, scale="ceil").values().tolist() == [8, 1, -0.0, 0]
    assert mx(x, scale="rceil").values().tolist() == [8, 1, -0.0, 0]
    assert mx(x, scale="even").values().tolist() == [8, 1, -0.0, 0]
    assert mx(x, "int8").codes.tolist() == [112, 16, -5, 4]
    assert bfp(x, 4, 2).values().tolist() == [7, 1, -0.3125, 0.25]


def test_formula_zero_small_and_lost_blocks() -> None:
    x = np.zeros((5, 32), dtype=np.float32)
    x[1, 3], x[2, 5], x[3, :2], x[4] = np.nan, -np.inf, (2.0**-127, 2.0**-149), 3.0
    for element in ELEMENTS:
        found = mx(x, element)
        assert found.scales[:, 0].tolist()[:4] == [0, 255, 255, 0]
        values = found.values()
        assert (values[0] == 0).all()
        assert np.isnan(values[1:3]).all()
        assert (values[4] == 3).all()
        assert values[3, 0] == 2.0**-127
        assert values[3, 1] == 0
    assert np.isnan(mx(x).scale_values()[1:3]).all()


def test_formula_numbers_beyond_float32_keep_to_the_scales_there_are() -> None:
    found = mx([1e300, 1.0, -2.0], "e2m1")
    assert found.values().tolist() == [6 * 2.0**127, 0, -0.0]
    assert found.values().dtype == np.float64
    assert mx([1e-300, 0.0], "e5m2").values().tolist() == [0, 0]
    with np.errstate(all="raise"):
        top = mx(np.float32([3.4028235e38]), scale="ceil")
        assert np.isinf(top.values()).all()  # 4 · 2^126 is beyond float32


def test_formula_axis_short_blocks_and_strides() -> None:
    x = np.random.default_rng(2).normal(size=(3, 70, 4)).astype(np.float32)
    along = mx(x, "e4m3", axis=1)
    assert along.codes.shape == x.shape
    assert along.scales.shape == (3, 3, 4)
    turned = mx(x.transpose(0, 2, 1), "e4m3")
    np.testing.assert_array_equal(along.values(), turned.values().transpose(0, 2, 1))
    np.testing.assert_array_equal(along.scales, turned.scales.transpose(0, 2, 1))
    np.testing.assert_array_equal(mx(x[:, ::-1, ::2], axis=-2).values(), mx(np.ascontiguousarray(x[:, ::-1, ::2]), axis=1).values())
    assert along.bytes == 3 * 3 * 4 * 33
    assert mx(np.zeros((0, 5))).values().shape == (0, 5)
    assert mx([]).values().shape == (0,)
    assert mx(np.zeros((3, 0))).pack().shape == (0, 17)


def plain(monkeypatch: pytest.MonkeyPatch, call: Any) -> Blocks:
    """Made without compiled loops; so are its values."""
    with monkeypatch.context() as patch:
        patch.setattr(calls, "has_numba", lambda: False)
        found: Blocks = call()
        compiled = found.values()
        patch.setattr(value, "has_numba", lambda: False)
        np.testing.assert_array_equal(found.values(), compiled)
    return found


@pytest.mark.skipif(not has_numba(), reason="numba is not installed, so there is one path only")
@pytest.mark.parametrize("size", [1, 31, 100])
def test_property_compiled_and_plain_blocks_are_the_same(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    draws = np.random.default_rng(size)
    any_bits = draws.integers(0, 1 << 32, (6, size), dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = np.concatenate([
        any_bits, np.where(np.isfinite(any_bits), any_bits, 0), draws.normal(size=(6, size)),
        np.ldexp(draws.integers(-32, 33, (6, size)) / 16, draws.integers(-149, -115, (6, 1))), np.ldexp(draws.integers(-32, 33, (6, size)) / 16, 3),
    ]).astype(np.float32)  # fmt: skip
    for rule in SCALES:
        for element in ELEMENTS:
            one, other = mx(x, element, rule), plain(monkeypatch, lambda e=element, r=rule: mx(x, e, r))
            np.testing.assert_array_equal(one.codes, other.codes)
            np.testing.assert_array_equal(one.scales, other.scales)
        for bits in (2, 5, 12, 16):
            one, other = bfp(x, bits, 24, scale=rule), plain(monkeypatch, lambda b=bits, r=rule: bfp(x, b, 24, scale=r))
            np.testing.assert_array_equal(one.codes, other.codes)
            np.testing.assert_array_equal(one.scales, other.scales)


@settings(max_examples=40)
@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=40), st.sampled_from(ELEMENTS), st.sampled_from(SCALES))
def test_property_rounding_twice_changes_nothing_and_signs_mirror(x: list[float], element: str, scale: str) -> None:
    once = mx(np.asarray(x, dtype=np.float64), element, scale)
    values = once.values()
    np.testing.assert_array_equal(mx(-np.asarray(x), element, scale).values(), -values)
    # A block may come back with a smaller scale, never with other numbers: what a scale's grid holds, a finer one holds too.
    if scale in ("floor", "rceil"):
        np.testing.assert_array_equal(mx(values, element, scale).values(), values)
    if scale == "rceil":
        assert (np.abs(values) <= np.abs(x).max() * 2).all()


def test_property_bytes_come_back_and_flipped_bits_are_seen() -> None:
    x = np.random.default_rng(3).normal(size=(4, 45)).astype(np.float32)
    for made in (mx(x, "e4m3"), mx(x, "e2m3"), mx(x, "e2m1", axis=0), mx(x, "int8"), bfp(x, 5, 11), bfp(x, 13, 16)):
        raw = made.pack()
        assert raw.shape == (made.scales.size, made.block_bytes)
        assert raw.size == made.bytes
        again = made.with_bytes(raw)
        np.testing.assert_array_equal(again.codes, made.codes)
        np.testing.assert_array_equal(again.values(), made.values())
    raw = mx(x, "e2m1").pack()
    raw[0, 1] ^= 8  # the sign of the first number
    changed = mx(x, "e2m1").with_bytes(raw).values()
    assert changed[0, 0] == -mx(x, "e2m1").values()[0, 0]
    assert (changed != mx(x, "e2m1").values()).sum() == 1


def test_property_directed_and_random_modes_take_one_of_the_neighbours() -> None:
    x = np.random.default_rng(4).normal(size=(5, 64))
    for element in ("e2m1", "int8"):
        down, up = (mx(x, element, "rceil", rounding=mode).values() for mode in ("rd", "ru"))
        assert ((down <= x) & (x <= up)).all()
        drawn = [mx(x, element, "rceil", rounding="stochastic", seed=seed).values() for seed in range(200)]
        assert all(((each == down) | (each == up)).all() for each in drawn)
        gap = (up - down).max()
        assert np.abs(np.mean(drawn, axis=0) - x).max() < gap * 5 / math.sqrt(4 * 200)
        np.testing.assert_array_equal(drawn[7], mx(x, element, "rceil", rounding="stochastic", seed=7).values())
    tiny = np.array([6.0, 1e-300, -1e-300])
    assert mx(tiny, rounding="ru").values().tolist() == [6, 0.5, -0.0]


def test_property_pieces_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plain path takes large arrays a piece at a time, and draws go on from piece to piece."""
    x = np.random.default_rng(6).normal(size=(7, 45)) * 1.1
    calls_of = (lambda: mx(x, "e2m3", rounding="stochastic", seed=3), lambda: bfp(x, 6, 8, rounding="random"), lambda: mx(x, "e4m3", rounding="ru"))
    whole = [call() for call in calls_of]
    monkeypatch.setattr(blocks_plain, "_AT_ONCE", 64)
    for call, one in zip(calls_of, whole, strict=True):
        np.testing.assert_array_equal(call().codes, one.codes)
        np.testing.assert_array_equal(call().scales, one.scales)


def test_formula_tensors_come_back_as_tensors() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    x = torch.randn(4, 64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    for given_x in (x, x.to(torch.bfloat16), x.t(), x.double()):
        found = mx(given_x, "e4m3", axis=0)
        assert isinstance(found.codes, torch.Tensor)
        assert found.codes.dtype == torch.uint8
        assert found.values().dtype == (torch.float64 if given_x.dtype == torch.float64 else torch.float32)
        np.testing.assert_array_equal(found.values().numpy(), mx(given_x.detach().float().numpy(), "e4m3", axis=0).values())
        assert torch.equal(found.with_bytes(found.pack()).values(), found.values())
    assert x.requires_grad


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mx([1.0], scale="flor"), "scale='flor' is no rule for scales. Choose: floor, ceil, rceil, even."),
        (lambda: mx([1.0], block=0), "block=0 must be a whole number of neighbours, 1 or more."),
        (lambda: mx([1.0], axis=1), "axis=1 names no axis of x, which has 1. Give one of them."),
        (lambda: mx(3.0), "axis=-1 names no axis of x, which has 0. Give a row of numbers."),
        (lambda: mx([1j]), "x has dtype complex128, which is no real number of at most 64 bits. Give floats or whole numbers."),
        (lambda: mx([1.0], "int8", rounding="stochastic", seed=-1), "seed=-1 must be a whole number from 0 to 2^64 - 1."),
        (lambda: bfp([1.0], seed=1 << 64), "seed=18446744073709551616 must be a whole number from 0 to 2^64 - 1."),
        (lambda: mx([1.0], None), "element has type NoneType; name it by text, such as 'e2m1'."),  # type: ignore[arg-type]
        (lambda: mx([1.0], rounding="up"), "rounding='up' is no rounding mode. Choose: rne, rz, ru, rd, odd, stochastic, random."),
        (lambda: bfp([1.0], 17), "bits=17 must be a whole number from 2 to 16: a sign, and one or more bits of fraction."),
        (lambda: mx([1.0]).with_bytes(np.zeros(3, dtype=np.uint8)), "packed is 3 of uint8; 1 blocks of mxfp4 take 17 bytes (uint8)."),
    ],
)
def test_bad_input_is_one_line(call: Any, text: str) -> None:
    with pytest.raises(BadValue) as caught:
        call()
    assert str(caught.value) == text


def test_formula_lengths_of_blocks_may_be_numpys_own() -> None:
    x = np.linspace(-3, 3, 600)
    np.testing.assert_array_equal(mx(x, block=np.uint8(32)).values(), mx(x).values())  # type: ignore[arg-type]


def test_an_unknown_element_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"^No element of MX blocks named 'e2m2'. Did you mean 'e5m2'\? List them with: thrifty numerics round --formats$"):
        mx([1.0], "e2m2")
    with pytest.raises(UnknownName, match=r"^No element of MX blocks named 'bf16'"):
        mx([1.0], "bf16")


@pytest.mark.parametrize("element", ELEMENTS)
def test_peer_gfloat_agrees_under_the_floor_rule(element: str) -> None:
    """gfloat's `quantize_block` with its `compute_scale_amax`; for int8 it also writes the code for -2, which OCP lets be left unused, and ours does."""
    gfloat = pytest.importorskip("gfloat", reason="gfloat is not installed")
    formats = pytest.importorskip("gfloat.formats", reason="gfloat is not installed")
    info = formats.format_info_mxint8 if element == "int8" else getattr(formats, f"format_info_mxfp{float_spec(element).code_bits}_{element}")
    draws = np.random.default_rng(5)
    x = np.concatenate([draws.normal(size=(4, 32)), np.ldexp(draws.integers(-64, 65, (4, 32)) / 32, draws.integers(-9, 9, (4, 1)))])
    ours = mx(x, element).values()
    theirs = np.stack([np.asarray(gfloat.quantize_block(info, row, gfloat.compute_scale_amax), dtype=np.float64) for row in x])
    if element == "int8":
        lowest = theirs == -2 * mx(x, element).scale_values()
        theirs[lowest] *= 127 / 128
    np.testing.assert_array_equal(ours, theirs)

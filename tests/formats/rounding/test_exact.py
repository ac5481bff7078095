"""Every code and every midpoint of the small formats, and formats of one's own against rational numbers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.rounding.exact import rounded

from thrifty.formats import FloatSpec, Rounding, decode, encode, float_spec, float_specs
from thrifty.formats import round as round_to
from thrifty.formats.rounding import calls

SMALL = [spec.name for spec in float_specs() if spec.code_bits <= 16]
WITH_SIGN = [name for name in SMALL if float_spec(name).signed]
MODES = ("rne", "rz", "ru", "rd", "odd")
PATHS = ("compiled", "plain")


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Compiled and with NumPy alone."""
    if request.param == "plain":
        monkeypatch.setattr(calls, "has_numba", lambda: False)
    elif not calls.has_numba():
        pytest.skip("numba is not installed")
    return str(request.param)


def usual_overflow(spec: FloatSpec) -> str:
    return "inf" if spec.infinities else "saturate" if spec.no_number == "none" else "nan"


def bits_equal(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> bool:
    """The same numbers with the same signs, zeros' too; NaN where NaN."""
    return bool((((a == b) & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b))).all())


def neighbours(name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """(lower, upper, lower's code is even) of all consecutive positive numbers, zero with them; above the largest the one that would follow."""
    spec = float_spec(name)
    codes = np.arange(spec.largest_code + 1)
    numbers = decode(codes.astype(np.uint16), name).astype(np.float64)
    after = spec.largest + 2.0 ** (spec.emax - spec.mantissa_bits)
    return numbers, np.append(numbers[1:], after), codes % 2 == 0


@pytest.mark.parametrize("name", SMALL)
def test_property_every_code_round_trips(name: str, path: str) -> None:
    spec = float_spec(name)
    codes = np.arange(1 << spec.code_bits, dtype=np.uint8 if spec.code_bits <= 8 else np.uint16)
    numbers = decode(codes, name)
    for mode, source in itertools.product(("rne", "rz", "stochastic"), (numbers, numbers.astype(np.float64))):
        again = encode(source, name, rounding=mode, overflow=usual_overflow(spec))
        real = ~np.isnan(numbers)
        np.testing.assert_array_equal(again[real], codes[real])
        assert np.isnan(decode(again[~real], name)).all()
        assert bits_equal(round_to(source, name, rounding=mode, overflow=usual_overflow(spec)), source)


@pytest.mark.parametrize("name", WITH_SIGN)
def test_property_every_midpoint_and_what_is_beside_it(name: str, path: str) -> None:
    spec = float_spec(name)
    lower, upper, even = neighbours(name)
    middle = (lower + upper) / 2  # exact: one bit more than the format has
    assert ((middle - lower) == (upper - middle)).all()
    beyond = math.inf if spec.infinities else math.nan
    for source in (np.float64, np.float32):
        mid = middle.astype(source)
        if source is np.float32 and not (mid == middle).all():
            continue
        above, below = np.nextafter(mid, source(np.inf)), np.nextafter(mid, source(0))
        assert (above > mid).all() and (below < mid).all()
        top = np.where(upper > spec.largest, beyond, upper)
        expected = {
            "rne": (lower, np.where(even, lower, top), top), "rz": (lower, lower, lower), "ru": (top, top, top), "rd": (lower, lower, lower),
            "odd": (np.where(even, top, lower),) * 3,
        }  # fmt: skip
        for mode, sign in itertools.product(MODES, (1.0, -1.0)):
            towards = {"ru": "rd", "rd": "ru"}.get(mode, mode) if sign < 0 else mode
            for x, right in zip((below, mid, above), expected[towards], strict=True):
                found = round_to(sign * x, name, rounding=mode, overflow=usual_overflow(spec)) if spec.no_number != "none" else None
                if found is None:  # no code for what is too large: it saturates
                    found, right = round_to(sign * x, name, rounding=mode, overflow="saturate"), np.where(np.isnan(right), spec.largest, right)
                right = sign * right + 0.0 if spec.no_number == "minus_zero" else sign * right
                assert bits_equal(found, right), (mode, sign, source)
                codes = encode(sign * x, name, rounding=mode, overflow="saturate" if spec.no_number == "none" else usual_overflow(spec))
                assert bits_equal(decode(codes, name).astype(np.float64), right), (mode, sign, source)


def test_formula_numbers_that_are_rounded_twice_elsewhere() -> None:
    x = 1 + 2.0**-8 + 2.0**-40
    assert round_to(x, "bf16") == 1.0078125  # by way of FP32 it would be 1
    assert round_to(1 + 2.0**-11 + 2.0**-40, "fp16") == 1 + 2.0**-10
    assert round_to(1 + 2.0**-4 + 2.0**-40, "e4m3", overflow="saturate") == 1.125
    assert round_to(1 + 2.0**-11 + 2.0**-40, "tf32") == 1 + 2.0**-10
    assert round_to(1 + 2.0**-24 + 2.0**-50, "fp32") == 1 + 2.0**-23
    assert round_to(2.0**-25 * (1 + 2.0**-20), "fp16") == 2.0**-24
    assert round_to(np.float32(2.0**-25 * (1 + 2.0**-20)), "fp16") == 2.0**-24
    assert round_to(2.0**-25, "fp16") == 0.0


def test_formula_where_formats_end() -> None:
    assert round_to([65519.0, 65520.0, -65520.0], "fp16").tolist() == [65504.0, math.inf, -math.inf]
    assert round_to([65520.0, math.inf], "fp16", overflow="saturate").tolist() == [65504.0, 65504.0]
    assert round_to(65520.0, "fp16", rounding="rz") == 65504.0
    assert encode([464.0, 465.0, 449.0], "e4m3", overflow="nan").tolist() == [0x7E, 0x7F, 0x7E]
    assert round_to([465.0, -math.inf], "e4m3", overflow="saturate").tolist() == [448.0, -448.0]
    assert np.isnan(round_to([math.inf, math.nan], "e4m3", overflow="nan")).all()
    assert round_to(math.inf, "fp16", overflow="nan") == math.inf and math.isnan(round_to(65520.0, "fp16", overflow="nan"))
    assert encode([-0.0, -1e-9, math.nan, -math.nan], "e4m3fnuz", overflow="nan").tolist() == [0, 0, 0x80, 0x80]
    assert not np.signbit(round_to([-0.0, -1e-9], "e5m2fnuz", overflow="nan")).any()
    assert encode([math.nan, -math.nan], "fp8_e5m2").tolist() == [0x7E, 0xFE]
    assert round_to([2.0**-7, 2.0**-6], "e4m3", overflow="saturate", flush=True).tolist() == [0.0, 2.0**-6]
    assert encode([2.0**-7, -(2.0**-7)], "e4m3", overflow="saturate", flush=True).tolist() == [0, 0x80]


def test_formula_e8m0_has_powers_of_two_only(path: str) -> None:
    x = np.array([0.0, -0.0, 1.0, 1.4, 1.5, 3.0, 2.0**127, 2.0**-127, 2.0**-140, -1.0, math.nan])
    expected = [0, 0, 127, 127, 128, 128, 254, 0, 0, 255, 255]  # ties to the even code; zero is the least power; a number below zero has no code
    for source in (x, x.astype(np.float32)):
        assert encode(source, "e8m0", overflow="saturate").tolist() == expected
    assert encode([2.0**128, 2.0**127 * 1.6], "e8m0", overflow="nan").tolist() == [255, 255]
    assert encode([1.999, 1.001], "e8m0", overflow="saturate", rounding="ru").tolist() == [128, 128]
    assert encode([1.999, 3.999], "e8m0", overflow="saturate", rounding="rz").tolist() == [127, 128]
    assert encode([1.0, -2.0, -0.0], "ue4m3", overflow="saturate").tolist() == [0x38, 0x7F, 0]


def _paths_agree(x: npt.NDArray[np.floating], to: Rounding) -> None:
    from thrifty.formats.rounding.plain import encode_plain, round_plain

    said = {"rounding": to.mode, "overflow": to.overflow, "flush": to.flush, "seed": to.seed}
    with np.errstate(invalid="ignore"):  # signalling NaN
        plain = round_plain(x.astype(np.float64), to)
    found = round_to(x, to.spec, **said)
    narrow = plain.astype(found.dtype)
    assert found.view(f"u{found.itemsize}").tolist() == narrow.view(f"u{found.itemsize}").tolist(), to
    codes = encode_plain(plain, to.spec) << np.uint64(to.spec.pad_bits)
    assert encode(x, to.spec, **said).tolist() == codes.tolist(), to


@pytest.mark.parametrize("spec", [*float_specs(), *map(float_spec, ("e11m10", "e10m52", "e2m0", "e5m7fn", "e8m5", "e7m17"))], ids=lambda spec: spec.name)
def test_property_compiled_loops_give_the_bits_of_the_definition(spec: FloatSpec) -> None:
    if not calls.has_numba():
        pytest.skip("numba is not installed")
    rng = np.random.default_rng(11)
    fine = rng.integers(0, 1 << 64, 300, dtype=np.uint64).view(np.float64)
    near = np.concatenate([rng.normal(size=300) * 10.0 ** rng.uniform(-10, 10, 300), rng.uniform(-1.2, 1.2, 200) * min(spec.largest, 1e300),
                           rng.uniform(-3, 3, 200) * spec.smallest_normal, rng.integers(-64, 64, 100) * spec.smallest / 2])  # fmt: skip
    edges = [0.0, -0.0, math.inf, -math.inf, math.nan, 5e-324, -5e-324, spec.largest, -spec.largest, spec.smallest, np.finfo(float).max]
    x = np.concatenate([fine, near, edges])
    coarse = rng.integers(0, 1 << 32, 600, dtype=np.uint32).view(np.float32)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        narrow = np.concatenate([coarse, near.astype(np.float32), np.array(edges).astype(np.float32)])
    for mode, overflow, flush in itertools.product((*MODES, "stochastic", "random"), ("saturate", "inf", "nan"), (False, True)):
        if (overflow == "inf" and not spec.infinities) or (overflow == "nan" and spec.no_number == "none"):
            continue
        to = Rounding.of(spec, rounding=mode, overflow=overflow, flush=flush, seed=1 << 63)
        for source in (x, narrow):
            _paths_agree(source[~np.isnan(source)] if spec.no_number == "none" else source, to)


@settings(max_examples=150)
@given(
    exponent=st.sampled_from((2, 3, 4, 5, 6, 7, 9)), mantissa=st.integers(0, 12), finite=st.booleans(), mode=st.sampled_from(MODES),
    lost=st.booleans(), flush=st.booleans(), numbers=st.lists(st.floats() | st.floats(width=16) | st.floats(-20, 20), min_size=1, max_size=6),
    halves=st.lists(st.integers(-4096, 4096), max_size=4),
)  # fmt: skip
def test_property_formats_of_ones_own_round_as_rational_numbers_do(
    exponent: int, mantissa: int, finite: bool, mode: str, lost: bool, flush: bool, numbers: list[float], halves: list[int]
) -> None:
    spec = float_spec(f"e{exponent}m{mantissa}" + ("fn" if finite and mantissa else ""))
    overflow = usual_overflow(spec) if lost else "saturate"
    x = np.array([*numbers, *(half * spec.smallest / 2 for half in halves)])
    x = x[~np.isnan(x)] if spec.no_number == "none" else x
    expected = np.array([rounded(each, spec, mode, overflow, flush) for each in x.tolist()])
    assert bits_equal(round_to(x, spec, rounding=mode, overflow=overflow, flush=flush), expected)
    codes = encode(x, spec, rounding=mode, overflow=overflow, flush=flush)
    assert bits_equal(decode(codes, spec).astype(np.float64), expected)

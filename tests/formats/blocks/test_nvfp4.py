"""NVFP4 by exact fractions: both levels of scales, ties, small and lost blocks; compiled and plain, bit for bit."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from thrifty.errors import BadValue
from thrifty.formats import decode, nvfp4
from thrifty.formats.blocks import calls, value
from thrifty.loops import has_numba

E2M1 = [Fraction(each) for each in (0, "1/2", 1, "3/2", 2, 3, 4, 6)]
UE4M3 = [Fraction(float(each)) for each in decode(np.arange(127, dtype=np.uint8), "ue4m3")]


def by_hand(x: np.ndarray[Any, Any], tensor_scale: float | None = None) -> tuple[float, list[int], list[int]]:
    """Tensor scale, scale codes and codes of one row, all quotients exact fractions."""
    exact = [Fraction(float(each)) for each in x]
    g = Fraction(float(np.float32(float(max(abs(each) for each in exact)) / 2688))) if tensor_scale is None else Fraction(tensor_scale)
    scales, codes = [], []
    for start in range(0, len(exact), 16):
        block = exact[start : start + 16]
        wanted = max(abs(each) for each in block) / (6 * g)
        code = min(range(127), key=lambda place: (abs(UE4M3[place] - wanted), place % 2))
        code = max(code, 1) if wanted else 0
        scales.append(code)
        for each in block:
            size = abs(each) / (UE4M3[code] * g) if code else Fraction(0)
            found = min(range(8), key=lambda place: (abs(E2M1[place] - size), place % 2))
            codes.append(found | (8 if each < 0 else 0))
    return float(g), scales, codes


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("tensor_scale", [None, 1.0, 0.375])
def test_formula_every_code_by_exact_fractions(seed: int, tensor_scale: float | None) -> None:
    draws = np.random.default_rng(seed)
    spread = np.repeat(2.0 ** draws.integers(-14, 6, 4), 16)
    x = (draws.normal(size=64) * spread if seed % 2 else draws.integers(-48, 49, 64) / 8 * spread).astype(np.float32)
    x[x == 0] = 0.0
    found = nvfp4(x, tensor_scale=tensor_scale)
    g, scales, codes = by_hand(x, tensor_scale)
    assert (found.tensor_scale, found.scales.tolist(), found.codes.tolist()) == (g, scales, codes)
    numbers = np.array([float(E2M1[code & 7]) * (-1 if code & 8 else 1) for code in codes])
    expected = numbers * np.repeat([float(UE4M3[code]) * g for code in scales], 16)
    np.testing.assert_array_equal(found.values(), expected.astype(np.float32))


def test_formula_a_number_on_a_tie_of_both_scales() -> None:
    """One scale of a block of ones: 1/6 to nearest is 0.171875, so 1 is 5.818 of it, nearest 6; by hand the value is 1.03125."""
    found = nvfp4([1.0] * 16, tensor_scale=1.0)
    assert found.scale_values().tolist() == [0.171875]
    assert found.values().tolist() == [1.03125] * 16
    # A float64 number one ulp below or above the exact tie 5 · 0.171875 goes its own way; on the tie it goes to the even code, 4.
    tie = 5 * 0.171875
    for x, size in ((np.nextafter(tie, 0), 4), (tie, 4), (np.nextafter(tie, 1), 6)):
        assert nvfp4([1.0, x], tensor_scale=1.0).values()[1] == size * 0.171875


def test_formula_zeros_small_and_lost_blocks() -> None:
    x = np.zeros(64, dtype=np.float32)
    assert nvfp4(x).tensor_scale == 1
    assert nvfp4(x).codes.tolist() == [0] * 64
    x[0], x[16], x[32], x[33], x[50] = 2688.0, np.nan, 1e-3, -7e-4, np.inf
    found = nvfp4(x)
    assert found.tensor_scale == 1
    assert found.scales.tolist() == [126, 127, 1, 127]
    values = found.values()
    assert np.isnan(values[16:32]).all()
    assert np.isnan(values[48:]).all()
    assert values[0] == 2688
    assert values[32:34].tolist() == [2.0**-10, -(2.0**-10)]
    assert nvfp4(np.float32([1e-45])).values()[0] > 0
    assert nvfp4([]).values().shape == (0,)


@pytest.mark.skipif(not has_numba(), reason="numba is not installed, so there is one path only")
def test_property_compiled_and_plain_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    draws = np.random.default_rng(8)
    any_bits = draws.integers(0, 1 << 32, (40, 37), dtype=np.uint64).astype(np.uint32).view(np.float32)
    ties = np.ldexp(draws.integers(-96, 97, (40, 37)) / 16, draws.integers(-12, 12, (40, 1))).astype(np.float32)
    for x in (any_bits, np.where(np.isfinite(any_bits), any_bits, 0), ties, draws.normal(size=(40, 37)).astype(np.float32)):
        for tensor_scale in (None, 1.0, 1e-30):
            one = nvfp4(x, tensor_scale=tensor_scale)
            with monkeypatch.context() as patch:
                patch.setattr(calls, "has_numba", lambda: False)
                other = nvfp4(x, tensor_scale=tensor_scale)
                patch.setattr(value, "has_numba", lambda: False)
                values = other.values()
            np.testing.assert_array_equal(one.values(), values)
            np.testing.assert_array_equal(one.codes, other.codes)
            np.testing.assert_array_equal(one.scales, other.scales)


def test_property_bytes_and_axes() -> None:
    x = np.random.default_rng(9).normal(size=(3, 50))
    found = nvfp4(x)
    assert found.block_bytes == 9
    assert found.bytes == 3 * 4 * 9 + 4
    np.testing.assert_array_equal(found.with_bytes(found.pack()).values(), found.values())
    np.testing.assert_array_equal(nvfp4(x.T, axis=0).values(), found.values().T)


@pytest.mark.parametrize("tensor_scale", [0.0, float("nan"), -1.0, True, "1"])
def test_bad_tensor_scales_are_one_line(tensor_scale: Any) -> None:
    with pytest.raises(BadValue, match=r"^tensor_scale=.* must be a finite number above 0\.$"):
        nvfp4([1.0], tensor_scale=tensor_scale)


def test_formula_a_tensor_scale_beyond_floats_is_the_largest() -> None:
    assert nvfp4([1.0], tensor_scale=10**400).tensor_scale == np.finfo(np.float32).max

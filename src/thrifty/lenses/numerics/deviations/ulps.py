"""Distances counted in numbers of a format, and the floor under which no result in it can come."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from thrifty.formats import FloatSpec, encode, round_to

Floats = npt.NDArray[np.float64]


def nearest(x: Floats, spec: FloatSpec) -> Floats:
    """x rounded once to nearest; beyond the largest number infinite, or that number where the format has no infinities."""
    return np.asarray(round_to(x, spec, overflow="inf" if spec.infinities else "saturate"), dtype=np.float64)


def ulp_distance(a: Floats, b: Floats, spec: FloatSpec) -> npt.NDArray[np.uint64]:
    """Steps from one number of the format to the next on the way from a to b; both are numbers of it. -0 and 0 are one."""
    (size_a, negative_a), (size_b, negative_b) = (_place(x, spec) for x in (a, b))
    apart = np.maximum(size_a, size_b) - np.minimum(size_a, size_b)
    return np.asarray(np.where(negative_a == negative_b, apart, size_a + size_b))


def _place(x: Floats, spec: FloatSpec) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """How many numbers lie between 0 and |x|, and the sign: codes without their sign are in order."""
    codes = np.asarray(encode(np.abs(x), spec, overflow="inf" if spec.infinities else "saturate"), dtype=np.uint64) >> np.uint64(spec.pad_bits)
    return codes, np.signbit(x)


def floor_of(golden: Floats, spec: FloatSpec) -> Floats:
    """The largest error that one correct rounding to the format can make near each value: half the spacing there.

    Beyond the largest number it is how far beyond, or half the spacing below if that is more.
    """
    size = np.abs(golden)
    exponent = np.frexp(size)[1] - 1
    exponent = np.clip(np.where(size == 0, spec.emin, exponent), spec.emin, spec.emax)
    half = np.ldexp(1.0, (exponent - spec.mantissa_bits - 1).astype(np.int32))
    return np.asarray(np.where(size > spec.largest, np.maximum(half, size - spec.largest), half))

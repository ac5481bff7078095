"""Which compiled loop an array takes, and with which constants. Imported only where Numba is.

To nearest, in a format narrower than the source: by an addition in the source's own arithmetic, which rounds once and exactly (see `kernels`). BF16 and its
kin from FP32, whose exponents they share: on the words alone. FP16 from FP32: by the processor's conversion, where it has one. All else by splitting FP64's
significand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats.floats import FloatSpec
from thrifty.formats.rounding.array_kernels import (
    aligned_codes,
    aligned_floats,
    half_codes,
    half_floats,
    nearest_codes,
    nearest_floats,
    split_codes,
)  # fmt: skip
from thrifty.formats.rounding.kernels import KEEPS, KIND, QUIET, parameters, round_row
from thrifty.formats.rounding.modes import Rounding, overflow_codes, overflows
from thrifty.formats.words import HALVES
from thrifty.loops import in_threads

_WORD: Final = {np.dtype(np.float32): np.uint32, np.dtype(np.float64): np.uint64}
_BLOCK: Final = 1 << 13
"""Elements that pass through a buffer of FP64 at a time, where no loop of their own is compiled for them: they stay in the first caches."""


def floats_into(x: npt.NDArray[Any], out: npt.NDArray[Any], to: Rounding) -> int:
    """x, flat, rounded into `out`, flat, which may be x: FP32 or FP64 both. Returns how many results are NaN where the format has none, else 0."""
    spec, counts, clips, refused = to.spec, to.spec.no_number == "none", to.overflow == "saturate", []
    direct: Callable[[Any, Any], int] | None = None
    if x.dtype == out.dtype == np.float32 and _plain(to):
        if _shares_exponents(spec, x.dtype):
            w = _aligned_floats(to)
            direct = lambda x, out: aligned_floats(x.view(np.uint32), out.view(np.uint32), w, clips)  # noqa: E731
        elif _converted(spec, x.dtype):
            largest = np.uint16(spec.largest_code)
            direct = lambda x, out: half_floats(x, out, largest, clips)  # noqa: E731
        elif _fits(spec, x.dtype):
            f, v = _nearest_floats(to, x.dtype)
            direct = lambda x, out: nearest_floats(x, out, f, v, counts)  # noqa: E731
    if direct is not None:
        if np.may_share_memory(x, out):
            direct = _by_blocks(direct)
        in_threads(lambda first, last: refused.append(direct(x[first:last], out[first:last])), x.size, 2)
        return sum(refused)
    params = parameters(to)

    def share(first: int, last: int) -> None:
        for start in range(first, last, _BLOCK):
            end = min(start + _BLOCK, last)
            block = _wide(x[start:end])
            round_row(block, end - start, params, start)
            if params[KIND] == KEEPS:  # a row stays as it is then, a signalling NaN too
                block.view(np.uint64)[np.isnan(block)] |= QUIET
            if counts:
                refused.append(int(np.isnan(block).sum()))
            out[start:end] = block

    in_threads(share, x.size, 8)
    return sum(refused)


def _by_blocks(direct: Callable[[Any, Any], int]) -> Callable[[Any, Any], int]:
    """In place: each block is copied first, since compiled loops use vectors only between memories that lie apart."""

    def blocks(x: npt.NDArray[Any], out: npt.NDArray[Any]) -> int:
        return sum(direct(x[start : start + _BLOCK].copy(), out[start : start + _BLOCK]) for start in range(0, x.size, _BLOCK))

    return blocks


def codes_into(x: npt.NDArray[Any], out: npt.NDArray[Any], to: Rounding) -> int:
    """Codes of x, flat, rounded into `out`, flat and apart from x. Returns how many numbers the format has no code for."""
    spec, counts, clips, refused = to.spec, to.spec.no_number == "none", to.overflow == "saturate", []
    direct: Callable[[Any, Any], int] | None = None
    if _plain(to) and out.dtype.itemsize <= 2 and not spec.pad_bits:
        if _shares_exponents(spec, x.dtype):
            w = _aligned_codes(to)
            direct = lambda x, out: aligned_codes(x.view(np.uint32), out, w, clips)  # noqa: E731
        elif _converted(spec, x.dtype):
            largest, nan = np.uint16(spec.largest_code), np.uint16(spec.nan_code or 0)
            direct = lambda x, out: half_codes(x, out, largest, nan, clips)  # noqa: E731
        elif _fits(spec, x.dtype):
            f, v = _nearest_codes(to, x.dtype)
            direct = lambda x, out: nearest_codes(x, out, f, v, counts)  # noqa: E731
    if direct is not None:
        in_threads(lambda first, last: refused.append(direct(x[first:last], out[first:last])), x.size, 2)
        return sum(refused)
    params, u = parameters(to), _split_codes(to)

    def share(first: int, last: int) -> None:
        buffer = np.empty(min(_BLOCK, last - first), dtype=np.uint64)
        for start in range(first, last, _BLOCK):
            end = min(start + _BLOCK, last)
            refused.append(split_codes(_wide(x[start:end]), buffer, params, u, start))
            out[start:end] = buffer[: end - start]

    in_threads(share, x.size, 8)
    return sum(refused) if counts else 0


def _wide(x: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # signalling NaN
        return x.astype(np.float64)


def _plain(to: Rounding) -> bool:
    """To nearest, in a format whose numbers too large take the code after the largest, or are the largest: what the fast loops know."""
    spec = to.spec
    after = to.overflow == "saturate" or (spec.no_number == "ieee" and to.overflow == "inf") or (spec.no_number == "last" and to.overflow == "nan")
    return to.mode == "rne" and not to.flush and after and spec.signed and spec.subnormals and spec.no_number != "minus_zero" and spec.mantissa_bits > 0


def _shares_exponents(spec: FloatSpec, source: np.dtype[Any]) -> bool:
    return source == np.float32 and (spec.exponent_bits, spec.bias, spec.no_number) == (8, 127, "ieee") and spec.mantissa_bits < 23


def _converted(spec: FloatSpec, source: np.dtype[Any]) -> bool:
    """FP32 to what the processor converts it to by itself."""
    return HALVES and source == np.float32 and (spec.exponent_bits, spec.mantissa_bits, spec.bias, spec.no_number) == (5, 10, 15, "ieee")


def _fits(spec: FloatSpec, source: np.dtype[Any]) -> bool:
    """Every power that the addition needs is a normal number of the source, and so are the format's own."""
    bits, bias = (23, 127) if source == np.float32 else (52, 1023)
    return spec.mantissa_bits < bits and spec.emin - spec.mantissa_bits > 1 - bias and spec.emax + 1 + bits - spec.mantissa_bits <= bias


def _clip_code(to: Rounding) -> int:
    """Code that sizes are clipped at: the largest, or the one after it, which stands for infinite or no number."""
    return to.spec.largest_code + (to.overflow != "saturate")


def _clip(to: Rounding) -> float:
    spec = to.spec
    return spec.largest if to.overflow == "saturate" else spec.largest + 2.0 ** (spec.emax - spec.mantissa_bits)


def _nearest_floats(to: Rounding, source: np.dtype[Any]) -> tuple[Any, Any]:
    spec, word, bits = to.spec, _WORD[source], 23 if source == np.float32 else 52
    sizes = (spec.smallest_normal, 2.0 ** (bits - spec.mantissa_bits), _clip(to), spec.largest, overflows(to)[2])
    return tuple(map(source.type, sizes)), (*_masks(word), word(1 << (bits - 1)))


def _masks(word: Any) -> tuple[Any, Any]:
    return (word(1 << 31), word(0xFF << 23)) if word is np.uint32 else (word(1 << 63), word(0x7FF << 52))


def _nearest_codes(to: Rounding, source: np.dtype[Any]) -> tuple[Any, Any]:
    spec, word, (bits, bias) = to.spec, _WORD[source], (23, 127) if source == np.float32 else (52, 1023)
    m = spec.mantissa_bits
    less = -((bias + spec.emin) << m) % (1 << 16)
    sizes = (spec.smallest_normal, 2.0 ** (bits - m) * (1 + less * 2.0**-bits), _clip(to))
    _, exponent = _masks(word)
    down = source.itemsize * 8 - spec.code_bits
    return tuple(map(source.type, sizes)), (exponent, word(bits - m), word(spec.nan_code or 0), word(down), word(1 << (spec.code_bits - 1)))


def _aligned_floats(to: Rounding) -> Any:
    drop = 23 - to.spec.mantissa_bits
    return np.uint32(drop), np.uint32(_clip_code(to) << drop)


def _aligned_codes(to: Rounding) -> Any:
    spec = to.spec
    return tuple(map(np.uint32, (23 - spec.mantissa_bits, _clip_code(to), spec.nan_code or 0, 1 << (spec.code_bits - 1))))


def _split_codes(to: Rounding) -> Any:
    """(largest, lost, over, under, infinite, no number or 0 where there is none, least normal or 0, place of the sign, padding) as codes."""
    spec = to.spec
    over, under, lost, infinite = overflow_codes(to)
    place = spec.exponent_bits + spec.mantissa_bits
    least = 1 << spec.mantissa_bits if to.flush and spec.subnormals else 0
    return tuple(map(np.uint64, (spec.largest_code, lost, over, under, infinite, spec.nan_code or 0, least, place, spec.pad_bits)))

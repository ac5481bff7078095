"""The definition of blocks, with NumPy: scales from exponents, then every number divided by its scale, exactly, and rounded once."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats.blocks.elements import NO_SCALE, SCALE_RANGE, Element
from thrifty.formats.blocks.layout import in_blocks, out_of_blocks
from thrifty.formats.floats import float_spec
from thrifty.formats.integers import round_whole
from thrifty.formats.rounding.modes import Rounding
from thrifty.formats.rounding.plain import decode_plain, encode_plain, round_plain

_AT_ONCE: Final = 1 << 16
"""Numbers taken at a time, so that they stay in the cache."""
_TINY: Final = 2.0**-200
"""Stands for smaller quotients, which FP64 might lose: far below half of any element's smallest number, and not zero, which modes that round up can see."""

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def _wide(part: Array) -> Floats:
    """As float64, exactly; a signalling NaN becomes a quiet one, as it may."""
    with np.errstate(invalid="ignore"):
        return part.astype(np.float64)


def power_scales(blocks: Floats, element: Element, rule: str) -> tuple[Any, Any]:
    """(exponent of the scale, whether there is one) of every row of `blocks`."""
    amax = np.abs(blocks).max(axis=1, initial=0.0)
    lost = ~np.isfinite(amax)
    fraction, whole = np.frexp(np.where(lost, 0.0, amax))
    width = 52
    reaches = (fraction * 2 - 1) * (1 << width) >= element.threshold(rule, width)
    exponent = np.where(amax > 0, whole - 1 + reaches - element.emax, -SCALE_RANGE)
    return np.clip(exponent, -SCALE_RANGE, SCALE_RANGE), ~lost


def power_blocks(rows_RN: Array, element: Element, rule: str, block: int, rounding: str, seed: int) -> tuple[Array, Array]:
    """(codes like the rows, E8M0 codes of their blocks); number j of block b draws from counter (seed, b · block + j)."""
    cut = in_blocks(rows_RN, block)
    codes = np.empty(cut.shape, dtype=np.uint8 if element.spec else np.int16)
    scales = np.empty(len(cut), dtype=np.uint8)
    step = max(1, _AT_ONCE // block)
    to = Rounding.of(element.spec, rounding=rounding, overflow="saturate", seed=seed) if element.spec else None
    for start in range(0, len(cut), step):
        part = _wide(cut[start : start + step])
        exponent, kept = power_scales(part, element, rule)
        scales[start : start + step] = np.where(kept, exponent + SCALE_RANGE, NO_SCALE)
        with np.errstate(under="ignore", invalid="ignore"):
            quotient = np.ldexp(np.where(kept[:, None], part, 0.0), -exponent[:, None].astype(np.int32))
            if rounding != "rne":
                quotient = np.where((part != 0) & kept[:, None], np.copysign(np.maximum(np.abs(quotient), _TINY), part), quotient)
        if to is not None:
            codes[start : start + step] = encode_plain(round_plain(quotient, to, start * block), to.spec)
        else:
            most = (1 << (element.bits - 1)) - 1
            codes[start : start + step] = np.clip(round_whole(np.ldexp(quotient, element.mantissa_bits), rounding, seed, start * block), -most, most)
    rows, size = rows_RN.shape
    return out_of_blocks(codes, rows, size), scales.reshape(rows, -(-size // block))


TIES: Final = np.array([0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0])
"""Where E2M1's numbers 0, 0.5, 1, 1.5, 2, 3, 4, 6 part; a number on one goes to the even code."""


UE4M3: Final = decode_plain(np.arange(128, dtype=np.uint64), float_spec("ue4m3"))
"""Numbers of NVFP4's scales, by code."""


def scaled_blocks(rows_RN: Array, tensor_scale: float, block: int) -> tuple[Array, Array]:
    """(E2M1 codes, UE4M3 codes of the blocks) of NVFP4: scale = amax / (6 · tensor scale) to nearest; then each number against the exact ties.

    A scale that would round to zero is the smallest there is, since numbers of a block so small are still told from zero by it.
    """
    cut = in_blocks(rows_RN, block)
    codes, scales = np.empty(cut.shape, dtype=np.uint8), np.empty(len(cut), dtype=np.uint8)
    to = Rounding.of(float_spec("ue4m3"), overflow="saturate")
    nan = np.uint64(to.spec.nan_code or 0)
    step = max(1, _AT_ONCE // block)
    for start in range(0, len(cut), step):
        part = _wide(cut[start : start + step])
        amax = np.abs(part).max(axis=1, initial=0.0)
        kept = np.isfinite(amax)
        with np.errstate(over="ignore"):
            scale = round_plain(np.where(kept, amax, 0.0) / (6.0 * tensor_scale), to)
        scale = np.where((amax > 0) & kept, np.maximum(scale, to.spec.smallest), scale)
        scales[start : start + step] = np.where(kept, encode_plain(scale, to.spec), nan)
        unit = np.where(scale > 0, scale * tensor_scale, 1.0)[:, None]  # a block of zeros is zeros by any unit
        size = np.where(kept[:, None], np.abs(part), 0.0)
        code = np.zeros(part.shape, dtype=np.uint8)
        for place, tie in enumerate(TIES):
            code += (size > tie * unit) if place % 2 == 0 else (size >= tie * unit)
        codes[start : start + step] = code | ((np.signbit(part) & kept[:, None]) << 3)
    rows, size_N = rows_RN.shape
    return out_of_blocks(codes, rows, size_N), scales.reshape(rows, -(-size_N // block))

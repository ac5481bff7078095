"""MX, NVFP4 and shared exponents: what users call."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from thrifty.errors import BadValue
from thrifty.formats.blocks.elements import SCALE_RANGE, Element, find_element, whole_element
from thrifty.formats.blocks.layout import Rows, to_rows
from thrifty.formats.blocks.plain import TIES, UE4M3, power_blocks, scaled_blocks
from thrifty.formats.blocks.value import Blocks
from thrifty.formats.floats import float_spec
from thrifty.formats.rounding import ROUNDINGS, round_to
from thrifty.formats.rounding.modes import checked_seed
from thrifty.loops import has_numba

WIDTHS: Final = (2, 16)
_FINER: Final = 2.0 ** (9 - np.arange(16))
_WORK: Final = 6
"""Instructions a number, for sharing among threads."""


def mx(x: Any, element: str = "e2m1", scale: str = "floor", *, axis: int = -1, block: int = 32, rounding: str = "rne", seed: int = 0) -> Blocks:
    """x in OCP Microscaling blocks: `block` neighbours along `axis` share a scale 2^s (E8M0), numbers are e4m3, e5m2, e3m2, e2m3, e2m1 or int8.

    x     : array or tensor of real numbers with at least one axis, any strides; a last block may be short
    scale : one of SCALES: floor (OCP), ceil, rceil, even
    Numbers beyond the element's largest become that (int8: ±127/64, the code for -2 is left unused). A block that holds NaN or an infinite number gets the
    scale that is no number, so all of it is NaN; one of zeros, or whose largest is below 2^-127, the smallest scale, 2^-127.
    Random modes of `rounding` draw for number j of block b from counter (seed, b · block + j). Raises UnknownName, BadValue.
    """
    found = find_element(element)
    return _powers(x, found, scale, axis, block, rounding, seed, "mxint8" if found.spec is None else f"mxfp{found.bits}")


def bfp(x: Any, bits: int = 8, group: int = 32, *, scale: str = "floor", axis: int = -1, rounding: str = "rne", seed: int = 0) -> Blocks:
    """x in block floating point: `group` neighbours along `axis` share an exponent of 8 bits; each keeps a sign and `bits` - 1 bits of fraction.

    A number is k · 2^(s - bits + 2) with a whole number |k| < 2^(bits - 1), and s the exponent of the group's largest (by the rule `scale`, as in `mx`).
    bits : 2 to 16; bits=8 with groups of 32 is MXINT8
    """
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or not WIDTHS[0] <= bits <= WIDTHS[1]:
        raise BadValue(f"bits={bits!r} must be a whole number from {WIDTHS[0]} to {WIDTHS[1]}: a sign, and one or more bits of fraction.")
    return _powers(x, whole_element(int(bits)), scale, axis, group, rounding, seed, "bfp")


def nvfp4(x: Any, *, tensor_scale: float | None = None, axis: int = -1, block: int = 16) -> Blocks:
    """x in NVIDIA's NVFP4: E2M1 numbers, a UE4M3 scale for 16 neighbours along `axis`, and one FP32 scale for all.

    tensor_scale : largest size of x / (448 · 6) to nearest FP32 by default, so that the largest block scale is E4M3's largest; 1 for scales of blocks only
    A block's scale is amax / (6 · tensor scale), one FP64 division, to nearest E4M3, at most 448 and at least 2^-9 where a number is not zero; a number is
    the nearest E2M1 to its exact quotient by both scales, ties to even, at most 6. Blocks with NaN or an infinite number are NaN. Raises BadValue.
    """
    rows = to_rows(x, axis, block)
    block = int(block)
    if tensor_scale is None:
        tensor_scale = _largest_finite(rows.values_RN) / (float_spec("ue4m3").largest * float_spec("e2m1").largest) or 1.0
    elif isinstance(tensor_scale, bool) or not isinstance(tensor_scale, int | float | np.floating) or not 0 < tensor_scale < math.inf:
        raise BadValue(f"tensor_scale={tensor_scale!r} must be a finite number above 0.")
    single = max(float(round_to(float(min(tensor_scale, float_spec("fp32").largest)), "fp32")), float_spec("fp32").smallest)
    size = rows.values_RN.shape[1]
    if rows.values_RN.dtype == np.float32 and has_numba():
        from thrifty.formats.blocks.kernels import nvidia_blocks
        from thrifty.loops import in_threads

        flat, codes, scales = _flat(rows, block, np.uint8)
        in_threads(
            lambda first, last: nvidia_blocks(flat, flat.view(np.int32), codes, scales, TIES, UE4M3, _FINER, size, block, single, first, last),
            scales.size, _WORK * block,
        )  # fmt: skip
        codes, scales = codes.reshape(rows.values_RN.shape), scales.reshape(len(rows.values_RN), -(-size // block))
    else:
        codes, scales = scaled_blocks(rows.values_RN, single, block)
    return Blocks(
        format="nvfp4", element=find_element("e2m1"), codes=rows.placed(codes), scales=rows.placed(scales), tensor_scale=single, axis=rows.axis, block=block,
        rule="amax", wide=rows.wide,
    )  # fmt: skip


def _largest_finite(values: Any) -> float:
    """Largest finite size; 0 where there is none."""
    if values.dtype == np.float32 and has_numba():
        from thrifty.formats.blocks.kernels import largest_finite
        from thrifty.loops import in_threads

        bits, found = values.reshape(-1).view(np.int32), [0]
        in_threads(lambda first, last: found.append(int(largest_finite(bits, first, last))), bits.size, 1)
        return float(np.array(max(found), dtype=np.int32).view(np.float32))
    sizes = np.abs(values)
    return float(np.max(sizes, initial=0.0, where=np.isfinite(sizes)))


def _powers(x: Any, element: Element, rule: str, axis: int, block: int, rounding: str, seed: int, name: str) -> Blocks:
    """Blocks whose scales are powers of two."""
    if rounding not in ROUNDINGS:
        raise BadValue(f"rounding='{rounding}' is no rounding mode. Choose: {', '.join(ROUNDINGS)}.")
    threshold, seed = element.threshold(rule, 23), checked_seed(seed)
    rows = to_rows(x, axis, block)
    block = int(block)
    if rows.values_RN.dtype == np.float32 and rounding == "rne" and has_numba():
        codes, scales = _compiled(rows, element, threshold, block)
    else:
        codes, scales = power_blocks(rows.values_RN, element, rule, block, rounding, seed)
    if element.spec is None and element.bits <= 8:
        codes = codes.astype(np.int8)
    return Blocks(
        format=name, element=element, codes=rows.placed(codes), scales=rows.placed(scales), tensor_scale=1.0, axis=rows.axis, block=block, rule=rule,
        wide=rows.wide,
    )  # fmt: skip


def _flat(rows: Rows, block: int, dtype: Any) -> tuple[Any, Any, Any]:
    count, size = rows.values_RN.shape
    return rows.values_RN.reshape(-1), np.empty(count * size, dtype=dtype), np.empty(count * -(-size // block), dtype=np.uint8)


def _compiled(rows: Rows, element: Element, threshold: int, block: int) -> tuple[Any, Any]:
    from thrifty.formats.blocks.kernels import float_blocks, whole_blocks
    from thrifty.loops import in_threads

    spec, size = element.spec, rows.values_RN.shape[1]
    flat, codes, scales = _flat(rows, block, np.int16 if spec is None else np.uint8)
    bits, inverses = flat.view(np.int32), np.ldexp(np.float32(1), SCALE_RANGE - np.arange(256)).astype(np.float32)

    def part(first: int, last: int) -> None:
        if spec is None:
            most = (1 << (element.bits - 1)) - 1
            whole_blocks(flat, bits, codes, scales, inverses, size, block, threshold, element.mantissa_bits, most, first, last)
        else:
            sign = element.bits - 1
            float_blocks(
                flat, bits, codes, scales, inverses, size, block, threshold, element.emax, spec.mantissa_bits, spec.emin, spec.bias, spec.largest_code, sign,
                first, last,
            )  # fmt: skip

    in_threads(part, scales.size, _WORK * block)
    return codes.reshape(rows.values_RN.shape), scales.reshape(len(rows.values_RN), -(-size // block))

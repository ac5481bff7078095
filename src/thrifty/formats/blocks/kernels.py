"""Blocks compiled, for float32 and rounding to nearest; the definition is in `plain`, and the bits are the same.

A block is read twice: for its largest size, from which its scale follows, and for its codes. A power of two divides exactly, or into numbers so small that
they become zero in any case, so float32 is enough; NVFP4's quotients are not made at all: numbers are held against the ties, which FP64 holds exactly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thrifty.loops import jit

SIZE_BITS = np.int32(0x7FFFFFFF)
INFINITE = np.int32(0x7F800000)
FRACTION = 0x7FFFFF


@jit
def _largest(bits: Any, start: int, stop: int) -> Any:
    """Bits of the largest size: those of floats without their sign are in the order of their numbers."""
    top = np.int32(0)
    for i in range(start, stop):
        top = max(top, np.int32(bits[i] & SIZE_BITS))
    return top


@jit
def _scale_code(top: int, threshold: int, emax: int) -> int:
    """E8M0 code of the scale for a largest size of these bits."""
    field, fraction = top >> 23, top & FRACTION
    if field == 0:
        if fraction == 0:
            return 0
        field = 1
        while fraction < FRACTION + 1:
            fraction <<= 1
            field -= 1
        fraction &= FRACTION
    return min(max(field - emax + (1 if fraction >= threshold else 0), 0), 254)


@jit
def float_blocks(
    x: Any, bits: Any, codes: Any, scales: Any, inverses: Any, size: int, block: int, threshold: int, emax: int, mantissa: int, emin: int, bias: int,
    largest: int, sign_shift: int, first: int, last: int,
) -> None:  # fmt: skip
    """Blocks first to last - 1 of flat rows of `size` numbers: codes of a small float, and E8M0 codes. inverses: 2^-s by E8M0 code."""
    per_row = (size + block - 1) // block
    sizes, moved = np.empty(block, dtype=np.float32), np.empty(block, dtype=np.float32)
    size_bits, moved_bits = sizes.view(np.int32), moved.view(np.int32)
    drop = np.int32(23 - mantissa)
    below_half = np.int32((1 << (22 - mantissa)) - 1)
    one, rebias, top_code = np.int32(1), np.int32((127 - bias) << mantissa), np.int32(largest)
    lowest = np.int32((emin + 127) << 23)  # bits of the smallest normal number
    # Adding this pushes a subnormal's last bit to the last bit of the sum, rounded to nearest even by the addition itself.
    pushed_bits = np.int32((23 + emin - mantissa + 127) << 23)
    size_bits[0] = pushed_bits
    pushed = sizes[0]
    for each in range(first, last):
        row = each // per_row
        start = row * size + (each - row * per_row) * block
        count = min(block, (row + 1) * size - start)
        top = _largest(bits, start, start + count)
        if top >= INFINITE:
            scales[each] = 255
            for i in range(count):
                codes[start + i] = 0
            continue
        code = _scale_code(int(top), threshold, emax)
        scales[each] = code
        inverse = inverses[code]
        for i in range(count):
            sizes[i] = abs(x[start + i]) * inverse
            moved[i] = sizes[i] + pushed
        for i in range(count):
            of = size_bits[i]
            normal = np.int32(np.int32(of + below_half + np.int32(np.int32(of >> drop) & one)) >> drop) - rebias
            small = moved_bits[i] - pushed_bits
            found = small if of < lowest else normal
            sign = np.int32(np.uint32(bits[start + i]) >> np.uint32(31))
            codes[start + i] = np.uint8(np.int32(min(np.int32(found), top_code)) | np.int32(sign << np.int32(sign_shift)))


@jit
def whole_blocks(
    x: Any, bits: Any, codes: Any, scales: Any, inverses: Any, size: int, block: int, threshold: int, mantissa: int, most: int, first: int, last: int
) -> None:
    """The same for whole numbers: code = x / (scale · 2^-mantissa) to nearest even, at most `most` in size."""
    per_row = (size + block - 1) // block
    steps, pushed = np.float32(1 << mantissa), np.float32(3 << 22)
    least, highest = np.float32(-most), np.float32(most)
    for each in range(first, last):
        row = each // per_row
        start = row * size + (each - row * per_row) * block
        stop = min(start + block, (row + 1) * size)
        top = _largest(bits, start, stop)
        if top >= INFINITE:
            scales[each] = 255
            for i in range(start, stop):
                codes[i] = 0
            continue
        code = _scale_code(int(top), threshold, 0)
        scales[each] = code
        inverse = inverses[code]
        for i in range(start, stop):
            codes[i] = np.int16(min(max((x[i] * inverse * steps + pushed) - pushed, least), highest))


@jit
def nvidia_blocks(x: Any, bits: Any, codes: Any, scales: Any, size: int, block: int, tensor_scale: float, first: int, last: int) -> None:
    """NVFP4: E2M1 codes and UE4M3 codes of blocks."""
    per_row = (size + block - 1) // block
    for each in range(first, last):
        row = each // per_row
        start = row * size + (each - row * per_row) * block
        stop = min(start + block, (row + 1) * size)
        top = _largest(bits, start, stop)
        if top >= INFINITE:
            scales[each] = 127
            for i in range(start, stop):
                codes[i] = 0
            continue
        amax = 0.0
        for i in range(start, stop):
            amax = max(amax, abs(np.float64(x[i])))
        wanted = min(amax / (6.0 * tensor_scale), 512.0)
        # UE4M3 to nearest even: spacing 2^-9 below 2^-5, then an eighth of the number's power of two; at most 448, and not zero where a number is not.
        spacing, binade = 2.0**-9, 0
        while binade < 15 and wanted >= spacing * 16:
            spacing, binade = spacing * 2, binade + 1
        q = np.int64(np.rint(wanted / spacing))
        code = min(max(q + 8 * binade, 1 if amax > 0 else 0), 126)
        scales[each] = code
        field = max(code >> 3, 1)
        unit = ((code & 7) + (8 if code >= 8 else 0)) * 2.0 ** (field - 10) * tensor_scale if code else 1.0  # a block of zeros
        t0, t1, t2, t3, t4, t5, t6 = 0.25 * unit, 0.75 * unit, 1.25 * unit, 1.75 * unit, 2.5 * unit, 3.5 * unit, 5.0 * unit
        for i in range(start, stop):
            a = abs(np.float64(x[i]))
            found = (a > t0) + (a >= t1) + (a > t2) + (a >= t3) + (a > t4) + (a >= t5) + (a > t6)
            codes[i] = np.uint8(found | (8 if bits[i] < 0 else 0))

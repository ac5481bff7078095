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
def _largest(bits: Any) -> Any:
    """Bits of the largest size: those of floats without their sign are in the order of their numbers."""
    top = np.int32(0)
    for i in range(bits.size):
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
        stop = min(start + block, (row + 1) * size)
        numbers, words, into = x[start:stop], bits[start:stop], codes[start:stop]  # counted from 0, which leaves no sign of an index to look at
        top = _largest(words)
        if top >= INFINITE:
            scales[each] = 255
            for i in range(into.size):
                into[i] = 0
            continue
        code = _scale_code(int(top), threshold, emax)
        scales[each] = code
        inverse = inverses[code]
        for i in range(numbers.size):
            sizes[i] = abs(numbers[i]) * inverse
            moved[i] = sizes[i] + pushed
        for i in range(words.size):
            of = size_bits[i]
            normal = np.int32(np.int32(of + below_half + np.int32(np.int32(of >> drop) & one)) >> drop) - rebias
            small = moved_bits[i] - pushed_bits
            found = small if of < lowest else normal
            sign = np.int32(np.uint32(words[i]) >> np.uint32(31))
            into[i] = np.uint8(np.int32(min(np.int32(found), top_code)) | np.int32(sign << np.int32(sign_shift)))


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
        numbers, into = x[start:stop], codes[start:stop]
        top = _largest(bits[start:stop])
        if top >= INFINITE:
            scales[each] = 255
            for i in range(into.size):
                into[i] = 0
            continue
        code = _scale_code(int(top), threshold, 0)
        scales[each] = code
        inverse = inverses[code]
        for i in range(numbers.size):
            into[i] = np.int16(min(max((numbers[i] * inverse * steps + pushed) - pushed, least), highest))


@jit
def nvidia_blocks(
    x: Any, bits: Any, codes: Any, scales: Any, ties: Any, numbers_of: Any, finer: Any, size: int, block: int, tensor_scale: float, first: int, last: int
) -> None:
    """NVFP4: E2M1 codes and UE4M3 codes of blocks. numbers_of: those of UE4M3 codes; finer: what one spacing of theirs is multiplied by to be 1, by binade."""
    per_row = (size + block - 1) // block
    edges = np.empty(7, dtype=np.float32)
    edge_bits = edges.view(np.int32)
    wide = np.empty(1, dtype=np.float64)
    wide_bits = wide.view(np.int64)
    for each in range(first, last):
        row = each // per_row
        start = row * size + (each - row * per_row) * block
        stop = min(start + block, (row + 1) * size)
        numbers, words, into = x[start:stop], bits[start:stop], codes[start:stop]
        top = _largest(words)
        if top >= INFINITE:
            scales[each] = 127
            for i in range(into.size):
                into[i] = 0
            continue
        edge_bits[0] = top
        amax = np.float64(edges[0])
        wide[0] = min(amax / (6.0 * tensor_scale), 512.0)
        # UE4M3 to nearest even: spacing 2^-9 below 2^-5, then an eighth of the number's power of two; at most 448, and not zero where a number is not.
        binade = max((wide_bits[0] >> 52) - 1017, 0)
        code = min(max(int(wide[0] * finer[binade] + 2.0**52 - 2.0**52) + 8 * binade, 1 if amax > 0 else 0), 126)
        scales[each] = code
        unit = numbers_of[code] * tensor_scale if code else 1.0  # a block of zeros
        for place in range(7):
            # A float32 number is above a tie where it is above the tie rounded down, and at or above it where it is above what comes before it rounded up.
            tie = ties[place] * unit
            edges[place] = np.float32(tie)
            if place % 2 == 0:
                edge_bits[place] -= 1 if np.float64(edges[place]) > tie else 0
            else:
                edge_bits[place] -= 0 if np.float64(edges[place]) < tie else 1
        e0, e1, e2, e3, e4, e5, e6 = edges[0], edges[1], edges[2], edges[3], edges[4], edges[5], edges[6]
        for i in range(numbers.size):
            a = abs(numbers[i])
            found = np.uint8(a > e0) + np.uint8(a > e1) + np.uint8(a > e2) + np.uint8(a > e3) + np.uint8(a > e4) + np.uint8(a > e5) + np.uint8(a > e6)
            into[i] = np.uint8(found | (np.uint32(words[i]) >> np.uint32(31) << np.uint32(3)))


@jit
def largest_finite(bits: Any, first: int, last: int) -> Any:
    """Bits of the largest finite size among numbers first to last - 1."""
    top = np.int32(0)
    part = bits[first:last]
    for i in range(part.size):
        size = np.int32(part[i] & SIZE_BITS)
        top = max(top, size if size < INFINITE else np.int32(0))
    return top


@jit
def block_values(codes: Any, table: Any, scales: Any, found: Any, size: int, block: int, first: int, last: int) -> None:
    """Numbers of blocks: those of codes times those of scales, FP64 products rounded to float32."""
    per_row = (size + block - 1) // block
    for each in range(first, last):
        row = each // per_row
        start = row * size + (each - row * per_row) * block
        stop = min(start + block, (row + 1) * size)
        part, into, scale = codes[start:stop], found[start:stop], scales[each]
        for i in range(part.size):
            into[i] = np.float32(table[part[i]] * scale)

"""Codes of 1 to 16 bits side by side, with no bit between them, and back.

The order is little-endian down to the bit: code i takes bits i·b to i·b + b - 1 of the stream, its lowest bit first, and bit j of the stream is bit j mod 8
of byte j div 8 (1 the lowest). So two codes of 4 bits lie in a byte with the first in its low half, as GGUF, OCP MX tools and torch's
``float4_e2m1fn_x2`` have it, and codes of 8 and 16 bits are plain little-endian bytes. Bits above the last code are zero.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats.rounding.arrays import is_tensor
from thrifty.loops import has_numba

WIDEST: Final = 16
_AT_ONCE: Final = 1 << 16
"""Groups of eight codes that NumPy takes at a time, so that they stay in the cache."""

Bytes = npt.NDArray[np.uint8]
Codes = npt.NDArray[np.uint16]


def pack(codes: Any, bits: int) -> Any:
    """Bytes that hold `codes`, in C order, `bits` bits each: one row of ⌈count · bits / 8⌉ bytes, array or tensor as the codes are.

    codes : whole numbers of any shape, from 0 to 2^bits - 1; or signed ones from -2^(bits - 1) to 2^(bits - 1) - 1, kept as two's complement
    Raises BadValue for codes that need more bits, and for bits outside 1 to 16.
    """
    bits = _checked_bits(bits)
    values, back = _taken(codes)
    if values.size:
        low, high = int(values.min()), int(values.max())
        most = (1 << bits) - 1 if low >= 0 else (1 << (bits - 1)) - 1
        least = 0 if low >= 0 else -(1 << (bits - 1))
        if low < least or high > most:
            raise BadValue(f"codes go from {low} to {high}; bits={bits} hold {least} to {most}. Give more bits, or codes that fit.")
    words = (values.reshape(-1).astype(np.int64, copy=False) & ((1 << bits) - 1)).astype(np.uint16) if values.dtype.kind == "i" else None
    flat = np.ascontiguousarray(values.reshape(-1).astype(np.uint16, copy=False) if words is None else words)
    return back(_pack(flat, bits))


def unpack(packed: Any, bits: int, count: int, *, signed: bool = False) -> Any:
    """The first `count` codes that `pack` put into bytes, `bits` bits each: uint8 or uint16, or with `signed` the int8 or int16 of two's complement.

    Raises BadValue where the bytes are too few or no bytes.
    """
    bits = _checked_bits(bits)
    values, back = _taken(packed)
    if values.dtype != np.uint8:
        raise BadValue(f"packed has dtype {values.dtype}; bytes (uint8) are needed.")
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 0:
        raise BadValue(f"count={count!r} must be a whole number of codes, 0 or more.")
    needed = -(-int(count) * bits // 8)
    if values.size < needed:
        raise BadValue(f"packed holds {values.size} bytes; {count} codes of {bits} bits need {needed}. Give all of them.")
    codes = _unpack(np.ascontiguousarray(values.reshape(-1)), bits, int(count))
    if signed:
        shift = 16 - bits
        return back(((codes << np.uint16(shift)).view(np.int16) >> np.int16(shift)).astype(np.int8 if bits <= 8 else np.int16))
    return back(codes.astype(np.uint8) if bits <= 8 else codes)


def _checked_bits(bits: int) -> int:
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or not 1 <= bits <= WIDEST:
        raise BadValue(f"bits={bits!r} must be a whole number from 1 to {WIDEST}.")
    return int(bits)  # NumPy's own are too narrow to shift


def _taken(codes: Any) -> tuple[npt.NDArray[Any], Any]:
    """Whole numbers as NumPy has them, and how a result becomes what came."""
    back: Any = lambda result: result  # noqa: E731
    if is_tensor(codes):
        import torch

        if (codes.is_floating_point() and codes.numel()) or codes.is_complex():
            raise BadValue(f"codes have dtype {codes.dtype}; whole numbers are needed. Encode or quantise first.")
        device, codes = codes.device, (codes.to(torch.uint8) if codes.is_floating_point() else codes).detach().cpu().numpy()
        back = lambda result: torch.from_numpy(result).to(device)  # noqa: E731
    try:
        values = np.asarray(codes)
    except ValueError:
        raise BadValue("codes are no array of numbers: their rows differ in length. Give rows of one length.") from None
    if values.size == 0 and values.dtype == np.float64:  # what an empty list becomes
        values = values.astype(np.uint8)
    if values.dtype.kind not in "iub":
        raise BadValue(f"codes have dtype {values.dtype}; whole numbers are needed. Encode or quantise first.")
    return values, back


def _pack(codes: Codes, bits: int) -> Bytes:
    if bits == 8:
        return codes.astype(np.uint8)
    if bits == 16:
        return codes.astype("<u2").view(np.uint8).copy()
    packed = np.zeros(-(-codes.size * bits // 8), dtype=np.uint8)
    whole = codes.size // 8
    if has_numba():
        from thrifty.formats.packing_kernels import pack_groups
        from thrifty.loops import in_threads

        in_threads(lambda first, last: pack_groups(codes, packed, bits, first, last), whole, 8 * 4)
    else:
        pack_plain(codes, packed, bits, whole)
    rest = codes[whole * 8 :]
    if rest.size:
        ending = np.zeros(8, dtype=np.uint16)
        ending[: rest.size] = rest
        last = np.zeros(bits, dtype=np.uint8)
        pack_plain(ending, last, bits, 1)
        packed[whole * bits :] = last[: packed.size - whole * bits]
    return packed


def pack_plain(codes: Codes, packed: Bytes, bits: int, groups: int) -> None:
    """Eight codes make `bits` whole bytes: each code gives its bits to at most three of them."""
    for start in range(0, groups, _AT_ONCE):
        stop = min(start + _AT_ONCE, groups)
        eights = codes[start * 8 : stop * 8].reshape(-1, 8).astype(np.uint32)
        into = packed[start * bits : stop * bits].reshape(-1, bits)
        for place in range(8):
            byte, shift = divmod(place * bits, 8)
            moved = eights[:, place] << np.uint32(shift)
            for each in range(byte, min(byte + 3, bits)):
                into[:, each] |= (moved >> np.uint32(8 * (each - byte))).astype(np.uint8)


def _unpack(packed: Bytes, bits: int, count: int) -> Codes:
    if bits == 8:
        return packed[:count].astype(np.uint16)
    if bits == 16:
        return packed[: 2 * count].view("<u2").astype(np.uint16)
    codes = np.empty(count, dtype=np.uint16)
    whole = count // 8
    if has_numba():
        from thrifty.formats.packing_kernels import unpack_groups
        from thrifty.loops import in_threads

        in_threads(lambda first, last: unpack_groups(packed, codes, bits, first, last), whole, 8 * 4)
    else:
        unpack_plain(packed, codes, bits, whole)
    if count % 8:
        ending = np.zeros(bits, dtype=np.uint8)
        left = packed[whole * bits : whole * bits + bits]
        ending[: left.size] = left
        last = np.empty(8, dtype=np.uint16)
        unpack_plain(ending, last, bits, 1)
        codes[whole * 8 :] = last[: count % 8]
    return codes


def unpack_plain(packed: Bytes, codes: Codes, bits: int, groups: int) -> None:
    """The way back of `pack_plain`."""
    mask = np.uint32((1 << bits) - 1)
    for start in range(0, groups, _AT_ONCE):
        stop = min(start + _AT_ONCE, groups)
        rows = packed[start * bits : stop * bits].reshape(-1, bits).astype(np.uint32)
        into = codes[start * 8 : stop * 8].reshape(-1, 8)
        for place in range(8):
            byte, shift = divmod(place * bits, 8)
            word = rows[:, byte].copy()
            for each in range(byte + 1, min(byte + 3, bits)):
                word |= rows[:, each] << np.uint32(8 * (each - byte))
            into[:, place] = (word >> np.uint32(shift)) & mask

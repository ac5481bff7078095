"""Numbers in blocks, as a value: codes, scales, what they stand for, and the bytes they take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats.blocks.elements import NO_SCALE, SCALE_RANGE, Element
from thrifty.formats.blocks.layout import in_blocks, out_of_blocks
from thrifty.formats.floats import float_spec
from thrifty.formats.packing import pack, unpack
from thrifty.formats.rounding.arrays import is_tensor
from thrifty.formats.rounding.plain import decode_plain
from thrifty.loops import has_numba

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Blocks:
    """Numbers that share a scale with their neighbours along `axis`; arrays or tensors, as what came.

    format       : mxfp8, mxfp6, mxfp4, mxint8, nvfp4 or bfp
    codes        : uint8 codes of the element (for mxint8 and bfp whole numbers, int8 or int16), in the shape of what came
    scales       : uint8 codes, E8M0 or for NVFP4 UE4M3; the same shape with as many places along the axis as blocks
    tensor_scale : NVFP4's scale of all blocks, a float32 number; 1 elsewhere
    rule         : how scales were found
    wide         : what came was float64, and so are `values`
    """

    format: str
    element: Element
    codes: Any
    scales: Any
    tensor_scale: float
    axis: int
    block: int
    rule: str
    wide: bool

    def scale_values(self) -> Any:
        """Scales as numbers, float64; NaN where a block holds one."""
        codes, back = _numpy(self.scales)
        return back(self._scales(codes))

    def values(self) -> Any:
        """What codes and scales stand for: float64 where that came, else float32, rounded once (exact but for NVFP4; infinite beyond float32)."""
        codes, back = _numpy(self.codes)
        scales, _ = _numpy(self.scales)
        rows, units = self._rows(codes), self._scales(self._rows(scales)).reshape(-1)
        if rows.dtype.itemsize == 1 and not self.wide and has_numba():
            found = self._compiled(rows.view(np.uint8), units)
        else:
            dtype = np.float64 if self.wide or self.format == "nvfp4" else np.float32  # a product with a power of two needs no more
            numbers_BN = in_blocks(rows, self.block)
            sizes: Any = np.take(self._table(), numbers_BN.view(np.uint8)).astype(dtype) if rows.dtype.itemsize == 1 else self._fractions(numbers_BN, dtype)
            with np.errstate(over="ignore", invalid="ignore"):
                sizes *= units[:, None].astype(dtype)
                found = out_of_blocks(sizes, *rows.shape).astype(np.float64 if self.wide else np.float32, copy=False)
        return back(self._placed(found, codes))

    def pack(self) -> Any:
        """Bytes, (blocks, block_bytes), blocks in C order with `axis` last: the scale's byte, then the codes side by side; a short block ends with zeros."""
        codes, back = _numpy(self.codes)
        scales, _ = _numpy(self.scales)
        numbers_BN = in_blocks(self._rows(codes), self.block)
        short = -self.block % 8
        full = np.pad(numbers_BN, ((0, 0), (0, short))) if short else numbers_BN
        side = pack(full, self.element.bits).reshape(len(full), full.shape[1] * self.element.bits // 8)
        return back(np.concatenate([self._rows(scales).reshape(-1, 1), side[:, : self.block_bytes - 1]], axis=1))

    def with_bytes(self, packed: Any) -> Blocks:
        """The same blocks with the bytes that `pack` gave, changed or not. Raises BadValue for another number of bytes."""
        codes, back = _numpy(self.codes)
        scales, _ = _numpy(self.scales)
        raw = np.asarray(_numpy(packed)[0])
        count = scales.size
        if raw.dtype != np.uint8 or raw.size != count * self.block_bytes:
            raise BadValue(f"packed is {raw.size} of {raw.dtype}; {count} blocks of {self.format} take {count * self.block_bytes} bytes (uint8).")
        raw = raw.reshape(count, self.block_bytes)
        per_block = self.block + -self.block % 8
        wanted = per_block * self.element.bits // 8
        side = np.pad(raw[:, 1:], ((0, 0), (0, wanted - (self.block_bytes - 1))))
        found = unpack(side, self.element.bits, count * per_block, signed=self.element.spec is None).reshape(count, per_block)[:, : self.block]
        rows = self._rows(codes).shape
        new_codes = self._placed(out_of_blocks(np.ascontiguousarray(found), *rows), codes)
        new_scales = self._placed(raw[:, 0].reshape(rows[0], -1), scales)
        return replace(self, codes=back(new_codes.astype(codes.dtype)), scales=back(new_scales))

    @property
    def bytes(self) -> int:
        """Bytes of all blocks, scales included, a short last block in its whole size; and 4 for NVFP4's tensor scale."""
        return int(np.prod(np.shape(self.scales))) * self.block_bytes + (4 if self.format == "nvfp4" else 0)

    @property
    def block_bytes(self) -> int:
        """Bytes of a whole block: its scale's one, and its codes side by side."""
        return 1 + -(-self.block * self.element.bits // 8)

    def _table(self) -> Array:
        """Numbers of the element by code, or by the byte of a whole number."""
        if self.element.spec is not None:
            return decode_plain(np.arange(1 << self.element.bits, dtype=np.uint64), self.element.spec)
        return self._fractions(np.arange(256).astype(np.uint8).view(np.int8), np.float64)

    def _fractions(self, whole: Array, dtype: Any) -> Array:
        return np.asarray(np.ldexp(whole.astype(dtype), -self.element.mantissa_bits))

    def _compiled(self, rows: Array, units: Array) -> Array:
        from thrifty.formats.blocks.kernels import block_values
        from thrifty.loops import in_threads

        flat, table, size, found = rows.reshape(-1), self._table(), rows.shape[1], np.empty(rows.size, dtype=np.float32)
        in_threads(lambda first, last: block_values(flat, table, units, found, size, self.block, first, last), units.size, 2 * self.block)
        return found.reshape(rows.shape)

    def _rows(self, array: Array) -> Array:
        moved = np.moveaxis(array, self.axis, -1)
        return np.ascontiguousarray(moved).reshape(int(np.prod(moved.shape[:-1])), moved.shape[-1])

    def _placed(self, rows: Array, like: Array) -> Array:
        return np.ascontiguousarray(np.moveaxis(rows.reshape(np.moveaxis(like, self.axis, -1).shape), -1, self.axis))

    def _scales(self, codes: Array) -> Array:
        if self.format == "nvfp4":
            return np.asarray(decode_plain(codes.astype(np.uint64), float_spec("ue4m3")) * self.tensor_scale)
        return np.where(codes == NO_SCALE, np.nan, np.ldexp(1.0, codes.astype(np.int32) - SCALE_RANGE))


def _numpy(array: Any) -> tuple[Array, Any]:
    if is_tensor(array):
        import torch

        device = array.device
        return array.detach().cpu().numpy(), lambda result: torch.from_numpy(result).to(device)
    return np.asarray(array), lambda result: result

"""Numbers as small whole numbers: x ≈ (code - zero point) · scale, with one scale and zero point a group.

Numbers that share a scale are those along `axis`: all of them for None, a whole axis (a weight_NK with a scale a row has axis=-1, a convolution's with a
scale an output channel axis=(1, 2, 3)), or `group` neighbours along one axis, the last group as long as what is left.

- symmetric: scale = max |x| / (2^(bits-1) - 1), zero point 0 (2^(bits-1) for unsigned codes)
- affine   : scale = (hi - lo) / steps with lo = min(x, 0) and hi = max(x, 0), zero point = the code nearest to -lo / scale above the lowest; 0 is exact

The scale is rounded to `scale_format` before codes are made with it. A code is the exact quotient x / scale rounded once by `rounding`, plus the zero point,
held within the codes that there are. FP64's quotient stands for the exact one: it is a whole or half number h only where x = h · scale. For h · scale (at most
17 + 24 bits) is an FP64 number, so another x is a unit in its last place away or more, and its quotient more than half a unit in the last place of h.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats.floats import float_spec
from thrifty.formats.packing import pack
from thrifty.formats.rounding import ROUNDINGS, round_to
from thrifty.formats.rounding.arrays import is_tensor, take
from thrifty.formats.rounding.modes import checked_seed
from thrifty.formats.rounding.plain import random_words

WIDTHS: Final = (2, 16)
SCHEMES: Final = ("symmetric", "affine")
_SCALE_BITS: Final = 24
"""Significand bits of a scale at most, see above."""
_AT_ONCE: Final = 1 << 16
"""Numbers taken at a time, so that they stay in the cache."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantized:
    """Whole numbers with what they stand for; arrays or tensors, as what came.

    codes      : int8 or int16 (uint8 or uint16 unsigned), the shape of what came
    scale      : float32; with axis=None a single number, else the shape of what came with each axis that shares scales as long as it has groups
    zero_point : codes that stand for 0, int32, the shape of `scale`
    clipped    : how many numbers lay beyond the lowest or highest code
    """

    codes: Any
    scale: Any
    zero_point: Any
    bits: int
    scheme: str
    signed: bool
    narrow: bool
    axis: tuple[int, ...] | None
    group: int | None
    scale_format: str
    clipped: int

    @property
    def least(self) -> int:
        """Lowest code."""
        return _ends(self.bits, self.signed, self.narrow)[0]

    @property
    def most(self) -> int:
        """Highest code."""
        return _ends(self.bits, self.signed, self.narrow)[1]

    def dequantize(self) -> Any:
        """(code - zero point) · scale, rounded once to float32; array or tensor as the codes are."""
        codes, back = _numpy(self.codes)
        scale, _ = _numpy(self.scale)
        zero, _ = _numpy(self.zero_point)
        found = np.empty(codes.shape, dtype=np.float32)
        for part, groups in _slabs(codes.shape, self.axis, self.group):
            steps = codes[part].astype(np.float64)
            steps = steps - _to_each(zero[groups], steps.shape, self.axis, self.group)
            with np.errstate(over="ignore", under="ignore"):
                found[part] = steps * _to_each(scale[groups].astype(np.float64), steps.shape, self.axis, self.group)
        return back(found)

    def pack(self) -> Any:
        """Codes side by side, see `thrifty.formats.pack`; scales and zero points are kept beside."""
        return pack(self.codes, self.bits)

    @property
    def bytes(self) -> int:
        """Bytes of packed codes, scales and, in the affine scheme, zero points of as many bits as a code."""
        count, groups = int(np.prod(np.shape(self.codes))), int(np.prod(np.shape(self.scale)))
        scales = -(-groups * float_spec(self.scale_format).code_bits // 8)
        return -(-count * self.bits // 8) + scales + (-(-groups * self.bits // 8) if self.scheme == "affine" else 0)


def quantize_int(
    x: Any, bits: int, *, scheme: str = "symmetric", signed: bool = True, narrow: bool | None = None, axis: int | Sequence[int] | None = None,
    group: int | None = None, rounding: str = "rne", seed: int = 0, scale: Any = None, zero_point: Any = None, scale_format: str = "fp32",
) -> Quantized:  # fmt: skip
    """x as whole numbers of `bits` bits with scales, see the module for the rule.

    x      : array or tensor of real numbers, any shape and strides
    bits   : 2 to 16
    narrow : leave out the lowest code of signed ones, so that codes are as many on either side; by default where the scheme is symmetric
    axis   : axis or axes whose numbers share a scale; None: all of x. group: so many neighbours along the one axis share one
    rounding, seed : as in `thrifty.formats.round`; random modes draw for element i (in C order) from counter (seed, i)
    scale, zero_point : given instead of found, in the shape that they would have (or one that broadcasts to it)
    scale_format : in which scales are kept; of at most 24 significand bits

    Raises BadValue for NaN, for infinite numbers where the scale is to be found, for a scale that its format cannot hold, and for options out of range.
    """
    _check(bits, scheme, rounding, group)
    bits, seed, group = int(bits), checked_seed(seed), None if group is None else int(group)
    narrow = (scheme == "symmetric" and signed) if narrow is None else narrow
    if narrow and not signed:
        raise BadValue("narrow=True leaves out the lowest of signed codes, and signed=False has none below 0. Leave one of them out.")
    given = take(x)
    values = given.values
    axes = _axes(axis, group, values.ndim)
    least, most = _ends(bits, signed, narrow)
    shape = _group_shape(values.shape, axes, group)
    if scale is None:
        scale_G, zero_G = _found(values, bits, scheme, signed, least, most, axes, group, scale_format)
        if zero_point is not None:
            raise BadValue("zero_point is given without its scale. Give both, or leave both to be found.")
    else:
        _check_values(values, endless_too=False)
        scale_G = _given("scale", scale, shape)
        if scale_G.size and not (np.isfinite(scale_G).all() and scale_G.min() > 0):
            raise BadValue("scale must be finite numbers above 0.")
        scale_G = _kept(scale_G, scale_format)
        middle = 0 if signed else (1 << (bits - 1) if scheme == "symmetric" else 0)
        zero_G = np.full(shape, float(middle)) if zero_point is None else _given("zero_point", zero_point, shape)
        if zero_G.size and ((zero_G != np.rint(zero_G)).any() or zero_G.min() < least or zero_G.max() > most):
            raise BadValue(f"zero_point must be whole numbers among the codes {least} to {most}.")
    codes = np.empty(values.shape, dtype=np.dtype(f"{'i' if signed else 'u'}{1 if bits <= 8 else 2}"))
    clipped, row = 0, values.size // max(len(values), 1) if values.ndim else 1
    for part, groups in _slabs(values.shape, axes, group):
        slab = np.asarray(values[part], dtype=np.float64)
        with np.errstate(over="ignore", under="ignore"):
            quotient = slab / _to_each(scale_G[groups], slab.shape, axes, group)
        found = round_whole(quotient, rounding, seed, part.start * row if isinstance(part, slice) else 0) + _to_each(zero_G[groups], slab.shape, axes, group)
        clipped += int(np.count_nonzero((found < least) | (found > most)))
        codes[part] = np.clip(found, least, most)
    return Quantized(
        codes=given.back(codes), scale=given.back(np.asarray(scale_G, dtype=np.float32)),
        zero_point=given.back(np.asarray(zero_G, dtype=np.int32)), bits=bits, scheme=scheme, signed=signed, narrow=narrow, axis=axes, group=group,
        scale_format=scale_format, clipped=clipped,
    )  # fmt: skip


def round_whole(x: Floats, rounding: str = "rne", seed: int = 0, first: int = 0) -> Floats:
    """x to whole numbers by a mode of ROUNDINGS; on sizes, so that up and down are those of the number line and odd is the odd neighbour."""
    match rounding:
        case "rne":
            return np.asarray(np.rint(x))
        case "rz":
            return np.asarray(np.trunc(x))
        case "ru":
            return np.asarray(np.ceil(x))
        case "rd":
            return np.asarray(np.floor(x))
    low = np.floor(np.abs(x))
    rest = np.abs(x) - low
    if rounding == "odd":
        up = (rest > 0) & (low % 2 == 0)
    else:
        words = random_words(seed, first, x.size).reshape(x.shape)
        up = rest > (words >> np.uint64(11)) * 2.0**-53 if rounding == "stochastic" else (rest > 0) & ((words >> np.uint64(63)) == 1)
    return np.asarray(np.copysign(low + up, x))


def _found(
    x: npt.NDArray[Any], bits: int, scheme: str, signed: bool, least: int, most: int, axes: tuple[int, ...] | None, group: int | None, scale_format: str
) -> tuple[Floats, Floats]:
    """Scale and zero point of every group; 1 and the code of zero where all of it is zero or there is nothing."""
    low, high = _reduced(x, np.minimum, axes, group), _reduced(x, np.maximum, axes, group)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        _check_values(x, endless_too=True)
    spread = np.maximum(high, -low) / ((1 << (bits - 1)) - 1) if scheme == "symmetric" else high / (most - least) - low / (most - least)
    scale = _kept(np.where(spread > 0, spread, 1.0), scale_format)
    if scheme == "symmetric":
        return scale, np.full(scale.shape, 0.0 if signed else float(1 << (bits - 1)))
    return scale, np.clip(np.rint(least - low / scale), least, most)


def _reduced(x: npt.NDArray[Any], pick: Any, axes: tuple[int, ...] | None, group: int | None) -> Floats:
    """min(x, 0) or max(x, 0) of every group."""
    if not x.size:
        return np.zeros(_group_shape(x.shape, axes, group))
    if group is None or axes is None:
        return np.asarray(pick.reduce(x, axis=axes, keepdims=axes is not None, initial=0.0), dtype=np.float64)
    return np.asarray(pick(pick.reduceat(x, np.arange(0, x.shape[axes[0]], group), axis=axes[0]), 0.0), dtype=np.float64)


def _slabs(shape: tuple[int, ...], axes: tuple[int, ...] | None, group: int | None) -> Iterator[tuple[Any, Any]]:
    """Pieces of the first axis that stay in the cache, in whole groups, each with where its groups are."""
    if not shape:
        yield (), ()
        return
    row = math.prod(shape[1:])
    step = max(1, _AT_ONCE // max(row, 1))
    shared = axes is None or (0 in axes and group is None)
    along = group if group is not None and axes == (0,) else 1
    step = -(-step // along) * along
    for start in range(0, shape[0], step):
        groups = ... if shared else slice(start // along, -(-min(start + step, shape[0]) // along))
        yield slice(start, min(start + step, shape[0])), groups


def _kept(scale: Floats, scale_format: str) -> Floats:
    """Scales in their format: to nearest, never zero, refused where too large."""
    spec = float_spec(scale_format)
    if spec.significand_bits > _SCALE_BITS or not float_spec("fp32").holds(spec):
        raise BadValue(f"scale_format='{scale_format}' is wider than float32. Choose fp32, bf16, fp16, e8m0 or another that float32 holds.")
    if scale.size and scale.max() > spec.largest:
        raise BadValue(f"a scale of {scale.max():.3g} is beyond {spec.name}, which ends at {spec.largest:.3g}. Choose another scale_format, or scale x down.")
    return np.asarray(np.maximum(round_to(scale, spec, overflow="saturate"), spec.smallest), dtype=np.float64)


def _check(bits: int, scheme: str, rounding: str, group: int | None) -> None:
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer) or not WIDTHS[0] <= bits <= WIDTHS[1]:
        raise BadValue(f"bits={bits!r} must be a whole number from {WIDTHS[0]} to {WIDTHS[1]}.")
    if scheme not in SCHEMES:
        raise BadValue(f"scheme='{scheme}' is unknown. Choose: {', '.join(SCHEMES)}.")
    if rounding not in ROUNDINGS:
        raise BadValue(f"rounding='{rounding}' is no rounding mode. Choose: {', '.join(ROUNDINGS)}.")
    if group is not None and (isinstance(group, bool) or not isinstance(group, int | np.integer) or group < 1):
        raise BadValue(f"group={group!r} must be a whole number of neighbours, 1 or more.")


def _check_values(values: npt.NDArray[Any], *, endless_too: bool) -> None:
    lost = int(np.isnan(values).sum())
    if lost:
        raise BadValue(f"x holds {lost} NaN, and whole numbers have no code for it. Replace them first.")
    endless = int(np.isinf(values).sum()) if endless_too else 0
    if endless:
        raise BadValue(f"x holds {endless} infinite numbers, so no scale reaches them. Clip them first, or give scale= (they become the last code).")


def _axes(axis: int | Sequence[int] | None, group: int | None, ndim: int) -> tuple[int, ...] | None:
    if axis is None and group is not None:
        axis = -1
    if axis is None:
        return None
    named = tuple(axis) if isinstance(axis, Sequence) else (axis,)
    if not named or any(isinstance(each, bool) or not isinstance(each, int | np.integer) or not -ndim <= each < ndim for each in named):
        raise BadValue(f"axis={axis!r} names no axis of x, which has {ndim}. {f'Give {-ndim} to {ndim - 1}, or None.' if ndim else 'Give None.'}")
    found = tuple(sorted({int(each) % ndim for each in named}))
    if group is not None and len(found) != 1:
        raise BadValue(f"group={group} lies along one axis, and axis={axis!r} names {len(found)}. Name one.")
    return found


def _ends(bits: int, signed: bool, narrow: bool) -> tuple[int, int]:
    return (-(1 << (bits - 1)) + narrow, (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def _group_shape(shape: tuple[int, ...], axes: tuple[int, ...] | None, group: int | None) -> tuple[int, ...]:
    if axes is None:
        return ()
    return tuple((-(-size // group) if group else 1) if place in axes else size for place, size in enumerate(shape))


def _given(name: str, value: Any, shape: tuple[int, ...]) -> Floats:
    values = np.asarray(take(value, name).values, dtype=np.float64)
    try:
        return np.array(np.broadcast_to(values, shape))
    except ValueError:
        raise BadValue(f"{name} has shape {values.shape}; groups of x have shape {shape}. Give that.") from None


def _to_each(of_groups: npt.NDArray[Any], shape: tuple[int, ...], axes: tuple[int, ...] | None, group: int | None) -> npt.NDArray[Any]:
    """What belongs to groups, for every number."""
    if group is None or axes is None:
        return np.asarray(np.broadcast_to(of_groups, shape))
    return np.asarray(np.repeat(of_groups, group, axis=axes[0]).take(np.arange(shape[axes[0]]), axis=axes[0]))


def _numpy(array: Any) -> tuple[npt.NDArray[Any], Any]:
    if is_tensor(array):
        import torch

        device = array.device
        return array.detach().cpu().numpy(), lambda result: torch.from_numpy(result).to(device)
    return np.asarray(array), lambda result: result

"""Round, encode, decode, flip: what users call."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats.floats import FloatSpec, float_spec
from thrifty.formats.rounding.arrays import take
from thrifty.formats.rounding.modes import Rounding
from thrifty.formats.rounding.plain import decode_plain, encode_plain, round_plain


def round_to(x: Any, format: str | FloatSpec, *, rounding: str = "rne", overflow: str | None = None, flush: bool = False, seed: int = 0) -> Any:
    """x rounded to the numbers of `format`, once, straight from its own bits; still floats, of x's shape and kind (array or tensor).

    x        : array or tensor of floats or whole numbers, any shape and strides
    rounding : one of ROUNDINGS; overflow: one of OVERFLOWS, needed where the format has no infinities; flush: subnormal results become zero
    seed     : for "stochastic" and "random": element i (in C order) draws from counter (seed, i), so the same call gives the same numbers anywhere

    The result is float32 where x is no wider and that holds the format, else float64. A tensor comes back on its device, without gradient.
    Raises UnknownName, BadValue; BadValue too where x holds NaN and the format has none.
    """
    given, to = take(x), Rounding.of(format, rounding=rounding, overflow=overflow, flush=flush, seed=seed)
    values = np.asarray(given.values, dtype=np.float64)
    _guard(values, to.spec)
    return given.back(round_plain(values, to).astype(given.result_dtype(to.spec)))


def encode(x: Any, format: str | FloatSpec, *, rounding: str = "rne", overflow: str | None = None, flush: bool = False, seed: int = 0) -> Any:
    """Codes of x rounded to `format`, in the narrowest unsigned integers that hold them (a tensor of signed ones of the same width where torch lacks them)."""
    given, to = take(x), Rounding.of(format, rounding=rounding, overflow=overflow, flush=flush, seed=seed)
    values = np.asarray(given.values, dtype=np.float64)
    _guard(values, to.spec)
    return given.back((encode_plain(round_plain(values, to), to.spec) << np.uint64(to.spec.pad_bits)).astype(code_dtype(to.spec)))


def decode(codes: Any, format: str | FloatSpec) -> Any:
    """Numbers of codes: float32 where that holds the format, else float64. Raises BadValue for codes that the format does not have."""
    spec = float_spec(format)
    words, back = take_codes(codes, spec)
    dtype = np.float32 if float_spec("fp32").holds(spec) else np.float64
    return back(decode_plain(words >> np.uint64(spec.pad_bits), spec).astype(dtype))


def flip(codes: Any, bit: Any, format: str | FloatSpec | None = None) -> Any:
    """Codes with one bit turned over, 0 the lowest; `bit` a number or an array of codes' shape. With `format`, bits beyond its code are refused."""
    torch_like = type(codes).__module__.split(".")[0] == "torch"
    words = codes.numpy() if torch_like else np.asarray(codes)
    if words.dtype.kind not in "iu":
        raise BadValue(f"codes have dtype {words.dtype}; whole numbers are needed. Encode first.")
    width = words.dtype.itemsize * 8 if format is None else float_spec(format).code_bits
    places = np.asarray(bit.numpy() if type(bit).__module__.split(".")[0] == "torch" else bit)
    if places.dtype.kind not in "iu" or (places.size and (places.min() < 0 or places.max() >= width)):
        raise BadValue(f"bit must be whole numbers from 0 to {width - 1}; {bit!r} is not.")
    unsigned = words.view(np.dtype(f"u{words.dtype.itemsize}"))
    flipped = (unsigned ^ (np.uint64(1) << places.astype(np.uint64)).astype(unsigned.dtype)).view(words.dtype)
    if torch_like:
        import torch

        return torch.from_numpy(np.ascontiguousarray(flipped)).to(codes.device)
    return flipped


def code_dtype(spec: FloatSpec) -> npt.DTypeLike:
    """The narrowest unsigned integers that hold codes."""
    return next(dtype for bits, dtype in ((8, np.uint8), (16, np.uint16), (32, np.uint32), (64, np.uint64)) if spec.code_bits <= bits)


def take_codes(codes: Any, spec: FloatSpec) -> tuple[npt.NDArray[np.uint64], Any]:
    """Codes as unsigned words, and how a result goes back."""
    back: Any = lambda result: result  # noqa: E731
    if type(codes).__module__.split(".")[0] == "torch":
        import torch

        device, codes = codes.device, codes.detach().cpu().numpy()
        back = lambda result: torch.from_numpy(result).to(device)  # noqa: E731
    words = np.asarray(codes)
    if words.dtype.kind not in "iu":
        raise BadValue(f"codes have dtype {words.dtype}; whole numbers are needed.")
    if words.dtype.kind == "i" and words.size and words.min() < 0:
        words = words.view(np.dtype(f"u{words.dtype.itemsize}"))
    if words.size and (int(words.max()) >> spec.code_bits or int(words.min()) < 0):
        raise BadValue(f"codes go up to {int(words.max())}; {spec.name} has {spec.code_bits} bits, so up to {(1 << spec.code_bits) - 1}.")
    return words.astype(np.uint64), back


def _guard(values: npt.NDArray[np.float64], spec: FloatSpec) -> None:
    if spec.no_number == "none":
        lost = int(np.isnan(values).sum())
        if lost:
            raise BadValue(f"x holds {lost} NaN, and {spec.name} has no code for it. Replace them, or round to a format that has.")

"""Round, encode, decode, flip, and the bits of floats: what users call."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats.floats import FloatSpec, float_spec
from thrifty.formats.rounding.arrays import is_tensor, place, take
from thrifty.formats.rounding.modes import Rounding
from thrifty.formats.rounding.plain import decode_plain, encode_plain, round_plain
from thrifty.loops import has_numba, in_threads

TABLE_BITS = 16
"""Codes of at most this many bits are decoded by a table."""


def round_to(
    x: Any, format: str | FloatSpec, *, rounding: str = "rne", overflow: str | None = None, flush: bool = False, seed: int = 0, out: Any = None
) -> Any:
    """x rounded to the numbers of `format`, once, straight from its own bits; still floats, of x's shape and kind (array or tensor).

    x        : array or tensor of floats or whole numbers, any shape and strides
    rounding : one of ROUNDINGS; overflow: one of OVERFLOWS, needed where the format has no infinities; flush: subnormal results become zero
    seed     : for "stochastic" and "random": element i (in C order) draws from counter (seed, i), so the same call gives the same numbers anywhere
    out      : where the result is written, of its kind, shape and dtype; may be x

    The result is float32 where x is no wider and that holds the format, else float64. A tensor comes back on its device, without gradient; on a GPU it is
    rounded there where Triton is installed, else on the CPU, with the same bits. Raises UnknownName, BadValue; BadValue too where x holds NaN and the format
    has none, or numbers below zero and it has neither sign nor NaN.
    """
    to = Rounding.of(format, rounding=rounding, overflow=overflow, flush=flush, seed=seed)
    if _on_gpu(x):
        from thrifty.formats.rounding import triton_calls

        return triton_calls.rounded(x, to, out)
    given = take(x)
    result, answer = place(out, x, given, given.result_dtype(to.spec))
    values, flat = given.values.reshape(-1), result.reshape(-1)
    if has_numba():
        from thrifty.formats.rounding.recipes import floats_into

        refused = floats_into(values, flat, to)
    else:
        flat[:] = round_plain(_wide(values), to)
        refused = int(np.isnan(flat).sum())
    guard(refused, to.spec)
    return answer()


def encode(
    x: Any, format: str | FloatSpec, *, rounding: str = "rne", overflow: str | None = None, flush: bool = False, seed: int = 0, out: Any = None
) -> Any:
    """Codes of x rounded to `format`, in the narrowest unsigned integers that hold them. Arguments and errors as for `round`."""
    to = Rounding.of(format, rounding=rounding, overflow=overflow, flush=flush, seed=seed)
    if _on_gpu(x):
        from thrifty.formats.rounding import triton_calls

        return triton_calls.encoded(x, to, out)
    given = take(x)
    result, answer = place(out, x, given, code_dtype(to.spec))
    values, flat = given.values.reshape(-1), result.reshape(-1)
    if has_numba():
        from thrifty.formats.rounding.recipes import codes_into

        refused = codes_into(values, flat, to)
    else:
        rounded = round_plain(_wide(values), to)
        flat[:] = encode_plain(rounded, to.spec) << np.uint64(to.spec.pad_bits)
        refused = int(np.isnan(rounded).sum())
    guard(refused, to.spec)
    return answer()


def decode(codes: Any, format: str | FloatSpec) -> Any:
    """Numbers of codes: float32 where that holds the format, else float64. Raises BadValue for codes that the format does not have."""
    spec = float_spec(format)
    words, back = take_codes(codes, spec)
    dtype = np.float32 if float_spec("fp32").holds(spec) else np.float64
    if spec.code_bits > TABLE_BITS or words.size < 1 << spec.code_bits:
        return back(decode_plain(words.astype(np.uint64) >> np.uint64(spec.pad_bits), spec).astype(dtype))
    table = decode_plain(np.arange(1 << spec.code_bits, dtype=np.uint64), spec).astype(dtype)
    if not has_numba():
        return back(table[words])
    from thrifty.formats.rounding.array_kernels import look_up

    result = np.empty(words.shape, dtype)
    flat, indices = result.reshape(-1), np.ascontiguousarray(words).reshape(-1)
    in_threads(lambda first, last: look_up(table, indices[first:last], flat[first:last]), flat.size, 2)
    return back(result)


def flip(codes: Any, bit: Any, format: str | FloatSpec | None = None) -> Any:
    """Codes with one bit turned over, 0 the lowest; `bit` a number or an array that broadcasts to codes' shape. With `format`, bits beyond its code are
    refused, and so are codes that it does not have."""
    words, back = _words(codes)
    width = words.dtype.itemsize * 8
    if format is not None:
        spec = float_spec(format)
        if spec.code_bits > width:
            raise BadValue(f"codes have dtype {words.dtype}; {spec.name} has {spec.code_bits} bits. Give codes as encode makes them.")
        take_codes(words, spec)
        width = spec.code_bits
    places = np.asarray(bit.detach().cpu().numpy() if is_tensor(bit) else bit)
    if places.dtype.kind not in "iu" or (places.size and (places.min() < 0 or places.max() >= width)):
        raise BadValue(f"bit must be whole numbers from 0 to {width - 1}; {np.array2string(places, threshold=4).replace(chr(10), '')} is not.")
    try:
        fits = np.broadcast_shapes(places.shape, words.shape) == words.shape
    except ValueError:
        fits = False
    if not fits:
        raise BadValue(f"bit has shape {places.shape} and codes have {words.shape}. Give one bit, or one for each code.")
    unsigned = words.view(np.dtype(f"u{words.dtype.itemsize}"))
    return back((unsigned ^ (np.uint64(1) << places.astype(np.uint64)).astype(unsigned.dtype)).view(words.dtype))


def bits(x: Any) -> Any:
    """The bits of floats as unsigned integers of their width: a view of x's own memory, array or tensor, so writing to it changes x. No number is rounded."""
    if is_tensor(x):
        import torch

        if not x.dtype.is_floating_point or x.layout != torch.strided:
            raise BadValue(f"x has dtype {x.dtype} and layout {x.layout}; floats are needed.")
        return x.detach().view(getattr(torch, f"uint{x.element_size() * 8}"))
    values = np.asarray(x)
    small = values.dtype.kind == "V" and values.dtype.names is None and values.dtype.type is not np.void and values.dtype.itemsize <= 2
    if not small and (values.dtype.kind != "f" or values.dtype.itemsize > 8):
        raise BadValue(f"x has dtype {values.dtype}; floats of at most 64 bits are needed.")
    return values.view(np.dtype(f"u{values.dtype.itemsize}").newbyteorder(values.dtype.byteorder if values.dtype.kind == "f" else "="))


def from_bits(words: Any, format: str) -> Any:
    """Floats whose bits these are: a view of their own memory. NumPy has "fp16", "fp32" and "fp64", torch "bf16" and FP8 too; `decode` gives numbers of any
    format. Raises BadValue where the integers are of another width or the library has no such dtype."""
    spec = float_spec(format)
    if is_tensor(words):
        import torch

        names = {"fp16": "float16", "fp32": "float32", "fp64": "float64", "bf16": "bfloat16", "fp8_e4m3": "float8_e4m3fn", "fp8_e5m2": "float8_e5m2",
                 "fp8_e4m3fnuz": "float8_e4m3fnuz", "fp8_e5m2fnuz": "float8_e5m2fnuz", "e8m0": "float8_e8m0fnu"}  # fmt: skip
        dtype, size, whole = getattr(torch, names.get(spec.name, ""), None), words.element_size(), not words.dtype.is_floating_point and not words.is_complex()
        library = "torch"
    else:
        words = np.asarray(words)
        dtype = {"fp16": np.dtype(np.float16), "fp32": np.dtype(np.float32), "fp64": np.dtype(np.float64)}.get(spec.name)
        size, whole, library = words.dtype.itemsize, words.dtype.kind in "iu", "NumPy"
    if dtype is None:
        raise BadValue(f"{library} has no dtype for {spec.name}. decode(words, '{spec.name}') gives its numbers as floats.")
    if not whole or size != dtype.itemsize:
        raise BadValue(f"words have dtype {words.dtype}; whole numbers of {dtype.itemsize * 8} bits are needed for {spec.name}.")
    return words.view(dtype if is_tensor(words) else dtype.newbyteorder(words.dtype.byteorder))


def code_dtype(spec: FloatSpec) -> npt.DTypeLike:
    """The narrowest unsigned integers that hold codes."""
    return next(dtype for bits, dtype in ((8, np.uint8), (16, np.uint16), (32, np.uint32), (64, np.uint64)) if spec.code_bits <= bits)


def take_codes(codes: Any, spec: FloatSpec) -> tuple[npt.NDArray[Any], Any]:
    """Codes as unsigned integers of their own width, and how a result goes back."""
    words, back = _words(codes)
    if words.dtype.kind == "i":
        if words.size and int(words.min()) < 0 and words.dtype.itemsize * 8 > spec.code_bits:
            raise BadValue(f"codes go down to {int(words.min())}; {spec.name} has {spec.code_bits} bits, so from 0 to {(1 << spec.code_bits) - 1}.")
        words = words.view(np.dtype(f"u{words.dtype.itemsize}"))
    if words.size and words.dtype.itemsize * 8 > spec.code_bits and int(words.max()) >> spec.code_bits:
        raise BadValue(f"codes go up to {int(words.max())}; {spec.name} has {spec.code_bits} bits, so up to {(1 << spec.code_bits) - 1}.")
    return words, back


def guard(refused: int, spec: FloatSpec) -> None:
    """Raises BadValue where the format has no code for some numbers. refused: how many of the rounded are NaN."""
    if refused and spec.no_number == "none":
        what = "NaN" if spec.signed else "NaN or numbers below zero"
        raise BadValue(f"x holds {refused} {what}, and {spec.name} has no code for it. Replace them, or round to a format that has.")


def _wide(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    with np.errstate(invalid="ignore"):  # signalling NaN
        return values.astype(np.float64, copy=False)


def _words(codes: Any) -> tuple[npt.NDArray[Any], Any]:
    """Whole numbers as NumPy's, in this machine's byte order, and how a result goes back."""
    back: Any = lambda result: result  # noqa: E731
    if is_tensor(codes):
        import torch

        if codes.is_floating_point() or codes.is_complex():
            raise BadValue(f"codes have dtype {codes.dtype}; whole numbers are needed. Encode first.")
        device, codes = codes.device, codes.detach().cpu().numpy()
        back = lambda result: torch.from_numpy(np.ascontiguousarray(result).reshape(result.shape)).to(device)  # noqa: E731
    try:
        words = np.asarray(codes)
    except ValueError:
        raise BadValue("codes are no array of numbers: their rows differ in length. Give rows of one length.") from None
    if words.dtype.kind not in "iu":
        raise BadValue(f"codes have dtype {words.dtype}; whole numbers are needed. Encode first.")
    return words.astype(words.dtype.newbyteorder("="), copy=False), back


def _on_gpu(x: Any) -> bool:
    """x is a tensor on a GPU that Triton can be used on."""
    if not is_tensor(x) or getattr(x, "device", None) is None or x.device.type != "cuda":
        return False
    import importlib.util

    return importlib.util.find_spec("triton") is not None

"""Tensors rounded by a rule, and functions of one small number looked up. Imports torch."""

from __future__ import annotations

import functools
import sys
from typing import Final

import numpy as np
import numpy.typing as npt
import torch

from thrifty.formats import FloatSpec, Rounding, elementary, float_spec
from thrifty.formats.rounding.plain import round_plain
from thrifty.loops import has_numba, in_threads

NATIVE: Final = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
SPECS: Final = {torch.float64: "fp64", torch.float32: "fp32", torch.bfloat16: "bf16", torch.float16: "fp16"}
"""Floating dtypes that carry values."""

SHARED_FROM: Final = 1 << 17
"""Elements from which threads share a loop."""


def spec_of(dtype: torch.dtype) -> FloatSpec | None:
    """Format of a floating dtype; None for one that this room does not carry values in."""
    return float_spec(SPECS[dtype]) if dtype in SPECS else None


@functools.lru_cache(maxsize=256)
def native(to: Rounding) -> torch.dtype | None:
    """The dtype whose cast from FP32 is this rounding, which torch does once and to nearest; None where there is none."""
    usual = to.mode == "rne" and to.overflow == "inf" and not to.flush
    return NATIVE.get(to.spec.name) if usual else None


def round_tensor(x: torch.Tensor, to: Rounding, dtype: torch.dtype) -> torch.Tensor:
    """x rounded once, held in `dtype`, which holds the format. A tensor of its own, contiguous in memory's order."""
    if (cast := native(to)) is not None and (x.dtype == torch.float32 or (x.dtype == torch.float64 and cast == torch.float32)):
        return x.to(cast).to(dtype) if cast != x.dtype else x.clone()
    values = np.array(x.detach().to(torch.float64).numpy(), order="C", dtype=np.float64)
    return torch.from_numpy(round_array(values, to)).to(dtype)


def round_in_place(x: torch.Tensor, cast: torch.dtype) -> torch.Tensor:
    """A tensor of FP32 that is ours to write, rounded to the 16-bit dtype `cast` and still FP32."""
    if cast != torch.bfloat16 or not has_numba() or not x.is_contiguous():
        return x.copy_(x.to(cast))
    from thrifty.lenses.numerics.auditing.numbers.kernels import to_bf16

    words = x.numpy().reshape(-1).view(np.uint32)
    if words.size < SHARED_FROM:
        to_bf16(words)
    else:
        in_threads(lambda first, last: to_bf16(words[first:last]), words.size, 1)
    return x


def add_rows(x: torch.Tensor, bias: torch.Tensor, to: Rounding) -> torch.Tensor | None:
    """x, FP32 and ours to write, plus a row, rounded once from their FP64 sum; None where no loop serves."""
    if not has_numba() or x.dim() < 2 or bias.dim() != 1 or not x.is_contiguous() or x.dtype != torch.float32 or bias.dtype != torch.float32:
        return None
    from thrifty.lenses.numerics.auditing.numbers import kernels

    rows, row, words = x.detach().numpy().reshape(-1, x.shape[-1]), bias.detach().contiguous().numpy(), _words(to)
    in_threads(lambda first, last: kernels.add_rows(rows[first:last], row, words), len(rows), 4 * x.shape[-1]) if x.numel() >= SHARED_FROM else (
        kernels.add_rows(rows, row, words)
    )
    return x


def round_array(values: npt.NDArray[np.float64], to: Rounding) -> npt.NDArray[np.float64]:
    """Contiguous FP64 rounded, in place where Numba is."""
    if not has_numba():
        return round_plain(values, to)
    from thrifty.formats.rounding.kernels import round_row

    words, flat = _words(to), values.reshape(-1)
    if flat.size < SHARED_FROM:
        round_row(flat, flat.size, words, 0)
    else:
        in_threads(lambda first, last: round_row(flat[first:last], last - first, words, first), flat.size, 4)
    return values


@functools.lru_cache(maxsize=256)
def _words(to: Rounding) -> npt.NDArray[np.int64]:
    from thrifty.formats.rounding.kernels import parameters

    return parameters(to)


def elementwise(name: str, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """exp, exp2 or log of contiguous FP64, compiled where Numba is; the same bits without."""
    if not has_numba():
        return np.asarray(getattr(elementary, name)(x))
    from thrifty.formats import elementary_kernels

    out = np.empty_like(x)
    row, flat, into = getattr(elementary_kernels, f"{name}_row"), x.reshape(-1), out.reshape(-1)
    if flat.size < SHARED_FROM:
        row(flat, into, flat.size)
    else:
        in_threads(lambda first, last: row(flat[first:last], into[first:last], last - first), flat.size, 40)
    return out


@functools.cache
def every_code(name: str) -> torch.Tensor:
    """The 65,536 numbers of BF16 or FP16 by their codes, as FP32."""
    codes = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16)
    return codes.view(NATIVE[name]).to(torch.float32)


def look_up(x: torch.Tensor, table: npt.NDArray[np.float32], index: str) -> torch.Tensor:
    """table[code of each element of x], where x holds numbers of the format `index` in FP32."""
    held = x.detach().contiguous()
    if index == "fp16":
        codes = held.to(torch.float16).numpy().reshape(-1).view(np.uint16)
    else:
        codes = held.numpy().reshape(-1).view(np.uint16)[int(sys.byteorder == "little") :: 2]  # the upper halves
    out = torch.empty_like(held)
    flat = out.numpy().reshape(-1)
    if has_numba():
        from thrifty.lenses.numerics.auditing.numbers.kernels import gather

        if flat.size < SHARED_FROM:
            gather(codes, table, flat)
        else:
            in_threads(lambda first, last: gather(codes[first:last], table, flat[first:last]), flat.size, 4)
    else:
        flat[:] = table[codes]
    return out

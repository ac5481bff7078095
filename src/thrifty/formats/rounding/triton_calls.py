"""Tensors on a GPU rounded and encoded where they lie. Imported only for such tensors, and where Triton is installed."""

from __future__ import annotations

import math
import struct
from typing import Any, Final

import numpy as np
import torch
import triton

from thrifty.formats.floats import FloatSpec, float_spec
from thrifty.formats.rounding.arrays import check_out, take_tensor
from thrifty.formats.rounding.calls import code_dtype, guard
from thrifty.formats.rounding.modes import Rounding, overflow_codes, overflows
from thrifty.formats.rounding.triton_kernels import round_kernel

_BLOCK: Final = 1024


def rounded(x: Any, to: Rounding, out: Any = None) -> Any:
    """`calls.round_to` on x's own device."""
    spec, held = to.spec, _floats(x, to.spec)
    wide = held.dtype == torch.float64 or not float_spec("fp32").holds(spec)
    result = _place(out, x, torch.float64 if wide else torch.float32)
    _launch(held, result, to, codes=False)
    return _given(out, result)


def encoded(x: Any, to: Rounding, out: Any = None) -> Any:
    """`calls.encode` on x's own device."""
    spec, held = to.spec, _floats(x, to.spec)
    name = np.dtype(code_dtype(spec)).name
    result = _place(out, x, getattr(torch, name))
    # Triton stores signed integers of every width; the low bits are the same.
    _launch(held, result.view(getattr(torch, name.removeprefix("u") if name != "uint8" else name)), to, codes=True)
    return _given(out, result)


def _floats(x: Any, spec: FloatSpec) -> Any:
    _, held = take_tensor(x)
    if spec.no_number == "none":
        lost = held.isnan() if spec.signed else held.isnan() | (held < 0)
        guard(int(lost.sum()), spec)
    return held


def _place(out: Any, x: Any, dtype: Any) -> Any:
    """A contiguous tensor for the result: `out` itself where it is one. Element by element, so it may be x."""
    if out is None:
        return torch.empty(x.shape, dtype=dtype, device=x.device)
    check_out(out, x, tuple(x.shape), str(dtype).removeprefix("torch."))
    held = out.detach()
    apart = held.untyped_storage().data_ptr() != x.untyped_storage().data_ptr() or held.data_ptr() == x.data_ptr()
    return held if held.is_contiguous() and apart else torch.empty(x.shape, dtype=dtype, device=x.device)


def _given(out: Any, result: Any) -> Any:
    if out is None:
        return result
    if out.data_ptr() != result.data_ptr():
        out.detach().copy_(result)
    return out


def _launch(held: Any, result: Any, to: Rounding, codes: bool) -> None:
    count = held.numel()
    if count:
        seed = to.seed - (1 << 64) if to.seed >> 63 else to.seed
        round_kernel[(triton.cdiv(count, _BLOCK),)](held, result, count, seed, *constants(to, codes))


def constants(to: Rounding, codes: bool) -> tuple[Any, ...]:
    """What the kernel is compiled for, in its arguments' order, the block's size last."""
    spec = to.spec
    over, under, lost, infinite = overflow_codes(to) if codes else map(_word, overflows(to))
    if codes:
        sizes = (spec.largest_code, lost, over, under, infinite, 1 << spec.mantissa_bits if to.flush and spec.subnormals else 0, spec.nan_code or 0)
    else:
        sizes = (_word(spec.largest), lost, over, under, infinite, _word(spec.smallest_normal if to.flush else 0.0), _word(math.nan))
    return (
        to.mode, spec.mantissa_bits, spec.emin, spec.bias, spec.subnormals, spec.signed, spec.no_number == "minus_zero", *sizes,
        spec.exponent_bits + spec.mantissa_bits, spec.pad_bits, codes, _BLOCK,
    )  # fmt: skip


def _word(size: float) -> int:
    return int(struct.unpack("<Q", struct.pack("<d", size))[0])

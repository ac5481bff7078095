"""Which compiled loop takes a product."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.formats.accumulators.cores.catalogue import TensorCore
from thrifty.formats.accumulators.kernels import chains, fused
from thrifty.formats.accumulators.kernels.exact import keep_exact
from thrifty.formats.accumulators.kernels.truncated import keep_truncated
from thrifty.formats.accumulators.kernels.two_step import keep_two_step
from thrifty.formats.accumulators.plain.cores import Scales
from thrifty.formats.accumulators.plain.fused import fits
from thrifty.formats.accumulators.specs import Accumulator
from thrifty.formats.floats import float_spec

Floats = npt.NDArray[np.float64]
_FEW = 16
"""Columns below which a product is turned over where it has more rows: loops run along columns."""


def batches(a: npt.NDArray[Any], b: npt.NDArray[Any], how: Accumulator, batch: tuple[int, ...], start: Floats | None) -> npt.NDArray[Any] | None:
    """start (+0) + a · b of a whole batch at once, in the dtype of its sums; None where only products one by one are compiled. a, b: FP32 or FP64."""
    if how.kind != "fma" or how.promote or how.format not in ("fp32", "fp64") or not fused.FUSES:
        return None
    if how.format == "fp32" and not all(x.dtype == np.float32 or fits(x) for x in (a, b)):
        return None
    with np.errstate(invalid="ignore"):  # NaN that signal
        return fused.chains(a, b, batch, start, np.float32 if how.format == "fp32" else np.float64)


def compiled(a_MK: Floats, b_KN: Floats, how: Accumulator, start: Floats, scales: Scales = None) -> Floats | None:
    """start + a · b as `plain.keep` gives it, or None where no compiled loop does it."""
    if start.shape[1] < _FEW and start.shape[1] < start.shape[0] and (how.kind != "tensor_core" or how.tensor_core.a == how.tensor_core.b):
        turned = _compiled(b_KN.T, a_MK.T, how, np.ascontiguousarray(start.T), _turned(scales))
        return None if turned is None else np.ascontiguousarray(turned.T)
    return _compiled(a_MK, b_KN, how, start, scales)


def _compiled(a_MK: Floats, b_KN: Floats, how: Accumulator, start: Floats, scales: Scales = None) -> Floats | None:
    if how.kind == "tensor_core":
        return _core(a_MK, b_KN, how.tensor_core, start, scales)
    if how.kind == "fma":
        if how.format == "fp64":
            return batches(a_MK, b_KN, how, (), start)
        if not float_spec("fp32").holds(how.spec_inside) or not fits(a_MK) or not fits(b_KN):
            return None
        if how.format == "fp32" and fused.FUSES:
            return fused.chains(a_MK, b_KN, (), start, np.float32).astype(np.float64)
    if how.kind == "exact":
        wide = how.format != "fp64" and not float_spec("fp32").holds(how.spec_inside)
        return None if wide or not fits(a_MK) or not fits(b_KN) else keep_exact(a_MK, b_KN, how.spec_inside)
    return chains.keep_chain(a_MK, b_KN, how, start) if how.kind in chains.KINDS else None


def _core(a_MK: Floats, b_KN: Floats, core: TensorCore, start: Floats, scales: Scales) -> Floats | None:
    if core.method == "fused":
        return _compiled(a_MK, b_KN, Accumulator(kind="fma", format=core.result), start)
    if core.method == "two_step":
        return keep_two_step(a_MK, b_KN, core, start)
    return keep_truncated(a_MK, b_KN, core, start, scales) if core.method == "truncated" else None


def _turned(scales: Scales) -> Scales:
    return None if scales is None else (np.ascontiguousarray(scales[1].T), np.ascontiguousarray(scales[0].T))

"""Definitions of tensor cores, in NumPy: one fused addition of `chunk` products to the sums so far, in whole numbers of 64 bits.

A number is n · 2^(e - m): n its significand with m fraction bits, |n| < 2^(m+1), e its exponent, at least the format's smallest. Products of significands are
not normalised. See catalogue/tensor_cores.toml for what the methods do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats.accumulators.cores.catalogue import GROUP, TensorCore
from thrifty.formats.accumulators.plain.fused import fused_step, to_odd, two_sum
from thrifty.formats.floats import FloatSpec, float_spec
from thrifty.formats.rounding.modes import Rounding
from thrifty.formats.rounding.plain import round_plain

Floats = npt.NDArray[np.float64]
Wholes = npt.NDArray[np.int64]
Scales = tuple[Floats, Floats] | None
FAR: Final = -(1 << 20)
"""Exponent of zeros where they do not count."""
_ROOM: Final = 1 << 18
"""Products held at a time: rows are taken so many at once that a large result needs little more memory than itself."""
FINER: Final = 3
"""Bits that a "two_step" core's sum is held with beyond those it keeps: a sum that cancels may begin a place below its largest term."""
KEPT: Final = 25
"""A "two_step" core of FP8 leaves out a sum so far whose exponent is further below the largest than this."""


def keep_core(a_MK: Floats, b_KN: Floats, core: TensorCore, start: Floats, scales: Scales = None) -> Floats:
    """start + a @ b as the tensor core keeps it. scales: (M, K / block) and (K / block, N)."""
    a_MK, b_KN, scales = _padded(a_MK, b_KN, core.chunk, core, scales)
    rows = max(1, _ROOM // (core.chunk * max(b_KN.shape[1], 1)))
    if rows >= a_MK.shape[0]:
        return _keep_rows(a_MK, b_KN, core, start, scales)
    out = np.empty(start.shape)
    for first in range(0, a_MK.shape[0], rows):
        part = slice(first, first + rows)
        out[part] = _keep_rows(a_MK[part], b_KN, core, start[part], None if scales is None else (scales[0][part], scales[1]))
    return out


def _keep_rows(a_MK: Floats, b_KN: Floats, core: TensorCore, total: Floats, scales: Scales) -> Floats:
    step, chunk = _STEPS[core.method], core.chunk
    if core.method == "flushed":
        total = _no_tiny(total, core.spec)
    with np.errstate(all="ignore"):
        for first in range(0, a_MK.shape[1], chunk):
            last = first + chunk
            held = None
            if scales is not None:
                low, high = first // core.scale_block, -(-last // core.scale_block)
                held = scales[0][:, low:high], scales[1][low:high]
            total = step(a_MK[:, first:last], b_KN[first:last], total, core, held)
    return total


def _padded(a_MK: Floats, b_KN: Floats, chunk: int, core: TensorCore, scales: Scales) -> tuple[Floats, Floats, Scales]:
    """K brought to a whole number of chunks with zeros, which add nothing; scales that only they have are 1."""
    more = -a_MK.shape[1] % chunk
    if not more:
        return a_MK, b_KN, scales
    a_MK, b_KN = np.pad(a_MK, ((0, 0), (0, more))), np.pad(b_KN, ((0, more), (0, 0)))
    if scales is not None:
        missing = a_MK.shape[1] // core.scale_block - scales[0].shape[1]
        scales = np.pad(scales[0], ((0, 0), (0, missing)), constant_values=1.0), np.pad(scales[1], ((0, missing), (0, 0)), constant_values=1.0)
    return a_MK, b_KN, scales


def parts(x: Floats, spec: FloatSpec, zero: int) -> tuple[Wholes, Wholes]:
    """(n, e) of numbers of a format; zeros, infinite ones and NaN are n = 0 with exponent `zero`."""
    size = np.where(np.isfinite(x), np.abs(x), 0.0)
    exponent = np.maximum(np.frexp(size)[1] - 1, spec.emin).astype(np.int64)
    n = np.ldexp(size, (spec.mantissa_bits - exponent).astype(np.int32)).astype(np.int64)
    return np.where(np.signbit(x), -n, n), np.where(n == 0, zero, exponent)


def toward_zero(n: Any, places: Any) -> Any:
    """n · 2^places, truncated toward zero."""
    return np.where(n < 0, -_shifted(np.abs(n), places), _shifted(np.abs(n), places))


def down(n: Any, places: Any) -> Any:
    """n · 2^places, rounded down."""
    return _shifted(n, places)


def _shifted(n: Any, places: Any) -> Any:
    return np.where(places >= 0, n << np.clip(places, 0, 62), n >> np.clip(-places, 0, 63))


def to_format(n: Wholes, scale: Any, result: str) -> Floats:
    """n · 2^scale as the unit writes it: toward zero to FP32 and E8M13 (beyond the largest: infinite), to nearest to FP16. Zero is +0."""
    spec = float_spec(result)
    value = np.ldexp(n.astype(np.float64), np.clip(scale, -4000, 4000).astype(np.int32))  # exact: |n| < 2^53, and far from FP64's ends or rounded away
    if result == "fp16":
        return round_plain(value, Rounding.of(spec)) + 0.0
    cut = round_plain(value, Rounding.of(spec, rounding="rz"))
    return np.where(np.abs(value) >= 2.0 ** (spec.emax + 1), np.copysign(np.inf, value), cut) + 0.0


def infinities(a: Floats, b: Floats, total: Floats, largest: float = np.inf) -> Floats:
    """Infinite or NaN where the sum is so, else 0; products of at least `largest` are infinite."""
    product = a[:, :, None] * b[None]
    product = np.where(np.abs(product) >= largest, np.copysign(np.inf, product), np.where(np.isnan(product), np.nan, 0.0))
    return np.asarray(product.sum(axis=1) + np.where(np.isfinite(total), 0.0, total))


def _truncated(a: Floats, b: Floats, total: Floats, core: TensorCore, scales: Scales) -> Floats:
    (na, ea), (nb, eb), (nc, ec) = parts(a, core.a, 0), parts(b, core.b, 0), parts(total, core.spec, core.zero_exponent)
    n = na[:, :, None] * nb
    e = ea[:, :, None] + eb
    special = infinities(a, b, total)
    if scales is not None:
        e = e + _scale_exponents(scales)[:, None, :]
        special = special + np.where(np.isnan(scales[0] * scales[1]), np.nan, 0.0)
    e = np.where(n == 0, core.zero_exponent, e)
    top = np.maximum(e.max(axis=1), ec)
    fraction = core.fraction_bits
    held = toward_zero(n, e - top[:, None, :] + (fraction - core.a.mantissa_bits - core.b.mantissa_bits)).sum(axis=1)
    held = held + toward_zero(nc, ec - top + (fraction - core.spec.mantissa_bits))
    return np.where(np.isfinite(special), to_format(held, top - fraction, core.result), special)


def _scale_exponents(scales: tuple[Floats, Floats]) -> Wholes:
    (_, ea), (_, eb) = (np.frexp(np.where(np.isfinite(scale), scale, 1.0)) for scale in scales)
    return np.asarray(ea.astype(np.int64) + eb - 2)


def _grouped(a: Floats, b: Floats, total: Floats, core: TensorCore, scales: Scales) -> Floats:
    assert scales is not None and core.scale is not None
    nc, ec = parts(total, core.spec, core.zero_exponent)
    special, groups = np.where(np.isfinite(total), 0.0, total), []
    for first in range(0, core.chunk, GROUP):
        place = first // core.scale_block
        sa, sb = scales[0][:, place, None], scales[1][place]
        special = special + np.where(np.isnan(sa * sb), np.nan, 0.0)
        (na, ea), (nb, eb) = parts(sa, core.scale, core.zero_exponent), parts(sb, core.scale, 0)
        fine = core.a.mantissa_bits - core.a.emin + core.b.mantissa_bits - core.b.emin  # all products are whole multiples of 2^-fine
        inside = np.ldexp(a[:, first : first + GROUP] @ b[first : first + GROUP], fine).astype(np.int64)  # small whole numbers: exact in any order
        zero = (na == 0) | (nb == 0) | (np.abs(a[:, first : first + GROUP]) @ np.abs(b[first : first + GROUP]) == 0)  # not where products cancel
        groups.append((inside * na * nb, np.where(zero, core.zero_exponent, ea + eb), fine + 2 * core.scale.mantissa_bits))
    top = ec
    for _, e, _ in groups:
        top = np.maximum(top, e)
    held = toward_zero(nc, ec - top + (core.fraction_bits - core.spec.mantissa_bits))
    for n, e, fine in groups:
        held = held + toward_zero(n, e - top + (core.fraction_bits - fine))
    return np.where(np.isfinite(special), to_format(held, top - core.fraction_bits, core.result), special)


def _exact(a: Floats, b: Floats, total: Floats, core: TensorCore, scales: Scales) -> Floats:
    """Products are exact in FP64; their sum is distilled until no part overlaps the next, and its tail decides the odd rounding of its head."""
    terms = [*(a[:, k, None] * b[k] for k in range(a.shape[1])), total]
    special = sum(np.where(np.isfinite(term), 0.0, term) for term in terms)
    terms = [np.where(np.isfinite(term), term, 0.0) for term in terms]
    changed = True
    while changed:
        changed = False
        for i in range(len(terms) - 1):
            high, low = two_sum(terms[i + 1], terms[i])
            changed = changed or bool((low != terms[i]).any() or (high != terms[i + 1]).any())
            terms[i + 1], terms[i] = high, low
    tail = terms[-2]
    for term in reversed(terms[:-2]):
        tail = np.where(tail == 0, term, tail)
    value = to_odd(terms[-1], tail).astype(np.float32).astype(np.float64)
    value = np.where(terms[-1] == 0, 0.0, value)  # an exact zero is +0, also of zeros that are all -0
    return np.where(np.isfinite(special), value, special)


def _flushed(a: Floats, b: Floats, total: Floats, core: TensorCore, scales: Scales) -> Floats:
    def flush(x: Any) -> Any:
        return np.where(np.abs(x) < core.spec.smallest_normal, np.copysign(np.float32(0), x), x)

    x, y = _no_tiny(a, core.a).astype(np.float32), _no_tiny(b, core.b).astype(np.float32)
    terms = [flush(x[:, k, None] * y[k]) for k in range(x.shape[1])]
    while len(terms) > 1:
        terms = [flush(terms[i] + terms[i + 1]) for i in range(0, len(terms), 2)]
    return np.asarray(flush(total.astype(np.float32) + terms[0]), dtype=np.float64)


def _no_tiny(x: Floats, spec: FloatSpec) -> Floats:
    """+0 for zeros and subnormal numbers of a format."""
    return np.asarray(np.where(np.abs(x) < spec.smallest_normal, 0.0, x))


def _two_step(a: Floats, b: Floats, total: Floats, core: TensorCore, scales: Scales) -> Floats:
    (na, ea), (nb, eb), (nc, ec) = parts(a, core.a, 0), parts(b, core.b, 0), parts(total, core.spec, FAR)
    n = na[:, :, None] * nb
    e = np.where(n == 0, FAR, ea[:, :, None] + eb)
    fraction, fine = core.fraction_bits, core.a.mantissa_bits + core.b.mantissa_bits
    sums = []
    for half in range(core.halves):
        top = e[:, half :: core.halves].max(axis=1)
        sums.append((toward_zero(n[:, half :: core.halves], e[:, half :: core.halves] - top[:, None, :] + (fraction - fine)).sum(axis=1), top))
    inner = e.max(axis=1)
    products = sum(down(held, top - inner) for held, top in sums)
    top = np.maximum(inner, ec)
    if core.halves > 1:
        nc = np.where(ec < top - KEPT, 0, nc)
    bits = core.sum_bits + FINER
    held = down(products, inner - top + (bits - fraction)) + (down(nc, ec - top + (fraction - core.spec.mantissa_bits)) << (bits - fraction))
    lost = np.maximum(np.frexp(held.astype(np.float64))[1] - 1 - core.sum_bits, 0)  # bits are counted from the sum's own first one, not from `top`
    held = held >> lost << lost
    special = infinities(a, b, total, largest=2.0 ** (core.spec.emax + 1))
    value = np.ldexp(held.astype(np.float64), np.clip(top - bits, -4000, 4000).astype(np.int32))
    return np.where(np.isfinite(special), value.astype(np.float32).astype(np.float64), special)


def _fused(a: Floats, b: Floats, total: Floats, core: TensorCore, scales: Scales) -> Floats:
    def finish(x: Floats) -> Floats:
        return x if core.result == "fp64" else x.astype(np.float32).astype(np.float64)

    return fused_step(core.spec, core.result == "fp32", finish)(a, b, total)


_STEPS: Final[dict[str, Callable[[Floats, Floats, Floats, TensorCore, Scales], Floats]]] = {
    "truncated": _truncated, "grouped": _grouped, "exact": _exact, "flushed": _flushed, "two_step": _two_step, "fused": _fused,
}  # fmt: skip

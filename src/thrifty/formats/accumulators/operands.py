"""What a product takes: shapes that meet, numbers that a tensor core's operands hold, scales of blocks, a sum to go on from. All else is refused here."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats.accumulators.specs import Accumulator
from thrifty.formats.accumulators.stages import ONWARD, Scales, wide
from thrifty.formats.floats import FloatSpec
from thrifty.formats.rounding.arrays import take
from thrifty.formats.rounding.modes import Rounding
from thrifty.formats.rounding.plain import round_plain
from thrifty.loops import has_numba

Floats = npt.NDArray[np.float64]


def core_operands(a: npt.NDArray[Any], b: npt.NDArray[Any], how: Accumulator) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Operands as the tensor core inside `how` reads them, or as they are where there is none. Raises BadValue for numbers that its formats do not hold."""
    inside = how.inner if how.inner is not None else how
    if inside.kind != "tensor_core":
        return a, b
    core, a, b = inside.tensor_core, wide(a), wide(b)
    return _operand(a, core.a, "a", core.name), _operand(b, core.b, "b", core.name)


def _operand(x: Floats, spec: FloatSpec, name: str, core: str) -> Floats:
    if spec.name == "fp64":
        return x
    if spec.name in ("fp32", "tf32"):
        with np.errstate(over="ignore"):
            narrow = x.astype(np.float32)
        must_be_same(x, narrow.astype(np.float64), "fp32", name, core)
        if spec.name == "fp32":
            return x
        cut = (narrow.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32).astype(np.float64)  # the core reads the high bits
        return np.asarray(np.where(np.isnan(x), x, cut))
    must_be_same(x, rounded(x, spec), spec.name, name, core)
    if spec.no_number == "none":
        must_be_same(x, np.where(np.isnan(x), 0.0, x), spec.name, name, core)
    return x


def rounded(x: Floats, spec: FloatSpec) -> Floats:
    """x as numbers of the format: itself where it holds them."""
    to = Rounding.of(spec, overflow="inf" if spec.infinities else "saturate")
    if not has_numba():
        return round_plain(np.ascontiguousarray(x), to)
    from thrifty.formats.rounding.kernels import parameters, round_row

    held = np.array(x, dtype=np.float64, order="C")
    round_row(held.reshape(-1), held.size, parameters(to), 0)
    return held


def must_be_same(x: Floats, held: Floats, format: str, name: str, core: str) -> None:
    """Raise BadValue where `held` is not x."""
    lost = x != held
    if lost.any() and (lost := lost & ~(np.isnan(x) & np.isnan(held))).any():
        value = float(x.flat[int(np.argmax(lost))])
        fix = "" if np.isnan(value) else f" Round it first: thrifty.formats.round({name}, '{format}')."
        does = "keeps its sum in" if name == "start" else "scales by" if name.startswith("scale") else "multiplies"
        raise BadValue(f"{name} holds {value!r}, which is no number of {format}, and {core} {does} {format}.{fix}")


def block_scales(scale_a: Any, scale_b: Any, x: npt.NDArray[Any], y: npt.NDArray[Any], batch: tuple[int, ...], how: Accumulator) -> Scales:
    """Scales as FP64, (…, M, K / block) and (…, K / block, N). Raises BadValue."""
    scale = how.tensor_core.scale if how.kind == "tensor_core" else None
    if scale is None:
        if scale_a is not None or scale_b is not None:
            raise BadValue(f"scale_a and scale_b are for tensor cores that scale blocks; '{how.name}' does not. Leave them out, or take blackwell-nvfp4.")
        inside = how.inner
        if inside is not None and inside.kind == "tensor_core" and inside.tensor_core.scale is not None:
            raise BadValue(f"accumulator '{how.name}' splits K, and {inside.core} scales blocks. Take the tensor core alone.")
        return None
    core = how.tensor_core
    if scale_a is None or scale_b is None:
        raise BadValue(f"{core.name} scales blocks of {core.scale_block} numbers along K, and scale_{'a' if scale_a is None else 'b'} is missing. Give both.")
    if how.promote % core.scale_block:
        raise BadValue(f"promote={how.promote} cuts blocks of {core.scale_block} that share a scale. Take a multiple.")
    blocks = -(-x.shape[-1] // core.scale_block)
    made = []
    for name, given, shape in (("a", scale_a, (x.shape[-2], blocks)), ("b", scale_b, (blocks, y.shape[-1]))):
        values = np.asarray(take(given, f"scale_{name}").values, dtype=np.float64)
        try:
            fits = np.broadcast_shapes(values.shape[:-2], batch) == batch and values.shape[-2:] == shape
        except ValueError:
            fits = False
        if not fits:
            raise BadValue(f"scale_{name} is {values.shape}; it must be (…, {shape[0]}, {shape[1]}): one scale for {core.scale_block} numbers along K.")
        _scale_operand(values, core.scale, f"scale_{name}", core.name)
        made.append(values)
    return made[0], made[1]


def _scale_operand(values: Floats, spec: FloatSpec | None, name: str, core: str) -> None:
    assert spec is not None
    must_be_same(values, rounded(values, spec), spec.name, name, core)


def starting(start: Any, how: Accumulator, shape: tuple[int, ...]) -> Floats | None:
    """The sum to go on from, FP64. Raises BadValue."""
    if start is None:
        return None
    if how.kind not in ONWARD and not how.promote:
        raise BadValue(f"'{how.name}' cannot go on from a sum. Leave start out, or take one of: {', '.join(ONWARD)}.")
    values = np.asarray(take(start, "start").values, dtype=np.float64)
    try:
        fits = np.broadcast_shapes(values.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise BadValue(f"start is {values.shape}; it must be {shape}, as the result.")
    spec = how.spec
    must_be_same(values, rounded(values, spec), spec.name, "start", how.name)
    return np.broadcast_to(values, shape)

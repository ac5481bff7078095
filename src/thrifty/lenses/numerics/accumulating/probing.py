"""Questions that tell accumulators apart, put as matrix products: what a user of the hardware could ask it, too."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from thrifty.formats.accumulators import Accumulator, TensorCore, accumulate, matmul, parse_accumulator, tensor_cores
from thrifty.formats.floats import FloatSpec

LARGE_LOG2 = {"fp16": 11}
"""Exponent of the sum beside which ones may stop to count: the first at which neighbours in the sum's format are 2 apart; FP32's 24 elsewhere."""
SMALL_LOG2 = -2


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What one tensor core answered.

    ones        : sum that one instruction's worth of ones adds to 2^large_log2; terms: how many they are
    survivor    : what is left of 2^big_log2 + 1/4 - 2^big_log2, in one fused addition where it takes as many; None where operands cannot say it
    kept_bits   : largest d for which 2^-d survives between 1 and -1, sought among what operands can say; None where it cannot be told
    """

    accumulator: str
    title: str
    terms: int
    large_log2: int
    ones: float
    big_log2: int | None
    survivor: float | None
    kept_bits: int | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def probes() -> tuple[Probe, ...]:
    """Every tensor core of the catalogue with one operand format for both factors."""
    return tuple(probe(core.name) for core in tensor_cores() if core.a == core.b)


def probe(accumulator: str | Accumulator) -> Probe:
    """One tensor core's answers. Raises UnknownName; BadValue for what is no tensor core."""
    from thrifty.errors import BadValue

    how = parse_accumulator(accumulator)
    if how.kind != "tensor_core":
        raise BadValue(f"probes are for tensor cores, and '{how.name}' is none. List them with: thrifty numerics accumulate --list")
    core = how.tensor_core
    terms = 32 if core.a.code_bits <= 8 else 16
    large = LARGE_LOG2.get(core.result, 53 if core.result == "fp64" else 24)
    ones = _ask(how, core, [1.0] * terms, [1.0] * terms, 2.0**large) - 2.0**large
    top = min(_top_log2(core.a), _top_log2(core.b), 15)
    big = 2 * top if _says(core.a, SMALL_LOG2 // 2) and 2.0 ** (2 * top) <= core.spec.largest else None
    survivor = None if big is None else _ask(how, core, [2.0**top, 2.0 ** (SMALL_LOG2 // 2), -(2.0**top)], [2.0**top, 2.0 ** (SMALL_LOG2 // 2), 2.0**top])
    return Probe(
        accumulator=how.name, title=core.title, terms=terms, large_log2=large, ones=ones, big_log2=big, survivor=survivor, kept_bits=_kept_bits(how, core),
    )  # fmt: skip


def stagnation(accumulator: str | Accumulator, terms: int) -> float:
    """What a sum of `terms` ones comes to."""
    return float(accumulate(np.ones(terms), accumulator))


def _kept_bits(how: Accumulator, core: TensorCore) -> int | None:
    """The first d at which the small term is lost, less one; None where the smallest product that operands can say still survives."""
    top = min(_top_log2(core.a), 15) if core.chunk > 1 else 0
    if core.spec.largest < 2.0 ** (2 * top + 1):
        top = 7
    for d in range(1, 2 * top + 60):
        first, second = top - d // 2, top - (d - d // 2)
        if not (_says(core.a, first) and _says(core.b, second)):
            return None
        if _ask(how, core, [2.0**top, 2.0**first, -(2.0**top)], [2.0**top, 2.0**second, 2.0**top]) == 0:
            return d - 1
    return None


def _top_log2(spec: FloatSpec) -> int:
    return spec.emax


def _says(spec: FloatSpec, log2: int) -> bool:
    return spec.emin - spec.mantissa_bits <= log2 <= spec.emax


def _ask(how: Accumulator, core: TensorCore, a: list[float], b: list[float], start: float = 0.0) -> float:
    blocks = {}
    if core.scale is not None:
        count = -(-len(a) // core.scale_block)
        blocks = {"scale_a": np.ones((1, count)), "scale_b": np.ones((count, 1))}
    return float(matmul(np.array([a]), np.array(b)[:, None], how, start=np.full((1, 1), start), **blocks)[0, 0])

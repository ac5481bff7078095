"""Errors of accumulators against exact sums of the same operands, over the length of the sum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue, unknown_name
from thrifty.formats import float_spec, round_to
from thrifty.formats.accumulators import Accumulator, matmul, parse_accumulator
from thrifty.lenses.numerics.inputs import draw
from thrifty.progress import Progress

Floats = npt.NDArray[np.float64]
INPUTS: Final = {"uniform": "U(0, 1)", "normal": "N(0, 1)", "outliers": "N(0, 1) + N(0, 100) · Bernoulli(0.001)", "ones": "1"}
MOST: Final = 1 << 22
"""Terms of the longest sum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SumError:
    """Errors of one accumulator at one length; each error is divided by the exact sum of the products' sizes, which for positive products is the sum itself.

    bias : mean of the signed errors; mean_to_rms: that over their root mean square, 1 in size where all errors are alike; worst: largest size
    """

    accumulator: str
    k: int
    bias: float
    rmse: float
    worst: float
    mean_to_rms: float
    lost: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SumStudy:
    """rows: by accumulator, then by length; operands: accumulator → the formats its factors were rounded to; sums: in every row."""

    inputs: str
    seed: int
    sums: int
    rows: tuple[SumError, ...]
    operands: dict[str, str]

    def last(self) -> tuple[SumError, ...]:
        """Every accumulator at the longest sum."""
        longest = max(row.k for row in self.rows)
        return tuple(row for row in self.rows if row.k == longest)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = [{key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in asdict(row).items()} for row in self.rows]
        return {"inputs": self.inputs, "seed": self.seed, "sums": self.sums, "operands": self.operands, "rows": rows}


def _silent(what: str, share: float) -> None:
    del what, share


def sum_errors(
    accumulators: Sequence[str | Accumulator], *, k: int = 4096, inputs: str = "uniform", format: str = "bf16", side: int = 32, seed: int = 0,
    progress: Progress = _silent,
) -> SumStudy:  # fmt: skip
    """Errors of `side` × `side` sums of up to `k` products kept by each accumulator, at lengths of powers of two from 16 and at k.

    inputs : of both factors, one of INPUTS; format: what factors are rounded to, but for tensor cores, which have formats of their own (block scales are 1)
    Raises UnknownName, BadValue.
    """
    if not accumulators:
        raise BadValue("no accumulator is named. Give fma:fp32 or hopper-e4m3, say; list them with: thrifty numerics accumulate --list")
    if inputs not in INPUTS:
        raise unknown_name("inputs", inputs, INPUTS, "thrifty numerics accumulate --help")
    for name, value, most in (("k", k, MOST), ("side", side, 1 << 10), ("seed", seed, 1 << 62)):
        if isinstance(value, bool) or not isinstance(value, int) or not (0 if name == "seed" else 1) <= value <= most:
            raise BadValue(f"{name}={value!r} must be a whole number from {0 if name == 'seed' else 1} to {most}.")
    hows = list(dict.fromkeys(parse_accumulator(each) for each in accumulators))
    lengths = sorted({k, *(1 << power for power in range(4, MOST.bit_length()) if 1 << power < k)})
    a_MK, b_KN = _factors(inputs, side, k, seed)
    rows, operands, done, work = [], {}, 0, len(hows) * sum(lengths)
    for how in hows:
        x, y, operands[how.name] = _operands(a_MK, b_KN, how, format)
        for length in lengths:
            progress(f"sums: {how.name}, {length} terms", done / work)
            rows.append(_error(x[:, :length], y[:length], how))
            done += length
    return SumStudy(inputs=inputs, seed=seed, sums=side * side, rows=tuple(rows), operands=operands)


def _factors(inputs: str, side: int, k: int, seed: int) -> tuple[Floats, Floats]:
    if inputs == "ones":
        return np.ones((side, k)), np.ones((k, side))
    drawn = draw(inputs, seq=side, head_dim=k, seed=seed)
    return drawn.q[0], np.ascontiguousarray(drawn.k[0].T)


def _operands(a_MK: Floats, b_KN: Floats, how: Accumulator, format: str) -> tuple[Floats, Floats, str]:
    """Factors rounded to what the accumulator multiplies; what is beyond its largest becomes that."""
    inside = how.inner or how
    specs = (inside.tensor_core.a, inside.tensor_core.b) if inside.kind == "tensor_core" else (float_spec(format),) * 2
    x, y = (round_to(factor, spec, overflow="saturate") for factor, spec in zip((a_MK, b_KN), specs, strict=True))
    return np.asarray(x), np.asarray(y), specs[0].name if specs[0] == specs[1] else f"{specs[0].name}, {specs[1].name}"


def _error(x: Floats, y: Floats, how: Accumulator) -> SumError:
    scales = {}
    if how.kind == "tensor_core" and how.tensor_core.scale is not None:
        blocks = -(-x.shape[1] // how.tensor_core.scale_block)
        scales = {"scale_a": np.ones((x.shape[0], blocks)), "scale_b": np.ones((blocks, y.shape[1]))}
    kept, exact, size = matmul(x, y, how, **scales), matmul(x, y, "exact:fp64"), matmul(abs(x), abs(y), "exact:fp64")
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.where(size > 0, (kept - exact) / size, 0.0)
    held = error[np.isfinite(error)]
    rmse = float(np.sqrt(np.mean(held**2))) if held.size else math.nan
    bias = float(held.mean()) if held.size else math.nan
    return SumError(
        accumulator=how.name, k=x.shape[1], bias=bias, rmse=rmse, worst=float(np.abs(held).max()) if held.size else math.nan,
        mean_to_rms=bias / rmse if rmse else 0.0, lost=int(error.size - held.size),
    )  # fmt: skip

"""One number after the other: what it becomes, its code, and its neighbours."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from thrifty.formats import FloatSpec, round_to
from thrifty.lenses.numerics.roundings.targets import Floats, Rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A number and what it became.

    code, fields  : of the rounded number, hexadecimal, and its bits as sign, exponent, fraction (whole numbers: all bits)
    error         : rounded - value; error_ulp: in spacings of the format at the value
    below, above  : the numbers of the format next to the value, which is one of them itself where it is exact; None beyond the ends
    scale         : 1, or what its block or group is scaled by
    kind          : exact, rounded, overflow (beyond all that rounds to the largest), underflow (to zero), nan
    """

    value: float
    rounded: float
    code: str
    fields: str
    error: float
    error_ulp: float
    below: float | None
    above: float | None
    scale: float
    kind: str

    def to_dict(self) -> dict[str, Any]:
        """Numbers that JSON lacks are null, and their names stand beside in `value_text` and `rounded_text`."""
        raw = asdict(self)
        for name in ("value", "rounded", "error", "error_ulp", "below", "above", "scale"):
            number = raw[name]
            raw[name] = number if number is not None and math.isfinite(number) else None
        return {"value_text": f"{self.value:.17g}", "rounded_text": f"{self.rounded:.17g}", **raw}


def value_rows(x: Floats, found: Rounded) -> list[Row]:
    """A row a number."""
    below, above = neighbours(x, found)
    ulp = spacing(x, found)
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.where(found.values == x, 0.0, found.values - x)
    kinds = kinds_of(x, found)
    return [
        Row(
            value=float(x[i]), rounded=float(found.values[i]), code=f"0x{int(found.codes[i]):0{-(-found.code_bits // 4)}x}",
            fields=_fields(int(found.codes[i]), found),
            error=float(error[i]), error_ulp=float(error[i] / ulp[i]) if math.isfinite(ulp[i]) and ulp[i] > 0 else math.nan,
            below=_or_none(below[i]), above=_or_none(above[i]), scale=float(found.unit[i]), kind=str(kinds[i]),
        )
        for i in range(x.size)
    ]  # fmt: skip


def spacing(x: Floats, found: Rounded) -> Floats:
    """Distance of the format's numbers at each value; that of the largest beyond it."""
    if found.grid is None:
        return found.unit
    with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
        size = np.minimum(np.abs(x) / found.unit, found.grid.largest)
    exponent = np.where((size > 0) & np.isfinite(size), np.frexp(np.where(np.isfinite(size), size, 1.0))[1] - 1, found.grid.emin)
    exponent = np.clip(exponent, found.grid.emin, found.grid.emax)
    return np.asarray(np.ldexp(found.unit, (exponent - found.grid.mantissa_bits).astype(np.int32)))


def neighbours(x: Floats, found: Rounded) -> tuple[Floats, Floats]:
    """The format's numbers next below and above, NaN beyond its ends."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore", under="ignore"):
        inside = np.where(np.isfinite(x) & np.isfinite(found.unit), x / found.unit, 0.0)
        if found.grid is None:
            low, high = np.floor(inside), np.ceil(inside)
        else:
            low, high = (_directed(inside, found.grid, mode) for mode in ("rd", "ru"))
        low = np.where(inside > found.most, found.most, np.where(inside < found.least, np.nan, low))
        high = np.where(inside < found.least, found.least, np.where(inside > found.most, np.nan, high))
        known = np.isfinite(x) & np.isfinite(found.unit)
        return np.where(known, low * found.unit, np.nan), np.where(known, high * found.unit, np.nan)


def _directed(x: Floats, spec: FloatSpec, mode: str) -> Floats:
    return np.asarray(round_to(np.abs(x) if not spec.signed else x, spec, rounding=mode, overflow="saturate"), dtype=np.float64)


def kinds_of(x: Floats, found: Rounded) -> Any:
    """exact, rounded, overflow, underflow or nan, of every number."""
    with np.errstate(invalid="ignore", over="ignore"):
        lost = np.isnan(found.values)
        same = found.values == x
        over = ~same & _beyond(x, found) & ~np.isnan(x)
        under = ~same & (x != 0) & (found.values == 0)
    kinds = np.where(same, "exact", "rounded").astype("<U9")
    kinds[under] = "underflow"
    kinds[over] = "overflow"
    kinds[lost & ~over] = "nan"
    return kinds


def _beyond(x: Floats, found: Rounded) -> Any:
    """Where rounding to nearest would leave the format: past its end by more than half a spacing, or on that tie where the end is odd."""
    scaled = x / found.unit
    past = np.maximum(scaled - found.most, found.least - scaled)
    if found.grid is None:
        return past >= 0.5
    half = 2.0 ** (found.grid.emax - found.grid.mantissa_bits - 1)
    return (past >= half if found.grid.largest_code & 1 else past > half) & ((x > 0) | found.grid.signed)


def _fields(code: int, found: Rounded) -> str:
    spec = found.grid
    if spec is None:
        return f"{code:0{found.code_bits}b}"
    bits = f"{code:0{found.code_bits}b}"
    ends = [spec.signed, spec.signed + spec.exponent_bits, spec.signed + spec.exponent_bits + spec.mantissa_bits, found.code_bits]
    pieces, start = [], 0
    for end in ends:
        pieces.append(bits[start : int(end)])
        start = int(end)
    return " ".join(piece for piece in pieces if piece)


def _or_none(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None

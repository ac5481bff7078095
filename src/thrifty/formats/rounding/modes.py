"""Which neighbour a number goes to, and what becomes of one too large: both must be said."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from thrifty.errors import BadValue
from thrifty.formats.floats import FloatSpec, float_spec

ROUNDINGS: Final = ("rne", "rz", "ru", "rd", "odd", "stochastic", "random")
"""To nearest with ties to the even code; toward zero; up; down; to the odd code where inexact (its double rounding is safe); up with the probability of
the distance to the lower neighbour; up or down with even odds, whatever the distance (CADNA's random rounding). The last two draw from a counter."""
OVERFLOWS: Final = ("saturate", "inf", "nan")
"""What a number becomes whose rounding is beyond the largest: the largest (an infinite one, too); infinite as IEEE 754 says (so the largest where the mode
rounds toward zero); no number where "inf" would say infinite (an infinite one stays so in a format with infinities)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """A format with all that its rounding needs.

    flush : results below the smallest normal number become zero (FTZ)
    seed  : of the counter from which random modes draw; element i of an array draws from (seed, i)
    """

    spec: FloatSpec
    mode: str = "rne"
    overflow: str = "inf"
    flush: bool = False
    seed: int = 0

    @classmethod
    def of(cls, format: str | FloatSpec, *, rounding: str = "rne", overflow: str | None = None, flush: bool = False, seed: int = 0) -> Rounding:
        """Checked. `overflow` may be left out where the format has infinities: "inf" then, as IEEE 754 says. Raises UnknownName, BadValue."""
        spec = float_spec(format)
        if rounding not in ROUNDINGS:
            raise BadValue(f"rounding='{rounding}' is no rounding mode. Choose: {', '.join(ROUNDINGS)}.")
        if overflow is None:
            if not spec.infinities:
                raise BadValue(f"{spec.name} has no infinities, so what becomes of numbers above {spec.largest:g} must be said: overflow='saturate' or 'nan'.")
            overflow = "inf"
        if overflow not in OVERFLOWS:
            raise BadValue(f"overflow='{overflow}' is unknown. Choose: {', '.join(OVERFLOWS)}.")
        if overflow == "inf" and not spec.infinities:
            raise BadValue(f"overflow='inf' needs infinities, and {spec.name} has none. Say 'saturate' or 'nan'.")
        if overflow == "nan" and spec.no_number == "none":
            raise BadValue(f"overflow='nan' needs a code that is no number, and {spec.name} has none. Say 'saturate'.")
        return cls(spec=spec, mode=rounding, overflow=overflow, flush=flush, seed=checked_seed(seed))


def checked_seed(seed: int) -> int:
    """A seed of random modes. Raises BadValue."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 1 << 64:
        raise BadValue(f"seed={seed!r} must be a whole number from 0 to 2^64 - 1.")
    return int(seed)


def overflows(to: Rounding) -> tuple[float, float, float, float]:
    """Sizes that stand for numbers too large: positive ones, negative ones, those of a mode that draws where its draw says up; and for infinite ones."""
    largest, lost = to.spec.largest, math.inf if to.overflow == "inf" else math.nan
    if to.overflow == "saturate":
        return largest, largest, largest, largest
    infinite = math.inf if to.spec.infinities else math.nan
    # The largest number is the odd neighbour where its fraction is all ones.
    inward = to.mode == "rz" or (to.mode == "odd" and bool(to.spec.largest_code & 1))
    return largest if inward or to.mode == "rd" else lost, largest if inward or to.mode == "ru" else lost, lost, infinite


def overflow_codes(to: Rounding) -> tuple[int, int, int, int]:
    """The same as codes, without sign and padding."""
    spec = to.spec
    over, under, lost, infinite = (
        spec.largest_code if size == spec.largest else spec.largest_code + 1 if math.isinf(size) else spec.nan_code or 0 for size in overflows(to)
    )
    return over, under, lost, infinite

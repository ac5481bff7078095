"""One array against a reference, element by element and as a whole."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats import FloatSpec
from thrifty.lenses.numerics.deviations.ulps import floor_of, nearest, ulp_distance
from thrifty.lenses.numerics.deviations.wasserstein import w1
from thrifty.report.numbers import finite

Floats = npt.NDArray[np.float64]
NEAR: Final = 1.125
"""Up to this many times the floor, a deviation is at the floor: an eighth for what was rounded before the last rounding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Census:
    """Elements that are no finite number. only_a, only_b: in one only; both: in both, and the same there; apart: in both, and not the same."""

    nan_a: int
    nan_b: int
    inf_a: int
    inf_b: int
    only_a: int
    only_b: int
    both: int
    apart: int

    @classmethod
    def of(cls, a: Floats, b: Floats) -> Census:
        odd_a, odd_b = ~np.isfinite(a), ~np.isfinite(b)
        agree = odd_a & odd_b & ((np.isnan(a) & np.isnan(b)) | (a == b))
        counts = (np.isnan(a), np.isnan(b), np.isinf(a), np.isinf(b), odd_a & ~odd_b, odd_b & ~odd_a, agree, odd_a & odd_b & ~agree)
        return cls(**dict(zip(cls.__slots__, (int(each.sum()) for each in counts), strict=True)))

    @property
    def differ(self) -> int:
        """Elements whose deviation is no number."""
        return self.only_a + self.only_b + self.apart

    def to_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """How far `a` lies from its reference, over the elements that are finite in both; NaN where there is none.

    max, mean, signed_mean, std : of |difference| (the first two) and of the difference a - reference
    bias_ratio : signed mean over RMSE, from -1 to 1: near 0 errors cancel, near ±1 they all point one way; 0 where there is no error
    frobenius  : norm of the difference over the reference's
    ulp_max, ulp_mean : numbers of the format between a and the reference, each rounded to it once
    changed    : share of elements that differ once both are rounded to the format
    sqnr_db    : reference's power over the error's; infinite where there is no error
    w1         : distance of the two as samples
    floor      : largest error of one correct rounding to the format, at the element where `max` is; floor_rmse: RMSE of rounding the reference once
    at_floor   : max ≤ 1.125 · floor, and no element is NaN or infinite in one only
    place      : of the element where `max` is
    """

    count: int
    compared: int
    max: float
    mean: float
    signed_mean: float
    std: float
    bias_ratio: float
    rmse: float
    frobenius: float
    ulp_max: int | None
    ulp_mean: float
    changed: float
    cosine: float
    sqnr_db: float
    w1: float
    floor: float
    floor_rmse: float
    at_floor: bool
    place: tuple[int, ...] | None
    census: Census

    @property
    def floor_ratio(self) -> float:
        """How many times its floor the largest deviation is."""
        return self.max / self.floor

    def to_dict(self) -> dict[str, Any]:
        """Plain values; None for what is no finite number."""
        held = {name: getattr(self, name) for name in self.__slots__ if name not in ("census", "place", "floor", "floor_rmse")}
        return {
            **{name: finite(value) if isinstance(value, float) else value for name, value in held.items()},
            "index": None if self.place is None else list(self.place),
            "floor": {"max": finite(self.floor), "rmse": finite(self.floor_rmse), "times": finite(self.floor_ratio)}, "census": self.census.to_dict(),
        }  # fmt: skip


def pair(a: Floats, reference: Floats, spec: FloatSpec) -> Pair:
    """Measure `a` against `reference`, arrays of one shape with at least one element. `spec`: the format of results."""
    census = Census.of(a, reference)
    with np.errstate(over="ignore", invalid="ignore"):
        differences = a - reference
    keep = np.isfinite(differences)
    if not keep.any():
        none = math.nan
        return Pair(
            count=a.size, compared=0, max=none, mean=none, signed_mean=none, std=none, bias_ratio=none, rmse=none, frobenius=none, ulp_max=None, ulp_mean=none,
            changed=none, cosine=none, sqnr_db=none, w1=none, floor=none, floor_rmse=none, at_floor=False, place=None, census=census,
        )  # fmt: skip
    whole = bool(keep.all())
    left, right, apart = (x.ravel() if whole else x[keep] for x in (a, reference, differences))
    size = np.abs(apart)
    at = int(np.argmax(size))
    largest, floor = float(size[at]), float(floor_of(right[at : at + 1], spec)[0])
    rounded = nearest(right, spec)
    steps = ulp_distance(nearest(left, spec), rounded, spec)
    rmse, signed = rms(apart), _mean(apart)
    power = rms(right)
    with np.errstate(invalid="ignore"):
        once = rounded - right
    return Pair(
        count=a.size, compared=apart.size, max=largest, mean=_mean(size), signed_mean=signed, std=_std(apart, signed), rmse=rmse,
        bias_ratio=signed / rmse if rmse else 0.0, frobenius=0.0 if rmse == 0 else rmse / power if power else math.inf,
        ulp_max=int(steps.max()), ulp_mean=float(steps.mean(dtype=np.float64)), changed=float(np.count_nonzero(steps) / steps.size),
        cosine=_cosine(left, right), sqnr_db=_decibels(power, rmse), w1=w1(left, right), floor=floor, floor_rmse=rms(once[np.isfinite(once)]),
        at_floor=largest <= NEAR * floor and census.differ == 0, census=census,
        place=tuple(int(each) for each in np.unravel_index(at if whole else int(np.flatnonzero(keep)[at]), a.shape)),
    )  # fmt: skip


def rms(x: Floats) -> float:
    """Root of the mean square; scaled by a power of two, so that no square overflows or vanishes."""
    top = float(np.abs(x).max(initial=0.0))
    if top == 0:
        return 0.0
    unit = 2.0 ** max(math.frexp(top)[1] - 1, -1021)
    return float(np.sqrt(np.mean(np.square(x / unit)))) * unit


def _mean(x: Floats) -> float:
    with np.errstate(over="ignore"):
        mean = float(x.mean())
    return mean if math.isfinite(mean) else float((x / x.size).sum())


def _std(x: Floats, mean: float) -> float:
    return rms(x - mean)


def _cosine(a: Floats, b: Floats) -> float:
    """NaN where one is zero everywhere and the other is not."""
    tops = [float(np.abs(x).max()) for x in (a, b)]
    if 0.0 in tops:
        return 1.0 if tops == [0.0, 0.0] else math.nan
    left, right = (x / 2.0 ** max(math.frexp(top)[1] - 1, -1021) for x, top in zip((a, b), tops, strict=True))
    return min(1.0, max(-1.0, float(np.dot(left, right) / math.sqrt(float(np.dot(left, left)) * float(np.dot(right, right))))))


def _decibels(power: float, noise: float) -> float:
    if noise == 0:
        return math.inf
    return 20 * math.log10(power / noise) if power / noise > 0 else -math.inf

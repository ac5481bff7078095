"""How a number may vary: a distribution by name, its parameters in the unit of the number."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.factors.moments import raw_moment, variance
from thrifty.cost.carbon.factors.normal import normal_quantile, normal_share
from thrifty.errors import BadValue, missing_extra

Kind = Literal["exact", "uniform", "triangular", "normal", "lognormal", "beta", "empirical"]
KINDS: Final = get_args(Kind)
PARAMETERS: Final = {
    "exact": ("value",), "uniform": ("low", "high"), "triangular": ("low", "mode", "high"), "normal": ("mean", "sd"),
    "lognormal": ("mean", "sigma"), "beta": ("a", "b", "low", "high"), "empirical": ("values",),
}  # fmt: skip
"""By kind. lognormal: `mean` is the arithmetic mean and `sigma` the standard deviation of the logarithm, so the mean stays where it is whatever the spread.
empirical: each value is as likely as any other."""
_MANY: Final = 4096
"""Beta quantiles above this number are read from a table."""


@functools.lru_cache(maxsize=128)
def _beta_table(a: float, b: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Nodes in z = Φ⁻¹(u), the beta's logit there, its slope. In z the logit is smooth and almost straight, so cubics between nodes err below 1e-9."""
    special = _special()
    z = np.linspace(-7.5, 7.5, 3001)
    x, y = special.betaincinv(a, b, normal_share(z)), special.betaincinv(b, a, normal_share(-z))  # y = 1 - x, exact near 1
    log_density = (a - 1) * np.log(x) + (b - 1) * np.log(y) - special.betaln(a, b)
    slope = np.exp(-(z**2) / 2 - math.log(2 * math.pi) / 2 - log_density) / (x * y)
    return z, np.log(x / y), slope


def _beta_quantile(a: float, b: float, u: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    if u.size <= _MANY:
        return np.asarray(_special().betaincinv(a, b, u), dtype=np.float64)
    nodes, logit, slope = _beta_table(a, b)
    step = nodes[1] - nodes[0]
    place = (normal_quantile(u) - nodes[0]) / step
    if not (place.min() >= 0 and place.max() < len(nodes) - 1 and np.isfinite(logit).all() and np.isfinite(slope).all()):
        return np.asarray(_special().betaincinv(a, b, u), dtype=np.float64)
    left = place.astype(np.int64)
    t = place - left
    right = left + 1
    s = 1 - t
    value = s * s * ((1 + 2 * t) * logit[left] + t * step * slope[left]) + t * t * ((1 + 2 * s) * logit[right] - s * step * slope[right])
    return np.asarray(1 / (1 + np.exp(-value)), dtype=np.float64)


def _special() -> Any:
    try:
        import scipy.special
    except ImportError as error:
        raise missing_extra("a beta distribution", "scipy", "optimize") from error
    return scipy.special


@dataclass(frozen=True, slots=True)
class Distribution:
    """`kind` and its `parameters` in the order of `PARAMETERS`. Raises BadValue for a kind or parameters that are none."""

    kind: Kind
    parameters: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise BadValue(f"distribution '{self.kind}' is unknown. Choose from: {', '.join(KINDS)}.")
        names, p = PARAMETERS[self.kind], self.parameters
        if (len(p) != len(names) and self.kind != "empirical") or not p or not all(math.isfinite(x) for x in p):
            raise BadValue(f"distribution {self.kind}{p} is not complete. Give finite numbers: {', '.join(names)}.")
        ordered = {"uniform": p, "triangular": p, "beta": p[2:]}.get(self.kind, ())
        if list(ordered) != sorted(ordered) or (len(ordered) > 1 and ordered[0] == ordered[-1]):
            raise BadValue(f"distribution {self.kind}{p} is not ordered. Give {', '.join(names)} from low to high.")
        if (self.kind in ("normal", "lognormal") and p[1] < 0) or (self.kind == "lognormal" and p[0] <= 0) or (self.kind == "beta" and min(p[:2]) <= 0):
            raise BadValue(f"distribution {self.kind}{p} cannot be. Spread must be at least 0, the mean of a lognormal and both exponents of a beta above 0.")

    @classmethod
    def exact(cls, value: float) -> Distribution:
        return cls("exact", (float(value),))

    @property
    def mean(self) -> float:
        """The arithmetic mean, in closed form."""
        p = self.parameters
        match self.kind:
            case "exact" | "normal" | "lognormal":
                return p[0]
            case "beta":
                return p[2] + (p[3] - p[2]) * p[0] / (p[0] + p[1])
            case _:
                return math.fsum(p) / len(p)

    @property
    def variance(self) -> float:
        """The mean squared deviation from the mean, in closed form."""
        return variance(self.kind, self.parameters)

    def moment(self, power: int) -> float:
        """E[X^power], exact; power −1 is the mean of 1/X. Raises BadValue where it is not finite."""
        return self.mean if power == 1 else raw_moment(self.kind, self.parameters, power)

    @property
    def lowest(self) -> float:
        """The least value that it can take: −infinity for a normal, 0 for a lognormal."""
        p = self.parameters
        match self.kind:
            case "normal" | "lognormal" if p[1] > 0:
                return -math.inf if self.kind == "normal" else 0.0
            case "beta":
                return p[2]
            case "empirical":
                return min(p)
            case _:
                return p[0]

    @property
    def exactly(self) -> bool:
        """Whether it is one number only."""
        return len(set(self.parameters)) == 1 if self.kind in ("exact", "empirical") else self.kind in ("normal", "lognormal") and self.parameters[1] == 0

    def at_normal(self, z: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The value whose share below it is that of a standard normal below `z`: how a copula asks."""
        p = self.parameters
        if self.kind == "normal":
            return p[0] + p[1] * z
        if self.kind == "lognormal":
            return np.asarray(p[0] * np.exp(p[1] * z - p[1] ** 2 / 2), dtype=np.float64)
        return self.quantile(np.clip(normal_share(z), np.finfo(np.float64).tiny, 1 - 2**-53))

    def quantile(self, probability: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The number below which the share `probability` (any shape, strictly between 0 and 1) lies. Needs SciPy for beta."""
        u, p = np.asarray(probability, dtype=np.float64), self.parameters
        if u.size and not (u.min() > 0 and u.max() < 1):
            raise BadValue("a probability must lie strictly between 0 and 1. Shift a grid by half a step.")
        match self.kind:
            case "exact":
                return np.full(u.shape, p[0])
            case "uniform":
                return p[0] + (p[1] - p[0]) * u
            case "triangular":
                low, mode, high = p
                left = u < (mode - low) / (high - low)
                root = np.sqrt(np.where(left, u * ((high - low) * (mode - low)), (1 - u) * ((high - low) * (high - mode))))
                return np.where(left, low + root, high - root)
            case "normal":
                return p[0] + p[1] * normal_quantile(u)
            case "lognormal":
                return np.asarray(p[0] * np.exp(p[1] * normal_quantile(u) - p[1] ** 2 / 2), dtype=np.float64)
            case "beta":
                return p[2] + (p[3] - p[2]) * _beta_quantile(p[0], p[1], u)
            case _:
                return np.sort(np.array(p))[np.minimum((u * len(p)).astype(np.int64), len(p) - 1)]

    def scaled(self, factor: float) -> Distribution:
        """The same distribution of a number `factor` (above 0) times as large: another unit."""
        if not (math.isfinite(factor) and factor > 0):
            raise BadValue(f"a distribution times {factor} is none. Give a factor above 0.")
        kept = {"lognormal": (1,), "beta": (0, 1)}.get(self.kind, ())
        return Distribution(self.kind, tuple(x if i in kept else x * factor for i, x in enumerate(self.parameters)))

    def to_dict(self) -> dict[str, object]:
        names = PARAMETERS[self.kind]
        return {"kind": self.kind, **({"values": list(self.parameters)} if self.kind == "empirical" else dict(zip(names, self.parameters, strict=True)))}

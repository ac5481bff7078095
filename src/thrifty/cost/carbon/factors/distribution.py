"""How a number may vary: a distribution by name, its parameters in the unit of the number."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue, missing_extra

Kind = Literal["exact", "uniform", "triangular", "normal", "lognormal", "beta", "empirical"]
KINDS: Final = get_args(Kind)
PARAMETERS: Final = {
    "exact": ("value",), "uniform": ("low", "high"), "triangular": ("low", "mode", "high"), "normal": ("mean", "sd"),
    "lognormal": ("mean", "sigma"), "beta": ("a", "b", "low", "high"), "empirical": ("values",),
}  # fmt: skip
"""By kind. lognormal: `mean` is the arithmetic mean and `sigma` the standard deviation of the logarithm, so the mean stays where it is whatever the spread."""


def _special() -> object:
    try:
        import scipy.special
    except ImportError as error:
        raise missing_extra("a normal, lognormal or beta distribution", "scipy", "optimize") from error
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

    def quantile(self, probability: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """The number below which the share `probability` (any shape, strictly between 0 and 1) lies. Needs SciPy for normal, lognormal and beta."""
        u, p = np.asarray(probability, dtype=np.float64), self.parameters
        if u.size and not ((u > 0) & (u < 1)).all():
            raise BadValue("a probability must lie strictly between 0 and 1. Shift a grid by half a step.")
        match self.kind:
            case "exact":
                return np.full(u.shape, p[0])
            case "uniform":
                return p[0] + (p[1] - p[0]) * u
            case "triangular":
                low, mode, high = p
                rise = (mode - low) / (high - low)
                left = low + np.sqrt(np.maximum(u * (high - low) * (mode - low), 0.0))
                return np.where(u < rise, left, high - np.sqrt((1 - u) * (high - low) * (high - mode)))
            case "normal":
                return p[0] + p[1] * np.asarray(_special().ndtri(u))  # type: ignore[attr-defined]
            case "lognormal":
                return p[0] * np.exp(p[1] * np.asarray(_special().ndtri(u)) - p[1] ** 2 / 2)  # type: ignore[attr-defined]
            case "beta":
                return p[2] + (p[3] - p[2]) * np.asarray(_special().betaincinv(p[0], p[1], u))  # type: ignore[attr-defined]
            case _:
                return np.asarray(np.quantile(np.array(p), u, method="inverted_cdf"), dtype=np.float64)

    def scaled(self, factor: float) -> Distribution:
        """The same distribution of a number `factor` (above 0) times as large: another unit."""
        if not (math.isfinite(factor) and factor > 0):
            raise BadValue(f"a distribution times {factor} is none. Give a factor above 0.")
        kept = {"lognormal": (1,), "beta": (0, 1)}.get(self.kind, ())
        return Distribution(self.kind, tuple(x if i in kept else x * factor for i, x in enumerate(self.parameters)))

    def to_dict(self) -> dict[str, object]:
        names = PARAMETERS[self.kind]
        return {"kind": self.kind, **({"values": list(self.parameters)} if self.kind == "empirical" else dict(zip(names, self.parameters, strict=True)))}

"""Monte Carlo arithmetic: the same attention many times, each rounding up or down by chance, and how many digits all runs share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.lenses.numerics.policy import Policy, Rule, as_policy
from thrifty.lenses.numerics.policy.checks import choose
from thrifty.timeline.quantiles import gamma_quantile, normal_quantile

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Digits:
    """Decimal digits that samples share, element by element.

    digits    : -log10(standard deviation / |reference|)
    low, high : its interval at `confidence`, normal samples (χ²)
    sure      : digits that one more run has with `probability`, at `confidence` (Sohier, De Oliveira Castro, Févotte et al. 2021, theorem 2)
    """

    digits: Floats
    low: Floats
    high: Floats
    sure: Floats
    samples: int
    confidence: float
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """Medians over elements whose samples differ, and the least."""
        kept = np.isfinite(self.digits)
        middle = {name: float(np.median(getattr(self, name)[kept])) if kept.any() else None for name in ("digits", "low", "high", "sure")}
        return {
            **middle, "least": float(self.digits[kept].min()) if kept.any() else None, "elements": int(kept.size), "exact_elements": int((~kept).sum()),
            "samples": self.samples, "confidence": self.confidence, "probability": self.probability,
        }  # fmt: skip


def significant_digits(samples_R: Any, reference: Any = None, *, confidence: float = 0.95, probability: float = 0.95) -> Digits:
    """Digits that the samples (R, …) of one computation share; reference: exact values, else the samples' mean. Infinite where no sample differs.

    Raises BadValue for fewer than 3 samples and for samples that are no finite numbers.
    """
    x = np.asarray(samples_R, dtype=np.float64)
    if x.ndim == 0 or x.shape[0] < 3:
        raise BadValue(f"samples of shape {list(x.shape)}: at least 3 along the first axis are needed for a deviation.")
    if not np.isfinite(x).all():
        raise BadValue(f"samples hold {int((~np.isfinite(x)).sum())} NaN or infinite numbers. Leave their elements out.")
    for name, value in (("confidence", confidence), ("probability", probability)):
        if not 0 < value < 1:
            raise BadValue(f"{name}={value!r} must lie between 0 and 1.")
    n = x.shape[0]
    middle = x.mean(axis=0) if reference is None else np.asarray(reference, dtype=np.float64)
    spread = x.std(axis=0, ddof=1) if reference is None else np.sqrt(np.square(x - middle).mean(axis=0))
    free = n - 1 if reference is None else n
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = np.where(spread == 0, np.inf, -np.log10(spread / np.abs(middle)))
    tail = (1 - confidence) / 2
    wide, narrow = (0.5 * math.log10(free / chi_square(free, below)) for below in (tail, 1 - tail))
    one_sided = 0.5 * math.log10(free / chi_square(free, 1 - confidence))
    half = (1 + probability) / 2
    sure = digits - one_sided - math.log10(float(normal_quantile(np.array(half), np.array(1 - half))))
    return Digits(digits=digits, low=digits - wide, high=digits - narrow, sure=sure, samples=n, confidence=confidence, probability=probability)


def chi_square(free: int, below: float) -> float:
    """Value of χ² with that many degrees of freedom, with probability `below` under it."""
    return 2 * float(gamma_quantile(free / 2, np.array(below), np.array(1 - below)))


def randomised(policy: str | Policy, rounding: str = "random") -> Policy:
    """The same policy with every site but those of the inputs rounded up or down by chance: "random" (even odds) or "stochastic" (by distance)."""
    choose("rounding", rounding, ("random", "stochastic"))
    said = as_policy(policy)
    sites = {site: rule if site.split(".")[0] == "in" else replace(rule, rounding=rounding) for site, rule in said.sites.items()}
    sites.setdefault("*", Rule(rounding=rounding))
    sites.setdefault("in", said.rule("in"))
    return replace(said, name=f"{said.name}, {rounding}", sites=sites)


def monte_carlo_digits(
    run: Callable[[Policy, int], Any], policy: str | Policy, *, rounding: str = "random", runs: int = 30, reference: Any = None, confidence: float = 0.95,
) -> Digits:  # fmt: skip
    """Digits of ``run(policy, seed)``, called with the policy's roundings left to chance and seeds 0 … runs - 1."""
    chance = randomised(policy, rounding)
    return significant_digits(np.stack([np.asarray(run(chance, seed), dtype=np.float64) for seed in range(runs)]), reference, confidence=confidence)

"""Choices that rounding changes: experts of tokens, and tokens of greedy decoding, against the margin by which they are chosen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats.rounding.arrays import take

Floats = npt.NDArray[np.float64]
BINS: Final = 10
"""Parts of equal numbers of tokens, by margin, for which flips are counted and predicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Tokens whose top-k set differs from golden's.

    flips   : share of tokens with another set; first: with another best one
    margins : of each token: the k-th largest golden logit less the next one
    sigma   : standard deviation of the error of a logit
    by_margin : (largest margin, share of flips, predicted share) of tenths of the tokens, smallest margins first
    jump, still : relative distance of outputs from golden for tokens that flipped and for others; None without outputs or without such tokens
    """

    tokens: int
    experts: int
    k: int
    flips: float
    first: float
    sigma: float
    margins: Floats
    by_margin: tuple[tuple[float, float, float], ...]
    jump: float | None
    still: float | None

    def to_dict(self) -> dict[str, Any]:
        return {
            "tokens": self.tokens, "experts": self.experts, "k": self.k, "flip_rate": self.flips, "first_flip_rate": self.first, "sigma": self.sigma,
            "margin_median": float(np.median(self.margins)), "by_margin": [list(each) for each in self.by_margin], "jump": self.jump, "still": self.still,
        }  # fmt: skip


def routing_flips(logits: Any, golden: Any, k: int = 2, *, outputs: Any = None, golden_outputs: Any = None) -> Routing:
    """How often rounding sends a token elsewhere, by margin, and what that does to the layer's output.

    logits, golden : (tokens, experts); of a language model: (tokens, vocabulary) with k = 1
    outputs, golden_outputs : (tokens, width) of the layer, both or none

    Ties go to the lower expert. Raises BadValue for shapes that do not meet, k out of range, NaN.
    """
    found, best = (np.asarray(take(x, name).values, dtype=np.float64) for x, name in ((logits, "logits"), (golden, "golden")))
    if found.ndim != 2 or found.shape != best.shape or found.size == 0:
        raise BadValue(f"logits are {list(found.shape)} and golden {list(best.shape)}; both must be (tokens, experts), of one shape, not empty.")
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k < found.shape[1]:
        raise BadValue(f"k={k!r} must be a whole number from 1 to {found.shape[1] - 1}, one less than the experts.")
    if np.isnan(found).any() or np.isnan(best).any():
        raise BadValue(f"logits hold {int(np.isnan(found).sum() + np.isnan(best).sum())} NaN, so there is no order. Look at the operator before with audit.")
    mine, theirs = (np.argsort(-x, axis=1, kind="stable")[:, :k] for x in (found, best))
    flipped = (np.sort(mine, axis=1) != np.sort(theirs, axis=1)).any(axis=1)
    ranked = -np.sort(-best, axis=1)
    margins = ranked[:, k - 1] - ranked[:, k]
    gap = found - best
    sigma = float(np.std(gap[np.isfinite(gap)])) if np.isfinite(gap).any() else 0.0
    predicted = flip_probability(margins, sigma)
    rows = [(float(margins[part].max()), float(flipped[part].mean()), float(predicted[part].mean()))
            for part in np.array_split(np.argsort(margins, kind="stable"), min(BINS, len(margins))) if part.size]  # fmt: skip
    jump = still = None
    if (outputs is None) != (golden_outputs is None):
        raise BadValue("outputs and golden_outputs belong together. Give both or none.")
    if outputs is not None:
        given = ((outputs, "outputs"), (golden_outputs, "golden_outputs"))
        a, b = (np.asarray(take(x, name).values, dtype=np.float64).reshape(len(flipped), -1) for x, name in given)
        size = np.linalg.norm(a - b, axis=1) / np.maximum(np.linalg.norm(b, axis=1), np.finfo(np.float64).tiny)
        jump, still = (float(size[part].mean()) if part.any() else None for part in (flipped, ~flipped))
    return Routing(
        tokens=found.shape[0], experts=found.shape[1], k=k, flips=float(flipped.mean()), first=float((mine[:, 0] != theirs[:, 0]).mean()), sigma=sigma,
        margins=margins, by_margin=tuple(rows), jump=jump, still=still,
    )  # fmt: skip


def flip_probability(margins: Any, sigma: float) -> Floats:
    """P(a choice flips) = Φ(−margin / (σ √2)) for independent normal errors of standard deviation σ on both logits at the margin.

    margins : largest logit less the runner-up (k-th less the next for top-k), 0 or more; sigma: of one logit's error. Only the two nearest are looked at,
    so that the probability is low where more than two lie close together.
    """
    held = np.asarray(take(margins, "margins").values, dtype=np.float64)
    if held.size and (np.isnan(held).any() or held.min() < 0):
        raise BadValue(f"margins go down to {np.nanmin(held):g}; a margin is 0 or more and no NaN. Subtract the runner-up from the largest.")
    if not 0 <= sigma < math.inf:
        raise BadValue(f"sigma={sigma} must be a finite number of 0 or more.")
    if sigma == 0:
        return np.where(held == 0, 0.5, 0.0)
    return np.asarray(0.5 * np.vectorize(math.erfc, otypes=[np.float64])(held / (2.0 * sigma)))

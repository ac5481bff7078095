"""Distributions of inputs, by name, and what a draw holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

KINDS: Final[dict[str, str]] = {
    "uniform": "U(0, 1): positive values and a flat P, the worst case for state kept in few bits",
    "normal": "N(0, 1)",
    "outliers": "N(0, 1) + N(0, 100) · Bernoulli(0.001), as in FlashAttention-3's table",
    "sinks": "N(0, 1), and the first four keys get a bonus of 8 on every query's score, as attention sinks do",
    "biased_k": "N(0, 1), keys with a large mean over the sequence: scores of FP16 overflow",
    "repeated_max": "every row's largest score occurs at several keys, at which V has one sign",
}
"""Name → what it is."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Queries (…, H, N, d), keys and values (…, H_kv, N_kv, d), FP64; name: where they come from; causal: the model they come from hides later keys."""

    q: Floats
    k: Floats
    v: Floats
    name: str
    causal: bool = False

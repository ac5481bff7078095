"""What a kernel's exponential is, found from its outputs alone.

Two keys matter: key 0 has the largest score, so P = 1 there, and key 1 has P = e^t. With V = -c at key 0 and 1 at key 1, the output is (R(e^t) - c) / l: zero
if the kernel's e^t rounds to the BF16 number c where it goes into PV. Bisecting t for each of 128 neighbours finds, to about 2^-24, where the kernel's e^t
crosses the midpoints between them, and so the kernel's e^t itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.lenses.numerics.sdpa.running import run_path

Floats = npt.NDArray[np.float64]
STEPS: Final = 128
"""BF16 numbers between two powers of two, and the head dimension of the probe: one output column each."""
SPAN: Final = 1e-3
LOG2E: Final = 1.4426950408889634


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponential:
    """largest_error: relative, of the kernel's e^t against e^t; cubic: c0 to c3 of 2^fraction fitted to it; cubic_error: what the fit leaves."""

    largest_error: float
    cubic: tuple[float, ...]
    cubic_error: float

    @property
    def is_cubic(self) -> bool:
        """It errs like a polynomial of degree 3, not like one of FP32."""
        return self.largest_error > 2e-5 and self.cubic_error < self.largest_error / 8

    def to_dict(self) -> dict[str, Any]:
        return {"largest_error": self.largest_error, "cubic": list(self.cubic), "cubic_error": self.cubic_error, "is_cubic": self.is_cubic}


def probe_exponential(keys: int = 16, octave: int = -2) -> Exponential:
    """Of torch's flash path in BF16, at 128 places between 2^octave and the next power of two. keys: 16 fill one vector of AVX-512."""
    lower = 2.0**octave * (1 + np.arange(STEPS) / STEPS)
    middle = lower + 2.0**octave / (2 * STEPS)
    low, high = np.log(middle) - SPAN, np.log(middle) + SPAN
    v, k = np.zeros((1, keys, STEPS)), np.zeros((1, keys, STEPS))
    v[0, 0], v[0, 1], k[0, 1:, :3] = -lower, 1.0, 1.0
    for _ in range(26):
        q, at = _split((low + high) / 2)
        above = np.diag(run_path("flash", q[None], k, v, "bf16", scale=1.0)[0]) > 0
        low, high = np.where(above, low, at), np.where(above, at, high)
    place = (low + high) / 2 * LOG2E
    fraction, value = place - np.floor(place), middle / 2.0 ** np.floor(place)
    powers = np.vander(fraction, 4, increasing=True)
    cubic = np.linalg.lstsq(powers / value[:, None], np.ones(STEPS), rcond=None)[0]
    return Exponential(
        largest_error=float(np.abs(value / 2.0**fraction - 1).max()), cubic=tuple(float(each) for each in cubic),
        cubic_error=float(np.quantile(np.abs(powers @ cubic / value - 1), 0.95)),
    )  # fmt: skip


def _split(t: Floats) -> tuple[Floats, Floats]:
    """Queries (128, 128) whose product with ones in three places is t to about 24 bits, and what it is exactly."""
    from thrifty.formats import round_to

    q, left, total = np.zeros((STEPS, STEPS)), t.copy(), np.zeros(STEPS)
    for place in range(3):
        part = np.asarray(round_to(left, "bf16"), dtype=np.float64)
        q[:, place] = part
        left, total = left - part, total + part
    return q, total

"""Whether errors of a gradient add up over steps or cancel: the spectral norm of their sum against what the same errors with random signs would give.

Independent errors E_t of T steps have ‖Σ E_t‖ near √T times one of them; coherent ones have T times, along one direction (Qiu and Yao 2025, section 3).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue

Floats = npt.NDArray[np.float64]
LEAST_STEPS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Coherence:
    """How errors of T steps add up.

    steps, norms    : number of errors added, and the spectral norm of their sum, for a doubling series of T
    single          : root mean square of one step's spectral norm
    exponent        : slope of log norm over log steps: 0.5 for independent errors, 1 for coherent ones
    chance          : norm of the whole sum as random signs make it: median, and the largest in 20 draws of `draws`
    ratio           : norm of the whole sum over that median
    p_value         : share of the draws with a norm as large
    leading_share   : squared largest singular value of the sum over the sum of all squares (1: one direction)
    """

    steps: tuple[int, ...]
    norms: tuple[float, ...]
    single: float
    exponent: float
    chance_median: float
    chance_95: float
    draws: int
    ratio: float
    p_value: float
    leading_share: float

    @property
    def coherent(self) -> bool:
        """The sum is larger than any draw of random signs, and at least twice their median."""
        return self.p_value <= 1.0 / self.draws and self.ratio >= 2.0

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "steps": list(self.steps), "norms": list(self.norms), "coherent": self.coherent}


def coherence(errors_TNM: npt.ArrayLike, *, draws: int = 199, seed: int = 0) -> Coherence:
    """Of errors of a gradient matrix, one a step. Raises BadValue for fewer than 8 steps, other shapes, and errors that are no finite number.

    The signs that are drawn keep every error's size and shape, and take away only what makes errors agree.
    """
    errors = np.asarray(errors_TNM, dtype=np.float64)
    if errors.ndim != 3 or errors.shape[0] < LEAST_STEPS or errors[0].size == 0:
        raise BadValue(f"errors of a gradient have shape {errors.shape}; (steps, rows, columns) with at least {LEAST_STEPS} steps is needed.")
    if not np.isfinite(errors).all():
        raise BadValue("errors of a gradient hold NaN or infinite numbers, so their sums say nothing. Look for the first such step.")
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 19:
        raise BadValue(f"draws={draws!r} must be a whole number of at least 19.")
    total = errors.shape[0]
    steps = sorted({total, *(1 << power for power in range(total.bit_length()))})
    sums = np.cumsum(errors, axis=0)
    norms = [_norm(sums[step - 1]) for step in steps]
    signs = np.random.default_rng(seed).integers(0, 2, (draws, total)) * 2.0 - 1.0
    drawn = sorted(_norm(np.tensordot(row, errors, axes=1)) for row in signs)
    median, whole = drawn[draws // 2], norms[-1]
    values = np.linalg.svd(sums[-1], compute_uv=False)
    square = float((values * values).sum())
    return Coherence(
        steps=tuple(steps), norms=tuple(norms), single=math.sqrt(sum(_norm(each) ** 2 for each in errors) / total), exponent=_slope(steps, norms),
        chance_median=median, chance_95=drawn[min(math.ceil(0.95 * draws), draws) - 1], draws=draws, ratio=whole / median if median else 0.0,
        p_value=(1 + sum(each >= whole for each in drawn)) / (draws + 1) if whole else 1.0, leading_share=float(values[0]) ** 2 / square if square else 0.0,
    )  # fmt: skip


def _norm(matrix: Floats) -> float:
    return float(np.linalg.norm(matrix, 2))


def _slope(steps: list[int], norms: list[float]) -> float:
    """Least squares over the doubling series; 0 where errors are zero."""
    kept = [(math.log(step), math.log(norm)) for step, norm in zip(steps, norms, strict=True) if norm > 0]
    if len(kept) < 2:
        return 0.0
    x, y = (np.array(each) for each in zip(*kept, strict=True))
    return float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())

"""What a run did, call by call: the site, how far its result lies from golden's, and how much of that this very rounding made. Imports torch."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch

from thrifty.lenses.numerics.auditing.finding import Call

MOST_KEPT: Final = 1 << 27
"""Numbers of golden results that are kept (1 GiB); calls beyond know their own rounding only."""


class Golden:
    """Keeps the results of a run without rounding, in the order of the calls."""

    def __init__(self) -> None:
        self.results: list[tuple[str, np.ndarray | None]] = []
        self._kept = 0

    def __call__(self, site: str, before: torch.Tensor, after: torch.Tensor) -> None:
        keeps = self._kept + after.numel() <= MOST_KEPT
        self._kept += after.numel() if keeps else 0
        self.results.append((site, np.array(after.detach().to(torch.float64).numpy()) if keeps else None))


class Recorder:
    """Notes every rounding of a run beside golden's result of the same call, as long as both take the same path."""

    def __init__(self, golden: Golden) -> None:
        self.golden, self.calls, self.same_path = golden, list[Call](), True

    def __call__(self, site: str, before: torch.Tensor, after: torch.Tensor) -> None:
        number = len(self.calls)
        mine = after.detach().to(torch.float64).numpy()
        best = None
        if self.same_path and number < len(self.golden.results):
            name, best = self.golden.results[number]
            self.same_path = name == site and (best is None or best.shape == mine.shape)
            best = best if self.same_path else None
        elif number >= len(self.golden.results):
            self.same_path = False
        local = _difference(mine, before.detach().numpy())
        whole = None if best is None else _difference(mine, best)
        rms = None if whole is None else float(np.sqrt(np.mean(whole**2))) if whole.size else 0.0
        self.calls.append(Call(
            number=number, site=site, shape=tuple(mine.shape), local_max=_max(local), local_rms=float(np.sqrt(np.mean(local**2))) if local.size else 0.0,
            max=None if whole is None else _max(whole), rms=rms, bias_ratio=None if whole is None or not rms else float(np.mean(whole)) / rms,
            level=_level(mine), nans=int(np.isnan(mine).sum()), infinities=int(np.isinf(mine).sum()),
        ))  # fmt: skip


def _difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of elements that are finite in both."""
    kept = np.isfinite(a) & np.isfinite(b)
    return np.asarray(a[kept] - b[kept])


def _max(x: np.ndarray) -> float:
    return float(np.abs(x).max()) if x.size else 0.0


def _level(x: np.ndarray) -> float:
    """Root mean square of what is finite."""
    kept = x[np.isfinite(x)]
    return float(np.sqrt(np.mean(kept**2))) if kept.size else 0.0

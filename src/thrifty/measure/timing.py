"""Times a call: the median of as many repeats as fit a budget, with the spread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple


class Timed(NamedTuple):
    """seconds: median of the repeats; quick: their lower quartile, which other programs disturb less; spread: half the middle half over the median."""

    seconds: float
    quick: float
    spread: float
    repeats: int


def time_call(
    call: Callable[[], object], *, budget_s: float = 0.02, least: int = 3, most: int = 400, warmup: int = 1, wait: Callable[[], object] | None = None
) -> Timed:  # fmt: skip
    """Run `call` until the budget is used (at least `least` times), after `warmup` calls that do not count.

    wait : returns when a device that runs behind the host is done
    """
    wait = wait or (lambda: None)
    for _ in range(warmup):
        call()
    wait()
    samples: list[float] = []
    end = time.perf_counter() + budget_s
    while (len(samples) < least or time.perf_counter() < end) and len(samples) < most:
        start = time.perf_counter()
        call()
        wait()
        samples.append(time.perf_counter() - start)
    samples.sort()
    middle = statistics.median(samples)
    quarter = len(samples) // 4
    return Timed(middle, samples[quarter], (samples[-1 - quarter] - samples[quarter]) / 2 / middle if middle > 0 else 0.0, len(samples))

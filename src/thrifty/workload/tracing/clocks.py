"""What time an operator takes: read off the host's clock, or off events in a CUDA stream, which runs behind the host."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch


class HostClock:
    """The host's clock: an operator is over when its call returns."""

    on_host = True

    def tick(self) -> Any:
        return time.perf_counter()

    def tock(self, start: Any) -> Any:
        """A mark from which `seconds` finds how long it was since `start`."""
        return time.perf_counter() - start

    def wait(self) -> None:
        """Return when everything asked for so far is done."""

    def seconds(self, marks: Sequence[Any]) -> npt.NDArray[np.float64]:
        """(R,) seconds of R marks; 0 marks an operator that was not timed."""
        return np.array(marks, dtype=np.float64)


class CudaClock(HostClock):
    """Events in the current stream: the time between two is the device's own."""

    on_host = False

    def tick(self) -> Any:
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def tock(self, start: Any) -> Any:
        return start, self.tick()

    def wait(self) -> None:
        torch.cuda.synchronize()

    def seconds(self, marks: Sequence[Any]) -> npt.NDArray[np.float64]:
        self.wait()
        return np.array([mark[0].elapsed_time(mark[1]) / 1e3 if isinstance(mark, tuple) else mark for mark in marks], dtype=np.float64)


def clock_of(module: torch.nn.Module) -> HostClock:
    """The clock of the device that holds a module's first weight."""
    weight = next(module.parameters(), None)
    return CudaClock() if weight is not None and weight.device.type == "cuda" else HostClock()

"""Clocks: the host's, and a device's that runs behind the host (its events stood in for here, as no device is asked of a test)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from thrifty.workload.tracing import clock_of, clocks, record, taping
from thrifty.workload.tracing.clocks import CudaClock, HostClock


class Event:
    """A CUDA event whose stream advances a millisecond at each record."""

    now = 0.0

    def __init__(self, enable_timing: bool = False) -> None:
        assert enable_timing
        self.at = -1.0

    def record(self) -> None:
        Event.now += 1.0
        self.at = Event.now

    def elapsed_time(self, other: Event) -> float:
        return other.at - self.at


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    seen: list[int] = []
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: seen.append(1))
    return seen


def test_a_device_behind_the_host_is_timed_by_its_events(monkeypatch: pytest.MonkeyPatch, waits: list[int]) -> None:
    monkeypatch.setattr(taping, "clock_of", lambda module: CudaClock())
    module = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
    with torch.no_grad():
        made = record(lambda: module(torch.ones(2, 4)), module, clock=True)
    assert made.seconds is not None
    assert made.seconds.tolist() == [1e-3] * len(made.table)  # one record after the other: a millisecond each
    assert made.own_seconds == 0.0  # the host's work hides behind the device's
    assert len(waits) >= 3  # before, after, and before the events are read


def test_the_clock_is_that_of_the_device_that_holds_the_weights() -> None:
    assert type(clock_of(nn.Linear(2, 2))) is HostClock
    assert type(clock_of(nn.ReLU())) is HostClock

    class OnDevice(nn.Linear):
        def parameters(self, recurse: bool = True) -> Any:
            weight: Any = type("Weight", (), {"device": torch.device("cuda")})()
            return iter([weight])

    assert type(clock_of(OnDevice(2, 2))) is CudaClock


def test_formula_marks_of_untimed_operators_are_zero_seconds(waits: list[int]) -> None:
    clock = clocks.CudaClock()
    mark = clock.tock(clock.tick())
    assert clock.seconds([0.0, mark]).tolist() == [0.0, 1e-3]

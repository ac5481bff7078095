"""Sampling of steps: which are instrumented, what their time falls into, and that nothing is left behind."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from thrifty.errors import BadValue
from thrifty.measure import StepSampler, measure_memory
from thrifty.measure.timing import time_call


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, 128), nn.Linear(128, 32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.relu(self.first(x)))


def test_every_eighth_step_is_instrumented_and_its_time_falls_into_rows() -> None:
    module, x = Two().eval(), torch.randn(16, 64)
    sampler = StepSampler(module)
    with torch.no_grad():
        for index in range(24):
            with sampler.step("forward", index):
                module(x)
    profile = sampler.profile("forward")
    assert (profile.steps, profile.sampled) == (24, 3)
    assert [profile.table.op(row) for row in range(len(profile.table))] == ["aten.addmm", "aten.relu", "aten.addmm"]
    assert (profile.seconds_R > 0).all()
    assert set(profile.by_kind()) == {"linear", "elementwise", "framework"}
    assert profile.by_kind()["linear"] == pytest.approx(profile.seconds_R[0] + profile.seconds_R[2])
    assert set(profile.by_module()) == {"first", "second", "(root)"}
    assert profile.step_s > 0
    assert profile.closure > 0
    assert profile.run_overhead > 0


def test_too_few_steps_cannot_be_sampled() -> None:
    sampler = StepSampler(Two())
    with sampler.step("forward", 0):
        pass
    with pytest.raises(BadValue) as refused:
        sampler.profile("forward")
    assert str(refused.value) == "'forward' ran 1 steps, too few to sample. Run at least 8."
    with pytest.raises(BadValue) as refused:
        StepSampler(Two(), every=0)
    assert str(refused.value) == "every=0 is below 1. Choose a whole number from 1 up."


def test_formula_memory_is_weights_and_the_allocator_s_peak() -> None:
    module, x = Two().eval(), torch.randn(1000, 64)
    with torch.inference_mode():
        used = measure_memory(lambda: module(x), module)
    weights = 4 * (64 * 128 + 128 + 128 * 32 + 32)
    assert used.resident_bytes == weights
    # Hidden activations before and after the ReLU, or after it and the result: the first is more.
    assert used.allocator_bytes == 2 * 1000 * 128 * 4
    assert used.peak_memory_bytes == weights + 2 * 1000 * 128 * 4
    assert used.rss_bytes > used.peak_memory_bytes


def test_a_timed_call_runs_at_least_as_often_as_asked() -> None:
    calls: list[int] = []
    timed = time_call(lambda: calls.append(1), budget_s=0.0, least=5, warmup=2)
    assert len(calls) == 7
    assert timed.repeats == 5
    assert 0 <= timed.quick <= timed.seconds

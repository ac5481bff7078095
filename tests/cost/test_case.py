"""A job is its parts times their counts; a case is a job somewhere."""

from __future__ import annotations

import pytest
from tests.cost.tables import little

from thrifty.cost import Case, Job, price
from thrifty.errors import BadValue
from thrifty.hardware import load, load_site
from thrifty.workload import load as load_workload


def test_formula_a_language_model_reads_once_and_writes_the_rest() -> None:
    prefill = load_workload("smollm2-135m", batch=2, seq=100, format="bf16")
    job = Job.of(prefill, new_tokens=11)
    assert [(part.workload.phase, part.times) for part in job.parts] == [("prefill", 1), ("decode", 10)]
    assert (job.units, job.unit) == (22, "token")
    assert job.parts[1].workload.point == {"batch": 2, "seq": 104}  # caches of 100 … 109 tokens: their mean, whole
    case = Case(job=job, device=load("l4"), site=load_site("france"))
    first, second = (price(part.workload, "l4", site="france") for part in job.parts)
    assert case.footprint.time_s == pytest.approx(first.time_s + 10 * second.time_s)
    assert case.footprint.energy_j == pytest.approx(first.footprint.energy_j + 10 * second.footprint.energy_j)
    assert case.footprint.memory_bytes == max(first.footprint.memory_bytes, second.footprint.memory_bytes)
    assert case.per_unit.time_s == pytest.approx(case.footprint.time_s / 22)
    assert case.fits


def test_a_job_moves_with_its_batch_and_its_cache_with_its_prompt() -> None:
    job = Job.of(load_workload("smollm2-135m", batch=2, seq=100), new_tokens=11).at(batch=4, seq=150)
    assert job.units == 44
    assert [dict(part.workload.point) for part in job.parts] == [{"batch": 4, "seq": 150}, {"batch": 4, "seq": 154}]


def test_anything_else_runs_once() -> None:
    job = Job.of(little(batch=8))
    assert (job.units, job.unit, len(job.parts)) == (8, "sample", 1)


def test_beyond_the_context_is_refused() -> None:
    with pytest.raises(BadValue) as refused:
        Job.of(load_workload("gpt2", seq=1000), new_tokens=48)
    assert str(refused.value) == "seq=1000 and 48 new tokens are above 1024 (the context of 'gpt2'). Choose fewer."
    with pytest.raises(BadValue) as refused:
        Job.of(load_workload("gpt2"), new_tokens=0)
    assert str(refused.value) == "new_tokens=0 is below 1. Choose a whole number from 1 up."

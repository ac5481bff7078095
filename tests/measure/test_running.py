"""Real runs: what comes out for something that generates nothing, and for a language model without a tokenizer."""

from __future__ import annotations

import pytest

from thrifty.measure import make_and_run
from thrifty.workload import load


@pytest.mark.parametrize(
    ("name", "point"), [("resnet-50", {"image": 64}), ("bert-base", {"seq": 16}), ("vit-b", {}), ("dlrm-criteo-kaggle", {"batch": 4})]
)
def test_anything_that_is_no_language_model_runs_forward_at_its_own_sizes(name: str, point: dict[str, int]) -> None:
    workload = load(name, **point)
    ran = make_and_run(workload, point=point)
    assert dict(ran.point) == dict(workload.point)
    assert ran.text is None
    assert ran.decode_tokens_per_s is None
    assert ran.samples_per_s is not None
    assert ran.samples_per_s > 0
    (profile,) = ran.profiles
    assert (profile.name, profile.steps, profile.sampled) == ("forward", 24, 3)
    assert profile.table.totals()["flops_matrix"] == load(name, format="fp32", **point).table.totals()["flops_matrix"]
    assert ran.memory.peak_memory_bytes >= workload.parameters * 4
    found = ran.to_dict()
    assert found["weights"] == "random"
    assert found["text"] is None
    assert found["samples_per_s"] == ran.samples_per_s


def test_a_language_model_with_a_length_reads_made_up_tokens() -> None:
    ran = make_and_run(load("gpt2"), point={"seq": 12, "batch": 2}, new_tokens=9)
    assert dict(ran.point) == {"batch": 2, "seq": 12}
    assert ran.text is None
    assert ran.prefill_tokens_per_s is not None
    assert ran.decode_tokens_per_s is not None
    assert [profile.name for profile in ran.profiles] == ["prefill", "decode"]
    assert [profile.steps for profile in ran.profiles] == [8, 8]

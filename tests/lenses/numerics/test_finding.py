"""What an assessment sees of numerics: shapes of its attentions, emulated."""

from __future__ import annotations

import json

import pytest

from thrifty.cost import Case, Job
from thrifty.errors import BadValue
from thrifty.hardware import load as load_device
from thrifty.hardware import load_site
from thrifty.lenses.numerics.finding import MOST_KEYS, NumericsFinding, Shape, attentions, working_format
from thrifty.report import Page, to_html
from thrifty.workload import load
from thrifty.workload.attention_forms import in_form


def case(name: str, **point: int) -> Case:
    job = Job.of(load(name))
    return Case(job=job.at(**point) if point else job, device=load_device("a100-80gb"), site=load_site("world"))


def test_formula_shapes_are_those_of_the_table() -> None:
    table = case("smollm2-135m", batch=2, seq=200).job.parts[0].workload.table
    ((shape, flops),) = attentions(table).items()
    assert shape == Shape(200, 200, 64, True)
    assert flops == 30 * 2 * 9 * 4 * 200 * 200 * 64  # layers · batch · heads · two products of two FLOPs


def test_property_both_forms_of_attention_are_one_shape() -> None:
    table = case("smollm2-135m").job.parts[0].workload.table
    assert attentions(in_form(table, "eager")) == attentions(in_form(table, "fused"))


@pytest.mark.parametrize(("name", "form"), [("q4_k", "bf16"), ("fp32", "bf16"), ("fp16", "fp16"), ("fp8_e4m3", "fp8_e4m3"), ("int8", "bf16"), ("e8m0", "bf16")])
def test_formula_the_format_is_the_cases_own_where_it_is_a_short_float(name: str, form: str) -> None:
    assert working_format(name) == form


def test_property_real_kernels_deviate_less_than_stored_state_and_the_page_says_so() -> None:
    found = NumericsFinding.of(case("smollm2-135m", batch=1, seq=96))
    seen = found.shapes[0]
    kernel, stored = (seen.deviations[policy, "uniform"] for policy in ("fa2_kernel", "fa_paper"))
    assert kernel.optimised.max < stored.optimised.max
    said = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert said["attentions"][0]["seq_k"] == 96
    page = to_html(Page(title="t", summary="s", sections=found.sections()))
    assert "no proof of stability" in page
    assert "thrifty numerics attention --format bf16 --seq 96 --head-dim 64 --block-k 64 --policy fa_paper --causal" in page


def test_formula_long_sequences_are_cut_and_told() -> None:
    assert Shape(4096, 8192, 64, False).cut == Shape(MOST_KEYS, MOST_KEYS, 64, False)
    found = NumericsFinding.of(case("smollm2-135m", batch=1, seq=MOST_KEYS + 1))
    assert any("were cut to 1,024 keys" in str(block) for block in found.brief())


def test_formula_without_attention_there_is_nothing_to_see() -> None:
    with pytest.raises(BadValue, match="has no attention"):
        NumericsFinding.of(case("resnet-50"))

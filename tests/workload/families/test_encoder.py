"""The encoder family against transformers' BERT, and against sums by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.workload.families.twins import (
    assert_every_row_the_same,
    assert_polynomial,
    assert_same_parameters,
    assert_same_rows,
    assert_true_count,
    matrix_flops,
    sheet,
    twin,
)

from thrifty.errors import BadValue
from thrifty.workload.families import Encoder, family_of
from thrifty.workload.families.language.encoder import EncoderShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import COUNTS, Kind, Role

SMALL = Encoder(shape=EncoderShape(layers=2, hidden=32, heads=4, intermediate=64, vocab=300, context=64))
TWIN = twin(
    "encoder",
    "transformers.BertForMaskedLM",
    vocab_size=300,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    max_position_embeddings=64,
)


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize(("batch", "seq"), [(2, 12), (1, 1), (3, 64)])
def test_peer_rows_are_those_of_bert(phase: WorkPhase, batch: int, seq: int) -> None:
    assert_same_rows(SMALL, TWIN, phase, {"batch": batch, "seq": seq}, "fp32", COUNTS)


@pytest.mark.parametrize("phase", ["forward", "training"])
def test_peer_rows_are_those_of_bert_in_bf16(phase: WorkPhase) -> None:
    assert_same_rows(SMALL, TWIN, phase, {"batch": 1, "seq": 7}, "bf16", COUNTS)


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("batch", [1, 2])
def test_peer_every_row_is_the_same(phase: WorkPhase, batch: int) -> None:
    assert_every_row_the_same(SMALL, TWIN, phase, {"batch": batch, "seq": 9})


def test_peer_parameters_are_those_of_bert() -> None:
    assert_same_parameters(SMALL, TWIN)


def test_peer_bert_base_has_its_true_count() -> None:
    assert_true_count("bert-base", 109_514_298)


@given(batch=st.integers(1, 8), seq=st.integers(1, 64))
def test_formula_matrix_flops(batch: int, seq: int) -> None:
    """Four projections, two of the feed-forward part and two products of attention a layer; a projection and the vocabulary in the head."""
    rows, hidden, inner = batch * seq, 32, 64
    layer = 4 * 2 * rows * hidden * hidden + 2 * 2 * rows * hidden * inner + 2 * 2 * batch * seq * seq * hidden
    forward = 2 * layer + 2 * rows * hidden * hidden + 2 * rows * hidden * 300
    point = {"batch": batch, "seq": seq}
    assert matrix_flops(SMALL, "forward", point) == forward
    assert matrix_flops(SMALL, "training", point) == 3 * forward


def test_paper_bert_base_is_the_linear_layers_and_attention() -> None:
    """Twice 85 M weights of 12 layers a token, the head, and attention: 2 · 2 · 12 · 512 · 768 a token at the full context."""
    flops = matrix_flops(family_of(sheet("bert-base")), "forward", {"batch": 1, "seq": 512})
    assert flops == 512 * (2 * (12 * 7_077_888 + 768 * 768 + 768 * 30522) + 4 * 12 * 512 * 768)


@given(batch=st.integers(1, 8), seq=st.integers(1, 64))
def test_formula_words_are_read_where_they_are_looked_up(batch: int, seq: int) -> None:
    """A row a token and never more than there are; the positions of one sequence, as all share them; both kinds of token, or one."""
    table = SMALL.table("forward", "fp32", {"batch": batch, "seq": seq})
    found = table.rows["bytes_weight"][table.rows["kind"] == Kind.EMBEDDING]
    assert found.tolist() == [rows * 32 * 4 for rows in (min(batch * seq, 300), min(batch * seq, 2), seq)]


@settings(max_examples=10)
@given(start=st.integers(2, 20), step=st.integers(1, 14), batch=st.integers(2, 4))
def test_property_counts_are_of_second_degree_in_seq(start: int, step: int, batch: int) -> None:
    for phase in ("forward", "training"):
        assert_polynomial(SMALL, phase, [{"batch": batch, "seq": start + i * step} for i in range(4)], 2)


def test_formula_a_narrow_format_is_stored_narrow_and_computed_in_bf16() -> None:
    point = {"batch": 1, "seq": 8}
    wide, narrow = SMALL.table("forward", "bf16", point), SMALL.table("forward", "int8", point)

    def held(table, role: Role) -> int:  # type: ignore[no-untyped-def]
        return int(table.storages["bytes"][table.storages["role"] == role].sum())

    assert held(narrow, Role.WEIGHT) < 0.6 * held(wide, Role.WEIGHT)
    assert held(narrow, Role.ACTIVATION) == held(wide, Role.ACTIVATION)
    assert narrow.totals()["flops_matrix"] == wide.totals()["flops_matrix"]


def test_it_generates_nothing() -> None:
    with pytest.raises(BadValue) as error:
        SMALL.table("decode", "bf16", {"batch": 1, "seq": 8})
    assert str(error.value) == "phase='decode' does not exist for an encoder, which generates nothing. Choose forward or training."


def test_a_sequence_beyond_its_context_is_refused() -> None:
    batch, seq = family_of(sheet("bert-base")).symbols("forward")
    assert (batch.name, seq.name, seq.default, seq.high) == ("batch", "seq", 128, 512)
    assert seq.check(512) == 512
    with pytest.raises(BadValue, match="513"):
        seq.check(513)

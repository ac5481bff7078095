"""Muse against the closed forms of its weights and FLOPs, and against published numbers."""

from __future__ import annotations

import inspect

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.workload.families.twins import matrix_flops, sheet

from thrifty.errors import BadValue
from thrifty.workload import load
from thrifty.workload.building import build_module
from thrifty.workload.families import family_of, parameter_count
from thrifty.workload.families.token_transformers.muse import Muse, MuseShape
from thrifty.workload.table import Axes, Kind


def flops(shape: MuseShape, batch: int, seq: int, text: int, low: int = 0) -> int:
    """As the module's docstring states it."""
    d, context = shape.hidden, text + low
    layer = 2 * seq * (6 * d * d + 2 * d * shape.intermediate) + 2 * context * 2 * d * d + 4 * seq * seq * d + 4 * seq * context * d
    return batch * (shape.layers * layer + 2 * text * shape.text_width * d + 2 * seq * d * shape.vocab)


@given(
    layers=st.integers(1, 3), heads=st.integers(1, 3), width=st.integers(1, 4), inner=st.integers(1, 40), batch=st.integers(1, 3), seq=st.integers(1, 20),
    text=st.integers(1, 9), low=st.integers(1, 9), fine=st.booleans(),
)  # fmt: skip
def test_formula_weights_and_flops(layers: int, heads: int, width: int, inner: int, batch: int, seq: int, text: int, low: int, fine: bool) -> None:
    d = heads * width
    shape = MuseShape(
        layers=layers, hidden=d, heads=heads, intermediate=inner, vocab=11, text_width=6, positions=32, low_vocab=7 if fine else 0, self_conditioning=fine
    )  # fmt: skip
    point = {"batch": batch, "seq": seq, "text": text, **({"low": low} if fine else {})}
    assert matrix_flops(Muse(shape=shape), "forward", point) == flops(shape, batch, seq, text, low if fine else 0)
    matrices = layers * (8 * d * d + 2 * d * inner) + 12 * d + 6 * d + 11 * d + (7 * d + 2 * d * inner if fine else 0)
    assert parameter_count(Muse(shape=shape)) == matrices + layers * 3 * 2 * d + 2 * d


def test_paper_muse_has_3_298_billion_weights() -> None:
    d = 2048
    closed = 48 * 16 * d * d + 2 * 8192 * d + d + 4096 * d + 8 * d * d + 48 * 6 * d + 2 * d
    assert parameter_count(family_of(sheet("muse-base"))) == closed
    assert closed == pytest.approx(3.298e9, rel=3e-4)  # learned positions, empty keys and other norms make up the rest


@pytest.mark.parametrize(("seq", "tera", "linear"), [(256, 1.596, 0.976), (4096, 30.14, 0.774)])
def test_paper_flops_of_a_pass(seq: int, tera: float, linear: float) -> None:
    """As counted for the public re-implementation at these sizes, to the last digit given."""
    table = load("muse-base", seq=seq).table
    total, kinds = table.totals()["flops_matrix"], table.by_kind()
    assert total == flops(family_of(sheet("muse-base")).shape, 1, seq, 128)  # type: ignore[attr-defined]
    assert total / 1e12 == pytest.approx(tera, abs=0.5 * 10 ** -(3 if tera < 10 else 2))
    assert kinds["linear"]["flops_matrix"] / total == pytest.approx(linear, abs=5e-4)


def test_the_fine_model_reads_coarse_tokens_beside_the_text() -> None:
    rows = load("muse-sr").table.rows
    attention = rows[rows["kind"] == Kind.ATTENTION]
    assert [(int(r["seq_q"]), int(r["seq_k"]), Axes(int(r["axes"])).label) for r in attention[:2]] == [(4096, 4096, "self"), (4096, 384, "cross")]
    assert len(attention) == 96
    shape = family_of(sheet("muse-sr")).shape  # type: ignore[attr-defined]
    assert load("muse-sr").table.totals()["flops_matrix"] == flops(shape, 1, 4096, 128, 256)


def test_flops_do_not_depend_on_the_pass() -> None:
    """Nothing that a pass is fed, and no size of it, says which pass it is or how many tokens are masked still."""
    assert [symbol.name for symbol in family_of(sheet("muse-base")).symbols("forward")] == ["batch", "seq", "text"]
    module = build_module(sheet("muse-base").at_preset("tiny"), device="cpu")
    assert list(inspect.signature(module.forward).parameters) == ["ids", "text", "low", "before"]


def test_self_conditioning_takes_up_what_the_pass_before_made() -> None:
    module = build_module(sheet("muse-base").at_preset("tiny"), device="cpu")
    ids, text = torch.arange(12).reshape(1, 12), torch.randn(1, 4, 256)
    with torch.no_grad():
        alone, same, other = module(ids, text), module(ids, text, before=torch.zeros(1, 12, 128)), module(ids, text, before=torch.randn(1, 12, 128))
    assert torch.allclose(alone, same)
    assert not torch.allclose(alone, other, atol=1e-3)


def test_every_token_sees_every_other() -> None:
    module = build_module(sheet("muse-base").at_preset("tiny"), device="cpu")
    ids, text = torch.arange(12).reshape(1, 12), torch.randn(1, 4, 256)
    changed = ids.clone()
    changed[0, -1] = 99
    with torch.no_grad():
        difference = (module(ids, text) - module(changed, text)).abs().amax(-1)
    assert (difference > 1e-4).all()


def test_more_tokens_than_positions_are_refused() -> None:
    with pytest.raises(BadValue) as error:
        load("muse-base", seq=4097)
    assert str(error.value) == "seq=4097 is above 4096 (the largest number of image tokens of this workload). Choose a whole number from 1 to 4096."

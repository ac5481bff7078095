"""Parti against the closed forms of its weights and FLOPs, and its cached decoding against computing everything again."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.workload.families.twins import assert_polynomial, matrix_flops, sheet

from thrifty.errors import BadValue
from thrifty.workload import load
from thrifty.workload.building import build_module
from thrifty.workload.families import family_of
from thrifty.workload.families.token_transformers.parti import Parti, PartiShape
from thrifty.workload.table import Axes, Kind

TINY = PartiShape(encoder_layers=2, decoder_layers=3, hidden=32, heads=4, intermediate=48, text_vocab=40, vocab=24, text_positions=16, positions=32, tokens=30)


@given(batch=st.integers(1, 3), seq=st.integers(1, 30), text=st.integers(1, 16))
def test_formula_matrix_flops_of_every_phase(batch: int, seq: int, text: int) -> None:
    """Weights times tokens, and attention over the text, over the tokens so far, and from these to the text."""
    d, feed = TINY.hidden, 2 * TINY.hidden * TINY.intermediate
    encoder = 2 * (2 * text * (4 * d * d + feed) + 4 * text * text * d)
    of_text = 3 * 2 * text * 2 * d * d

    def decoder(new: int, seen: int) -> int:
        return 3 * (2 * new * (6 * d * d + feed) + 4 * new * seen * d + 4 * new * text * d) + 2 * new * d * TINY.vocab

    family, point = Parti(shape=TINY), {"batch": batch, "seq": seq, "text": text}
    assert matrix_flops(family, "prefill", point) == batch * (encoder + of_text)
    assert matrix_flops(family, "decode", point) == batch * decoder(1, seq + 1)
    assert matrix_flops(family, "forward", point) == batch * (encoder + of_text + decoder(seq, seq))


def test_paper_weights_of_the_matrices() -> None:
    """20.40 B in encoder and decoder: 16 layers of 12 d², 64 of 16 d²."""
    matrices = [shape for name, shape in family_of(sheet("parti-transformer")).parameters() if len(shape) == 2 and name.startswith(("encoder.", "decoder."))]
    assert sum(rows * columns for rows, columns in matrices) == 1216 * 4096**2 == 20_401_094_656


@pytest.mark.parametrize("seq", [1, 512, 1023])
@pytest.mark.parametrize("format_name", ["fp16", "bf16"])
def test_paper_a_decoded_token_does_one_flop_a_byte(seq: int, format_name: str) -> None:
    totals = load("parti-transformer", phase="decode", format=format_name, kv=seq).table.totals()
    assert 0.9 < totals["flops_matrix"] / (totals["bytes_read"] + totals["bytes_written"]) < 1.1
    assert totals["flops_matrix"] / load("parti-transformer", phase="decode").table.weight_bytes_touched() == pytest.approx(1, abs=0.06)


def test_property_decoding_grows_evenly_with_the_cache() -> None:
    assert_polynomial(Parti(shape=TINY), "decode", [{"batch": 2, "seq": seq, "text": 5} for seq in (3, 12, 21)], 1)


def test_the_kinds_of_its_attention() -> None:
    def kinds(phase: Any) -> list[tuple[str, bool]]:
        rows = load("parti-transformer@tiny", phase=phase).table.rows
        return [(Axes(int(r["axes"])).label, bool(r["causal"])) for r in rows[rows["kind"] == Kind.ATTENTION]]

    assert kinds("prefill") == [("self", False)]
    assert kinds("decode") == [("self", False), ("cross", False)] * 3
    assert kinds("forward") == [("self", False)] + [("self", True), ("cross", False)] * 3


@pytest.mark.parametrize("batch", [1, 2])
def test_property_decoding_against_a_cache_is_computing_everything_again(batch: int) -> None:
    module: Any = build_module(sheet("parti-transformer").at_preset("tiny"), device="cpu")
    layers, heads, width, length = 3, 4, 32, 9
    generator = torch.Generator().manual_seed(1)
    text, ids = (torch.randint(0, 500, (batch, tokens), generator=generator) for tokens in (11, length))
    keys, values = (torch.full((layers, batch, heads, length, width), float("nan")) for _ in range(2))
    with torch.no_grad():
        whole, read = module(text=text, ids=ids), module(text=text)
        for place in range(length):
            part = {"keys": keys[:, :, :, : place + 1], "values": values[:, :, :, : place + 1]}
            token = module(ids=ids[:, place : place + 1], **part, **read)
            assert torch.allclose(token[:, 0], whole[:, place], atol=2e-5), place
    assert whole.std() > 0.1


def test_a_token_sees_only_those_before_it() -> None:
    module: Any = build_module(sheet("parti-transformer").at_preset("tiny"), device="cpu")
    text, ids = torch.arange(5).reshape(1, 5), torch.arange(8).reshape(1, 8)
    changed = ids.clone()
    changed[0, 5] = 77
    with torch.no_grad():
        difference = (module(text=text, ids=ids) - module(text=text, ids=changed)).abs().amax(-1)[0]
    assert (difference > 1e-4).tolist() == [False] * 5 + [True] * 3


def test_prefill_reads_text_only_and_decode_leaves_room_for_the_new_token() -> None:
    family = family_of(sheet("parti-transformer"))
    assert [symbol.name for symbol in family.symbols("prefill")] == ["batch", "text"]
    seq = family.symbols("decode")[1]
    assert (seq.name, seq.default, seq.high, seq.degree, seq.alias) == ("seq", 1023, 4095, 1, ("kv", 1))
    with pytest.raises(BadValue) as error:
        load("parti-transformer", phase="decode", seq=4096)
    assert str(error.value) == (
        "seq=4096 is above 4095 (the largest number of image tokens before the new one of this workload). Choose a whole number from 1 to 4095."
    )
    with pytest.raises(BadValue) as error:
        load("parti-transformer", phase="prefill", seq=5)
    assert str(error.value) == "'parti-transformer' has no symbol 'seq'. Choose from: batch, text."


def test_a_call_that_decodes_nothing_is_refused() -> None:
    module = build_module(sheet("parti-transformer").at_preset("tiny"), device="cpu")
    with pytest.raises(TypeError) as error:
        module(ids=torch.zeros(1, 1, dtype=torch.long))
    assert str(error.value) == "give text, or ids with keys, values, text_keys and text_values"

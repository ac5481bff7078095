"""Polynomials against tables made afresh, at points that they have not seen: batch 1, sequence 1, odd image sides, windows, experts, full tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thrifty.errors import BadValue
from thrifty.workload import Workload, load
from thrifty.workload.families import Decoder, Dlrm, Encoder, Resnet, Vit
from thrifty.workload.families.language.decoder_shape import DecoderShape
from thrifty.workload.families.language.encoder import EncoderShape
from thrifty.workload.families.recommenders.dlrm import DlrmShape
from thrifty.workload.families.vision.resnet import ResnetShape
from thrifty.workload.families.vision.vit import VitShape
from thrifty.workload.interpolation import evaluate, interpolation
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.scaling import VALUES, Polynomials
from thrifty.workload.table import OperatorTable

_SIZES: dict[str, Any] = {"layers": 2, "hidden": 16, "heads": 4, "intermediate": 24, "vocab": 150, "context": 512}
LLAMA = Decoder(shape=DecoderShape(**_SIZES, kv_heads=2))
MIXTRAL = Decoder(shape=DecoderShape(**_SIZES, experts=12, top_k=2))
GEMMA = Decoder(
    shape=DecoderShape(
        **{**_SIZES, "layers": 3}, kv_heads=1, norm="rms_offset", activation="gelu_tanh", tied=True, qk_norm=True, post_norms=True, embed_scale=True,
        window=32, global_every=3,
    )
)  # fmt: skip
BERT = Encoder(shape=EncoderShape(layers=1, hidden=16, heads=2, intermediate=24, vocab=40, context=256))
VIT = Vit(shape=VitShape(layers=1, hidden=16, heads=2, intermediate=24, image=32, patch=8, classes=5))
RESNET = Resnet(shape=ResnetShape(widths=(16, 32, 64, 128), depths=(1, 1, 1, 1), stem=8, image=64, classes=5))
DLRM = Dlrm(shape=DlrmShape(tables=(5, 900, 40), dim=4, bottom=(3, 8, 4), top=(6, 1), pooling=2))


def work(family: Any, phase: WorkPhase, format_name: str = "bf16") -> Workload:
    return load(family, phase=phase, format=format_name)


def assert_equal_to_tables(polynomials: Polynomials, points: Mapping[str, Any], some: int = 12) -> None:
    """Totals and peak of all points against tables of some of them, rows of a few."""
    totals, peak = polynomials.totals(points), polynomials.peak_memory(points)
    arrays = [np.atleast_1d(np.asarray(points[name])) for name in polynomials.names]
    count = len(np.broadcast_arrays(*arrays)[0])
    for place, index in enumerate(np.unique(np.linspace(0, count - 1, some).astype(int))):
        point = {name: int(np.broadcast_to(array, count)[index]) for name, array in zip(polynomials.names, arrays, strict=True)}
        table = polynomials.workload.at(**point).table
        assert {name: int(values[index]) for name, values in totals.items()} == table.totals(), point
        assert int(peak[index]) == table.peak()[0], point
        if place < 3:
            expected = np.stack([table.rows[name].astype(np.int64) for name in VALUES], axis=1)
            assert (polynomials.rows(**point) == expected).all(), point


def grid(**sizes: list[int]) -> dict[str, np.ndarray[Any, Any]]:
    meshes = np.meshgrid(*sizes.values(), indexing="ij")
    return {name: mesh.ravel() for name, mesh in zip(sizes, meshes, strict=True)}


@pytest.mark.parametrize("phase", ["prefill", "decode", "forward", "training"])
@pytest.mark.parametrize("family", [LLAMA, MIXTRAL, GEMMA], ids=["llama", "mixtral", "gemma"])
def test_language_models(family: Decoder, phase: WorkPhase) -> None:
    """Across the window, the size of the vocabulary (300 tokens read every row of the embedding) and of the experts."""
    polynomials = work(family, phase).polynomials
    assert_equal_to_tables(polynomials, grid(batch=[1, 2, 3, 7, 20, 31], seq=[1, 2, 15, 30, 31, 32, 33, 100, 257, 511]), some=25)
    assert polynomials.traced < 250 and len(polynomials.chambers) < 20


def test_encoder_and_recommender() -> None:
    assert_equal_to_tables(work(BERT, "training").polynomials, grid(batch=[1, 2, 9], seq=[1, 3, 64, 255, 256]))
    for phase in ("forward", "training"):
        assert_equal_to_tables(work(DLRM, phase, "fp32").polynomials, grid(batch=[1, 2, 3, 21, 22, 400, 451, 1000]))


def test_odd_image_sides() -> None:
    """Floors of every halving: each remainder of 32 is a class of its own."""
    polynomials = work(RESNET, "training", "fp32").polynomials
    assert_equal_to_tables(polynomials, grid(batch=[1, 3], image=[33, 64, 65, 97, 129, 161, 225, 256, 299, 331]), some=16)
    assert_equal_to_tables(work(VIT, "forward", "fp32").polynomials, grid(batch=[1, 4], image=[8, 15, 16, 33, 40, 41, 97, 105]), some=14)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batch=st.integers(1, 40), seq=st.integers(1, 511), phase=st.sampled_from(["prefill", "decode"]))
def test_property_any_point_after_a_sweep(batch: int, seq: int, phase: WorkPhase) -> None:
    polynomials = _swept(phase)
    assert_equal_to_tables(polynomials, {"batch": batch, "seq": seq}, some=1)


_KEPT: dict[str, Polynomials] = {}


def _swept(phase: WorkPhase) -> Polynomials:
    if phase not in _KEPT:
        _KEPT[phase] = work(GEMMA, phase).polynomials
        _KEPT[phase].totals(grid(batch=[1, 2, 40], seq=[1, 2, 511]))
    return _KEPT[phase]


def test_nothing_is_extrapolated() -> None:
    """A point outside every box gets a table; one inside none."""
    polynomials = work(LLAMA, "prefill").polynomials
    polynomials.totals(grid(batch=[2, 16], seq=[10, 100]))
    traced = polynomials.traced
    polynomials.totals(grid(batch=[5, 9, 16], seq=[11, 50, 100]))
    assert polynomials.traced == traced
    polynomials.totals({"batch": 17, "seq": 50})
    assert polynomials.traced > traced
    assert_equal_to_tables(polynomials, {"batch": 17, "seq": 50}, some=1)


def test_a_wall_stands_where_two_polynomials_cross() -> None:
    """From 150 tokens on every row of the embedding may be read; the chambers on either side say so exactly at the edge."""
    polynomials = work(LLAMA, "prefill").polynomials
    points = grid(batch=[2, 3, 10], seq=[10, 14, 15, 16, 49, 50, 51, 74, 75, 76, 200])
    assert_equal_to_tables(polynomials, points, some=33)
    assert len(polynomials.chambers) == 2 and {wall.below for c in polynomials.chambers for wall in c.walls} == {True, False}


def test_formula_total_flops_of_a_sweep() -> None:
    totals = work(LLAMA, "forward").polynomials.totals({"batch": np.arange(1, 50), "seq": 100})
    layer = 2 * 16 * 16 + 2 * 16 * 8 + 3 * 16 * 24
    expected = [2 * b * 100 * (2 * layer + 16 * 150) + 2 * b * 4 * 100 * 100 * 16 for b in range(1, 50)]
    assert totals["flops_matrix"].tolist() == expected


class Captured:
    """A source that behaves as a captured one may: its operators change with size, and nobody says where."""

    def symbols(self, phase: WorkPhase) -> tuple[Symbol, ...]:
        return (Symbol(name="batch", default=1), Symbol(name="seq", default=8, high=4096, degree=2))

    def table(self, phase: WorkPhase, format_name: str, point: Mapping[str, int]) -> OperatorTable:
        return (LLAMA if point["seq"] < 77 else MIXTRAL).table("forward", format_name, {**point, "seq": min(point["seq"], 512)})


def test_unannounced_changes_are_found_by_halving() -> None:
    """At 77 the operators change, at 512 they stop growing."""
    polynomials = load(Captured(), phase="forward").polynomials
    assert_equal_to_tables(polynomials, grid(batch=[1, 2, 5], seq=[2, 50, 75, 76, 77, 78, 100, 300, 512, 513, 700, 2000]), some=36)


def test_captured_by_torch() -> None:
    """The same polynomials from a torch module on meta: LLaMA's prefill at unseen points."""
    pytest.importorskip("torch")
    from tests.workload.families.twins import twin

    from thrifty.workload.building import TorchSource

    blueprint = twin(
        "lm", "transformers.LlamaForCausalLM", vocab_size=150, hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512,
    )  # fmt: skip
    polynomials = load(TorchSource(blueprint), phase="prefill", format="fp32").polynomials
    assert_equal_to_tables(polynomials, grid(batch=[2, 6], seq=[1, 2, 9, 40]), some=6)


def test_errors() -> None:
    polynomials = work(LLAMA, "prefill").polynomials
    for points, words in (
        ({"batch": [1, 0]}, "batch=0 is below 1. Choose a whole number from 1 up."),
        ({"seq": [5, 513]}, "seq=513 is above 512 (the largest context of this workload). Choose a whole number from 1 to 512."),
        ({"seq": [5.0, 7.5]}, "seq=7.5 is not a whole number. Choose a whole number from 1 to 512."),
        ({"image": [5]}, "'Decoder' has no symbol 'image'. Choose from: batch, seq."),
    ):
        with pytest.raises(BadValue) as caught:
            polynomials.totals(points)
        assert str(caught.value) == words
    from dataclasses import replace

    with pytest.raises(BadValue, match=r"^'Decoder' was captured at one point only, so nothing is known of other sizes\. Load it by name\.$"):
        Polynomials.of(replace(work(LLAMA, "prefill"), source=None))


@given(st.lists(st.integers(-(10**12), 10**12), min_size=6, max_size=6), st.integers(1, 10**6), st.integers(1, 10**6))
def test_property_interpolation_is_exact(coefficients: list[int], x: int, y: int) -> None:
    """A polynomial of degree 1 in one and 2 in another size, from six values, at any point, in whole numbers of any length."""

    def value(a: int, b: int) -> int:
        return sum(c * a**p * b**q for c, (p, q) in zip(coefficients, [(p, q) for p in range(2) for q in range(3)], strict=True))

    nodes = [[3, 11], [2, 7, 30]]
    inverse, denominator, exponents = interpolation(nodes)
    found = inverse @ np.array([value(a, b) for a in nodes[0] for b in nodes[1]], dtype=object)
    assert [int(c) for c in found] == [denominator * c for c in coefficients]
    wanted = value(x % 1000, y % 1000)
    at = np.array([[x % 1000, y % 1000]], dtype=np.int64)
    if abs(wanted) < 2**62:
        assert int(evaluate(found, exponents, denominator, at)[0]) == wanted

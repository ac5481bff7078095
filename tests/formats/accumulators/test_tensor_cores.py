"""Tensor cores: mmasim's stored answers, compiled against the definition, published probes and biases, what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.formats.accumulators.mmasim_replay import stored
from tests.formats.accumulators.test_chains import same

from thrifty.errors import BadValue
from thrifty.formats import matmul, parse_accumulator
from thrifty.formats import round as round_to
from thrifty.formats.accumulators import stages, tensor_cores
from thrifty.formats.accumulators.cores.catalogue import sources
from thrifty.formats.accumulators.plain import keep as keep_plain


def as_read(core: Any, x: Any) -> Any:
    """FP32 as a TF32 core reads it."""
    if core.a.name != "tf32":
        return x
    return np.where(np.isnan(x), x, (x.astype(np.float32).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32).astype(np.float64))


@pytest.mark.parametrize("path", ["compiled", "plain"])
def test_replay_mmasim(path: str) -> None:
    seen = set()
    for core, (a, b, start, answer, *scales) in stored():
        keep = stages.keep if path == "compiled" else keep_plain
        got = keep(as_read(core, a), as_read(core, b), parse_accumulator(core.name), start, tuple(scales) or None)
        assert same(got, answer), core.name
        seen.add(core.name)
    assert seen == {core.name for core in tensor_cores()}


MMASIM_SAID = [
    # Groups whose products are all zero count as zeros, whatever their scales; those whose products cancel have their scales' exponent.
    ("blackwell-mxfp4-block16", [0.0] * 16 + [1.0], [0.0] * 16 + [1.0], 2.0**-30, [2.0**60, 1, 1, 1], 1.0),
    ("blackwell-mxfp4-block16", [1.0, 0.0] + [0.0] * 14 + [1.0], [0.0, 1.0] + [0.0] * 14 + [1.0], 2.0**-30, [2.0**60, 1, 1, 1], 1.0),
    ("blackwell-mxfp4-block16", [1.0, -1.0] + [0.0] * 14 + [1.0], [1.0, 1.0] + [0.0] * 14 + [1.0], 2.0**-30, [2.0**60, 1, 1, 1], 0.0),
    ("rtx-blackwell-nvfp4", [0.0] * 64, [0.0] * 64, 2.0**-140, [448.0] * 4, 2.0**-140),
    # The sum of CDNA3 is rounded down behind its own first bit, not that of its largest term.
    ("cdna3-bf16", [-94208.0, -384.0, 1.0], [1.0] * 3, 2.0**32 + 94208, None, 2.0**32 - 256),
    ("cdna3-bf16", [-94208.0, -384.0, 0.5], [1.0] * 3, 2.0**32 + 94208, None, 2.0**32 - 512),
    ("cdna3-bf16", [-94720.0, -256.0, 1.75], [1.0] * 3, 2.0**32 + 95232, None, 2.0**32),
    ("cdna3-e5m2", [2.0**13, 2.0**8], [2.0**12, 2.0**8], 2.0**48 - 2.0**24, None, 2.0**48),
    # Negative products and sums of CDNA2 too small to be normal keep their sign, operands do not.
    ("cdna2-bf16-1k", [0.0] * 4 + [2.0**-126], [1.0] * 5, -1.5 * 2.0**-126, None, -0.0),
    ("cdna2-bf16-1k", [-0.0], [1.0], -(2.0**-127), None, 0.0),
    ("cdna2-bf16", [2.0**-126, 0.0, -(2.0**-126), -1.0], [1.0, 1.0, 0.5, 0.0], -1.5 * 2.0**-126, None, -0.0),
    ("cdna2-bf16", [2.0**-126, 0.0, -(2.0**-127), -1.0], [1.0, 1.0, 1.0, 0.0], -1.5 * 2.0**-126, None, 0.0),
    # CDNA1: an exact zero is +0, a sum that underflows keeps its sign.
    ("cdna1-bf16", [-0.0, -0.0], [1.0, 1.0], -0.0, None, 0.0),
    ("cdna1-bf16", [-(2.0**-100), 0.0], [2.0**-100, 0.0], 0.0, None, -0.0),
]  # fmt: skip


@pytest.mark.parametrize("path", ["compiled", "plain"])
def test_replay_zero_groups_ties_and_signs(path: str) -> None:
    """What random operands seldom meet, as mmasim 2.1.1 answers it."""
    for name, a, b, start, scale, answer in MMASIM_SAID:
        scales = None if scale is None else (np.array([scale]), np.ones((len(scale), 1)))
        keep = stages.keep if path == "compiled" else keep_plain
        got = keep(np.array([a]), np.array(b)[:, None], parse_accumulator(name), np.array([[start]]), scales)
        assert same(got, np.array([[answer]])), (name, a, float(got[0, 0]))


def rounded(x: Any, core: Any, spec: Any) -> Any:
    return round_to(x, spec, overflow="saturate")


@pytest.mark.parametrize("name", [
    "volta-fp16", "ampere-fp16-acc16", "ada-e4m3-e5m2", "hopper-bf16", "hopper-tf32", "hopper-e4m3", "blackwell-e5m2-e2m1", "blackwell-mx-e4m3-e2m3",
    "rtx-blackwell-fp16", "cdna3-fp32", "hopper-fp64", "cdna3-e4m3-e5m2", "cdna3-bf16",
])  # fmt: skip
def test_property_whole_products_compiled_are_the_definition(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, how = np.random.default_rng(6), parse_accumulator(name)
    core = how.tensor_core
    for m, k, n in ((3, 70, 150), (40, 33, 2)):
        a, b = (rounded(np.ldexp(rng.standard_normal(shape), rng.integers(-3, 4, shape)), core, spec) for shape, spec in (((m, k), core.a), ((k, n), core.b)))
        scales: dict[str, Any] = {}
        if core.scale is not None:
            blocks = -(-k // core.scale_block)
            scales = {"scale_a": 2.0 ** rng.integers(-9, 9, (m, blocks)), "scale_b": 2.0 ** rng.integers(-9, 9, (blocks, n))}
            scales["scale_a"][1, 0] = np.nan
        if core.a.infinities:
            a[1, 5], a[2, 7] = np.inf, np.nan
        if core.b.infinities:
            b[5, 1], b[6, 1] = np.inf, -np.inf
        ours = matmul(a, b, how, **scales)
        with monkeypatch.context() as patch:
            patch.setattr(stages, "has_numba", lambda: False)
            assert same(ours, matmul(a, b, how, **scales))


@pytest.mark.parametrize(("name", "terms", "added"), [
    ("volta-fp16", 16, 0), ("ampere-fp16", 16, 16), ("hopper-fp16", 16, 16), ("hopper-e4m3", 32, 0), ("blackwell-e4m3", 32, 32),
])  # fmt: skip
def test_paper_ones_beside_two_to_the_24(name: str, terms: int, added: float) -> None:
    assert matmul(np.ones((1, terms)), np.ones((terms, 1)), name, start=[[2.0**24]])[0, 0] - 2.0**24 == added


def test_paper_what_survives_cancellation() -> None:
    small = [0.5]
    keeps = {
        name for name in ("volta-fp16", "ampere-fp16", "hopper-fp16", "blackwell-fp16", "cdna1-fp16", "cdna2-fp16", "cdna3-fp16")
        if matmul(np.array([2.0**15, *small, -(2.0**15)]), np.array([2.0**15, *small, 2.0**15]), name)
    }  # fmt: skip
    assert keeps == {"cdna1-fp16"}
    for name, left in (("hopper-e4m3", 0.0), ("blackwell-e4m3", 0.25)):
        assert matmul(np.array([256.0, 0.5, -256.0]), np.array([256.0, 0.5, 256.0]), name) == left


def test_paper_hopper_fp8_is_biased_and_promotion_repairs_it() -> None:
    rng = np.random.default_rng(7)
    a, b = (rounded(rng.random(shape), None, "e4m3") for shape in ((24, 4096), (4096, 24)))
    exact = a @ b  # of E4M3, exact in FP64
    bias = {name: float(((matmul(a, b, name) - exact) / exact).mean()) for name in ("hopper-e4m3", "hopper-e4m3:promote=128", "blackwell-e4m3")}
    assert bias["hopper-e4m3"] == pytest.approx(-0.066, abs=0.002)
    assert bias["hopper-e4m3:promote=128"] == pytest.approx(-5e-4, rel=0.1)
    assert -1e-6 < bias["blackwell-e4m3"] < 0


def test_formula_tf32_reads_the_high_bits() -> None:
    x = np.array([1 + 2.0**-11 + 2.0**-23], dtype=np.float32)
    assert matmul(x, x * 0 + 1, "ampere-tf32") == 1


def test_formula_block_scales_multiply() -> None:
    a, b = np.ones((2, 64)), np.ones((64, 3))
    scale_a, scale_b = np.array([[2.0, 0.5, 1, 1.5], [1, 1, 1, 1]]), np.full((4, 3), 4.0)
    assert (matmul(a, b, "blackwell-nvfp4", scale_a=scale_a, scale_b=scale_b) == np.array([[320.0], [256.0]])).all()
    got = matmul(a, b, "blackwell-mxfp4:promote=32", scale_a=[[2.0, np.nan], [1, 1]], scale_b=np.ones((2, 3)))
    assert np.isnan(got[0]).all() and (got[1] == 64).all()


def test_formula_what_operands_do_not_hold_is_refused() -> None:
    a, b = np.full((1, 32), 0.1), np.ones((32, 1))
    for call, says in (
        (lambda: matmul(a, b, "hopper-bf16"), "a holds 0.1, which is no number of bf16, and hopper-bf16 multiplies bf16. Round it first: thrifty"),
        (lambda: matmul(b.T, b * 500, "hopper-e4m3"), "b holds 500.0"), (lambda: matmul(b.T, b * np.nan, "blackwell-e2m1"), "b holds nan"),
        (lambda: matmul(b.T, b * np.inf, "hopper-e4m3"), "b holds inf"), (lambda: matmul(b.T, b, "blackwell-nvfp4"), "scale_a is missing"),
        (lambda: matmul(b.T, b, "blackwell-mxfp4", scale_a=[[3.0]], scale_b=[[1.0]]), "scale_a holds 3.0"),
        (lambda: matmul(b.T, b, "blackwell-mxfp4", scale_a=[[1.0, 1.0]], scale_b=[[1.0]]), "it must be (…, 1, 1)"),
        (lambda: matmul(b.T, b, "blackwell-mxfp4:promote=8", scale_a=[[1.0]], scale_b=[[1.0]]), "cuts blocks"),
    ):
        with pytest.raises(BadValue) as error:
            call()
        assert says in str(error.value), says


def test_formula_every_row_of_the_catalogue_has_a_source() -> None:
    for core in tensor_cores():
        assert sources()[core.source]["url"].startswith("https://")
        assert core.chunk % 4 == 0 or core.method in ("fused", "exact", "flushed")
        assert parse_accumulator(core.name).name == core.name

"""Sums of any format: by hand, against rational numbers, and compiled against the definition."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.errors import BadValue, ThriftyError
from thrifty.formats import accumulate, float_spec, matmul, parse_accumulator
from thrifty.formats import round as round_to
from thrifty.formats.accumulators import stages
from thrifty.formats.accumulators.plain import finish_of
from thrifty.formats.accumulators.plain.fused import fused_step
from thrifty.formats.accumulators.plain.integers import fused_whole
from thrifty.loops import has_numba

FORMATS = ("fp32", "fp64", "bf16", "fp16", "e4m3")
SPECS = (
    *(f"{kind}:{format}" for kind in ("sequential", "fma", "kahan", "exact") for format in FORMATS), "pairwise:fp32", "pairwise:bf16:leaf=8",
    "pairwise:fp32:leaf=3", "tree:fp16", "tree:fp32:radix=5", "fma:fp32:promote=8", "split_k:3:fma:bf16", "split_k:4:fma:fp32|kahan:fp32",
)  # fmt: skip
WORD = st.integers(0, 2**64 - 1).map(lambda word: float(np.uint64(word).view(np.float64)))


def same(a: Any, b: Any) -> bool:
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    return bool(((a.view(np.int64) == b.view(np.int64)) | (np.isnan(a) & np.isnan(b))).all())


def exactly(a: float, b: float, c: float, name: str) -> float:
    """a · b + c rounded once, by rational numbers."""
    return nearest(Fraction(a) * Fraction(b) + Fraction(c), name)


def nearest(exact: Fraction, name: str) -> float:
    """A rational number rounded once."""
    spec = float_spec(name)
    if exact == 0:
        return 0.0
    size = abs(exact)
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    exponent -= size < Fraction(2) ** exponent
    step = Fraction(2) ** (max(exponent, spec.emin) - spec.mantissa_bits)
    whole = round(size / step) * step  # Python's round is to nearest, ties to even
    if whole > Fraction(spec.largest):
        return math.copysign(math.inf if spec.infinities else spec.largest, exact)
    return math.copysign(float(whole), exact)


@settings(max_examples=300, deadline=None)
@given(WORD, WORD, WORD, st.sampled_from(FORMATS), st.booleans())
def test_property_fma_of_any_fp64_is_rounded_once(a: float, b: float, c: float, name: str, cancels: bool) -> None:
    spec = float_spec(name)
    if not (math.isfinite(a) and math.isfinite(b)):
        return
    with np.errstate(all="ignore"):
        c = float(finish_of(spec)(np.array([-a * b if cancels else c]))[0])
        if not math.isfinite(c):
            return
        got = fused_step(spec, False, finish_of(spec))(*(np.array([x]) for x in (a, b, c)))[0]
    want = exactly(a, b, c, name)
    assert got == want
    if want:
        assert fused_whole(a, b, c, spec) == want


@pytest.mark.skipif(not has_numba(), reason="numba is not installed")
@pytest.mark.parametrize("spec", SPECS)
def test_property_compiled_is_the_definition(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng, how = np.random.default_rng(1), parse_accumulator(spec)
    for m, k, n in ((2, 0, 3), (1, 1, 1), (5, 37, 40), (19, 21, 1), (3, 18, 290)):
        words = [rng.integers(0, 1 << 32, shape, dtype=np.uint32).view(np.float32) for shape in ((m, k), (k, n))]
        usual = [rng.standard_normal(shape).astype(np.float32) for shape in ((m, k), (k, n))]
        if k > 3:
            usual[0][:, 2], usual[1][2] = -usual[0][:, 1], usual[1][1]
        tiny = [np.ldexp(x, -72).astype(np.float32) for x in usual]
        for a, b in (usual, tiny, words):
            ours = matmul(a, b, how)
            with monkeypatch.context() as patch:
                patch.setattr(stages, "has_numba", lambda: False)
                assert same(ours, matmul(a, b, how)), (spec, m, k, n)


@pytest.mark.skipif(not has_numba(), reason="numba is not installed")
@pytest.mark.parametrize("spec", ["fma:fp32", "fma:fp64"])
@pytest.mark.parametrize(
    ("left", "right"),
    [((3, 1, 5, 7), (1, 4, 7, 20)), ((6, 9, 7), (7, 18)), ((2, 3, 19, 7), (7, 3)), ((2, 19, 7), (2, 7, 3)), ((19, 7), (4, 7, 3)), ((4, 3, 0), (4, 0, 2)),
     ((0, 3, 7), (7, 2)), ((1, 3, 7), (7,)), ((9, 1), (2, 1, 3))],
)  # fmt: skip
def test_property_batches_at_once_are_products_one_by_one(left: tuple[int, ...], right: tuple[int, ...], spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    for dtype in (np.float32, np.float64):
        a, b = (rng.standard_normal(shape).astype(np.float32).astype(dtype) for shape in (left, right))
        start = rng.standard_normal(np.matmul(a, b).shape).astype(np.float32)
        ours = matmul(a, b, spec), matmul(a, b, spec, start=start)
        with monkeypatch.context() as patch:
            patch.setattr(stages, "has_numba", lambda: False)
            assert all(map(same, ours, (matmul(a, b, spec), matmul(a, b, spec, start=start))))
        assert ours[0].dtype == (dtype if spec == "fma:fp32" else np.float64)


def test_formula_sums_by_hand() -> None:
    x = np.array([256.0, 1.0, 1.0, 1.0, 1.0])  # BF16 has 8 bits: 256 + 1 is a tie and stays, 256 + 2 counts
    assert accumulate(x, "sequential:bf16") == 256
    assert accumulate(x[::-1], "sequential:bf16") == 260
    assert accumulate(x, "pairwise:bf16") == 260  # ((256 + 1) + (1 + 1)) + 1 = 258 + 1, a tie that goes up
    assert accumulate(x, "pairwise:bf16:leaf=3") == 258  # ((256 + 1) + 1) + (1 + 1)
    assert accumulate(x, "tree:bf16") == 258  # 256 + 1, 1 + 1, 1; then 256 + 1, 2; then 256 + 2
    assert accumulate(x, "tree:bf16:radix=5") == 256
    assert accumulate(x, "kahan:bf16") == accumulate(x, "exact:bf16") == 260
    assert accumulate(x, "split_k:2:sequential:bf16") == 258  # 256 + 1 + 1, and 1 + 1
    assert accumulate(x, "sequential:bf16:promote=2") == 259
    a, b = np.array([1.0, 1 + 2.0**-12]), np.array([-1.0, 1 + 2.0**-12])
    assert matmul(a, b, "fma:fp32") == 2.0**-11 + 2.0**-24
    assert matmul(a, b, "sequential:fp32") == 2.0**-11  # the product was rounded first


@pytest.mark.parametrize(("format", "stops"), [("bf16", 256), ("fp16", 2048), ("e4m3", 16), ("e5m2", 8)])
def test_paper_a_sum_of_ones_stops_at_two_to_the_significand(format: str, stops: int) -> None:
    assert accumulate(np.ones(2 * stops + 8), f"sequential:{format}") == stops


@pytest.mark.parametrize(("terms", "low", "high"), [(64, -0.03, 0.03), (1024, -0.53, -0.45), (16384, -0.972, -0.965)])
def test_paper_bf16_sums_of_uniform_numbers_stagnate(terms: int, low: float, high: float) -> None:
    x = round_to(np.random.default_rng(3).random((50, terms)), "bf16")
    assert low < ((accumulate(x, "sequential:bf16") - x.sum(axis=1)) / x.sum(axis=1)).mean() < high


def test_property_exact_is_the_rational_sum_rounded_once() -> None:
    rng = np.random.default_rng(4)
    a = np.ldexp(rng.standard_normal((4, 20)), rng.integers(-60, 60, (4, 20))).astype(np.float32)
    b = np.ldexp(rng.standard_normal((20, 3)), rng.integers(-60, 60, (20, 3))).astype(np.float32)
    a[:, 10:], b[10:] = -a[:, :10], b[:10] * np.float32(1 + 2**-20)
    for name in FORMATS:
        got = matmul(a, b, f"exact:{name}")
        for i in range(4):
            for j in range(3):
                total = sum((Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a[i], b[:, j], strict=True)), Fraction(0))
                assert got[i, j] == nearest(total, name)


@pytest.mark.parametrize("wide", [False, True])
def test_formula_exact_sums_stay_within_their_format(wide: bool) -> None:
    tiny = 1 + 2.0**-40 if wide else 1.0  # what FP32 does not hold is summed by the definition
    assert same(matmul([[-1e-30 * tiny]], [[1e-30]], "exact:fp8_e4m3fnuz"), [[0.0]])
    assert same(matmul([[math.inf, tiny]], [[-1.0], [1.0]], "exact:e4m3"), [[-448.0]])
    assert same(matmul([[math.inf, tiny]], [[-1.0], [1.0]], "exact:e5m2"), [[-math.inf]])
    signalling = np.array([[0x7FF0000000000001]], dtype=np.uint64).view(np.float64)
    assert same(matmul(signalling, [[tiny]], "exact:e4m3"), [[math.nan]]) and same(matmul(signalling, [[tiny]], "fma:bf16"), [[math.nan]])


def test_formula_shapes_kinds_and_dtypes() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((2, 1, 3, 7)).astype(np.float32), rng.standard_normal((4, 7, 5)).astype(np.float32)
    out = matmul(a, b)
    assert out.shape == (2, 4, 3, 5) and out.dtype == np.float32
    assert same(out[1, 2], matmul(a[1, 0], b[2]))
    assert same(matmul(a[0, 0, 0], b[0]), out[0, 0, 0]) and same(matmul(a[0, 0], b[0][:, 1]), out[0, 0, :, 1])
    assert matmul(a[0, 0, 0], b[0][:, 1]).shape == ()
    assert matmul(a.astype(np.float64), b).dtype == np.float64 and matmul(a, b, "fma:fp64").dtype == np.float64
    tensor = matmul(torch.from_numpy(a).requires_grad_(), torch.from_numpy(b))
    assert isinstance(tensor, torch.Tensor) and not tensor.requires_grad and same(tensor.numpy(), out)
    strided = np.asfortranarray(a[0, 0])[:, ::-1]
    assert same(matmul(strided, b[0]), matmul(np.ascontiguousarray(strided), b[0]))
    assert same(accumulate(b, axis=1), accumulate(np.ascontiguousarray(np.moveaxis(b, 1, -1))))
    assert matmul(np.zeros((0, 3)), np.zeros((3, 2))).shape == (0, 2) and (matmul(np.zeros((2, 0)), np.zeros((0, 2))) == 0).all()
    begin = rng.standard_normal((3, 5)).astype(np.float32)
    assert same(matmul(a[0, 0], b[0], start=matmul(a[0, 0][:, :4], b[0][:4], start=begin)[:, :] * 0 + begin), matmul(a[0, 0], b[0], start=begin))
    assert same(matmul(a[0, 0][:, 4:], b[0][4:], start=matmul(a[0, 0][:, :4], b[0][:4])), matmul(a[0, 0], b[0]))


@pytest.mark.parametrize(("spec", "says"), [
    ("fma", "names no format. Write fma:fp32"), ("fma:fp31", "No format named"), ("fmaa:fp32", "Did you mean 'fma:fp32'"), ("fma:fp4", "cannot keep a sum"),
    ("fma:e8m0", "cannot keep a sum"), ("pairwise:fp32:leaf=0", "leaf='0'"), ("pairwise:fp32:radix=2", "pairwise takes :leaf=N"),
    ("tree:fp32:radix=1", "radix='1'"),
    ("hopper-bf16:leaf=2", "takes :promote=N only"), ("hopper-fp4", "Did you mean"), ("split_k:0:fma:fp32", "N='0'"), ("split_k:2:", "must be split_k:N:inner"),
    ("split_k:2:split_k:2:fma:fp32", "splits within a split"),
    ("split_k:2:fma:fp32|hopper-bf16", "operands would not hold"), ("fma:fp32:promote=x", "promote='x'"),
])  # fmt: skip
def test_formula_what_is_no_accumulator_is_refused(spec: str, says: str) -> None:
    with pytest.raises(ThriftyError, match=r".*") as error:
        parse_accumulator(spec)
    assert says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("spec", SPECS)
def test_formula_names_are_read_back(spec: str) -> None:
    assert parse_accumulator(parse_accumulator(spec).name) == parse_accumulator(spec)


def test_formula_bad_operands_are_refused() -> None:
    a, b = np.ones((2, 3)), np.ones((3, 2))
    for call, says in (
        (lambda: matmul(a, a), "must have the same length"), (lambda: matmul(1.0, b), "must have the same length"),
        (lambda: matmul(np.ones((2, 2, 3)), np.ones((3, 3, 2))), "must be equal or 1"), (lambda: matmul(a * 1j, b), "no real number"),
        (lambda: matmul(a, b, start=np.ones((3, 2))), "start is (3, 2)"), (lambda: matmul(a, b, "kahan:fp32", start=np.ones((2, 2))), "cannot go on"),
        (lambda: matmul(a, b, "sequential:bf16", start=np.full((2, 2), 0.1)), "which is no number of bf16"), (lambda: accumulate(a, axis=2), "axis=2"),
        (lambda: accumulate(a, axis=None), "axis=None"), (lambda: accumulate(a, axis=1.0), "axis=1.0"), (lambda: accumulate(a, axis=(0, 1)), "axis=(0, 1)"),  # type: ignore[arg-type]
        (lambda: matmul(a, b, ["fma:fp32"]), "must be a text"),  # type: ignore[arg-type]
        (lambda: matmul(a, b, "blackwell-mx-e4m3", scale_a=np.ones((5, 2, 1)), scale_b=np.ones((1, 2))), "scale_a is (5, 2, 1)"),
        (lambda: matmul(a, b, scale_a=a, scale_b=b), "does not"), (lambda: matmul(a, b, 3), "must be a text"),  # type: ignore[arg-type]
    ):
        with pytest.raises(BadValue) as error:
            call()
        assert says in str(error.value), says

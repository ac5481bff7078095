"""Arrays and tensors of every kind in and out, memory of the caller's own, bits as views, draws that any path repeats."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest

from thrifty import loops
from thrifty.errors import BadValue
from thrifty.formats import bits, decode, encode, flip, float_spec, from_bits, pack
from thrifty.formats import round as round_to
from thrifty.formats.rounding import calls

X = np.random.default_rng(5).normal(size=(6, 10)).astype(np.float32)


def test_formula_any_strides_any_kind() -> None:
    torch = pytest.importorskip("torch")
    expected = round_to(X, "bf16")
    for view, there in ((X.T, expected.T), (X[::2, 1::3], expected[::2, 1::3]), (X[::-1], expected[::-1]), (X[0, 0], expected[0, 0]), (X[:0], expected[:0])):
        found = round_to(view, "bf16")
        assert type(found) is np.ndarray and found.dtype == np.float32 and found.shape == np.shape(view)
        np.testing.assert_array_equal(found, there)
    for dtype in (np.dtype(">f4"), np.dtype(">f8"), np.dtype("<f8")):
        np.testing.assert_array_equal(round_to(X.astype(dtype), "bf16"), expected)
    tensor = torch.from_numpy(X.copy()).requires_grad_()
    for view, there in ((tensor, expected), (tensor.T, expected.T), (tensor[::2], expected[::2]), (tensor[0, 0], expected[0, 0]), (tensor[:0], expected[:0])):
        found = round_to(view, "bf16")
        assert isinstance(found, torch.Tensor) and not found.requires_grad and found.dtype == torch.float32 and found.shape == view.shape
        np.testing.assert_array_equal(found.numpy(), there)
    assert torch.equal(encode(tensor, "bf16"), torch.from_numpy(encode(X, "bf16"))) and encode(tensor, "bf16").dtype == torch.uint16
    assert torch.equal(round_to(tensor.detach().bfloat16(), "e5m2"), round_to(torch.from_numpy(expected), "e5m2"))
    assert round_to(torch.tensor([1, 2**20 + 1]), "fp16").tolist() == [1.0, math.inf]
    eighths = torch.arange(256, dtype=torch.uint8)
    for name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"):
        numbers = eighths.view(getattr(torch, name))
        np.testing.assert_array_equal(round_to(numbers, "fp32").numpy(), decode(eighths, name).numpy())
    parameter = torch.nn.Parameter(torch.ones(2))
    assert round_to(parameter, "e2m1", overflow="saturate").tolist() == [1.0, 1.0]


def test_peer_ml_dtypes_arrays_come_in() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e5m2fnuz", "float4_e2m1fn", "float6_e2m3fn", "float8_e8m0fnu"):
        x = np.abs(X).astype(getattr(ml_dtypes, name))
        assert round_to(x, "fp32").dtype == np.float32
        np.testing.assert_array_equal(round_to(x, "fp32"), x.astype(np.float32))
        assert (bits(x) == x.view(np.uint8 if x.itemsize == 1 else np.uint16)).all()


@pytest.mark.parametrize("compiled", [True, False])
def test_formula_results_go_where_the_caller_wants(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not compiled:
        monkeypatch.setattr(calls, "has_numba", lambda: False)
    elif not calls.has_numba():
        pytest.skip("numba is not installed")
    expected = round_to(X, "bf16")
    out = np.empty_like(X)
    assert round_to(X, "bf16", out=out) is out and (out == expected).all()
    strided = np.zeros((10, 6), dtype=np.float32).T
    assert round_to(X, "bf16", out=strided) is strided and (strided == expected).all()
    for name in ("bf16", "fp16"):
        itself = X.copy()
        assert round_to(itself, name, out=itself) is itself and (itself == round_to(X, name)).all()
    line = np.arange(1, 40, dtype=np.float32) / 7
    expected_line = round_to(line[:-1], "fp16")
    assert (round_to(line[:-1], "fp16", out=line[1:]) == expected_line).all()  # overlaps x, a step on
    codes = np.empty(X.shape, dtype=np.uint8)
    assert encode(X, "e4m3", overflow="nan", out=codes) is codes and (codes == encode(X, "e4m3", overflow="nan")).all()
    for wrong, text in (
        (np.empty((6, 10)), "dtype float64; the result has (6, 10) and float32"), (np.empty((10, 6), np.float32), "shape (10, 6)"), ([0.0], "Give an array"),
        (np.broadcast_to(np.float32(0), (6, 10)), "cannot be written"),
    ):  # fmt: skip
        with pytest.raises(BadValue) as error:
            round_to(X, "bf16", out=wrong)
        assert text in str(error.value)
    torch = pytest.importorskip("torch")
    tensor, there = torch.from_numpy(X.copy()), torch.empty(6, 10)
    assert round_to(tensor, "bf16", out=there) is there and torch.equal(there, tensor.bfloat16().float())
    assert round_to(tensor, "bf16", out=tensor) is tensor and torch.equal(there, tensor)
    with pytest.raises(BadValue, match="both must be arrays or both tensors"):
        round_to(tensor, "bf16", out=out)


def test_formula_bits_are_views_and_come_back() -> None:
    x = np.array([1.0, -2.0], dtype=np.float32)
    words = bits(x)
    assert words.tolist() == [0x3F800000, 0xC0000000] and np.shares_memory(words, x)
    words[0] ^= 1 << 31
    assert x.tolist() == [-1.0, -2.0] and from_bits(words, "fp32").tolist() == [-1.0, -2.0]
    assert bits(np.array([1.0], dtype=">f8")).tolist() == [0x3FF << 52] and bits(np.float16(1.0)) == 0x3C00
    with pytest.raises(BadValue, match="NumPy has no dtype for bf16"):
        from_bits(np.zeros(2, np.uint16), "bf16")
    with pytest.raises(BadValue, match="whole numbers of 32 bits are needed"):
        from_bits(np.zeros(2, np.uint16), "fp32")
    with pytest.raises(BadValue, match="floats of at most 64 bits"):
        bits(np.array([1, 2]))
    torch = pytest.importorskip("torch")
    for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16), ("fp64", torch.float64), ("e4m3", torch.float8_e4m3fn), ("fp32", torch.float32)):
        tensor = torch.tensor([[1.5, -2.0], [0.5, 3.0]]).to(dtype)
        there = bits(tensor.T)
        assert there.data_ptr() == tensor.data_ptr() and torch.equal(from_bits(there, name).float(), tensor.T.float())
        assert there.tolist() == encode(tensor.T, name, overflow="saturate").tolist()
    with pytest.raises(BadValue, match="torch has no dtype for fp4_e2m1"):
        from_bits(torch.zeros(2, dtype=torch.uint8), "e2m1")


def test_formula_flip_turns_one_bit() -> None:
    codes = encode([1.0, -2.0], "bf16")
    assert decode(flip(codes, 15, "bf16"), "bf16").tolist() == [-1.0, 2.0]
    assert flip(codes, np.array([0, 1])).tolist() == [codes[0] ^ 1, codes[1] ^ 2]
    with pytest.raises(BadValue, match="from 0 to 3"):
        flip(np.array([1], np.uint8), 4, "e2m1")
    torch = pytest.importorskip("torch")
    assert flip(torch.tensor([1, 2], dtype=torch.int16), 15).tolist() == [1 - 2**15, 2 - 2**15]


def test_property_draws_are_the_same_on_every_path(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(8).normal(size=(40, 50))
    for mode in ("stochastic", "random"):
        said: dict[str, Any] = {"rounding": mode, "seed": 99}
        found, codes = round_to(x, "bf16", **said), encode(x, "bf16", **said)
        np.testing.assert_array_equal(decode(codes, "bf16"), found)
        np.testing.assert_array_equal(round_to(np.asfortranarray(x), "bf16", **said), found)
        np.testing.assert_array_equal(round_to(x.reshape(-1), "bf16", **said).reshape(x.shape), found)
        assert (round_to(x, "bf16", rounding=mode, seed=100) != found).any()
        with monkeypatch.context() as threads:
            if calls.has_numba():
                import numba

                from thrifty.formats.rounding import recipes

                threads.setattr(numba.config, "NUMBA_NUM_THREADS", 3)
                threads.setattr(loops.os, "cpu_count", lambda: 3)
                threads.setattr(loops, "SHARE", 1)
                threads.setattr(recipes, "_BLOCK", 64)
                np.testing.assert_array_equal(round_to(x, "bf16", **said), found)
                np.testing.assert_array_equal(encode(x, "bf16", **said), codes)
                np.testing.assert_array_equal(decode(np.repeat(np.arange(256, dtype=np.uint8), 9), "e4m3"), np.repeat(decode(np.arange(256), "e4m3"), 9))
            threads.setattr(calls, "has_numba", lambda: False)
            np.testing.assert_array_equal(round_to(x, "bf16", **said), found)
            np.testing.assert_array_equal(encode(x, "bf16", **said), codes)


@pytest.mark.parametrize("share", [0.125, 0.5, 0.8])
def test_property_stochastic_rounding_has_no_bias(share: float) -> None:
    count, x = 200_000, 1.0 + share * 2.0**-7
    for source in (np.float32, np.float64):
        found = round_to(np.full(count, x, source), "bf16", rounding="stochastic", seed=4)
        assert set(found.tolist()) == {1.0, 1.0 + 2.0**-7}
        up = (found > 1).mean()
        assert abs(up - share) < 4.5 * math.sqrt(share * (1 - share) / count)  # 4.5 sigma: two tries in 150,000 would miss
    directed = (round_to(np.full(count, x), "bf16", rounding="random", seed=4) > 1).mean()
    assert abs(directed - 0.5) < 4.5 * 0.5 / math.sqrt(count)
    tiny = round_to(np.full(count, share * 2.0**-24), "fp16", rounding="stochastic", seed=4)
    assert abs((tiny > 0).mean() - share) < 4.5 * math.sqrt(share * (1 - share) / count)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: round_to([1.0], "e4m3"), "what becomes of numbers above 448 must be said"),
        (lambda: round_to([1.0], "e4m3", overflow="inf"), "fp8_e4m3 has none"),
        (lambda: round_to([1.0], "e2m1", overflow="nan"), "fp4_e2m1 has none"),
        (lambda: round_to([1.0], "bf16", rounding="nearest"), "rounding='nearest' is no rounding mode"),
        (lambda: round_to([1.0], "bf16", overflow="wrap"), "overflow='wrap' is unknown"),
        (lambda: round_to([1.0], "bf16", seed=-1), "seed=-1"),
        (lambda: round_to([1.0, math.nan], "e2m1", overflow="saturate"), "x holds 1 NaN, and fp4_e2m1 has no code for it"),
        (lambda: encode([math.nan, math.nan], "e2m3", overflow="saturate"), "x holds 2 NaN"),
        (lambda: encode(np.array([math.nan]), "e2m1", overflow="saturate", rounding="ru"), "x holds 1 NaN"),
        (lambda: round_to([1j], "bf16"), "dtype complex128"),
        (lambda: round_to(["a"], "bf16"), "no real number"),
        (lambda: round_to(np.zeros(2, np.longdouble), "bf16"), "at most 64 bits"),
        (lambda: round_to([[1.0], [1.0, 2.0]], "bf16"), "rows differ in length"),
        (lambda: round_to(np.array([2**53 + 2]), "bf16"), "whole numbers above 2^53"),
        (lambda: round_to(np.array([-(2**53) - 1]), "bf16", rounding="rd"), "whole numbers above 2^53"),  # FP64 would take it for -2^53
        (lambda: round_to([1.0], None), "format has type NoneType"),  # type: ignore[arg-type]
        (lambda: round_to([1.0], ["bf16"]), "format has type list"),  # type: ignore[arg-type]
        (lambda: decode([16], "e2m1"), "codes go up to 16; fp4_e2m1 has 4 bits, so up to 15"),
        (lambda: decode([-1], "e4m3"), "codes go down to -1"),
        (lambda: decode([1.5], "e4m3"), "whole numbers are needed"),
        (lambda: decode([[1], [1, 2]], "e4m3"), "rows differ in length"),
        (lambda: flip([1.5], 0), "whole numbers are needed"),
        (lambda: flip(np.zeros(1, np.uint8), 12, "fp16"), "codes have dtype uint8; fp16 has 16 bits"),
        (lambda: flip(np.array([300]), 1, "e4m3"), "codes go up to 300"),
        (lambda: flip(np.zeros(3, np.uint8), [1, 2]), "bit has shape (2,) and codes have (3,)"),
        (lambda: flip(np.uint8(0), [1, 2]), "bit has shape (2,) and codes have ()"),
    ],
)  # fmt: skip
def test_formula_bad_input_is_refused_in_one_line(call: Any, text: str) -> None:
    with pytest.raises(BadValue) as error:
        call()
    assert text in str(error.value) and "\n" not in str(error.value)


def test_formula_tensors_that_cannot_be_taken_are_refused_in_one_line() -> None:
    torch = pytest.importorskip("torch")
    for call, text in (
        (lambda: round_to(torch.ones(3), "bf16", out=torch.zeros(1).expand(3)), "some of its elements are one in memory"),
        (lambda: round_to(torch.tensor([2**53 + 1]), "fp64", rounding="ru"), "whole numbers above 2^53"),
        (lambda: round_to(torch.ones(1), torch.bfloat16), "format has type dtype"),
        (lambda: decode(torch.ones(1, dtype=torch.bfloat16), "bf16"), "codes have dtype torch.bfloat16"),
        (lambda: flip(torch.ones(1, dtype=torch.float8_e5m2), 0), "codes have dtype torch.float8_e5m2"),
        (lambda: pack(torch.ones(1, dtype=torch.bfloat16), 4), "codes have dtype torch.bfloat16"),
    ):
        test_formula_bad_input_is_refused_in_one_line(call, text)
    np.testing.assert_array_equal(round_to(X, "bf16", rounding="stochastic", seed=np.int64(7)), round_to(X, "bf16", rounding="stochastic", seed=7))


def test_formula_torch_is_not_loaded_for_arrays() -> None:
    import subprocess

    code = (
        "import sys, numpy as np, thrifty.formats as f; assert not {'torch', 'numba', 'triton'} & set(sys.modules), 'at import'; "
        "f.decode(f.encode(np.ones(3, np.float32), 'bf16'), 'bf16'); assert 'torch' not in sys.modules and 'triton' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_formula_signed_codes_are_the_same_words() -> None:
    codes = encode([1.0, -2.0], "bf16")
    assert decode(codes.view(np.int16), "bf16").tolist() == [1.0, -2.0]
    assert decode(codes.astype(np.int64), float_spec("bf16")).tolist() == [1.0, -2.0]
    assert decode(np.tile(codes, 40_000).astype(np.int32), "bf16")[-2:].tolist() == [1.0, -2.0]

"""Random patterns against gfloat, ml_dtypes, NumPy, torch and apytypes, and where each of them is wrong: where a peer mends one, a test here fails."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from thrifty.formats import decode, encode, float_spec
from thrifty.formats import round as round_to

GFLOAT = {
    "bf16": "bfloat16", "fp16": "binary16", "e4m3": "ocp_e4m3", "e5m2": "ocp_e5m2", "e2m3": "ocp_e2m3", "e3m2": "ocp_e3m2", "e2m1": "ocp_e2m1",
}  # fmt: skip
ML_DTYPES = {
    "bf16": "bfloat16", "e4m3": "float8_e4m3fn", "e5m2": "float8_e5m2", "e4m3fnuz": "float8_e4m3fnuz", "e5m2fnuz": "float8_e5m2fnuz",
    "e2m3": "float6_e2m3fn", "e3m2": "float6_e3m2fn", "e2m1": "float4_e2m1fn",
}  # fmt: skip
TORCH = {"bf16": "bfloat16", "fp16": "float16", "e5m2": "float8_e5m2", "e4m3fnuz": "float8_e4m3fnuz", "e5m2fnuz": "float8_e5m2fnuz"}


def patterns(count: int, seed: int = 1) -> npt.NDArray[np.float32]:
    """Random words of FP32, and numbers near those of small formats; none that is no number."""
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 1 << 32, count // 2, dtype=np.uint32).view(np.float32)
    near = (rng.normal(size=count - count // 2) * 10.0 ** rng.uniform(-9, 3, count - count // 2)).astype(np.float32)
    return np.concatenate([words[~np.isnan(words)], near])


def differing(ours: Any, theirs: Any) -> int:
    with np.errstate(invalid="ignore"):  # signalling NaN
        a, b = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    return int((~(((a == b) & (np.signbit(a) == np.signbit(b))) | (np.isnan(a) & np.isnan(b)))).sum())


def usual(name: str) -> str:
    spec = float_spec(name)
    return "inf" if spec.infinities else "saturate" if spec.no_number == "none" else "nan"


def between(name: str) -> npt.NDArray[np.float64]:
    """A little above the midpoint of neighbours, by less than FP32 sees: rounding twice goes wrong at every other one."""
    codes = np.arange(min(float_spec(name).largest_code, 4000), dtype=np.uint16)
    numbers = decode(codes, name).astype(np.float64)
    return np.nextafter((numbers[1:] + numbers[:-1]) / 2, np.inf)


def check_gfloat(name: str, x: npt.NDArray[Any]) -> None:
    gfloat = pytest.importorskip("gfloat")
    info, nearest = getattr(pytest.importorskip("gfloat.formats"), f"format_info_{GFLOAT[name]}"), gfloat.RoundMode
    ways = {"rne": nearest.TiesToEven, "rz": nearest.TowardZero, "ru": nearest.TowardPositive, "rd": nearest.TowardNegative}
    for mode, way in ways.items():
        saturate = usual(name) == "saturate" or mode == "rz"
        if mode in ("ru", "rd") and not saturate:
            continue  # what becomes of numbers too large differs by the standard read; the modes are held on those that fit
        theirs = gfloat.round_ndarray(info, x.astype(np.float64), way, saturate)
        assert differing(round_to(x, name, rounding=mode, overflow="saturate" if saturate else usual(name)), theirs) == 0, mode
    fits = x[np.abs(x) <= float_spec(name).largest]
    for mode in ("ru", "rd"):
        theirs = gfloat.round_ndarray(info, fits.astype(np.float64), ways[mode], not float_spec(name).infinities)
        assert differing(round_to(fits, name, rounding=mode, overflow="inf" if float_spec(name).infinities else "saturate"), theirs) == 0, mode


@pytest.mark.parametrize("name", GFLOAT)
def test_peer_gfloat_rounds_the_same(name: str) -> None:
    check_gfloat(name, patterns(15_000))
    check_gfloat(name, between(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", GFLOAT)
def test_peer_gfloat_rounds_ten_million_the_same(name: str) -> None:
    for seed in range(10):
        check_gfloat(name, patterns(1_000_000, seed))


@pytest.mark.parametrize("count", [100_000, pytest.param(10_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [*ML_DTYPES, "fp16"])
def test_peer_ml_dtypes_and_numpy_have_the_same_codes_from_fp32(name: str, count: int) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    dtype = np.float16 if name == "fp16" else getattr(ml_dtypes, ML_DTYPES[name])
    x = patterns(count)
    with np.errstate(over="ignore", invalid="ignore"):
        theirs = x.astype(dtype)
    ours = encode(x, name, overflow=usual(name))
    real = ~np.isnan(decode(ours, name))  # NaN has many codes
    np.testing.assert_array_equal(ours[real], theirs.view(ours.dtype)[real])
    assert np.isnan(theirs[~real].astype(np.float32)).all()


@pytest.mark.parametrize("count", [100_000, pytest.param(10_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", [*TORCH, "e4m3"])
def test_peer_torch_rounds_the_same_from_fp32(name: str, count: int) -> None:
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(patterns(count))
    there = x.to(getattr(torch, TORCH.get(name, "float8_e4m3fn"))).to(torch.float32)
    assert differing(round_to(x, name, overflow="saturate" if name == "e4m3" else usual(name)), there) == 0


@pytest.mark.parametrize("count", [100_000, pytest.param(10_000_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["bf16", "fp16", "e5m2"])
def test_peer_apytypes_rounds_the_same(name: str, count: int) -> None:
    apytypes = pytest.importorskip("apytypes")
    spec = float_spec(name)
    for x in (patterns(count), between(name)):
        theirs = apytypes.APyFloatArray.from_float(x, spec.exponent_bits, spec.mantissa_bits).to_numpy()
        assert differing(round_to(x, name), theirs) == 0


def test_peer_where_others_round_twice() -> None:
    """From FP64 by way of FP32: wrong for half of the numbers just above a midpoint."""
    torch, ml_dtypes = pytest.importorskip("torch"), pytest.importorskip("ml_dtypes")
    for name in ("bf16", "e4m3", "e5m2", "e4m3fnuz", "e5m2fnuz", "fp16"):
        x = between(name)
        ours = round_to(x, name, overflow="saturate")
        assert differing(ours, torch.from_numpy(x).to(getattr(torch, TORCH.get(name, "float8_e4m3fn"))).double()) == (x.size + 1) // 2, name
        if name == "fp16":  # NumPy's own, and right
            assert differing(ours, x.astype(np.float16)) == 0
        else:
            assert differing(ours, x.astype(getattr(ml_dtypes, ML_DTYPES[name]))) == (x.size + 1) // 2, name
    assert round_to(1 + 2.0**-8 + 2.0**-40, "bf16") == 1.0078125
    assert torch.tensor(1 + 2.0**-8 + 2.0**-40, dtype=torch.float64).to(torch.bfloat16).item() == 1.0


def test_peer_where_others_end_otherwise() -> None:
    """Beyond the largest, zero and ties of E8M0: each peer has one answer; here it is said."""
    torch, ml_dtypes = pytest.importorskip("torch"), pytest.importorskip("ml_dtypes")
    x = np.array([464.0, 465.0, math.inf])
    assert torch.from_numpy(x).to(torch.float8_e4m3fn).float().tolist() == round_to(x, "e4m3", overflow="saturate").tolist() == [448.0, 448.0, 448.0]
    with np.errstate(over="ignore", invalid="ignore"):
        assert differing(x.astype(ml_dtypes.float8_e4m3fn), round_to(x, "e4m3", overflow="nan")) == 0
        zero_and_tie = np.array([0.0, 3.0], dtype=np.float32).astype(ml_dtypes.float8_e8m0fnu).astype(np.float32)
    assert math.isnan(zero_and_tie[0]) and zero_and_tie[1] == 4.0  # E8M0: zero is no number there, and ties go up
    assert round_to([0.0, 3.0, 6.0], "e8m0", overflow="saturate").tolist() == [2.0**-127, 2.0, 8.0]  # zero is the least power, ties go to the even code
    assert torch.tensor(-3.0).to(torch.float8_e8m0fnu).float().item() == 4.0 and math.isnan(round_to(-3.0, "e8m0", overflow="saturate"))
    apytypes = pytest.importorskip("apytypes")
    assert apytypes.APyFloatArray.from_float([250.0], 4, 3).to_numpy().tolist() == [math.inf]  # its E4M3 is IEEE's kind: largest 240, not OCP's 448

"""A real kernel: PyTorch's attention on CPUs, and its emulation."""

from __future__ import annotations

import json

import numpy as np
import pytest

from thrifty.errors import BadValue
from thrifty.lenses.contract import Finding
from thrifty.lenses.numerics.sdpa import emulate_flash, fast_exp, real_kernel
from thrifty.lenses.numerics.sdpa.running import run_path
from thrifty.report import Page, to_html

pytest.importorskip("torch", reason="torch is not installed")


def test_formula_fast_exp() -> None:
    x = -np.linspace(0, 80, 100_001).astype(np.float32).astype(np.float64)
    error = fast_exp(x) / np.exp(x) - 1
    assert 9e-5 < np.abs(error).max() < 1.2e-4  # a cubic's
    assert fast_exp(np.array([-1e4, -np.inf])).tolist() == [0.0, 0.0]


def test_peer_torch_paths_against_golden() -> None:
    """Brief P: uniform inputs, N = 1024, d = 64: largest deviation 2.04e-3 and 1.95e-3 (half an ulp at 0.5), RMSE equal."""
    found = real_kernel(seed=1, probe=False)
    flash, math = found.deviation.optimised, found.deviation.baseline
    assert isinstance(found, Finding) and math is not None
    assert 1.9e-3 < flash.max < 2.3e-3 and 1.9e-3 < math.max < 2.1e-3 and math.at_floor
    assert flash.rmse == pytest.approx(math.rmse, rel=0.01) and found.deviation.rmse_ratio == pytest.approx(1.0, abs=0.01)
    assert found.likeness("flash").equal > 0.99 and found.likeness("math").equal > 0.999
    assert found.likeness("flash").ulps <= 1
    json.dumps(found.to_dict(), allow_nan=False)
    assert "flash path" in to_html(Page(title="t", summary="s", sections=found.sections())) and found.brief()


def test_peer_torch_exponential_and_tile() -> None:
    """From outputs alone. Elsewhere than with AVX-512 the kernel may use another exponential; then it must not be taken for a cubic of ours."""
    found = real_kernel(seq=1024, head_dim=32, inputs="normal", seed=2)
    assert found.exponential is not None
    best = max(found.blocks, key=lambda block: found.blocks[block])
    if found.settings["capability"] != "AVX512":
        pytest.skip(f"torch runs with {found.settings['capability']} here, which was not looked at")
    assert found.exponential.is_cubic and found.exponential.largest_error == pytest.approx(1e-4, rel=0.05)
    assert best == 512 and found.blocks[512] > 0.99 > max(equal for block, equal in found.blocks.items() if block != 512)
    assert "cubic of the fraction" in to_html(Page(title="t", summary="s", sections=found.sections()))


def test_property_one_tile_is_bit_equal() -> None:
    """Few keys, so that sums of FP32 have little room to differ."""
    from thrifty.formats import round_to
    from thrifty.lenses.numerics.sdpa.running import vector_lanes

    if vector_lanes() != 16:
        pytest.skip("only looked at with AVX-512")
    x = [np.asarray(round_to(np.random.default_rng(seed).standard_normal((8, 64, 64)), "bf16"), dtype=np.float64) for seed in range(3)]
    assert (run_path("flash", *x, "bf16") == emulate_flash(*x)).mean() > 0.999


def test_formula_refusals() -> None:
    one = np.ones((1, 2, 4))
    with pytest.raises(BadValue, match="format='fp8_e4m3' is none that PyTorch's attention takes"):
        run_path("flash", one, one, one, "fp8_e4m3")
    with pytest.raises(BadValue, match="path='fast' is unknown"):
        run_path("fast", one, one, one, "bf16")

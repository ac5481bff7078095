"""The GPU's kernel in Triton's interpreter, bit by bit the definition; and compiled for GPUs that need not be there. In fresh processes: Triton reads its
environment when a kernel is made."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("triton", "torch")), reason="triton and torch are not both installed"
)

INTERPRETED = """
import itertools
import numpy as np
import torch
from thrifty.formats import Rounding, float_spec
from thrifty.formats.rounding import triton_calls
from thrifty.formats.rounding.calls import code_dtype
from thrifty.formats.rounding.plain import encode_plain, round_plain

rng = np.random.default_rng(3)
np.seterr(all="ignore")
for name in ("fp64", "fp32", "tf32", "bf16", "fp16", "e4m3", "e4m3fnuz", "e5m2", "e2m1", "e8m0", "ue4m3", "e11m10", "e3m0"):
    spec = float_spec(name)
    wide = np.concatenate([
        rng.integers(0, 1 << 64, 100, dtype=np.uint64).view(np.float64), rng.normal(size=100), rng.uniform(-1.2, 1.2, 60) * min(spec.largest, 1e300),
        rng.integers(-64, 64, 60) * spec.smallest / 2, [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, spec.largest, -spec.largest],
    ])
    narrow = np.concatenate([wide.astype(np.float32), rng.integers(0, 1 << 32, 200, dtype=np.uint32).view(np.float32)])
    overflows = (["inf"] if spec.infinities else []) + (["nan"] if spec.no_number != "none" else []) + ["saturate"]
    for index, mode in enumerate(("rne", "rz", "ru", "rd", "odd", "stochastic", "random")):
        to = Rounding.of(spec, rounding=mode, overflow=overflows[index % len(overflows)], flush=index % 3 == 1, seed=(1 << 63) + index)
        for x in (wide, narrow):
            x = x[~np.isnan(x)] if spec.no_number == "none" else x
            plain = round_plain(x.astype(np.float64), to)
            found = triton_calls.rounded(torch.from_numpy(x), to).numpy()
            as_words = f"u{found.itemsize}"
            assert (found.view(as_words) == plain.astype(found.dtype).view(as_words)).all(), (name, mode, x.dtype)
            codes = (encode_plain(plain, spec) << np.uint64(spec.pad_bits)).astype(code_dtype(spec))
            assert (triton_calls.encoded(torch.from_numpy(x), to).numpy() == codes).all(), (name, mode, x.dtype)

x = torch.randn(33, 7).T
out = torch.empty(7, 33, dtype=torch.float32)
assert triton_calls.rounded(x, Rounding.of("bf16"), out) is out and (out == x.to(torch.bfloat16).float()).all()
assert triton_calls.rounded(torch.empty(0, 3), Rounding.of("bf16")).shape == (0, 3)
print("equal")
"""

COMPILED = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from thrifty.formats import Rounding
from thrifty.formats.rounding.triton_calls import constants
from thrifty.formats.rounding.triton_kernels import round_kernel

for name, mode, source, codes, target in [
    ("bf16", "rne", "fp32", False, "fp32"), ("fp64", "ru", "fp64", True, "i64"), ("e4m3fnuz", "random", "fp64", False, "fp64"),
    ("e8m0", "odd", "fp32", True, "u8"), ("e3m0", "stochastic", "fp32", True, "u8"),
]:
    names = round_kernel.arg_names
    signature = dict(zip(names, ["*" + source, "*" + target, "i64", "i64", *["constexpr"] * (len(names) - 4)]))
    values = {(4 + place,): value for place, value in enumerate(constants(Rounding.of(name, rounding=mode, overflow="saturate"), codes))}
    made = triton.compile(ASTSource(fn=round_kernel, signature=signature, constexprs=values), target=GPUTarget("cuda", 90, 32))
    assert "ftz" not in made.asm["ptx"]
print("equal")
"""


@pytest.mark.parametrize(("code", "interpreted"), [(INTERPRETED, "1"), (COMPILED, "0")], ids=["interpreted", "compiled"])
def test_property_the_gpus_kernel_gives_the_bits_of_the_definition(code: str, interpreted: str, tmp_path: Path) -> None:
    environment = {**os.environ, "TRITON_INTERPRET": interpreted, "TRITON_CACHE_DIR": str(tmp_path), "TRITON_DEFAULT_FP_FUSION": "0"}
    ran = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "equal"

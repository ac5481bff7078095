"""Steps of the compiled loop that take a shorter way have the definition's bits where that way is nearly wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from thrifty.formats import Rounding, decode, elementary, float_spec
from thrifty.lenses.numerics.laboratory.calls import attended
from thrifty.lenses.numerics.laboratory.kernels.running import exp_table
from thrifty.lenses.numerics.laboratory.prepare import prepare

HARD = -1.0149801969528198
"""Of the FP32 numbers from -20 to -1 the one whose e^x lies so near the middle between two FP32 that the short polynomial falls on the other side."""


def both(q: Any, k: Any, v: Any, **options: Any) -> Any:
    made = [attended(prepare(q, k, v, compiled=on, **options)) for on in (True, False)]
    assert np.array_equal(made[0].out, made[1].out, equal_nan=True)
    assert np.array_equal(made[0].lse, made[1].lse, equal_nan=True)
    assert made[0].counts == made[1].counts
    return made[0].out


def test_formula_exponentials_near_a_middle_are_found_by_the_long_way() -> None:
    """Scores 0 and HARD, values -e^HARD and 1: the output is 0, or the last bit."""
    weight = float(np.float32(elementary.exp(HARD)))
    out = both(np.array([[HARD]]), np.array([[0.0], [1.0]]), np.array([[-weight], [1.0]]), policy="fa2_paper", format="fp32")
    assert out[0, 0] == 0.0


@pytest.mark.parametrize("low", [-86.9, -87.5, -103.5, -120.0, -800.0])
@pytest.mark.parametrize("format", ["bf16", "fp32", "fp64"])
def test_formula_weights_that_are_subnormal_or_vanish(low: float, format: str) -> None:
    q = np.full((3, 1), 1.0)
    both(q, np.array([[0.0], [low], [low / 2]]), np.array([[0.0], [1.0], [0.5]]), policy="fa_paper", format=format, block_k=2)


@pytest.mark.parametrize("format", ["bf16", "fp16", "fp32"])
@pytest.mark.parametrize("change", ["o.mul=bf16:rne:saturate", "*=bf16:rne:saturate", "*=e4m3", "*=fp16:rne:saturate"])
def test_formula_overflow_and_numbers_that_are_none(format: str, change: str) -> None:
    from thrifty.lenses.numerics.policy import as_policy

    payload = float(np.array(0x7FFFFFFF, dtype=np.uint32).view(np.float32))  # all bits set: adding to its last bits would carry into the sign
    rng = np.random.default_rng(1)
    q, k, v = (rng.normal(size=(40, 4)) for _ in range(3))
    v[3, 1], k[7, 2], q[5, 0], v[9, 2] = payload, 1e30, np.inf, 3.3e38
    policy = as_policy("fa_paper")
    with np.errstate(all="ignore"):
        for each in (policy, policy.override(change)):
            both(q, k, v, policy=each, format=format, block_k=8)


@pytest.mark.parametrize("name", ["bf16", "fp16", "e4m3", "e5m2"])
def test_formula_a_table_holds_every_number_of_its_format(name: str) -> None:
    spec = float_spec(name)
    exp_table.cache_clear()
    table, (drop, low, top, half) = exp_table(spec, Rounding.of("fp16"), 0)
    numbers = decode(np.arange(1 << spec.code_bits, dtype=np.uint16 if spec.code_bits > 8 else np.uint8), name)
    words = numbers.view(np.uint32)
    places = np.clip((words & 0x7FFFFFFF) >> drop, low, top - 1) - low
    places = np.where(np.isnan(numbers), top - low, places) + np.where(words >> 31, half, 0)
    with np.errstate(over="ignore", under="ignore"):
        right = elementary.exp(numbers).astype(np.float16)  # every number has at most 11 bits, and FP64 to FP16 is one rounding
    assert np.array_equal(table[places], right.astype(np.float32), equal_nan=True)

"""Each claim measured here: a function of seeds that gives one figure a seed."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from thrifty.formats import matmul, round_to
from thrifty.lenses.numerics.deviations import Deviation, deviation
from thrifty.lenses.numerics.inputs import draw
from thrifty.lenses.numerics.laboratory import attention, golden
from thrifty.lenses.numerics.mechanism import demonstrate
from thrifty.lenses.numerics.policy import Policy, as_policy
from thrifty.lenses.numerics.sdpa import RealKernelFinding, real_kernel

SEQ, WIDTH, TILE = 1024, 64, 16
SHAH_WIDTH, SHAH_TILE = 128, 128
SUM_LENGTH, SUM_SIZE = 4096, 64
"""Sums of K products, SUM_SIZE² of them a seed."""

Measure = Callable[[Sequence[int]], list[float]]


@functools.lru_cache(maxsize=64)
def deviates(
    policy: str, seed: int, *, format: str = "bf16", inputs: str = "uniform", seq: int = SEQ, width: int = WIDTH, tile: int = TILE,
    baseline: str = "baseline_paper",
) -> Deviation:  # fmt: skip
    """An attention under `policy` and a baseline against golden from the same rounded inputs."""
    given = draw(inputs, seq=seq, head_dim=width, seed=seed)
    q, k, v = given.q, given.k, given.v
    out = attention(q, k, v, policy=policy, format=format, block_k=tile, seed=seed)
    plain = attention(q, k, v, policy=baseline, format=format, seed=seed)
    return deviation(out, plain, golden(q, k, v, format=format), format=format, golden_is="FP64 from rounded inputs")


def _ratio(policy: str) -> Measure:
    return lambda seeds: [deviates(policy, seed).ratio_to_baseline for seed in seeds]


def _steps(**choices: Sequence[Any]) -> Measure:
    """The smallest factor by which the largest deviation falls from one choice to the next, a seed."""
    (name, values), = choices.items()

    def measure(seeds: Sequence[int]) -> list[float]:
        found = []
        for seed in seeds:
            sizes = [deviates("fa_paper", seed, **{name: value}).optimised.max for value in values]
            found.append(min(left / right for left, right in itertools.pairwise(sizes)))
        return found

    return measure


def _query_tiles(seeds: Sequence[int]) -> list[float]:
    """Elements that differ when the tile of queries changes, a seed."""
    found = []
    for seed in seeds:
        given = draw("uniform", seq=SEQ, head_dim=WIDTH, seed=seed)
        outs = [attention(given.q, given.k, given.v, policy="fa_paper", format="bf16", block_q=rows, block_k=TILE) for rows in (16, 64, 256)]
        found.append(float(sum(np.count_nonzero(out != outs[0]) for out in outs)))
    return found


def _shah(policies: tuple[Policy, Policy], format: str) -> Measure:
    """RMSE of a baseline over that of a kernel, both against golden from the inputs as they were drawn (as the paper's table takes them)."""

    def measure(seeds: Sequence[int]) -> list[float]:
        found = []
        for seed in seeds:
            given = draw("outliers", seq=SEQ, head_dim=SHAH_WIDTH, seed=seed)
            best = golden(given.q, given.k, given.v, inputs="given")
            outs = [attention(given.q, given.k, given.v, policy=each, format=format, block_k=SHAH_TILE, seed=seed) for each in policies]
            found.append(deviation(outs[1], outs[0], best, format=format).rmse_ratio ** -1)
        return found

    return measure


def _sum_bias(accumulator: str) -> Measure:
    """Mean relative error, in per cent, of sums of positive E4M3 products."""

    def measure(seeds: Sequence[int]) -> list[float]:
        found = []
        for seed in seeds:
            rng = np.random.Generator(np.random.PCG64(seed))
            a, b = (round_to(rng.random(shape), "e4m3", overflow="saturate") for shape in ((SUM_SIZE, SUM_LENGTH), (SUM_LENGTH, SUM_SIZE)))
            exact = a @ b  # products of E4M3 and their sums are exact in FP64
            found.append(100 * float(np.mean(matmul(a, b, accumulator) / exact - 1)))
        return found

    return measure


def _lean(name: str) -> Measure:
    """Mean over RMS of the error of PV in a set-up of the repeated-maxima mechanism."""

    def measure(seeds: Sequence[int]) -> list[float]:
        return [next(shown.bias.ratio for shown in demonstrate(seed=seed) if shown.name == name) for seed in seeds]

    return measure


def _real(figure: Callable[[RealKernelFinding], float]) -> Measure:
    return lambda seeds: [figure(_run(seed)) for seed in seeds]


@functools.lru_cache(maxsize=16)
def _run(seed: int) -> RealKernelFinding:
    return real_kernel(seed=seed, seq=SEQ, head_dim=WIDTH)


MEASURES: Final[dict[str, Measure]] = {
    "ten_times": _ratio("fa_paper"),
    "ten_times_normal": lambda seeds: [deviates("fa_paper", seed, inputs="normal").rmse_ratio for seed in seeds],
    "kernel_state": _ratio("fa2_kernel"),
    "precision": _steps(format=("bf16", "fp16", "fp32", "fp64")),
    "sequence": _steps(seq=(2048, 1024, 256)),
    "tile": _steps(tile=(16, 64, 256)),
    "query_tile": _query_tiles,
    "fa3_fp16": _shah((as_policy("baseline_eager"), as_policy("fa2_kernel")), "fp16"),
    "fa3_fp8": _shah((as_policy("baseline_fp8"), as_policy("fa3_fp8")), "e4m3"),
    "real_kernel": _real(lambda found: found.deviation.rmse_ratio),
    "real_kernel_alike": _real(lambda found: 100 * (1 - found.likeness("flash").equal)),
    "hopper_fp8": _sum_bias("hopper-e4m3"),
    "hopper_fp8_promoted": _sum_bias("hopper-e4m3:promote=128"),
    "repeated_maxima": _lean("two equal maxima"),
    "repeated_maxima_fixed": _lean("mended"),
}
"""Key of a claim → how it is measured here."""

"""Exact shares of 20 tenants take less than 60 s on one core, of 14 at most a thousandth of a straight enumeration; 8,640 periods less than 1 s.

The straight enumeration is the definition in plain Python: for every tenant every set of the others, each peak summed anew (`straight`), or each peak
summed once and kept (`kept`). Periods are held against the same enumeration at 16, since it takes 2ⁿ·n steps. All must agree. Then 10,000 random
schedules, as Fair-CO2's study has, beside what it published.
"""

from __future__ import annotations

import itertools
import math
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np

from _claim import in_turns, report, spread
from thrifty.lenses.carbon.attribution import airport_shares, exact_shapley, period_shares
from thrifty.lenses.carbon.attribution.studies import study_schedules
from thrifty.lenses.carbon.attribution.studies.published import published_deviations

TENANTS, STEPS, MANY, PERIODS, FEW_PERIODS, TRIALS, CALLS = 14, 24, 20, 8640, 16, 10_000, 100


def straight(count: int, value: Callable[[Sequence[int]], float]) -> list[float]:
    weights = [math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count) for size in range(count)]
    shares = []
    for player in range(count):
        others = [other for other in range(count) if other != player]
        share = 0.0
        for size in range(count):
            for chosen in itertools.combinations(others, size):
                share += weights[size] * (value((*chosen, player)) - value(chosen))
        shares.append(share)
    return shares


def kept(demand: Sequence[Sequence[float]]) -> list[float]:
    count = len(demand[0])
    weights = [math.factorial(size) * math.factorial(count - size - 1) / math.factorial(count) for size in range(count)]
    peaks = [max(sum(row[i] for i in range(count) if mask >> i & 1) for row in demand) for mask in range(1 << count)]
    return [sum(weights[mask.bit_count()] * (peaks[mask | 1 << i] - peaks[mask]) for mask in range(1 << count) if not mask >> i & 1) for i in range(count)]


random = np.random.default_rng(2025)
demand = random.integers(0, 97, (STEPS, TENANTS)).astype(float)
rows = demand.tolist()
exact_shapley(demand)  # compiles
began = time.perf_counter()
oracle = straight(TENANTS, lambda chosen: max(sum(row[i] for i in chosen) for row in rows))
straight_s = time.perf_counter() - began
np.testing.assert_allclose(exact_shapley(demand), oracle, rtol=1e-10)
np.testing.assert_allclose(kept(rows), oracle, rtol=1e-10)
took = in_turns({
    "kept": lambda: kept(rows), "ours": lambda: [exact_shapley(demand) for _ in range(CALLS)],
    "ours, NumPy": lambda: [exact_shapley(demand, compiled=False) for _ in range(CALLS)],
}, repeats=5)  # fmt: skip
took = {name: [each / (1 if name == "kept" else CALLS) for each in samples] for name, samples in took.items()}
ours_s = statistics.median(took["ours"])

large = random.integers(0, 97, (STEPS, MANY)).astype(float)
large_took = in_turns({"numba": lambda: exact_shapley(large), "numpy": lambda: exact_shapley(large, compiled=False)}, repeats=5)
np.testing.assert_allclose(exact_shapley(large), exact_shapley(large, compiled=False), rtol=1e-10)

month, splits = random.integers(300_000, 350_000, PERIODS).astype(float), (10, 9, 8, 12)
periods_took = in_turns({"at once": lambda: period_shares(month), "3 days, 8 h, 1 h, 5 min": lambda: period_shares(month, splits)}, repeats=9)
few = month[:FEW_PERIODS].tolist()
began = time.perf_counter()
few_oracle = straight(FEW_PERIODS, lambda chosen: max((few[i] for i in chosen), default=0.0))
few_s = time.perf_counter() - began
np.testing.assert_allclose(airport_shares(few), few_oracle, rtol=1e-10)
few_took = in_turns({"ours": lambda: airport_shares(few)}, repeats=9)

began = time.perf_counter()
study = study_schedules(trials=TRIALS, seed=2025)
study_s = time.perf_counter() - began
published = published_deviations()["schedules"]
found = {
    name: {"mean": study.mean(name), "error": study.error(name), "worst": study.worst(name), "published": published[name]} for name in study.methods
}  # fmt: skip
for name, row in found.items():
    print(f"{name:9} {row['mean']:.1%} ± {row['error']:.1%} (published {row['published'][0]:.1%}), worst {row['worst']:.1%} ({row['published'][1]:.1%})")
exact_s, periods_s = statistics.median(large_took["numba"]), max(statistics.median(each) for each in periods_took.values())
kept_s = statistics.median(took["kept"])
ratios = f"{straight_s / ours_s:,.0f} and {kept_s / ours_s:,.0f} times"
print(f"{TENANTS} tenants: straight {straight_s:.2f} s, kept {kept_s:.3f} s, ours {ours_s * 1e3:.2f} ms: {ratios}")
print(f"{MANY} tenants: {exact_s * 1e3:.1f} ms; {PERIODS} periods: {periods_s * 1e3:.2f} ms; {FEW_PERIODS} periods straight {few_s:.2f} s")
report(
    "exact Shapley of 20 tenants < 60 s, of 14 >= 1,000 x a straight enumeration; 8,640 periods < 1 s",
    exact_s < 60 and straight_s / ours_s >= 1000 and periods_s < 1,
    {
        "straight_s": straight_s, "kept_s": spread(took["kept"]), "ours_s": spread(took["ours"]), "ours_numpy_s": spread(took["ours, NumPy"]),
        "ratio_straight": straight_s / ours_s, "ratio_kept": kept_s / ours_s,
        "exact_20_s": {name: spread(each) for name, each in large_took.items()}, "periods_8640_s": {name: spread(each) for name, each in periods_took.items()},
        "periods_16_straight_s": few_s, "ratio_periods_16": few_s / statistics.median(few_took["ours"]),
        "study": found, "study_trials": TRIALS, "study_s": study_s,
    },
    "numpy", "numba",
)  # fmt: skip

"""A product's time takes at most 50 ns, an attention's at most 50 ns, called from a compiled loop on one core over sizes that all differ; plain Python agrees.

What bounds it: six tiles, each with up to three splits, of some ten operations; there is no table to look in.
"""

import time

import numba
import numpy as np

from _claim import report, spread
from thrifty.cost.kernels import functions, kernel_parameters, plain_functions
from thrifty.hardware import load

LIMIT_NS, COUNT, REPEATS = 50.0, 400_000, 9
made = functions()
gemm, attention, stream = made.gemm, made.attention, made.stream
row = kernel_parameters(load("h100-sxm5"), "bf16")
draw = np.random.default_rng(0)
m, n, k = (np.exp2(draw.uniform(low, high, COUNT)).round() for low, high in ((0, 15), (7, 16), (7, 16)))
large = np.maximum(m, 2048.0)
batch, heads, queries, keys = (np.exp2(draw.integers(low, high, COUNT)).astype(float) for low, high in ((0, 6), (3, 7), (5, 13), (13, 14)))
ones = np.ones(COUNT)


@numba.njit
def products(m, n, k, row):
    total = 0.0
    for i in range(len(m)):
        total += gemm(m[i], n[i], k[i], 1.0, row)
    return total


@numba.njit
def attentions(batch, heads, queries, keys, row):
    total = 0.0
    for i in range(len(batch)):
        total += attention(batch[i], heads[i], heads[i], queries[i], keys[i], 128.0, 128.0, True, False, row)
    return total


@numba.njit
def streams(moved, row):
    total = 0.0
    for i in range(len(moved)):
        total += stream(moved[i], row)
    return total


calls = {
    "products": lambda: products(m, n, k, row), "products of 2048 rows or more": lambda: products(large, n, k, row),
    "attention, prefill": lambda: attentions(batch, heads, queries, keys, row), "attention, decode": lambda: attentions(batch, heads, ones, keys, row),
    "streams": lambda: streams(m, row),
}  # fmt: skip
plain = plain_functions()
for i in range(500):
    assert np.isclose(gemm(m[i], n[i], k[i], 1.0, row), plain.gemm(m[i], n[i], k[i], 1.0, row), rtol=1e-13, atol=0.0)
ns: dict[str, list[float]] = {name: [] for name in calls}
for turn in range(REPEATS + 1):
    for name, call in calls.items():
        start = time.process_time()
        call()
        if turn:
            ns[name].append((time.process_time() - start) / COUNT * 1e9)
result = {name: spread(samples) for name, samples in ns.items()}
report("kernel times <= 50 ns each", all(r["median"] <= LIMIT_NS for r in result.values()), {"ns": result}, "numpy", "numba")

"""Claim: the kernels that plans call price ten million collectives a second and core: one tier, with sizes, ranks and kinds all different."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from _claim import in_turns, report, spread
from thrifty.cost.collectives import collective_seconds, group_arrays, register, tiers_seconds
from thrifty.hardware import load_system

COUNT = 2_000_000
LIMIT_PER_S = 10e6


def one(kinds: Any, sizes: Any, ranks: Any, links_TP: Any, out: Any) -> None:
    for index in range(len(sizes)):
        out[index] = collective_seconds(kinds[index], sizes[index], ranks[index], links_TP[0])


def two(kinds: Any, sizes: Any, ranks: Any, links_TP: Any, out: Any) -> None:
    counts = np.empty(2)
    for index in range(len(sizes)):
        counts[0] = ranks[index]
        counts[1] = 16.0
        out[index] = tiers_seconds(kinds[index], sizes[index], counts, links_TP)


def main() -> None:
    system = load_system("hgx-h100-128")
    _, links_TP = group_arrays(system.tiers, device=system.device)
    generator = np.random.default_rng(1)
    kinds = generator.integers(0, 6, COUNT)
    sizes, ranks = np.exp(generator.uniform(0, 23, COUNT)), generator.integers(2, 9, COUNT).astype(np.float64)
    register()
    answers = {"one": np.empty(COUNT), "two": np.empty(COUNT)}
    loops = {"one": numba.njit(one), "two": numba.njit(two)}
    seconds = in_turns({name: lambda name=name: loops[name](kinds, sizes, ranks, links_TP, answers[name]) for name in loops}, repeats=5)
    for name, function in (("one", one), ("two", two)):
        plain = np.empty(2000)
        function(kinds[:2000], sizes[:2000], ranks[:2000], links_TP, plain)
        np.testing.assert_allclose(plain, answers[name][:2000], rtol=1e-12)
    rates = {f"{name}_tier_per_s": COUNT / spread(times)["median"] for name, times in seconds.items()}
    print({name: f"{rate:,.0f}" for name, rate in rates.items()})
    report("collectives_per_second", rates["one_tier_per_s"] >= LIMIT_PER_S, rates, "numba", "numpy")


if __name__ == "__main__":
    main()

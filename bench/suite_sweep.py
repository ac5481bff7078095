"""At least a million points (image side x batch x frames x device) a second on one core, for networks of the suite, equal to single prices."""

import numpy as np

from _claim import in_turns, report, spread
from thrifty.cost import price, sweep
from thrifty.hardware import load
from thrifty.workload import load as load_workload

LEAST_PER_S, POINTS = 1e6, 100_000

devices = [load(name) for name in ("h100-sxm5", "a100-80gb", "l4", "mi300x")]
draw = np.random.default_rng(0)
results, worst = {}, float("inf")
for name, ranges in (
    ("sd-1.5-unet", {"batch": (2, 33), "latent": (2, 17)}), ("unet3d", {"batch": (2, 17), "latent": (2, 9), "frames": (2, 65)}),
    ("dit-xl-2", {"batch": (2, 65), "latent": (2, 33)}),
):  # fmt: skip
    workload = load_workload(name)
    points = {symbol: draw.integers(low, high, POINTS) * (8 if symbol == "latent" else 1) for symbol, (low, high) in ranges.items()}
    found = sweep(workload, devices, points, memory=False)
    for index in draw.integers(0, POINTS, 4):
        at = workload.at({symbol: int(values[index]) for symbol, values in points.items()})
        for row, device in enumerate(devices):
            np.testing.assert_allclose(found.time_s_DP[row, index], price(at, device).time_s, rtol=1e-9)
    evaluations = POINTS * len(devices)
    seconds = in_turns({"sweep": lambda w=workload, p=points: sweep(w, devices, p, memory=False)}, repeats=5)
    rate = spread([evaluations / each for each in seconds["sweep"]])
    results[name] = {"evaluations_per_s": rate, "symbols": list(ranges)}
    worst = min(worst, rate["median"])
    print(f"{name}: {rate['median'] / 1e6:.2f} M points a second ({rate['low'] / 1e6:.2f} to {rate['high'] / 1e6:.2f})")
report("sweeps of the suite >= 1 M points/s on one core", worst >= LEAST_PER_S, results, "numpy", "numba")

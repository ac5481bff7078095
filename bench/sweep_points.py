"""At least a million (workload point × device) evaluations a second on one core for a language model's totals, equal to single prices."""

import numpy as np

from _claim import in_turns, report, spread
from thrifty.cost import price, sweep
from thrifty.hardware import load
from thrifty.workload import load as load_workload

LEAST_PER_S, POINTS = 1e6, 100_000

devices = [load(name) for name in ("h100-sxm5", "a100-80gb", "l4", "mi300x")]
workload = load_workload("llama2-7b", format="bf16")
draw = np.random.default_rng(0)
points = {"batch": draw.integers(2, 65, POINTS), "seq": draw.integers(2, 4097, POINTS)}
found = sweep(workload, devices, points, memory=False)
for index in draw.integers(0, POINTS, 5):
    at = workload.at({name: int(values[index]) for name, values in points.items()})
    for row, device in enumerate(devices):
        np.testing.assert_allclose(found.time_s_DP[row, index], price(at, device).time_s, rtol=1e-9)
evaluations = POINTS * len(devices)
seconds = in_turns({"sweep": lambda: sweep(workload, devices, points, memory=False)}, repeats=9)
rate = spread([evaluations / each for each in seconds["sweep"]])
found_rate = {"points": POINTS, "devices": len(devices), "evaluations_per_s": rate}
report("sweeps >= 1 M evaluations/s on one core", rate["median"] >= LEAST_PER_S, found_rate, "numpy", "numba")

"""At least 20 million operator prices a second on one core, and they equal the NumPy path."""

import numpy as np

from _claim import in_turns, report, spread
from thrifty.cost.columns import Columns
from thrifty.cost.roofline import device_arrays, roofline_seconds
from thrifty.hardware import device_names, load
from thrifty.workload import load as load_workload

LEAST_PER_S = 20e6

devices = []
for name in device_names():
    device = load(name)
    if "bf16" in device.peak_flops:
        devices.append(device)
columns = Columns.of(load_workload("llama3-405b", format="bf16", seq=2048).table)
arrays = device_arrays(devices, columns.formats)
compiled, _ = roofline_seconds(columns, arrays)
plain, _ = roofline_seconds(columns, arrays, compiled=False)
np.testing.assert_allclose(compiled, plain, rtol=1e-12)
prices = len(devices) * len(columns)
seconds = in_turns({"numba": lambda: roofline_seconds(columns, arrays), "numpy": lambda: roofline_seconds(columns, arrays, compiled=False)}, repeats=25)
rate = {name: spread([prices / each for each in taken]) for name, taken in seconds.items()}
report(
    "operator prices >= 20 M/s on one core", rate["numba"]["median"] >= LEAST_PER_S,
    {"devices": len(devices), "operators": len(columns), "prices_per_s": rate["numba"], "numpy_prices_per_s": rate["numpy"]}, "numpy", "numba",
)  # fmt: skip

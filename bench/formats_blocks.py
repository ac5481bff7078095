"""MX and NVFP4 blocks of 16 M float32 numbers beyond the cache: 5 times torchao, the same codes and scales.

MXFP4 and MXFP8 by OCP's floor rule, NVFP4 with both scales; torchao's `to_mx` and `nvfp4_quantize` in turns (run with torchao at hand: PYTHONPATH=src).
NVFP4's codes may differ where torchao's FP32 quotient is a tie that the exact one is not: those are counted, and every one is held against exact fractions.
The limit is the memory: 4 bytes read a number, 1 byte of codes and a scale a block written, against numpy's copy on the same machine.
"""

from fractions import Fraction
from typing import Any

import numpy as np

from _claim import in_turns, report, spread
from thrifty.formats import decode, mx, nvfp4

COUNT, TIMES = 1 << 24, 5.0
x = np.random.default_rng(0).normal(size=(4096, COUNT // 4096)).astype(np.float32)
target = np.empty_like(x)
calls: dict[str, Any] = {
    "mxfp4": lambda: mx(x, "e2m1"), "mxfp8": lambda: mx(x, "e4m3"), "nvfp4": lambda: nvfp4(x), "copy": lambda: np.copyto(target, x),
}  # fmt: skip
ours = {name: calls[name]() for name in ("mxfp4", "mxfp8", "nvfp4")}
same: dict[str, Any] = {}
try:
    import torch
    from torchao.prototype.mx_formats.mx_tensor import ScaleCalculationMode, to_mx
    from torchao.prototype.mx_formats.nvfp4_tensor import nvfp4_quantize, per_tensor_amax_to_scale
except ImportError:
    print("torchao is not installed: ours alone")
else:
    t, floor = torch.from_numpy(x), ScaleCalculationMode.FLOOR
    peers: dict[str, Any] = {
        "mxfp4": lambda: to_mx(t, torch.float4_e2m1fn_x2, 32, floor), "mxfp8": lambda: to_mx(t, torch.float8_e4m3fn, 32, floor),
        "nvfp4": lambda: nvfp4_quantize(t, 16, per_tensor_amax_to_scale(t.abs().max())),
    }  # fmt: skip
    numbers = [Fraction(float(each)) for each in decode(np.arange(8, dtype=np.uint8), "e2m1")]

    def nearest(value: Fraction) -> int:
        return min(range(8), key=lambda code: (abs(numbers[code] - value), code % 2))

    for name, peer in peers.items():
        scales, data = (each.view(torch.uint8).numpy().reshape(-1) for each in peer())
        codes = np.stack([data & 15, data >> 4], -1).reshape(-1) if name != "mxfp8" else data
        mine = ours[name].codes.reshape(-1)
        differ = np.flatnonzero(codes != mine)
        units = np.repeat(ours[name].scale_values().reshape(-1), ours[name].block)[differ]
        right = all(nearest(abs(Fraction(float(x.flat[i]))) / Fraction(float(u))) == mine[i] & 7 for i, u in zip(differ, units, strict=True))
        same[name] = {"scales": bool((scales == ours[name].scales.reshape(-1)).all()), "codes that differ": len(differ), "ours exact there": right}
        calls[f"torchao {name}"] = peer
seconds = {name: spread(samples) for name, samples in in_turns(calls, repeats=5).items()}
bandwidth = 2 * x.nbytes / seconds["copy"]["median"]
moved = {"mxfp4": COUNT * (5 + 1 / 32), "mxfp8": COUNT * (5 + 1 / 32), "nvfp4": COUNT * (5 + 1 / 16) + x.nbytes}
ratio = {name: round(seconds[f"torchao {name}"]["median"] / seconds[name]["median"], 1) for name in same}
report(
    __doc__.splitlines()[0], bool(same and min(ratio.values()) >= TIMES and all(each["scales"] and each["ours exact there"] for each in same.values())),
    {
        "ratio": ratio, "same": same, "seconds": seconds, "values_per_s": {name: round(COUNT / seconds[name]["median"]) for name in moved},
        "copy_bytes_per_s": round(bandwidth), "fraction of it": {name: round(moved[name] / seconds[name]["median"] / bandwidth, 3) for name in moved},
    }, "numpy", "numba",
)  # fmt: skip

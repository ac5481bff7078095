"""Tensor cores bit for bit as mmasim on a million random dot products, and products of 256 x 1024 by 1024 x 256 at 30 times its speed.

Every sort of instruction of all ten generations is asked with random operands (peers with mmasim at hand: PYTHONPATH=src). Then Hopper's BF16 and E4M3 in
turns with mmasim, which takes the product in tiles of its widest instruction and carries the sum from one to the next, as the hardware does; the results are
the same. The limit is vector instructions: for each product two multiplications, a truncation and an addition in FP64, and an addition and a comparison of
exponents in FP32, against what a chain of FP64 fused multiply-adds in registers reaches on the same machine.
"""

import sys
import time
from typing import Any

import numpy as np

from _claim import in_turns, report, spread
from thrifty.formats import matmul, round_to
from thrifty.formats.accumulators import parse_accumulator
from thrifty.formats.accumulators.stages import matrix

M, K, N, TIMES, EACH = 256, 1024, 256, 30.0, int(sys.argv[1]) if len(sys.argv) > 1 else 4000
VECTORS = 4 / 8 + 2 / 16
"""512-bit instructions a product."""
FORGETS = [f"cdna3-{pair}" for pair in ("e4m3", "e4m3-e5m2", "e5m2-e4m3", "e5m2")]
"""Where mmasim leaves out an infinite or NaN sum so far beside products of 2^25 and above, as it leaves out small ones: it gives that sum the exponent -1."""
rng = np.random.default_rng(0)
factors = {
    name: tuple(np.asarray(round_to(rng.standard_normal(shape), spec, overflow="saturate"), dtype=np.float32) for shape in ((M, K), (K, N)))
    for name, spec in (("hopper-bf16", "bf16"), ("hopper-e4m3", "e4m3"))
}
calls: dict[str, Any] = {name: lambda x=x, y=y, name=name: matmul(x, y, name) for name, (x, y) in factors.items()}
wide = rng.standard_normal((M, K)), rng.standard_normal((K, N))
calls["fma:fp64"] = lambda: matmul(*wide, "fma:fp64")
checked: dict[str, Any] = {}
try:
    import torch
    from mmasim.nv_ptx import WGMMA

    from _peers.mmasim_ops import ask, operations, same
except ImportError:
    print("mmasim is not installed: ours alone")
else:
    asked, forgotten, wrong, cores, began = 0, 0, {}, set(), time.perf_counter()
    for name, op, core in operations():
        cores.add(core.name)
        count = 0
        while count < EACH:
            given = ask(op, core, rng)
            how = parse_accumulator(core.name)
            a, b = (given.a, given.b) if core.a.name != "tf32" else (
                np.where(np.isnan(x), x, (x.astype(np.float32).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32).astype(np.float64))
                for x in (given.a, given.b))  # fmt: skip
            lost = ~same(matrix(a, b, how, given.start, given.scales), given.answer)
            count += lost.size
            forgot = lost & ~np.isfinite(given.start) & np.isfinite(given.answer)
            if core.name in FORGETS:
                forgotten, lost = forgotten + int(forgot.sum()), lost & ~forgot
            if lost.any():
                wrong[name] = wrong.get(name, 0) + int(lost.sum())
        asked += count
    checked = {
        "dot products": asked, "wrong": wrong, "sums so far that are no number, which theirs forgets": forgotten, "tensor cores": len(cores),
        "seconds": round(time.perf_counter() - began),
    }  # fmt: skip
    print(checked, flush=True)

    def tiled(op: Any, x: Any, y: Any) -> Any:
        out = torch.zeros(M, N)
        for i in range(0, M, op.m):
            for j in range(0, N, op.n):
                for k in range(0, K, op.k):
                    out[i : i + op.m, j : j + op.n] = op(x[i : i + op.m, k : k + op.k], y[k : k + op.k, j : j + op.n], out[i : i + op.m, j : j + op.n])
        return out

    for name, text, dtype in (("hopper-bf16", "m64n256k16.f32.bf16.bf16", torch.bfloat16), ("hopper-e4m3", "m64n256k32.f32.e4m3.e4m3", torch.float8_e4m3fn)):
        op, pair = WGMMA("Hopper", text), [torch.from_numpy(x).to(dtype) for x in factors[name]]
        calls[f"mmasim {name}"] = lambda op=op, pair=pair: tiled(op, *pair)
        tile = pair[0][: op.m, : op.k], pair[1][: op.k], torch.zeros(op.m, op.n)
        took = {}
        for threads in (2, 1):  # theirs with as many threads as serve it best
            torch.set_num_threads(threads)
            took[threads] = min(in_turns({"tile": lambda op=op, tile=tile: op(*tile)}, repeats=3)["tile"])
        torch.set_num_threads(min(took, key=lambda threads: took[threads]))
        checked[f"{name} threads of theirs"] = torch.get_num_threads()
        checked[f"{name} equal"] = bool((calls[name]() == calls[f"mmasim {name}"]().numpy()).all())
seconds = {name: spread(samples) for name, samples in in_turns(calls, repeats=3, warmup=0).items()}
rate = {name: M * K * N / each["median"] for name, each in seconds.items()}
ratio = {name: round(rate[name] / rate[f"mmasim {name}"], 1) for name in factors if f"mmasim {name}" in rate}
peak = rate["fma:fp64"] / 8
report(
    __doc__.splitlines()[0],
    bool(ratio and min(ratio.values()) >= TIMES and not checked["wrong"] and checked["dot products"] >= 10**6 and all(checked[f"{n} equal"] for n in factors)),
    {
        "ratio": ratio, **checked, "seconds": seconds, "products_per_s": {name: round(each) for name, each in rate.items()},
        "fraction of the vector instructions that fma:fp64 issues": {name: round(rate[name] * VECTORS / peak, 3) for name in factors},
    }, "numpy", "numba",
)  # fmt: skip

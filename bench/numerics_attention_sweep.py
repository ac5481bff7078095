"""A sweep of Flash v1 as the paper stores it (4 formats, 4 lengths, 6 tiles): at least 5 times as fast as torch scripts that round after every operation.

Three scripts, one thread each, ours too. "tiles": the algorithm as it is written, tiles of keys outside, tiles of queries (Br = min(Bc, d)) inside.
"rows": the same with all queries at once, which only who knows that tiles of queries cannot
matter would write. Both leave sums to torch's FP32 (or FP64) matrix product, so that their bits are not ours; their deviations from golden must be near in
BF16 and FP16. In FP32 ours deviate up to four times as far, and the order of two sums is why: the row sum and PV are chains, as the policy says, where the
library adds in blocks. The script with these two in chains must deviate as ours do, to a tenth (up to 512 keys). "same bits": all queries at once, sums in
our order (FP32, term by term, exact for BF16 and FP16), e^x rounded once: results are compared bit by bit, on BF16 and FP16 up to 512 keys.

The limit: fused multiply-adds of both products at the rate of the compiled product alone, in the caches (0.98 of what 16 chains in registers reach on an
EPYC with AVX-512, one vector a cycle); no e^x, no rounding. The fraction is that time over ours, for each format and for all.
"""

import os

os.environ["NUMBA_NUM_THREADS"] = "1"

import time
from typing import Any

import numpy as np

from _claim import in_turns, report, spread
from thrifty.lenses.numerics import attention, draw, golden
from thrifty.lenses.numerics.laboratory.kernels.micro import LANES
from thrifty.lenses.numerics.laboratory.kernels.tiles import rows_times
from thrifty.loops import jit

try:
    import torch
except ImportError:
    raise SystemExit("torch is not installed, and the peers are scripts in it.") from None

torch.set_num_threads(1)
HEAD_DIM = 64
FORMATS = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32, "fp64": torch.float64}
LENGTHS, TILES = (256, 512, 1024, 2048), (16, 32, 64, 128, 256, 512)
grid = [(name, seq, tile) for name in FORMATS for seq in LENGTHS for tile in TILES]
exact_grid = [(name, seq, tile) for name, seq, tile in grid if name in ("bf16", "fp16") and seq <= 512]
inputs = {seq: draw("uniform", seq=seq, head_dim=HEAD_DIM, seed=1) for seq in LENGTHS}
tensors = {seq: [torch.tensor(x[0]) for x in (each.q, each.k, each.v)] for seq, each in inputs.items()}


def chain(a: Any, b: Any) -> Any:
    """a @ b of FP32, k ascending; FP64 stands in for the fused operation (it rounds twice, which shows in few elements and in no maximum)."""
    made = torch.zeros(a.shape[0], b.shape[1])
    for i in range(a.shape[1]):
        made = (made.double() + a[:, i, None].double() * b[i].double()).float()
    return made


def flash(seq: int, name: str, tile: int, rows: int, chains: bool = False) -> Any:
    """Flash v1, every result stored in the format; rows: of a tile of queries; chains: the sums over keys term by term."""
    dtype = FORMATS[name]
    wide = torch.float64 if name == "fp64" else torch.float32

    def r(x: Any) -> Any:
        return x.to(dtype).to(wide)

    q, k, v = (r(x.to(wide)) for x in tensors[seq])
    scale = HEAD_DIM**-0.5
    o, total, m = torch.zeros_like(q), torch.zeros(seq, 1, dtype=wide), torch.full((seq, 1), -torch.inf, dtype=wide)
    for first in range(0, seq, tile):
        kj, vj = k[first : first + tile], v[first : first + tile]
        for top in range(0, seq, rows):
            at = slice(top, top + rows)
            s = r(r(q[at] @ kj.T) * scale)
            here = s.amax(-1, keepdim=True)
            p = r(torch.exp(r(s - here)))
            added = r(chain(p, torch.ones(p.shape[1], 1)) if chains else p.sum(-1, keepdim=True))
            grown = torch.maximum(m[at], here)
            alpha, beta = r(torch.exp(r(m[at] - grown))), r(torch.exp(r(here - grown)))
            held = r(alpha * total[at])
            both = r(held + r(beta * added))
            o[at] = r(r(r(held * o[at]) + r(beta * r(chain(p, vj) if chains else p @ vj))) / both)
            total[at], m[at] = both, grown
    return o


def flash_same_bits(seq: int, name: str, tile: int) -> Any:
    """The same with sums in order; FP32 holds products of BF16 and FP16 exactly, so that each addition is a fused multiply-add."""
    dtype = FORMATS[name]

    def r(x: Any) -> Any:
        return x.to(dtype).float()

    def r_once(whole: Any) -> Any:
        """From FP64 to FP32 by rounding to odd, which a second rounding does not see (torch's own cast rounds twice)."""
        near = whole.float()
        bits = near.view(torch.int32)
        lost = (near.double() != whole) & (bits & 1 == 0)
        return r(torch.where(lost, torch.where(near.double() < whole, bits + 1, bits - 1), bits).view(torch.float32))

    def r_exp(x: Any) -> Any:
        return r_once(torch.exp(x.double()))

    def product(a: Any, b: Any) -> Any:
        made = torch.zeros(a.shape[0], b.shape[1])
        for i in range(a.shape[1]):
            made += a[:, i, None] * b[i]
        return made

    q, k, v = (r_once(x) for x in tensors[seq])
    o, total, m = torch.zeros_like(q), torch.zeros(seq, 1), torch.full((seq, 1), -torch.inf)
    for first in range(0, seq, tile):
        kj, vj = k[first : first + tile], v[first : first + tile]
        s = r(r(product(q, kj.T)) * HEAD_DIM**-0.5)
        here = s.amax(-1, keepdim=True)
        p = r_exp(r(s - here))
        added = r(product(p, torch.ones(p.shape[1], 1)))
        grown = torch.maximum(m, here)
        alpha, beta = r_exp(r(m - grown)), r_exp(r(here - grown))
        held = r(alpha * total)
        both = r(held + r(beta * added))
        o = r(r(r(held * o) + r(beta * r(product(p, vj)))) / both)
        total, m = both, grown
    return o


def ours(points: Any) -> list[Any]:
    return [attention(inputs[seq].q, inputs[seq].k, inputs[seq].v, policy="fa_paper", format=name, block_k=tile)[0] for name, seq, tile in points]


@jit
def again(a: Any, b: Any, out: Any, count: int, times: int) -> None:
    for _ in range(times):
        rows_times(a, 0, HEAD_DIM, 1, count, HEAD_DIM, b, out)


def peak(dtype: Any) -> float:
    """Fused multiply-adds a second of the compiled product, in the first cache."""
    a, b, out = np.ones(64 * HEAD_DIM, dtype), np.ones(HEAD_DIM * LANES, dtype), np.ones(64 * LANES, dtype)
    again(a, b, out, 64, 1)
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        again(a, b, out, 64, 2000)
        best = max(best, 2000 * 64 * HEAD_DIM * LANES / (time.perf_counter() - start))
    return best


results = dict(zip(grid, ours(grid), strict=True))
off, differ, apart, apart_chains = 0.0, 0, 0.0, 0.0
for point in grid:
    name, seq, tile = point
    best = golden(inputs[seq].q, inputs[seq].k, inputs[seq].v, format=name)[0]

    def deviation(x: Any, best: Any = best) -> float:
        return float(np.abs(np.asarray(x, dtype=np.float64) - best).max())

    a, b = deviation(results[point]), deviation(flash(seq, name, tile, seq).numpy())
    off = max(off, abs(a / b - 1) if name in ("bf16", "fp16") else 0.0)
    if name == "fp32":
        apart = max(apart, abs(a / b - 1))
        apart_chains = max(apart_chains, abs(a / deviation(flash(seq, name, tile, seq, chains=True).numpy()) - 1) if seq <= 512 else 0.0)
for point in exact_grid:
    differ += int((flash_same_bits(point[1], point[0], point[2]).numpy() != results[point]).sum())

calls = {
    "ours": lambda: ours(grid), "rows": lambda: [flash(seq, name, tile, seq) for name, seq, tile in grid],
    "tiles": lambda: [flash(seq, name, tile, min(tile, HEAD_DIM)) for name, seq, tile in grid],
    "ours, small": lambda: ours(exact_grid), "same bits": lambda: [flash_same_bits(seq, name, tile) for name, seq, tile in exact_grid],
}  # fmt: skip
calls |= {f"ours, {name}": lambda name=name: ours([point for point in grid if point[0] == name]) for name in FORMATS}  # type: ignore[misc]
seconds = {name: spread(samples) for name, samples in in_turns(calls, repeats=3, warmup=0).items()}
middle = {name: each["median"] for name, each in seconds.items()}
ratio = {"tiles": middle["tiles"] / middle["ours"], "rows": middle["rows"] / middle["ours"], "same bits": middle["same bits"] / middle["ours, small"]}
rates = {name: peak(np.float64 if name == "fp64" else np.float32) for name in FORMATS}
limits = {name: sum(2 * seq * seq * HEAD_DIM / rates[name] for each, seq, _ in grid if each == name) for name in FORMATS}
report(
    __doc__.splitlines()[0], bool(ratio["tiles"] >= 5 and ratio["same bits"] >= 5 and differ == 0 and off < 0.5 and apart_chains < 0.1),
    {"ratio": {name: round(value, 2) for name, value in ratio.items()}, "seconds": seconds, "elements that differ from the same-bits script": differ,
     "largest relative difference of the largest deviation from golden, BF16 and FP16": off,
     "the same, FP32": apart, "the same, FP32, the script's row sum and PV in chains": apart_chains, "limit_s": sum(limits.values()),
     "fraction of the limit": {"all": round(sum(limits.values()) / middle["ours"], 3)}
     | {name: round(each / middle[f"ours, {name}"], 3) for name, each in limits.items()},
     "fma_per_s": {name: round(rate) for name, rate in rates.items()}}, "numpy", "torch", "numba",
)  # fmt: skip

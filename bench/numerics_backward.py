"""Attention forward and backward under a policy, a training batch of 64 tokens at a time: 5 times a plain torch script with the same bits.

With 16 and 32 tokens the lead is smaller: rows are too short for vector instructions to be busy. Those ratios are printed, too, and claim nothing.

Batch 64, 4 heads, head dimension 16, state in FP32, P and outputs in BF16 (`fa2_kernel`, dS in FP32, so that no step of torch's rounds twice). The script adds
up products one k after the other, since no matrix product of torch says in which order it adds; a second one, which lets torch multiply as it likes, has other
bits, and is reported beside it.
"""

import math
from typing import Any

import torch

from _claim import in_turns, report, spread
from thrifty.lenses.numerics import as_policy, emulated_attention

POLICY = as_policy("fa2_kernel").override("b.ds=fp32")
BATCH, HEADS, WIDTH = 64, 4, 16
BF16, FP32 = torch.bfloat16, torch.float32
Product = Any


def stored(x: torch.Tensor) -> torch.Tensor:
    return x.to(BF16).to(FP32)


def chain(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """a @ b, k ascending, every product exact, every sum rounded to FP32."""
    total = torch.zeros((*a.shape[:-1], b.shape[-1]), dtype=FP32)
    a, b = a.double(), b.double()
    for k in range(a.shape[-1]):
        total = (total.double() + a[..., :, k, None] * b[..., None, k, :]).to(FP32)
    return total


def script(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dout: torch.Tensor, product: Product) -> list[torch.Tensor]:
    """What one writes in torch: every step, then .to(dtype)."""
    q, k, v, dout = (stored(x) for x in (q, k, v, dout))
    scale = 1.0 / math.sqrt(WIDTH)
    s = product(q, k.transpose(-1, -2)) * scale
    top = s.amax(dim=-1, keepdim=True)
    p = torch.exp((s - top).double()).to(FP32)
    total = product(p, torch.ones(p.shape[-1], 1))
    out = stored(product(stored(p), v) / total)
    lse = (top.double() + torch.log(total.double())).to(FP32)
    p = torch.exp((s - lse).double()).to(FP32)
    d = product(dout.unsqueeze(-2), out.unsqueeze(-1))[..., 0] if product is torch.matmul else rows(dout, out)
    dv = stored(product(stored(p).transpose(-1, -2), dout))
    ds = p * (product(dout, v.transpose(-1, -2)) - d)
    return [out, stored(product(ds, k) * scale), stored(product(ds.transpose(-1, -2), q) * scale), dv]


def rows(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Row by row, the sum of products as `chain` adds it."""
    total = torch.zeros((*a.shape[:-1], 1), dtype=FP32)
    for k in range(a.shape[-1]):
        total = (total.double() + a[..., k, None].double() * b[..., k, None].double()).to(FP32)
    return total


def ours(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, dout: torch.Tensor) -> list[torch.Tensor]:
    leaves = [x.clone().requires_grad_() for x in (q, k, v)]
    out = emulated_attention(*leaves, policy=POLICY, block_q=q.shape[2], block_k=q.shape[2])
    out.backward(dout)
    return [out.detach(), *(x.grad for x in leaves if x.grad is not None)]


ratios, found, equal, apart = {}, {}, True, 0.0
for tokens in (16, 32, 64):
    generator = torch.Generator().manual_seed(tokens)
    given = [torch.randn(BATCH, HEADS, tokens, WIDTH, generator=generator) for _ in range(4)]
    mine, theirs, loose = ours(*given), script(*given, product=chain), script(*given, product=torch.matmul)
    equal = equal and all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    apart = max(apart, *(float((a - b).abs().max()) for a, b in zip(mine, loose, strict=True)))
    taken = in_turns({
        "ours": lambda given=given: ours(*given), "same bits": lambda given=given: script(*given, product=chain),
        "torch's products": lambda given=given: script(*given, product=torch.matmul),
    }, repeats=7)  # fmt: skip
    seconds = {name: spread(samples) for name, samples in taken.items()}
    found[tokens] = seconds
    ratios[tokens] = {name: round(each["median"] / seconds["ours"]["median"], 2) for name, each in seconds.items() if name != "ours"}

pairs = BATCH * HEADS * 64 * 64
report(
    __doc__.splitlines()[0], equal and ratios[64]["same bits"] >= 5,
    {
        "ratio": ratios, "seconds": found, "bits equal": equal, "largest difference from torch's own products": apart,
        "scores per second, both passes": round(pairs / found[64]["ours"]["median"]),
        "limit": "7 fused products of 16 terms a score are 112 FMAs: at 16 a cycle and core, 2 cores and 2.5 GHz, 7e8 scores per second",
        "fraction of it": round(pairs / found[64]["ours"]["median"] / 7.1e8, 3),
    }, "torch", "numpy", "numba",
)  # fmt: skip

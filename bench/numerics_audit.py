"""Training under an elementwise BF16 policy costs at most 4 times FP32 training, with the bits of FP64 rounded once.

A step is forward and backward of two transformer blocks (GELU, layer norm, attention) or of a three-layer network, on one thread. Every result of every
operator is rounded, forward and backward; products are torch's own FP32 ones in the claim ("torch"), and in the package's own order ("fma:fp32") beside it.
The limit is torch's own step: what a policy adds is one more pass over every result, and attention whose scores are written out. A net so small that
FP32 steps take two milliseconds pays for Python instead ("small", told and not claimed). Gradients at speed "fast" are held against "exact", bit for bit.
"""

import functools
from typing import Any

import torch
from torch import nn

from _claim import in_turns, report, spread
from thrifty.lenses.numerics import as_policy, emulate

torch.set_num_threads(1)
TOKENS, WIDTH = 1024, 128


def transformer(width: int = WIDTH, tokens: int = TOKENS) -> tuple[nn.Module, Any]:
    blocks = [nn.TransformerEncoderLayer(width, 4, 4 * width, dropout=0.0, batch_first=True, activation="gelu", norm_first=True) for _ in range(2)]
    return nn.Sequential(nn.Linear(16, width), *blocks, nn.Linear(width, 10)), torch.randn(tokens // 32, 32, 16)


def mlp() -> tuple[nn.Module, Any]:
    return nn.Sequential(nn.Linear(64, 512), nn.GELU(), nn.Linear(512, 512), nn.GELU(), nn.Linear(512, 10)), torch.randn(TOKENS, 64)


def step(net: nn.Module, x: Any, y: Any, mode: Any = None) -> list[Any]:
    for each in net.parameters():
        each.grad = None
    if mode is None:
        nn.functional.cross_entropy(net(x).reshape(-1, 10), y).backward()
    else:
        with mode:
            nn.functional.cross_entropy(net(x).reshape(-1, 10), y).backward()
    return [each.grad for each in net.parameters()]


def measure(net: nn.Module, x: Any) -> dict[str, Any]:
    y = torch.randint(0, 10, (x.numel() // x.shape[-1],))
    calls: dict[str, Any] = {"fp32": functools.partial(step, net, x, y)}
    same = True
    for how in ("torch", "fma:fp32"):
        policy = as_policy("baseline_paper").override(f"aten.acc={how}")
        exact, mode = step(net, x, y, emulate(policy, "bf16", speed="exact")), emulate(policy, "bf16")
        step(net, x, y, mode)  # makes tables
        same &= all(torch.equal(one, other) for one, other in zip(exact, step(net, x, y, mode), strict=True))
        calls[how] = functools.partial(step, net, x, y, mode)
    seconds = {how: spread(samples) for how, samples in in_turns(calls, repeats=9, warmup=2).items()}
    return {"ratio": {how: round(each["median"] / seconds["fp32"]["median"], 2) for how, each in seconds.items()}, "seconds": seconds, "same": same}


torch.manual_seed(0)
result = {"transformer": measure(*transformer()), "mlp": measure(*mlp()), "small": measure(*transformer(16, 64))}
claimed = max(result[name]["ratio"]["torch"] for name in ("transformer", "mlp"))
report(__doc__.splitlines()[0], claimed <= 4.0 and all(each["same"] for each in result.values()), {**result, "tokens": TOKENS, "width": WIDTH},
       "numpy", "torch", "numba")  # fmt: skip

"""A small model in which every row of scores holds its maximum twice: tokens come in pairs of one class, and keys know the class only.

A token is told by a class and a content. Keys are made of the class, so the two tokens of a class have equal keys; queries look for their own class, so
both stand at the maximum; values know both, so the two differ, and they are of one sign at the start. The model learns to name the other one's content.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from thrifty.formats.rounding import round_to
from thrifty.lenses.numerics.laboratory.backward import emulated_attention
from thrifty.lenses.numerics.policy import Policy

Tensor = Any
BATCH, TOKENS, WIDTH, HEADS, CLASSES, CONTENTS = 8, 32, 32, 2, 16, 64
HALF: Final = WIDTH // 2
SHARPNESS: Final = 2.0
"""Factor of keys and queries: at 2 all but the pair has about a thousandth of the weight, which BF16 only sees as on which side of a tie a sum lies."""
LEAN: Final = -1.0
"""Bias of the values at the start."""
RATE: Final = 2e-3


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One pass: loss, queries, keys, output of attention."""

    loss: Tensor
    q: Tensor
    k: Tensor
    out: Tensor


def weights(seed: int) -> dict[str, Tensor]:
    """At the start; the draw is NumPy's, so that it is the same with any torch."""
    draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0x9A1])))

    def normal(*axes: int, factor: float) -> Tensor:
        return torch.from_numpy((draws.standard_normal(axes) * factor).astype(np.float32))

    key = normal(WIDTH, HALF, factor=SHARPNESS / math.sqrt(HALF))
    query = normal(WIDTH, WIDTH, factor=0.3 / math.sqrt(WIDTH))
    query[:, :HALF] = key
    found = {
        "class": normal(CLASSES, HALF, factor=1.0), "content": normal(CONTENTS, HALF, factor=1.0), "query": query, "key": key,
        "value": normal(WIDTH, WIDTH, factor=0.3 / math.sqrt(WIDTH)), "value.bias": torch.full((WIDTH,), LEAN),
        "out": normal(WIDTH, WIDTH, factor=1 / math.sqrt(WIDTH)), "head": normal(CONTENTS, WIDTH, factor=1 / math.sqrt(WIDTH)),
    }  # fmt: skip
    return {name: each.requires_grad_(True) for name, each in found.items()}


def batch(draws: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """(BATCH, TOKENS) classes, contents, and what to say: the content of the other token of the class."""
    classes = np.stack([draws.permutation(np.repeat(np.arange(CLASSES), 2)) for _ in range(BATCH)])
    contents = draws.integers(0, CONTENTS, (BATCH, TOKENS))
    order = np.argsort(classes, axis=1, kind="stable")
    partner = np.empty_like(order)
    np.put_along_axis(partner, order, order.reshape(BATCH, -1, 2)[:, :, ::-1].reshape(BATCH, -1), axis=1)
    return tuple(torch.from_numpy(each) for each in (classes, contents, np.take_along_axis(contents, partner, axis=1)))


def exact(q: Tensor, k: Tensor, v: Tensor, format: str) -> Tensor:
    """Attention and its gradient in FP64, of inputs rounded to `format` as every policy rounds them."""
    q, k, v = (x.double() + (round_to(x, format, overflow="saturate") - x).detach().double() for x in (q, k, v))
    return torch.softmax(q @ k.transpose(-1, -2) / math.sqrt(WIDTH // HEADS), dim=-1) @ v


def seen(held: Mapping[str, Tensor], drawn: tuple[Tensor, Tensor, Tensor], policy: Policy | None, format: str) -> Seen:
    """One pass with attention under `policy` (one tile holds all keys), or exact; the output goes on in FP32 either way."""
    classes, contents, targets = drawn
    told = held["class"][classes]
    x = torch.cat([told, held["content"][contents]], dim=-1)

    def heads(y: Tensor) -> Tensor:
        return y.view(BATCH, TOKENS, HEADS, WIDTH // HEADS).transpose(1, 2)

    q, k, v = heads(F.linear(x, held["query"])), heads(F.linear(told, held["key"])), heads(F.linear(x, held["value"], held["value.bias"]))
    out = exact(q, k, v, format) if policy is None else emulated_attention(q, k, v, policy=policy, format=format, block_k=TOKENS)
    out = out.to(torch.float32)
    mixed = F.linear(out.transpose(1, 2).reshape(BATCH, TOKENS, WIDTH), held["out"])
    return Seen(F.cross_entropy(F.linear(mixed, held["head"]).reshape(-1, CONTENTS), targets.reshape(-1)), q, k, out)


def batches(seed: int) -> Callable[[], tuple[Tensor, Tensor, Tensor]]:
    draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0xBA7])))
    return lambda: batch(draws)


def array(tensor: Tensor) -> npt.NDArray[np.float64]:
    return np.asarray(tensor.detach().double().numpy(), dtype=np.float64)

"""How large the models are, which parameters they have, and where these start."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Tensors = Mapping[str, tuple[int, ...]]
"""Parameter → its axes, in the order in which they lie in the flat vector of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One model with what it is trained on.

    tokens   : of a sample; width: of the residual stream; hidden: of the feed-forward part; batch: samples a step
    block_k  : keys in a tile of Flash: four tiles a row
    learning : rate of AdamW after `WARM_UP` steps
    """

    name: str
    title: str
    tokens: int
    width: int
    heads: int
    blocks: int
    batch: int
    block_k: int
    causal: bool
    learning: float

    @property
    def head_width(self) -> int:
        return self.width // self.heads

    @property
    def hidden(self) -> int:
        return 4 * self.width


PATCH: Final = 2
SIDE: Final = 8
CLASSES: Final = 10
FREQUENCIES: Final = 16
"""Sines, and as many cosines, that tell a diffusion model the time."""
BYTES: Final = 256

MODELS: Final[dict[str, Shape]] = {
    shape.name: shape
    for shape in (
        Shape(
            name="digits", title="class-to-image diffusion transformer on scikit-learn's digits", tokens=(SIDE // PATCH) ** 2, width=32, heads=2, blocks=2,
            batch=32, block_k=4, causal=False, learning=2e-3),
        Shape(
            name="text", title="byte-level language model on English text", tokens=32, width=32, heads=2, blocks=2,
            batch=16, block_k=8, causal=True, learning=2e-3),
    )
}  # fmt: skip


def parameters_of(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Every parameter with its axes; linear ones are (out, in)."""
    d, h = shape.width, shape.hidden
    found: dict[str, tuple[int, ...]] = {}
    if shape.name == "digits":
        found |= {"patch.weight": (d, PATCH * PATCH), "patch.bias": (d,), "position": (shape.tokens, d), "class": (CLASSES, d)}
        found |= {"time.weight": (d, 2 * FREQUENCIES), "time.bias": (d,)}
    else:
        found |= {"byte": (BYTES, d), "position": (shape.tokens, d)}
    for block in range(shape.blocks):
        at = f"block{block}."
        if shape.name == "digits":
            found |= {f"{at}condition.weight": (6 * d, d), f"{at}condition.bias": (6 * d,)}
        else:
            found |= {f"{at}norm1.weight": (d,), f"{at}norm1.bias": (d,)}
        for name in ("query", "key", "value", "out"):
            found |= {f"{at}{name}.weight": (d, d), f"{at}{name}.bias": (d,)}
        if shape.name == "text":
            found |= {f"{at}norm2.weight": (d,), f"{at}norm2.bias": (d,)}
        found |= {f"{at}up.weight": (h, d), f"{at}up.bias": (h,), f"{at}down.weight": (d, h), f"{at}down.bias": (d,)}
    outputs = PATCH * PATCH if shape.name == "digits" else BYTES
    found |= {"norm.weight": (d,), "norm.bias": (d,), "head.weight": (outputs, d), "head.bias": (outputs,)}
    return found


def initial(shape: Shape, seed: int) -> npt.NDArray[np.float32]:
    """All parameters in one vector. Matrices are normal with variance 1/inputs, tables of embeddings with 0.02 of it, what conditions a block with a tenth;
    the head starts at zero, so that the first prediction is the same for every seed; biases at zero, factors of norms at one."""
    draws = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, 0x1417])))
    parts = []
    for name, axes in parameters_of(shape).items():
        count = math.prod(axes)
        values = draws.standard_normal(count)
        if name.startswith("head.") or name.endswith("bias"):
            values = np.zeros(count)
        elif name.endswith(("norm.weight", "norm1.weight", "norm2.weight")):
            values = np.ones(count)
        elif name in ("position", "class", "byte"):
            values *= math.sqrt(0.02)
        else:
            values *= (0.1 if "condition" in name else 1.0) / math.sqrt(axes[-1])
        parts.append(values)
    return np.concatenate(parts).astype(np.float32)


def decays(shape: Shape) -> npt.NDArray[np.float32]:
    """1 where weight decay acts (matrices), else 0; flat."""
    tensors = parameters_of(shape)
    return np.concatenate([np.full(math.prod(axes), float(name.endswith(".weight") and len(axes) == 2)) for name, axes in tensors.items()]).astype(np.float32)

"""What a one-sided error does to a weight over steps: dW_Q of a small attention layer, its errors added up as an optimiser adds up gradients.

One head on sequences of tokens, new ones at every step. Two tokens of each sequence bear a mark that keys see and values do not: all queries like both best,
and equally. Values are negative; the gradient of the output leans to one side, as that of an output which should be larger does. The error of D then is
scale · (D - golden) · (PK)ᵀ X in dW_Q (Qiu and Yao 2025), which points the same way at every step. Keys are of rank one here, so that error is, too.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats import round_to
from thrifty.lenses.numerics.laboratory.backward import attention_backward
from thrifty.lenses.numerics.mechanism.bias import Bias, bias_of
from thrifty.lenses.numerics.mechanism.demonstration import BETA
from thrifty.lenses.numerics.mechanism.growth import LEAST_STEPS, Coherence, coherence
from thrifty.lenses.numerics.policy import Policy, as_policy
from thrifty.progress import Progress

Floats = npt.NDArray[np.float64]
SEQUENCES, TOKENS, WIDTH, HEAD_DIM, MARKED = 8, 32, 32, 16, 2
TOP, GAP = 1.0, 11.0
"""Scores of marked tokens, and how far all others lie below them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """How errors of dW_Q add up under one policy; d: bias of D's error."""

    name: str
    policy: Policy
    growth: Coherence
    d: Bias

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "policy": self.policy.name, "hash": self.policy.hash("bf16"), "growth": self.growth.to_dict(), "d": self.d.to_dict()}


def policies() -> dict[str, Policy]:
    """What is compared: the mechanism, its cure in the forward pass, D from what it does not touch, and kernels as they are."""
    plain = as_policy("fa2_kernel").override("pv.store=dt")
    return {
        "PV in the working format": plain, "the same, maximum mended": plain.override(f"option.repeated_max={BETA:g}"),
        "the same, D from P and dP": plain.override("option.dsum=p_dp"), "state in FP32": as_policy("fa2_kernel"),
        "state in FP32, maximum mended": as_policy("fa2_kernel").override(f"option.repeated_max={BETA:g}"),
    }  # fmt: skip


def learn(*, steps: int = 64, format: str = "bf16", seed: int = 0, progress: Progress = lambda what, share: None) -> tuple[Learned, ...]:
    """Errors of dW_Q over `steps` steps, policy by policy, all on the same tokens. Raises BadValue for fewer than 8 steps."""
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < LEAST_STEPS:
        raise BadValue(f"steps={steps!r} must be a whole number of at least {LEAST_STEPS}.")
    batches = [_batch(seed, step, format) for step in range(steps)]
    made, said = [], policies()
    for place, (name, policy) in enumerate(said.items()):
        progress(f"mechanism: dW_Q, {name}", place / len(said))
        made.append(_learned(name, policy, batches, format))
    return tuple(made)


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Tokens (B, 1, N, width), what attention takes, and the true dQ and D of that."""

    x: Floats
    qkv: tuple[Floats, Floats, Floats]
    dout: Floats
    dq: Floats
    d: Floats


def _learned(name: str, policy: Policy, batches: list[_Batch], format: str) -> Learned:
    errors, strays = [], []
    for batch in batches:
        found = attention_backward(batch.dout, *batch.qkv, policy=policy, format=format, block_q=TOKENS, block_k=TOKENS)
        errors.append(np.einsum("bhnw,bhnd->wd", batch.x, found.dq - batch.dq))
        strays.append((found.dsum - batch.d).ravel())
    return Learned(name=name, policy=policy, growth=coherence(np.array(errors)), d=bias_of(np.concatenate(strays)))


def _batch(seed: int, step: int, format: str) -> _Batch:
    draw = np.random.default_rng([seed, step])
    x = np.clip(draw.standard_normal((SEQUENCES, 1, TOKENS, WIDTH)), -2.0, 2.0)
    x[..., 0], x[..., 1] = 0.0, 1.0
    for sequence in x[:, 0]:
        sequence[draw.choice(TOKENS, MARKED, replace=False), 0] = 1.0
    x = round_to(x, format)
    q, k, v = (round_to(np.einsum("bhnw,wd->bhnd", x, weight), format) for weight in _weights(seed))
    dout = round_to(0.1 + 0.1 * draw.standard_normal(v.shape), format)
    return _Batch(x, (q, k, v), dout, *_true(dout, q, k, v))


def _weights(seed: int) -> tuple[Floats, Floats, Floats]:
    """W_Q, W_K, W_V: token 0 is the mark, token 1 is always 1."""
    draw = np.random.default_rng([seed, 1 << 20])
    query, key, value = (np.zeros((WIDTH, HEAD_DIM)) for _ in range(3))
    direction = draw.standard_normal(HEAD_DIM)
    direction *= HEAD_DIM**0.25 / math.sqrt(float((direction * direction).sum()))  # so that its product with itself, scaled, is 1
    query[1], query[2:] = direction, 0.05 * draw.standard_normal((WIDTH - 2, HEAD_DIM))
    key[0], key[1] = GAP * direction, (TOP - GAP) * direction
    value[1], value[2:] = -3.0, 0.3 * draw.uniform(-1.0, 1.0, (WIDTH - 2, HEAD_DIM))
    return query, key, value


def _true(dout: Floats, q: Floats, k: Floats, v: Floats) -> tuple[Floats, Floats]:
    """dQ and D in FP64."""
    scale = 1.0 / math.sqrt(HEAD_DIM)
    scores = np.einsum("bhnd,bhmd->bhnm", q, k) * scale
    p = np.exp(scores - scores.max(axis=-1, keepdims=True))
    p /= p.sum(axis=-1, keepdims=True)
    dp = np.einsum("bhnd,bhmd->bhnm", dout, v)
    d = (p * dp).sum(axis=-1)
    return np.einsum("bhnm,bhmd->bhnd", p * (dp - d[..., None]), k) * scale, d

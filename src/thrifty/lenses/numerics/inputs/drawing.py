"""Queries, keys and values of a named distribution, the same for the same seed."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from thrifty.errors import BadValue, unknown_name
from thrifty.lenses.numerics.inputs.kinds import KINDS, Inputs

OUTLIER_SHARE, OUTLIER_STD = 0.001, 10.0
"""FlashAttention-3, section 4.3: one element in a thousand gets a further N(0, 100), whose standard deviation is 10."""
SINKS, SINK_BONUS = 4, 8.0
BIASED_MEAN, BIASED_COMMON = 100.0, 30.0
"""Mean of every key's elements, and of every query's: their product sums to d · 3000, which FP16 does not hold from d = 22 on."""
REPEATS: Final = 3


def draw(
    kind: str = "uniform", *, seq: int, head_dim: int, heads: int = 1, kv_heads: int | None = None, batch: int | None = None, seq_kv: int | None = None,
    seed: int = 0,
) -> Inputs:  # fmt: skip
    """Inputs of shape (heads, seq, head_dim), with a batch axis in front where `batch` is given, all FP64.

    kv_heads : heads of keys and values, a divisor of heads; seq_kv: their length; both as the queries' where not given
    Raises UnknownName for a distribution that `KINDS` does not list, BadValue for sizes that are no whole numbers.
    """
    if kind not in KINDS:
        raise unknown_name("inputs", kind, KINDS, "thrifty numerics attention --list")
    kv_heads, seq_kv = heads if kv_heads is None else kv_heads, seq if seq_kv is None else seq_kv
    sizes = {"seq": seq, "seq_kv": seq_kv, "seed": seed, "head_dim": head_dim, "heads": heads, "kv_heads": kv_heads, "batch": batch}
    for name, size in sizes.items():
        least = 0 if name in ("seq", "seq_kv", "seed") else 1
        if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < least):
            raise BadValue(f"{name}={size!r} must be a whole number of at least {least}.")
    if heads % kv_heads:
        raise BadValue(f"heads={heads} is no multiple of kv_heads={kv_heads}. Give a divisor.")
    front = () if batch is None else (batch,)
    rng = np.random.Generator(np.random.PCG64(seed))
    q_shape, kv_shape = (*front, heads, seq, head_dim), (*front, kv_heads, seq_kv, head_dim)
    q, k, v = (_sample(kind, rng, shape) for shape in (q_shape, kv_shape, kv_shape))
    if kind == "sinks":
        _add_sinks(q, k)
    elif kind == "biased_k":
        k += BIASED_MEAN
        q += BIASED_COMMON
    elif kind == "repeated_max":
        _repeat(q, k, v, rng)
    return Inputs(q, k, v, kind)


def _sample(kind: str, rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    if kind == "uniform":
        return rng.random(shape)
    drawn = rng.standard_normal(shape)
    if kind == "outliers":
        drawn += OUTLIER_STD * rng.standard_normal(shape) * (rng.random(shape) < OUTLIER_SHARE)
    return drawn


def _add_sinks(q: Any, k: Any) -> None:
    """One common direction in all queries that the first keys answer: a score of SINK_BONUS after the factor 1/√d."""
    d = q.shape[-1]
    length = float(np.sqrt(SINK_BONUS * np.sqrt(d)))
    q[..., 0] = length
    k[..., :SINKS, 0] = length
    k[..., SINKS:, 0] = 0.0


def _repeat(q: Any, k: Any, v: Any, rng: np.random.Generator) -> None:
    """All queries share a direction that a few equal keys answer most; there V is below zero, as where BF16 training failed (Qiu and Yao 2025)."""
    d, seq_kv = q.shape[-1], k.shape[-2]
    if seq_kv == 0:
        return
    places = rng.choice(seq_kv, size=min(REPEATS, seq_kv), replace=False)
    common = np.zeros(d)
    common[0] = float(np.sqrt(12.0 * np.sqrt(d)))
    q[..., 0] = common[0]
    k[..., 0] = 0.0
    k[..., places, :] = common
    v[..., places, :] = -np.abs(v[..., places, :]) - 1.0

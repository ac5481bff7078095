"""Attention under a policy: what users call."""

from __future__ import annotations

from typing import Any

from thrifty.lenses.numerics.laboratory.plain import attend_plain
from thrifty.lenses.numerics.laboratory.prepare import Problem, prepare
from thrifty.lenses.numerics.laboratory.result import Attended
from thrifty.lenses.numerics.policy import Policy


def attention(
    q: Any, k: Any, v: Any, *, policy: str | Policy = "fa_paper", format: str = "bf16", block_q: int | None = None, block_k: int | None = None,
    sram: int | None = None, causal: bool = False, window: Any = None, alibi: Any = None, mask: Any = None, scale: float | None = None,
    splits: int | None = None, split_size: int | None = None, seed: int = 0,
) -> Any:  # fmt: skip
    """softmax(QKᵀ/√d)V with every step rounded as `policy` says, (…, H, N, d_v), of the kind (array or tensor) that came in.

    Arguments as in `attend`, which also returns the log-sum-exp and counts.
    """
    return attend(
        q, k, v, policy=policy, format=format, block_q=block_q, block_k=block_k, sram=sram, causal=causal, window=window, alibi=alibi, mask=mask,
        scale=scale, splits=splits, split_size=split_size, seed=seed,
    ).out  # fmt: skip


def attend(
    q: Any, k: Any, v: Any, *, policy: str | Policy = "fa_paper", format: str = "bf16", block_q: int | None = None, block_k: int | None = None,
    sram: int | None = None, causal: bool = False, window: Any = None, alibi: Any = None, mask: Any = None, scale: float | None = None,
    splits: int | None = None, split_size: int | None = None, seed: int = 0,
) -> Attended:  # fmt: skip
    """The same with its log-sum-exp, counts and what was asked.

    q          : (…, H, N, d); k: (…, H_kv, N_kv, d), H_kv a divisor of H; v: (…, H_kv, N_kv, d_v); arrays or tensors, any strides, any real dtype
    policy     : a Policy, a preset's name, or the path of a .toml or .json file; format: what it leaves open as ``dt``
    block_q, block_k : rows of a tile of queries (only scales of quantised blocks depend on it) and of keys; by the paper's rule from `sram`, the elements
                 that fast memory holds, where not given
    causal     : keys after a query's place are not seen; queries are aligned with the last keys
    window     : keys further away than this many places are not seen; two numbers: before and after
    alibi      : True, or (H,) slopes: slope · distance is taken off a score; mask: booleans that broadcast to (…, H, N, N_kv), True is seen
    scale      : of scores, 1/√d where not given
    splits, split_size : keys are attended to in parts (so many, or of so many keys), which are joined
    seed       : of rounding modes that draw, and of the Hadamard matrix's signs

    Raises BadValue, UnknownName, BadFile.
    """
    return attended(prepare(
        q, k, v, policy=policy, format=format, block_q=block_q, block_k=block_k, sram=sram, causal=causal, window=window, alibi=alibi, mask=mask,
        scale=scale, splits=splits, split_size=split_size, seed=seed,
    ))  # fmt: skip


def attended(problem: Problem) -> Attended:
    """The answer to a problem that is prepared."""
    out, lse, counts = attend_plain(problem)
    return Attended(
        out=problem.back(out, "o.store"), lse=problem.back(lse, "lse"), policy=problem.policy, format=problem.steps.working,
        hash=problem.policy.hash(problem.steps.working), block_q=problem.block_q, block_k=problem.block_k, scale=problem.scale, seed=problem.steps.seed,
        tiles=sum(map(len, problem.splits)), splits=len(problem.splits), counts=counts,
    )  # fmt: skip

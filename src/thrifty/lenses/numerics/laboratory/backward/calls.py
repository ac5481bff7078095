"""The backward pass under a policy: what users call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats.rounding.arrays import Given, take
from thrifty.lenses.numerics.laboratory.backward.compiled import Table, pull_compiled, table_of
from thrifty.lenses.numerics.laboratory.backward.plain import Pulled, orders, pull
from thrifty.lenses.numerics.laboratory.plain import attend_plain
from thrifty.lenses.numerics.laboratory.prepare import Problem, prepare
from thrifty.lenses.numerics.policy import Policy

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Gradients:
    """Gradients of the kind (array or tensor) that came in, and how they came about.

    dq : (…, H, N, d); dk, dv: (…, H_kv, N_kv, d) and (…, H_kv, N_kv, d_v)
    dsum : D, (…, H, N), the row sums of dO · O or of P · dP; out, lse: of the forward pass, which is done again
    order : "sorted", or the seed of the order in which tiles of keys were added to dQ
    hash : of the policy in this format
    """

    dq: Any
    dk: Any
    dv: Any
    dsum: Any
    out: Any
    lse: Any
    policy: Policy
    format: str
    hash: str
    block_q: int
    block_k: int
    scale: float
    seed: int
    order: str | int


def attention_backward(
    dout: Any, q: Any, k: Any, v: Any, *, policy: str | Policy = "fa_paper", format: str = "bf16", block_q: int | None = None, block_k: int | None = None,
    sram: int | None = None, causal: bool = False, window: Any = None, alibi: Any = None, mask: Any = None, scale: float | None = None,
    splits: int | None = None, split_size: int | None = None, seed: int = 0, order: str | int = "sorted",
) -> Gradients:  # fmt: skip
    """Gradients of attention to q, k and v with every step rounded as `policy` says, P made anew from scores and log-sum-exp as real kernels do.

    dout  : (…, H, N, d_v), gradient of the output; rounded at site in.do
    order : in which tiles of keys are added to dQ: "sorted" (a kernel's deterministic mode), or a seed that draws one for every tile of queries of every
            head, as atomic additions would

    All else as in `attend`. Tiles of queries matter here: dK and dV are sums over them. Raises BadValue, UnknownName, BadFile.
    """
    problem = prepare(
        q, k, v, policy=policy, format=format, block_q=block_q, block_k=block_k, sram=sram, causal=causal, window=window, alibi=alibi, mask=mask,
        scale=scale, splits=splits, split_size=split_size, seed=seed,
    )  # fmt: skip
    refuse(problem.policy)
    check_order(order)
    held = problem.steps.at("in.do", _shaped(problem, take(dout, "dout"), q))
    out, lse, _ = attend_plain(problem)
    made = pulled(problem, held, out, lse, order, table_of(problem.steps))
    return Gradients(
        dq=_back(problem, made.dq, q), dk=_back(problem, made.dk, k), dv=_back(problem, made.dv, v), dsum=problem.back(made.dsum, "b.dsum"),
        out=problem.back(out, "o.store"), lse=problem.back(lse, "lse"), policy=problem.policy, format=problem.steps.working,
        hash=problem.policy.hash(problem.steps.working), block_q=problem.block_q, block_k=problem.block_k, scale=problem.scale, seed=seed, order=order,
    )  # fmt: skip


def pulled(problem: Problem, dout: Floats, out: Floats, lse: Floats, order: str | int, table: Table | None) -> Pulled:
    """Compiled where there is a table for it, else by the definition; the same bits."""
    return pull(problem, dout, out, lse, orders(problem, order)) if table is None else pull_compiled(problem, table, dout, out, lse, order)


def refuse(policy: Policy) -> None:
    """Policies whose forward pass has no derivative here."""
    for option, off in (("quantise", "none"), ("hadamard", False)):
        if getattr(policy.options, option) != off:
            raise BadValue(f"policy '{policy.name}' has option {option}={getattr(policy.options, option)}, of which no kernel has a backward pass. Say {off}.")


def check_order(order: str | int) -> None:
    if order != "sorted" and (isinstance(order, bool) or not isinstance(order, int) or not 0 <= order < 1 << 63):
        raise BadValue(f"order={order!r} must be 'sorted' or a whole number, the seed of an order.")


def _shaped(problem: Problem, given: Given, q: Any) -> Floats:
    """Gradient of the output as (batch, H, N, d_v)."""
    needed = (*problem.q.shape[:3], problem.v.shape[3])
    front = tuple(q.shape[:-1])
    if given.values.shape != (*front, needed[3]):
        raise BadValue(f"dout is {given.values.shape}; the output it is the gradient of is {(*front, needed[3])}.")
    return np.asarray(given.values, dtype=np.float64).reshape(needed)


def _back(problem: Problem, made: Floats, like: Any) -> Any:
    """A gradient in the shape and kind of what it is the gradient of."""
    given = take(like)
    return given.back(made.reshape(given.values.shape).astype(given.result_dtype(problem.steps.roundings["b.out"].spec)))

"""Which problems the compiled backward pass serves, and how it is called: in FP32 or FP64 chains of fused multiply-adds, no mode that draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats import float_spec
from thrifty.formats.accumulators import parse_accumulator
from thrifty.lenses.numerics.laboratory.backward.plain import Floats, Pulled, orders, stores_weights, tiles_of, together
from thrifty.lenses.numerics.laboratory.prepare import Problem
from thrifty.lenses.numerics.laboratory.steps import Steps
from thrifty.loops import has_numba, in_threads

_SUMS: Final = {"fma:fp32": np.float32, "fma:fp64": np.float64}
_OPERANDS: Final = ("in.q", "in.k", "in.v", "in.do", "p.store", "b.ds", "o.store")


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A policy's roundings as the kernel takes them, and the dtype of its sums."""

    words_SW: npt.NDArray[np.int64]
    like: npt.NDArray[Any]


def table_of(steps: Steps) -> Table | None:
    """None where the compiled pass does not serve the policy."""
    if not has_numba() or not steps.compiled:
        return None
    policy = steps.policy
    summed = ("s.acc", "b.acc", "d.acc", *(["l.acc"] if policy.algorithm == "baseline" else []))
    names = [str(parse_accumulator(steps.accumulator(site))) for site in summed]
    dtype = _SUMS.get(names[0]) if len(set(names)) == 1 else None
    if dtype is None:
        return None
    operands = [*_OPERANDS, *([] if policy.options.scale_after else ["s.scale"]), *(["b.p", "b.dp"] if policy.options.dsum == "p_dp" else [])]
    operands += ["p.exp"] if policy.algorithm == "baseline" else []
    if dtype is np.float32 and not all(float_spec("fp32").holds(steps.roundings[site].spec) for site in operands):
        return None
    from thrifty.formats.rounding.kernels import parameters
    from thrifty.lenses.numerics.laboratory.backward.tiles import SITES_USED

    used = [steps.roundings[site] for site in SITES_USED]
    if any(to.mode in ("stochastic", "random") for to in (*used, steps.roundings["in.do"])):
        return None
    return Table(np.stack([parameters(to) for to in used]), np.ones(1, dtype))


def pull_compiled(problem: Problem, table: Table, dout: Floats, out: Floats, lse: Floats, order: str | int) -> Pulled:
    """What `plain.pull` gives."""
    from thrifty.lenses.numerics.laboratory.backward.kernels import ANY, pitches_of, pull_heads, scratch_of

    batch, heads, seq, d = problem.q.shape
    seq_kv, e = problem.v.shape[2:]
    tiles_q, tiles_k = tiles_of(problem)
    baseline, sight, factor = problem.policy.algorithm == "baseline", problem.sight, problem.factor
    before, after = (ANY if side is None else side for side in sight.window)
    mask = np.ones((1, 1, 1, seq_kv), dtype=bool) if sight.mask is None else _own(sight.mask)
    slopes = np.array([np.nan]) if sight.slopes is None else _own(sight.slopes)
    held = (mask, sight.mask is not None, slopes, sight.causal, before, after)
    inputs = tuple(_own(x).reshape(x.shape[0] * x.shape[1], *x.shape[2:]) for x in (problem.q, problem.k, problem.v, dout, out, lse))
    order_HIJ = orders(problem, order).reshape(batch * heads, len(tiles_q), len(tiles_k))
    block_q, block_k = (max(seq, 1), max(seq_kv, 1)) if baseline else (problem.block_q, problem.block_k)
    asks = (stores_weights(problem), baseline, problem.policy.options.dsum == "p_dp")
    factors = (
        0.0 if factor is None else factor, 1.0 if baseline and factor is not None else problem.scale, 1.0 if baseline or factor is None else factor,
        float(problem.policy.options.repeated_max),
    )  # fmt: skip
    made = tuple(np.empty((batch * heads, *shape)) for shape in ((seq, d), (seq_kv, d), (seq_kv, e), (seq,)))

    pitches = pitches_of(table.like, seq, seq_kv, d, e, block_q, block_k, len(tiles_k))

    def part(first: int, last: int) -> None:
        scratch = scratch_of(table.like, pitches, seq, seq_kv, d, e, block_q, len(tiles_k))
        pull_heads(first, last, table.like, scratch, pitches, inputs, held, order_HIJ, table.words_SW, block_q, block_k, asks, factors, made)

    in_threads(part, batch * heads, seq * seq_kv * (60 + d + e), block=1)
    dq, dk, dv, dsum = (x.reshape(batch, heads, *x.shape[1:]) for x in made)
    return Pulled(dq=dq, dk=together(problem, dk, 1), dv=together(problem, dv, 2), dsum=dsum)


def _own(x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Contiguous and not read-only, so that one compiled kernel serves all."""
    held = np.ascontiguousarray(x)
    return held if held.flags.writeable else held.copy()

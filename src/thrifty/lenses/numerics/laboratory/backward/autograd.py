"""Attention under a policy inside a model of torch that learns: forward and backward passes both rounded step by step."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from thrifty.errors import BadValue, missing_extra
from thrifty.formats import FloatSpec, float_spec, format_of_torch
from thrifty.formats.rounding.arrays import is_tensor
from thrifty.lenses.numerics.laboratory.backward.calls import check_order, pulled, refuse
from thrifty.lenses.numerics.laboratory.backward.compiled import Table, table_of
from thrifty.lenses.numerics.laboratory.plain import attend_plain
from thrifty.lenses.numerics.laboratory.prepare import Floats, Problem, prepare
from thrifty.lenses.numerics.policy import Policy

KEPT: Final = 64
"""Checked problems that are held, so that a step of training checks nothing twice."""


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """A problem whose numbers are still to come."""

    problem: Problem
    table: Table | None
    order: str | int

    def filled(self, *held: Any) -> Problem:
        """With queries, keys and values of the same shapes."""
        steps, options = self.problem.steps, self.problem.policy.options
        q, k, v = (steps.at(site, _floats(x).reshape(like.shape)) for site, x, like in zip(("in.q", "in.k", "in.v"), held, self.problem.given, strict=True))
        if not options.scale_after:
            q = steps.at("s.scale", q * self.problem.scale, turn=1)
        return replace(self.problem, q=q, k=k, v=v)


_plans: dict[Any, tuple[Any, _Plan]] = {}


def emulated_attention(
    q: Any, k: Any, v: Any, *, policy: str | Policy = "fa_paper", format: str = "bf16", block_q: int | None = None, block_k: int | None = None,
    causal: bool = False, window: Any = None, alibi: Any = None, mask: Any = None, scale: float | None = None, seed: int = 0, order: str | int = "sorted",
) -> Any:  # fmt: skip
    """Attention as `attend` computes it, a tensor (…, H, N, d_v) through which gradients flow back as `attention_backward` computes them.

    q, k, v : tensors; the output has q's dtype where that holds what the policy's last site leaves, else the narrowest of float32 and float64 that does.
    seed, order : of modes that draw and of dQ's additions; give another one at each step of training where steps should draw anew

    All else as in `attend`. Raises BadValue, UnknownName, BadFile; MissingExtra without torch.
    """
    function = _function()
    return function.apply(q, k, v, _plan_of(q, k, v, policy, order, {
        "format": format, "block_q": block_q, "block_k": block_k, "causal": causal, "window": window, "alibi": alibi, "mask": mask, "scale": scale,
        "seed": seed,
    }))  # fmt: skip


def _plan_of(q: Any, k: Any, v: Any, policy: str | Policy, order: str | int, said: dict[str, Any]) -> _Plan:
    """One that was made before for the same words and shapes, or a new one."""
    for name, x in (("q", q), ("k", k), ("v", v)):
        if not is_tensor(x):
            raise BadValue(f"{name} is a {type(x).__name__}; gradients flow through tensors of torch only. Use attention and attention_backward.")
    plain = said["mask"] is None and said["alibi"] in (None, True, False) and isinstance(said["window"], int | tuple | None)
    # A policy is told by what it is, not by its contents: hashing those takes longer than small attentions do. The plan holds it, so its id is its own.
    key = (policy if isinstance(policy, str) else id(policy), order, q.shape, k.shape, v.shape, tuple(said.values())) if plain else None
    if key is not None and key in _plans:
        return _plans[key][1]
    check_order(order)
    problem = prepare(*(x.detach() for x in (q, k, v)), policy=policy, **said)
    refuse(problem.policy)
    made = _Plan(problem, table_of(problem.steps), order)
    if key is not None:
        while len(_plans) >= KEPT:
            _plans.pop(next(iter(_plans)))
        _plans[key] = policy, made
    return made


@functools.cache
def _function() -> Any:
    try:
        import torch
    except ImportError:
        raise missing_extra("attention inside a model", "torch", "torch") from None

    class EmulatedAttention(torch.autograd.Function):  # type: ignore[misc]
        """Both passes by the laboratory."""

        @staticmethod
        def forward(ctx: Any, q: Any, k: Any, v: Any, plan: _Plan) -> Any:
            problem = plan.filled(q, k, v)
            out, lse, _ = attend_plain(problem)
            ctx.held = plan, problem, out, lse, [(x.shape, x.dtype, x.device) for x in (q, k, v)]
            return _tensor(out, (*q.shape[:-1], v.shape[-1]), _dtype(q.dtype, problem.steps.roundings["o.store"].spec), q.device)

        @staticmethod
        @torch.autograd.function.once_differentiable  # type: ignore[untyped-decorator]
        def backward(ctx: Any, dout: Any) -> Any:
            plan, problem, out, lse, kinds = ctx.held
            held = problem.steps.at("in.do", _floats(dout).reshape(out.shape))
            made = pulled(problem, held, out, lse, plan.order, plan.table)
            return (*(_tensor(x, *kind) for x, kind in zip((made.dq, made.dk, made.dv), kinds, strict=True)), None)

    def _tensor(x: Floats, shape: Any, dtype: Any, device: Any) -> Any:
        return torch.from_numpy(x).reshape(shape).to(device=device, dtype=dtype)

    def _dtype(given: Any, spec: FloatSpec) -> Any:
        holds: Callable[[Any], bool] = lambda dtype: float_spec(format_of_torch(dtype).name).holds(spec)  # noqa: E731
        return next((dtype for dtype in (given, torch.float32) if holds(dtype)), torch.float64)

    return EmulatedAttention


def _floats(x: Any) -> Floats:
    """A tensor's numbers in FP64."""
    import torch

    return np.asarray(x.detach().to(device="cpu", dtype=torch.float64).contiguous().numpy())

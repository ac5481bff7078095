"""`emulate` and `audit`: what users call; torch is imported by them alone."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thrifty.errors import missing_extra
from thrifty.lenses.numerics.policy import Policy, as_policy

if TYPE_CHECKING:
    from thrifty.lenses.numerics.auditing.finding import AuditFinding
    from thrifty.lenses.numerics.auditing.mode import Emulation
    from thrifty.progress import Progress


def emulate(
    policy: str | Policy | Path = "baseline_paper", format: str = "bf16", *, fused: Collection[str] = (), speed: str = "fast", seed: int = 0, watch: Any = None
) -> Emulation:  # fmt: skip
    """A context in which every result that torch computes is rounded by the policy, forward and backward; functions and modules stay as they are.

        with thrifty.numerics.emulate("baseline_paper", "bf16"):
            loss = model(x).square().mean()
            loss.backward()

    policy : preset, file or Policy. Sites are torch's operators (``aten.mm``), their steps (``aten.softmax.exp``), ``aten`` for all of them, ``*``;
             sums are kept as ``aten.mm.acc`` says; ``in`` rounds what comes from outside, weights included, where it is first read
    format : what ``dt`` in the policy stands for
    fused  : operators that are one kernel (``softmax``, ``layer_norm``, ``gelu``, …): only what goes out of them is rounded. `Emulation.region` and
             `Emulation.fuse(module)` say the same of a stretch of code and of a module
    speed  : "fast" or "exact"; the bits are the same (see `arithmetic`)
    seed   : of modes that draw
    watch  : called with every site, its result before rounding and after

    A tensor must hold what its sites keep: FP32 for formats up to FP32, else give FP64 tensors. exp, exp2 and log are ours and the same everywhere; other
    functions (erf, tanh, pow, …) are torch's in FP64, whose last bit may differ between machines. Raises BadValue, UnknownName, BadFile, MissingExtra.
    """
    if importlib.util.find_spec("torch") is None:
        raise missing_extra("emulate", "torch", "torch")
    from thrifty.lenses.numerics.auditing.mode import Emulation

    return Emulation(as_policy(policy), format, fused=fused, speed=speed, seed=seed, watch=watch)


def audit(
    subject: Any, inputs: Any, policy: str | Policy | Path = "baseline_paper", format: str = "bf16", *, baseline: Any = None,
    baseline_policy: str | Policy | Path | None = None, fused: Collection[str] = (), seed: int = 0, contributions: bool = True,
    names: tuple[str, str] = ("", ""), progress: Progress | None = None,
) -> AuditFinding:  # fmt: skip
    """How far a function or module drifts under a policy, rounding by rounding, and which operator makes most of it.

    subject  : a function, a module, or a pair (optimised, baseline)
    inputs   : what it is called with: a tuple, a dict by names, or one tensor; arrays and tensors become FP64 tensors, rounded as site ``in`` says
    policy, format, fused, seed : as for `emulate`; fused also takes names of a module's parts
    baseline : what it should compute; golden is then the baseline in FP64, and the baseline runs under `baseline_policy` (else the same policy), too
    contributions : also run every site alone under the policy, all others in FP64
    names    : of subject and baseline in the report

    Golden is FP64 on the same rounded inputs and weights, sums in order. A module is copied; its weights and buffers stay as they are.
    Raises BadValue, UnknownName, BadFile, MissingExtra.
    """
    if importlib.util.find_spec("torch") is None:
        raise missing_extra("audit", "torch", "torch")
    from thrifty.lenses.numerics.auditing import running

    return running.audit(
        subject, inputs, as_policy(policy), format, baseline=baseline, baseline_policy=None if baseline_policy is None else as_policy(baseline_policy),
        fused=tuple(fused), seed=seed, contributions=contributions, names=names, progress=progress,
    )  # fmt: skip

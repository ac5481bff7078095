"""Look for the mechanism in one attention."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats import float_spec
from thrifty.lenses.numerics.laboratory import attend, golden
from thrifty.lenses.numerics.laboratory.backward import attention_backward
from thrifty.lenses.numerics.laboratory.plain import score_tile
from thrifty.lenses.numerics.laboratory.prepare import prepare
from thrifty.lenses.numerics.mechanism.bias import bias_of
from thrifty.lenses.numerics.mechanism.demonstration import BETA
from thrifty.lenses.numerics.mechanism.finding import Lean, MechanismFinding
from thrifty.lenses.numerics.mechanism.repeats import count_maxima, repeats_of
from thrifty.lenses.numerics.policy import Policy, as_policy

Floats = npt.NDArray[np.float64]
_GOLDEN: Final = ("block_q", "block_k", "causal", "window", "alibi", "mask", "scale", "seed")
"""Arguments that golden attention takes, too."""


def examine(
    q: Any, k: Any, v: Any, dout: Any = None, *, policy: str | Policy = "fa_paper", format: str = "bf16", beta: float = BETA, **said: Any
) -> MechanismFinding:
    """Repeated maxima in an attention, and whether its errors lean to one side, before and after a repeated maximum is mended.

    dout : gradient of the output, (…, H, N, d_v); with it D is looked at, too
    beta : what a repeated positive maximum is multiplied by in the second look
    said : all else that `attend` takes: block_q, block_k, causal, window, alibi, mask, scale, seed

    Errors are against FP64 of the same rounded inputs. Raises BadValue, UnknownName, BadFile.
    """
    base = as_policy(policy)
    if isinstance(beta, bool) or not isinstance(beta, int | float) or not 1 < beta <= 64:
        raise BadValue(f"beta={beta!r} must be a number above 1 and at most 64; 7 is usual.")
    problem = prepare(q, k, v, policy=base, format=format, **said)
    scores, _ = score_tile(problem, 0, problem.k.shape[2], 0)
    counts = count_maxima(scores)
    true = _floats(golden(q, k, v, policy=base, format=format, **{name: said[name] for name in _GOLDEN if name in said}))
    pulled = None if dout is None else (problem.steps.at("in.do", _floats(dout)) * true).sum(axis=-1)
    looks = []
    for each in (base, base.override(f"option.repeated_max={beta:g}")):
        found = attend(q, k, v, policy=each, format=format, **said)
        looks.append((_floats(found.out), _lean(each, format, found, true, counts, dout, pulled, (q, k, v), said)))
    (out, plain), (again, mended) = looks
    alone = counts.reshape(out.shape[:-1]) == 1
    spec, largest = problem.steps.roundings["o.store"].spec, float(np.abs(np.where(np.isfinite(true), true, 0.0)).max(initial=0.0))
    return MechanismFinding(
        format=float_spec(format).name, shape=tuple(out.shape), beta=float(beta), repeats=repeats_of(scores), plain=plain, mended=mended,
        elsewhere=float(np.abs(np.nan_to_num(again - out))[alone].max(initial=0.0)),
        step=2.0 ** (math.frexp(largest)[1] - 1 - spec.mantissa_bits) if largest else 0.0,
        safe_top=-math.log(problem.steps.roundings["p.exp"].spec.smallest) / (beta - 1),
    )  # fmt: skip


def _lean(policy: Policy, format: str, found: Any, true: Floats, counts: Any, dout: Any, pulled: Any, qkv: Any, said: dict[str, Any]) -> Lean:
    out = _floats(found.out)
    away = (out - true) * np.sign(true)
    rows = counts.reshape(out.shape[:-1])
    d_out = d_p = None
    if dout is not None:
        d_out, d_p = (
            bias_of((_floats(attention_backward(dout, *qkv, policy=policy.override(f"option.dsum={way}"), format=format, **said).dsum) - pulled).ravel())
            for way in ("do_o", "p_dp")
        )
    return Lean(
        policy=policy.name, hash=policy.hash(found.format), repeated=bias_of(away[rows > 1]), single=bias_of(away[rows == 1]), d_out=d_out, d_p=d_p,
        lost=int(((rows > 0) & np.isneginf(_floats(found.lse))).sum()),
    )  # fmt: skip


def _floats(x: Any) -> Floats:
    from thrifty.formats.rounding.arrays import take

    return np.asarray(take(x).values, dtype=np.float64)

"""One attention against its baseline and golden: what `thrifty numerics attention` shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.lenses.numerics.deviations import Deviation, deviation
from thrifty.lenses.numerics.inputs import Inputs
from thrifty.lenses.numerics.laboratory.calls import attended
from thrifty.lenses.numerics.laboratory.exactly import golden_of
from thrifty.lenses.numerics.laboratory.prepare import prepare
from thrifty.lenses.numerics.laboratory.result import Attended
from thrifty.lenses.numerics.policy import Policy, as_policy
from thrifty.lenses.numerics.policy.checks import choose

GOLDENS: Final = {
    "rounded": "attention in FP64 of q, k, v as they are rounded (the operator's own error)",
    "given": "attention in FP64 of q, k, v as they came (rounding of inputs counts, too)",
}
"""Choice of golden → what it is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Study:
    """A policy and its baseline on the same inputs, both against golden.

    inputs : their name; shape: (batch, heads, kv heads, queries, keys, head dim)
    golden : a choice of GOLDENS; best: golden itself (batch, H, N, d_v)
    lse_deviation : largest |log-sum-exp difference| between the policy and its baseline, over rows in which both are finite; None where there is none
    """

    inputs: str
    shape: tuple[int, int, int, int, int, int]
    golden: str
    best: npt.NDArray[np.float64]
    attended: Attended
    baseline: Attended
    deviation: Deviation
    lse_deviation: float | None

    def to_dict(self) -> dict[str, Any]:
        """Flat: the deviation's measures, then what was run."""
        found, counts = self.attended, self.attended.counts
        names = ("batch", "heads", "kv_heads", "seq", "seq_kv", "head_dim")
        return {
            **self.deviation.to_dict(), "policy": found.policy.to_dict(), "policy_hash": found.hash, "baseline_policy": self.baseline.policy.to_dict(),
            "baseline_hash": self.baseline.hash, "format": found.format, "inputs": self.inputs, **dict(zip(names, self.shape, strict=True)),
            "block_q": found.block_q, "block_k": found.block_k, "scale": found.scale, "seed": found.seed, "tiles": found.tiles, "splits": found.splits,
            "golden_inputs": self.golden, "lse_deviation": self.lse_deviation, **counted(found),
            "rows": counts.rows, "visits": counts.visits,
        }  # fmt: skip


def counted(found: Attended) -> dict[str, Any]:
    """Counts as shares that can be compared: None where nothing was there to count."""
    counts = found.counts
    return {
        "rescales": counts.rescales, "rescales_per_row": _share(counts.rescales, counts.rows), "visits_per_row": _share(counts.visits, counts.rows),
        "repeated_maxima": counts.repeated, "repeated_share": _share(counts.repeated, counts.visits), "p_underflows": counts.underflows,
        "p_underflow_share": _share(counts.underflows, counts.seen), "score_overflows": counts.overflows,
    }  # fmt: skip


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def study(
    inputs: Inputs, *, policy: str | Policy = "fa_paper", baseline: str | Policy | None = None, format: str = "bf16", block_q: int | None = None,
    block_k: int | None = None, sram: int | None = None, causal: bool = False, window: Any = None, alibi: Any = None, splits: int | None = None,
    split_size: int | None = None, golden: str = "rounded", seed: int = 0, beside: Study | None = None,
) -> Study:  # fmt: skip
    """Run a policy, its baseline and golden on the same inputs. baseline: `baseline_paper`, or `baseline_fp8` for a policy that quantises, where not given.

    beside : a study of the same inputs, format and masks, whose baseline and golden are taken over
    Others as in `attend`. Raises BadValue, UnknownName, BadFile.
    """
    said = as_policy(policy)
    choose("golden", golden, tuple(GOLDENS))
    if inputs.q.ndim >= 2 and inputs.q.shape[-2] == 0:
        raise BadValue("seq=0 leaves nothing to compare. Give at least one query.")
    shared = {"format": format, "causal": causal or inputs.causal, "window": window, "alibi": alibi, "seed": seed, "sram": sram}
    problem = prepare(inputs.q, inputs.k, inputs.v, policy=said, block_q=block_q, block_k=block_k, splits=splits, split_size=split_size, **shared)
    found = attended(problem)
    if beside is None:
        other = as_policy(baseline or ("baseline_fp8" if said.options.quantise != "none" else "baseline_paper"))
        base = attended(prepare(inputs.q, inputs.k, inputs.v, policy=other, block_q=block_q, block_k=block_k, **shared))
        best, _ = golden_of(problem, inputs=golden)
    else:
        base, best, golden = beside.baseline, beside.best, beside.golden
    q, k, v = problem.given
    probable = {"q": q, "k": k, "v": v}
    return Study(
        inputs=inputs.name, shape=(q.shape[0], q.shape[1], k.shape[1], q.shape[2], k.shape[2], q.shape[3]), golden=golden, best=best,
        attended=found, baseline=base,
        deviation=deviation(
            np.asarray(found.out).reshape(best.shape), np.asarray(base.out).reshape(best.shape), best, format=problem.steps.roundings["o.store"].spec,
            names=(said.name, base.policy.name), operands=lambda index: _operands(index, probable, np.asarray(found.lse).reshape(best.shape[:3])),
            golden_is=GOLDENS[golden],
        ),
        lse_deviation=_lse(np.asarray(found.lse, dtype=np.float64), np.asarray(base.lse, dtype=np.float64)),
    )  # fmt: skip


def _operands(index: tuple[int, ...], arrays: Mapping[str, Any], lse: Any) -> dict[str, Any]:
    """Of the worst element: its row's log-sum-exp, and the range of what went in."""
    b, h, row, channel = index
    shared = arrays["q"].shape[1] // arrays["k"].shape[1]
    v = arrays["v"][b, h // shared, :, channel]
    made = {"lse": lse[b, h, row], "q_norm": np.linalg.norm(arrays["q"][b, h, row]), "v_mean": v.mean(), "v_largest": np.abs(v).max()}
    return {name: float(value) if np.isfinite(value) else None for name, value in made.items()}


def _lse(a: Any, b: Any) -> float | None:
    good = np.isfinite(a) & np.isfinite(b)
    return float(np.abs(a[good] - b[good]).max()) if good.any() else None

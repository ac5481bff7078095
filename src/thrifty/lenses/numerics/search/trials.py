"""One attention problem on which many policies are tried: inputs drawn once, golden computed once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.lenses.numerics.deviations.pairs import rms
from thrifty.lenses.numerics.inputs import draw
from thrifty.lenses.numerics.laboratory import attend, golden
from thrifty.lenses.numerics.policy import ACCUMULATORS, SITES, Policy, Rule

Floats = npt.NDArray[np.float64]
EXACT = Rule(format="fp64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviates:
    """max and RMSE of a result against golden; infinite where an element of it is NaN or infinite."""

    max: float
    rmse: float

    def by(self, metric: str) -> float:
        return self.max if metric == "max" else self.rmse


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trial:
    """Some rows of an attention (rows do not know of each other), with golden of the inputs as `judged` says.

    judged : "rounded": golden of the inputs as the policy rounds them, so that only the operator deviates; "given": of the inputs themselves
    """

    q: Floats
    k: Floats
    v: Floats
    best: Floats
    format: str
    block_k: int | None
    seed: int
    judged: str
    name: str
    seq: int

    @classmethod
    def of(
        cls, policy: Policy, *, format: str, seq: int, head_dim: int, block_k: int | None, inputs: str, rows: int, seed: int, judged: str = "rounded",
    ) -> Trial:  # fmt: skip
        """Drawn; `rows` queries spread evenly, all where there are no more."""
        for name, value in (("rows", rows), ("seq", seq), ("head_dim", head_dim)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise BadValue(f"{name}={value!r} must be a whole number of at least 1.")
        drawn = draw(inputs, seq=seq, head_dim=head_dim, seed=seed)
        q = drawn.q[..., np.unique(np.linspace(0, seq - 1, min(rows, seq)).round().astype(int)), :]
        best = np.asarray(golden(q, drawn.k, drawn.v, policy=policy, format=format, block_k=block_k, inputs=judged, seed=seed))
        return cls(q=q, k=drawn.k, v=drawn.v, best=best, format=format, block_k=block_k, seed=seed, judged=judged, name=inputs, seq=seq)

    def run(self, policy: Policy) -> Deviates:
        got = attend(self.q, self.k, self.v, policy=policy, format=self.format, block_k=self.block_k, seed=self.seed)
        apart = np.asarray(got.out) - self.best
        if not np.isfinite(apart).all():
            return Deviates(max=np.inf, rmse=np.inf)
        return Deviates(max=float(np.abs(apart).max()), rmse=rms(apart))

    @property
    def golden(self) -> str:
        return f"FP64, of the inputs as {'the policy rounds them' if self.judged == 'rounded' else 'given'}"

    def settings(self) -> dict[str, Any]:
        return {
            "format": self.format, "seq": self.seq, "head_dim": self.q.shape[-1], "block_k": self.block_k, "inputs": self.name, "rows": self.q.shape[-2],
            "seed": self.seed, "golden": self.golden,
        }  # fmt: skip


def only(policy: Policy, kept: set[str]) -> Policy:
    """The policy at the sites and sums `kept` and at its inputs, FP64 everywhere else."""
    sites = {site: policy.rule(site) if site in kept or site.startswith("in.") else EXACT for site in SITES}
    sums = {site: policy.accumulator(site) if site in kept else "fma:fp64" for site in ACCUMULATORS}
    return replace(policy, name=f"{policy.name}, some sites", sites=sites, accumulators=sums)

"""Where the one-sided error comes from, shown by what takes it away: no residual, P below 1, sums kept in FP32, the mended maximum; and what does not.

The error is that of PV before it is divided by the row sum: (O - golden) · Σe^(S - m), whose values' steps are known (see `setups`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from thrifty.errors import BadValue
from thrifty.lenses.numerics.laboratory import attend, golden
from thrifty.lenses.numerics.mechanism.bias import Bias, bias_of
from thrifty.lenses.numerics.mechanism.setups import Setup, repeated_rows
from thrifty.lenses.numerics.policy import Policy, as_policy

BETA: Final = 7.0
"""What Qiu and Yao multiply a repeated maximum by; they find 2 to 8 good."""
OFFSETS: Final = (0.001, 0.01, 0.05, math.log(2.0))


def defective() -> Policy:
    """Flash v2 with PV of a tile stored in the working format, all else but P in FP32: the mechanism by itself, nothing else rounded."""
    return as_policy("fa2_kernel").override("in=fp32", "pv.store=dt", "o.store=fp32")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One set-up under one policy: bias of the error of PV, rows (of all) whose maximum repeats."""

    name: str
    what: str
    policy: str
    bias: Bias
    repeated: int
    rows: int

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "what": self.what, "policy": self.policy, "bias": self.bias.to_dict(), "repeated": self.repeated, "rows": self.rows}


def demonstrate(*, format: str = "bf16", heads: int = 32, seed: int = 0) -> tuple[Shown, ...]:
    """The set-ups one after the other, `heads` · 16 rows of 64 values each."""
    if isinstance(heads, bool) or not isinstance(heads, int) or not 1 <= heads <= 4096:
        raise BadValue(f"heads={heads!r} must be a whole number from 1 to 4096.")
    plain, mended = defective(), defective().override(f"option.repeated_max={BETA:g}")
    rows: dict[str, Any] = {"heads": heads, "seed": seed}
    cases: list[tuple[Setup, Policy, str]] = [
        (repeated_rows("two equal maxima", "P = 1 twice, values of one sign, a residual", **rows), plain, "PV in the working format"),
        (repeated_rows("four equal maxima", "P = 1 four times", repeats=4, **rows), plain, "PV in the working format"),
        (repeated_rows("positive values", "two equal maxima, the other sign", negative=False, **rows), plain, "PV in the working format"),
        (repeated_rows("no residual", "two equal maxima and nothing else: ties go to even", residual=False, **rows), plain, "PV in the working format"),
        (repeated_rows("P below 1", "the second maximum is lower, its P known exactly", below=True, **rows), plain, "PV in the working format"),
        (repeated_rows("PV in FP32", "two equal maxima", **rows), plain.override("pv.store=fp32", "o.store=dt"), "PV in FP32, the output rounded"),
        (repeated_rows("mended", "two equal maxima, held against beta times the maximum", **rows), mended, f"beta = {BETA:g}"),
        (repeated_rows("mended, maxima below 0", "two equal maxima below 0, held against 0", top=-1.0, **rows), mended, f"beta = {BETA:g}"),
        *((repeated_rows(f"offset {offset:.3g}", "two equal maxima, held against a maximum that is higher by a fixed amount", offset=offset, **rows), plain,
           "PV in the working format") for offset in OFFSETS),
        (repeated_rows("baseline", "P is divided first: 1/2 twice, as exact as 1", **rows), _baseline(), "baseline"),
        (repeated_rows("baseline, mended", "the factor cancels in the division", **rows), _baseline().override(f"option.repeated_max={BETA:g}"), "baseline"),
    ]  # fmt: skip
    return tuple(_show(setup, policy, said, format) for setup, policy, said in cases)


def _baseline() -> Policy:
    return as_policy("baseline_eager").override("in=fp32", "s=fp32")


def _show(setup: Setup, policy: Policy, said: str, format: str) -> Shown:
    found = attend(setup.q, setup.k, setup.v, policy=policy, format=format)
    true = golden(setup.q, setup.k, setup.v, inputs="given")
    scores = np.einsum("bhnd,bhmd->bhnm", setup.q, setup.k) / math.sqrt(setup.q.shape[-1])
    total = np.exp(scores - scores.max(axis=-1, keepdims=True)).sum(axis=-1, keepdims=True)
    return Shown(
        name=setup.name, what=setup.what, policy=said, bias=bias_of((np.asarray(found.out) - true) * total), repeated=found.counts.repeated,
        rows=found.counts.rows,
    )  # fmt: skip

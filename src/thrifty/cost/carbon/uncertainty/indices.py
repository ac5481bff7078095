"""Which uncertainty matters? Sobol indices: how much of the variance goes with each input alone, and with it in any company.

    first_i = Var(E[f | x_i]) / Var f          total_i = E[Var(f | all but x_i)] / Var f

Two independent sets of points A and B, and A with one block's columns from B (Saltelli et al. 2010), by Jansen's estimators (1999):
V = mean (f_A − f_B)² / 2, first = 1 − mean (f_B − f_AB)² / 2V, total = mean (f_A − f_AB)² / 2V. Variables of one group move together, so a group has
one pair of indices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from thrifty.cost.carbon.uncertainty.drawing import Model, answers, check_finite, spread_of_mean
from thrifty.cost.carbon.uncertainty.inputs import Inputs
from thrifty.cost.carbon.uncertainty.points import BLOCK, REPLICATES, Floats, Method, Net, count_of
from thrifty.errors import BadValue


@dataclass(frozen=True, slots=True, kw_only=True)
class SobolIndex:
    """Of the inputs `names` (one, or a group): shares of the variance with standard errors over replicates."""

    names: tuple[str, ...]
    first: float
    first_se: float
    total: float
    total_se: float

    def to_dict(self) -> dict[str, object]:
        return {"names": list(self.names), "first": self.first, "first_se": self.first_se, "total": self.total, "total_se": self.total_se}


def sobol_indices(
    model: Model, inputs: Inputs, samples: int = 2**14, *, method: Method = "sobol", seed: int = 0, replicates: int = REPLICATES
) -> dict[str, tuple[SobolIndex, ...]]:
    """Indices of every output, largest total first; the model is asked (blocks + 2) × `samples` times.

    Raises BadValue when an output does not vary.
    """
    each, blocks = count_of(samples, method, replicates), inputs.blocks
    moments: dict[str, Floats] = {}  # (replicates, 1 + 2 blocks) sums of squares
    for replicate in range(replicates):
        net = Net(method, 2 * inputs.dimensions, each, seed=seed, replicate=replicate)
        for start in range(0, each, BLOCK):
            stop = min(start + BLOCK, each)
            a, b = inputs.at(net, start, stop), inputs.at(net, start, stop, inputs.dimensions)
            at_a, at_b = (_columns(model, inputs.derived(values), stop - start) for values in (a, b))
            mixed = [_columns(model, inputs.derived({**a, **{name: b[name] for name in block}}), stop - start) for block in blocks]
            for output, f_a in at_a.items():
                f_b = at_b[output]
                sums = moments.setdefault(output, np.zeros((replicates, 1 + 2 * len(blocks))))[replicate]
                sums[0] += ((f_a - f_b) ** 2).sum()
                for k, columns in enumerate(mixed):
                    sums[1 + 2 * k] += ((f_b - columns[output]) ** 2).sum()
                    sums[2 + 2 * k] += ((f_a - columns[output]) ** 2).sum()
    return {output: _indices(output, sums, blocks, each) for output, sums in moments.items()}


def _columns(model: Model, values: Mapping[str, object], count: int) -> dict[str, Floats]:
    found = {name: np.broadcast_to(np.asarray(answer, dtype=np.float64), (count,)) for name, answer in answers(model, dict(values)).items()}
    for name, column in found.items():
        check_finite(name, column)
    return found


def _indices(output: str, sums_RS: Floats, blocks: tuple[tuple[str, ...], ...], each: int) -> tuple[SobolIndex, ...]:
    variance_R = sums_RS[:, 0] / (2 * each)
    if not variance_R.sum() > 0:
        raise BadValue(f"output '{output}' does not vary, so no input has a share of its variance. Let something vary.")
    variance = float(variance_R.mean())
    found = []
    for k, names in enumerate(blocks):
        first_R, total_R = (variance_R - sums_RS[:, 1 + 2 * k] / (2 * each)), sums_RS[:, 2 + 2 * k] / (2 * each)
        found.append(SobolIndex(
            names=names, first=float(first_R.mean()) / variance, first_se=spread_of_mean(first_R - first_R.mean() / variance * variance_R) / variance,
            total=float(total_R.mean()) / variance, total_se=spread_of_mean(total_R - total_R.mean() / variance * variance_R) / variance,
        ))  # fmt: skip
    return tuple(sorted(found, key=lambda index: -index.total))

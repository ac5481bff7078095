"""The five numbers of a type of GPU from measured iterations, and how far they hold on rows that they were not fitted to.

    minimise  Σ over tables (mean |log(predicted / measured)|)      every table counts alike, however many rows it has

Absolute errors, not squares: some rows of a shared cluster are a third slower than their neighbours (contention), and squares would follow them. Solved by
iteratively reweighted Levenberg-Marquardt steps in the numbers' logarithms.

What folds do not hold out is the model's form. It was chosen with all rows in sight: some twenty variants were fitted (how host and device combine, whether
gradients are reduced beside the backward pass, what adding up weight gradients costs, squares or absolute errors), and this one kept. While choosing, its
answers for Megatron's 175 B and 1 T were also compared with iteration times as remembered from the paper, so those rows are no blind test of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from thrifty.cost.agreement import mean_error, spearman
from thrifty.cost.plans.configurations import Configurations
from thrifty.cost.plans.physical.columns import ANSWER
from thrifty.cost.plans.physical.constants import NAMES, Sustained, fitted
from thrifty.cost.plans.physical.encoding import Encoded, encode
from thrifty.cost.plans.physical.evaluating import answers_of
from thrifty.cost.plans.validation.runs import Run
from thrifty.errors import BadValue

Floats = npt.NDArray[np.float64]
Fold = Literal["model", "devices", "row"]
START: Final = Sustained(product=1.0, stream=0.75, kernel_s=30e-6, collective_s=60e-6, network=0.75)
"""Where the search begins; it also draws weakly towards it, so that a number on which no row bears stays."""
PULL: Final = 1e-2
FLOOR: Final = 0.02
"""Errors below this share count as squares do, so that the weights stay finite."""
ROUNDS, STEPS = 15, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """R runs ready to be predicted again and again."""

    runs: tuple[Run, ...]
    encoded: Encoded
    batch_R: Floats
    measured_R: Floats

    @classmethod
    def of(cls, runs: Sequence[Run]) -> Measured:
        """Raises BadValue for a run whose plan breaks a rule."""
        asked = Configurations.of([(run.layers, run.system, run.plan, run.batch) for run in runs])
        encoded = encode(asked)
        batch = asked.batch_C.astype(np.float64)
        verdict = answers_of(encoded, batch)[:, ANSWER["valid"]]
        if (verdict <= 0).any():
            at = int(np.argmax(verdict <= 0))
            raise BadValue(f"{runs[at].name} breaks a rule: {encoded.reasons[encoded.laid_C[at]] or 'its batch does not divide'}. Mend the row.")
        return cls(runs=tuple(runs), encoded=encoded, batch_R=batch, measured_R=np.array([run.measured_s for run in runs]))

    def predict(self, sustained: Sustained | None = None) -> Floats:
        """(R,) seconds."""
        return answers_of(self.encoded, self.batch_R, sustained)[:, ANSWER["iteration"]]


def calibrate(
    tables: Sequence[Measured], masks: Sequence[npt.NDArray[np.bool_]] | None = None, *, names: Sequence[str] = NAMES, start: Sustained = START
) -> Sustained:  # fmt: skip
    """The numbers that fit the rows of `tables` best.

    masks: which rows of each count (tables with none are left out); names: which numbers are fitted, the others stay as `start` has them
    """
    kept = [(table, np.ones(len(table.runs), dtype=np.bool_) if masks is None else masks[at]) for at, table in enumerate(tables)]
    kept = [(table, mask) for table, mask in kept if mask.any()]
    first = np.log([getattr(start, name) for name in names])

    def named(logs: Floats) -> Sustained:
        found = replace(start, **dict(zip(names, np.exp(logs).tolist(), strict=True)))
        return replace(found, network=min(1.0, found.network))

    def residuals(logs: Floats) -> list[Floats]:
        return [np.log(table.predict(named(logs)) / table.measured_R)[mask] for table, mask in kept]

    logs = first
    for _ in range(ROUNDS):
        weights = [1.0 / np.sqrt((np.abs(errors) + FLOOR) * len(errors)) for errors in residuals(logs)]
        before = logs
        logs = _least_squares(lambda x, w=weights: np.concatenate([*(e * f for e, f in zip(residuals(x), w, strict=True)), PULL * (x - first)]), logs)  # type: ignore[misc]
        if np.abs(logs - before).max() < 1e-3:
            break
    return named(logs)


def _least_squares(residuals: Callable[[Floats], Floats], start: Floats) -> Floats:
    """Levenberg-Marquardt with a numeric Jacobian."""
    x, damping = start.copy(), 1e-2
    r = residuals(x)
    for _ in range(STEPS):
        jacobian = np.stack([(residuals(x + step) - r) / 1e-4 for step in 1e-4 * np.eye(len(x))], axis=1)
        normal, gradient = jacobian.T @ jacobian, jacobian.T @ r
        before = float(r @ r)
        for _ in range(10):
            trial_x = x - np.clip(np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-9), gradient), -1.0, 1.0)
            trial = residuals(trial_x)
            if float(trial @ trial) < before:
                x, r, damping = trial_x, trial, max(damping / 5, 1e-8)
                break
            damping *= 4
        if before - float(r @ r) < 1e-6 * before:
            break
    return x


def held_out(tables: Mapping[str, Measured], name: str, fold: Fold, *, names: Sequence[str] = NAMES, start: Sustained = START) -> Floats:
    """(R,) predictions of every row of table `name` from numbers that were fitted to the other tables and to its rows of other models, of other counts
    of devices, or to all but the row itself."""
    table = tables[name]
    keys = [_key(run, fold, at) for at, run in enumerate(table.runs)]
    predicted = np.empty(len(keys))
    for key in dict.fromkeys(keys):
        masks = [
            np.array([other is not table or keys[at] != key for at in range(len(other.runs))], dtype=np.bool_) for other in tables.values()
        ]  # fmt: skip
        out = np.array([mine == key for mine in keys])
        predicted[out] = table.predict(calibrate(list(tables.values()), masks, names=names, start=start))[out]
    return predicted


def _key(run: Run, fold: Fold, at: int) -> object:
    return run.model if fold == "model" else run.devices if fold == "devices" else at


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """A table beside the model's answers, in the file's unit (seconds for `unit_s` = 1)."""

    table: str
    measured_R: Floats
    predicted_R: Floats
    names: tuple[str, ...]
    parameters: Mapping[str, float]

    @property
    def mape(self) -> float:
        """In per cent."""
        return 100 * mean_error(self.predicted_R, self.measured_R)

    @property
    def spearman(self) -> float:
        return spearman(self.predicted_R, self.measured_R)


def validate_runs(runs: Sequence[Run]) -> Validation:
    """Runs of one table against the catalogue's numbers."""
    table = Measured.of(runs)
    units = np.array([run.unit_s for run in runs])
    now = fitted(runs[0].system.device)
    return Validation(
        table=runs[0].table, measured_R=table.measured_R / units, predicted_R=table.predict() / units, names=tuple(run.name for run in runs),
        parameters={name: getattr(now, name) for name in NAMES},
    )  # fmt: skip

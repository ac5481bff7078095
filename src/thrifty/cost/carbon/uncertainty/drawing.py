"""Draws a model's answers: many points, in blocks, every replicate by itself, and says what they are like."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thrifty.cost.carbon.uncertainty.inputs import Inputs, Values
from thrifty.cost.carbon.uncertainty.points import BLOCK, REPLICATES, Floats, Method, Net, count_of
from thrifty.errors import BadValue, unknown_name

Model = Callable[[Values], Any]
"""From values by name, (N,) arrays or floats, to (N,) numbers, or to such by name of each output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Of one output: mean, standard deviation and the values below which 5, 50 and 95 % lie; `*_se` are standard errors over replicates."""

    mean: float
    sd: float
    p5: float
    p50: float
    p95: float
    mean_se: float
    p5_se: float
    p50_se: float
    p95_se: float

    def to_dict(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """How likely one output is below another at the same point: `less`, the same, or more; `se` is the standard error of `less`."""

    less: float
    equal: float
    se: float

    def to_dict(self) -> dict[str, float]:
        return {"less": self.less, "equal": self.equal, "more": 1.0 - self.less - self.equal, "se": self.se}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Draws:
    """`outputs[name]` is (N,), `kept[name]` the inputs that were asked for; `replicates` equal runs of points, one after the other."""

    outputs: Mapping[str, Floats] = field(repr=False)
    kept: Mapping[str, Any] = field(repr=False)
    replicates: int
    method: Method
    seed: int

    @property
    def samples(self) -> int:
        return len(next(iter(self.outputs.values())))

    def output(self, name: str) -> Floats:
        found = self.outputs.get(name)
        if found is None:
            raise unknown_name("output", name, self.outputs, "Draws.outputs")
        return found

    def summary(self, name: str) -> Summary:
        """Raises UnknownName."""
        values = self.output(name)
        by_replicate = values.reshape(self.replicates, -1)
        p5, p50, p95 = (float(x) for x in np.quantile(values, [0.05, 0.5, 0.95]))
        errors = [spread_of_mean(column) for column in np.quantile(by_replicate, [0.05, 0.5, 0.95], axis=1)]
        return Summary(
            mean=float(values.mean()), sd=float(values.std()), p5=p5, p50=p50, p95=p95, mean_se=spread_of_mean(by_replicate.mean(axis=1)),
            p5_se=errors[0], p50_se=errors[1], p95_se=errors[2],
        )  # fmt: skip

    def chance_below(self, a: str, b: str) -> Chance:
        """P(a < b), paired: what both share is the same at each point."""
        first, second = self.output(a), self.output(b)
        below = first < second
        return Chance(less=float(below.mean()), equal=float((first == second).mean()), se=spread_of_mean(below.reshape(self.replicates, -1).mean(axis=1)))


def spread_of_mean(by_replicate_R: Floats) -> float:
    """Standard error of the mean over independent replicates."""
    return float(by_replicate_R.std(ddof=1) / np.sqrt(len(by_replicate_R)))


def draw(
    model: Model, inputs: Inputs, samples: int = 2**16, *, method: Method = "sobol", seed: int = 0, replicates: int = REPLICATES, keep: Iterable[str] = (),
) -> Draws:  # fmt: skip
    """Answers of `model` at `samples` points or a few more (whole nets); `keep` names inputs to keep beside them.

    Raises BadValue for an unknown method, too few samples, or an answer that is not finite.
    """
    each = count_of(samples, method, replicates)
    kept_names = tuple(keep)
    for name in kept_names:
        if name not in inputs.by_name:
            raise unknown_name("variable", name, inputs.by_name, "Inputs.by_name")
    outputs: dict[str, Floats] = {}
    kept: dict[str, Any] = {}
    for replicate in range(replicates):
        net = Net(method, inputs.dimensions, each, seed=seed, replicate=replicate)
        for start in range(0, each, BLOCK):
            stop = min(start + BLOCK, each)
            values = inputs.derived(inputs.at(net, start, stop))
            place = slice(replicate * each + start, replicate * each + stop)
            for name, answer in answers(model, values).items():
                if name not in outputs:
                    outputs[name] = np.empty(replicates * each)
                outputs[name][place] = answer
            for name in kept_names:
                if name not in kept:
                    kept[name] = np.empty(replicates * each, dtype=np.asarray(values[name]).dtype)
                kept[name][place] = values[name]
    for name, column in outputs.items():
        check_finite(name, column)
    return Draws(outputs=outputs, kept=kept, replicates=replicates, method=method, seed=seed)


def answers(model: Model, values: Values) -> Mapping[str, Any]:
    """What the model says, by output; one without a name is called "value"."""
    found = model(values)
    return found if isinstance(found, Mapping) else {"value": found}


def check_finite(name: str, column: Floats) -> None:
    """Raises BadValue for an answer that is no finite number, saying how many."""
    bad = len(column) - int(np.isfinite(column).sum())
    if bad:
        raise BadValue(f"output '{name}' is not finite at {bad} of {len(column)} points. Keep divisors above 0: a yield or a life may not come to 0.")

"""What is uncertain, by name: variables, choices among models, and which of them go together.

A variable that two parts share (the intensity of the fab that makes all dies) has one name and is drawn once. Variables that differ and still go
together stand in a `Group` with the correlation of their normal scores (a Gaussian copula). A `Choice` is which of several models is right; a
`Lookup` is what each of them says of one part, so that one model is taken for all parts and all designs at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from thrifty.cost.carbon.factors.distribution import Distribution
from thrifty.cost.carbon.factors.normal import normal_quantile
from thrifty.cost.carbon.uncertainty.points import Floats, Net
from thrifty.errors import BadValue

Values = dict[str, Any]
"""By name: (N,) floats of a variable or lookup, (N,) whole numbers of a choice, one float where nothing varies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A number that may vary. `unit`: of its values; "dimensionless" where there is none."""

    name: str
    distribution: Distribution
    unit: str

    def __post_init__(self) -> None:
        if not self.unit.strip():
            raise BadValue(f"variable '{self.name}' has no unit. Give one like 'gCO2e', or 'dimensionless'.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which of several options holds, e.g. which model; `weights` are their chances, equal when left out."""

    name: str
    options: tuple[str, ...]
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.options or len(set(self.options)) != len(self.options):
            raise BadValue(f"choice '{self.name}' has the options {self.options}. Give at least one, each once.")
        weights = self.weights or (1.0 / len(self.options),) * len(self.options)
        if len(weights) != len(self.options) or not all(math.isfinite(w) and w >= 0 for w in weights) or not math.isclose(sum(weights), 1.0, rel_tol=1e-9):
            raise BadValue(f"choice '{self.name}' has weights {weights}. Give one of at least 0 an option, adding up to 1.")
        object.__setattr__(self, "weights", weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A number by the option of `choice`: `by_option` says one for each."""

    name: str
    choice: str
    by_option: Mapping[str, float]
    unit: str


@dataclass(frozen=True, slots=True)
class Group:
    """Names that go together: `correlation` is one number for every pair, or a matrix in the order of `names`."""

    names: tuple[str, ...]
    correlation: float | Sequence[Sequence[float]]

    def root(self) -> Floats:
        """(n, n) with root · rootᵀ the correlation of normal scores. Raises BadValue for what no variables can have."""
        n = len(self.names)
        if n < 2 or len(set(self.names)) != n:
            raise BadValue(f"a group of {self.names} correlates nothing. Name two variables or more, each once.")
        raw = self.correlation
        matrix = np.where(np.eye(n, dtype=bool), 1.0, float(raw)) if isinstance(raw, int | float) else np.array(raw, dtype=np.float64)
        if not (np.abs(matrix) <= 1.0).all():
            worst = matrix.ravel()[int(np.argmax(~(np.abs(matrix.ravel()) <= 1.0)))]
            raise BadValue(f"correlation {worst:g} of {', '.join(self.names)} is not between -1 and 1. Give one that is.")
        if matrix.shape != (n, n) or not np.allclose(matrix, matrix.T, rtol=0, atol=1e-12) or not np.allclose(np.diag(matrix), 1.0, rtol=0, atol=1e-12):
            raise BadValue(f"the correlation of {', '.join(self.names)} is no symmetric {n} x {n} matrix with ones on its diagonal. Mend it.")
        values, vectors = np.linalg.eigh(matrix)
        if values[0] < -1e-9:
            raise BadValue(
                f"the correlation of {', '.join(self.names)} cannot be: its least eigenvalue is {values[0]:.3g}, below 0. "
                f"Bring the pairs nearer to 0{f', e.g. to {-1 / (n - 1):.3g} or more' if isinstance(raw, int | float) else ''}."
            )
        return np.asarray(np.linalg.cholesky(matrix) if values[0] > 1e-9 else vectors * np.sqrt(np.maximum(values, 0.0)), dtype=np.float64)


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """All that is uncertain about one question. Raises BadValue for a name twice, an unknown name, a name in two groups, or nothing at all."""

    variables: tuple[Variable, ...] = ()
    choices: tuple[Choice, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    groups: tuple[Group, ...] = ()
    _roots: dict[tuple[str, ...], Floats] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = list(self._names())
        if not names:
            raise BadValue("no variables. Give at least one.")
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise BadValue(f"'{twice}' is named twice. Name each variable once; parts share one by its name.")
        options = {choice.name: choice.options for choice in self.choices}
        for lookup in self.lookups:
            if lookup.choice not in options or set(lookup.by_option) != set(options[lookup.choice]):
                raise BadValue(f"lookup '{lookup.name}' does not say one number for every option of a choice '{lookup.choice}'. Give them all.")
            if not all(math.isfinite(value) for value in lookup.by_option.values()):
                raise BadValue(f"lookup '{lookup.name}' has a value that is not finite: {dict(lookup.by_option)}. Mend it.")
        grouped = [name for group in self.groups for name in group.names]
        for name in grouped:
            if name not in {variable.name for variable in self.variables} or grouped.count(name) > 1:
                raise BadValue(f"'{name}' in a group is no variable, or stands in two groups. Group each variable once.")
        for group in self.groups:
            self._roots[group.names] = group.root()

    def _names(self) -> Iterator[str]:
        for variables in (self.variables, self.choices, self.lookups):
            for each in variables:
                yield each.name

    @cached_property
    def by_name(self) -> Mapping[str, Variable | Choice | Lookup]:
        return {**{v.name: v for v in self.variables}, **{c.name: c for c in self.choices}, **{k.name: k for k in self.lookups}}

    def unit(self, name: str) -> str:
        """Of a variable or lookup; a choice has none."""
        found = self.by_name.get(name)
        if found is None or isinstance(found, Choice):
            known = ", ".join(other for other, each in self.by_name.items() if not isinstance(each, Choice))
            raise BadValue(f"'{name}' is no variable with a unit. There are: {known}.")
        return found.unit

    @cached_property
    def blocks(self) -> tuple[tuple[str, ...], ...]:
        """What varies independently, in the order of names: single variables, choices, and groups as one. Parts named in another order draw the same."""
        grouped = {name for group in self.groups for name in group.names}
        single = [(v.name,) for v in self.variables if v.name not in grouped and not v.distribution.exactly]
        single += [(c.name,) for c in self.choices if sum(w > 0 for w in c.weights) > 1]
        return tuple(sorted([*single, *(group.names for group in self.groups)]))

    @cached_property
    def dimensions(self) -> int:
        """Columns of points that a draw needs."""
        return sum(len(block) for block in self.blocks)

    @cached_property
    def fixed(self) -> Values:
        """What does not vary: one float, or the one option that has a chance."""
        varying = {name for block in self.blocks for name in block}
        found: Values = {v.name: v.distribution.mean for v in self.variables if v.name not in varying}
        return found | {c.name: max(range(len(c.options)), key=c.weights.__getitem__) for c in self.choices if c.name not in varying}

    def at(self, net: Net, start: int, stop: int, first_column: int = 0) -> Values:
        """One value a point for all but lookups; see `derived`."""
        found, column = dict(self.fixed), first_column
        for block in self.blocks:
            each = self.by_name[block[0]]
            if len(block) > 1:
                scores = np.stack([normal_quantile(net.column(column + k, start, stop)) for k in range(len(block))])
                for name, score in zip(block, self._roots[block] @ scores, strict=True):
                    variable = self.by_name[name]
                    assert isinstance(variable, Variable)
                    found[name] = variable.distribution.at_normal(score)
            elif isinstance(each, Choice):
                edges = np.cumsum(each.weights)[:-1]
                found[each.name] = np.searchsorted(edges, net.column(column, start, stop), side="right")
            elif isinstance(each, Variable):
                found[each.name] = each.distribution.quantile(net.column(column, start, stop))
            column += len(block)
        return found

    def derived(self, values: Values) -> Values:
        """`values` with every lookup."""
        found = dict(values)
        for lookup in self.lookups:
            choice = self.by_name[lookup.choice]
            assert isinstance(choice, Choice)
            found[lookup.name] = np.array([lookup.by_option[option] for option in choice.options])[values[lookup.choice]]
        return found

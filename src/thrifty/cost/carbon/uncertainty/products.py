"""Sums of products, the shape of almost every carbon account: parts × factors, each factor to a whole power.

    carbon = Σ_parts Π_factors x^power        e.g. area · intensity · energy_per_area · yield⁻¹ + area · gas · yield⁻¹ + ...

Evaluated over arrays (or torch tensors, so that gradients flow), and in closed form: mean, variance, mean given one datum, gradient and elasticity.
Units are multiplied through once, by Pint, so a term in another unit is refused or converted, never added as it stands.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thrifty.cost.carbon.uncertainty.inputs import Choice, Inputs, Lookup, Values, Variable
from thrifty.cost.carbon.uncertainty.points import Floats
from thrifty.errors import BadValue
from thrifty.quantities import DIMENSIONS, to_si


@dataclass(frozen=True, slots=True)
class Term:
    """`coefficient` × Π x^power of `powers`, in the unit of the sum; `part`: what it is of."""

    part: str
    coefficient: float
    powers: Mapping[str, int]

    def at(self, values: Values) -> Any:
        over: Any = None
        product: Any = self.coefficient
        for name, power in self.powers.items():
            x = values[name]
            if power > 0:
                for _ in range(power):
                    product = product * x
            else:
                for _ in range(-power):
                    over = x if over is None else over * x
        return product if over is None else product / over


@dataclass(frozen=True, kw_only=True)
class Products:
    """A sum of terms over `inputs`, in the unit of `dimension`. Make it with `of`; call it with values by name."""

    inputs: Inputs
    terms: tuple[Term, ...]
    dimension: str
    _rest: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, inputs: Inputs, terms: Sequence[tuple[str, Mapping[str, int]] | tuple[str, Mapping[str, int], float]], dimension: str = "carbon") -> Products:
        """Terms as (part, powers by name) with a pure number beside where there is one.

        Raises BadValue for no terms, an unknown name, units that do not come to `dimension`, or a divisor that may be 0 or below.
        """
        if not terms:
            raise BadValue("a sum of products without terms. Give at least one.")
        made = []
        for part, powers, *rest in terms:
            number = rest[0] if rest else 1.0
            for name, power in powers.items():
                variable = inputs.by_name.get(name)
                if isinstance(variable, Variable):
                    lowest = variable.distribution.lowest
                elif isinstance(variable, Lookup):
                    lowest = min(variable.by_option.values())
                else:
                    raise BadValue(f"term '{part}' names '{name}', which is no variable and no lookup. There are: {', '.join(inputs.by_name)}.")
                if power < 0 and (lowest < 0 or (lowest == 0 and _fixed(variable))):
                    raise BadValue(f"term '{part}' divides by '{name}', which may come to {lowest:g}. Give a range above 0.")
            unit = " * ".join(f"({inputs.unit(name)})**{power}" for name, power in powers.items()) or "dimensionless"
            try:
                scale = to_si(1.0, unit, dimension)
            except BadValue as error:
                raise BadValue(f"term '{part}' is in {unit}, which does not come to {DIMENSIONS[dimension]}. Mend a unit, or leave a factor out.") from error
            made.append(Term(part, number * scale, dict(powers)))
        return cls(inputs=inputs, terms=tuple(made), dimension=dimension)

    def __call__(self, values: Values) -> Any:
        """The sum at values by name (floats, arrays of one shape, or tensors)."""
        total = self.terms[0].at(values)
        for term in self.terms[1:]:
            total = total + term.at(values)
        return total

    def parts(self, values: Values) -> dict[str, Any]:
        """The sum by part."""
        found: dict[str, Any] = {}
        for term in self.terms:
            found[term.part] = found[term.part] + term.at(values) if term.part in found else term.at(values)
        return found

    # Closed forms. Given what every choice comes to, variables apart from groups are independent, so means of products are products of means.

    def mean(self) -> float:
        """E[sum], exact. Raises BadValue where a term holds several of one group, unless all are lognormal."""
        return math.fsum(term.coefficient * self._expected(term.powers) for term in self.terms)

    def variance(self) -> float:
        """E[sum²] − E[sum]², exact, under the same rule."""
        mean = self.mean()
        second = math.fsum(
            a.coefficient * b.coefficient * self._expected({name: a.powers.get(name, 0) + b.powers.get(name, 0) for name in {**a.powers, **b.powers}})
            for a, b in itertools.product(self.terms, self.terms)
        )  # fmt: skip
        return max(0.0, second - mean**2)

    def given(self, name: str, values: Any) -> Floats:
        """E[sum | name = value] for each of `values`: floats of a variable, whole numbers of a choice. Raises BadValue for one of a group."""
        known = np.asarray(values)
        if any(name in group.names for group in self.inputs.groups):
            raise BadValue(f"'{name}' stands in a group, so that knowing it tells of others: there is no closed form. Draw instead.")
        if isinstance(self.inputs.by_name[name], Choice):
            each = np.array([self._total({name: option}) for option in range(len(self.inputs.by_name[name].options))])  # type: ignore[union-attr]
            return np.asarray(each[known], dtype=np.float64)
        total = np.zeros(known.shape)
        for term in self.terms:
            power = term.powers.get(name, 0)
            others = {other: p for other, p in term.powers.items() if other != name}
            total += term.coefficient * self._expected(others) * known ** float(power)
        return total

    def gradient(self, values: Values) -> dict[str, Any]:
        """∂sum/∂x at `values` by name of every variable and lookup, in closed form: Σ power · term / x."""
        found: dict[str, Any] = {}
        for term in self.terms:
            for name, power in term.powers.items():
                slope = power * Term(term.part, term.coefficient, {**term.powers, name: power - 1}).at(values)
                found[name] = found[name] + slope if name in found else slope
        return found

    def elasticities(self, values: Values) -> dict[str, Any]:
        """∂ln sum/∂ln x: by how many per cent the sum moves when x moves by one. Raises BadValue where the sum is 0."""
        total = self(values)
        if not np.all(np.asarray(total) != 0):
            raise BadValue("the sum is 0, so no share of it can move. Choose values at which it is not.")
        return {name: slope * values[name] / total for name, slope in self.gradient(values).items()}

    def _total(self, options: Mapping[str, int]) -> float:
        return math.fsum(term.coefficient * self._expected(term.powers, options) for term in self.terms)

    def _expected(self, powers: Mapping[str, int], options: Mapping[str, int] | None = None) -> float:
        """E[Π x^power] given the options of some choices."""
        wanted = {name: power for name, power in powers.items() if power}
        by_name = self.inputs.by_name
        result = 1.0
        tables: dict[str, list[tuple[Lookup, int]]] = {}
        for name, power in wanted.items():
            each = by_name[name]
            if isinstance(each, Lookup):
                tables.setdefault(each.choice, []).append((each, power))
        for choice_name, lookups in tables.items():
            choice = by_name[choice_name]
            assert isinstance(choice, Choice)
            chosen = (options or {}).get(choice_name)
            weights = choice.weights if chosen is None else tuple(float(k == chosen) for k in range(len(choice.options)))
            result *= math.fsum(
                w * math.prod(lookup.by_option[option] ** power for lookup, power in lookups) for w, option in zip(weights, choice.options, strict=True) if w
            )
        left = {name: power for name, power in wanted.items() if isinstance(by_name[name], Variable)}
        for group in self.inputs.groups:
            together = [name for name in group.names if name in left]
            if len(together) > 1:
                result *= self._together(group.names, {name: left.pop(name) for name in together})
        for name, power in left.items():
            key = (name, power)
            if key not in self._rest:
                self._rest[key] = by_name[name].distribution.moment(power)  # type: ignore[union-attr]
            result *= self._rest[key]
        return result

    def _together(self, names: tuple[str, ...], powers: Mapping[str, int]) -> float:
        """E[Π x^power] of lognormals whose logarithms are jointly normal."""
        root = self.inputs._roots[names]
        mean, exponents = 1.0, np.zeros(len(names))
        for name, power in powers.items():
            shape = self.inputs.by_name[name].distribution  # type: ignore[union-attr]
            if shape.kind != "lognormal":
                raise BadValue(f"{', '.join(powers)} go together and stand in one term, and '{name}' is {shape.kind}: there is no closed form. Draw instead.")
            level, sigma = shape.parameters
            mean *= level**power * math.exp(-power * sigma**2 / 2)
            exponents[names.index(name)] = power * sigma
        return float(mean * math.exp(float(((exponents @ root) ** 2).sum()) / 2))


def _fixed(variable: Variable | Lookup) -> bool:
    return isinstance(variable, Lookup) or variable.distribution.exactly

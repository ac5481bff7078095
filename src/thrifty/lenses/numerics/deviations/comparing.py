"""Three arrays in, one report out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats import FloatSpec, float_spec
from thrifty.formats.rounding.arrays import take
from thrifty.lenses.numerics.deviations.finding import Deviation, Worst
from thrifty.lenses.numerics.deviations.pairs import NEAR, Pair, pair
from thrifty.lenses.numerics.deviations.ulps import nearest, ulp_distance

Floats = npt.NDArray[np.float64]
Operands = Mapping[str, Any] | Callable[[tuple[int, ...]], Mapping[str, Any]]
MOST_BLOCKS: Final = 32
"""Rows and columns of the map of deviations."""
MOST_LISTED: Final = 64
"""Elements of an operand that a report lists."""


def deviation(
    a: Any, b: Any, golden: Any, *, format: str | FloatSpec | None = None, names: tuple[str, str] = ("optimised", "baseline"),
    operands: Operands | None = None, golden_is: str = "as given by the caller",
) -> Deviation:  # fmt: skip
    """How far `a` (optimised) and `b` (baseline) lie from `golden`, and from one another: by maximum, mean, bias, RMSE, ulps, cosine, SQNR, W1.

    a, b, golden : arrays or tensors of one shape; b may be None
    format    : of results, in which ulps and the floor are meant; without, that of a's dtype
    names     : of a and b in the report
    operands  : what the worst element was made of: arrays of a's shape by name, or a function of its index
    golden_is : how golden was made (precision; from rounded inputs or from those given), for the report

    "At the floor" means that the largest deviation is at most 1.125 times the largest error of one correct rounding to the format at that element: no
    result in the format can be much nearer. A ratio whose denominator is at the floor says so. Elements that are NaN or infinite are counted and left out.
    Raises BadValue where shapes differ, nothing is given, or numbers are not real.
    """
    given = {name: take(x, name) for name, x in (("a", a), ("b", b), ("golden", golden)) if not (name == "b" and x is None)}
    shapes = {name: each.values.shape for name, each in given.items()}
    if len(set(shapes.values())) > 1:
        raise BadValue(f"shapes differ: {', '.join(f'{name} {list(shape)}' for name, shape in shapes.items())}. Give results of the same elements.")
    if given["a"].values.size == 0:
        raise BadValue(f"a, b and golden hold no elements (shape {list(shapes['a'])}), so nothing deviates. Give one at least.")
    spec = float_spec(format) if format is not None else given["a"].spec or float_spec("fp32" if given["a"].values.dtype == np.float32 else "fp64")
    if not spec.signed:
        raise BadValue(f"format='{spec.name}' holds no negative numbers; it is for scales. Name the format of results.")
    values = {name: np.asarray(each.values, dtype=np.float64) for name, each in given.items()}
    left, best = values["a"], values["golden"]
    optimised = pair(left, best, spec)
    other = values.get("b")
    against = None if other is None else pair(other, best, spec)
    between = None if other is None else pair(left, other, spec)
    return Deviation(
        names=names, format=spec.name, golden=golden_is, optimised=optimised, baseline=against, between=between,
        worst=_worst(optimised, left, other, best, spec, operands), blocks=_blocks(left, best), notes=_notes(names, spec, optimised, against, values),
    )  # fmt: skip


def _worst(found: Pair, a: Floats, b: Floats | None, golden: Floats, spec: FloatSpec, operands: Operands | None) -> Worst | None:
    if found.place is None:
        return None
    at = found.place
    made_of: Mapping[str, Any] = {}
    if callable(operands):
        made_of = operands(at)
    elif operands is not None:
        made_of = {name: take(x, name).values for name, x in operands.items()}
        for name, x in made_of.items():
            if x.shape != a.shape:
                raise BadValue(f"operand {name} has shape {list(x.shape)}, results {list(a.shape)}. Give a function of the index instead.")
        made_of = {name: x[at] for name, x in made_of.items()}
    one = nearest(np.array([a[at]]), spec), nearest(np.array([golden[at]]), spec)
    return Worst(
        index=at, value=float(a[at]), baseline=None if b is None else float(b[at]), golden=float(golden[at]), ulps=int(ulp_distance(*one, spec)[0]),
        operands={name: plain(x) for name, x in made_of.items()},
    )  # fmt: skip


def plain(x: Any) -> Any:
    """Numbers and short lists for JSON: NaN and infinities as text, at most MOST_LISTED elements of an array."""
    if isinstance(x, str | bool) or x is None:
        return x
    values = np.asarray(take(x).values, dtype=np.float64)
    if values.ndim == 0:
        return _one(float(values))
    return [_one(each) for each in values.ravel()[:MOST_LISTED].tolist()]


def _one(value: float) -> float | str:
    return value if np.isfinite(value) else str(value)


def _blocks(a: Floats, golden: Floats) -> tuple[tuple[float, ...], ...]:
    """Largest finite deviations in at most MOST_BLOCKS × MOST_BLOCKS blocks of the last two axes."""
    with np.errstate(over="ignore", invalid="ignore"):
        size = np.abs(a - golden)
    size = np.where(np.isfinite(size), size, 0.0).reshape(-1, *((1, 1, *size.shape)[-2:])).max(axis=0)
    for axis in (0, 1):
        length = size.shape[axis]
        share = -(-length // MOST_BLOCKS)
        size = np.maximum.reduceat(size, np.arange(0, length, share), axis=axis)
    return tuple(tuple(row) for row in size.tolist())


def _notes(names: tuple[str, str], spec: FloatSpec, a: Pair, b: Pair | None, values: Mapping[str, Floats]) -> tuple[str, ...]:
    found = []
    for name, each, x in ((names[0], a, values["a"]), *(((names[1], b, values["b"]),) if b is not None else ())):
        if each.census.differ:
            found.append(
                f"{each.census.differ} of {each.count} elements of {name} and golden are NaN or infinite in one of both only; the measures leave them out"
            )
        kept = x[np.isfinite(x)]
        outside = int(np.count_nonzero(nearest(kept, spec) != kept))
        if outside:
            found.append(f"{outside} of {x.size} elements of {name} are no numbers of {spec.name}; ulps are counted after rounding them to it")
    if a.compared == 0:
        found.append("no element can be compared")
    if a.at_floor:
        found.append(f"{names[0]} is at {spec.name}'s floor: its largest deviation is at most {NEAR:g} times the error of one rounding there")
    if b is not None and b.at_floor:
        found.append(f"{names[1]} is at {spec.name}'s floor, so ratios to it compare with the least deviation that a result in {spec.name} can have")
    return tuple(found)

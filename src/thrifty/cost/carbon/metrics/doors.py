"""What every metric asks of its numbers: finite, not below 0, and above 0 where it divides."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue

Floats = npt.NDArray[np.float64]


def amounts(**given: npt.ArrayLike) -> tuple[Floats, ...]:
    """Arrays of finite numbers of at least 0. Raises BadValue, naming the first that is none."""
    return tuple(_checked(name, value, above=False) for name, value in given.items())


def positive(**given: npt.ArrayLike) -> tuple[Floats, ...]:
    """Arrays of finite numbers above 0."""
    return tuple(_checked(name, value, above=True) for name, value in given.items())


def shares(**given: npt.ArrayLike) -> tuple[Floats, ...]:
    """Arrays of numbers from 0 to 1."""
    found = amounts(**given)
    for name, values in zip(given, found, strict=True):
        if (values > 1).any():
            raise BadValue(f"{name}={values[values > 1].flat[0]:g} is above 1. A share lies between 0 and 1.")
    return found


def _checked(name: str, value: npt.ArrayLike, *, above: bool) -> Floats:
    try:
        values = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadValue(f"{name}={value!r} is not made of numbers. Give numbers.") from None
    good = np.isfinite(values) & ((values > 0) if above else (values >= 0))
    if not good.all():
        raise BadValue(f"{name}={values[~good].flat[0]:g} is {'not a finite number above 0' if above else 'below 0 or not a finite number'}. Mend it.")
    return values

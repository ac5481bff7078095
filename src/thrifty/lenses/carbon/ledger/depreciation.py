"""How the carbon of making a machine is charged over its life: evenly, or more while it is new."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue

DEPRECIATIONS: Final = ("linear", "front-loaded")
"""linear       : the same share every hour of the life
front-loaded : a share that falls in a straight line to 0 at the end of the life (sum of the years' digits, every instant a year's digit)"""


def life_share(from_h: npt.ArrayLike, to_h: npt.ArrayLike, life_h: float, depreciation: str = "linear") -> npt.NDArray[np.float64]:
    """Share of making a machine that is charged from age `from_h` to age `to_h` (hours, any shape); 0 before it is bought and after its life.

    Shares of ages that follow each other add up to that of the whole, and to 1 over the life: F(to) − F(from) with F(a) = a/L, or 1 − (1 − a/L)².
    Raises BadValue for a life that is not above 0, ages that run backwards, or a depreciation that there is not.
    """
    if depreciation not in DEPRECIATIONS:
        raise BadValue(f"'{depreciation}' is no depreciation. Choose from: {', '.join(DEPRECIATIONS)}.")
    if not (np.isfinite(life_h) and life_h > 0):
        raise BadValue(f"a life of {life_h} h is not above 0. Give how long the machine serves, e.g. life = '5 yr'.")
    start, end = (np.asarray(value, dtype=np.float64) for value in (from_h, to_h))
    if not (np.isfinite(start).all() and np.isfinite(end).all() and (end >= start).all()):
        raise BadValue("an age runs backwards or is no number. Give ages in hours, from before to.")
    first, last = np.clip(start / life_h, 0, 1), np.clip(end / life_h, 0, 1)
    if depreciation == "linear":
        return np.asarray(last - first)
    return np.asarray((last - first) * (2 - first - last))

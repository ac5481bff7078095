"""The normal distribution's quantile and distribution functions over arrays, so that the base install draws without SciPy.

The quantile is algorithm AS 241 (PPND16) of Wichura, Applied Statistics 37 (1988): relative error about 1e-16. It is checked against SciPy's in tests.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Numerators and denominators from the highest power down: near the middle, in the tails, and far out in them.
_MIDDLE: Final = (
    (2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125, 1971.5909503065514427,
     133.14166789178437745, 3.387132872796366608),
    (5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077, 687.1870074920579083,
     42.313330701600911252, 1.0),
)  # fmt: skip
_TAIL: Final = (
    (7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258, 3.64784832476320460504, 5.7694972214606914055,
     4.6303378461565452959, 1.42343711074968357734),
    (1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459, 0.68976733498510000455, 1.6763848301838038494,
     2.05319162663775882187, 1.0),
)  # fmt: skip
_FAR: Final = (
    (2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093, 0.29656057182850489123, 1.7848265399172913358,
     5.4637849111641143699, 6.6579046435011037772),
    (2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4, 0.0148753612908506148525,
     0.13692988092273580531, 0.59983220655588793769, 1.0),
)  # fmt: skip


def _ratio(pair: tuple[tuple[float, ...], tuple[float, ...]], r: Floats) -> Floats:
    top, bottom = (np.full_like(r, row[0]) for row in pair)
    for over, under in zip(pair[0][1:], pair[1][1:], strict=True):
        top *= r
        top += over
        bottom *= r
        bottom += under
    top /= bottom
    return top


def normal_quantile(probability: npt.ArrayLike) -> Floats:
    """z with Φ(z) = probability (any shape, strictly between 0 and 1)."""
    u = np.asarray(probability, dtype=np.float64)
    if not u.ndim:
        return normal_quantile(u[None]).reshape(())
    q = u - 0.5
    z = q * q
    np.subtract(0.180625, z, out=z)
    outside = z < 0
    np.maximum(z, 0.0, out=z)
    z = _ratio(_MIDDLE, z)
    z *= q
    if outside.any():
        left = q[outside]
        r = np.sqrt(-np.log(np.where(left < 0, u[outside], 0.5 - left)))
        tail = _ratio(_TAIL, r - 1.6)
        far = r > 5
        if far.any():
            tail[far] = _ratio(_FAR, r[far] - 5.0)
        z[outside] = np.copysign(tail, left)
    return z


def normal_share(z: npt.ArrayLike) -> Floats:
    """Φ(z): the share of a standard normal below `z`. SciPy's where it is installed, else the C library's number by number: the same to 1e-15."""
    values = np.asarray(z, dtype=np.float64)
    try:
        from scipy.special import ndtr
    except ImportError:
        flat = [0.5 * math.erfc(-x / math.sqrt(2.0)) for x in values.ravel().tolist()]
        return np.array(flat, dtype=np.float64).reshape(values.shape)
    return np.asarray(ndtr(values), dtype=np.float64)

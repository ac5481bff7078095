"""Points that fill the unit cube: by Sobol's sequence, by Latin hypercube, or plainly at random.

    sobol  a digital net, scrambled anew for each replicate (random linear map and shift over bits: Matousek 1998); error falls almost as 1/N
    latin  every variable stratified by itself; sums of single variables converge fast (McKay et al. 1979)
    plain  independent numbers; error falls as 1/sqrt(N)

All in blocks, column by column, from a seed: memory stays small whatever N. Replicates are independent, so their spread is an honest standard error.
"""

from __future__ import annotations

import functools
import tomllib
from importlib.resources import files
from typing import Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.quantities import positive_int

Method = Literal["sobol", "latin", "plain"]
METHODS: Final = get_args(Method)
REPLICATES: Final = 16
BLOCK: Final = 2**14
"""Points that are worked on together: a column of them stays in a core's cache."""
MOST: Final = 2**31
_BITS: Final = 32
Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.uint32]


@functools.cache
def _directions() -> Words:
    """(dimensions, 32) direction numbers, the most significant bit first."""
    rows = tomllib.loads((files("thrifty.cost.carbon.uncertainty") / "directions.toml").read_text(encoding="utf-8"))["rows"]
    table = np.zeros((len(rows) + 1, _BITS), dtype=np.uint64)
    table[0] = [1 << (_BITS - 1 - k) for k in range(_BITS)]
    for dimension, (polynomial, *initial) in enumerate(rows, 1):
        degree = len(initial)
        v = [m << (_BITS - 1 - k) for k, m in enumerate(initial)]
        for k in range(degree, _BITS):
            following = v[k - degree] ^ (v[k - degree] >> degree)
            for j in range(1, degree):
                if polynomial >> (degree - j) & 1:
                    following ^= v[k - j]
            v.append(following)
        table[dimension] = v
    return table.astype(np.uint32)


def _scrambled(directions_DB: Words, draw: np.random.Generator) -> Words:
    """Each dimension's numbers under a random lower-triangular map of their bits, which keeps the net a net."""
    mixed = np.zeros_like(directions_DB)
    for bit in range(_BITS):  # from the most significant
        own = np.uint32(1 << (_BITS - 1 - bit))
        above = np.uint32((0xFFFFFFFF << (_BITS - bit)) & 0xFFFFFFFF)
        masks = (draw.integers(0, 2**32, size=(len(directions_DB), 1), dtype=np.uint32) & above) | own
        mixed |= (np.bitwise_count(directions_DB & masks) & 1).astype(np.uint32) * own
    return mixed


def count_of(samples: object, method: Method, replicates: int = REPLICATES) -> int:
    """Points of one replicate so that all together are at least `samples`: a power of two for Sobol's sequence, whose nets are whole only then.

    Raises BadValue for an unknown method and for fewer than 2 points a replicate.
    """
    if method not in METHODS:
        raise BadValue(f"method '{method}' is unknown. Choose from: {', '.join(METHODS)}.")
    wanted = positive_int("samples", samples, at_most=MOST)
    each = max(2, -(-wanted // replicates))
    return 1 << (each - 1).bit_length() if method == "sobol" else each


class Net:
    """One replicate: `count` points of `dimensions` columns. Ask for blocks in order, each column once a block."""

    def __init__(self, method: Method, dimensions: int, count: int, *, seed: int, replicate: int) -> None:
        if method == "sobol" and dimensions > len(_directions()):
            raise BadValue(f"{dimensions} variables are more than the {len(_directions())} dimensions of the Sobol table. Choose --method latin.")
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
            raise BadValue(f"seed={seed} is no whole number of at least 0. Choose e.g. 0.")
        self._method, self._count = method, count
        draw = np.random.default_rng([seed, replicate])
        if method == "sobol":
            self._directions = _scrambled(_directions()[:dimensions], draw)
            self._shifts = draw.integers(0, 2**32, size=dimensions, dtype=np.uint32)
            self._low: dict[int, Words] = {}
        else:
            self._streams = draw.spawn(dimensions)
            self._orders: dict[int, npt.NDArray[np.int64]] = {}

    def column(self, dimension: int, start: int, stop: int) -> Floats:
        """(stop − start,) numbers strictly between 0 and 1."""
        if self._method == "sobol":
            words = self._low_words(dimension)[: stop - start] ^ self._high_word(dimension, start)
            return _inside(words)
        draw = self._streams[dimension]
        if self._method == "plain":
            return _inside(draw.integers(0, 2**32, size=stop - start, dtype=np.uint32))
        if dimension not in self._orders:
            self._orders[dimension] = draw.permutation(self._count)
        within = _inside(draw.integers(0, 2**32, size=stop - start, dtype=np.uint32))
        return np.asarray((self._orders[dimension][start:stop] + within) / self._count, dtype=np.float64)

    def _low_words(self, dimension: int) -> Words:
        found = self._low.get(dimension)
        if found is None:  # point i is the exclusive-or of the directions at the bits of i: double the block bit by bit
            found = np.array([0], dtype=np.uint32)
            for bit in range((min(BLOCK, self._count) - 1).bit_length()):
                found = np.concatenate([found, found ^ self._directions[dimension, bit]])
            self._low[dimension] = found
        return found

    def _high_word(self, dimension: int, start: int) -> np.uint32:
        word, bit = self._shifts[dimension], 0
        while start >> bit:
            if start >> bit & 1:
                word = word ^ self._directions[dimension, bit]
            bit += 1
        return np.uint32(word)


def _inside(words: Words) -> Floats:
    numbers = words.astype(np.float64)
    numbers += 0.5
    numbers *= 2.0**-_BITS
    return numbers

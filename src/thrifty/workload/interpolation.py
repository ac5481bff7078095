"""Polynomials of several sizes, exactly: from values at a grid of points to integer coefficients over one denominator, and back."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
_SAFE: Final = float(2**62)


def evaluate(coefficients: npt.NDArray[Any], exponents_CS: Ints, denominator: int, points_PS: Ints) -> Ints:
    """(…, P) exact values at P points (P, S) of (…, C) coefficients of the monomials with powers (C, S)."""
    largest = np.abs(points_PS).max(axis=0, initial=1).astype(float)
    bound = np.abs(coefficients).reshape(-1, len(exponents_CS)).astype(float).max(axis=0, initial=0.0) @ (largest**exponents_CS).prod(axis=1)
    kind: Any = np.int64 if bound < _SAFE else object  # whole numbers of any size where 64 bits might not do
    monomials = np.ones((len(points_PS), len(exponents_CS)), dtype=kind)
    for symbol in range(points_PS.shape[1]):
        monomials *= points_PS[:, symbol].astype(kind)[:, None] ** exponents_CS[:, symbol].astype(kind)[None, :]
    return np.asarray((coefficients.astype(kind) @ monomials.T) // denominator, dtype=np.int64)


def interpolation(grids: Sequence[Sequence[int]]) -> tuple[npt.NDArray[Any], int, Ints]:
    """(C, N) integers and a denominator: coefficients of the monomials from values at the product of `grids`; and the monomials' exponents (C, S)."""
    matrix = np.array([[Fraction(1)]], dtype=object)
    exponents: list[tuple[int, ...]] = [()]
    for grid in grids:
        inverse = _inverse_vandermonde(grid)
        matrix = np.array([[a * b for a in row_a for b in row_b] for row_a in matrix for row_b in inverse], dtype=object)
        exponents = [(*e, power) for e in exponents for power in range(len(grid))]
    denominator = 1
    for value in matrix.ravel():
        denominator = lcm(denominator, value.denominator)
    whole = np.array([[int(v * denominator) for v in row] for row in matrix], dtype=object)
    return whole, denominator, np.array(exponents, dtype=np.int64).reshape(len(exponents), len(grids))


def _inverse_vandermonde(nodes: Sequence[int]) -> list[list[Fraction]]:
    """Row p: weights of the values at `nodes` in the coefficient of x^p. By Lagrange's polynomials, exactly."""
    columns = []
    for i, x in enumerate(nodes):
        coefficients = [Fraction(1)]
        for j, other in enumerate(nodes):
            if i != j:
                scale = Fraction(1, x - other)
                shifted = [Fraction(0), *coefficients]
                coefficients = [shifted[p] * scale - (coefficients[p] * other * scale if p < len(coefficients) else 0) for p in range(len(shifted))]
        columns.append(coefficients)
    return [[columns[i][p] for i in range(len(nodes))] for p in range(len(nodes))]

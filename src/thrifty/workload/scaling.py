"""Counts at any size without making a table again: exact polynomials of the symbols, chamber by chamber.

Within a chamber (a box of sizes in one residue class of every symbol, through which the operators stay the same) every count of every
row is a polynomial of the symbols. It is found from tables at a grid of points, in exact arithmetic, and checked at further points of the box, its
far corner among them; where the check fails (a window fills up, every expert is hit, an operator appears) the box is halved. A point outside
every known chamber gets a chamber of its own. Nothing is extrapolated. Size 1 is a class of its own: frameworks treat it differently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import lcm
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.workload.model import Symbol, Workload
from thrifty.workload.points import check_point
from thrifty.workload.table import COUNTS, SHAPE, OperatorTable

VALUES: Final = (*COUNTS, *SHAPE, "launches", "views", "calls")
"""What a row's polynomials give, in this order."""

Point = Mapping[str, int]
Box = tuple[tuple[int, int], ...]
"""Lowest and highest size of every symbol."""
Class = tuple[int, ...]
"""Residue of every symbol, -1 where the size is 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chamber:
    """Polynomials over one box.

    exponents_CS : (C, S) powers of the S symbols in each of C monomials
    rows         : (U,) first row of each kind of row that are alike through the box; multiplicity_U counts them, repeats included; row_R: which is whose
    values_UVC   : (U, V, C) integer coefficients of VALUES, over `denominator`; totals_TC: of COUNTS, weights once; live_LC: of every level of live bytes
    """

    box: Box
    residues: Class
    table: OperatorTable
    exponents_CS: npt.NDArray[np.int64]
    denominator: int
    rows: npt.NDArray[np.int64]
    row_R: npt.NDArray[np.int64]
    multiplicity_U: npt.NDArray[np.int64]
    values_UVC: npt.NDArray[Any]
    totals_TC: npt.NDArray[Any]
    live_LC: npt.NDArray[Any]

    def holds(self, point: Sequence[int]) -> bool:
        return all(low <= x <= high for x, (low, high) in zip(point, self.box, strict=True))

    def evaluate(self, coefficients: npt.NDArray[Any], points_PS: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """(…, P) exact values of (…, C) coefficients at P points."""
        monomials = np.ones((len(points_PS), len(self.exponents_CS)), dtype=object)
        for symbol in range(points_PS.shape[1]):
            monomials = monomials * points_PS[:, symbol].astype(object)[:, None] ** self.exponents_CS[:, symbol].astype(object)[None, :]
        found = np.tensordot(coefficients, monomials, axes=([-1], [1]))
        return np.asarray(found // self.denominator, dtype=np.int64)


def residue(symbol: Symbol, value: int) -> int:
    return -1 if value == 1 else value % symbol.modulus


class _Failed(Exception):
    """Not one polynomial through this box; the symbol along which to halve it."""


@dataclass
class Polynomials:
    """Exact counts of one workload's phase and format at any point of its symbols; chambers are found as they are needed."""

    workload: Workload
    symbols: tuple[Symbol, ...]
    chambers: list[Chamber] = field(default_factory=list)
    traced: int = 0
    """Tables made so far."""
    _tables: dict[tuple[int, ...], OperatorTable] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, workload: Workload) -> Polynomials:
        """Raises BadValue for a workload that was captured at one point only."""
        if workload.source is None:
            raise BadValue(f"'{workload.name}' was captured at one point only, so nothing is known of other sizes. Load it by name.")
        return cls(workload=workload, symbols=workload.source.symbols(workload.phase))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(symbol.name for symbol in self.symbols)

    def _array(self, points: Mapping[str, npt.ArrayLike]) -> npt.NDArray[np.int64]:
        """(P, S) sizes, checked; symbols that are not given stay where the workload is."""
        unknown = set(points) - set(self.names)
        if unknown:
            check_point(self.symbols, dict.fromkeys(unknown, 1), self.workload.name)
        columns = [np.atleast_1d(np.asarray(points.get(s.name, self.workload.point.get(s.name, s.default)))) for s in self.symbols]
        for symbol, column in zip(self.symbols, columns, strict=True):
            for extreme in (column.min(), column.max()) if column.size else ():
                symbol.check(extreme.item())
            if column.dtype.kind not in "iu" and not (column == np.floor(column)).all():
                symbol.check(float(column[column != np.floor(column)][0]))
        if not columns:
            return np.zeros((1, 0), dtype=np.int64)
        return np.stack(np.broadcast_arrays(*columns), axis=-1).astype(np.int64).reshape(-1, len(columns))

    def groups(self, points: Mapping[str, npt.ArrayLike]) -> list[tuple[Chamber, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
        """(chamber, indices of points in it, their sizes (P', S)): every point is in exactly one group."""
        array = self._array(points)
        result, left = [], np.arange(len(array))
        while len(left):
            first = array[left[0]]
            chamber = next((c for c in self.chambers if self._in(c, first[None])[0]), None)
            if chamber is None:
                alike = array[left][self._same_class(array[left], first)]
                chamber = self._find(tuple((int(c.min()), int(c.max())) for c in alike.T), tuple(int(x) for x in first))
                self.chambers.append(chamber)
            inside = self._in(chamber, array[left])
            result.append((chamber, left[inside], array[left[inside]]))
            left = left[~inside]
        return result

    def _same_class(self, array: npt.NDArray[np.int64], point: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        same = np.ones(len(array), dtype=bool)
        for index, symbol in enumerate(self.symbols):
            wanted = residue(symbol, int(point[index]))
            same &= (array[:, index] == 1) if wanted == -1 else (array[:, index] != 1) & (array[:, index] % symbol.modulus == wanted)
        return same

    def _in(self, chamber: Chamber, array: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        low, high = np.array([b[0] for b in chamber.box]), np.array([b[1] for b in chamber.box])
        sample = np.array([b[0] for b in chamber.box])
        if not self.symbols:
            return np.ones(len(array), dtype=bool)
        return np.asarray(((array >= low) & (array <= high)).all(axis=1) & self._same_class(array, sample))

    def _table(self, point: tuple[int, ...]) -> OperatorTable:
        if point not in self._tables:
            source = self.workload.source
            assert source is not None
            self._tables[point] = source.table(self.workload.phase, self.workload.format, dict(zip(self.names, point, strict=True)))
            self.traced += 1
        return self._tables[point]

    def _find(self, box: Box, inside: tuple[int, ...]) -> Chamber:
        """The chamber around `inside`, as large a part of `box` as is one."""
        while True:
            try:
                return self._fit(box)
            except _Failed as failed:
                axis = int(str(failed))
                box = self._halved(box, inside, axis)

    def _halved(self, box: Box, inside: tuple[int, ...], axis: int) -> Box:
        low, high = box[axis]
        step = self.symbols[axis].modulus
        middle = low + (high - low) // (2 * step) * step
        half = (low, middle) if inside[axis] <= middle else (middle + step, high)
        return (*box[:axis], half, *box[axis + 1 :])

    def _fit(self, box: Box) -> Chamber:
        grids, extra = [], []
        for (low, high), symbol in zip(box, self.symbols, strict=True):
            count = (high - low) // symbol.modulus + 1 if low != high else 1
            wanted = min(count, symbol.degree + 1)
            steps = np.unique(np.linspace(0, count - 1, wanted).astype(int))
            grids.append([low + int(i) * symbol.modulus for i in steps])
            between = sorted(set(range(count)) - set(steps.tolist())) if count <= 64 else [int(count * 0.31), int(count * 0.77)]
            extra.append([low + i * symbol.modulus for i in between[:: max(1, len(between) // 2)][:2] if i not in steps])
        nodes = list(product(*grids))
        tables = [self._table(node) for node in nodes]
        for node, table in zip(nodes[1:], tables[1:], strict=True):
            if not _alike(tables[0], table):
                raise _Failed(self._widest(box, nodes[0], node))
        samples = np.stack([_samples(t) for t in tables])  # (N, R, V)
        live = np.stack([t.live_bytes() for t in tables])  # (N, R)
        totals = np.array([[t.totals()[name] for name in COUNTS] for t in tables], dtype=object)  # (N, T)
        inverse, denominator, exponents = _interpolation(grids)
        first, row_of, multiplicity = _unique(tables[0], samples)
        chamber = Chamber(
            box=box, residues=tuple(residue(s, low) for s, (low, _) in zip(self.symbols, box, strict=True)), table=tables[0], exponents_CS=exponents,
            denominator=denominator, rows=first, row_R=row_of, multiplicity_U=multiplicity,
            values_UVC=np.moveaxis(np.tensordot(inverse, samples[:, first].astype(object), axes=1), 0, -1),
            totals_TC=np.tensordot(inverse, totals, axes=1).T,
            live_LC=np.tensordot(inverse, np.unique(live, axis=1).astype(object), axes=1).T if live.shape[1] else np.zeros((1, len(nodes)), dtype=object),
        )  # fmt: skip
        for axis, values in enumerate(extra):
            for value in values:
                for base in (nodes[0], nodes[-1]):
                    point = (*base[:axis], value, *base[axis + 1 :])
                    if not self._agrees(chamber, point):
                        raise _Failed(axis)
        return chamber

    def _widest(self, box: Box, a: tuple[int, ...], b: tuple[int, ...]) -> int:
        return max((i for i in range(len(box)) if a[i] != b[i]), key=lambda i: (box[i][1] - box[i][0]) / self.symbols[i].modulus)

    def _agrees(self, chamber: Chamber, point: tuple[int, ...]) -> bool:
        table = self._table(point)
        if not _alike(chamber.table, table):
            return False
        at = np.array([point], dtype=np.int64)
        rows = chamber.evaluate(chamber.values_UVC, at)[..., 0][chamber.row_R]
        totals = chamber.evaluate(chamber.totals_TC, at)[..., 0]
        peak = chamber.evaluate(chamber.live_LC, at)[..., 0].max()
        return bool((rows == _samples(table)).all() and totals.tolist() == [table.totals()[n] for n in COUNTS] and peak == table.peak()[0])

    def totals(self, points: Mapping[str, npt.ArrayLike]) -> dict[str, npt.NDArray[np.int64]]:
        """Counts over all rows at P points, exact: the keys of `OperatorTable.totals`, each (P,)."""
        return self._collect(points, lambda c, at: dict(zip(COUNTS, c.evaluate(c.totals_TC, at), strict=True)))

    def peak_memory(self, points: Mapping[str, npt.ArrayLike]) -> npt.NDArray[np.int64]:
        """(P,) bytes held at the fullest row: the largest of the rows' polynomials at each point."""
        return self._collect(points, lambda c, at: {"peak": c.evaluate(c.live_LC, at).max(axis=0)})["peak"]

    def rows(self, **point: int) -> npt.NDArray[np.int64]:
        """(R, V) of every row at one point: columns are VALUES."""
        ((chamber, _, at),) = self.groups({name: np.array([value]) for name, value in point.items()})
        return np.asarray(chamber.evaluate(chamber.values_UVC, at)[..., 0][chamber.row_R])

    def _collect(self, points: Mapping[str, npt.ArrayLike], evaluate: Any) -> dict[str, npt.NDArray[np.int64]]:
        result: dict[str, npt.NDArray[np.int64]] = {}
        groups = self.groups(points)
        count = sum(len(indices) for _, indices, _ in groups)
        for chamber, indices, at in groups:
            for name, values in evaluate(chamber, at).items():
                result.setdefault(name, np.zeros(count, dtype=np.int64))[indices] = values
        return result

    @cached_property
    def size(self) -> int:
        return len(self.symbols)


def _alike(a: OperatorTable, b: OperatorTable) -> bool:
    """Whether two tables have the same operators at the same places."""
    if len(a) != len(b) or a.stages != b.stages:
        return False
    same = all((a.rows[name] == b.rows[name]).all() for name in ("kind", "phase", "stage", "axes", "causal"))
    return bool(same and (a.strings == b.strings or (a.ops().tolist(), a.modules().tolist()) == (b.ops().tolist(), b.modules().tolist())))


def _samples(table: OperatorTable) -> npt.NDArray[np.int64]:
    """(R, V) of VALUES."""
    return np.stack([table.rows[name].astype(np.int64) for name in VALUES], axis=1) if len(table) else np.zeros((0, len(VALUES)), dtype=np.int64)


def _unique(table: OperatorTable, samples: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Rows that are alike at every node: the first of each kind, which kind each row is of, how many there are with repeats."""
    rows = table.rows
    identity = np.stack([rows[name].astype(np.int64) for name in ("kind", "phase", "format", "op", "axes", "causal")], axis=1)
    repeats = table.repeats
    signature = np.ascontiguousarray(np.concatenate([identity, repeats[:, None], np.moveaxis(samples, 0, 1).reshape(len(rows), -1)], axis=1))
    _, first, inverse = np.unique(signature.view([("", signature.dtype)] * signature.shape[1]).ravel(), return_index=True, return_inverse=True)
    counts = np.bincount(inverse, weights=repeats, minlength=len(first)).astype(np.int64)
    return first.astype(np.int64), inverse.astype(np.int64), counts


def _interpolation(grids: Sequence[Sequence[int]]) -> tuple[npt.NDArray[Any], int, npt.NDArray[np.int64]]:
    """(C, N) integers and a denominator: coefficients of the monomials from values at the product of `grids`; and the monomials' exponents (C, S)."""
    matrix = np.array([[Fraction(1)]], dtype=object)
    exponents: list[tuple[int, ...]] = [()]
    for grid in grids:
        inverse = _inverse_vandermonde(grid)
        size = len(grid)
        matrix = np.array([[a * b for a in row_a for b in row_b] for row_a in matrix for row_b in inverse], dtype=object)
        exponents = [(*e, power) for e in exponents for power in range(size)]
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

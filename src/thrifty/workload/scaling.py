"""Counts at any size without making a table again: exact polynomials of the symbols, chamber by chamber.

A chamber is a box of sizes in one residue class of every symbol, through which the operators stay the same, on one side of a few walls. In it every
count of every row is a polynomial of the symbols. Polynomials are found from tables at a grid of points, in exact arithmetic, and
checked at further points of the box, its far corner among them. Where a check fails because a count is the smaller of two polynomials (every row of a
table is fetched, every expert is hit, a window is full), the place where they cross is a wall, with a chamber on either side; where it fails otherwise,
the box is halved. A point outside every known chamber gets a chamber of its own: nothing is extrapolated. Size 1 is a class of its own,
because frameworks treat it differently, and so is each side of a break that a symbol names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from math import isqrt, lcm
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.workload.interpolation import evaluate, interpolation
from thrifty.workload.model import Symbol, Workload
from thrifty.workload.points import check_point
from thrifty.workload.table import COUNTS, SHAPE, OperatorTable, Role

VALUES: Final = (*COUNTS, *SHAPE, "launches", "views", "calls")
"""What a row's polynomials give, in this order."""

Point = Mapping[str, int]
Box = tuple[tuple[int, int], ...]
"""Lowest and highest size of every symbol."""
Class = tuple[int, ...]
"""Residue of every symbol, -1 where the size is 1."""
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """Where a polynomial ((C,) integer coefficients over the chamber's denominator) is zero; `below`: the chamber is where it is negative or zero."""

    coefficients_C: npt.NDArray[Any]
    below: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chamber:
    """Polynomials over one box, on one side of each of its walls.

    exponents_CS : (C, S) powers of the S symbols in each of C monomials
    rows         : (U,) first row of each kind of row that are alike through the box; multiplicity_U counts them, repeats included; row_R: which is whose
    values_UVC   : (U, V, C) integer coefficients of VALUES, over `denominator`; totals_TC: of COUNTS, weights once; live_LC: of every level of live bytes
    """

    box: Box
    residues: Class
    table: OperatorTable
    exponents_CS: Ints
    denominator: int
    rows: Ints
    row_R: Ints
    multiplicity_U: Ints
    values_UVC: npt.NDArray[Any]
    totals_TC: npt.NDArray[Any]
    live_LC: npt.NDArray[Any]
    walls: tuple[Wall, ...] = ()

    def evaluate(self, coefficients: npt.NDArray[Any], points_PS: Ints) -> Ints:
        """(…, P) exact values of (…, C) coefficients at P points."""
        return evaluate(coefficients, self.exponents_CS, self.denominator, points_PS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """What was found over a box before a side of its walls is chosen.

    columns_QC : U × V values, then E extents of weights; later: of those columns that are the smaller of two polynomials, the second
    """

    box: Box
    residues: Class
    table: OperatorTable
    exponents_CS: Ints
    denominator: int
    rows: Ints
    row_R: Ints
    multiplicity_U: Ints
    columns_QC: npt.NDArray[Any]
    later: Mapping[int, npt.NDArray[Any]]
    extents: Ints
    live_LC: npt.NDArray[Any]

    def _is_later(self, column: int, point_S: Ints) -> bool:
        difference = self.columns_QC[column] - self.later[column]
        return bool(evaluate(difference, self.exponents_CS, self.denominator, point_S[None])[0] > 0)

    def walls_at(self, point_S: Ints) -> tuple[Wall, ...]:
        """The walls, each once, and the side on which a point lies."""
        walls: list[Wall] = []
        for column, second in self.later.items():
            difference = self.columns_QC[column] - second
            place = int(np.flatnonzero(difference)[0])
            if not any(
                wall.coefficients_C[place] * difference[place] > 0
                and (difference * wall.coefficients_C[place] == wall.coefficients_C * difference[place]).all()
                for wall in walls
            ):
                walls.append(Wall(coefficients_C=difference, below=not self._is_later(column, point_S)))
        return tuple(walls)

    def chamber(self, point_S: Ints) -> Chamber:
        """The chamber of this box that holds a point."""
        chosen = self.columns_QC.copy()
        for column, second in self.later.items():
            if self._is_later(column, point_S):
                chosen[column] = second
        kinds = len(self.rows)
        values = chosen[: kinds * len(VALUES)].reshape(kinds, len(VALUES), -1)
        totals = np.tensordot(self.multiplicity_U.astype(object), values[:, : len(COUNTS)], axes=1)
        totals[COUNTS.index("bytes_weight")] = self.extents.astype(object) @ chosen[kinds * len(VALUES) :]
        return Chamber(
            box=self.box, residues=self.residues, table=self.table, exponents_CS=self.exponents_CS, denominator=self.denominator, rows=self.rows,
            row_R=self.row_R, multiplicity_U=self.multiplicity_U, values_UVC=values, totals_TC=totals, live_LC=self.live_LC, walls=self.walls_at(point_S),
        )  # fmt: skip


def residue(symbol: Symbol, value: int) -> int:
    """Of a size: -1 for 1, which is a class of its own."""
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
    _frames: list[_Frame] = field(default_factory=list, repr=False)
    _tables: dict[tuple[int, ...], OperatorTable] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, workload: Workload) -> Polynomials:
        """Raises BadValue for a workload that was captured at one point only."""
        from thrifty.workload.pipelines import Pipeline

        if isinstance(workload.source, Pipeline):
            raise BadValue(f"'{workload.name}' is a pipeline, whose stages have polynomials each. Ask its source for totals, or sweep it.")
        if workload.source is None:
            raise BadValue(f"'{workload.name}' was captured at one point only, so nothing is known of other sizes. Load it by name.")
        return cls(workload=workload, symbols=workload.source.symbols(workload.phase))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(symbol.name for symbol in self.symbols)

    def totals(self, points: Mapping[str, npt.ArrayLike]) -> dict[str, Ints]:
        """Counts over all rows at P points, exact: the keys of `OperatorTable.totals`, each (P,)."""
        return self._collect(points, lambda c, at: dict(zip(COUNTS, c.evaluate(c.totals_TC, at), strict=True)))

    def peak_memory(self, points: Mapping[str, npt.ArrayLike]) -> Ints:
        """(P,) bytes held at the fullest row: the largest of the rows' polynomials at each point."""
        return self._collect(points, lambda c, at: {"peak": c.evaluate(c.live_LC, at).max(axis=0)})["peak"]

    def rows(self, **point: int) -> Ints:
        """(R, V) of every row at one point: columns are VALUES."""
        ((chamber, _, at),) = self.groups({name: np.array([value]) for name, value in point.items()})
        return np.asarray(chamber.evaluate(chamber.values_UVC, at)[..., 0][chamber.row_R])

    def groups(self, points: Mapping[str, npt.ArrayLike]) -> list[tuple[Chamber, Ints, Ints]]:
        """(chamber, indices of points in it, their sizes (P', S)): every point is in exactly one group."""
        array = self._array(points)
        result, left = [], np.arange(len(array))
        while len(left):
            first = array[left[0]]
            chamber = next((c for c in self.chambers if self._in(c, first[None])[0]), None)
            if chamber is None:
                frame = next((f for f in self._frames if self._in_box(f, first[None])[0]), None)
                if frame is None:
                    alike = array[left][self._same_class(array[left], first)]
                    frame = self._find(tuple((int(c.min()), int(c.max())) for c in alike.T), tuple(int(x) for x in first))
                    self._frames.append(frame)
                chamber = frame.chamber(first)
                self.chambers.append(chamber)
            inside = self._in(chamber, array[left])
            result.append((chamber, left[inside], array[left[inside]]))
            left = left[~inside]
        return result

    def _collect(self, points: Mapping[str, npt.ArrayLike], evaluate: Any) -> dict[str, Ints]:
        result: dict[str, Ints] = {}
        groups = self.groups(points)
        count = sum(len(indices) for _, indices, _ in groups)
        for chamber, indices, at in groups:
            for name, values in evaluate(chamber, at).items():
                result.setdefault(name, np.zeros(count, dtype=np.int64))[indices] = values
        return result

    def _array(self, points: Mapping[str, npt.ArrayLike]) -> Ints:
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
        return np.stack(np.broadcast_arrays(*columns), axis=-1).astype(np.int64).reshape(-1, len(columns)) if columns else np.zeros((1, 0), dtype=np.int64)

    # -- which points belong together ---------------------------------------------------------------------------------------------------

    def _same_class(self, array: Ints, point: Ints) -> npt.NDArray[np.bool_]:
        same = np.ones(len(array), dtype=bool)
        for index, symbol in enumerate(self.symbols):
            column, value = array[:, index], int(point[index])
            wanted = residue(symbol, value)
            same &= (column == 1) if wanted == -1 else (column != 1) & (column % symbol.modulus == wanted)
            for edge in symbol.breaks:
                same &= (column >= edge) == (value >= edge)
        return same

    def _in_box(self, region: Chamber | _Frame, array: Ints) -> npt.NDArray[np.bool_]:
        if not self.symbols:
            return np.ones(len(array), dtype=bool)
        low, high = np.array(region.box).T
        return np.asarray(((array >= low) & (array <= high)).all(axis=1) & self._same_class(array, low))

    def _in(self, chamber: Chamber, array: Ints) -> npt.NDArray[np.bool_]:
        inside = self._in_box(chamber, array)
        for wall in chamber.walls:
            inside[inside] = (chamber.evaluate(wall.coefficients_C, array[inside]) <= 0) == wall.below
        return inside

    # -- finding polynomials ------------------------------------------------------------------------------------------------------------

    def _table(self, point: tuple[int, ...]) -> OperatorTable:
        if point not in self._tables:
            source = self.workload.source
            assert source is not None
            self._tables[point] = source.table(self.workload.phase, self.workload.format, dict(zip(self.names, point, strict=True)))
            self.traced += 1
        return self._tables[point]

    def _find(self, box: Box, inside: tuple[int, ...]) -> _Frame:
        """What is known around `inside`, of as large a part of `box` as there is one for."""
        while True:
            try:
                frame = self._fit(box)
            except _Failed as failed:
                box = self._halved(box, inside, int(str(failed)))
            else:
                self._tables.clear()
                return frame

    def _halved(self, box: Box, inside: tuple[int, ...], axis: int) -> Box:
        """The part that holds a point, cut where sizes have grown by as much as they will again: what changes, changes with products of sizes."""
        low, high = box[axis]
        step = self.symbols[axis].modulus
        middle = low + (isqrt(low * high) - low) // step * step
        half = (low, middle) if inside[axis] <= middle else (middle + step, high)
        return (*box[:axis], half, *box[axis + 1 :])

    def _fit(self, box: Box) -> _Frame:
        grids, near, far, extra = [], [], [], []
        for (low, high), symbol in zip(box, self.symbols, strict=True):
            count = (high - low) // symbol.modulus + 1 if low != high else 1
            wanted = min(count, symbol.degree + 1)
            steps = np.unique(np.linspace(0, count - 1, wanted).astype(int))
            grids.append([low + int(i) * symbol.modulus for i in steps])
            near.append([low + i * symbol.modulus for i in range(wanted)])
            far.append([low + (count - wanted + i) * symbol.modulus for i in range(wanted)])
            # Checked close to the near corner too, where steps are steep; a short side wholly.
            checked = set(range(count)) if count <= 8 else {1, count // 16, count // 3, count - count // 4}
            extra.append([low + i * symbol.modulus for i in sorted(checked - {0, *steps.tolist()})])
        nodes = list(product(*grids))
        tables = [self._table(node) for node in nodes]
        first = tables[0]
        for node, table in zip(nodes[1:], tables[1:], strict=True):
            if not _alike(first, table):
                raise _Failed(self._widest(box, nodes[0], node))
        samples = np.stack([_samples(t) for t in tables])  # (N, R, V)
        rows, row_of, multiplicity = _unique(first, samples)
        weights = np.stack([_weight_extents(t) for t in tables])  # (N, W)
        _, which, extents = np.unique(weights, axis=1, return_index=True, return_counts=True)
        inverse, denominator, exponents = interpolation(grids)
        found = np.stack([_columns(t, rows, which) for t in tables])  # (N, Q)
        columns = (inverse @ found.astype(object)).T  # (Q, C)
        live = np.unique(np.stack([t.live_bytes() for t in tables]), axis=1)  # (N, L)
        live_LC = (inverse @ live.astype(object)).T if live.shape[1] else np.zeros((1, len(exponents)), dtype=object)
        seen, wrong = dict(zip(nodes, found, strict=True)), np.zeros(columns.shape[0], dtype=bool)
        failing = 0
        for axis, values in enumerate(extra):
            for value, base in product(values, (nodes[0], nodes[-1])):
                point = (*base[:axis], value, *base[axis + 1 :])
                table, at = self._table(point), np.array([point], dtype=np.int64)
                if not (_alike(first, table) and _still_alike(table, rows, row_of, which, weights)):
                    raise _Failed(axis)
                if evaluate(live_LC, exponents, denominator, at).max() != table.peak()[0]:
                    raise _Failed(axis)
                seen[point] = _columns(table, rows, which)
                missed = evaluate(columns, exponents, denominator, at)[:, 0] != seen[point]
                failing = axis if missed.any() else failing
                wrong |= missed
        later: dict[int, npt.NDArray[Any]] = {}
        own = denominator
        if wrong.any():
            columns, denominator, later = self._two_polynomials(near, far, columns, denominator, seen, wrong, first, rows, which, failing)
        return _Frame(
            box=box, residues=tuple(residue(s, low) for s, (low, _) in zip(self.symbols, box, strict=True)), table=first, exponents_CS=exponents,
            denominator=denominator, rows=rows, row_R=row_of, multiplicity_U=multiplicity, columns_QC=columns, later=later,
            extents=extents.astype(np.int64), live_LC=live_LC * (denominator // own),
        )  # fmt: skip

    def _two_polynomials(
        self, near: list[list[int]], far: list[list[int]], columns: npt.NDArray[Any], denominator: int, seen: Mapping[tuple[int, ...], Ints],
        wrong: npt.NDArray[np.bool_], first: OperatorTable, rows: Ints, which: Ints, failing: int,
    ) -> tuple[npt.NDArray[Any], int, dict[int, npt.NDArray[Any]]]:  # fmt: skip
        """The columns that failed as the smaller of two polynomials, one found at the near and one at the far corner, all over one denominator.

        Raises _Failed where that does not explain every value seen.
        """
        chosen = np.flatnonzero(wrong)
        fits = []
        for grid in (near, far):
            tables = [self._table(point) for point in product(*grid)]
            if not all(_alike(first, table) for table in tables):
                raise _Failed(failing)
            inverse, own, exponents = interpolation(grid)
            fits.append(((inverse @ np.stack([_columns(t, rows, which)[chosen] for t in tables]).astype(object)).T, own))
        common = lcm(denominator, *(own for _, own in fits))
        low, high = (fit * (common // own) for fit, own in fits)
        for point, values in seen.items():
            at = np.array([point], dtype=np.int64)
            smaller = np.minimum(evaluate(low, exponents, common, at)[:, 0], evaluate(high, exponents, common, at)[:, 0])
            if (smaller != values[chosen]).any():
                raise _Failed(failing)
        result = columns * (common // denominator)
        result[chosen] = low
        return result, common, {int(column): high[index] for index, column in enumerate(chosen) if (low[index] != high[index]).any()}

    def _widest(self, box: Box, a: tuple[int, ...], b: tuple[int, ...]) -> int:
        return max((i for i in range(len(box)) if a[i] != b[i]), key=lambda i: (box[i][1] - box[i][0]) / self.symbols[i].modulus)


def _alike(a: OperatorTable, b: OperatorTable) -> bool:
    """Whether two tables have the same operators at the same places."""
    if len(a) != len(b) or a.stages != b.stages:
        return False
    same = all((a.rows[name] == b.rows[name]).all() for name in ("kind", "phase", "stage", "axes", "causal"))
    return bool(same and (a.strings == b.strings or (a.ops().tolist(), a.modules().tolist()) == (b.ops().tolist(), b.modules().tolist())))


def _samples(table: OperatorTable) -> Ints:
    """(R, V) of VALUES."""
    return np.stack([table.rows[name].astype(np.int64) for name in VALUES], axis=1) if len(table) else np.zeros((0, len(VALUES)), dtype=np.int64)


def _weight_extents(table: OperatorTable) -> Ints:
    """(W,) of every weight, the bytes of it that some row touches."""
    extent = np.zeros(len(table.storages), dtype=np.int64)
    np.maximum.at(extent, table.reads, table.reads_bytes)
    return np.asarray(extent[table.storages["role"] == Role.WEIGHT], dtype=np.int64)


def _columns(table: OperatorTable, rows: Ints, which: Ints) -> Ints:
    """(Q,) values of each kind of row, then extents of each kind of weight."""
    return np.concatenate([_samples(table)[rows].ravel(), _weight_extents(table)[which]])


def _still_alike(table: OperatorTable, rows: Ints, row_of: Ints, which: Ints, weights: Ints) -> bool:
    """Whether rows and weights that were alike at the nodes are alike here too."""
    samples, extents = _samples(table), _weight_extents(table)
    kinds = np.unique(weights, axis=1, return_inverse=True)[1]
    return bool((samples == samples[rows][row_of]).all() and len(extents) == weights.shape[1] and (extents == extents[which][kinds.ravel()]).all())


def _unique(table: OperatorTable, samples: Ints) -> tuple[Ints, Ints, Ints]:
    """Rows that are alike at every node: the first of each kind, which kind each row is of, how many there are with repeats."""
    rows = table.rows
    identity = np.stack([rows[name].astype(np.int64) for name in ("kind", "phase", "format", "op", "axes", "causal")], axis=1)
    repeats = table.repeats
    signature = np.ascontiguousarray(np.concatenate([identity, repeats[:, None], np.moveaxis(samples, 0, 1).reshape(len(rows), -1)], axis=1))
    _, first, inverse = np.unique(signature.view([("", signature.dtype)] * signature.shape[1]).ravel(), return_index=True, return_inverse=True)
    counts = np.bincount(inverse, weights=repeats, minlength=len(first)).astype(np.int64)
    return first.astype(np.int64), inverse.astype(np.int64), counts

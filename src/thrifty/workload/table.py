"""The operator table: one row an operator call, columns instead of objects.

A table answers what a piece of work asks of a machine, before any machine is named. Rows hold kind, place, shape and exact
counts; storages (what tensors live in) hold bytes, role and lifetime; two CSR arrays say which row reads and writes which
storage, and how much of it. Everything above (prices, rooflines, memory, plans, carbon) reads these arrays.

Conventions, the same for captured and analytic tables:

- flops_matrix : 2 per multiply-add of every matrix product, convolution and attention product. Algorithmic: causal attention counts in
                 full, its backward is four products (dV, dP, dQ, dK). What a kernel leaves out or does twice stands in
                 flops_skipped and flops_recomputed.
- flops_vector : 1 per element for each arithmetic or elementary function (add, multiply, compare, exp, rsqrt, erf, ...); see `counts`.
- bytes_read   : every operand once, as far as it is touched: a view counts its own elements, a broadcast operand its storage, a gather
                 the rows that it fetches. bytes_weight is the part of it that comes from parameters.
- bytes_written: every result once; an in-place result once.
- bytes_staged : traffic of intermediate tensors that an unfused implementation moves beyond the two above (RMSNorm as six kernels,
                 softmax as its own kernel); 0 where one kernel does it all.
- Views cost nothing and have no row; a row tells how many were taken just before it.

Shapes, by kind: LINEAR (batch, m, n, k) of (m, k) × (k, n); CONV as the product it is, batch = groups; NORM and SOFTMAX m = rows normalised,
n = elements of a row; EMBEDDING m = look-ups, n = width, k = rows of the table; others m = elements written.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt


class Kind(enum.IntEnum):
    """What an operator is; the classes of every breakdown."""

    ATTENTION = 0
    LINEAR = 1
    CONV = 2
    NORM = 3
    SOFTMAX = 4
    ELEMENTWISE = 5
    MEMORY = 6
    EMBEDDING = 7
    SAMPLING = 8
    COMM = 9
    UNKNOWN = 10  # an operator without a rule: listed, never counted as zero

    @property
    def label(self) -> str:
        return self.name.lower()


class Phase(enum.IntEnum):
    """When in a step an operator runs."""

    FORWARD = 0
    BACKWARD = 1
    OPTIMIZER = 2

    @property
    def label(self) -> str:
        return self.name.lower()


class Role(enum.IntEnum):
    """What a storage holds."""

    WEIGHT = 0
    BUFFER = 1
    INPUT = 2
    ACTIVATION = 3
    GRADIENT = 4
    OPTIMIZER = 5
    CACHE = 6

    @property
    def label(self) -> str:
        return self.name.lower()


class Axes(enum.IntEnum):
    """Which attention a row is, by the axes that became its sequences.

    SPATIAL: over height or width; TEMPORAL: over frames; JOINT: over both together, or over an image's and a text's tokens in one sequence; SELF:
    over tokens that are none of these (text, or axes that nobody named); CROSS: from its own tokens to others'.
    """

    NONE = 0
    SELF = 1
    CROSS = 2
    SPATIAL = 3
    TEMPORAL = 4
    JOINT = 5

    @property
    def label(self) -> str:
        return self.name.lower()


ROW: Final = np.dtype(
    [
        ("kind", "u1"), ("phase", "u1"), ("axes", "u1"), ("causal", "?"), ("format", "u1"), ("stage", "u2"),
        ("op", "u4"), ("module", "u4"),
        # matrix product, or convolution as the product it is (batch = groups, m = images × pixels out, n = channels out, k = taps × channels in)
        ("batch", "i8"), ("m", "i8"), ("n", "i8"), ("k", "i8"), ("taps", "i4"),
        # attention; `batch` above is what is folded into its batch
        ("seq_q", "i8"), ("seq_k", "i8"), ("heads", "i4"), ("kv_heads", "i4"), ("head_dim", "i4"), ("value_dim", "i4"),
        ("flops_matrix", "i8"), ("flops_vector", "i8"), ("bytes_read", "i8"), ("bytes_written", "i8"), ("bytes_weight", "i8"),
        ("flops_skipped", "i8"), ("flops_recomputed", "i8"), ("bytes_staged", "i8"),
        # what an eager framework does around it: kernels, views taken before it, module calls entered before it
        ("launches", "i4"), ("views", "i4"), ("calls", "i4"),
    ]
)  # fmt: skip
"""One operator call. `format` is the index of its arithmetic format in `OperatorTable.formats`; `op` and `module` index the string pool."""

STORAGE: Final = np.dtype([("bytes", "i8"), ("role", "u1"), ("format", "u1"), ("birth", "i4"), ("death", "i4"), ("name", "u4")])
"""One storage. birth: the row that makes it (-1: there before the first row); death: the last row during which it is held
(the number of rows: it outlives the table)."""

COUNTS: Final = ("flops_matrix", "flops_vector", "bytes_read", "bytes_written", "bytes_weight", "flops_skipped", "flops_recomputed", "bytes_staged")
SHAPE: Final = ("batch", "m", "n", "k", "taps", "seq_q", "seq_k", "heads", "kv_heads", "head_dim", "value_dim")


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the work that is done `repeat` times over: a denoising step, a decoded token.

    growth : keys by which its own attention grows from one repeat to the next; its rows then stand at the middle repeat
    """

    name: str
    repeat: int = 1
    growth: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorTable:
    """All operator calls of one piece of work, at one point.

    rows      : (R,) of ROW
    storages  : (S,) of STORAGE
    reads_ptr : (R+1,) int64; row r reads storages reads[reads_ptr[r]:reads_ptr[r+1]], and of each reads_bytes bytes
    writes_ptr, writes, writes_bytes : likewise
    """

    rows: npt.NDArray[Any]
    storages: npt.NDArray[Any]
    reads_ptr: npt.NDArray[np.int64]
    reads: npt.NDArray[np.int32]
    reads_bytes: npt.NDArray[np.int64]
    writes_ptr: npt.NDArray[np.int64]
    writes: npt.NDArray[np.int32]
    writes_bytes: npt.NDArray[np.int64]
    strings: tuple[str, ...]
    formats: tuple[str, ...]
    stages: tuple[Stage, ...] = field(default=(Stage("main"),))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def repeats(self) -> npt.NDArray[np.int64]:
        """(R,) how often each row runs: the repeat count of its stage."""
        return np.asarray(np.array([stage.repeat for stage in self.stages], dtype=np.int64)[self.rows["stage"]])

    def op(self, row: int) -> str:
        return self.strings[int(self.rows["op"][row])]

    def module(self, row: int) -> str:
        return self.strings[int(self.rows["module"][row])]

    def modules(self) -> npt.NDArray[np.str_]:
        """(R,) the module path of every row."""
        return np.asarray(np.array(self.strings)[self.rows["module"]])

    def ops(self) -> npt.NDArray[np.str_]:
        """(R,) the operator name of every row."""
        return np.asarray(np.array(self.strings)[self.rows["op"]])

    def totals(self) -> dict[str, int]:
        """Counts over all rows and repeats. bytes_weight counts every parameter once, however many rows read it."""
        repeats = self.repeats
        sums = {name: int((self.rows[name] * repeats).sum()) for name in COUNTS}
        sums["bytes_weight"] = self.weight_bytes_touched()
        return sums

    def weight_bytes_touched(self) -> int:
        """Bytes of parameters that the work touches, each parameter once, at the largest extent that any row reads."""
        extent = np.zeros(len(self.storages), dtype=np.int64)
        np.maximum.at(extent, self.reads, self.reads_bytes)
        return int(extent[self.storages["role"] == Role.WEIGHT].sum())

    def by_kind(self) -> dict[str, dict[str, int]]:
        """Counts and number of rows for every kind that occurs; bytes_weight here is traffic, row by row."""
        repeats, result = self.repeats, {}
        for kind in Kind:
            chosen = self.rows["kind"] == kind
            if chosen.any():
                result[kind.label] = {name: int((self.rows[name][chosen] * repeats[chosen]).sum()) for name in COUNTS}
                result[kind.label]["rows"] = int(chosen.sum())
        return result

    def unknown(self) -> dict[str, int]:
        """Operators without a rule, with the bytes that their tensors hold; empty when every operator is understood."""
        found: dict[str, int] = {}
        for index in np.flatnonzero(self.rows["kind"] == Kind.UNKNOWN):
            row = self.rows[index]
            found[self.op(int(index))] = found.get(self.op(int(index)), 0) + int(row["bytes_read"] + row["bytes_written"])
        return found

    def live_bytes(self) -> npt.NDArray[np.int64]:
        """(R,) bytes held while each row runs, weights and inputs included."""
        count = len(self.rows)
        change = np.zeros(count + 1, dtype=np.int64)
        np.add.at(change, np.maximum(self.storages["birth"], 0), self.storages["bytes"])
        np.subtract.at(change, np.minimum(self.storages["death"] + 1, count), self.storages["bytes"])
        return np.cumsum(change)[:count]

    def peak(self) -> tuple[int, int]:
        """(bytes, row): the most that is held at once, and the first row that holds it. (0, 0) for an empty table."""
        live = self.live_bytes()
        row = int(live.argmax()) if len(live) else 0
        return (int(live[row]), row) if len(live) else (0, 0)

    def held_at(self, row: int) -> dict[str, int]:
        """Bytes held while `row` runs, by role."""
        alive = (self.storages["birth"] <= row) & (self.storages["death"] >= row)
        return {role.label: int(self.storages["bytes"][alive & (self.storages["role"] == role)].sum()) for role in Role}

    def select(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
        """The rows where `mask` holds."""
        return self.rows[mask]

    def describe(self) -> Iterator[dict[str, Any]]:
        """Every row as a plain dictionary, strings resolved: for JSON and tests, not for arithmetic."""
        for index in range(len(self.rows)):
            row = self.rows[index]
            record: dict[str, Any] = {
                "kind": Kind(row["kind"]).label, "phase": Phase(row["phase"]).label, "stage": self.stages[row["stage"]].name,
                "op": self.op(index), "module": self.module(index), "format": self.formats[row["format"]],
                "axes": Axes(row["axes"]).label, "causal": bool(row["causal"]),
            }  # fmt: skip
            record.update({name: int(row[name]) for name in (*SHAPE, *COUNTS, "launches", "views", "calls")})
            yield record

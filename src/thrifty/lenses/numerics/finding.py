"""What the numerics lens sees of a case: its attentions' shapes, emulated as a real kernel and as state stored in few bits; its longest sum."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from thrifty.cost import Case
from thrifty.errors import BadValue
from thrifty.formats import float_spec, get_format
from thrifty.lenses.numerics.deviations import Deviation, deviation
from thrifty.lenses.numerics.inputs import draw
from thrifty.lenses.numerics.laboratory import attention, golden
from thrifty.report import Block, Section
from thrifty.workload.table import Kind, OperatorTable, Phase

MOST_SHAPES: Final = 3
MOST_KEYS: Final = 1024
"""Sequences are cut to this many places: deviation grows with them, and the report says where they were cut."""
BLOCK_K: Final = 64
POLICIES: Final = ("fa2_kernel", "fa_paper")
INPUTS: Final = ("uniform", "normal")
SEED: Final = 0


@dataclass(frozen=True, slots=True, order=True)
class Shape:
    """An attention: queries, keys, elements of a head, whether later keys are hidden."""

    seq_q: int
    seq_k: int
    head_dim: int
    causal: bool

    @property
    def cut(self) -> Shape:
        """At most MOST_KEYS keys, and as many fewer queries as still see them all."""
        return Shape(min(self.seq_q, MOST_KEYS), min(self.seq_k, MOST_KEYS), self.head_dim, self.causal)

    @property
    def text(self) -> str:
        return f"{self.seq_q:,} × {self.seq_k:,}, d = {self.head_dim}{', causal' if self.causal else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A shape, its share of the attention's FLOPs, and how far each policy deviates on each kind of inputs."""

    shape: Shape
    share: float
    deviations: dict[tuple[str, str], Deviation]


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericsFinding:
    """A case, seen.

    format  : in which attention was emulated: the case's, or BF16 where that is no float of 16 bits or fewer
    shapes  : those with most of the attention's FLOPs
    longest_sum : products along K of the longest matrix product
    """

    case: Case
    format: str
    shapes: tuple[Seen, ...]
    longest_sum: int

    @classmethod
    def of(cls, case: Case) -> NumericsFinding:
        """Look at `case`; nothing of it runs. Raises BadValue where it has no attention."""
        table = case.job.parts[0].workload.table
        shapes = attentions(table)
        if not shapes:
            raise BadValue(f"'{case.job.name}' has no attention, which is what this lens emulates. Audit an operator of your own: thrifty numerics audit")
        form = working_format(case.job.format)
        total = sum(shapes.values())
        most = sorted(shapes, key=lambda shape: -shapes[shape])[:MOST_SHAPES]
        seen = tuple(Seen(shape=each, share=shapes[each] / total if total else 0.0, deviations=emulate(each.cut, form)) for each in most)
        return cls(case=case, format=form, shapes=seen, longest_sum=int(table.rows["k"][table.rows["kind"] == Kind.LINEAR].max(initial=0)))

    def to_dict(self) -> dict[str, Any]:
        return {
            "truth": "modelled", "format": self.format, "baseline": "baseline_paper", "block_k": BLOCK_K, "seed": SEED, "longest_sum": self.longest_sum,
            "attentions": [
                {
                    "seq_q": each.shape.seq_q, "seq_k": each.shape.seq_k, "head_dim": each.shape.head_dim, "causal": each.shape.causal, "share": each.share,
                    "emulated_seq_k": each.shape.cut.seq_k,
                    "deviations": [{"policy": policy, "inputs": inputs, **found.to_dict()} for (policy, inputs), found in each.deviations.items()],
                }
                for each in self.shapes
            ],
        }  # fmt: skip

    def sections(self) -> Sequence[Section]:
        from thrifty.lenses.numerics.pages.finding import sections_of

        return sections_of(self)

    def brief(self) -> Sequence[Block]:
        from thrifty.lenses.numerics.pages.finding import brief_of

        return brief_of(self)


def attentions(table: OperatorTable) -> dict[Shape, int]:
    """Shapes of attention in the forward pass → matrix FLOPs over all repeats."""
    rows = table.rows
    chosen = np.flatnonzero((rows["kind"] == Kind.ATTENTION) & (rows["phase"] == Phase.FORWARD) & (rows["seq_k"] > 0) & (rows["head_dim"] > 0))
    found: dict[Shape, int] = {}
    for index in chosen.tolist():
        row = rows[index]
        shape = Shape(int(row["seq_q"]), int(row["seq_k"]), int(row["head_dim"]), bool(row["causal"]))
        found[shape] = found.get(shape, 0) + int(row["flops_matrix"]) * int(table.repeats[index])
    return found


def working_format(name: str) -> str:
    """The case's own format where it is a float of at most 16 bits, else BF16, in which such weights are multiplied."""
    arithmetic = get_format(name).arithmetic
    known = get_format(arithmetic)
    return known.name if known.family == "float" and known.bits <= 16 and float_spec(known.name).signed else "bf16"


@functools.lru_cache(maxsize=32)
def emulate(shape: Shape, form: str) -> dict[tuple[str, str], Deviation]:
    """One head of drawn inputs under each policy, against golden from the same rounded inputs."""
    found = {}
    for inputs in INPUTS:
        given = draw(inputs, seq=shape.seq_q, seq_kv=shape.seq_k, head_dim=shape.head_dim, seed=SEED)
        causal = shape.causal and shape.seq_q <= shape.seq_k
        plain = attention(given.q, given.k, given.v, policy="baseline_paper", format=form, causal=causal)
        best = golden(given.q, given.k, given.v, format=form, causal=causal)
        for policy in POLICIES:
            out = attention(given.q, given.k, given.v, policy=policy, format=form, block_k=BLOCK_K, causal=causal)
            found[policy, inputs] = deviation(out, plain, best, format=form, names=(policy, "baseline"), golden_is="FP64 from rounded inputs")
    return found

"""How sequences and scores grow with the sizes of what is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from thrifty.errors import BadValue
from thrifty.lenses.operators.subjects import Subject
from thrifty.lenses.operators.views.sequences import histogram
from thrifty.lenses.operators.views.similarity import similarity
from thrifty.quantities import show

SYMBOLS: Final = ("latent", "image", "height", "frames", "seq")
FACTORS: Final = ((1, 2), (1, 1), (2, 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthRow:
    """Lengths at one value of one symbol, others where the workload is."""

    symbol: str
    value: int
    histogram: dict[int, int]
    total_bytes: int
    largest_bytes: int

    def to_dict(self) -> dict[str, Any]:
        return {
            "symbol": self.symbol, "value": self.value, "histogram": {str(k): v for k, v in self.histogram.items()}, "similarity_bytes": self.total_bytes,
            "largest_bytes": self.largest_bytes,
        }  # fmt: skip

    def cells(self) -> tuple[str, ...]:
        """For a table: size, longest sequence, largest scores, all scores."""
        return f"{self.symbol} {self.value}", f"{max(self.histogram, default=0):,}", show(self.largest_bytes, "B"), show(self.total_bytes, "B")


def length_scaling(subject: Subject) -> tuple[LengthRow, ...]:
    """At half, once and twice each size that lengths may grow with; sizes that do not exist (odd sides, other residues) are left out."""
    work = subject.workload
    if work.source is None:
        return ()
    known = {symbol.name: symbol for symbol in work.symbols}
    rows = []
    for name in SYMBOLS:
        if name not in known:
            continue
        values = []
        for up, down in FACTORS:
            value = work.point[name] * up // down
            residue = known[name].residue
            if residue is not None:  # the nearest that exists
                value += (residue - value) % known[name].modulus
            values.append(value)
        for value in dict.fromkeys(values):
            try:
                table = work.at({name: value}).table
            except BadValue:
                continue
            scores = similarity(table, work.format)
            rows.append(LengthRow(symbol=name, value=value, histogram=histogram(table), total_bytes=scores.total_bytes, largest_bytes=scores.largest_bytes))
    return tuple(rows)

"""One row of a table of agreement: what they say, what we say, and the steps that take the difference apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

ALIKE, EQUAL, SHOWN = 0.05, 0.005, 0.005
"""A difference above ALIKE needs a reason; a reason is checked where it leaves less than EQUAL; a step that moves less than SHOWN is not told."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One cause taken out of the difference: both answers after it."""

    reason: str
    theirs: float
    ours: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """theirs, ours: answers to the same question, each by its own defaults, in `unit`; ours by the model of the same kind where there is one.

    low, high : of all our models together, None where there is no such span
    steps     : causes set alike, one after the other; the last leaves them equal
    stated    : a cause that nobody can set alike, in words; such a row is told apart in the table
    """

    peer: str
    item: str
    unit: str
    theirs: float
    ours: float
    low: float | None = None
    high: float | None = None
    steps: Sequence[Step] = field(default=())
    stated: str = ""
    equal: float = EQUAL

    @property
    def ratio(self) -> float:
        return self.theirs / self.ours

    @property
    def left(self) -> float:
        """The ratio once every cause is set alike."""
        last = self.steps[-1] if self.steps else self
        return last.theirs / last.ours

    @property
    def verdict(self) -> str:
        """alike, explained (set alike it is equal), stated (a cause that cannot be set), or unexplained."""
        if self.steps and abs(self.left - 1) <= self.equal:
            return "explained" if abs(self.ratio - 1) > self.equal else "alike"
        if not self.steps and abs(self.ratio - 1) <= (ALIKE if self.stated else self.equal):
            return "alike"
        return "stated" if self.stated else "unexplained"

    @property
    def within(self) -> bool | None:
        return None if self.low is None or self.high is None else self.low <= self.theirs <= self.high

    @property
    def reason(self) -> str:
        """The steps that matter, each with what it takes out."""
        said, before = [], self.ratio
        for step in self.steps:
            after = step.theirs / step.ours
            if abs(after / before - 1) > SHOWN:
                said.append(f"{step.reason} ({before / after - 1:+.1%})")
            before = after
        if self.steps and self.verdict in ("explained", "alike") and said:
            said.append("then equal" if abs(self.left - 1) <= 5e-4 else f"then {self.left - 1:+.1%}")
        return "; ".join([*said, *([self.stated] if self.stated else [])])


def table(title: str, rows: Iterable[Row]) -> str:
    """The rows as a Markdown table."""
    rows = list(rows)
    spans = any(row.within is not None for row in rows)
    head = ["", "theirs", "ours", "theirs / ours", *(["all our models", "inside"] if spans else []), "why, and what it takes out"]
    lines = [f"### {title}", "", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        span = [] if not spans else ["", ""] if row.within is None else [f"{row.low:.4g} to {row.high:.4g}", "yes" if row.within else "no"]
        told = row.reason if row.verdict in ("alike", "explained") else f"{row.verdict}: {row.reason}"
        lines.append(f"| {' | '.join([row.item, f'{row.theirs:.4g} {row.unit}', f'{row.ours:.4g} {row.unit}', f'{row.ratio:.3f}', *span, told])} |")
    return "\n".join([*lines, ""])


def counts(rows: Iterable[Row]) -> dict[str, int]:
    """How many rows there are of each verdict, and how many of theirs lie within our span."""
    rows = list(rows)
    found = {verdict: sum(row.verdict == verdict for row in rows) for verdict in ("alike", "explained", "stated", "unexplained")}
    return {**found, "spans": sum(row.within is not None for row in rows), "inside": sum(bool(row.within) for row in rows)}

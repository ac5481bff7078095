"""Claims beside what was measured: frozen, as JSON and as a page."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thrifty.errors import BadValue, MissingExtra, unknown_name
from thrifty.lenses.numerics.paper.claims import Claim, all_claims, papers

if TYPE_CHECKING:
    from thrifty.progress import Progress
    from thrifty.report import Block, Section


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A claim and our figures, one a seed."""

    claim: Claim
    ours: tuple[float, ...]

    @property
    def mid(self) -> float:
        return statistics.median(self.ours)

    @property
    def holds(self) -> bool:
        """The middle of the seeds' figures lies in the band, or every one of them where the claim is about every draw."""
        return all(map(self.claim.holds, self.ours)) if self.claim.every else self.claim.holds(self.mid)

    def to_dict(self) -> dict[str, Any]:
        claim = self.claim
        return {
            "claim": claim.text, "published": claim.published, "source": papers()[claim.source].title, "url": papers()[claim.source].url, "where": claim.where,
            "ours": self.mid, "least": min(self.ours), "most": max(self.ours), "band": [claim.low, claim.high], "unit": claim.unit, "set_up": claim.note,
            "holds": self.holds,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFinding:
    """All rows, and the seeds they were measured with. left_out: claims that could not be measured here → why."""

    rows: tuple[Row, ...]
    seeds: tuple[int, ...]
    left_out: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """By key of the claim."""
        return {"truth": "measured", "seeds": list(self.seeds), "left_out": dict(self.left_out), "rows": {row.claim.key: row.to_dict() for row in self.rows}}

    def sections(self) -> Sequence[Section]:
        from thrifty.lenses.numerics.pages.paper import sections_of

        return sections_of(self)

    def brief(self) -> Sequence[Block]:
        return [block for section in self.sections()[:1] for block in section.blocks]


def check_papers(keys: Sequence[str] = (), *, seeds: int = 5, progress: Progress | None = None) -> PaperFinding:
    """Measure the claims named by `keys` (all where none is), each with seeds 0, 1, …

    Without an extra that a claim needs, all others are measured; MissingExtra where it was named. Raises UnknownName, BadValue.
    """
    from thrifty.lenses.numerics.paper.measuring import MEASURES

    known = {claim.key: claim for claim in all_claims()}
    for key in keys:
        if key not in known:
            raise unknown_name("claim", key, known, "thrifty numerics paper --list")
    if isinstance(seeds, bool) or not isinstance(seeds, int) or not 1 <= seeds <= 1000:
        raise BadValue(f"seeds={seeds!r} must be a whole number from 1 to 1000.")
    chosen = [claim for claim in known.values() if not keys or claim.key in keys]
    rows, left_out = [], {}
    for done, claim in enumerate(chosen):
        if progress is not None:
            progress(f"measuring: {claim.text}", done / len(chosen))
        try:
            rows.append(Row(claim=claim, ours=tuple(MEASURES[claim.key](range(seeds)))))
        except MissingExtra as why:
            if keys:
                raise
            left_out[claim.key] = str(why)
    return PaperFinding(rows=tuple(rows), seeds=tuple(range(seeds)), left_out=left_out)

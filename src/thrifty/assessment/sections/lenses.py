"""What the lenses see beside what an assessment shows anyway: one section a question."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thrifty.report import Section

if TYPE_CHECKING:
    from thrifty.assessment.result import Assessment


def sections(a: Assessment) -> list[Section]:
    """Lenses that have something to add, in the order of their list."""
    briefs = [(question, finding.brief()) for question, finding in a.findings.items()]
    return [Section(question, blocks) for question, blocks in briefs if blocks]

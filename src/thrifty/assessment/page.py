"""Turns an assessment into a page: the list below is what a reader meets, from the answer to its ground."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thrifty.assessment.sections import (
    answer,
    closeness,
    elsewhere,
    ground,
    helping,
    inputs,
    lenses,
    limits,
    memory,
    roofline,
    sizes,
    spending,
)  # fmt: skip
from thrifty.report import Page, Section
from thrifty.version import __version__

if TYPE_CHECKING:
    from thrifty.assessment.result import Assessment


def page_of(assessment: Assessment) -> Page:
    """The whole report as a page: shown on a terminal, in a notebook or as report.html."""
    found: list[Section | None] = [
        answer.said(assessment),
        closeness.section(assessment),
        spending.section(assessment),
        memory.section(assessment),
        roofline.section(assessment),
        *lenses.sections(assessment),
        limits.section(assessment),
        elsewhere.section(assessment),
        sizes.section(assessment),
        helping.section(assessment),
        ground.section(assessment),
    ]
    return Page(
        title=answer.title(assessment), summary=answer.summary(assessment), headline=answer.headline(assessment),
        sections=[section for section in found if section is not None], inputs=inputs.facts(assessment), sources=inputs.sources(assessment),
        generated=f"{assessment.made_at}, thrifty {__version__}", command=assessment.command,
    )  # fmt: skip

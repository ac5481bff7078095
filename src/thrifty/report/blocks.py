"""What a page is made of: frozen values that know nothing of models or devices, nor of how they are shown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from thrifty.errors import BadValue
from thrifty.report.charts import Chart
from thrifty.report.numbers import Number, check_ground
from thrifty.report.tables import Table

Spelling = Literal["plain", "strong", "emphasis", "code"]
_MARKED = re.compile(r"\*\*(?=\S)(?P<strong>.+?)(?<=\S)\*\*|(?<![^\s(])\*(?=[^\s*])(?P<emphasis>.+?)(?<=\S)\*(?![\w*])|`(?P<code>[^`]+)`")


def spans(text: str) -> Iterator[tuple[Spelling, str]]:
    """`text` in pieces: ``**strong**``, ``*emphasis*`` and ```code``` are marked, all else is plain."""
    at = 0
    for match in _MARKED.finditer(text):
        if match.start() > at:
            yield "plain", text[at : match.start()]
        kind: Spelling = "strong" if match.lastgroup == "strong" else "emphasis" if match.lastgroup == "emphasis" else "code"
        yield kind, match[kind]
        at = match.end()
    if at < len(text):
        yield "plain", text[at:]


def plain(text: str) -> str:
    """`text` without its marks."""
    return "".join(piece for _, piece in spans(text))


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; see `spans` for its marks."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of short texts, in order of importance when `ordered`."""

    items: Sequence[str]
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """A remark that a reader must not miss: a limit of the model, a refusal, an assumption."""

    text: str
    kind: Literal["note", "warning"] = "note"


@dataclass(frozen=True, slots=True)
class Code:
    """Text to be copied or read letter by letter: a command, or what a program wrote."""

    text: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what they are. `prominent` ones are the page's headline: few, large, side by side."""

    items: Mapping[str, Number | str]
    prominent: bool = False
    caption: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where numbers were read. A `url` is a link to click, never fetched."""

    key: str
    title: str
    publisher: str = ""
    date: str = ""
    url: str = ""
    licence: str = ""


Block = Text | Bullets | Note | Code | Facts | Table | Chart
"""What a section holds."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a page under a heading. `id` is its anchor, made from the title when not given."""

    title: str
    blocks: Sequence[Block]
    id: str = ""

    @property
    def anchor(self) -> str:
        return self.id or re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-") or "section"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A report.

    title     : what was asked
    summary   : the answer in one or two sentences
    headline  : the few numbers that matter most
    inputs    : everything that this page depends on (workload, device, seeds, versions)
    generated : when and by what, e.g. ``2026-11-24 10:12 UTC, thrifty 0.1.0``
    command   : what to type to make it again
    """

    title: str
    summary: str
    sections: Sequence[Section]
    headline: Mapping[str, Number | str] = field(default_factory=dict)
    inputs: Mapping[str, Number | str] = field(default_factory=dict)
    sources: Sequence[Source] = ()
    generated: str = ""
    command: str = ""

    def __post_init__(self) -> None:
        anchors = [section.anchor for section in self.sections]
        for anchor in anchors:
            if anchors.count(anchor) > 1:
                raise BadValue(f"page '{self.title}' has two sections with the anchor '{anchor}'. Give one of them another id.")
        listed = [source.key for source in self.sources]
        for key in listed:
            if listed.count(key) > 1:
                raise BadValue(f"page '{self.title}' lists source '{key}' twice. List it once.")
        for number in self.numbers():
            check_ground(number.truth, f"{number.text} on page '{self.title}'")
            if number.source and number.source not in listed:
                raise BadValue(f"page '{self.title}' cites source '{number.source}' and does not list it. Add it to the page's sources.")

    def numbers(self) -> Iterator[Number]:
        """Every number on the page that carries its own tag, from the top."""
        for mapping in (self.headline, self.inputs, *(block.items for block in self.blocks() if isinstance(block, Facts))):
            yield from (item for item in mapping.values() if isinstance(item, Number))
        for block in self.blocks():
            if isinstance(block, (Table, Chart)):
                yield from (cell for row in block.rows for cell in row if isinstance(cell, Number))

    def blocks(self) -> Iterator[Block]:
        """Every block of every section, from the top."""
        for section in self.sections:
            yield from section.blocks

"""What a lens promises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from thrifty.cost import Case
from thrifty.report import Block, Section


@runtime_checkable
class Finding(Protocol):
    """What a lens saw: frozen, with its inputs and where its numbers come from."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""

    def sections(self) -> Sequence[Section]:
        """The same for a page of its own, in the order in which it should be read."""

    def brief(self) -> Sequence[Block]:
        """What an assessment shows of it, beside its own tables of time, memory and roofs; empty where that says it all."""


class Lens(Protocol):
    """One way to look. name: as users say it; question: what it answers, as a reader would ask."""

    @property
    def name(self) -> str: ...

    @property
    def question(self) -> str: ...

    def look(self, case: Case) -> Finding:
        """What this lens sees of `case`. Raises ThriftyError where there is nothing that it could see."""

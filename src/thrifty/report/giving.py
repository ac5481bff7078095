"""How every command gives its answer: a page if a file is named, then JSON, or the page on the terminal; and when and by what a page was made."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from thrifty.printing import print_json, print_parts
from thrifty.report.blocks import Page
from thrifty.report.html import write_html
from thrifty.report.terminal import to_terminal
from thrifty.version import __version__


def made_now() -> str:
    """When and by what, for `Page.generated`: ``2026-11-24T10:12:00+00:00, thrifty 0.1.0``."""
    return f"{datetime.now(UTC).isoformat(timespec='seconds')}, thrifty {__version__}"


def give(page: Callable[[], Page], said: Callable[[], Any], out: Path | None, as_json: bool, *, drawn: Collection[str] = ()) -> None:
    """Write `page` to `out` where that is named; print `said` as JSON, or the page without its sections `drawn` (anchors), which are one large drawing each.

    Neither is made before it is wanted.
    """
    if out is None and as_json:
        print_json(said())
        return
    made = page()
    if out is not None:
        write_html(made, out)
    if as_json:
        print_json(said())
        return
    shown = replace(made, sections=[section for section in made.sections if section.anchor not in drawn])
    print_parts(to_terminal(shown), *([f"page: {out}"] if out is not None else []))

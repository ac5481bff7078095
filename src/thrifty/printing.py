"""What commands print: tables for people, JSON for machines."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

PIPE_WIDTH: Final = 140
"""Columns where no terminal tells: room for the tables of lists without a fold."""


def make_table(*headings: str, rows: Iterable[Sequence[str]]) -> Table:
    """Rows under headings (none shown where all are empty); the first column is never folded."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    made = Table(box=SIMPLE_HEAD, show_header=any(headings), pad_edge=False)
    for place, heading in enumerate(headings):
        made.add_column(heading, no_wrap=place == 0, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made


def print_parts(*parts: RenderableType) -> None:
    """Print tables, pages and lines on stdout, as wide as the terminal, or `PIPE_WIDTH` in a pipe."""
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console = Console(highlight=False, markup=False, width=PIPE_WIDTH)
    for part in parts:
        console.print(part)


def print_json(value: Any) -> None:
    """Print `value` as JSON; numbers that JSON cannot hold are a defect, so they are refused."""
    import typer

    typer.echo(json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False))


def command_line(*words: object, **options: object) -> str:
    """The command that gives an answer again, quoted for a shell: words as they are, then ``--option value`` of each option that is not left as usual.

    Left out are None, "", 0 and False (state a zero that counts as text); True is a flag; a list repeats its option; `_` in a name is a dash.
    """
    said = [shlex.quote(str(word)) for word in words]
    for name, value in options.items():
        for each in value if isinstance(value, list | tuple) else [value]:
            if each in (None, "", 0, False):
                continue
            text = f"{each:g}" if isinstance(each, float) and float(f"{each:g}") == each else str(each)
            said += [f"--{name.replace('_', '-')}", *([] if each is True else [shlex.quote(text)])]
    return " ".join(said)

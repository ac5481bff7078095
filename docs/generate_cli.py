"""Writes docs/reference/cli.md: the help of every command, as the program prints it. Run after a change of the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "reference" / "cli.md"
WIDTH = 100
INTRODUCTION = """# Command line

Written by `python docs/generate_cli.py`; a test holds it to the program. Every command has `--json`; results go to stdout, progress and
errors to stderr. Exit codes: 0 done, 2 a mistake in what was asked (one line: rule, value, fix), 130 interrupted.
"""


def helps(command: Any, words: str, context: Any) -> Iterator[tuple[str, str]]:
    """The help text of `command` and of everything under it."""
    from thrifty.cli import ROOMS, room_command

    here = command.context_class(command, info_name=words.split()[-1], parent=context, terminal_width=WIDTH, max_content_width=WIDTH)
    yield words, command.get_help(here)
    for name in command.list_commands(here) if hasattr(command, "list_commands") else ():
        child = room_command(name) if context is None and name in ROOMS else command.commands[name]
        yield from helps(child, f"{words} {name}", here)


def page() -> str:
    """The whole page."""
    import typer

    from thrifty.cli import app

    parts = [INTRODUCTION]
    for words, text in helps(typer.main.get_command(app), "thrifty", None):
        parts.append(f"## {words}\n\n```text\n{text.strip()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stderr.write(f"wrote {PAGE}\n")

"""Runs what the pages show: each line ``$ command`` of a console block, and, where output is shown under it, compares it.

``...`` in shown output stands for anything. `thrifty` commands run in this process, in a folder of the page's own. Commands that take minutes are
parsed, not run (the tests of their rooms run them); of a `make` command it is checked that make knows the target.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MINUTES = (("assess",), ("validate", "host"), ("hardware", "calibrate"), ("operators", "measure"), ("operators", "paper"), ("numerics", "train-study"))
FOREIGN = ("git", "cd", "pip", "python")
"""Words that begin a command of another program: shown to be copied, not run."""


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Every command of a console block with the output shown under it."""
    command, shown = "", ""
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line[2:], ""
        elif command.endswith("\\"):
            command = command[:-1] + line.strip()
        else:
            shown += f"{line}\n"
    if command:
        yield command, shown


def run_console(example: Any) -> str | None:
    """Evaluate one console block; the answer is what is wrong with it, None when nothing is."""
    for command, shown in commands(example.parsed):
        problem = run_command(shlex.split(command, comments=True), shown)
        if problem:
            return f"$ {command}\n{problem}"
    return None


def run_command(words: list[str], shown: str) -> str | None:
    if words[0] in FOREIGN:
        return None
    if words[0] == "make":
        done = subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stderr if done.returncode else None
    if words[0] != "thrifty":
        return f"nobody knows how to run '{words[0]}'"
    if any(tuple(words[1 : 1 + len(long)]) == long for long in MINUTES):
        return parse_only(words[1:])
    code, out, err = run_thrifty(words[1:])
    wanted = 2 if shown.startswith("error: ") else 0
    if code != wanted:
        return f"exit code {code}: {err}"
    if shown.strip() and not doctest.OutputChecker().check_output(shown.rstrip() + "\n", (err if wanted else out).rstrip() + "\n", doctest.ELLIPSIS):
        return f"printed:\n{err if wanted else out}"
    return None


def keep_file(example: Any) -> str | None:
    """A TOML block whose first line is ``# name.toml`` becomes a file of that name, for the blocks that follow on its page."""
    named = re.match(r"# ([\w-]+\.toml)\n", example.parsed)
    if named:
        Path(named.group(1)).write_text(example.parsed, encoding="utf-8")
    return None


def enter_folder(namespace: dict[str, Any]) -> None:
    """Each page runs in an empty folder of its own."""
    namespace["_left"] = Path.cwd()
    namespace["_folder"] = tempfile.TemporaryDirectory()
    os.chdir(namespace["_folder"].name)


def leave_folder(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_left"])
    namespace["_folder"].cleanup()


def run_thrifty(arguments: list[str]) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command."""
    from thrifty.cli import main

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    return code, out.getvalue(), err.getvalue()


def parse_only(arguments: list[str]) -> str | None:
    """Whether the command and its options exist and take these values."""
    import typer

    from thrifty.cli import UsageError, app

    command: Any = typer.main.get_command(app)
    try:
        context = command.make_context("thrifty", list(arguments))
        while hasattr(command, "resolve_command"):
            name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            context = command.make_context(name, rest, parent=context)
    except UsageError as error:
        return str(error.format_message())
    return None

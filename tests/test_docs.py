"""Pages tell the truth: generated ones are as the program prints them, and the runner of examples notices a lie."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import typer

import thrifty
from thrifty.cli import ROOMS, app, room_command

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.name != "cli.md")]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"thrifty_docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_line_page_is_what_the_program_prints() -> None:
    written = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert written == script("generate_cli").page(), "run: python docs/generate_cli.py"


@pytest.mark.parametrize(
    ("command", "shown", "problem"),
    [
        ("thrifty --version", "thrifty ...\n", None),
        ("thrifty --version", "thrifty 99\n", "printed:"),
        ("thrifty formatss", "", "exit code 2"),
        ("thrifty formatss", "error: No such command 'formatss'. ...\n", None),
        ("thrifty assess gpt2 --batch 4", "", None),
        ("thrifty assess gpt2 --bach 4", "", "No such option"),
        ("make test", "", None),
        ("make tset", "", "No rule to make target"),
        ("ls", "", "nobody knows how to run 'ls'"),
    ],
)
def test_the_runner_of_examples_notices_what_is_wrong(command: str, shown: str, problem: str | None) -> None:
    found = script("examples").run_command(command.split(), shown)
    assert (found is None) == (problem is None)
    assert (problem or "") in (found or "")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_that_a_page_speaks_of_exists(page: Path) -> None:
    spoken = re.findall(r"`thrifty ([a-z][a-z -]*[a-z])", page.read_text(encoding="utf-8"))
    for words in spoken:
        command = typer.main.get_command(app)
        for depth, word in enumerate(words.split()):
            if not hasattr(command, "commands"):
                break  # the rest are arguments
            assert word in command.commands, f"'thrifty {words}'"
            command = room_command(word) if depth == 0 and word in ROOMS else command.commands[word]


def test_console_blocks_are_split_into_commands_and_their_output() -> None:
    block = "$ thrifty a \\\n  --b\nout\n\nmore\n$ thrifty c\n"
    assert list(script("examples").commands(block)) == [("thrifty a --b", "out\n\nmore\n"), ("thrifty c", "")]


@pytest.mark.parametrize("room", sorted(set(thrifty.__all__) - {"__version__", "ThriftyError", "assess"}))
def test_every_room_has_a_reference_page(room: str) -> None:
    page = ROOT / "docs" / "reference" / f"{room}.md"
    assert f"::: {getattr(thrifty, room).__name__}\n" in page.read_text(encoding="utf-8")
    assert f"reference/{room}.md" in (ROOT / "mkdocs.yml").read_text()
    assert f"({room}.md)" in (page.parent / "index.md").read_text()


def test_the_floors_of_the_design_are_those_that_are_held() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    held = [sorted(re.findall(r"thrifty\.(\w+)", layer)) for layer in contracts[0]["layers"]]
    page = (ROOT / "docs" / "explanation" / "design.md").read_text(encoding="utf-8")
    drawn = page.partition("```text\n")[2].partition("```")[0].splitlines()
    assert [sorted(line.split(", ")) for line in drawn] == held


def test_every_target_of_the_make_file_is_explained_in_it() -> None:
    lines = (ROOT / "Makefile").read_text().splitlines()
    (phony,) = [line for line in lines if line.startswith(".PHONY:")]
    comment = "\n".join(line for line in lines if line.startswith("#"))
    for target in set(phony.split()[1:]) - {"setup"}:
        assert f"make {target}" in comment

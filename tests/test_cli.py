"""The command line as a user meets it: words, exit codes, one-line errors."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from thrifty import cli
from thrifty.cli import ROOMS, app, main, room_command
from thrifty.errors import ThriftyError
from thrifty.formats import all_formats


def leaves(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its words."""
    if not hasattr(command, "commands"):
        yield " ".join(words), command
        return
    for name, child in command.commands.items():
        yield from leaves(opened(name) if words == ("thrifty",) and name in ROOMS else child, (*words, name))


def opened(name: str) -> Any:
    """The command of a room; a failure to import it is left to the tests of its commands, so that the others still run."""
    try:
        return room_command(name)
    except ImportError:
        return None


LEAVES = dict(leaves(typer.main.get_command(app), ("thrifty",)))


def test_the_commands_of_the_contract_are_there() -> None:
    wanted = {"assess", "compare", "doctor", "formats", "plugins list", "validate host", "workload list", "workload show", "workload trace"}
    wanted |= {"hardware list", "hardware show", "hardware sites", "hardware calibrate"}
    assert wanted <= {words.removeprefix("thrifty ") for words in LEAVES}


@pytest.mark.parametrize("words", LEAVES)
def test_every_command_prints_json_and_explains_itself(words: str) -> None:
    command = LEAVES[words]
    assert "--json" in {flag for parameter in command.params for flag in parameter.opts}, f"'{words}' has no --json"
    assert command.help, f"'{words}' has no help"
    for parameter in command.params:
        assert getattr(parameter, "help", None), f"'{words}' does not explain {parameter.name}"


@pytest.mark.parametrize("words", LEAVES)
def test_every_command_has_help(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words.split()[1:], "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: {words} ")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"thrifty {cli.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["asess"], "error: No such command 'asess'. Did you mean 'assess'? See: thrifty --help"),
        (["hardwre", "list"], "error: No such command 'hardwre'. Did you mean 'hardware'? See: thrifty --help"),
        (["plugins", "lst"], "error: No such command 'lst'. Did you mean 'list'? See: thrifty plugins --help"),
        (["compare", "a.json"], "error: Missing argument 'B.json'. See: thrifty compare --help"),
    ],
)
def test_a_command_line_that_does_not_parse_gets_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err == f"{message}\n"
    assert captured.out == ""


def test_a_users_mistake_is_one_line_and_exit_code_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> None:
        raise ThriftyError("batch=0 is below 1.\nChoose a whole number from 1 up.")

    monkeypatch.setattr("thrifty.formats.all_formats", refuse)
    assert main(["formats"]) == 2
    captured = capsys.readouterr()
    assert captured.err == "error: batch=0 is below 1. Choose a whole number from 1 up.\n"
    assert captured.out == ""


def test_interrupting_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("thrifty.formats.all_formats", interrupt)
    assert main(["formats"]) == 130


def test_sizes_beyond_memory_are_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fill() -> None:
        raise MemoryError("Unable to allocate 47.7 GiB")

    monkeypatch.setattr("thrifty.formats.all_formats", fill)
    assert main(["formats"]) == 2
    assert capsys.readouterr().err == "error: this machine's memory does not hold it: Unable to allocate 47.7 GiB. Choose smaller sizes.\n"


def test_a_defect_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("thrifty.formats.all_formats", break_down)
    with pytest.raises(ZeroDivisionError):
        main(["formats"])


def test_formats_as_text_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(all_formats()) + 1
    assert main(["formats", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [each.name for each in all_formats()] == [line.split()[0] for line in lines[1:]]
    assert next(row for row in rows if row["name"] == "q4_k")["bytes_per_number"] == 0.5625


def test_a_group_without_a_command_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins"]) == 2
    assert capsys.readouterr().err.startswith("Usage: thrifty plugins ")


def test_json_refuses_what_json_cannot_hold() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        cli.print_json({"time_s": float("nan")})


def test_python_dash_m_is_the_same_command() -> None:
    done = subprocess.run([sys.executable, "-m", "thrifty", "nonsense"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "error: No such command 'nonsense'. See: thrifty --help\n")


def test_a_closed_pipe_is_no_traceback() -> None:
    code = "import os, sys\nr, w = os.pipe(); os.close(r); os.dup2(w, 1)\nfrom thrifty.cli import main\nsys.exit(main(['formats']))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")


def test_no_colour_codes(capsys: pytest.CaptureFixture[str]) -> None:
    main(["doctor"])
    main(["--help"])
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err

"""How commands give their answer: nothing is made that nobody asked for."""

import json
from pathlib import Path

import pytest

from thrifty.report import Page, Section, Text, give, made_now
from thrifty.version import __version__


def page() -> Page:
    return Page(title="An answer", summary="It is 42.", sections=[Section("Short", [Text("few words")]), Section("Drawn", [Text("large drawing")], id="drawn")])


def never() -> Page:
    raise AssertionError("nobody asked for it")


def test_json_alone_makes_no_page(capsys: pytest.CaptureFixture[str]) -> None:
    give(never, lambda: {"answer": 42}, None, True)
    assert json.loads(capsys.readouterr().out) == {"answer": 42}


def test_the_terminal_leaves_drawings_to_the_page(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out = tmp_path / "a.html"
    give(page, never, out, False, drawn=("drawn",))
    said, written = capsys.readouterr().out, out.read_text(encoding="utf-8")
    assert "few words" in said and "large drawing" not in said and "a.html" in said.replace("\n", "")
    assert "few words" in written and "large drawing" in written


def test_made_now_names_the_version() -> None:
    assert made_now().endswith(f", thrifty {__version__}") and made_now()[4] == "-"

"""A page on a terminal."""

from __future__ import annotations

import io

from rich.console import Console
from tests.report.samples import bars

from thrifty.report import Page, Section, to_terminal


def printed(page: Page, width: int = 120) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=False, color_system=None)
    console.print(to_terminal(page))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_everything_is_there(page: Page) -> None:
    text = printed(page).replace("\u00a0", " ")
    for expected in (
        "A model <here>",
        "It takes 1.31 s, and int8 would help most.", "48.7 tokens/s  measured", "21 mgCO2e (8 mgCO2e to 60 mgCO2e)  modelled",
        "(grid and die, error 30 %)",
        "Note. Energy is modelled.", "Warning. No price.", "1. Price list, A cloud, 2026", "thrifty <x>", "1. one", "• a",
        "<b>there</b>", "2026-11-24 by thrifty", "★",
    ):  # fmt: skip
        assert expected in text, expected


def test_columns_say_unit_and_ground(page: Page) -> None:
    lines = printed(page).splitlines()
    head = next(index for index, line in enumerate(lines) if line.strip() == "Elsewhere" and "Time (s)" in lines[index + 1])
    assert "Rent" in lines[head + 1]
    assert "modelled" in lines[head + 2] and "literature" in lines[head + 2]


def test_formula_bars_are_as_long_as_their_numbers() -> None:
    chart = bars(rows=[("a", "", 1.0), ("b", "", 0.5), ("c", "", None)])
    lines = printed(Page(title="P", summary="s", sections=(Section("S", (chart,)),))).splitlines()
    assert [line.count("█") for line in lines if line.startswith(("a ", "b ", "c "))] == [28, 14, 0]

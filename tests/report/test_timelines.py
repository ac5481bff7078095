"""Timelines: every second is drawn, whatever is too narrow to be seen alone, and rows of characters on a terminal."""

from __future__ import annotations

import io
import itertools
import re
from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tests.report.samples import timeline

from thrifty.report import Page, Section, to_html, to_terminal
from thrifty.report.crowds.timelines import MOST_BARS, block_key, block_lines, sums_table
from thrifty.report.drawing import draw
from thrifty.report.drawing.condensing import Piece, condense, lanes_of

AREA = re.compile(r'<path d="((?:M[\d.]+,[\d.]+h[\d.]+v[\d.]+h-[\d.]+Z)+)" fill="([^"]*)"')


def page_of(**changes: object) -> Page:
    return Page(title="P", summary="s", sections=(Section("S", (timeline(**changes),)),))


def fine(count: int, *kinds: str, stream: str = "compute") -> list[tuple[str, float, float, str]]:
    """`count` bars of a microsecond, one after another, kinds in turn."""
    return [(stream, index * 1e-6, (index + 1) * 1e-6, kinds[index % len(kinds)]) for index in range(count)]


steps = st.lists(st.tuples(st.floats(0, 3), st.floats(0, 9), st.integers(0, 3)), min_size=1, max_size=60)


@given(steps)
def test_property_condensing_keeps_every_second_and_every_bar(gaps: list[tuple[float, float, int]]) -> None:
    bars, at = [], 0.0
    for gap, length, kind in gaps:
        bars.append((at + gap, at + gap + length, kind))
        at += gap + length
    pieces = condense(bars)
    given_px, drawn_px = defaultdict(float), defaultdict(float)
    for start, end, kind in bars:
        given_px[kind] += end - start
    for piece in pieces:
        drawn_px[piece.kind] += (piece.end - piece.start) * (piece.top - piece.foot)
        assert 0 <= piece.foot <= piece.top <= 1 + 1e-9
    assert dict(drawn_px) == pytest.approx({kind: given_px[kind] for kind in drawn_px}, abs=1e-9)
    assert sum(length for kind, length in given_px.items() if kind not in drawn_px) < 1e-9, "only bars without length are lost"
    assert sum(piece.bars for piece in pieces) <= len(bars)
    for a, b in itertools.combinations(pieces, 2):
        apart = min(a.end, b.end) - max(a.start, b.start) < 1e-6 or min(a.top, b.top) - max(a.foot, b.foot) < 1e-6
        assert apart, "pieces of one lane do not cover each other"


def test_formula_touching_fine_bars_of_one_kind_become_one() -> None:
    assert condense([(0.0, 1.0, 0), (1.0, 2.0, 0), (2.0, 3.0, 0), (3.0, 9.0, 1)]) == [Piece(0.0, 3.0, 0, bars=3), Piece(3.0, 9.0, 1)]
    assert condense([(0.0, 5.0, 0), (5.0, 10.0, 0)]) == [Piece(0.0, 5.0, 0), Piece(5.0, 10.0, 0)], "wide ones stay apart"
    assert condense([(0.0, 1.0, 0), (8.0, 9.0, 0)]) == [Piece(0.0, 1.0, 0), Piece(8.0, 9.0, 0)], "so do those with idle time between"


def test_formula_windows_show_shares() -> None:
    """Of every pixel, half is of kind 0, a quarter of kind 1, a quarter idle."""
    bars = [bar for px in range(16) for bar in ((px, px + 0.5, 0), (px + 0.5, px + 0.75, 1))]
    low, high = condense(bars)
    assert (low.kind, low.foot, low.bars) == (0, 0.0, 32)
    assert (low.top, high.top) == pytest.approx((8 / 15.75, 12 / 15.75), abs=0.02)
    assert (low.start, low.end) == (high.start, high.end) == (0, 15.75)


def test_formula_lanes() -> None:
    assert lanes_of([(0, 10), (1, 4), (5, 9), (2, 3)]) == [0, 1, 1, 2]
    assert lanes_of([(0, 1), (1 - 1e-12, 2), (2, 3)]) == [0, 0, 0]


def test_bars_are_as_long_as_their_times_and_rows_keep_their_order() -> None:
    svg = draw(timeline(series=""), "c").svg
    (outlines, _), = AREA.findall(svg)
    bars = re.findall(r"M([\d.]+),([\d.]+)h([\d.]+)", outlines)
    widths = sorted(float(width) for *_, width in bars)
    assert widths == pytest.approx([w * widths[-1] / 4 for w in (2, 3, 4, 4)], rel=0.01)
    assert svg.index(">compute<") < svg.index(">network<")
    assert len({y for _, y, _ in bars}) == 2


def test_kinds_differ_without_colour() -> None:
    svg = draw(timeline(), "c").svg
    assert [fill for _, fill in AREA.findall(svg)] == ["var(--s1)", "url(#c-h2)", "url(#c-h1)"], "one path a kind"


@pytest.mark.parametrize(("factor", "title"), [(1.0, "Time (ms)"), (1e-3, "Time (µs)"), (1e3, "Time (s)")])
def test_formula_unit_of_the_axis(factor: float, title: str) -> None:
    rows = [("compute", 0.0, 0.004 * factor, "a"), ("compute", 0.004 * factor, 0.01 * factor, "b")]
    assert f">{title}<" in draw(timeline(rows=rows), "c").svg


def test_a_timeline_far_from_zero_begins_at_its_first_bar() -> None:
    svg = draw(timeline(rows=[("compute", 1000.0, 1000.004, "a"), ("compute", 1000.004, 1000.01, "b")]), "c").svg
    assert ">Time after 1,000\u00a0s (ms)<" in svg


@pytest.mark.parametrize("kinds", [("gemm",), ("gemm", "norm"), tuple("abcdefghij")])
def test_thousands_of_bars_are_light_and_say_so(kinds: tuple[str, ...]) -> None:
    drawing = draw(timeline(rows=fine(5000, *kinds)), "c")
    assert len(drawing.svg) < 80_000
    assert drawing.remark.startswith("5,000 of 5,000 bars are too narrow to be seen one by one")
    assert draw(timeline(), "c").remark == ""


def test_a_page_sums_what_is_too_long_to_read() -> None:
    html = to_html(page_of(rows=fine(MOST_BARS + 1, "gemm", "norm")))
    assert f"The data beneath sums {MOST_BARS + 1} bars by row and kind." in html
    assert html.count("<tr") == 3
    assert to_html(page_of()).count("<tr") == 5


def test_formula_sums() -> None:
    table = sums_table(timeline())
    assert [row[:3] for row in table.rows] == [["compute", "gemm", 2], ["compute", "attention", 1], ["network", "all_reduce", 1]]
    assert table.values("busy") == pytest.approx([0.008, 0.002, 0.003])
    assert table.values("share") == pytest.approx([0.8, 0.2, 0.3])
    assert [column.key for column in sums_table(timeline(series="")).columns] == ["row", "bars", "busy", "share"]
    assert sums_table(timeline(rows=[])).rows == []


def test_formula_rows_of_blocks() -> None:
    compute, network, axis = block_lines(timeline())
    assert compute == "compute  " + "█" * 22 + "▓" * 12 + "█" * 22, "22.4 cells, then to 33.6, then to 56"
    assert network == "network  " + " " * 22 + "▒" * 17 + "·" + " " * 16
    assert axis.split() == ["0", "s", "10", "ms"]
    assert len(axis) == len(compute)
    assert block_key(timeline()) == "█ gemm   ▒ all_reduce   ▓ attention   · mostly idle"


def test_short_pulses_are_dots() -> None:
    rows = [("nic", step + 0.1, step + 0.2, "send") for step in range(56)] + [("gpu", 0.0, 56.0, "gemm")]
    assert block_lines(timeline(rows=rows))[0] == "nic  " + "·" * 56


def test_nothing_to_draw_is_no_line() -> None:
    assert block_lines(timeline(rows=[])) == []
    assert block_lines(timeline(rows=[("a", 0.0, 0.0, "k")])) == []
    assert draw(timeline(rows=[]), "c").svg == ""
    assert draw(timeline(rows=[("a", 0.0, 0.0, "k")]), "c").svg


def test_a_terminal_shows_rows_and_sums() -> None:
    console = Console(width=100, file=io.StringIO(), force_terminal=False, color_system=None)
    console.print(to_terminal(page_of(rows=fine(3000, "gemm", "norm"))))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert len(text.splitlines()) < 20
    assert re.search(r"compute  [█▒]{56}", text)
    assert re.search(r"compute +norm +1,500 +1\.5 +50", text)

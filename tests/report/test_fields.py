"""Heat maps of a year's hours: a field without numbers under a scale of colours, few ticks, sums beneath, shades on a terminal."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tests.report.samples import bars

from thrifty.report import Chart, Column, Page, Section, to_html, to_json, to_terminal
from thrifty.report.crowds.fields import (
    MOST_TILES,
    edges_of,
    field_of,
    grid_width,
    limits_of,
    pairs_grid,
    shaded_lines,
    step_of,
    sums_of,
    ticks_of,
    tiles_grid,
)
from thrifty.report.drawing import draw

DAYS, HOURS = 366, 24


def hours(days: int = DAYS, **changes: object) -> Chart:
    """A tile for every hour of some days: the day's number at noon, 0 else."""
    names = [(date(2020, 1, 1) + timedelta(days=day)).isoformat() for day in range(days)]
    given: dict[str, object] = {
        "kind": "heat map", "title": "Left open", "x": "day", "y": "hour", "colour": "open",
        "columns": (Column(key="day", title="Day of 2020"), Column(key="hour", title="Hour"), Column(key="open", title="Energy", unit="Wh", truth="modelled")),
        "rows": [(name, f"{hour:02d}", float(day) if hour == 12 else 0.0) for hour in range(HOURS) for day, name in enumerate(names)],
        "alt": "Heat map of the energy left open in every hour of every day of a year; most at noon, and more by the day.",
    }  # fmt: skip
    return Chart(**(given | changes))  # type: ignore[arg-type]


def printed(chart: Chart, width: int = 100) -> str:
    console = Console(width=width, file=io.StringIO(), force_terminal=False, color_system=None)
    console.print(to_terminal(Page(title="P", summary="s", sections=(Section("S", (chart,)),))))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def paths(svg: str) -> dict[str, list[tuple[float, ...]]]:
    """Left, top, width and height of every drawn rectangle, by fill."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for outline, fill in re.findall(r'<path shape-rendering="crispEdges" d="([^"]*)" fill="([^"]*)"/>', svg):
        found.setdefault(fill, []).extend(tuple(map(float, part)) for part in re.findall(r"M([-\d.]+),([-\d.]+)h([\d.]+)v([\d.]+)h-", outline))
    return found


def test_many_tiles_are_a_field_without_numbers() -> None:
    svg = draw(hours(), "c").svg
    texts = {element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")}
    assert {"Jan", "Dec", "00", "22", "Day of 2020", "Hour", "Energy (Wh)", "0", "365"} <= texts
    assert len(texts) < 50
    assert not re.findall(r"#[0-9a-fA-F]{6}", svg), "every colour is the stylesheet's"


def test_formula_the_field_holds_every_tile() -> None:
    found = paths(draw(hours(), "c").svg)
    area = {fill: sum(width * height for _, top, width, height in boxes if top >= 0) for fill, boxes in found.items()}
    tile = sum(area.values()) / (DAYS * HOURS)
    counts = {fill: round(each / tile) for fill, each in area.items()}
    expected = [(HOURS - 1) * DAYS, *[0] * 6]
    for day in range(DAYS):
        expected[min(6, day * 7 // 365)] += 1
    assert [counts[f"var(--h{step + 1})"] for step in range(7)] == pytest.approx(expected, abs=1)
    assert all(len(boxes) > 0 for boxes in found.values())


def test_a_field_takes_few_bytes_however_its_numbers_lie() -> None:
    rows = [(row[0], row[1], float(place * 7919 % 97)) for place, row in enumerate(hours().rows)]
    page = Page(title="P", summary="s", sections=(Section("S", (hours(rows=rows),)),))
    assert len(draw(hours(), "c").svg) < 30_000
    assert len(to_html(page)) < 600_000
    assert sum(len(block["rows"]) for block in to_json(page)["sections"][0]["blocks"]) == DAYS * HOURS


def test_the_page_sums_what_it_does_not_list() -> None:
    page = to_html(Page(title="P", summary="s", sections=(Section("S", (hours(),)),)))
    assert page.count("<tr>") == 1 + 12
    assert "The data beneath sums 8,784 tiles." in page
    assert "no number" not in page
    holes = [row if row[0] != "2020-03-08" or row[1] != "02" else (*row[:2], None) for row in hours().rows]
    assert "1 of 8,784 tiles has no number and is left out. The data beneath" in to_html(
        Page(title="P", summary="s", sections=(Section("S", (hours(rows=holes),)),))
    )


def test_formula_sums() -> None:
    table = sums_of(hours())
    assert table.columns[0].title == "Month"
    assert table.rows[1] == ["Feb 2020", 29 * 24, 0.0, pytest.approx(sum(range(31, 60)) / (29 * 24)), 59.0]
    few = sums_of(hours(48))
    assert [row[0] for row in few.rows][:2] == ["2020-01-01 to 2020-01-02", "2020-01-03 to 2020-01-04"]
    assert len(few.rows) == 24 and sum(row[1] for row in few.rows) == 48 * 24  # type: ignore[misc]


def test_a_hole_is_left_open() -> None:
    rows = [("a", "x", 1.0), ("a", "y", None), ("b", "x", float("nan")), ("b", "y", 2.0)]
    columns, lines, field = field_of(hours(rows=rows))
    assert (columns, lines) == (["a", "b"], ["x", "y"])
    assert field[0][0] == 1.0 and field[1][1] == 2.0 and field[0][1] != field[0][1] and field[1][0] != field[1][0]
    assert len(paths(draw(hours(rows=[row if place else (*row[:2], None) for place, row in enumerate(hours().rows)]), "c").svg)) == 7


def test_formula_ticks() -> None:
    days = [(date(2020, 11, 20) + timedelta(days=day)).isoformat() for day in range(420)]
    assert ticks_of(days[:30], 3) == [(0, "20 Nov"), (12, "2 Dec"), (24, "14 Dec")]
    assert ticks_of(days, 20)[:4] == [(11, "Dec"), (42, "2021"), (73, "Feb"), (101, "Mar")]
    assert ticks_of(days, 5) == [(42, "2021"), (132, "Apr"), (223, "Jul"), (315, "Oct"), (407, "2022")]
    assert [name for _, name in ticks_of([f"{hour:02d}" for hour in range(24)], 8)] == ["00", "03", "06", "09", "12", "15", "18", "21"]
    assert ticks_of(["a", "b"], 9) == [(0, "a"), (1, "b")]


@given(st.integers(1, 1200), st.integers(2, 20))
def test_property_ticks_are_few_and_in_order(count: int, most: int) -> None:
    for names in ([str(place) for place in range(count)], [(date(2019, 5, 17) + timedelta(days=day)).isoformat() for day in range(count)]):
        ticks = ticks_of(names, most)
        assert 1 <= len(ticks) <= most
        assert [place for place, _ in ticks] == sorted({place for place, _ in ticks})
        assert all(0 <= place < count for place, _ in ticks)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.integers(2, 7))
def test_property_a_number_lies_in_its_step(values: list[float], count: int) -> None:
    edges = edges_of(values, count)
    assert edges == sorted(edges) and (edges[0], edges[-1]) == (min(values), max(values))
    for value in values:
        step = step_of(value, edges)
        assert edges[step] <= value <= edges[step + 1]


def test_steps_are_ratios_where_numbers_span_a_decade() -> None:
    assert edges_of([1.0, 16.0], 4) == pytest.approx([1, 2, 4, 8, 16])
    assert edges_of([0.0, 16.0], 4) == pytest.approx([0, 4, 8, 12, 16])


def test_a_terminal_shades_a_year() -> None:
    text = printed(hours())
    lines = text.splitlines()
    assert len(lines) < 40 and max(map(len, lines)) <= 100
    noon = next(line for line in lines if line.startswith("12"))
    assert noon.split()[1].rstrip("█")[-1] == "▓" and noon.endswith("█")
    assert "· 0 to 73   ░ 73 to 146   ▒ 146 to 219   ▓ 219 to 292   █ 292 to 365   Wh" in text
    assert text.rstrip().endswith("Each character is the mean of 5 tiles.")
    assert "Jan         Mar" in text and "Left open modelled" in text


def test_formula_shades_are_means() -> None:
    rows = [(f"{place:03d}", "a", float(place % 2) if place < 80 else None) for place in range(160)]
    line, axis, key, more = shaded_lines(hours(rows=rows))
    assert line.rstrip() == "a  " + "·█" * 13 + "▒"
    assert axis.startswith("   000") and key.endswith("Wh") and more == "Each character is the mean of 3 tiles."
    assert shaded_lines(hours(rows=[("a", "b", None)])) == []
    assert shaded_lines(hours(rows=[("a", "b", 2.0)])) == ["b  ····", "   a", "· 2\u00a0Wh"]


def test_few_tiles_are_a_table_of_both_names() -> None:
    rows = [(month, hour, place) for place, (hour, month) in enumerate((h, m) for h in ("00", "12") for m in ("Jan", "Feb", "Mar"))]
    grid = tiles_grid(hours(rows=rows))
    assert grid is not None
    assert [head.title for head in grid.heads] == ["Hour", "Jan", "Feb", "Mar"]
    assert [[entry.text for entry in row] for row in grid.rows] == [["00", "0", "1", "2"], ["12", "3", "4", "5"]]
    assert grid.caption == "Left open (Wh), modelled; across: day of 2020"
    assert grid_width(grid) == 4 + 3 * 3 + 8
    text = printed(hours(rows=rows))
    assert re.search(r"^12 +3 +4 +5$", text, re.MULTILINE)
    assert tiles_grid(hours(32)) is None


def test_formula_a_scale_has_one_unit() -> None:
    assert limits_of(hours(), [-1e-6, 5e3, 2.5e7]) == (["-1×10⁻¹²", "0.005", "25"], "MWh")


def test_several_series_are_columns_on_a_terminal() -> None:
    text = printed(bars(series="group"))
    assert re.search(r"^Name +a +b$", text, re.MULTILINE) and re.search(r"^linear +810 +790$", text, re.MULTILINE)
    assert "Time by class (ms), modelled; across: group" in text
    twice = bars(series="group", rows=[("linear", "a", 0.81), ("linear", "a", 0.79), ("norm", "b", 0.12)])
    assert pairs_grid(twice, "name", "group", "time_s") is None and "across" not in printed(twice)
    assert "across" not in printed(bars())


def test_narrow_tiles_have_no_numbers() -> None:
    """Fewer tiles than the most, and yet no room for a number in each."""
    rows = [(f"{hour:02d}", month, 1234.0 + 18 * hour) for month in ("Jan", "Feb") for hour in range(24)]
    chart = hours(rows=rows)
    assert len(rows) < MOST_TILES
    assert "1.25" not in re.findall(r">([^<>]*)</text>", draw(chart, "c").svg), "the number of 1:00"
    assert "1.25" in re.findall(r">([^<>]*)</text>", draw(hours(rows=rows[:3]), "c").svg)
    assert 'shape-rendering="crispEdges"' in draw(chart, "c").svg
    assert 'shape-rendering="crispEdges"' not in draw(hours(rows=rows[:6]), "c").svg


def test_a_number_in_a_tile_is_not_rounded_with_the_places() -> None:
    svg = draw(hours(rows=[("a", "x", 2.0), ("a", "y", 2.0), ("b", "x", 0.997), ("b", "y", 1.455)]), "c").svg
    assert {"0.997", "1.46"} <= set(re.findall(r">([^<>]*)</text>", svg))

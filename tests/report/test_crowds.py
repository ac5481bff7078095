"""Hundreds of points: few names, none over another, and a word about the rest."""

from __future__ import annotations

import io
import random
import re

from rich.console import Console
from tests.report.samples import scatter

from thrifty.report import Chart, Page, Section, to_terminal
from thrifty.report.drawing import draw
from thrifty.report.drawing.placing import place_labels

LONG = "attention=tp:8,pp:35,ddp:2;ffn=tp:8,pp:35,ddp:2;interleave="


def cloud(count: int, named: int, prefix: str = "plan ", **changes: object) -> Chart:
    """Points at random places; the first ones have names, those that nothing beats are the front."""
    draws = random.Random(4)
    points = sorted((10 ** draws.uniform(-1, 1), 10 ** draws.uniform(2, 4)) for _ in range(count))
    best, rows = float("inf"), []
    for index, (time, energy) in enumerate(points):
        front, best = energy < best, min(best, energy)
        rows.append((f"{prefix}{index}" if front or index < named else "", "", time, energy, front))
    return scatter(rows=rows, **changes)


def names_in(svg: str, chart: Chart) -> set[str]:
    return set(re.findall(r">([^<>]*)</text>", svg)) & (set(chart.texts("name")) - {""})


def test_only_front_and_strong_are_named() -> None:
    chart = cloud(500, 100, strong=("plan 50",))
    drawing = draw(chart, "c")
    shown = names_in(drawing.svg, chart)
    front = {str(row[0]) for row in chart.rows if row[4]}
    assert shown <= front | {"plan 50"}
    assert "plan 50" in shown and len(shown) >= 4
    named = len(set(chart.texts("name")) - {""})
    assert drawing.remark == f"{named - len(shown)} of {named} names are left out of the drawing and stand in the data."
    assert len(drawing.svg) < 120_000


def test_points_without_names_leave_no_texts() -> None:
    drawing = draw(cloud(500, 0, front=""), "c")
    assert "<text" in drawing.svg and "></text>" not in drawing.svg


def test_names_too_long_for_a_chart_become_numbers() -> None:
    chart = cloud(500, 0, LONG)
    drawing = draw(chart, "c")
    assert not names_in(drawing.svg, chart)
    first = min((row for row in chart.rows if row[4]), key=lambda row: row[2])  # type: ignore[arg-type, return-value]
    assert drawing.remark.startswith(f"From the left: (1)\u00a0{first[0]}, (2)\u00a0{LONG}")


def test_property_a_crowd_of_names_does_not_overlap() -> None:
    draws = random.Random(1)
    points = [(draws.uniform(0, 560), draws.uniform(0, 340)) for _ in range(300)]
    labels = place_labels(points, ["H100"] * 300, 560, 340, crowded=True)
    shown = [(point, label) for point, label in zip(points, labels, strict=True) if label]
    assert 10 < len(shown) < 300
    boxes = []
    for (x, y), label in shown:
        left = x + label.dx - {"left": 0, "center": 0.5, "right": 1}[label.align] * 4 * 6.3
        boxes.append((left, y + label.dy - 6.5, left + 4 * 6.3, y + label.dy + 6.5))
    assert all(b[0] >= a[2] or b[2] <= a[0] or b[1] >= a[3] or b[3] <= a[1] for i, a in enumerate(boxes) for b in boxes[:i])
    assert not any(a[0] < x < a[2] and a[1] < y < a[3] for a in boxes for x, y in points), "nor a point"


def test_a_terminal_lists_the_front() -> None:
    chart = cloud(500, 100)
    console = Console(width=120, file=io.StringIO(), force_terminal=False, color_system=None)
    console.print(to_terminal(Page(title="P", summary="s", sections=(Section("S", (chart,)),))))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    front = sum(1 for row in chart.rows if row[4])
    assert text.count("★") == front
    assert f"{500 - front} of 500 points are not listed here; JSON has them all." in text

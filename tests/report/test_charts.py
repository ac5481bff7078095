"""Charts refuse what cannot be drawn or told."""

from __future__ import annotations

import math

import pytest
from tests.report.samples import bars, scatter, timeline

from thrifty.errors import BadValue
from thrifty.report import Number, Roof


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "pie"}, "chart 'Time by class' is of kind 'pie'. Choose one of: bars, stacked bars, scatter, line, roofline, heat map, timeline."),
        ({"x": "watt"}, "table 'Time by class' has no column 'watt'. Its columns: name, group, time_s."),
        ({"x": "name"}, "chart 'Time by class' draws 'linear' of column 'name' as a number. Give numbers, or None where there is none."),
        ({"alt": "bars"}, "chart 'Time by class' tells readers who cannot see it 4 characters. Say in 40 or more what it shows."),
        ({"kind": "heat map"}, "heat map 'Time by class' has no colour. Name the column whose numbers colour it."),
    ],
)
def test_bad_charts(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BadValue) as caught:
        bars(**changes)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"high": ""}, "timeline 'One step' has x='start', low='start', high=''. Name the columns of start and end, x as low."),
        ({"x": "end"}, "timeline 'One step' has x='end', low='start', high='end'. Name the columns of start and end, x as low."),
        ({"x_log": True}, "timeline 'One step' has a logarithmic axis, and time has no ratio. Leave x_log and y_log out."),
        (
            {"rows": [("compute", 2.0, 1.0, "gemm")]},
            "timeline 'One step' has a bar on 'compute' that starts at 2 and ends at 1. End it at its start or later.",
        ),
        ({"rows": [("compute", 2.0, "late", "gemm")]}, "chart 'One step' draws 'late' of column 'end' as a number. Give numbers, or None where there is none."),
    ],
)
def test_bad_timelines(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BadValue) as caught:
        timeline(**changes)
    assert str(caught.value) == message


def test_bars_without_an_end_are_not_drawn() -> None:
    assert timeline(rows=[("a", 0.0, None, "k"), ("a", 0.0, 1.0, "k"), ("a", math.nan, 1.0, "k")]).drawable() == [1]


def test_bad_roof() -> None:
    with pytest.raises(BadValue) as caught:
        Roof("FP32", 0.0, 1.0)
    assert str(caught.value) == "roof 'FP32' has peak 0.0 and slope 1.0. Give two finite numbers above 0."


def test_rows_without_a_place_are_not_drawn() -> None:
    rows = [("a", "g", 1.0, 1.0, True), ("b", "g", None, 1.0, True), ("c", "g", 0.0, 1.0, True), ("d", "g", math.inf, 1.0, False)]
    assert scatter(rows=rows).drawable() == [0]
    assert scatter(rows=rows, x_log=False).drawable() == [0, 2]


def test_grounds_are_those_of_what_is_drawn() -> None:
    assert bars().grounds == ("modelled",)
    assert bars(rows=[("linear", "", Number(value=1.0, unit="s", truth="measured"))]).grounds == ("modelled", "measured")

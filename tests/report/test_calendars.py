"""Series by day and hour."""

from __future__ import annotations

from thrifty.report import Column, calendar_chart

ENERGY = Column(key="wh", title="Energy", unit="Wh", truth="modelled")
ALT = "Heat map of made-up energy by day and hour, for a test of where its numbers lie."


def test_formula_means() -> None:
    days, hours, values = ["2020-01-02", "2020-01-01", "2020-01-01", "2020-01-01"], [1, 0, 1, 1], [4.0, 1.0, 2.0, 3.0]
    chart = calendar_chart(days, hours, values, title="T", column=ENERGY, alt=ALT)
    assert chart.rows == [["2020-01-01", "00", 1.0], ["2020-01-01", "01", 2.5], ["2020-01-02", "00", None], ["2020-01-02", "01", 4.0]]
    assert (chart.x, chart.y, chart.columns[0].title, chart.columns[1].title) == ("hour", "day", "Day of 2020", "Hour of the day, local")
    assert calendar_chart(days, hours, values, title="T", column=ENERGY, alt=ALT, clock="UTC").columns[1].title == "Hour of the day, UTC"


def test_many_days_stand_side_by_side() -> None:
    days = [f"20{19 + k // 300}-{1 + k % 300 // 28:02d}-{1 + k % 28:02d}" for k in range(400)]
    chart = calendar_chart(days, [12] * 400, [1 / 3] * 400, title="T", column=ENERGY, alt=ALT)
    assert (chart.x, chart.y, chart.columns[0].title) == ("day", "hour", "Day of 2019 to 2020")
    assert chart.rows[0] == ["2019-01-01", "12", 0.333333]

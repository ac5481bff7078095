"""Pages and tables refuse what would mislead a reader."""

from __future__ import annotations

import pytest

from thrifty.errors import BadValue
from thrifty.report import Column, Facts, Number, Page, Section, Source, Table, Text
from thrifty.report.blocks import plain, spans


def test_formula_spans() -> None:
    assert list(spans("a **b** *c* `d*e*` 2*3*4")) == [
        ("plain", "a "), ("strong", "b"), ("plain", " "), ("emphasis", "c"), ("plain", " "), ("code", "d*e*"), ("plain", " 2*3*4"),
    ]  # fmt: skip
    assert plain("layers.*.mlp and layers.*.attn, **x**") == "layers.*.mlp and layers.*.attn, x"


def refusal(make: object, *args: object, **kwargs: object) -> str:
    with pytest.raises(BadValue) as caught:
        make(*args, **kwargs)  # type: ignore[operator]
    return str(caught.value)


def test_a_number_needs_a_ground() -> None:
    columns = (Column(key="name", title="Name"), Column(key="time_s", title="Time", unit="s"))
    message = "table 'Times': column 'time_s' holds numbers without a ground. Tag it as measured, modelled, literature or given."
    assert refusal(Table, columns=columns, rows=[("a", 1.0)], caption="Times") == message
    Table(columns=columns, rows=[("a", Number(value=1.0, truth="measured")), ("b", None), ("c", True)], caption="Times")


def test_rows_have_a_cell_a_column() -> None:
    columns = (Column(key="name", title="Name"),)
    assert refusal(Table, columns=columns, rows=[("a", "b")], caption="T") == "table 'T': row 0 has 2 cells for 1 columns. Give one cell a column."
    assert refusal(Table(columns=columns, rows=[], caption="T").column, "x") == "table 'T' has no column 'x'. Its columns: name."


def test_tags_are_four() -> None:
    message = "column 'a' is tagged 'guessed'. Tag it as one of: measured, modelled, literature, given."
    assert refusal(Column, key="a", title="A", truth="guessed") == message


def test_a_cited_source_is_listed() -> None:
    facts = Section("S", (Facts({"a": Number(value=1, truth="literature", source="x-2020")}),))
    message = "page 'P' cites source 'x-2020' and does not list it. Add it to the page's sources."
    assert refusal(Page, title="P", summary="", sections=(facts,)) == message
    source = Source(key="x-2020", title="X")
    Page(title="P", summary="", sections=(facts,), sources=(source,))
    assert refusal(Page, title="P", summary="", sections=(), sources=(source, source)) == "page 'P' lists source 'x-2020' twice. List it once."


def test_anchors_are_unique() -> None:
    twice = (Section("What ran?", (Text("a"),)), Section("What ran", ()))
    message = "page 'P' has two sections with the anchor 'what-ran'. Give one of them another id."
    assert refusal(Page, title="P", summary="", sections=twice) == message

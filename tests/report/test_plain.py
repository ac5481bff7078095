"""A page for programs."""

from __future__ import annotations

import json
import math

from tests.report.samples import bars

from thrifty.report import Page, Section, to_json


def test_a_page_is_json(page: Page) -> None:
    content = json.loads(json.dumps(to_json(page), allow_nan=False))
    assert content["schema"] == "thrifty.page/1"
    assert content["headline"]["Decode"] == {"value": 48.7, "unit": "tokens/s", "truth": "measured"}
    table = content["sections"][1]["blocks"][0]
    assert table["columns"][1] == {"key": "time_s", "title": "Time", "unit": "s", "truth": "modelled"}
    assert table["rows"][0] == {"name": "here", "time_s": 1.31, "usd": None, "fits": True}
    assert [block["block"] for block in content["sections"][1]["blocks"]] == ["table", "note", "warning", "facts"]
    roofline = next(block for block in content["sections"][2]["blocks"] if block["kind"] == "roofline")
    assert roofline["axes"] == {"x": "i", "y": "f", "label": "name"}
    assert roofline["logarithmic"] == {"x": True, "y": True}
    assert roofline["roofs"][0] == {"name": "FP32", "peak": 1.4e11, "slope": 2.1e10}


def test_what_is_no_number_is_null() -> None:
    chart = bars(rows=[("a", "", math.nan), ("b", "", math.inf)])
    content = to_json(Page(title="P", summary="s", sections=(Section("S", (chart,)),)))
    assert [row["time_s"] for row in content["sections"][0]["blocks"][0]["rows"]] == [None, None]

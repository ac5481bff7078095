"""The HTML file: whole, safe, and usable by keyboard, screen reader and on paper."""

from __future__ import annotations

import builtins
import itertools
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from tests.report.samples import all_charts, bars

from thrifty.errors import CannotWrite, MissingExtra
from thrifty.report import Page, Section, Text, to_fragment, to_html, write_html

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Outline(HTMLParser):
    """Every element with its attributes, its ancestors and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[dict[str, Any]] = []
        self.open: list[dict[str, Any]] = []
        self.feed(text)
        assert not self.open, f"left open: {[element['tag'] for element in self.open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = {"tag": tag, "attrs": dict(attrs), "inside": list(self.open), "text": ""}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append({"tag": tag, "attrs": dict(attrs), "inside": list(self.open), "text": ""})

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1]["tag"] == tag, f"</{tag}> closes {self.open[-1]['tag'] if self.open else 'nothing'}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for element in self.open:
            element["text"] += data

    def all(self, tag: str) -> list[dict[str, Any]]:
        return [element for element in self.elements if element["tag"] == tag]

    def within(self, outer: dict[str, Any], tag: str) -> list[dict[str, Any]]:
        return [element for element in self.all(tag) if any(ancestor is outer for ancestor in element["inside"])]


@pytest.fixture(scope="module")
def outline(html: str) -> Outline:
    return Outline(html)


def test_landmarks_and_skip_link(outline: Outline) -> None:
    assert [len(outline.all(tag)) for tag in ("main", "nav", "h1", "title")] == [1, 1, 1, 1]
    assert outline.all("html")[0]["attrs"]["lang"] == "en"
    first_link = outline.all("a")[0]
    assert first_link["text"] == "Skip to the content"
    assert first_link["attrs"]["href"] == f"#{outline.all('main')[0]['attrs']['id']}"
    assert outline.all("nav")[0]["attrs"]["aria-label"] == "Contents"


def test_headings_step_down_one_by_one(outline: Outline) -> None:
    levels = [int(element["tag"][1]) for element in outline.elements if re.fullmatch(r"h[1-6]", element["tag"])]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_ids_are_unique_and_links_lead_somewhere(outline: Outline) -> None:
    ids = Counter(element["attrs"]["id"] for element in outline.elements if "id" in element["attrs"])
    assert [name for name, count in ids.items() if count > 1] == []
    for link in outline.all("a"):
        href = link["attrs"]["href"]
        assert not href.startswith("#") or href[1:] in ids, href
    for element in outline.elements:
        if "aria-labelledby" in element["attrs"]:
            assert element["attrs"]["aria-labelledby"] in ids
    assert set(re.findall(r"url\(#([^)]+)\)", "".join(str(element["attrs"]) for element in outline.elements))) <= set(ids)


def test_every_chart_has_words_and_numbers(outline: Outline) -> None:
    charts = all_charts()
    figures = outline.all("figure")
    assert len(figures) == len(charts)
    for figure, chart in zip(figures, charts.values(), strict=True):
        image = [element for element in outline.within(figure, "div") if element["attrs"].get("role") == "img"]
        assert [element["attrs"]["aria-label"] for element in image] == [chart.alt]
        drawing = outline.within(figure, "svg")
        assert len(drawing) == 1 and drawing[0]["attrs"]["aria-hidden"] == "true" and drawing[0]["inside"][-1] is image[0]
        assert chart.title in outline.within(figure, "figcaption")[0]["text"]
        data = outline.within(figure, "details")
        assert len(data) == 1
        table = outline.within(data[0], "table")[0]
        rows = len(set(chart.texts(chart.y))) if chart.kind == "heat map" else len(chart.rows)
        assert len(outline.within(table, "tr")) == rows + 1


def test_tables_have_captions_heads_and_scroll_by_keyboard(outline: Outline) -> None:
    for table in outline.all("table"):
        assert outline.within(table, "caption")[0]["text"].strip()
        assert all(head["attrs"].get("scope") in ("col", "row") for head in outline.within(table, "th"))
        wrap = table["inside"][-1]
        assert wrap["attrs"]["tabindex"] == "0" and wrap["attrs"]["role"] == "group" and wrap["attrs"]["aria-label"].startswith("Table: ")


def test_every_number_that_is_not_the_readers_is_tagged(outline: Outline) -> None:
    for number in (element for element in outline.all("span") if element["attrs"].get("class") == "number"):
        tags = [e["text"] for e in outline.within(number["inside"][-1], "span") if "tag" in (e["attrs"].get("class") or "").split()]
        assert tags in (["measured"], ["modelled"], ["literature"]) or number["text"] == "0", number["text"]


def test_texts_are_escaped(html: str) -> None:
    assert "A model &lt;here&gt;" in html
    assert "&lt;b&gt;there&lt;/b&gt;" in html and "<b>there" not in html
    assert "thrifty &lt;x&gt;" in html
    assert "slow &lt;&amp;&gt; cheap" in html


def test_nothing_is_fetched_and_nothing_runs(outline: Outline, html: str) -> None:
    assert not outline.all("script") and not outline.all("img") and not outline.all("iframe")
    assert [link["attrs"]["href"] for link in outline.all("link")] == ["data:,"]
    assert not re.search(r"@import|url\((?!#)", html)
    outside = [element for element in outline.elements for name, value in element["attrs"].items() if "//" in (value or "") and name != "xmlns"]
    assert [(element["tag"], element["attrs"]["href"]) for element in outside] == [("a", "https://example.org/prices")]
    assert not re.search(r"\son\w+=", html)


def test_light_dark_and_print(html: str) -> None:
    assert "@media screen and (prefers-color-scheme: dark)" in html
    assert "@media print" in html
    assert "prefers-reduced-motion" in html


def test_size(html: str) -> None:
    assert len(html.encode()) < 150_000


def test_stylesheet_stays_small() -> None:
    from importlib import resources

    assert len(resources.files("thrifty.report").joinpath("static/report.css").read_text().splitlines()) <= 150


def test_same_page_same_file(page: Page, html: str) -> None:
    assert to_html(page) == html


def test_a_chart_with_nothing_to_draw_says_so() -> None:
    for rows, message in (
        ([("a", "", None), ("b", "", 1.0)], "1 of 2 rows cannot be drawn on these axes and stand in the data only."),
        ([("a", "", None)], "Nothing to draw: no row has the numbers that this chart needs."),
    ):
        assert message in to_html(Page(title="P", summary="s", sections=(Section("S", (bars(rows=rows),)),)))


def test_charts_cost_only_pages_that_have_them() -> None:
    code = """
import sys
from thrifty.report import Page, Section, Text, to_html
to_html(Page(title="P", summary="s", sections=(Section("S", (Text("t"),)),)))
print([name for name in ("altair", "vl_convert", "rich", "pandas") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("package", "blocked"), [("altair", "altair"), ("altair", "vl_convert"), ("jinja2", "jinja2")])
def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch, package: str, blocked: str) -> None:
    from thrifty.report import html as module

    module._environment.cache_clear()
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == blocked:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra) as caught:
        to_html(Page(title="P", summary="s", sections=(Section("S", (bars(),)),)))
    assert str(caught.value) == f'the HTML report needs {package}. Install: pip install "thrifty[report]"'


def test_write_html(tmp_path: Path, html: str, page: Page) -> None:
    path = write_html(page, tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8") == html
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    page = Page(title="P", summary="s", sections=(Section("S", (Text("t"),)),))
    path = tmp_path / "file" / "report.html"
    with pytest.raises(CannotWrite) as caught:
        write_html(page, path)
    assert str(caught.value) == f"cannot write to '{path}': not a directory. Choose a folder that you may write to, with --out."


def test_a_fragment_keeps_to_itself(page: Page) -> None:
    first, second = to_fragment(page, "as <text>"), to_fragment(page)
    outlines = Outline(first), Outline(second)
    ids = [{element["attrs"]["id"] for element in outline.elements if "id" in element["attrs"]} for outline in outlines]
    assert not ids[0] & ids[1]
    assert "<body" not in first and outlines[0].all("pre")[0]["text"] == "as <text>"
    css = re.sub(r"@media[^{]*\{|@page[^}]*\}|/\*.*?\*/", "", outlines[0].all("style")[0]["text"], flags=re.S)
    for selector in re.findall(r"([^{}]+)\{", css):
        assert all(part.strip().startswith((".thrifty", "body.thrifty", "html:has(body.thrifty)")) for part in selector.split(",")), selector

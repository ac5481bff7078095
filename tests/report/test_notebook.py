"""Results that show themselves."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from thrifty.errors import missing_extra
from thrifty.report import Page, Section, ShownAsPage, Text


@dataclass(frozen=True, slots=True)
class Result(ShownAsPage):
    answer: float

    def page(self) -> Page:
        return Page(title="The answer", summary=f"It is {self.answer}.", sections=(Section("Why", (Text("Because."),)),))

    def __str__(self) -> str:
        return f"answer {self.answer}"


def test_a_result_shows_its_page() -> None:
    html = Result(42)._repr_html_()
    assert html is not None
    assert ">The answer</h3>" in html and '<pre class="thrifty-plain">answer 42</pre>' in html


def test_without_the_extra_it_shows_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    from thrifty.report import notebook

    def refuse(*_: object) -> str:
        raise missing_extra("the HTML report", "jinja2", "report")

    monkeypatch.setattr(notebook, "to_fragment", refuse)
    assert Result(42)._repr_html_() is None

"""The list of sources, and what it refuses."""

from __future__ import annotations

import pytest

from thrifty.errors import BadSheet
from thrifty.hardware import Source
from thrifty.hardware.sources import parse_sources

WHOLE = {"title": "A sheet", "publisher": "Somebody", "date": "2024", "licence": "CC0-1.0"}


def test_a_source_is_read_as_written() -> None:
    assert parse_sources({"a": {**WHOLE, "url": "https://example.org"}}, "f.toml") == {
        "a": Source(key="a", title="A sheet", publisher="Somebody", date="2024", licence="CC0-1.0", url="https://example.org")
    }


@pytest.mark.parametrize("missing", WHOLE)
def test_a_source_without_title_publisher_date_or_licence_is_none(missing: str) -> None:
    with pytest.raises(BadSheet) as caught:
        parse_sources({"a": {**WHOLE, missing: " "}}, "f.toml")
    assert str(caught.value) == f"f.toml: source 'a' has no {missing}. Write e.g. {missing} = \"...\"."


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(BadSheet) as caught:
        parse_sources({"a": {**WHOLE, "author": "me"}}, "f.toml")
    assert str(caught.value) == "f.toml: source 'a' has unknown key 'author'. Allowed here: title, publisher, date, licence, url, note."

"""The sources behind carbon numbers, as a page lists them."""

from __future__ import annotations

from collections.abc import Iterable

from thrifty.cost.carbon.factors import load_pack
from thrifty.cost.carbon.series import series_sources
from thrifty.report import Source


def cited(keys: Iterable[str]) -> list[Source]:
    """The sources of `keys`, each once, of factors or of shipped series; a key that is neither (a user's own file) is left out."""
    known = {**load_pack().sources, **series_sources()}
    return [
        Source(key=key, title=source.title, publisher=source.publisher, date=source.date, url=source.url, licence=source.licence)
        for key in dict.fromkeys(keys) if (source := known.get(key)) is not None
    ]  # fmt: skip

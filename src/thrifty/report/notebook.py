"""Results that show themselves as pages in a notebook."""

from __future__ import annotations

from thrifty.errors import MissingExtra
from thrifty.report.blocks import Page
from thrifty.report.html import to_fragment


class ShownAsPage:
    """Mix into a result that has a `page()`: a notebook then shows the page, and the result's text where HTML is not to be had."""

    __slots__ = ()

    def page(self) -> Page:
        """The result as a page."""
        raise NotImplementedError

    def _repr_html_(self) -> str | None:
        """What a notebook asks for; None, so that it shows the text, where the report extra is missing."""
        try:
            return to_fragment(self.page(), str(self))
        except MissingExtra:
            return None

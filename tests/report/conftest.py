"""The page and its rendering, made once."""

from __future__ import annotations

import pytest
from tests.report.samples import whole_page

from thrifty.report import Page, to_html


@pytest.fixture(scope="session")
def page() -> Page:
    return whole_page()


@pytest.fixture(scope="session")
def html(page: Page) -> str:
    return to_html(page)

"""The paper's page: every figure there, numbers tagged, and nothing of what was published hidden in code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import thrifty
from thrifty.hardware import load as load_device
from thrifty.lenses.operators.paper import SUITE, TODAY, claims, make_report, see_suite
from thrifty.lenses.operators.paper.published import published, sources
from thrifty.report import to_html


@pytest.fixture(scope="module")
def report() -> object:
    return make_report()


def test_paper_every_figure_is_on_one_page(report) -> None:  # type: ignore[no-untyped-def]
    anchors = [section.anchor for section in report.page.sections]
    assert anchors == [
        "claims", "systems", "breakdown", "gain", "roofline", "sequences", "scaling", "temporal", "caches", "frames", "quality", "fleet", "today",
    ]  # fmt: skip
    assert [row.name for row in report.rows] == [*SUITE, *TODAY]
    text = to_html(report.page)
    missing = [word for word in ("literature", "modelled", "remembered", *SUITE, *TODAY) if word not in text]
    assert missing == []
    assert len(text) < 1_500_000


def test_paper_claims_are_computed_not_stated(report) -> None:  # type: ignore[no-untyped-def]
    """On another device, or of other systems, they come out otherwise."""
    ours = {claim.sentence: claim.ours for claim in report.claims}
    assert len(ours) == 6
    conv = next(claim for claim in report.claims if "convolution" in claim.sentence)
    sd = next(row for row in report.rows if row.name == "sd-1.5")
    assert 0.35 < sd.share("conv") < 0.50 and sd.share("conv") > sd.share("attention")  # the abstract's 44 %, for the model that everybody knows
    assert conv.published.value == 0.44 and f"{sd.share('conv'):.0%}" in conv.said
    other = load_device("l4")
    rows = see_suite(other, {"sd-1.5": "diffusion", "muse-3b": "transformer"})
    assert claims(rows, other)[0].ours != pytest.approx(conv.ours, rel=1e-3)


def test_paper_abstract_in_the_region_of_what_was_published(report) -> None:  # type: ignore[no-untyped-def]
    by_word = {word: next(claim for claim in report.claims if word in claim.sentence) for word in ("gain", "Sequence", "modelscope")}
    assert 1.1 <= by_word["gain"].ours <= 2.5
    assert by_word["Sequence"].ours == 4
    assert by_word["modelscope"].ours > 0.6


def test_paper_today_leaves_its_conclusions(report) -> None:  # type: ignore[no-untyped-def]
    rows = {row.name: row for row in report.rows}
    for name in ("sd3", "flux", "cogvideox", "wan-2.1"):
        assert rows[name].share("conv") < 0.05 and any(group.name == "joint" for group in rows[name].by_attention)
    assert rows["cogvideox"].share("attention") > 0.5 and rows["wan-2.1"].share("attention") > 0.5


def test_every_published_number_says_how_it_was_read() -> None:
    keys = {source.key for source in sources()}
    for table in ("claims", "end_to_end_gain", "fid", "training"):
        for name, fact in published(table).items():
            assert fact.source in keys and fact.where and fact.read in ("abstract", "quoted", "remembered") and fact.read_on, (table, name)


def test_no_published_number_stands_in_code() -> None:
    folder = Path(thrifty.__file__).parent / "lenses"
    for path in folder.rglob("*.py"):
        assert not re.search(r"\b(0\.44|0\.49|1\.67|1\.52|12\.63|7\.27)\b", path.read_text()), path

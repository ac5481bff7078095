"""Published figures beside ours: what the table says, and that it can say no."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from thrifty.cli import main
from thrifty.errors import BadValue, MissingExtra, UnknownName
from thrifty.lenses.numerics.pages.paper import paper_page
from thrifty.lenses.numerics.paper import Claim, Row, all_claims, check_papers, measuring, papers
from thrifty.report import to_html

CHEAP = ("kernel_state", "hopper_fp8", "hopper_fp8_promoted", "repeated_maxima", "repeated_maxima_fixed")


def test_formula_every_claim_is_measured_and_has_its_paper() -> None:
    assert {claim.key for claim in all_claims()} == set(measuring.MEASURES)
    assert {claim.source for claim in all_claims()} <= set(papers())
    assert all(claim.low <= claim.high for claim in all_claims())


def test_paper_one_switch_turns_ten_into_a_half() -> None:
    found = check_papers(["ten_times", *CHEAP], seeds=1)
    assert [row.claim.key for row in found.rows if not row.holds] == []
    by = {row.claim.key: row for row in found.rows}
    assert by["ten_times"].mid / by["kernel_state"].mid > 15
    page = paper_page(found, command="thrifty numerics paper", generated="now")
    assert "one switch of policy" in page.summary
    assert "6 of 6 figures lie in their bands" in page.summary
    assert to_html(page).count("<svg") == 1
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["rows"]["ten_times"]["holds"] is True


@pytest.mark.slow
def test_paper_every_figure_lies_in_its_band() -> None:
    assert [row.claim.key for row in check_papers().rows if not row.holds] == []


def test_formula_a_figure_outside_its_band_is_told() -> None:
    claim = all_claims()[0]
    row = Row(claim=claim, ours=(claim.high + 1.0,))
    assert not row.holds and not row.to_dict()["holds"]
    steps = next(each for each in all_claims() if each.key == "tile")
    assert not Row(claim=steps, ours=(1.5, 1.6, 1.0)).holds  # one draw on which it does not fall is one too many
    assert isinstance(claim, Claim) and claim.holds(claim.low) and claim.holds(claim.high)


def test_property_without_an_extra_the_others_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(seeds: object) -> list[float]:
        raise MissingExtra("needs torch")

    monkeypatch.setattr(measuring, "MEASURES", dict.fromkeys(measuring.MEASURES, lambda seeds: [2.0]) | {"real_kernel": absent})
    found = check_papers(seeds=1)
    assert found.left_out == {"real_kernel": "needs torch"}
    assert len(found.rows) == len(all_claims()) - 1
    with pytest.raises(MissingExtra, match="needs torch"):
        check_papers(["real_kernel"])


def test_formula_bad_asks_get_one_line() -> None:
    with pytest.raises(UnknownName, match=r"No claim named 'ten_time'\. Did you mean 'ten_times'\?"):
        check_papers(["ten_time"])
    with pytest.raises(BadValue, match="seeds=0 must be a whole number from 1"):
        check_papers(seeds=0)


def test_formula_the_command_lists_and_writes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["numerics", "paper", "--list", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {claim.key for claim in all_claims()}
    assert main(["numerics", "paper", "hopper_fp8", "--seeds", "1", "--json", "--out", str(tmp_path / "p.html")]) == 0
    assert json.loads(capsys.readouterr().out)["rows"]["hopper_fp8"]["ours"] == pytest.approx(-6.6, abs=0.3)
    assert "DeepSeek" in (tmp_path / "p.html").read_text(encoding="utf-8")

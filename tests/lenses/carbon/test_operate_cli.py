"""`thrifty carbon operate` end to end: the contract's JSON, files, pages, and what is refused."""

import json
from pathlib import Path

import pytest

from thrifty.cli import main

CAL = ["carbon", "operate", "--power", "20MW", "--site", "eia-cal", "--solar", "80MW", "--wind", "80 MW"]


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_paper_the_contract_on_california(capsys: pytest.CaptureFixture[str]) -> None:
    exact = [*CAL, "--from", "2020-01-01T07:00Z", "--to", "2021-01-01T07:00Z"]
    found = asked(capsys, *exact)
    assert found["coverage"] == pytest.approx(0.8968, abs=5e-5) and found["hourly_t"] == pytest.approx(7291.8, abs=0.05)
    assert found["annual_matched_t"] == found["market_t"] == 0 and found["location_t"] == pytest.approx(53196, abs=0.5)
    assert found["cfe_score"] == pytest.approx(0.917, abs=5e-4) and found["truth"] == "modelled"
    assert asked(capsys, *exact, "--battery", "100MWh")["coverage"] == pytest.approx(0.9623, abs=5e-5)
    year = asked(capsys, *CAL, "--battery", "100")
    assert (year["from"], year["to"]) == ("2020-01-01T08:00:00+00:00", "2021-01-01T08:00:00+00:00")  # the local calendar year, 8784 hours
    assert any("battery starts 100% full" in note for note in year["notes"])
    assert year["command"] == "thrifty carbon operate --power 20MW --site eia-cal --battery 100 --solar 80MW --wind '80 MW'"


def test_sites_files_weather_and_signals(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    site = asked(capsys, "carbon", "operate", "--power", "1MW", "--site", "us-california", "--from", "2020-11-01", "--to", "2020-11-02")
    assert site["pue"] == 1.18 and site["energy_mwh"] == pytest.approx(25 * 1.18)  # a day of 25 hours
    flat = asked(capsys, "carbon", "operate", "--power", "1MW", "--site", "france", "--solar", "1", "--weather", "miami", "--wue", "1.8")
    assert flat["marginal_t"] is None and flat["location_t"] == pytest.approx(flat["location_annual_t"]) and flat["water_m3"] > 0
    assert 0 < flat["coverage"] < 1
    load, mix = tmp_path / "load.csv", tmp_path / "mix.csv"
    load.write_text("time,load [kW]\n" + "".join(f"2024-05-01T{h:02d}:00,{500 + h}\n" for h in range(6)))
    mix.write_text("time,ci [kgCO2e/MWh]\n" + "".join(f"2024-05-01T{h:02d}:00,{300 - 20 * h}\n" for h in range(6)))
    both = ["carbon", "operate", "--load", str(load), "--mix", str(mix), "--zone", "Europe/Paris"]
    found = asked(capsys, *both)
    assert found["location_t"] == pytest.approx(sum((500 + h) * (300 - 20 * h) for h in range(6)) / 1e6)
    assert found["from"] == "2024-04-30T22:00:00+00:00"
    moved = asked(capsys, *both, "--flexible", "0.5", "--capacity", "1MW")
    assert moved["hourly_t"] < moved["location_t"] == pytest.approx(found["location_t"])
    shifted = [asked(capsys, *CAL[:6], "--from", "2020-06-01", "--to", "2020-06-08", "--flexible", "0.4", "--capacity", "30", "--signal", s)
               for s in ("average", "marginal")]  # fmt: skip
    assert shifted[0]["hourly_t"] < shifted[1]["hourly_t"] and shifted[1]["marginal_t"] < shifted[0]["marginal_t"]
    claimed = asked(capsys, *CAL[:6], "--from", "2020-06-01", "--to", "2020-06-08", "--claimed", "wind=1", "--claimed", "solar=0.5")
    assert claimed["market_t"] > claimed["annual_matched_t"] > 0


def test_terminal_page_and_list(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    week = [*CAL, "--from", "2020-11-01", "--to", "2020-12-15", "--battery", "50MWh"]
    assert main([*week, "--out", str(tmp_path / "p.html")]) == 0
    said = capsys.readouterr().out
    for words in ("matched by the hour", "annual matching", "marginal, estimated", "modelled", "battery starts 100% full"):
        assert words in said
    page = (tmp_path / "p.html").read_text()
    for words in ("Carbon by location, hour by hour", "What each month's load ran on", "Energy left to the grid, hour by hour", "<svg"):
        assert words in page.replace("&#39;", "'")
    assert "<script" not in page
    assert main(["carbon", "operate", "--list"]) == 0
    assert "eia-ne" in (said := capsys.readouterr().out) and "sand-point" in said
    assert {grid["name"] for grid in asked(capsys, "carbon", "operate", "--list")["grids"]} == {"eia-cal", "eia-ne", "eia-nw"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--site", "eia-cal"], "a load is needed, once. Give --load FILE or --power 20MW."),
        (["--power", "20MW"], "a grid is needed, once. Give --site NAME or --mix FILE; list with: thrifty carbon operate --list"),
        (["--power", "20", "--site", "eia-cal"], "power '20' has no unit. Write a number and a unit, e.g. '20 MW'."),
        (["--power", "20MWh", "--site", "eia-cal"], "power '20MWh': unit 'MWh' has the wrong dimension for a power. Use one like 'watt'."),
        (["--power", "-20MW", "--site", "eia-cal"], "power '-20MW' is below 0. Mend it."),
        (["--power", "nan MW", "--site", "eia-cal"], "power 'nan MW' is not finite. Write a number and a unit, e.g. '20 MW'."),
        (["--power", "1MW", "--site", "eia-cal", "--pue", "0.8"], "pue=0.8 is below 1. A building draws at least what its machines draw."),
        (["--power", "1MW", "--site", "eia-cal", "--from", "2019-01-01", "--to", "2019-02-01"],
         "life-cycle production intensity of eia-cal runs from 2020-01-01 07:00Z to 2021-01-01 08:00Z, which does not cover "
         "2019-01-01 08:00:00+00:00 to 2019-02-01 08:00:00+00:00."),
        (["--power", "1MW", "--site", "eia-cal", "--from", "yesterday"],
         "from='yesterday' is no ISO date or time. Write e.g. 2020-01-01, or 2020-01-01T07:00Z."),
        (["--power", "1MW", "--site", "eia-ne"], "life-cycle production intensity of eia-ne has 9 steps without a value, the first at 2020-03-01 05:00Z. "
         "Fill them: --fill linear or --fill day."),
        (["--power", "1MW", "--site", "france", "--solar", "1"],
         "own supply needs hours of sun and wind, which this grid does not state. Give --weather PLACE: thrifty carbon operate --list"),
        (["--power", "1MW", "--site", "france", "--signal", "marginal"],
         "no marginal intensity is known of 'france'. Use --signal average, or a region: thrifty carbon operate --list"),
        (["--power", "1MW", "--site", "eia-cal", "--flexible", "0.4", "--capacity", "0.5MW"],
         "cap_mw=0.5 is below the load's 1 MW. Give at least the largest load."),
        (["--power", "1MW", "--site", "eia-cal", "--flexible", "1.4", "--capacity", "2MW"], "flexible_share has 1.4, above 1. Give shares from 0 to 1."),
        (["--power", "1MW", "--site", "eia-cal", "--claimed", "wind=2"], "claimed='wind=2' is no share. Write e.g. --claimed wind=0.5, with 0 to 1."),
        (["--power", "1MW", "--site", "eia-cal", "--battery", "-5MWh"], "battery '-5MWh' is below 0. Mend it."),
    ],
)  # fmt: skip
def test_bad_questions_are_one_line_and_exit_2(capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    assert main(["carbon", "operate", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err == f"error: {said}\n"

"""`thrifty steward schedule`, `policy` and `caps` from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from thrifty.cli import main

JOB = "name=night,power=2 kW,duration=30 min,release=2020-02-01T01:00,early=8 h,slack=8 h,every=day,times=5"


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    assert main(["steward", *words, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_schedule_gives_the_contract_and_the_command_that_repeats_it(capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, "schedule", "--job", JOB, "--site", "us-california")
    assert set(found) >= {"before", "after", "plan", "certificate"}
    assert found["certificate"]["gap"] == 0  # type: ignore[index]
    assert 0.3 < found["plan"]["saving"] < 0.6  # type: ignore[index,operator]
    assert found["command"] == f"thrifty steward schedule --job '{JOB}' --site us-california"
    assert found["sources"] == ["eia-930"]


def test_schedule_under_a_cap_over_places_with_a_forecast(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    (tmp_path / "jobs.toml").write_text(
        '[[jobs]]\nname = "train"\npower = "1.2 MW"\nduration = "12 h"\nrelease = 2020-03-02T09:00:00\nslack = "24 h"\n'
        '[[jobs]]\nname = "tune"\npower = "0.8 MW"\nduration = "6 h"\nrelease = 2020-03-02T12:00:00\nslack = "24 h"\ninterruptible = true\n'
    )
    words = ["schedule", "--jobs", str(tmp_path / "jobs.toml"), "--sites", "us-california,us-oregon", "--cap", "1.5MW"]
    words += ["--forecast-error", "0.1", "--seed", "3"]
    found = answer(capsys, *words)
    assert found["plan"]["regret_gco2e"] >= 0  # type: ignore[index]
    assert found["certificate"]["gap"] == pytest.approx(found["plan"]["regret_gco2e"] / found["certificate"]["value"], abs=1e-6)  # type: ignore[index,operator]
    assert main(["steward", *words, "--out", str(tmp_path / "page.html")]) == 0
    assert "Saved" in capsys.readouterr().out
    page = (tmp_path / "page.html").read_text()
    assert "When jobs run" in page and "<svg" in page


def test_policy_finds_the_price_that_changes_the_plan(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "clean.csv").write_text("time,intensity [gCO2e/kWh]\n" + "".join(f"2020-03-02T{h:02}:00Z,100\n" for h in range(24)))
    (tmp_path / "dirty.csv").write_text("time,intensity [gCO2e/kWh]\n" + "".join(f"2020-03-02T{h:02}:00Z,600\n" for h in range(24)))
    for name, usd in (("clean", 0.15), ("dirty", 0.10)):
        (tmp_path / f"{name}-usd.csv").write_text("time,price [USD/kWh]\n" + "".join(f"2020-03-02T{h:02}:00Z,{usd}\n" for h in range(24)))
    (tmp_path / "jobs.toml").write_text(
        '[[jobs]]\nname = "a"\npower = "1 MW"\nduration = "2 h"\nrelease = "2020-03-02T00:00Z"\nslack = "4 h"\n'
        + "".join(f'[[places]]\nname = "{name}"\nmix = "{name}.csv"\nprices = "{name}-usd.csv"\n' for name in ("dirty", "clean"))
    )
    found = answer(capsys, "policy", "--jobs", str(tmp_path / "jobs.toml"), "--scenario", "us-scc")
    # 5 cents a kWh against half a kilogram a kWh: 100 dollars a tonne.
    assert found["plan"]["break_even_usd_per_t"] == pytest.approx(100)  # type: ignore[index]
    assert found["after"]["carbon_gco2e"]["mid"] == pytest.approx(0.2e6)  # type: ignore[index]
    assert found["plan"]["price"]["source"] == "epa-scghg-2023"  # type: ignore[index]
    assert main(["steward", "policy", "--jobs", str(tmp_path / "jobs.toml"), "--carbon-price", "50", "--out", str(tmp_path / "p.html")]) == 0
    assert "It changes at 100 USD/t." in capsys.readouterr().out


def test_policy_of_measures_and_the_list(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    (tmp_path / "m.csv").write_text("name,cost_usd,abates_t\nshift,100,50\nppa,9000,300\nled,-500,5\n")
    found = answer(capsys, "policy", "--measures", str(tmp_path / "m.csv"), "--baseline-t", "500", "--cap-t", "300")
    assert found["plan"]["shadow_price_usd_per_t"] == pytest.approx(30)  # type: ignore[index]
    assert found["after"]["carbon_gco2e"]["mid"] == pytest.approx(300e6)  # type: ignore[index]
    assert main(["steward", "policy", "--list"]) == 0
    assert "eu-ets" in capsys.readouterr().out


def test_a_flat_price_moves_nothing_without_a_price_on_carbon(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["policy", "--site", "us-california", "--job", "name=n,power=20MW,duration=4h,release=2020-01-06T00:00,slack=20h"]
    found = answer(capsys, *asked, "--carbon-price", "50")
    assert found["before"]["carbon_gco2e"]["mid"] == pytest.approx(36.3207e6, rel=1e-4)  # type: ignore[index]  # as if run at its release
    assert found["after"]["carbon_gco2e"]["mid"] == pytest.approx(24.0943e6, rel=1e-4)  # type: ignore[index]
    none = answer(capsys, *asked, "--carbon-price", "0")
    assert none["before"]["carbon_gco2e"] == none["after"]["carbon_gco2e"]  # type: ignore[index]


def test_holes_of_an_own_mix_are_filled_as_asked(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    mix = tmp_path / "gap.csv"
    mix.write_text("time,gCO2e/kWh\n" + "".join(f"2020-01-06T{h:02d}:00Z,{300 + h}\n" for h in range(24) if h != 7))
    asked = ["schedule", "--mix", str(mix), "--job", "name=n,power=1kW,duration=2h,release=2020-01-06T00:00,slack=6h"]
    assert answer(capsys, *asked, "--fill", "linear")["after"]["carbon_gco2e"]["mid"] == pytest.approx(601)  # type: ignore[index]
    assert main(["steward", *asked]) == 2
    assert "1 step is missing" in capsys.readouterr().err


def test_caps_take_a_usual_power_at_rest_where_the_sheet_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("scipy")
    found = answer(capsys, "caps", "--from", "2020-07-06", "--to", "2020-07-07")
    assert any("idle power unknown" in note for note in found["notes"])  # type: ignore[union-attr]


def test_caps_in_and_caps_out(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("scipy")
    base = ["caps", "--device", "h100-sxm5", "--idle-w", "70", "--from", "2020-07-06", "--to", "2020-07-08"]
    given = answer(capsys, *base, "--event", "2020-07-07T17:00/2020-07-07T21:00=20%", "--demand", "0.7")
    assert given["certificate"]["bound"] <= given["certificate"]["value"] == pytest.approx(given["after"]["carbon_gco2e"]["mid"])  # type: ignore[index]
    assert given["plan"]["late_share"] > 0  # type: ignore[index,operator]
    best = answer(capsys, *base, "--latency", "2 h", "--out", str(tmp_path / "c.html"))
    assert best["certificate"]["gap"] < 1e-3  # type: ignore[index,operator]
    assert best["plan"]["late_share"] == pytest.approx(0, abs=1e-6)  # type: ignore[index]


@pytest.mark.parametrize(("words", "message"), [
    (["schedule"], "there is no place to run at. Give --site NAME"),
    (["schedule", "--site", "us-california"], "there is no job to schedule"),
    (["schedule", "--job", JOB, "--site", "mars"], "mars"),
    (["schedule", "--site", "us-california", "--job", JOB, "--cap", "1 kg"], "kg"),
    (["schedule", "--site", "us-california", "--job", JOB, "--cap", "-1"], "cap '-1' is not above 0"),
    (["schedule", "--site", "us-california", "--job", JOB, "--cap", "1 kW"], "job 'night#1' draws 2 kW, above the cap of 1 kW at us-california"),
    (["schedule", "--site", "us-california", "--job", JOB, "--boundary", "all"], "boundary='all' is unknown"),
    (["schedule", "--site", "us-california", "--job", JOB.replace("2020", "2021")], "job 'night#1' may run from"),
    (["schedule", "--site", "us-california", "--job", JOB, "--seed", "-1", "--forecast-error", "0.1"], "seed=-1 is below 0"),
    (["schedule", "--site", "us-california", "--job", JOB, "--time-limit", "nan"], "time limit nan s is not above 0"),
    (["schedule", "--site", "us-california", "--job", JOB, "--coverage", "2"], "coverage=2 cannot be"),
    (["policy", "--site", "us-california", "--job", JOB, "--carbon-price", "-1"], "a carbon price of -1 USD/t cannot be"),
    (["policy", "--site", "us-california", "--job", JOB, "--cap-t", "-1"], "a cap of -1 t cannot be"),
    (["caps", "--idle-w", "-1"], "idles at -1 W"),
    (["caps", "--latency", "-1"], "latency '-1' is below 0"),
    (["policy", "--site", "us-california", "--job", JOB, "--scenario", "mars"], "No carbon price scenario named 'mars'"),
    (["policy", "--site", "us-california", "--job", JOB, "--carbon-price", "-3"], "a carbon price of -3 USD/t cannot be"),
    (["policy", "--job", JOB, "--site", "eia-cal", "--carbon-price", "3"], "place 'eia-cal' states no price of electricity"),
    (["policy", "--site", "us-california", "--job", JOB, "--cap-t", "1e-9"], "no schedule emits at most"),
    (["caps", "--idle-w", "70", "--event", "noon=3"], "event 'noon=3' is not FROM/TO=SHARE"),
    (["caps", "--idle-w", "70", "--demand", "nan"], "demand has a step that is negative or not a number"),
])  # fmt: skip
def test_bad_words_are_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["steward", *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("error: ") and said.count("\n") == 1

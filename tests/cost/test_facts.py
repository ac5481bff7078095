"""The sheets of cost/catalogue: every number has unit, source, place and date, and its errors say what to mend."""

from __future__ import annotations

import datetime
from importlib.resources import files

import pytest

from thrifty.cost.carbon.factors import load_pack
from thrifty.cost.facts import load_facts, load_sources, read_facts
from thrifty.errors import BadSheet

SHEETS = (
    "energy", "efficiencies", "measured_energy", "published_systems", "published_models", "published_results", "kernels", "collectives", "training",
    "plan_memory", "variability",
)  # fmt: skip
GOOD = '[a]\nx = { value = 2, unit = "kWh", source = "thrifty", where = "here", read_on = 2026-11-24 }\n'


@pytest.mark.parametrize("name", SHEETS)
def test_every_fact_has_its_ground(name: str) -> None:
    sheet = load_facts(name)
    assert sheet.facts
    for path, fact in sheet.facts.items():
        assert fact.unit and fact.source in load_sources() and len(fact.where) > 4, path
        assert datetime.date.fromisoformat(fact.read_on) <= datetime.date(2026, 11, 27), path


def test_every_source_is_used() -> None:
    text = "".join((files("thrifty.cost") / "catalogue" / f"{name}.toml").read_text(encoding="utf-8") for name in SHEETS)
    named_only = {"newkirk-2025", "dodge-2022", "codecarbon-docs", "parking-tax-2026"}  # read, and told in comments, but no fact rests on them
    used = {source for name in SHEETS for source in load_facts(name).sources()} | {factor.source for factor in load_pack().factors.values()}
    assert set(load_sources()) - used <= named_only
    assert text


def test_formula_shared_ground_is_inherited_and_overridden() -> None:
    sheet = read_facts(
        "s",
        '[shared]\nread_on = 2026-11-24\nsource = "thrifty"\n[a]\nshared = { unit = "kWh", where = "all" }\nx = { value = 2 }\n'
        '[a.b]\ny = { value = 3, where = "own", unit = "MWh" }\n',
        load_sources(),
    )
    assert sheet.get("a.x", "energy") == 7.2e6 and sheet.facts["a.x"].where == "all"
    assert sheet.get("a.b.y", "energy") == pytest.approx(1.08e10) and sheet.facts["a.b.y"].where == "own"
    assert sheet.under("a") == ("x",)
    assert sheet.sources() == ("thrifty",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a", "s.toml is not TOML: Expected ']' at the end of a table declaration (at end of document). Mend the file."),
        (GOOD.replace('unit = "kWh", ', ""), "s.toml, 'a.x' has no unit. Give one like 'joule'."),
        (GOOD.replace('source = "thrifty", ', ""), "s.toml, 'a.x' has no source. Add source."),
        (GOOD.replace("value = 2", "value = -2"), "s.toml, 'a.x': value -2 is not a finite number of at least 0. Mend it."),
        (GOOD.replace("value = 2", "value = nan"), "s.toml, 'a.x': value nan is not a finite number of at least 0. Mend it."),
        (GOOD.replace("thrifty", "nobody"), "s.toml, 'a.x' names source 'nobody', which sources.toml does not have. Add it there."),
    ],
)
def test_errors_of_a_bad_sheet(text: str, message: str) -> None:
    with pytest.raises(BadSheet) as error:
        read_facts("s", text, load_sources())
    assert str(error.value) == message


def test_errors_of_a_missing_fact_and_a_wrong_dimension() -> None:
    sheet = read_facts("s", GOOD, load_sources())
    with pytest.raises(BadSheet) as error:
        sheet.get("a.z", "energy")
    assert str(error.value) == "s.toml has no fact 'a.z'. Add it with value, unit, source, where and read_on."
    with pytest.raises(BadSheet) as error:
        sheet.get("a.x", "power")
    assert str(error.value) == "s.toml, 'a.x': unit 'kWh' has the wrong dimension for a power. Use one like 'watt'."

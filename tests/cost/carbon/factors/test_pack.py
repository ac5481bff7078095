"""The data pack: every number with its ground, nothing shipped that may not be, hashes that change with what they vouch for."""

import datetime
import hashlib
from importlib.resources import files

import pytest

from thrifty.cost.carbon.factors import load_pack
from thrifty.cost.carbon.factors.pack import read_sheet
from thrifty.cost.carbon.series import library, series_sources
from thrifty.cost.facts import load_sources
from thrifty.errors import BadSheet, UnknownName

ALLOWED_DATA = ("public domain", "CC0", "MIT", "BSD", "Apache")
GOOD = '[a.b]\nvalue = 2\nunit = "kWh/cm**2"\nsource = "act-2022"\nwhere = "table"\nread_on = 2026-11-27\n'


def test_every_factor_has_its_ground() -> None:
    pack = load_pack()
    for path, factor in pack.factors.items():
        assert factor.source in pack.sources and factor.licence, path
        assert len(factor.where) > 4 and len(factor.sha256) == 64, path
        assert datetime.date.fromisoformat(factor.read_on) <= datetime.date(2026, 12, 31), path
        if factor.distribution.kind != "exact":
            low, high = factor.distribution.quantile([1e-6, 1 - 1e-6])
            assert low <= factor.value <= high, path


def test_no_shipped_data_file_stands_under_a_copyleft_or_non_commercial_licence() -> None:
    stated = library._entries()["files"]
    folder = files("thrifty.cost.carbon") / "series" / "data"
    assert {file.name for file in folder.iterdir()} == set(stated)
    for name, entry in stated.items():
        assert entry["licence"].startswith(ALLOWED_DATA), name
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == entry["sha256"]
        assert entry["source"] in series_sources()


def test_hash_changes_with_every_field() -> None:
    def digest(text: str) -> str:
        return read_sheet("s", text, load_sources())[0]["s:a.b"].sha256

    others = [GOOD.replace("2\n", "3\n", 1), GOOD.replace("table", "row 7"), GOOD + 'region = "TWN"\n', GOOD + "valid_from = 2020-01-01\n"]
    assert len({digest(GOOD), *map(digest, others)}) == 1 + len(others)
    assert digest(GOOD) == digest(GOOD)


def test_units_are_checked_and_converted() -> None:
    factor = read_sheet("s", GOOD, load_sources())[0]["s:a.b"]
    assert factor.in_unit_of("energy_per_area") == 2.0
    spread = read_sheet("s", GOOD.replace('"kWh/cm**2"', '"kgCO2e"') + 'spread = { kind = "uniform", low = 1, high = 3 }\n', load_sources())[0]["s:a.b"]
    assert spread.spread("carbon").parameters == (1000.0, 3000.0)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("value = 2", "value = -2", "not a finite number of at least 0"),
        ("value = 2", "value = nan", "not a finite number of at least 0"),
        ("value = 2", "value = true", "not a finite number of at least 0"),
        ('unit = "kWh/cm**2"\n', "", "has no unit"),
        ('source = "act-2022"', 'source = "nobody"', "names source 'nobody'"),
        ("read_on = 2026-11-27", 'read_on = 2026-11-27\nvlaid_from = "x"', "unknown key 'vlaid_from'"),
        ("read_on = 2026-11-27", 'read_on = 2026-11-27\nvalid_to = "soon"', "is no date"),
        ("read_on = 2026-11-27", 'read_on = 2026-11-27\nspread = { kind = "flat" }', "no known kind"),
        ("read_on = 2026-11-27", 'read_on = 2026-11-27\nspread = { kind = "uniform", low = 3, high = 1 }', "not ordered"),
        ("[a.b]", "[a.b", "is not TOML"),
    ],
)
def test_a_sheet_that_breaks_a_rule_is_refused_in_one_line(old: str, new: str, said: str) -> None:
    with pytest.raises(BadSheet, match=said) as caught:
        read_sheet("s", GOOD.replace(old, new, 1), load_sources())
    assert "\n" not in str(caught.value).replace(str(caught.value.__cause__ or ""), "")


def test_an_unknown_factor_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="No factor named"):
        load_pack().factor("nothing:like.this")

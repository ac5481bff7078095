"""Ledgers as files: every number comes back as it went, and what is no ledger is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.errors import BadFile, BadValue, MissingExtra
from thrifty.lenses.carbon.ledger import Ledger, exchange, read_ledger, write_ledger

SUFFIXES = (".csv", ".json", ".arrow")


@given(st.lists(st.tuples(st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), min_size=1, max_size=8), st.floats(0, 1e12)), max_size=8,
                unique_by=lambda pair: pair[0]))  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_property_files_give_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, float]]) -> None:
    folder = tmp_path_factory.mktemp("ledger")
    hour = "2020-11-01T09:00Z"
    rows = [{"asset": name, "phase": "use", "scope": 2, "method": "market", "hour": hour, "tenant": 't,"x"', "carbon_gco2e": g} for name, g in pairs]
    rows += [{"asset": name, "phase": "transport", "scope": 3, "carbon_gco2e": grams, "source": "s"} for name, grams in pairs]
    ledger = Ledger.of(rows)
    for suffix in SUFFIXES:
        write_ledger(ledger, folder / f"ledger{suffix}")
        assert read_ledger(folder / f"ledger{suffix}").rows() == ledger.rows(), suffix


def test_pieces_join_to_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "PIECE", 7)
    hours = np.arange("2020-01-01", "2020-01-05", dtype="datetime64[h]")
    ledger = Ledger.of_columns(asset="a", phase="use", scope=1, hour=hours, carbon_gco2e=np.arange(96.0))
    for suffix in SUFFIXES:
        write_ledger(ledger, tmp_path / f"ledger{suffix}")
        assert read_ledger(tmp_path / f"ledger{suffix}").rows() == ledger.rows(), suffix


def test_an_empty_ledger_is_a_file_too(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        write_ledger(Ledger.empty(), tmp_path / f"ledger{suffix}")
        assert len(read_ledger(tmp_path / f"ledger{suffix}")) == 0


def test_files_that_are_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(BadValue, match=r"is no file that a ledger is kept in. End its name with .csv, .json, .arrow"):
        write_ledger(Ledger.empty(), tmp_path / "ledger.xlsx")
    (tmp_path / "a.csv").write_text("asset,kg\nx,1\n")
    with pytest.raises(BadFile, match=r"has columns asset, kg. A ledger has asset, phase"):
        read_ledger(tmp_path / "a.csv")
    (tmp_path / "b.csv").write_text("asset,phase,scope,hour,carbon_gco2e\nx,use,1,2020-01-01T05:00,1\n")
    with pytest.raises(BadValue, match=r"'2020-01-01T05:00' does not say that it is UTC"):
        read_ledger(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text("asset,phase,scope,carbon_gco2e\nx,use,1,1,7\n")
    with pytest.raises(BadFile, match=r"row 0: 5 cells for 4 columns"):
        read_ledger(tmp_path / "c.csv")
    (tmp_path / "d.json").write_text(json.dumps({"unit": "kgCO2e", "rows": []}))
    with pytest.raises(BadFile, match=r"it needs unit 'gCO2e'"):
        read_ledger(tmp_path / "d.json")
    (tmp_path / "e.arrow").write_text("nothing")
    with pytest.raises(BadFile, match=r"is no Arrow file"):
        read_ledger(tmp_path / "e.arrow")
    with pytest.raises(BadFile, match=r"no such file"):
        read_ledger(tmp_path / "none.csv")


def test_arrow_needs_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r'needs pyarrow. Install: pip install "thrifty\[scale\]"'):
        write_ledger(Ledger.empty(), tmp_path / "ledger.arrow")

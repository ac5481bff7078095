"""Demand from files, and what is no demand."""

from __future__ import annotations

from pathlib import Path

import pytest

from thrifty.errors import BadFile, BadValue
from thrifty.lenses.carbon.attribution import read_demand


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "time,web,ads\n2020-01-01T00:00Z,4,0\n2020-01-01T01:00Z,0,2\n"),
        ("b.csv", "web,ads\n4,0\n0,2\n"),
        ("c.json", '{"web": [4, 0], "ads": [0, 2]}'),
        ("d.json", '{"time": ["x", "y"], "demand": {"web": [4, 0], "ads": [0, 2]}}'),
        ("e.json", '[{"hour": 0, "web": 4, "ads": 0}, {"hour": 1, "web": 0, "ads": 2}]'),
        ("f.csv", "\ufeffstep,web,ads\r\n0,4,0\r\n1,0,2\r\n\r\n"),
    ],
)
def test_every_way_to_write_the_same_table(tmp_path: Path, name: str, text: str) -> None:
    found = read_demand(written(tmp_path, name, text))
    assert found.tenants == ("web", "ads")
    assert found.demand_TN.tolist() == [[4.0, 0.0], [0.0, 2.0]]
    assert found.peak == 4.0
    assert len(found.times) == 2


def test_use_comes_from_a_second_file_or_with_the_first(tmp_path: Path) -> None:
    demand, used = written(tmp_path, "d.csv", "web,ads\n4,0\n"), written(tmp_path, "u.csv", "ads,web\n0,3\n")
    assert read_demand(demand, used).used_TN.tolist() == [[3.0, 0.0]]  # type: ignore[union-attr]
    both = written(tmp_path, "b.json", '{"demand": {"web": [4]}, "used": {"web": [1]}}')
    assert read_demand(both).used_TN.tolist() == [[1.0]]  # type: ignore[union-attr]
    with pytest.raises(BadValue, match="use and demand name different tenants: ads"):
        read_demand(demand, written(tmp_path, "v.csv", "web\n3\n"))


@pytest.mark.parametrize(
    ("name", "text", "kind", "message"),
    [
        ("a.csv", "", BadFile, "is empty"),
        ("b.csv", "time\n0\n", BadValue, "names no tenant"),
        ("c.csv", "time,web\n", BadValue, "demand has no step of time"),
        ("d.csv", "time,web\n0,1,2\n", BadFile, "line 2: 3 cells under 2 heads"),
        ("e.csv", "time,web\n0,\n", BadFile, "tenant 'web', step 0: '' is no number"),
        ("f.csv", "time,web\n0,-1\n", BadValue, "nobody asks for less than nothing"),
        ("g.csv", "time,web\n0,nan\n", BadValue, "no finite number"),
        ("h.csv", "time,web,web\n0,1,1\n", BadValue, "tenant 'web' is named 2 times"),
        ("i.json", "{", BadFile, "is no JSON"),
        ("j.json", '{"web": 3}', BadFile, "Give every tenant a list of numbers"),
        ("k.json", '{"web": [1], "ads": [1, 2]}', BadFile, "has 1 and 2 steps for different tenants"),
        ("l.json", '{"web": [true]}', BadFile, "step 0: True is no number"),
        ("m.json", "[]", BadFile, "is no table of demand"),
    ],
)
def test_tables_that_are_no_demand(tmp_path: Path, name: str, text: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        read_demand(written(tmp_path, name, text))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="no such file or directory"):
        read_demand(tmp_path / "none.csv")

"""Two reports side by side: what was asked differently, what came out differently, and why; and what is no report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cost.tables import little

from thrifty.assessment import Assessment, assess, compare
from thrifty.errors import BadFile


def write(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


@pytest.fixture(scope="module")
def report(priced: Assessment) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(json.dumps(priced.to_dict()))
    return content


def test_the_same_report_twice_has_nothing_to_say(report: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", report)
    found = compare(path, path)
    assert (found.inputs, found.reasons) == ((), ())
    assert found.lines()[:3] == [f"{path} → {path}", "Inputs: the same", "Numbers:"]
    assert all(line.endswith(", the same") for line in found.lines()[3:])
    assert all(not each.changed and each.factor == 1 for each in found.numbers)


def test_another_site_changes_carbon_and_says_why(report: dict[str, Any], tmp_path: Path) -> None:
    poland = assess(little(seq=128), on=["h100-sxm5", "t4"], site="poland").to_dict()
    found = compare(write(tmp_path / "a.json", report), str(write(tmp_path / "b.json", poland)))
    assert [each.line() for each in found.inputs] == ["site: france → poland"]
    changed = [each for each in found.numbers if each.changed]
    assert [(each.name, each.truth, each.unit) for each in changed] == [("carbon_gco2e a sample", "modelled", "gCO2e")]
    factor = changed[0].factor
    assert factor is not None
    assert factor > 2
    assert found.reasons == (f"carbon a joule went × {factor:.3g} (site france → poland)",)


def test_a_larger_batch_changes_sizes_and_names_the_class(report: dict[str, Any], tmp_path: Path) -> None:
    larger = assess(little(batch=2048, seq=128), on=["h100-sxm5", "t4"], site="france").to_dict()
    found = compare(write(tmp_path / "a.json", report), write(tmp_path / "b.json", larger))
    assert [each.line() for each in found.inputs] == ["size batch: 1 → 2,048", "units: 1 → 2,048"]
    assert found.reasons[0] == "forward was bound by overhead and is bound by memory"
    assert found.reasons[1].startswith("one forward step takes ")
    assert " more (modelled), of which " in found.reasons[1]
    assert {each.name for each in found.numbers if each.changed} >= {"samples_per_s", "peak_memory_bytes", "time_s a sample"}


def test_measurements_are_compared_too(ran: Assessment, tmp_path: Path) -> None:
    before = json.loads(json.dumps(ran.to_dict()))
    before["measured"]["steps"][1]["by_kind_s"] = {"linear": 0.004, "framework": 0.002}
    after = json.loads(json.dumps(before))
    after["measured"]["decode_tokens_per_s"] *= 2
    after["versions"]["torch"] = "9.9"
    after["measured"]["steps"][1]["by_kind_s"]["linear"] = 0.001
    found = compare(write(tmp_path / "a.json", before), write(tmp_path / "b.json", after))
    assert [each.name for each in found.inputs] == ["version of torch"]
    assert next(each.factor for each in found.numbers if each.name == "decode_tokens_per_s" and each.truth == "measured") == pytest.approx(2)
    assert found.reasons == ("one decode step takes 3 ms less (measured), of which linear 3 ms: 4 ms → 1 ms",)


def test_json_holds_all_that_the_lines_say(report: dict[str, Any], tmp_path: Path) -> None:
    changed = json.loads(json.dumps(report))
    changed["modelled"]["samples_per_s"] = 0.0
    found = compare(write(tmp_path / "a.json", report), write(tmp_path / "b.json", changed)).to_dict()
    assert set(found) == {"before", "after", "inputs", "numbers", "reasons"}
    json.dumps(found, allow_nan=False)
    other_way = compare(tmp_path / "b.json", tmp_path / "a.json")
    assert next(each for each in other_way.numbers if each.name == "samples_per_s").line().endswith(", new")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "'{path}' is not JSON. Give the report.json that thrifty assess wrote."),
        ("\xff", "'{path}' is not JSON. Give the report.json that thrifty assess wrote."),
        ("[1]", "'{path}' is no report of thrifty. Give the report.json that thrifty assess wrote."),
        ('{"schema": 1}', "'{path}' is no report of thrifty. Give the report.json that thrifty assess wrote."),
        (
            '{"schema": 99, "workload": {}, "system": [], "priced": [], "modelled": {}}',
            "'{path}' has schema 99, this thrifty reads 1. Make it again: thrifty assess",
        ),
    ],
)
def test_what_is_no_report_is_refused(text: str, message: str, report: dict[str, Any], tmp_path: Path) -> None:
    good, bad = write(tmp_path / "good.json", report), tmp_path / "bad.json"
    bad.write_bytes(text.encode("latin-1"))
    for pair in ((good, bad), (bad, good)):
        with pytest.raises(BadFile) as caught:
            compare(*pair)
        assert str(caught.value) == message.replace("{path}", str(bad))


def test_a_report_that_is_not_there_is_refused(report: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(BadFile) as caught:
        compare(write(tmp_path / "a.json", report), tmp_path / "none.json")
    place = tmp_path / "none.json"
    assert str(caught.value) == f"cannot read '{place}': no such file or directory. Give the report.json that thrifty assess wrote."


def test_a_report_with_a_hole_is_refused(report: dict[str, Any], tmp_path: Path) -> None:
    broken = json.loads(json.dumps(report))
    del broken["priced"][0]["parts"][0]["bound"]
    a, b = write(tmp_path / "a.json", report), write(tmp_path / "b.json", broken)
    with pytest.raises(BadFile) as caught:
        compare(a, b)
    assert str(caught.value) == f"one of '{a}' and '{b}' lacks or garbles 'bound'. Make it again: thrifty assess"

"""The main job: what an assessment holds, in JSON and in words, and what it refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.assessment.cases import calibrated, write_module
from tests.cost.tables import little

from thrifty.assessment import Assessment, assess
from thrifty.assessment.result import _times
from thrifty.assessment.steps import Progress
from thrifty.errors import BadValue, NoRoom, UnknownName
from thrifty.hardware import Device, device_names
from thrifty.quantities import show

CONTRACT = {"schema", "workload", "system", "site", "format", "measured", "modelled", "error", "elsewhere", "changes"}
RATES = {"prefill_tokens_per_s", "decode_tokens_per_s", "time_to_first_token_s", "samples_per_s", "peak_memory_bytes"}


def as_json(assessment: Assessment) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(json.dumps(assessment.to_dict(), allow_nan=False))
    return result


def test_elsewhere_is_not_measured(priced: Assessment) -> None:
    found = as_json(priced)
    assert set(found) >= CONTRACT
    assert (found["measured"], found["error"], found["site"], found["format"]) == (None, None, "france", "bf16")
    assert set(found["modelled"]) == RATES
    assert found["modelled"]["samples_per_s"] == pytest.approx(1 / priced.case.priced[0].time_s)
    assert found["workload"]["point"] == {"batch": 1, "seq": 128}
    assert [each["device"] for each in found["system"]] == ["h100-sxm5", "t4"]
    assert [each["device"] for each in found["priced"]] == ["h100-sxm5", "t4"]
    assert found["priced"][0]["parts"][0]["phase"] == "forward"
    assert found["calibration"] is None
    assert set(found["versions"]) == {"thrifty", "python", "numpy", "torch", "transformers"}


def test_every_device_of_the_catalogue_is_priced(priced: Assessment) -> None:
    rows = as_json(priced)["elsewhere"]
    assert {row["device"] for row in rows} == set(device_names())
    for row in rows:
        assert row["carbon_gco2e"]["low"] <= row["carbon_gco2e"]["mid"] <= row["carbon_gco2e"]["high"]
        assert row["bound"] in ("compute", "memory", "overhead")
        assert row["time_s"] > 0
        assert row["energy_j"] > 0
        assert isinstance(row["fits"], bool)
        assert "cost_usd_per_hour" in row


def test_property_nothing_beats_the_front(priced: Assessment) -> None:
    points = [(case.per_unit.time_s, case.per_unit.carbon_gco2e.mid) for case in priced.elsewhere]
    for (time_s, carbon), kept in zip(points, priced.front(), strict=True):
        beaten = any(t <= time_s and c <= carbon and (t < time_s or c < carbon) for t, c in points)
        assert kept is not beaten


def test_changes_are_ranked_by_what_a_unit_saves(priced: Assessment) -> None:
    changes = as_json(priced)["changes"]
    gains = [change["factors"]["time"] * change["factors"]["energy"] * change["factors"]["carbon"] for change in changes]
    assert gains == sorted(gains, reverse=True)
    assert {change["lever"] for change in changes} <= {"batch", "device", "format", "site", "steward"}
    assert all(change["command"].startswith(("thrifty assess little ", "thrifty steward ")) for change in changes)


def test_a_language_model_really_answers(ran: Assessment) -> None:
    found = as_json(ran)
    seen = found["measured"]
    assert set(seen) >= {"prefill_tokens_per_s", "decode_tokens_per_s", "peak_memory_bytes", "text", "weights", "steps"}
    assert seen["weights"] == "real"
    assert seen["text"].startswith("> What is the capital of France?\n")
    assert (found["format"], seen["format"]) == ("fp32", "fp32")
    assert found["error"]["decode_tokens_per_s"] == pytest.approx(found["modelled"]["decode_tokens_per_s"] / seen["decode_tokens_per_s"] - 1)
    assert found["error"]["peak_memory_bytes"] == pytest.approx(0, abs=0.2)
    assert [step["name"] for step in seen["steps"]] == ["prefill", "decode"]
    assert {row["step"] for row in found["by_class"]} == {"prefill", "decode"}
    assert found["workload"]["weight_bytes"] > found["workload"]["file_bytes"] * 0.5
    assert found["calibration"]["fingerprint"]["cpu"] == "Toy"


def test_the_classes_of_a_step_add_up(ran: Assessment) -> None:
    for step in ("prefill", "decode"):
        rows = [row for row in ran.classes if row.step == step]
        assert rows[-1].kind == "total"
        assert rows[-1].modelled_s == pytest.approx(sum(row.modelled_s for row in rows[:-1]))


def test_a_module_of_one_s_own_is_run_and_priced(own: Assessment) -> None:
    found = as_json(own)
    assert found["measured"]["weights"] == "own"
    assert found["measured"]["text"] is None
    assert found["measured"]["samples_per_s"] > 0
    assert found["modelled"]["samples_per_s"] > 0
    assert found["measured"]["steps"][0]["name"] == "forward"


def test_what_does_not_fit_here_is_priced_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NoRoom("needs 800 GB, this machine has 16 GB free. Take a smaller workload.")

    monkeypatch.setattr("thrifty.assessment.steps.calibrate", lambda **_: calibrated())
    monkeypatch.setattr("thrifty.assessment.steps.make_and_run", refuse)
    done = assess(little())
    assert (done.measured, done.why_not_run) == (None, "needs 800 GB, this machine has 16 GB free. Take a smaller workload.")
    assert done.modelled["samples_per_s"] is not None
    assert "  not measured: needs 800 GB, this machine has 16 GB free. Take a smaller workload." in done.lines()
    assert as_json(done)["why_not_measured"] == done.why_not_run


def test_what_was_measured_here_stands_beside_what_is_modelled_here(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NoRoom("no room")

    monkeypatch.setattr("thrifty.assessment.steps.calibrate", lambda **_: calibrated())
    monkeypatch.setattr("thrifty.assessment.steps.make_and_run", refuse)
    done = assess(little(), on=["h100-sxm5", "this-machine", "l4"])
    assert [case.device.name for case in done.cases] == ["this-machine", "h100-sxm5", "l4"]
    assert done.modelled["samples_per_s"] == done.case.job.units / done.case.footprint.time_s


def test_lines_say_the_answer(priced: Assessment) -> None:
    lines = priced.lines()
    assert lines[0] == f"little on {priced.case.device.title} at {priced.case.site.title}, bf16, batch 1, seq 128"
    assert any(line.startswith("  throughput") and line.endswith("modelled") for line in lines)
    assert any(line.startswith("  one sample: ") for line in lines)
    offers = lines[lines.index("What would help most, the best of each lever (modelled):") + 1 :]
    assert [line.split()[0] for line in offers] == list(dict.fromkeys(estimate.lever for estimate in priced.estimates))
    assert [line for line in lines if "does not fit" in line] == []


def test_lines_say_what_does_not_fit(priced: Assessment) -> None:
    device = replace(priced.case.device, memory=(replace(priced.case.device.memory[0], capacity_bytes=1e6),))
    needed = show(priced.case.footprint.memory_bytes, "B")
    lines = replace(priced, cases=(replace(priced.case, device=device),)).lines()
    assert f"  it does not fit: it needs {needed}, h100-sxm5 has 1 MB" in lines


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"batch": 0}, BadValue, "batch=0 is below 1. Choose a whole number from 1 up."),
        ({"seq": float("nan")}, BadValue, "seq=nan is not a whole number. Choose a whole number from 1 up."),
        ({"seq": 5000}, BadValue, "seq=5000 is above 4096 (the largest seq of this workload). Choose a whole number from 1 to 4096."),
        ({"on": "h100-smx5"}, UnknownName, "No device named 'h100-smx5'. Did you mean 'h100-sxm5'? List them with: thrifty hardware list"),
        ({"on": "t4", "site": "frnce"}, UnknownName, "No site named 'frnce'. Did you mean 'france'? List them with: thrifty hardware sites"),
    ],
)
def test_bad_input_is_one_line(asked: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        assess(little(), **({"on": "t4"} | asked))
    assert str(caught.value) == message


def test_progress_is_told_in_order() -> None:
    told: list[tuple[str, float]] = []
    assess(little(), on="t4", progress=lambda what, share: told.append((what, share)))
    assert [what for what, _ in told] == ["pricing", "done"]
    assert [share for _, share in told] == sorted(share for _, share in told)


def test_progress_of_a_run_never_goes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def calibrate(progress: Progress) -> Device:
        for share in (0.0, 0.5, 1.0):
            progress("matrix products", share)
        return calibrated()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("thrifty.assessment.steps.calibrate", calibrate)
    told: list[tuple[str, float]] = []
    assess(write_module(tmp_path, "watched_net"), progress=lambda what, share: told.append((what, share)))
    assert [share for _, share in told] == sorted(share for _, share in told)
    assert list(dict.fromkeys(what for what, _ in told)) == ["calibrating: matrix products", "loading the model", "running", "pricing", "done"]


@pytest.mark.parametrize(("factor", "words"), [(2.5, "time ÷2.5"), (1.0, "time ÷1"), (0.8, "time ×1.25")])
def test_more_is_never_written_as_less(factor: float, words: str) -> None:
    assert _times("time", factor) == words

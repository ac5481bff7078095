"""The three files: whole or not at all, valid, and readable again."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from tests.cost.tables import little

from thrifty.assessment import Assessment, assess
from thrifty.assessment.outputs import trace_events, write_outputs
from thrifty.errors import CannotWrite
from thrifty.timeline import Event, read_chrome_trace
from thrifty.version import __version__


def events_of(path: Path) -> list[Event]:
    return [event for event in read_chrome_trace(path) if isinstance(event, Event)]


def test_three_files_and_nothing_else(ran: Assessment, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "report"
    files = write_outputs(ran, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json", "trace.json"]
    assert {name: path.parent for name, path in files.items()} == dict.fromkeys(files, folder)
    written = json.loads((folder / "report.json").read_text())
    assert written == json.loads(json.dumps(ran.to_dict())) | {"files": {name: name for name in files}}
    assert (folder / "report.html").read_text().startswith("<!doctype html>")


def test_the_trace_has_a_process_a_device_and_a_thread_a_step(ran: Assessment, tmp_path: Path) -> None:
    write_outputs(ran, tmp_path)
    events = events_of(tmp_path / "trace.json")
    assert {(event.process, event.thread) for event in events} == {
        (process, step) for process in ("this-machine (modelled)", "this-machine (measured)") for step in ("prefill", "decode")
    }
    assert ran.run is not None
    for process, expected in (
        ("this-machine (modelled)", sum(float(priced.seconds_R.sum()) for priced in ran.case.priced)),
        ("this-machine (measured)", sum(float(profile.seconds_R.sum()) for profile in ran.run.profiles)),
    ):
        own = [event for event in events if event.process == process]
        assert sum(event.duration_s for event in own) == pytest.approx(expected, rel=1e-3)
        for before, after in itertools.pairwise(own):
            assert after.start_s >= before.end_s - 2e-9
    assert {event.category for event in events} >= {"linear", "attention", "norm"}
    assert json.loads((tmp_path / "trace.json").read_text())["otherData"] == {"made by": f"thrifty {__version__}", "command": ran.command}
    assert {"module", "kind", "flops_matrix", "bytes_read", "bytes_written"} <= set(events[0].args)


def test_a_trace_of_two_devices(priced: Assessment) -> None:
    assert {event.process for event in trace_events(priced)} == {"h100-sxm5 (modelled)", "t4 (modelled)"}


def test_a_failure_of_the_page_writes_nothing(priced: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("thrifty.assessment.page.page_of", break_down)
    with pytest.raises(ZeroDivisionError):
        write_outputs(priced, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_one_line(priced: Assessment, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CannotWrite) as caught:
        write_outputs(priced, tmp_path / "file" / "report")
    place = tmp_path / "file" / "report" / "report.json"
    assert str(caught.value) == f"cannot write to '{place}': not a directory. Choose a folder that you may write to, with --out."


def test_out_names_the_files(tmp_path: Path) -> None:
    done = assess(little(), on="t4", out=tmp_path)
    assert dict(done.files) == {name: str(tmp_path / name) for name in ("report.html", "report.json", "trace.json")}
    assert [line for line in done.lines() if str(tmp_path) in line] == [f"  {name}: {path}" for name, path in done.files.items()]

"""Chrome traces: written, read back, refused."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.errors import BadFile, BadValue, CannotWrite
from thrifty.timeline import Counter, Event, read_chrome_trace, write_chrome_trace

TIMELESS = "'{path}' is no Chrome trace: event 0 lacks a time or has one that is no number. Write it again."
ARGS = {"module": "layers.0.mlp", "bytes": 10}
EVENTS = [
    Event(name="linear", process="cpu", thread="core 0", start_s=0.0, duration_s=0.0015, category="forward", args=ARGS),
    Event(name="norm", process="cpu", thread="core 1", start_s=0.0005, duration_s=0.0),
    Counter(name="power_w", process="cpu", time_s=0.001, values={"package": 31.5}),
    Event(name="copy", process="gpu \N{GREEK SMALL LETTER ALPHA}", thread="core 0", start_s=0.002, duration_s=1e-9),
]


def test_formula_records(tmp_path: Path) -> None:
    content = json.loads(write_chrome_trace(EVENTS, tmp_path / "trace.json", {"made by": "a test"}).read_text(encoding="utf-8"))
    assert content["otherData"] == {"made by": "a test"}
    records = content["traceEvents"]
    names = {(r["name"], r["pid"], r["tid"]): r["args"]["name"] for r in records if r["ph"] == "M" and "name" in r["args"]}
    assert names == {
        ("process_name", 1, 0): "cpu", ("thread_name", 1, 1): "core 0", ("thread_name", 1, 2): "core 1",
        ("process_name", 2, 0): "gpu α", ("thread_name", 2, 1): "core 0",
    }  # fmt: skip
    work = [r for r in records if r["ph"] == "X"]
    assert work[0] == {"ph": "X", "name": "linear", "pid": 1, "tid": 1, "ts": 0.0, "dur": 1500.0, "cat": "forward", "args": ARGS}
    assert work[2]["dur"] == 0.001
    assert [r for r in records if r["ph"] == "C"] == [{"ph": "C", "name": "power_w", "pid": 1, "tid": 0, "ts": 1000.0, "args": {"package": 31.5}}]


@pytest.mark.parametrize("name", ["trace.json", "trace.json.gz"])
def test_read_back(tmp_path: Path, name: str) -> None:
    path = write_chrome_trace(iter(EVENTS), tmp_path / name)
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == name.endswith("gz")
    back = read_chrome_trace(path)
    assert [type(event) for event in back] == [type(event) for event in EVENTS]
    assert back[:3] == EVENTS[:3]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy"), st.floats(0, 1e5), st.floats(0, 1e3)), max_size=20))
@settings(max_examples=30)
def test_property_times_keep_the_nanosecond(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, float, float]]) -> None:
    events = [Event(name="e", process=p, thread=t, start_s=s, duration_s=d) for p, t, s, d in rows]
    back = read_chrome_trace(write_chrome_trace(events, tmp_path_factory.mktemp("t") / "trace.json"))
    for before, after in zip(events, back, strict=True):
        assert isinstance(after, Event)
        assert (after.process, after.thread) == (before.process, before.thread)
        assert after.start_s == pytest.approx(before.start_s, abs=0.51e-9)
        assert after.duration_s == pytest.approx(before.duration_s, abs=0.51e-9)


def test_memory_does_not_grow_with_the_trace(tmp_path: Path) -> None:
    def many() -> Iterator[Event]:
        for index in range(8_000):
            yield Event(name="e", process="p", thread="t", start_s=index * 1e-6, duration_s=1e-6, args={"index": index})

    tracemalloc.start()
    path = write_chrome_trace(many(), tmp_path / "trace.json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 600_000
    assert peak < 300_000


def test_a_failing_source_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> Iterator[Event]:
        yield EVENTS[0]  # type: ignore[misc]
        raise BadValue("stop")

    with pytest.raises(BadValue):
        write_chrome_trace(broken(), tmp_path / "trace.json")
    assert list(tmp_path.iterdir()) == []


def test_what_torch_profiler_writes_is_read(tmp_path: Path) -> None:
    records = [
        {"ph": "M", "name": "process_name", "pid": 7, "tid": 0, "args": {"name": "python"}},
        {"ph": "X", "cat": "cpu_op", "name": "aten::mm", "pid": 7, "tid": 9, "ts": 10.5, "dur": 3, "args": {"Input Dims": [[2, 3], [3, 4]]}},
        {"ph": "s", "id": 1, "pid": 7, "tid": 9, "ts": 11, "cat": "ac2g", "name": "ac2g"},
        {"ph": "i", "name": "marker", "pid": 7, "tid": 9, "ts": 12, "s": "g"},
    ]
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"schemaVersion": 1, "traceEvents": records}))
    (event,) = read_chrome_trace(path)
    assert isinstance(event, Event)
    assert (event.name, event.process, event.thread, event.category) == ("aten::mm", "python", "9", "cpu_op")
    path.write_text(json.dumps(records))
    assert read_chrome_trace(path) == [event]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "'{path}' is no Chrome trace: it is not whole JSON. Write it again."),
        (gzip.compress(b"[]", mtime=0)[:12], "'{path}' is no Chrome trace: it is not whole JSON. Write it again."),
        (b"\xff\xfe\x00", "'{path}' is no Chrome trace: it is not whole JSON. Write it again."),
        (b"{}", "'{path}' is no Chrome trace: it has no list of 'traceEvents'. Give a file that a tracer wrote."),
        (b"[1]", "'{path}' is no Chrome trace: it has no list of 'traceEvents'. Give a file that a tracer wrote."),
        (b'[{"ph":"X","name":"e"}]', TIMELESS),
        (b'[{"ph":"C","ts":1,"args":{"w":"much"}}]', TIMELESS),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "t.json"
    path.write_bytes(content)
    with pytest.raises(BadFile) as caught:
        read_chrome_trace(path)
    assert str(caught.value) == message.format(path=path)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(BadFile) as absent:
        read_chrome_trace(tmp_path / "none.json")
    assert str(absent.value) == f"cannot read '{tmp_path / 'none.json'}': no such file or directory. Give the path of a trace file."
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite):
        write_chrome_trace(EVENTS, tmp_path / "file" / "trace.json")


def test_bad_events() -> None:
    with pytest.raises(BadValue) as negative:
        Event(name="e", process="p", thread="t", start_s=0, duration_s=-1)
    assert str(negative.value) == "event 'e' lasts -1 s. Give a finite time of 0 or more."
    with pytest.raises(BadValue) as never:
        Event(name="e", process="p", thread="t", start_s=float("nan"), duration_s=1)
    assert str(never.value) == "event 'e' starts at nan s. Give a finite time."
    with pytest.raises(BadValue) as unread:
        Counter(name="c", process="p", time_s=0, values={"w": float("inf")})
    assert str(unread.value) == "counter 'c' has w=inf. Give finite values, or leave out what was not read."

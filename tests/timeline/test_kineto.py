"""Traces read into columns: what torch.profiler and our own writer wrote, whatever the layout; and what is refused."""

from __future__ import annotations

import gzip
import json
import math
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.errors import BadFile
from thrifty.timeline import Event, write_chrome_trace
from thrifty.timeline.kineto.reading import KinetoTrace, read_kineto

READERS = [False, True]


def plain(trace: KinetoTrace) -> list[tuple[Any, ...]]:
    """Every event with its strings resolved."""
    rows = []
    for i, row in enumerate(trace.events.tolist()):
        start, duration, _, _, lane, *ids = row
        rows.append((trace.name(i), trace.category(i), trace.lanes[lane].pid, trace.lanes[lane].tid, start + trace.origin_ns, duration, *ids))
    return rows


def event(**given: Any) -> dict[str, Any]:
    return {"ph": "X", "name": "e", "pid": 1, "tid": 2, "ts": 10.0, "dur": 5.0, **given}


def write(folder: Path, content: Any, name: str = "trace.json") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(BadFile) as caught:
        read_kineto(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message.replace(str(path), "PATH")


@pytest.mark.parametrize("compiled", READERS)
def test_formula_columns(tmp_path: Path, compiled: bool) -> None:
    args = {"External id": 3, "correlation": 7, "Sequence number": 2, "Fwd thread id": 1, "Input Dims": [[4, 8], []]}
    records = [
        {"ph": "M", "name": "process_name", "pid": 1, "tid": 0, "args": {"name": "python"}},
        {"ph": "M", "name": "thread_name", "pid": 1, "tid": 2, "args": {"name": "main"}},
        event(name="aten::mm", cat="cpu_op", ts=4709263055220.708, dur=1.5, args=args), event(ts=4709263055220.7, dur=0),
        {"ph": "s", "id": 7, "pid": 1, "tid": 2, "ts": 4709263055221, "cat": "ac2g", "name": "ac2g"},
        {"ph": "s", "id": 8, "pid": 1, "tid": 2, "ts": 4709263055221, "cat": "fwdbwd", "name": "fwdbwd"},
        {"ph": "C", "name": "power", "pid": 1, "ts": 1, "args": {"w": 3}}, {"ph": "i", "s": "g", "name": "Iteration", "pid": "Traces", "tid": "", "ts": 1},
    ]  # fmt: skip
    trace = read_kineto(write(tmp_path, {"schemaVersion": 1, "with_stack": 1, "deviceProperties": [{"id": 0}], "traceEvents": records}), compiled=compiled)
    assert plain(trace) == [("aten::mm", "cpu_op", "1", "2", 4709263055220708, 1500, 7, 3, 2, 1), ("e", "", "1", "2", 4709263055220700, 0, -1, -1, -1, 0)]
    assert trace.ts_s.tolist() == [8e-9, 0.0]
    assert trace.dur_s.tolist() == [1.5e-6, 0.0]
    assert trace.span_s == pytest.approx(1.508e-6)
    assert (trace.lanes[0].process, trace.lanes[0].thread, trace.records, len(trace)) == ("python", "main", 8, 2)
    assert trace.flows.tolist() == [(7, 300, 0, True)]
    assert trace.about == {"schemaVersion": 1, "with_stack": 1, "deviceProperties": [{"id": 0}]}
    assert trace.categories() == {"cpu_op": 1, "": 1}
    assert trace.in_categories(["CPU_OP"]).tolist() == [True, False]


def test_begin_and_end_pairs(tmp_path: Path) -> None:
    records = [event(ph="B", name="a", ts=1), event(ph="B", name="b", ts=2), event(ph="B", name="c", ts=2, tid=9), event(ph="E", ts=4), event(ph="E", ts=7)]
    records.append(event(ph="E", ts=3, tid=9))
    trace = read_kineto(write(tmp_path, records))
    assert [(trace.name(i), *trace.events[["start_ns", "duration_ns"]][i].tolist()) for i in range(3)] == [("a", 0, 6000), ("b", 1000, 2000), ("c", 1000, 1000)]


@pytest.mark.parametrize("compiled", READERS)
@pytest.mark.parametrize("block_bytes", [1, 7, 64, 1 << 20])
def test_any_block_size_gives_the_same(tmp_path: Path, compiled: bool, block_bytes: int) -> None:
    records = [event(name=f"né \\ \" {i} 中", ts=i, dur=i / 8, args={"correlation": i, "text": "}]{[\\\"", "deep": {"a": [1, {"b": "]"}]}}) for i in range(20)]
    path = write(tmp_path, json.dumps({"a": "b", "traceEvents": records, "z": [1.5, None, True]}, indent=2, ensure_ascii=False).encode())
    trace = read_kineto(path, block_bytes=block_bytes, compiled=compiled)
    assert plain(trace) == plain(read_kineto(path, compiled=False))
    assert trace.name(3) == 'né \\ " 3 中'
    assert trace.events["correlation"].tolist() == list(range(20))
    assert trace.about == {"a": "b"}


def test_packed_and_bare_lists(tmp_path: Path) -> None:
    records = [event(ts=i) for i in range(5)]
    packed = write(tmp_path, gzip.compress(json.dumps({"traceEvents": records}).encode()), "trace.json.gz")
    bare = write(tmp_path, records, "bare.json")
    unclosed = write(tmp_path, json.dumps(records).encode()[:-1] + b",\n", "unclosed.json")  # as tracers leave it that were stopped
    for path in (packed, bare, unclosed):
        assert read_kineto(path).events["start_ns"].tolist() == [0, 1000, 2000, 3000, 4000]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
TIMES = st.one_of(st.integers(0, 10**13).map(lambda n: n / 1000), st.integers(0, 2 * 10**15))
IDS = st.one_of(st.integers(-1, 3), st.integers(0, 2**61), st.none(), TEXTS, st.booleans(), st.floats(0, 9))
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
NESTED = st.recursive(SCALARS, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)), max_leaves=6)
WORK = st.fixed_dictionaries(
    {"ph": st.just("X"), "ts": TIMES, "dur": TIMES},
    optional={
        "name": TEXTS, "cat": TEXTS, "pid": st.one_of(st.integers(0, 3), TEXTS), "tid": st.one_of(st.integers(0, 2**62), st.integers(-3, 3), TEXTS),
        "id": NESTED, "bp": st.just("e"),
        "args": st.one_of(
            NESTED,
            st.dictionaries(st.sampled_from(["correlation", "External id", "external id", "Sequence number", "Fwd thread id"]), IDS),
            st.dictionaries(TEXTS, NESTED, max_size=3),
        ),
    },
)  # fmt: skip
ARROW = st.fixed_dictionaries(
    {"ph": st.sampled_from("sf"), "cat": st.sampled_from(["ac2g", "fwdbwd", "async_cpu_to_gpu"]), "id": st.one_of(st.integers(0, 9), TEXTS)},
    optional={"ts": TIMES, "pid": st.integers(0, 2), "tid": st.integers(0, 2)},
)
OTHER = st.fixed_dictionaries({"ph": st.sampled_from("tCiIben")}, optional={"ts": NESTED, "name": NESTED, "args": NESTED})
RECORDS = st.lists(st.one_of(WORK, WORK, ARROW, OTHER), max_size=12).map(lambda found: [*found, event()])


@given(RECORDS, st.sampled_from([None, 0, 1, "\t"]), st.booleans(), st.sampled_from([3, 40, 1 << 16]), st.booleans())
@settings(max_examples=120)
def test_property_both_readers_agree(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]], indent: Any, ascii_only: bool, block_bytes: int, bare: bool
) -> None:
    """Whatever a JSON writer makes of the same records, both readers read what Python's json does."""
    text = json.dumps(records if bare else {"traceEvents": records}, indent=indent, ensure_ascii=ascii_only)
    path = write(tmp_path_factory.mktemp("t"), text.encode())
    general, compiled = (read_kineto(path, block_bytes=block_bytes, compiled=each) for each in READERS)
    assert plain(general) == plain(compiled)
    assert general.flows[["id", "at_ns", "begins"]].tolist() == compiled.flows[["id", "at_ns", "begins"]].tolist()
    work = [record for record in json.loads(text)[:] if record["ph"] == "X"] if bare else [r for r in json.loads(text)["traceEvents"] if r["ph"] == "X"]
    assert len(work) == len(general)
    for row, record in zip(plain(general), work, strict=True):
        assert row[:4] == (record.get("name", ""), record.get("cat", ""), str(record.get("pid", "")), str(record.get("tid", "")))
        assert row[4] == pytest.approx(record["ts"] * 1000, abs=0.6, rel=1e-15)
        assert row[5] == pytest.approx(record["dur"] * 1000, abs=0.6, rel=1e-15)


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS, st.floats(0, 1e5), st.floats(0, 1e3), st.dictionaries(TEXTS, SCALARS)), min_size=1, max_size=12))
@settings(max_examples=40)
def test_property_round_trip_through_our_writer(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]]) -> None:
    events = [Event(name=n, process=p, thread=t, start_s=s, duration_s=d, category="work", args=a) for n, p, t, s, d, a in rows]
    trace = read_kineto(write_chrome_trace(events, tmp_path_factory.mktemp("t") / "trace.json.gz", {"made by": "a test"}))
    assert trace.about["otherData"] == {"made by": "a test"}
    for i, before in enumerate(events):
        lane = trace.lanes[int(trace.events["lane"][i])]
        assert (trace.name(i), trace.category(i), lane.process, lane.thread) == (before.name, "work", before.process, before.thread)
        assert trace.ts_s[i] + trace.origin_ns * 1e-9 == pytest.approx(before.start_s, abs=1e-9)
        assert trace.dur_s[i] == pytest.approx(before.duration_s, abs=1e-9)


@pytest.mark.parametrize("compiled", READERS)
def test_memory_stays_below_the_file(tmp_path: Path, compiled: bool) -> None:
    read_kineto(write(tmp_path, [event()], "small.json"), compiled=compiled)  # Numba's own memory is not the trace's
    args = {"External id": 1, "Input Dims": [[4096], [512, 4096], [4096, 4096]], "Ev Idx": 1}
    record = json.dumps(event(name="aten::addmm", cat="cpu_op", args=args), indent=1)
    path = write(tmp_path, ("[" + ",\n".join([record] * 12_000) + "]").encode())
    size = path.stat().st_size
    assert size > 2_500_000
    tracemalloc.start()
    trace = read_kineto(path, block_bytes=1 << 16, compiled=compiled)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(trace) == 12_000
    assert peak < size


@pytest.mark.parametrize("compiled", READERS)
@pytest.mark.parametrize(
    ("record", "fault"),
    [
        ({"ph": "X", "name": "aten::mm", "pid": 1, "tid": 1, "ts": 1}, "event 1 ('aten::mm') has no 'dur'"),
        ({"ph": "X", "name": "aten::mm", "pid": 1, "tid": 1, "dur": 1}, "event 1 ('aten::mm') has no 'ts'"),
        (event(dur=math.nan), "event 1 ('e') has dur=nan, which is no time"), (event(ts=math.inf), "event 1 ('e') has ts=inf, which is no time"),
        (event(ts=[1]), "event 1 ('e') has ts=[1], which is no time"), (event(ts="soon"), "event 1 ('e') has ts=soon, which is no time"),
        (event(dur=-3.5), "event 1 ('e') has dur=-3.5; a time is 0 or more, in microseconds"),
        (event(ts=-1), "event 1 ('e') has ts=-1; a time is 0 or more, in microseconds"),
        (event(ts=1e17), "event 1 ('e') has ts=1e+17; a time is 0 or more, in microseconds"),
        ({"name": "e"}, "event 1 has no 'ph', the letter that tells its kind"), ([], "event 1 is no object"), (3, "event 1 is no object"),
        (event(ph="B"), "1 events begin and never end ('e')"), (event(ph="E"), "event 1 ends work that never began"),
    ],
)  # fmt: skip
def test_events_that_break_the_format_are_refused(tmp_path: Path, record: Any, fault: str, compiled: bool) -> None:
    path = write(tmp_path, [event(), record, event()])
    assert refused(path, compiled=compiled) == f"'PATH' is no Chrome trace: {fault}. Give a file that a tracer wrote."


def test_an_end_before_its_begin_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, [event(ph="B", ts=4), event(ph="E", ts=3)])
    assert refused(path) == "'PATH' is no Chrome trace: event 1 ends its work before it began. Give a file that a tracer wrote."


CUT = "'PATH' breaks off after {} whole events: {}. Copy it again, or let the profiler finish."


@pytest.mark.parametrize("compiled", READERS)
@pytest.mark.parametrize("bare", [True, False])
def test_cut_files_say_how_much_was_whole(tmp_path: Path, compiled: bool, bare: bool) -> None:
    records = [event(name="näme", ts=i, args={"a": {"b": [1.5, True]}}) for i in range(4)]
    whole = json.dumps(records if bare else {"traceEvents": records}, ensure_ascii=False).encode()
    one = json.dumps(records[0], ensure_ascii=False).encode()
    begins = whole.find(one)
    ends = [begins + len(one) + i * (len(one) + 2) for i in range(4)]
    for length in range(begins, ends[-1] + 1):
        path, count = write(tmp_path, whole[:length]), sum(end <= length for end in ends)
        if bare and count and length - ends[count - 1] <= 2:  # a list that was stopped between two records is whole as it stands
            assert len(read_kineto(path, compiled=compiled)) == count
        else:
            assert refused(path, compiled=compiled) == CUT.format(count, "it ends in the middle"), whole[:length]


def test_cut_packed_files(tmp_path: Path) -> None:
    packed = gzip.compress(json.dumps({"traceEvents": [event(ts=i, name=f"n{i * 7919 % 1000}") for i in range(500)]}).encode())
    message = refused(write(tmp_path, packed[: len(packed) // 2], "trace.json.gz"), block_bytes=256)
    assert message.endswith(" whole events: the packed data ends in the middle. Copy it again, or let the profiler finish.")
    assert 50 < int(message.split("after ")[1].split()[0]) < 450
    damaged = bytearray(packed)
    damaged[-6] ^= 0xFF  # of the checksum
    fault = "the packed data is damaged (CRC check failed"
    assert f" whole events: {fault}" in refused(write(tmp_path, bytes(damaged), "trace.json.gz"), block_bytes=256)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "it is empty"), (b"  \n", "it is empty"), (b"GGUF\x03", "it begins with b'G', where an object or a list should be"),
        (b"\xff\xfe{", "it begins with b'\\xff', where an object or a list should be"), (b'{"traceEvents" 3}', "byte 15 is b'3', where ':' should be"),
        (b'{"traceEvents": [{"ph": "X" "ts": 1}, {"a": 1}]}', "byte 28 is '\"', which has no place there"),
        (b'{"traceEvents": [' + b'{"ph":"i","x":' + b"[" * 100_000 + b"]}", "the value at byte 17 is nested too deep"),
        (b'{"traceEvents": [{"ph":"i"}]} trailing', "byte 30 comes after the end of the JSON"), (b'{3: 4}', "byte 2 ends a key that is no text"),
        (b'[{"ph": "i"} {"ph": "i"}]', "byte 13 is b'{', where ',' or ']' should be"), (b'[@]', "byte 1 is b'@', where an event should be"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("compiled", READERS)
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes, fault: str, compiled: bool) -> None:
    assert refused(write(tmp_path, content), compiled=compiled) == f"'PATH' is no Chrome trace: {fault}. Give a JSON file that a tracer wrote."


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, b'[{"ph": "X", "name": "\xff\xfe", "pid": 1, "tid": 1, "ts": 1, "dur": 1}, {"ph": "i", "name": "..............."}]')
    fix = "Give a JSON file that a tracer wrote."
    assert refused(path, compiled=False) == f"'PATH' is no Chrome trace: byte 22 is no UTF-8 text. {fix}"
    assert refused(path, compiled=True) == f"'PATH' is no Chrome trace: a name is no UTF-8 text. {fix}"


def test_what_is_no_trace_is_refused(tmp_path: Path) -> None:
    fix = "Give a file that a tracer wrote."
    assert refused(write(tmp_path, {"a": 1})) == f"'PATH' is no Chrome trace: it has no list of 'traceEvents'. {fix}"
    assert refused(write(tmp_path, {"traceEvents": {}})) == f"'PATH' is no Chrome trace: its 'traceEvents' is no list. {fix}"
    fix = "Profile something and export it again."
    assert refused(write(tmp_path, {"traceEvents": []})) == f"'PATH' holds 0 records but no work (events of phase X, or B and E). {fix}"
    names = [{"ph": "M", "name": "process_name", "pid": 1, "args": {"name": "p"}}]
    assert refused(write(tmp_path, names)) == f"'PATH' holds 1 records but no work (events of phase X, or B and E). {fix}"
    assert refused(tmp_path / "absent.json") == "cannot read 'PATH': no such file or directory. Give the path of a trace file."
    assert refused(tmp_path) == "cannot read 'PATH': is a directory. Give the path of a trace file."

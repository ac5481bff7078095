"""Schedules against a hand-drawn timeline, an event simulator, and laws that hold for all of them."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.timeline.simulator import simulate

from thrifty import loops
from thrifty.errors import BadValue, UnknownName
from thrifty.timeline import Schedule, Task, TaskGraph, read_chrome_trace, schedule, write_chrome_trace

#   compute  a . . b b . c
#   comm       x x x . y y y        x after a; b after nothing but a's stream; c after x and b; y after b
TOY = [
    Task(id="a", stream="compute", duration_s=1.0, kind="gemm"),
    Task(id="x", stream="comm", duration_s=3.0, after=("a",), kind="all_reduce"),
    Task(id="b", stream="compute", duration_s=2.0, kind="gemm"),
    Task(id="y", stream="comm", duration_s=3.0, after=("b",), kind="all_reduce"),
    Task(id="c", stream="compute", duration_s=1.0, after=("x", "b"), kind="norm", args={"rows": 3}),
]


def task(name: str, *after: str, stream: str = "s", lasts: Any = 1.0) -> dict[str, Any]:
    return {"id": name, "stream": stream, "duration_s": lasts, "after": after}


@st.composite
def graphs(draw: st.DrawFn, largest: int = 14) -> list[Task]:
    """Tasks on up to four streams that wait for tasks issued earlier or later, without a cycle: dependencies follow a hidden order that keeps FIFO."""
    count = draw(st.integers(1, largest))
    streams = draw(st.lists(st.sampled_from("abcd"), min_size=count, max_size=count))
    seconds = draw(st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.3, 1.0, 1.7, 5.0]), min_size=count, max_size=count))
    hidden = draw(st.permutations(range(count)))
    places = {stream: sorted(hidden[i] for i in range(count) if streams[i] == stream) for stream in set(streams)}
    rank = [places[stream].pop(0) for stream in streams]  # of each task in the hidden order; rises along a stream
    waits = [draw(st.lists(st.sampled_from(range(count)), max_size=3)) for _ in range(count)]
    return [
        Task(
            id=f"t{i}", stream=streams[i], duration_s=seconds[i], after=tuple(f"t{j}" for j in waits[i] if rank[j] < rank[i]),
            kind="odd" if i % 2 else "even",
        ) for i in range(count)
    ]  # fmt: skip


def as_rows(tasks: list[Task]) -> list[tuple[str, str, float, tuple[str, ...]]]:
    return [(task.id, task.stream, float(task.duration_s), tuple(task.after)) for task in tasks]  # type: ignore[arg-type]


def varied(tasks: list[Task], configurations: int) -> tuple[TaskGraph, Any]:
    graph = TaskGraph.of(tasks)
    return graph, np.random.default_rng(len(tasks)).random((configurations, len(graph)))


def test_formula_toy() -> None:
    found = schedule(TOY)
    assert found.ids == ("a", "x", "b", "y", "c")
    assert found.start_s_CE.tolist() == [[0, 1, 1, 4, 4]]
    assert found.end_s_CE.tolist() == [[1, 4, 3, 7, 5]]
    assert found.makespan_s_C.tolist() == [7]
    assert found.busy_s("compute").tolist() == [4]
    assert found.exposed_s("compute").tolist() == [3]
    assert found.overlapped_s("compute").tolist() == [3]
    assert found.strictly_exposed_s("compute").tolist() == [3]  # of 1..7: all but b in 1..3 and c in 4..5
    assert found.idle_s("comm").tolist() == [1]
    assert found.critical_path() == ["a", "x", "y"]
    assert found.slack_s_CE.tolist() == [[0, 0, 1, 0, 2]]
    assert {name: each.tolist() for name, each in found.sensitivity_s().items()} == {"compute": [1], "comm": [6]}
    assert {name: each.tolist() for name, each in found.sensitivity_s("kind").items()} == {"gemm": [1], "all_reduce": [6], "norm": [0]}


def test_formula_bubbles_are_exposed_but_not_strictly() -> None:
    host, comm = task("h", "a", stream="host", lasts=2), task("r", "h", stream="comm", lasts=4)
    found = schedule([task("a", stream="compute"), host, comm, task("b", "r", stream="compute")])
    assert found.exposed_s("compute").tolist() == [6]
    assert found.strictly_exposed_s("compute", "comm").tolist() == [4]
    assert found.overlapped_s("compute", "comm").tolist() == [-2]  # MAD-Max's difference: the bubble counts as exposed


def test_formula_configurations_are_solved_apart() -> None:
    found = schedule([Task(id="a", stream="s", duration_s=np.array([1.0, 2.0, 0.0])), Task(id="b", stream="t", duration_s=0.5, after=("a",))])
    assert found.makespan_s_C.tolist() == [1.5, 2.5, 0.5]
    assert schedule([Task(id="a", stream="s", duration_s=1.0)], configurations=3).makespan_s_C.tolist() == [1, 1, 1]
    assert schedule([]).makespan_s_C.tolist() == [0]
    assert schedule([]).critical_path() == []


def test_formula_events_and_trace(tmp_path: Path) -> None:
    events = schedule(TOY).events(process="rank 0")
    assert [(e.name, e.process, e.thread, e.start_s, e.duration_s, e.category) for e in events][3] == ("y", "rank 0", "comm", 4.0, 3.0, "all_reduce")
    assert events[4].args == {"rows": 3}
    assert read_chrome_trace(write_chrome_trace(events, tmp_path / "plan.json")) == events


def test_formula_columns_may_be_shared() -> None:
    graph = TaskGraph.of(TOY, columns=[0, 1, 0, 1, 0])
    found = graph.solve([[1.0, 3.0], [2.0, 1.0]])
    apart = TaskGraph.of(TOY).solve([[1.0, 3.0, 1.0, 3.0, 1.0], [2.0, 1.0, 2.0, 1.0, 2.0]])
    assert found.makespan_s_C.tolist() == apart.makespan_s_C.tolist()
    assert found.busy_s("comm").tolist() == apart.busy_s("comm").tolist() == [6, 2]
    assert found.sensitivity_s()["comm"].tolist() == apart.sensitivity_s()["comm"].tolist()


@given(graphs())
@settings(max_examples=150)
def test_property_equals_the_event_simulator(tasks: list[Task]) -> None:
    expected = simulate(as_rows(tasks))
    found = schedule(tasks)
    for name, start, end in zip(found.ids, found.start_s_CE[0].tolist(), found.end_s_CE[0].tolist(), strict=True):
        assert (start, end) == expected[name]
    assert found.makespan_s_C[0] == max(end for _, end in expected.values())


@given(graphs())
@settings(max_examples=100)
def test_property_makespan_lies_between_its_bounds(tasks: list[Task]) -> None:
    found = schedule(tasks)
    makespan = found.makespan_s_C[0]
    busy = {stream: found.busy_s(stream)[0] for stream in found.graph.streams}
    assert makespan >= max(busy.values()) * (1 - 1e-12)
    assert makespan <= sum(busy.values()) * (1 + 1e-12)
    lasts = {task.id: task.duration_s for task in tasks}
    path = found.critical_path()
    assert sum(lasts[name] for name in path) == pytest.approx(makespan, rel=1e-12)  # type: ignore[misc]
    times = {name: (start, end) for name, start, end in zip(found.ids, found.start_s_CE[0], found.end_s_CE[0], strict=True)}
    assert times[path[0]][0] == 0
    assert times[path[-1]][1] == makespan
    assert all(times[one][1] == times[two][0] for one, two in itertools.pairwise(path))
    slack = dict(zip(found.ids, found.slack_s_CE[0].tolist(), strict=True))
    assert all(slack[name] == 0 for name in path)
    assert min(slack.values()) >= 0
    first = found.graph.streams[0]
    assert -1e-12 <= found.strictly_exposed_s(first)[0] <= found.exposed_s(first)[0] + 1e-12
    assert found.covered_s(*found.graph.streams)[0] <= makespan + 1e-12


@given(graphs())
@settings(max_examples=40)
def test_property_slack_is_what_a_task_can_last_longer(tasks: list[Task]) -> None:
    found = schedule(tasks)
    for number, task in enumerate(tasks):
        slack = found.slack_s_CE[0, number]
        longer = [Task(id=t.id, stream=t.stream, duration_s=t.duration_s + (slack if t is task else 0.0), after=t.after) for t in tasks]  # type: ignore[operator]
        assert schedule(longer).makespan_s_C[0] == pytest.approx(found.makespan_s_C[0], abs=1e-12)
        too_long = [Task(id=t.id, stream=t.stream, duration_s=t.duration_s + (slack + 0.01 if t is task else 0.0), after=t.after) for t in tasks]  # type: ignore[operator]
        assert schedule(too_long).makespan_s_C[0] == pytest.approx(found.makespan_s_C[0] + 0.01, abs=1e-12)


@given(graphs())
@settings(max_examples=60)
def test_property_sensitivities_are_derivatives(tasks: list[Task]) -> None:
    graph, seconds = varied(tasks, 5)  # random durations: no ties
    found = graph.solve(seconds)
    for by, names in (("stream", graph.streams), ("kind", tuple(dict.fromkeys(graph.kinds)))):
        sensitivity = found.sensitivity_s(by)
        np.testing.assert_allclose(sum(sensitivity.values()), found.makespan_s_C, rtol=1e-12)
        for name in names:
            owner = np.array([graph.streams[s] for s in graph.stream_E]) if by == "stream" else np.array(graph.kinds)
            step = 1e-7
            changes = [graph.solve(seconds * np.where(owner == name, 1 + sign * step, 1)).makespan_s_C for sign in (1, -1)]
            np.testing.assert_allclose(sensitivity[name], (changes[0] - changes[1]) / (2 * step), atol=1e-6)


@given(graphs(), st.sampled_from([1, 3, 31, 33, 300]))
@settings(max_examples=60)
def test_property_every_path_gives_the_same_numbers(tasks: list[Task], configurations: int) -> None:
    graph, seconds = varied(tasks, configurations)
    rows, columns, plain = graph.solve(seconds), graph.solve(np.asfortranarray(seconds)), graph.solve(seconds, compiled=False)
    for other in (columns, plain):
        assert (rows.makespan_s_C == other.makespan_s_C).all()
        assert (rows.start_s_CE == other.start_s_CE).all()
        assert (rows.end_s_CE == other.end_s_CE).all()
        assert (rows.slack_s_CE == other.slack_s_CE).all()
        for by in ("stream", "kind"):
            assert all((one == two).all() for one, two in zip(rows.sensitivity_s(by).values(), other.sensitivity_s(by).values(), strict=True))
        np.testing.assert_allclose(rows.covered_s(*graph.streams), other.covered_s(*graph.streams), rtol=1e-12)
    assert (rows.makespan_s_C == rows.end_s_CE.max(axis=1)).all()


@given(graphs())
@settings(max_examples=60)
def test_property_dropped_dependencies_are_implied_by_others(tasks: list[Task]) -> None:
    graph = TaskGraph.of(tasks)
    pointer, source = graph.needed
    before: list[set[int]] = [set() for _ in tasks]
    for task in graph.order.tolist():
        for other in source[pointer[task] : pointer[task + 1]].tolist():
            before[task] |= {other} | before[other]
    for task in range(len(graph)):
        assert set(graph.source[graph.pointer[task] : graph.pointer[task + 1]].tolist()) <= before[task]
        assert graph.previous[task] in before[task] or graph.previous[task] < 0
    assert (np.diff(pointer) <= len(graph.streams)).all()


def test_property_threads_share_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    numba = pytest.importorskip("numba")
    graph, seconds = varied(TOY, 1111)
    alone: Schedule = graph.solve(seconds)
    expected = alone.makespan_s_C.copy(), alone.end_s_CE.copy()
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 2)
    monkeypatch.setattr(loops.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(loops, "SHARE", 1)
    shared = graph.solve(seconds)
    assert (shared.makespan_s_C == expected[0]).all()
    assert (shared.end_s_CE == expected[1]).all()


def test_property_without_numba_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = schedule(TOY)
    monkeypatch.setitem(sys.modules, "numba", None)
    loops.has_numba.cache_clear()
    try:
        found = schedule(TOY)
        assert found.makespan_s_C.tolist() == expected.makespan_s_C.tolist()
        assert found.strictly_exposed_s("compute").tolist() == [3]
        assert not loops.has_numba()
    finally:
        monkeypatch.undo()
        loops.has_numba.cache_clear()


CYCLE = "(by dependency or by the order of their stream). Drop one, or issue them in another order."


@pytest.mark.parametrize(
    ("events", "text"),
    [
        ([task("a"), task("a")], "two tasks have the id 'a'. Give each its own."),
        ([task("a", "b")], "task 'a' waits for 'b', which does not exist. Name a task of this schedule."),
        ([task("a", "b", stream="x"), task("b", "a")], f"tasks wait for each other in a cycle: 'a' -> 'b' -> 'a' {CYCLE}"),
        ([task("a", "a")], f"tasks wait for each other in a cycle: 'a' -> 'a' {CYCLE}"),
        ([task("z"), task("a", "b"), task("b")], f"tasks wait for each other in a cycle: 'a' -> 'b' -> 'a' {CYCLE}"),
        ([task("a", lasts=float("nan"))], "task 'a' lasts nan s. Give a finite time of 0 or more."),
        ([task("a", lasts=np.array([1.0, -2.0]))], "task 'a' lasts -2.0 s. Give a finite time of 0 or more."),
        ([task("a", lasts=float("inf"))], "task 'a' lasts inf s. Give a finite time of 0 or more."),
        ([task("a", lasts="soon")], "task 'a' lasts 'soon'. Give seconds, one number or one for each configuration."),
        ([task("a", lasts=np.ones((2, 2)))], "task 'a' has durations of 2 axes. Give one number or an array (configurations,)."),
        ([task("a", lasts=np.ones(2)), task("b", lasts=np.ones(3))],
         "task 'a' has 2 durations, but there are 3 configurations. Give one number or one for each."),
        ([task("")], "a task has the id ''. Give each a name of its own."),
        ([task("a@-1")], "task 'a@-1' bears a name that means an earlier iteration. Leave out the '@-'."),
        ([task("a"), task("b", "a@-1")], "task 'b' waits for 'a@-1', but that task does not repeat. Leave out the '@-1'."),
        ([task("a", stream="")], "task 'a' has the stream ''. Name the stream that it runs on."),
        ([{"id": "a", "stream": "s", "duration_s": 1, "after": "bc"}], "task 'a' has after='bc'. Give a tuple of ids."),
        ([{"id": "a", "stream": "s"}], "task 'a' lacks duration_s. Its keys are id, stream, duration_s, after, kind, args."),
        ([{"id": "a", "stream": "s", "duration_s": 1, "depends": ()}],
         "task 'a' has the key 'depends'. Its keys are id, stream, duration_s, after, kind, args."),
        ([3], "a schedule got 3. Give tasks, or mappings with id, stream, duration_s and after."),
    ],
)  # fmt: skip
def test_formula_what_is_wrong_is_said(events: list[Any], text: str) -> None:
    with pytest.raises(BadValue) as error:
        schedule(events)
    assert str(error.value) == text


def test_formula_wrong_questions() -> None:
    graph = TaskGraph.of(TOY)
    with pytest.raises(BadValue, match=r"^durations have the shape \(2, 3\)\. This graph needs \(configurations, 5\)\.$"):
        graph.solve(np.ones((2, 3)))
    bad = np.ones((3, 5))
    bad[2, 1] = np.nan
    with pytest.raises(BadValue, match=r"^task 'x' lasts nan s in configuration 2\. Give a finite time of 0 or more\.$"):
        graph.solve(bad)
    found = schedule(TOY)
    with pytest.raises(UnknownName, match=r"^no stream named 'copy' in this schedule\. It has: compute, comm\.$"):
        found.exposed_s("copy")
    with pytest.raises(BadValue, match=r"^configuration 1 of a schedule of 1\. They count from 0\.$"):
        found.critical_path(1)
    with pytest.raises(BadValue, match=r"^sensitivities by 'colour'\. Choose stream or kind\.$"):
        found.sensitivity_s("colour")
    with pytest.raises(BadValue, match=r"^5 tasks got 2 columns\. Give each the number of its column of durations, from 0 on\.$"):
        TaskGraph.of(TOY, columns=[0, 1])

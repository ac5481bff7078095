"""Repeated bodies: solved without unrolling, equal to unrolling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.timeline.simulator import simulate

from thrifty.errors import BadValue
from thrifty.timeline import Repeated, Task, TaskGraph, schedule


def task(name: str, stream: str, lasts: Any, *after: str) -> Task:
    return Task(id=name, stream=stream, duration_s=lasts, after=after, kind=name[0])


@st.composite
def issues(draw: st.DrawFn) -> tuple[list[Task | Repeated], int]:
    """Prologue, a body, tasks between, another body, epilogue; dependencies within an iteration, on up to three iterations before, and outwards."""
    times = draw(st.integers(1, 60))
    events: list[Task | Repeated] = []
    known: list[str] = []
    number = 0

    def one(inside: list[str], repeated: list[str], reach: int) -> Task:
        nonlocal number
        number += 1
        lagged = [f"{name}@-{draw(st.integers(1, reach))}" for name in draw(st.lists(st.sampled_from(repeated), max_size=2))] if repeated and reach else []
        names = [*inside, *known]
        after = tuple(draw(st.lists(st.sampled_from(names), max_size=2))) if names else ()
        return Task(id=f"t{number}", stream=draw(st.sampled_from("abcd")), duration_s=1.0, after=(*after, *lagged))

    for _ in range(draw(st.integers(1, 2))):
        part = [one([], [], 0) for _ in range(draw(st.integers(0, 3)))]
        known += [each.id for each in part]
        events += part
        size, first = draw(st.integers(1, 6)), number + 1
        body = [f"t{first + i}" for i in range(size)]
        tasks = [one(body[:i], body, min(3, times)) for i in range(size)]
        events.append(Repeated(tasks=tasks, times=times))
        known += body
        known += [f"{name}@-1" for name in body] if times > 1 else []
    events += [one([], [], 0) for _ in range(draw(st.integers(0, 3)))]
    return events, times


def unrolled_by_hand(events: list[Task | Repeated], seconds: dict[str, float]) -> list[tuple[str, str, float, tuple[str, ...]]]:
    """Rows for the simulator, written apart from the package's own unrolling."""
    times_of = {each.id: event.times for event in events if isinstance(event, Repeated) for each in event}
    rows = []
    for event in events:
        body = list(event) if isinstance(event, Repeated) else [event]
        own = {each.id for each in body} if isinstance(event, Repeated) else set()
        for i in range(event.times if isinstance(event, Repeated) else 1):
            for each in body:
                waits = []
                for name in each.after:
                    plain, _, lag = name.partition("@-")
                    at = (i if plain in own else times_of.get(plain, 1) - 1) - int(lag or 0)
                    if at >= 0:
                        waits.append(f"{plain}/{at}")
                rows.append((f"{each.id}/{i}", each.stream, seconds[each.id], tuple(waits)))
    return rows


@given(issues(), st.integers(0, 2**31))
@settings(max_examples=60)
def test_property_equals_the_event_simulator(drawn: tuple[list[Task | Repeated], int], seed: int) -> None:
    events, _ = drawn
    graph = TaskGraph.of(events)
    rng = np.random.default_rng(seed)
    seconds = rng.choice([0.0, 0.1, 0.5, 1.0, 3.0, 20.0], (3, len(graph))) * rng.choice([1.0, rng.random()])
    found = graph.solve(seconds)
    for configuration in range(3):
        rows = unrolled_by_hand(events, dict(zip(graph.ids, seconds[configuration].tolist(), strict=True)))
        expected = simulate(rows)
        assert found.makespan_s_C[configuration] == pytest.approx(max(end for _, end in expected.values()), rel=1e-12)
        assert found.end_s_CE[configuration].tolist() == [expected[name][1] for name, *_ in rows]


@given(issues(), st.integers(0, 2**31), st.sampled_from([1, 40]))
@settings(max_examples=150)
def test_property_equals_unrolling(drawn: tuple[list[Task | Repeated], int], seed: int, configurations: int) -> None:
    events, _ = drawn
    graph = TaskGraph.of(events)
    rng = np.random.default_rng(seed)
    seconds = rng.random((configurations, len(graph))) * np.where(rng.random(len(graph)) < 0.2, 30, 1)
    for layout in (seconds, np.asfortranarray(seconds)):
        found, flat, plain = graph.solve(layout), graph.unrolled.solve(layout), graph.solve(layout, compiled=False)
        np.testing.assert_allclose(found.makespan_s_C, flat.makespan_s_C, rtol=1e-12)
        assert (plain.makespan_s_C == flat.makespan_s_C).all()
        for stream in graph.streams:
            np.testing.assert_allclose(found.busy_s(stream), flat.busy_s(stream), rtol=1e-12)
            np.testing.assert_allclose(found.exposed_s(stream), flat.exposed_s(stream), rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(found.sensitivity_s()[stream], flat.sensitivity_s()[stream], rtol=1e-12)


def test_formula_a_chain_of_layers() -> None:
    body = [task("gather", "comm", 2.0, "mlp@-2"), task("mlp", "compute", 1.0, "gather")]
    found = schedule([task("embed", "compute", 5.0), Repeated(tasks=body, times=1_000_000), task("head", "compute", 3.0, "mlp")])
    assert found.makespan_s_C[0] == 2_000_000 + 2 + 1 + 3  # only the third gather waits: the first mlp ends at 6
    assert found.busy_s("comm")[0] == 2_000_000
    assert found.exposed_s("compute")[0] == 2_000_006 - 1_000_008


def test_formula_an_even_and_an_odd_iteration() -> None:
    """A chain that holds every second iteration: cyclicity 2."""
    body = [task("a", "one", np.array([1.0, 9.0]), "c@-2"), task("b", "two", 4.0, "a"), task("c", "three", 5.0, "b")]
    for times in (7, 8, 100_001, 100_002):
        found = schedule([Repeated(tasks=body, times=times)])
        if times < 100:
            np.testing.assert_allclose(found.makespan_s_C, found.end_s_CE.max(axis=1), rtol=1e-15)
        pairs, odd = divmod(times - 1, 2)
        assert found.makespan_s_C[0] == 10.0 * pairs + 10.0 + odd * 5.0
        assert found.makespan_s_C[1] == 9.0 * times + 9.0 if times % 2 else True


def test_property_streams_of_different_pace_meet_late() -> None:
    """Communication starts far behind and catches up after some hundred iterations: the jump has to stop there."""
    late = np.array([0.0, 299.0, 700.5, 5000.0])
    body = [task("c", "compute", 1.0), task("r", "comm", np.array([0.5, 0.9, 0.75, 0.999]), "c")]
    events = [task("slow", "comm", late), Repeated(tasks=body, times=3000)]
    found = schedule(events)
    np.testing.assert_allclose(found.makespan_s_C, TaskGraph.of(events).unrolled.solve(found.seconds_CU).makespan_s_C, rtol=1e-12)
    assert found.makespan_s_C.tolist() == pytest.approx([3000.5, 3000.9, 3000.75, 5000 + 2997.0], rel=1e-12)


def test_property_work_does_not_grow_with_layers() -> None:
    """Ten million iterations would take seconds each and 1000 configurations an hour; the test would not end."""
    rng = np.random.default_rng(0)
    body = [task("g", "comm", rng.random(1000), "f@-1"), task("f", "compute", rng.random(1000), "g"), task("r", "comm", rng.random(1000), "f")]
    one, ten = (schedule([Repeated(tasks=body, times=times)]).makespan_s_C for times in (1_000_000, 10_000_000))
    np.testing.assert_allclose(ten / one, 10, rtol=1e-5)


def test_formula_iterations_have_names() -> None:
    found = schedule([Repeated(tasks=[task("a", "s", 1.0), task("b", "t", 2.0, "a")], times=3)])
    assert found.ids == ("a[0]", "b[0]", "a[1]", "b[1]", "a[2]", "b[2]")
    assert found.critical_path() == ["a[0]", "b[0]", "b[1]", "b[2]"]
    assert [event.name for event in found.events()] == list(found.ids)


BODY = [task("x", "s", 1.0), task("y", "t", 1.0, "x@-1")]


@pytest.mark.parametrize(
    ("events", "text"),
    [
        (lambda: [Repeated(tasks=BODY, times=0)], "a block is repeated 0 times. Give a whole number of 1 or more."),
        (lambda: [Repeated(tasks=BODY, times=2.5)], "a block is repeated 2.5 times. Give a whole number of 1 or more."),
        (lambda: [Repeated(tasks=[], times=2)], "a repeated block has no tasks. Give it one or leave it out."),
        (lambda: [task("a", "s", 1.0, "x"), Repeated(tasks=BODY, times=2)],
         "task 'a' waits for 'x', which is issued in or after a repeated block that follows. Issue it before the block."),
        (lambda: [Repeated(tasks=[task("x", "s", 1.0, "z")], times=2), task("z", "s", 1.0)],
         "task 'x' waits for 'z', which is issued in or after a repeated block that follows. Issue it before the block."),
        (lambda: [task("a", "s", 1.0, "z"), Repeated(tasks=BODY, times=2), task("z", "s", 1.0)],
         "task 'a' waits for 'z', which is issued after a repeated block. Issue it before the block."),
        (lambda: [Repeated(tasks=BODY, times=2), task("z", "s", 1.0, "x@-2")],
         "task 'z' waits for 'x@-2', but its block has 2 iterations. Name one of them."),
        (lambda: [Repeated(tasks=[task("x", "s", 1.0, "y"), task("y", "t", 1.0, "x")], times=2)],
         "tasks wait for each other in a cycle: 'x' -> 'y' -> 'x' (by dependency or by the order of their stream). Drop one, or issue them in another order."),
    ],
)  # fmt: skip
def test_formula_what_is_wrong_is_said(events: Any, text: str) -> None:
    with pytest.raises(BadValue) as error:
        schedule(events())
    assert str(error.value) == text

"""Work shared among threads: every piece once, whoever takes it, and failures told."""

from __future__ import annotations

import os
import threading
import warnings

import pytest

from thrifty.loops import SHARE, _pool, has_numba, in_threads

pytestmark = pytest.mark.skipif(not has_numba(), reason="numba is not installed")


@pytest.mark.parametrize(("count", "block"), [(1, 256), (1000, 256), (10_007, 8), (5, 1), (0, 1)])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_formula_every_element_is_in_one_piece(count: int, block: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", threads)
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    taken: list[tuple[int, int]] = []
    in_threads(lambda first, last: taken.append((first, last)), count, SHARE, block=block)
    taken.sort()
    assert [first for first, _ in taken] == [0, *(last for _, last in taken[:-1])]
    assert taken[-1][1] == count
    assert all(first % block == 0 for first, _ in taken)


def test_formula_a_thread_held_up_leaves_its_pieces_to_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    others, last = threading.Event(), 8 * 256
    here: list[int] = []

    def part(first: int, end: int) -> None:
        if first == 0:  # held up until all the rest is done
            assert others.wait(30)
        else:
            here.append(end)
            if len(here) == 7:
                others.set()

    in_threads(part, last, SHARE)
    assert max(here) == last


def test_formula_a_failure_in_any_piece_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 2)

    def part(first: int, last: int) -> None:
        if first == 512:
            raise ValueError("piece 512")

    with pytest.raises(ValueError, match="piece 512"):
        in_threads(part, 2048, SHARE)


def test_formula_loops_within_loops_and_after_a_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numba.config.NUMBA_NUM_THREADS", 2)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    taken: list[int] = []
    in_threads(lambda first, last: in_threads(lambda start, end: taken.append(end - start), last - first, SHARE, block=1), 64, SHARE, block=8)
    assert sum(taken) == 64
    before = _pool()
    if hasattr(os, "fork"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # a fork of several threads: what is tested
            child = os.fork()
        if child == 0:
            done: list[int] = []
            try:
                in_threads(lambda first, last: done.append(last - first), 1024, SHARE)
            finally:
                os._exit(0 if sum(done) == 1024 and _pool() is not before else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert _pool() is before

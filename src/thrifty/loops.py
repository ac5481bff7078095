"""Hot loops: whether Numba is there, how a loop is compiled, and how its work is shared among threads."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Lock
from typing import Any, Final, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
SHARE: Final = 1 << 20
"""Instructions for which a further thread is worth its start."""
PIECES: Final = 4
"""Pieces for each thread: one that other programs hold up leaves its pieces to the others."""


@functools.cache
def has_numba() -> bool:
    """Numba can be imported."""
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


def jit(function: Function) -> Function:
    """Compiled once for every machine, and without Python's lock, so that threads share the work. Only modules imported where Numba is there may use it."""
    import numba

    compiled: Function = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


def in_threads(part: Callable[[int, int], object], count: int, work: int, *, block: int = 256) -> None:
    """Call part(first, last) over all of `count`, in as many threads as NUMBA_NUM_THREADS allows; `work`: instructions for each.

    Pieces are whole multiples of `block`, and any thread takes the next. Threads of Python around loops that release its lock do what Numba's own would,
    and may be used from several threads and after a fork.
    """
    import numba

    threads = min(int(numba.config.NUMBA_NUM_THREADS), 1 + count * work // SHARE)
    if threads <= 1 or (threads := min(threads, os.cpu_count() or 1)) == 1:  # counting processors takes longer than small loops do
        part(0, count)
        return
    share = -(-count // (threads * PIECES))
    share += -share % block
    pieces, lock = iter(range(0, count, share)), Lock()

    def work_off() -> None:
        while True:
            with lock:
                first = next(pieces, None)
            if first is None:
                return
            part(first, min(first + share, count))

    pool = _pool()
    others = [pool.submit(work_off) for _ in range(threads - 1)]
    try:
        work_off()  # the caller takes pieces, too, and does not wait for threads that have not come to it by the end
    finally:
        late = [each for each in others if not each.cancel()]
        wait(late)
    for each in late:
        each.result()


@functools.cache
def _pool() -> ThreadPoolExecutor:
    """Threads that stay, since starting one takes longer than small loops do; a fork's child starts its own."""
    return ThreadPoolExecutor(max(os.cpu_count() or 1, 2) - 1, thread_name_prefix="thrifty")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)

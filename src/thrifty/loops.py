"""Hot loops: whether Numba is there, how a loop is compiled, and how its work is shared among threads."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])
SHARE: Final = 1 << 20
"""Instructions for which a further thread is worth its start."""


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

    Shares are whole multiples of `block`. Threads of Python around loops that release its lock do what Numba's own would, and may be used from several
    threads and after a fork.
    """
    import numba

    threads = min(int(numba.config.NUMBA_NUM_THREADS), 1 + count * work // SHARE)
    if threads <= 1 or (threads := min(threads, os.cpu_count() or 1)) == 1:  # counting processors takes longer than small loops do
        part(0, count)
        return
    share = -(-count // threads)
    share += -share % block
    with ThreadPoolExecutor(threads - 1) as pool:
        others = [pool.submit(part, first, min(first + share, count)) for first in range(share, count, share)]
        part(0, min(share, count))  # the caller's own share, without a thread to start and wait for
        for each in others:
            each.result()

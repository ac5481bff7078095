"""A discrete event simulator that shares nothing with the solver: a clock, a heap of tasks that run, and streams that start what may start."""

from __future__ import annotations

import heapq
from collections import deque


def simulate(tasks: list[tuple[str, str, float, tuple[str, ...]]]) -> dict[str, tuple[float, float]]:
    """Start and end of (id, stream, duration, after) in the order of issue."""
    queues: dict[str, deque[tuple[str, float, tuple[str, ...]]]] = {}
    for name, stream, lasts, after in tasks:
        queues.setdefault(stream, deque()).append((name, lasts, after))
    running: list[tuple[float, str, str]] = []
    times: dict[str, tuple[float, float]] = {}
    ended: set[str] = set()
    occupied: set[str] = set()
    clock = 0.0
    while True:
        for stream, queue in queues.items():
            if stream not in occupied and queue and all(name in ended for name in queue[0][2]):
                name, lasts, _ = queue.popleft()
                times[name] = (clock, clock + lasts)
                occupied.add(stream)
                heapq.heappush(running, (clock + lasts, name, stream))
        if not running:
            break
        clock, name, stream = heapq.heappop(running)
        ended.add(name)
        occupied.discard(stream)
    assert len(times) == len(tasks), "deadlock"
    return times

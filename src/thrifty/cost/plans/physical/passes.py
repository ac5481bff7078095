"""When do layers run? Forward and backward passes of one micro-batch over runs of alike layers, on one computing stream and one a tier.

forward, layer i   gather(i) may start when layer i-2 is done; compute(i) waits for compute(i-1) and gather(i); what is offloaded leaves after it
backward, layer j  gather(j+1) is issued before compute(j) and may start when compute(j-1) is done; then compute(j), scatter(j), reduce(j)

Streams are FIFO in this order. Alike layers are not gone through one by one: two steps that move every clock by the same amounts, with every decision
falling the same way, are followed by as many more as it takes until a decision could fall otherwise.
"""

from __future__ import annotations

from typing import Any, Final

NEVER: Final = 1e30


def _steps_left(margins: Any, before: Any, count: Any, left: Any) -> Any:
    """How many more steps keep every margin's sign, given its last two values."""
    steps = 1.0 * left
    for at in range(count):
        now, change = margins[at], margins[at] - before[at]
        if (now >= 0.0) != (before[at] >= 0.0):
            return 0.0
        if now >= 0.0 and change < 0.0:
            steps = min(steps, -(-now // -change) - 1.0)
        elif now < 0.0 and change > 0.0:
            steps = min(steps, -(now // change) - 1.0)
    return max(0.0, steps)


def forward_pass(
    clock: Any, streams: Any, first: int, last: int, repeat: Any, compute: Any, gather: Any, leave: Any, wait_at: int, wait_on: Any, scratch: Any
) -> None:  # fmt: skip
    """Moves clock[0] (computing) and the streams' clocks over runs first..last-1. Before run `wait_at`, computing waits until `wait_on`."""
    count = len(streams)
    before_last = clock[0]
    for run in range(first, last):
        held = wait_on if run == wait_at else 0.0
        low, high = count, 0  # the streams in use
        for s in range(count):
            if gather[run, s] > 0.0 or leave[run, s] > 0.0:
                low, high = min(low, s), s + 1
        if high == 0:
            each = compute[run]
            clock[0] = max(clock[0], held) + repeat[run] * each
            before_last = clock[0] - each
            continue
        done, alike, scratch[4, 0] = 0.0, -1, -1.0
        while done < repeat[run]:
            was = clock[0]
            at = 0
            ready = 0.0
            for s in range(low, high):
                scratch[2, s] = streams[s]
                if gather[run, s] > 0.0:
                    scratch[0, at] = streams[s] - before_last
                    at += 1
                    streams[s] = max(streams[s], before_last) + gather[run, s]
                    ready = max(ready, streams[s])
            scratch[0, at] = ready - was
            at += 1
            clock[0] = max(max(was, held), ready) + compute[run]
            held, before_last = 0.0, was
            for s in range(low, high):
                if leave[run, s] > 0.0:
                    scratch[0, at] = streams[s] - clock[0]
                    at += 1
                    streams[s] = max(streams[s], clock[0]) + leave[run, s]
            done += 1.0
            alike = _note(scratch, clock[0] - was, streams, low, high, alike, clock[0])
            if alike >= 1 and done < repeat[run]:
                more = _steps_left(scratch[0], scratch[1], at, repeat[run] - done)
                if more > 0.0:
                    _jump(clock, streams, low, high, scratch, more)
                    before_last = clock[0] - scratch[4, 0]
                    done += more
                alike = 0
            for margin in range(at):
                scratch[1, margin] = scratch[0, margin]


def backward_pass(
    clock: Any, streams: Any, first: int, last: int, repeat: Any, compute: Any, gather: Any, scatter: Any, reduce: Any, wait_at: int, exchange: Any,
    exchange_on: int, scratch: Any,
) -> None:  # fmt: skip
    """The same from run last-1 down to first. Before run `wait_at` (counting down) the exchange of gradients of lookups starts; run `first` waits for it."""
    count = len(streams)
    exchanged = 0.0
    ready = 0.0
    for s in range(count):
        if gather[last - 1, s] > 0.0:
            streams[s] = max(streams[s], clock[0]) + gather[last - 1, s]
            ready = max(ready, streams[s])
    for down in range(last - first):
        run = last - 1 - down
        if exchange > 0.0 and run == wait_at:
            streams[exchange_on] = max(streams[exchange_on], clock[0]) + exchange
            exchanged = streams[exchange_on]
        if run == first:
            ready = max(ready, exchanged)
        after = max(run - 1, first)
        low, high, sharded = count, 0, False
        for s in range(count):
            if gather[run, s] > 0.0 or scatter[run, s] > 0.0 or (run > first and gather[after, s] > 0.0):
                low, high, sharded = min(low, s), s + 1, True
            elif reduce[run, s] > 0.0:
                low, high = min(low, s), s + 1
        if not sharded:  # layer i's gradients leave when it is done: the last to leave waits for the first layer, for the last, or for its stream
            start = max(clock[0], ready)
            clock[0] = start + repeat[run] * compute[run]
            ready = 0.0
            for s in range(low, high):
                each = reduce[run, s]
                if each > 0.0:
                    streams[s] = max(max(streams[s], start + compute[run]) + repeat[run] * each, clock[0] + each)
            continue
        done, alike, scratch[4, 0] = 0.0, -1, -1.0
        while done < repeat[run]:
            was, was_ready = clock[0], ready
            at = 0
            ready = 0.0
            following = run if done + 1.0 < repeat[run] else run - 1
            for s in range(low, high):
                scratch[2, s] = streams[s]
                if following >= first and gather[following, s] > 0.0:
                    scratch[0, at] = streams[s] - was
                    at += 1
                    streams[s] = max(streams[s], was) + gather[following, s]
                    ready = max(ready, streams[s])
            scratch[0, at] = was_ready - was
            at += 1
            clock[0] = max(was, was_ready) + compute[run]
            scattered = clock[0]
            for s in range(low, high):
                if scatter[run, s] > 0.0:
                    scratch[0, at] = streams[s] - clock[0]
                    at += 1
                    streams[s] = max(streams[s], clock[0]) + scatter[run, s]
                    scattered = max(scattered, streams[s])
            for s in range(low, high):
                if reduce[run, s] > 0.0:
                    scratch[0, at] = streams[s] - scattered
                    at += 1
                    streams[s] = max(streams[s], scattered) + reduce[run, s]
            done += 1.0
            alike = _note(scratch, clock[0] - was, streams, low, high, alike, clock[0])
            if alike >= 1 and done + 1.0 < repeat[run]:
                more = _steps_left(scratch[0], scratch[1], at, repeat[run] - done - 1.0)
                if more > 0.0:
                    _jump(clock, streams, low, high, scratch, more)
                    if ready > 0.0:
                        ready += more * scratch[4, 1]
                    done += more
                alike = 0
            scratch[4, 1] = ready - was_ready
            for margin in range(at):
                scratch[1, margin] = scratch[0, margin]


def _note(scratch: Any, moved: Any, streams: Any, low: int, high: int, alike: int, scale: Any) -> int:
    """How many steps in a row moved every clock by the same amounts. scratch[2]: streams before, [3]: how far they moved, [4, 0]: how far computing did."""
    close = 1e-13 * scale
    same = abs(moved - scratch[4, 0]) <= close
    scratch[4, 0] = moved
    for s in range(low, high):
        step = streams[s] - scratch[2, s]
        if abs(step - scratch[3, s]) > close:
            same = False
        scratch[3, s] = step
    return alike + 1 if same else -1


def _jump(clock: Any, streams: Any, low: int, high: int, scratch: Any, more: Any) -> None:
    clock[0] += more * scratch[4, 0]
    for s in range(low, high):
        streams[s] += more * scratch[3, s]


FUNCTIONS: Final = (_steps_left, _note, _jump, forward_pass, backward_pass)

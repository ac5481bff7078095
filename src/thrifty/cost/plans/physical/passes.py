"""When do layers run? Forward and backward passes of one micro-batch over runs of alike layers, on one computing stream and one a tier.

forward, layer i   gather(i) may start when layer i-2 is done; compute(i) waits for compute(i-1) and gather(i); what is offloaded leaves after it
backward, layer j  gather(j+1) is issued before compute(j) and may start when compute(j-1) is done; then compute(j), scatter(j), reduce(j)

Streams are FIFO in this order. Every lane is a configuration of the same structure, so that a step is a few maxima and sums over lanes. Alike layers are
not gone through one by one: two steps that move every clock by the same amounts, with every decision falling the same way, in all lanes, are followed by
as many more as it takes until a decision could fall otherwise in one.

state (3 + streams, N): CLOCK of computing, BEFORE: when the layer before the last was done, READY: when the next layer's weights are there, streams
"""

from __future__ import annotations

from typing import Any, Final

CLOCK, BEFORE, READY, STREAMS = 0, 1, 2, 3
EXCHANGED, WAITED = 0, 1
"""Rows of the last of `scratch`: when gradients of lookups are exchanged, and how long computing waits for lookups."""
PROBED: Final = 12.0
"""Fewer alike layers are gone through."""


def steps_left(state: Any, before: Any, moves: Any, margins: Any, margins_before: Any, count: int, lanes: int, left: Any) -> Any:
    """How many more steps go as the last two did: 0 where they differ in a lane. moves: how far the step before the last moved each row of the state."""
    more = 1.0 * left
    for i in range(lanes):
        close = 1e-13 * state[CLOCK, i]
        for row in range(len(state)):
            if abs(state[row, i] - before[row, i] - moves[row, i]) > close:
                return 0.0
        for at in range(count):
            now, was = margins[at, i], margins_before[at, i]
            change = now - was
            if (now >= 0.0) != (was >= 0.0):
                return 0.0
            if now >= 0.0 and change < 0.0:
                more = min(more, -(-now // -change) - 1.0)
            elif now < 0.0 and change > 0.0:
                more = min(more, -(now // change) - 1.0)
        if more <= 0.0:
            return 0.0
    return more


def note(state: Any, before: Any, moves: Any, margins: Any, margins_before: Any, count: int, lanes: int) -> None:
    """Keeps what a step did, for comparison with the next one."""
    for row in range(len(state)):
        for i in range(lanes):
            moves[row, i] = state[row, i] - before[row, i]
    for at in range(count):
        for i in range(lanes):
            margins_before[at, i] = margins[at, i]


def keep(state: Any, before: Any, lanes: int) -> None:
    for row in range(len(state)):
        for i in range(lanes):
            before[row, i] = state[row, i]


def jump(state: Any, moves: Any, more: Any, lanes: int) -> None:
    for row in range(len(state)):
        for i in range(lanes):
            state[row, i] += more * moves[row, i]


def behind(state: Any, stream: int, since: int, seconds: Any, margins: Any, at: int, lanes: int) -> None:
    """A stream takes up what may start at row `since` and takes the same in all lanes; margin: how long it would have waited for the stream."""
    for i in range(lanes):
        margins[at, i] = state[stream, i] - state[since, i]
        state[stream, i] = max(state[stream, i], state[since, i]) + seconds


def behind_each(state: Any, stream: int, since: int, seconds_XN: Any, x: int, margins: Any, at: int, lanes: int) -> None:
    """The same, with seconds of every lane."""
    for i in range(lanes):
        margins[at, i] = state[stream, i] - state[since, i]
        state[stream, i] = max(state[stream, i], state[since, i]) + seconds_XN[x, i]


def latest(state: Any, row: int, stream: int, margins: Any, at: int, lanes: int) -> None:
    for i in range(lanes):
        margins[at, i] = state[row, i] - state[stream, i]
        state[row, i] = max(state[row, i], state[stream, i])


def forward_step(
    state: Any, sums: Any, run: int, which: int, gather: Any, leave_SN: Any, held: Any, wait_N: Any, margins: Any, lanes: int
) -> int:  # fmt: skip
    """One layer; returns how many decisions it took."""
    at = 0
    for i in range(lanes):
        state[READY, i] = 0.0
    for s in range(gather.shape[1]):
        if gather[run, s] > 0.0:
            behind(state, STREAMS + s, BEFORE, gather[run, s], margins, at, lanes)
            latest(state, READY, STREAMS + s, margins, at + 1, lanes)
            at += 2
    for i in range(lanes):
        was, ready = state[CLOCK, i], state[READY, i]
        margins[at, i] = ready - was
        state[BEFORE, i] = was
        state[CLOCK, i] = max(was, ready) + sums[run, which, i]
    if held:
        for i in range(lanes):
            state[CLOCK, i] = max(state[CLOCK, i], wait_N[i] + sums[run, which, i])
    at += 1
    for s in range(gather.shape[1]):
        if leave_SN[s, 0] > 0.0:
            behind_each(state, STREAMS + s, CLOCK, leave_SN, s, margins, at, lanes)
            at += 1
    return at


def forward_pass(
    state: Any, first: int, last: int, repeat: Any, sums: Any, which: int, gather: Any, leave: Any, wait_at: int, wait_N: Any, scratch: Any, lanes: int
) -> None:  # fmt: skip
    """Moves the state over runs first..last-1. Before run `wait_at`, computing waits until `wait_N`. sums[:, which]: seconds of a layer."""
    before, moves, margins, margins_before = scratch[0], scratch[1], scratch[2], scratch[3]
    for i in range(lanes):
        state[BEFORE, i] = state[CLOCK, i]
    for run in range(first, last):
        held, leave_SN = run == wait_at, leave[run]
        streaming = False
        for s in range(gather.shape[1]):
            streaming = streaming or gather[run, s] > 0.0 or leave_SN[s, 0] > 0.0
        if not streaming:
            for i in range(lanes):
                start = max(state[CLOCK, i], wait_N[i]) if held else state[CLOCK, i]
                state[CLOCK, i] = start + repeat[run] * sums[run, which, i]
                state[BEFORE, i] = state[CLOCK, i] - sums[run, which, i]
            continue
        done, known = 0.0, False
        while done < repeat[run]:
            probing = repeat[run] - done >= PROBED
            if probing:
                keep(state, before, lanes)
            at = forward_step(state, sums, run, which, gather, leave_SN, held, wait_N, margins, lanes)
            held = False
            done += 1.0
            if probing:
                more = steps_left(state, before, moves, margins, margins_before, at, lanes, repeat[run] - done) if known else 0.0
                if more > 0.0:
                    jump(state, moves, more, lanes)
                    done += more
                note(state, before, moves, margins, margins_before, at, lanes)
                known = more <= 0.0


def backward_step(
    state: Any, sums: Any, run: int, which: int, gather: Any, following: int, scatter: Any, reduce_SN: Any, reduces: Any, margins: Any, lanes: int
) -> int:  # fmt: skip
    """One layer of `run` while weights of the next one, of run `following`, are under way; returns how many decisions it took."""
    at, count = 0, gather.shape[1]
    for i in range(lanes):
        state[BEFORE, i] = state[READY, i]
        state[READY, i] = 0.0
    for s in range(count):
        if gather[following, s] > 0.0:
            behind(state, STREAMS + s, CLOCK, gather[following, s], margins, at, lanes)
            latest(state, READY, STREAMS + s, margins, at + 1, lanes)
            at += 2
    for i in range(lanes):
        was, ready = state[CLOCK, i], state[BEFORE, i]
        margins[at, i] = ready - was
        state[CLOCK, i] = max(was, ready) + sums[run, which, i]
        state[BEFORE, i] = state[CLOCK, i]
    at += 1
    for s in range(count):
        if scatter[run, s] > 0.0:
            behind(state, STREAMS + s, CLOCK, scatter[run, s], margins, at, lanes)
            latest(state, BEFORE, STREAMS + s, margins, at + 1, lanes)
            at += 2
    if reduces:
        for s in range(count):
            if reduce_SN[s, 0] > 0.0:
                behind_each(state, STREAMS + s, BEFORE, reduce_SN, s, margins, at, lanes)
                at += 1
    return at


def backward_pass(
    state: Any, first: int, last: int, repeat: Any, sums: Any, which: int, gather: Any, scatter: Any, reduce: Any, reduces: Any, wait_at: int,
    exchange_N: Any, exchange_on: int, scratch: Any, lanes: int,
) -> None:  # fmt: skip
    """The same from run last-1 down to first; `reduces`: gradients are reduced in this pass. Before run `wait_at` (counting down) the exchange of gradients
    of lookups starts, on stream `exchange_on` (-1: there is none); run `first` waits for it. The last row of `gather` is of no run, and gathers nothing."""
    count = gather.shape[1]
    before, moves, margins, margins_before = scratch[0], scratch[1], scratch[2], scratch[3]
    rest = scratch[4]
    for i in range(lanes):
        state[READY, i], rest[EXCHANGED, i] = 0.0, 0.0
    for s in range(count):
        if gather[last - 1, s] > 0.0:
            behind(state, STREAMS + s, CLOCK, gather[last - 1, s], margins, 0, lanes)
            latest(state, READY, STREAMS + s, margins, 0, lanes)
    for down in range(last - first):
        run = last - 1 - down
        reduce_SN = reduce[run]
        if exchange_on >= 0 and run == wait_at:
            for i in range(lanes):
                rest[EXCHANGED, i] = state[STREAMS + exchange_on, i] = max(state[STREAMS + exchange_on, i], state[CLOCK, i]) + exchange_N[i]
        if run == first:
            for i in range(lanes):
                state[READY, i] = max(state[READY, i], rest[EXCHANGED, i])
        sharded = False
        for s in range(count):
            sharded = sharded or gather[run, s] > 0.0 or scatter[run, s] > 0.0 or (run > first and gather[run - 1, s] > 0.0)
        if not sharded:  # layer i's gradients leave when it is done: the last to leave waits for the first layer, for the last, or for its stream
            for i in range(lanes):
                state[BEFORE, i] = max(state[CLOCK, i], state[READY, i])
                state[CLOCK, i] = state[BEFORE, i] + repeat[run] * sums[run, which, i]
                state[READY, i] = 0.0
            for s in range(count if reduces else 0):
                if reduce_SN[s, 0] > 0.0:
                    for i in range(lanes):
                        each = reduce_SN[s, i]
                        begun = max(state[STREAMS + s, i], state[BEFORE, i] + sums[run, which, i])
                        state[STREAMS + s, i] = max(begun + repeat[run] * each, state[CLOCK, i] + each)
            continue
        done, known = 0.0, False
        while done < repeat[run]:
            probing = repeat[run] - done >= PROBED
            if probing:
                keep(state, before, lanes)
            inside = done + 1.0 < repeat[run]
            following = run if inside else run - 1 if run > first else len(gather) - 1
            at = backward_step(state, sums, run, which, gather, following, scatter, reduce_SN, reduces, margins, lanes)
            done += 1.0
            if probing:
                more = steps_left(state, before, moves, margins, margins_before, at, lanes, repeat[run] - done - 1.0) if known else 0.0
                if more > 0.0:
                    jump(state, moves, more, lanes)
                    done += more
                note(state, before, moves, margins, margins_before, at, lanes)
                known = more <= 0.0


FUNCTIONS: Final = (
    steps_left, note, keep, jump, behind, behind_each, latest, forward_step, forward_pass, backward_step, backward_pass,
)  # fmt: skip

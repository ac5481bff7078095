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


def behind(stream_N: Any, since_N: Any, seconds: Any, margin_N: Any, lanes: int) -> None:
    """A stream takes up what may start at `since_N` and takes the same in all lanes; margin: how long it would have waited for the stream."""
    for i in range(lanes):
        margin_N[i] = stream_N[i] - since_N[i]
        stream_N[i] = max(stream_N[i], since_N[i]) + seconds


def behind_each(stream_N: Any, since_N: Any, seconds_N: Any, margin_N: Any, lanes: int) -> None:
    """The same, with seconds of every lane."""
    for i in range(lanes):
        margin_N[i] = stream_N[i] - since_N[i]
        stream_N[i] = max(stream_N[i], since_N[i]) + seconds_N[i]


def latest(ready_N: Any, stream_N: Any, margin_N: Any, lanes: int) -> None:
    for i in range(lanes):
        margin_N[i] = ready_N[i] - stream_N[i]
        ready_N[i] = max(ready_N[i], stream_N[i])


def forward_step(state: Any, compute_N: Any, gather_S: Any, leave_SN: Any, held: Any, wait_N: Any, margins: Any, lanes: int) -> int:
    """One layer; returns how many decisions it took."""
    at = 0
    ready_N, clock_N, before_N = state[READY], state[CLOCK], state[BEFORE]
    for i in range(lanes):
        ready_N[i] = 0.0
    for s in range(len(gather_S)):
        if gather_S[s] > 0.0:
            behind(state[STREAMS + s], before_N, gather_S[s], margins[at], lanes)
            latest(ready_N, state[STREAMS + s], margins[at + 1], lanes)
            at += 2
    margin_N = margins[at]
    for i in range(lanes):
        was = clock_N[i]
        margin_N[i] = ready_N[i] - was
        before_N[i] = was
        clock_N[i] = max(was, ready_N[i]) + compute_N[i]
    if held:
        for i in range(lanes):
            clock_N[i] = max(clock_N[i], wait_N[i] + compute_N[i])
    at += 1
    for s in range(len(gather_S)):
        if leave_SN[s, 0] > 0.0:
            behind_each(state[STREAMS + s], clock_N, leave_SN[s], margins[at], lanes)
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
        held, compute_N = run == wait_at, sums[run, which]
        streaming = False
        for s in range(gather.shape[1]):
            streaming = streaming or gather[run, s] > 0.0 or leave[run, s, 0] > 0.0
        if not streaming:
            for i in range(lanes):
                start = max(state[CLOCK, i], wait_N[i]) if held else state[CLOCK, i]
                state[CLOCK, i] = start + repeat[run] * compute_N[i]
                state[BEFORE, i] = state[CLOCK, i] - compute_N[i]
            continue
        done, known = 0.0, False
        while done < repeat[run]:
            probing = repeat[run] - done >= PROBED
            if probing:
                keep(state, before, lanes)
            at = forward_step(state, compute_N, gather[run], leave[run], held, wait_N, margins, lanes)
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
    state: Any, compute_N: Any, gather_S: Any, scatter_S: Any, reduce_SN: Any, reduces: Any, was_N: Any, margins: Any, lanes: int
) -> int:  # fmt: skip
    """One layer while `gather_S`, of the next one, is under way; returns how many decisions it took. was_N: room."""
    at = 0
    ready_N, clock_N, done_N = state[READY], state[CLOCK], state[BEFORE]
    for i in range(lanes):
        was_N[i] = ready_N[i]
        ready_N[i] = 0.0
    for s in range(len(gather_S)):
        if gather_S[s] > 0.0:
            behind(state[STREAMS + s], clock_N, gather_S[s], margins[at], lanes)
            latest(ready_N, state[STREAMS + s], margins[at + 1], lanes)
            at += 2
    margin_N = margins[at]
    for i in range(lanes):
        margin_N[i] = was_N[i] - clock_N[i]
        clock_N[i] = max(clock_N[i], was_N[i]) + compute_N[i]
        done_N[i] = clock_N[i]
    at += 1
    for s in range(len(gather_S)):
        if scatter_S[s] > 0.0:
            behind(state[STREAMS + s], clock_N, scatter_S[s], margins[at], lanes)
            latest(done_N, state[STREAMS + s], margins[at + 1], lanes)
            at += 2
    if reduces:
        for s in range(len(gather_S)):
            if reduce_SN[s, 0] > 0.0:
                behind_each(state[STREAMS + s], done_N, reduce_SN[s], margins[at], lanes)
                at += 1
    return at


def backward_pass(
    state: Any, first: int, last: int, repeat: Any, sums: Any, which: int, gather: Any, scatter: Any, reduce: Any, reduces: Any, wait_at: int,
    exchange_N: Any, exchange_on: int, scratch: Any, lanes: int,
) -> None:  # fmt: skip
    """The same from run last-1 down to first; `reduces`: gradients are reduced in this pass. Before run `wait_at` (counting down) the exchange of gradients
    of lookups starts, on stream `exchange_on` (-1: there is none); run `first` waits for it."""
    count = gather.shape[1]
    before, moves, margins, margins_before = scratch[0], scratch[1], scratch[2], scratch[3]
    none, was_N, exchanged_N = scratch[4, 0], scratch[4, 1], scratch[4, 2]
    ready_N, clock_N = state[READY], state[CLOCK]
    for i in range(lanes):
        ready_N[i], exchanged_N[i] = 0.0, 0.0
    for s in range(count):
        none[s] = 0.0
        if gather[last - 1, s] > 0.0:
            behind(state[STREAMS + s], clock_N, gather[last - 1, s], margins[0], lanes)
            latest(ready_N, state[STREAMS + s], margins[0], lanes)
    for down in range(last - first):
        run = last - 1 - down
        compute_N = sums[run, which]
        if exchange_on >= 0 and run == wait_at:
            behind_each(state[STREAMS + exchange_on], clock_N, exchange_N, margins[0], lanes)
            latest(exchanged_N, state[STREAMS + exchange_on], margins[0], lanes)
        if run == first:
            latest(ready_N, exchanged_N, margins[0], lanes)
        sharded = False
        for s in range(count):
            sharded = sharded or gather[run, s] > 0.0 or scatter[run, s] > 0.0 or (run > first and gather[run - 1, s] > 0.0)
        if not sharded:  # layer i's gradients leave when it is done: the last to leave waits for the first layer, for the last, or for its stream
            for i in range(lanes):
                was_N[i] = max(clock_N[i], ready_N[i])
                clock_N[i] = was_N[i] + repeat[run] * compute_N[i]
                ready_N[i] = 0.0
            for s in range(count if reduces else 0):
                if reduce[run, s, 0] > 0.0:
                    stream_N, each_N = state[STREAMS + s], reduce[run, s]
                    for i in range(lanes):
                        stream_N[i] = max(max(stream_N[i], was_N[i] + compute_N[i]) + repeat[run] * each_N[i], clock_N[i] + each_N[i])
            continue
        done, known = 0.0, False
        while done < repeat[run]:
            probing = repeat[run] - done >= PROBED
            if probing:
                keep(state, before, lanes)
            inside = done + 1.0 < repeat[run]
            following = gather[run] if inside else gather[run - 1] if run > first else none[:count]
            at = backward_step(state, compute_N, following, scatter[run], reduce[run], reduces, was_N, margins, lanes)
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

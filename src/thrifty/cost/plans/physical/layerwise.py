"""What a layer of every run takes, from the records of its items; and sums of an iteration by kind of work."""

from __future__ import annotations

from typing import Any, Final

from thrifty.cost.plans.physical.columns import ANSWER, EMBEDDING, FULL, HEAD, LAID, RECORD, RUN, SELECTIVE, TRAINING
from thrifty.cost.plans.physical.work import (
    A2A,
    ATTENTION,
    BACK,
    CORE,
    ELEMENT,
    EMBEDDED,
    FETCHED,
    GATHER,
    GATHER_ON,
    GEMM,
    HOST,
    KEPT,
    REDUCE,
    REDUCE_ON,
    REGATHER,
    SCATTER,
    SCATTER_ON,
    SENT,
    TRAINED,
    WAITS,
    WGRAD,
    add,
)  # fmt: skip

RECORDS: Final = len(RECORD)
R_FORWARD, R_BACKWARD, R_LAST_BACKWARD, R_LAUNCH, R_WGRAD, R_TRAINED, R_REGATHER = range(7)
SUMS: Final = 7
BUSY, LATE, AGAIN, REDUCED, GATHERED = 0, 2, 4, 5, 6
"""Rows of the room between: seconds that computing is busy or waits, forward and backward, of the host, run again, and of reducing; so many in all."""
D_FIRST_ITEM, D_FIRST_RUN, D_LAST_RUN, D_RECOMPUTE, D_TRAINS, D_WEIGHTS_OFF, D_ACTIVATIONS_OFF = (
    LAID[name] for name in ("first_item", "first_run", "last_run", "recompute", "trains", "offload_weights", "offload_activations")
)  # fmt: skip
U_FIRST, U_LAST, U_REPEAT, U_ROLE = (RUN[name] for name in ("first_item", "last_item", "repeat", "role"))
T_TAX, T_HOST_BYTE = TRAINING["tax"], TRAINING["host_byte_s"]
A_GEMM, A_ATTENTION, A_ELEMENT, A_EMBEDDING, A_A2A, A_AR, A_AG, A_RS, A_SEND, A_LAUNCH = (
    ANSWER[name] for name in (
        "gemm", "attention", "elementwise", "embedding", "all_to_all", "all_reduce", "all_gather", "reduce_scatter", "send", "launch",
    )
)  # fmt: skip


def runs_again(laid: Any, role: Any, backward: Any) -> Any:
    """2 where the backward pass runs the whole layer again, 1 where attention's core, else 0."""
    if backward == 0.0 or role in (EMBEDDING, HEAD):
        return 0.0
    return 2.0 if laid[D_RECOMPUTE] == FULL else 1.0 if laid[D_RECOMPUTE] == SELECTIVE else 0.0


def fill_runs(
    laid: Any, runs: Any, run_items: Any, records: Any, training: Any, lanes: int, sums: Any, repeat: Any, gather: Any, leave: Any, scatter: Any, reduce: Any,
    room: Any,
) -> None:  # fmt: skip
    """Seconds of one layer of every run: forward, backward, the last backward (with gradients reduced beside it), and what its streams carry.

    records (I, RECORD, N); sums (U, SUMS, N), leave and reduce (U, streams, N); gather and scatter (U, streams), for they are the same in every lane
    """
    tax, copy, first_item = training[T_TAX], gather.shape[1] - 1, int(laid[D_FIRST_ITEM])
    for at in range(int(laid[D_LAST_RUN] - laid[D_FIRST_RUN])):
        run, total = runs[int(laid[D_FIRST_RUN]) + at], sums[at]
        repeat[at] = run[U_REPEAT]
        for s in range(gather.shape[1]):
            gather[at, s], scatter[at, s] = 0.0, 0.0
            for i in range(lanes):
                leave[at, s, i], reduce[at, s, i] = 0.0, 0.0
        for row in range(GATHERED):
            for i in range(lanes):
                room[row, i] = 0.0
        for row in range(SUMS):
            for i in range(lanes):
                total[row, i] = 0.0
        gathers, scatters = 0.0, 0.0
        for item in range(int(run[U_FIRST]), int(run[U_LAST])):
            r = records[run_items[item] - first_item]
            for way in range(2):
                for kind in range(GEMM, EMBEDDED + 1):
                    add(room, BUSY + way, 1.0, r, way * BACK + kind, lanes)
                add(room, BUSY + way, 1.0, r, way * BACK + WAITS, lanes)
                add(room, LATE + way, 1.0, r, way * BACK + HOST, lanes)
            add(room, AGAIN, 1.0, r, CORE, lanes)
            add(total, R_WGRAD, 1.0, r, WGRAD, lanes)
            add(total, R_TRAINED, 1.0, r, TRAINED, lanes)
            add(total, R_REGATHER, 1.0, r, REGATHER, lanes)
            gathers += r[GATHER, 0]
            scatters += r[SCATTER, 0]
            gather[at, int(r[GATHER_ON, 0])] += r[GATHER, 0]
            scatter[at, int(r[SCATTER_ON, 0])] += r[SCATTER, 0]
            if r[REDUCE, 0] > 0.0:
                add(room, REDUCED, 1.0, r, REDUCE, lanes)
                add(reduce[at], int(r[REDUCE_ON, 0]), 1.0, r, REDUCE, lanes)
            if laid[D_WEIGHTS_OFF] > 0.0:
                gather[at, copy] += r[FETCHED, 0] * training[T_HOST_BYTE]
            if laid[D_ACTIVATIONS_OFF] > 0.0:
                add(leave[at], copy, training[T_HOST_BYTE], r, KEPT, lanes)
        which = runs_again(laid, run[U_ROLE], room[BUSY + 1, 0])
        for i in range(lanes):
            busy, busy_back = room[BUSY, i], room[BUSY + 1, i]
            there = (busy * busy + room[LATE, i] * room[LATE, i]) ** 0.5
            back = (busy_back * busy_back + room[LATE + 1, i] * room[LATE + 1, i]) ** 0.5
            again = there if which == 2.0 else room[AGAIN, i] if which == 1.0 else 0.0
            total[R_LAUNCH, i] = there - busy + back - busy_back + (there - busy if which == 2.0 else 0.0)
            total[R_FORWARD, i] = there + tax * min(gathers, busy)
            total[R_BACKWARD, i] = back + again + tax * min(gathers + scatters, busy_back)
            total[R_LAST_BACKWARD, i] = back + again + tax * min(gathers + scatters + room[REDUCED, i], busy_back)


def count_in(into_RN: Any, row: int, factor: Any, from_RN: Any, other: int, lanes: int) -> None:
    """Adds what is there; a kind of work that one lane lacks no lane has."""
    if from_RN[other, 0] != 0.0:
        add(into_RN, row, factor, from_RN, other, lanes)


def tally(
    laid: Any, runs: Any, run_items: Any, records: Any, sums: Any, at: int, layers: Any, micro_batches: Any, lanes: int, answers: Any
) -> None:  # fmt: skip
    """Adds `layers` layers of a run over all micro-batches to the answers (ANSWER, N), by kind."""
    run = runs[int(laid[D_FIRST_RUN]) + at]
    times = layers * micro_batches
    passes = 2.0 if laid[D_TRAINS] > 0.0 else 1.0
    for item in range(int(run[U_FIRST]), int(run[U_LAST])):
        r = records[run_items[item] - int(laid[D_FIRST_ITEM])]
        which = runs_again(laid, run[U_ROLE], r[BACK + GEMM, 0] + r[BACK + ATTENTION, 0] + r[BACK + ELEMENT, 0])
        forward = times * (2.0 if which == 2.0 else 1.0)
        for kind in range(SENT + 1):  # records and answers name kinds of work, and of moving, in the same order
            answer = A_GEMM + kind if kind < A2A else A_A2A + kind - A2A
            count_in(answers, answer, forward, r, kind, lanes)
            count_in(answers, answer, times, r, BACK + kind, lanes)
        if which == 1.0:
            count_in(answers, A_ATTENTION, times, r, CORE, lanes)
        count_in(answers, A_RS if r[REGATHER, 0] > 0.0 else A_AR, layers, r, REDUCE, lanes)
        count_in(answers, A_AG, times * passes, r, GATHER, lanes)
        count_in(answers, A_RS, times, r, SCATTER, lanes)
    add(answers, A_LAUNCH, times, sums[at], R_LAUNCH, lanes)


FUNCTIONS: Final = (runs_again, fill_runs, count_in, tally)

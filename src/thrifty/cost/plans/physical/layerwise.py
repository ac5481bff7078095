"""What a layer of every run takes, from the records of its items; and sums of an iteration by kind of work."""

from __future__ import annotations

from typing import Any, Final

from thrifty.cost.plans.physical.columns import ANSWER, EMBEDDING, FULL, HEAD, LAID, RECORD, RUN, SELECTIVE, TRAINING
from thrifty.cost.plans.physical.work import (
    A2A,
    AG,
    AR,
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
    RS,
    SCATTER,
    SCATTER_ON,
    SENT,
    TRAINED,
    WAITS,
    WGRAD,
)  # fmt: skip

RECORDS: Final = len(RECORD)
R_FORWARD, R_BACKWARD, R_LAST_BACKWARD, R_LAUNCH, R_WGRAD, R_TRAINED, R_REGATHER = range(7)
SUMS: Final = 7
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
    laid: Any, runs: Any, run_items: Any, records: Any, training: Any, sums: Any, repeat: Any, gather: Any, leave: Any, scatter: Any, reduce: Any
) -> None:  # fmt: skip
    """Seconds of one layer of every run: forward, backward, the last backward (with gradients reduced beside it), and what its streams carry."""
    tax, copy, first_item = training[T_TAX], gather.shape[1] - 1, int(laid[D_FIRST_ITEM])
    for at in range(int(laid[D_LAST_RUN] - laid[D_FIRST_RUN])):
        run = runs[int(laid[D_FIRST_RUN]) + at]
        repeat[at] = run[U_REPEAT]
        for s in range(gather.shape[1]):
            gather[at, s], leave[at, s], scatter[at, s], reduce[at, s] = 0.0, 0.0, 0.0, 0.0
        forward, waits, host, backward, back_waits, back_host, core, gathers, scatters, reduces = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        wgrad, trained, regather = 0.0, 0.0, 0.0
        for item in range(int(run[U_FIRST]), int(run[U_LAST])):
            r = records[run_items[item] - first_item]
            forward += r[GEMM] + r[ATTENTION] + r[ELEMENT] + r[EMBEDDED]
            waits += r[WAITS]
            host += r[HOST]
            backward += r[BACK + GEMM] + r[BACK + ATTENTION] + r[BACK + ELEMENT] + r[BACK + EMBEDDED]
            back_waits += r[BACK + WAITS]
            back_host += r[BACK + HOST]
            core += r[CORE]
            wgrad += r[WGRAD]
            trained += r[TRAINED]
            regather += r[REGATHER]
            gathers += r[GATHER]
            scatters += r[SCATTER]
            reduces += r[REDUCE]
            gather[at, int(r[GATHER_ON])] += r[GATHER]
            scatter[at, int(r[SCATTER_ON])] += r[SCATTER]
            reduce[at, int(r[REDUCE_ON])] += r[REDUCE]
            if laid[D_WEIGHTS_OFF] > 0.0:
                gather[at, copy] += r[FETCHED] * training[T_HOST_BYTE]
            if laid[D_ACTIVATIONS_OFF] > 0.0:
                leave[at, copy] += r[KEPT] * training[T_HOST_BYTE]
        busy, busy_back = forward + waits, backward + back_waits
        there, back = (busy * busy + host * host) ** 0.5, (busy_back * busy_back + back_host * back_host) ** 0.5
        which = runs_again(laid, run[U_ROLE], busy_back)
        again = there if which == 2.0 else core if which == 1.0 else 0.0
        sums[at, R_LAUNCH] = there - busy + back - busy_back + (there - busy if which == 2.0 else 0.0)
        sums[at, R_FORWARD] = there + tax * min(gathers, busy)
        sums[at, R_BACKWARD] = back + again + tax * min(gathers + scatters, busy_back)
        sums[at, R_LAST_BACKWARD] = back + again + tax * min(gathers + scatters + reduces, busy_back)
        sums[at, R_WGRAD], sums[at, R_TRAINED], sums[at, R_REGATHER] = wgrad, trained, regather


def tally(laid: Any, runs: Any, run_items: Any, records: Any, sums: Any, at: int, layers: Any, micro_batches: Any, answer: Any) -> None:
    """Adds `layers` layers of a run over all micro-batches to the answer, by kind."""
    run = runs[int(laid[D_FIRST_RUN]) + at]
    times = layers * micro_batches
    passes = 2.0 if laid[D_TRAINS] > 0.0 else 1.0
    for item in range(int(run[U_FIRST]), int(run[U_LAST])):
        r = records[run_items[item] - int(laid[D_FIRST_ITEM])]
        backward = r[BACK + GEMM] + r[BACK + ATTENTION] + r[BACK + ELEMENT]
        which = runs_again(laid, run[U_ROLE], backward)
        forward = times * (2.0 if which == 2.0 else 1.0)
        answer[A_GEMM] += forward * r[GEMM] + times * r[BACK + GEMM]
        answer[A_ATTENTION] += forward * r[ATTENTION] + times * r[BACK + ATTENTION] + (times * r[CORE] if which == 1.0 else 0.0)
        answer[A_ELEMENT] += forward * r[ELEMENT] + times * r[BACK + ELEMENT]
        answer[A_EMBEDDING] += forward * r[EMBEDDED] + times * r[BACK + EMBEDDED]
        answer[A_A2A] += forward * r[A2A] + times * r[BACK + A2A]
        answer[A_AR] += forward * r[AR] + times * r[BACK + AR]
        answer[A_RS if r[REGATHER] > 0.0 else A_AR] += layers * r[REDUCE]
        answer[A_AG] += forward * r[AG] + times * (r[BACK + AG] + passes * r[GATHER])
        answer[A_RS] += forward * r[RS] + times * (r[BACK + RS] + r[SCATTER])
        answer[A_SEND] += forward * r[SENT] + times * r[BACK + SENT]
    answer[A_LAUNCH] += times * sums[at, R_LAUNCH]


FUNCTIONS: Final = (runs_again, fill_runs, tally)

"""The loop over configurations: items, runs, passes or a pipeline, optimizer. Compiled by Numba where it is installed, else plain Python.

Configurations of one plan and system that differ only in the batch go side by side, as lanes: what the batch does not touch is priced once for all, and
what it does in loops over lanes. Where the plan fixes the micro-batch, the batch only says how many of them there are: one lane is priced for all.

Without a pipeline, micro-batches in turn, each a forward and a backward pass; gradients of data parallelism are reduced in the last one, FSDP's in
each. After it the optimizer's bytes; ZeRO-1 and -2 gather the new weights.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from thrifty.cost.collectives import kernels as collectives
from thrifty.cost.kernels import attention, core, rows
from thrifty.cost.kernels.attention import attention_seconds
from thrifty.cost.kernels.core import gemm_seconds
from thrifty.cost.plans.physical import columns, layerwise, memory_batched, passes, pipelines, products, work
from thrifty.cost.plans.physical.columns import ANSWER, INTERLEAVED, ITEM, LAID, RECORD, RUN, TRAINING, UPPER
from thrifty.cost.plans.physical.layerwise import R_BACKWARD, R_FORWARD, R_LAST_BACKWARD, R_REGATHER, R_TRAINED, SUMS, fill_runs, tally
from thrifty.cost.plans.physical.memory_batched import memory_bytes
from thrifty.cost.plans.physical.passes import CLOCK, STREAMS, WAITED, backward_pass, forward_pass
from thrifty.cost.plans.physical.pipelines import pipeline_seconds
from thrifty.cost.plans.physical.work import EXCHANGE, EXCHANGE_KIND, EXCHANGE_ON, FETCHED, GATHER, ROOM, add, item_seconds, sharded_seconds

RECORDS: Final = len(RECORD)
ANSWERS: Final = len(ANSWER)
LANES: Final = 64
"""Configurations that go side by side: what they need stays in a core's cache."""
D_VALID, D_FIRST_ITEM, D_LAST_ITEM, D_FIRST_RUN, D_LAST_RUN, D_STAGES, D_SCHEDULE, D_INTERLEAVE, D_SEQUENCE, D_FUSED, D_MICRO, D_REPLICAS = (
    LAID[name] for name in (
        "valid", "first_item", "last_item", "first_run", "last_run", "stages", "schedule", "interleave", "sequence", "fused", "micro", "replicas",
    )
)  # fmt: skip
D_TRAINS, D_STATE, D_LORA, D_OPTIMIZER_OFF = (LAID[name] for name in ("trains", "state_bytes", "lora", "offload_optimizer"))
T_BYTE, T_HOST_BYTE = TRAINING["stream_byte_s"], TRAINING["host_byte_s"]
I_BLOCK, I_LEVEL, I_TRAINED, I_REACHED = (ITEM[name] for name in ("block", "level", "trained", "reached"))
U_ROLE: Final = RUN["role"]
A_ITERATION, A_GEMM, A_ATTENTION, A_ELEMENT, A_EMBEDDING, A_OPTIMIZER, A_A2A, A_AG, A_RS, A_EXPOSED, A_LAUNCH, A_BUBBLE, A_MEMORY, A_VALID = (
    ANSWER[name] for name in (
        "iteration", "gemm", "attention", "elementwise", "embedding", "optimizer", "all_to_all", "all_gather", "reduce_scatter", "exposed", "launch",
        "bubble", "memory", "valid",
    )
)  # fmt: skip
BAD_PLAN, BAD_BATCH, BAD_MICRO, BAD_INTERLEAVE = 0.0, -1.0, -2.0, -3.0
"""Why a configuration is not valid: its plan breaks a rule, or its batch does not divide."""


def run_passes(
    laid: Any, micro_batches: Any, sums: Any, repeat: Any, gather: Any, leave: Any, scatter: Any, reduce: Any, upper: int, exchange_N: Any, back: Any,
    exchange_on: int, state: Any, scratch: Any, lanes: int, end_N: Any,
) -> tuple[float, float]:  # fmt: skip
    """Fills end_N: when the last gradient is in, without a pipeline. exchange_on: stream of the exchange of lookups (-1: none); back: their gradients' too.

    Returns after how many micro-batches all further ones but the last are alike (0: not seen), and what each of them takes in the first lane.
    """
    count, streams = int(laid[D_LAST_RUN] - laid[D_FIRST_RUN]), len(state) - STREAMS
    trains = laid[D_TRAINS] > 0.0
    start, wait_N = scratch[5], scratch[4, WAITED]
    for row in range(len(state)):
        for i in range(lanes):
            state[row, i], start[row, i] = 0.0, 0.0
    done, settled, moved = 0.0, 0.0, 0.0
    while done < micro_batches:
        if exchange_on >= 0:
            forward_pass(state, 0, 1, repeat, sums, R_FORWARD, gather, leave, -1, wait_N, scratch, lanes)
            for i in range(lanes):
                wait_N[i] = state[STREAMS + exchange_on, i] = max(state[STREAMS + exchange_on, i], state[CLOCK, i]) + exchange_N[i]
            forward_pass(state, 1, count, repeat, sums, R_FORWARD, gather, leave, upper, wait_N, scratch, lanes)
        else:
            forward_pass(state, 0, count, repeat, sums, R_FORWARD, gather, leave, -1, wait_N, scratch, lanes)
        if trains:
            last = done + 1.0 >= micro_batches
            backward_pass(
                state, 0, count, repeat, sums, R_LAST_BACKWARD if last else R_BACKWARD, gather, scatter, reduce, last, upper - 1, exchange_N,
                exchange_on if back > 0.0 else -1, scratch, lanes,
            )  # fmt: skip
        done += 1.0
        if micro_batches - done > 1.0:  # it began and ended with the streams as far behind: every further one but the last is alike
            same = done > 1.0
            for i in range(lanes):
                close, now = 1e-13 * state[CLOCK, i], state[CLOCK, i] - start[CLOCK, i]
                if done > 1.0 and abs(now - start[1, i]) > close:
                    same = False
                for s in range(STREAMS, STREAMS + streams):
                    if abs(max(0.0, state[s, i] - state[CLOCK, i]) - max(0.0, start[s, i] - start[CLOCK, i])) > close:
                        same = False
                start[1, i] = now
            if same:
                settled, moved = done, start[1, 0]
                more = micro_batches - done - 1.0
                for i in range(lanes):
                    state[CLOCK, i] += more * start[1, i]
                    for s in range(STREAMS, STREAMS + streams):
                        state[s, i] += more * start[1, i]
                done += more
            for i in range(lanes):
                start[CLOCK, i] = state[CLOCK, i]
                for s in range(STREAMS, STREAMS + streams):
                    start[s, i] = state[s, i]
    for i in range(lanes):
        end_N[i] = state[CLOCK, i]
        for s in range(STREAMS, STREAMS + streams):
            end_N[i] = max(end_N[i], state[s, i])
    return settled, moved


def gathered(laid_of: Any, system_of: Any, plans: int, systems: int) -> Any:
    """The order in which configurations of one plan and system stand together; as they stand where they do already, or are of too many kinds."""
    changes = 0
    for c in range(1, len(laid_of)):
        if laid_of[c] != laid_of[c - 1] or system_of[c] != system_of[c - 1]:
            changes += 1
    order = np.arange(len(laid_of))
    if 8 * changes < len(laid_of) or plans * systems > len(laid_of):
        return order
    first = np.zeros(plans * systems + 1, np.int64)
    for c in range(len(laid_of)):
        first[laid_of[c] * systems + system_of[c] + 1] += 1
    for key in range(plans * systems):
        first[key + 1] += first[key]
    for c in range(len(laid_of)):
        key = laid_of[c] * systems + system_of[c]
        order[first[key]] = c
        first[key] += 1
    return order


def widest(laid_of: Any, system_of: Any, laids: Any, order: Any) -> int:
    """How many lanes are priced at once at most."""
    most, lanes = 1, 0
    for position in range(len(order)):
        c, before = order[position], order[max(0, position - 1)]
        laid = laids[laid_of[c]]
        if laid[D_MICRO] > 0.0 or laid[D_STAGES] > 1.0 or most == LANES:
            continue
        lanes = lanes + 1 if laid_of[c] == laid_of[before] and system_of[c] == system_of[before] else 1
        most = max(most, lanes)
    return most


def verdict_of(laid: Any, batch: Any) -> tuple[float, float, float]:
    """Whether a batch can be worked through (1, or why not), samples of a micro-batch, and how many there are."""
    stages, micro = laid[D_STAGES], laid[D_MICRO]
    share = np.floor(batch / laid[D_REPLICAS])
    if share < 1.0 or share * laid[D_REPLICAS] != batch:
        return BAD_BATCH, 0.0, 0.0
    if micro == 0.0:
        micro = 1.0 if stages > 1.0 else share
    micro_batches = np.floor(share / micro)
    if micro_batches * micro != share:
        return BAD_MICRO, 0.0, 0.0
    if stages > 1.0 and laid[D_SCHEDULE] == INTERLEAVED and laid[D_INTERLEAVE] > 1.0 and micro_batches % stages != 0.0:
        return BAD_INTERLEAVE, 0.0, 0.0
    return 1.0, micro, micro_batches


def loop(
    laid_of: Any, system_of: Any, batches: Any, laids: Any, runs: Any, run_items: Any, items: Any, blocks: Any, products: Any, levels: Any, reaches: Any,
    links: Any, rows: Any, trainings: Any, terms: Any, term_rows: Any, answers: Any, most_items: int, most_runs: int,
) -> None:  # fmt: skip
    """Fills answers (C, len(ANSWER)). Tables as `encoding.encode` makes them; links (S, T, P), rows (S, K) and trainings (S, N) by system."""
    streams = links.shape[1] + 1  # one a tier, and the copies to and from the host
    order = gathered(laid_of, system_of, len(laids), len(links))
    most = widest(laid_of, system_of, laids, order)
    records, fixed = np.zeros((most_items, RECORDS, most)), np.zeros((most_items, RECORDS))
    sums, repeat, room = np.zeros((most_runs, SUMS, most)), np.zeros(most_runs), np.zeros((ROOM, most))
    gather, scatter = np.zeros((most_runs + 1, streams)), np.zeros((most_runs + 1, streams))
    leave, reduce = np.zeros((most_runs, streams, most)), np.zeros((most_runs, streams, most))
    state, scratch = np.zeros((STREAMS + streams, most)), np.zeros((6, 6 * streams + 4, most))
    got, end_N = np.zeros((ANSWERS, most)), np.zeros(most)
    samples_N, count_N, of_N = np.zeros(LANES), np.zeros(LANES), np.zeros(LANES, np.int64)
    at_laid, at_system, priced = -1, -1, False
    known_end, known_count, settled, moved = 0.0, 0.0, 0.0, 0.0
    position = 0
    while position < len(batches):
        first = order[position]
        which, system = laid_of[first], system_of[first]
        laid = laids[which]
        fixed_micro = laid[D_MICRO] > 0.0 or laid[D_STAGES] > 1.0
        lanes = 0
        held = term_rows[which]
        while position < len(batches) and lanes < LANES:
            c = order[position]
            if laid_of[c] != which or system_of[c] != system:
                break
            position += 1
            if laid[D_VALID] <= 0.0:
                answers[c, A_VALID] = BAD_PLAN
                continue
            verdict, micro, micro_batches = verdict_of(laid, 1.0 * batches[c])
            answers[c, A_VALID] = verdict
            if verdict > 0.0:
                samples_N[lanes], count_N[lanes], of_N[lanes] = micro, micro_batches, c
                answers[c, A_MEMORY] = memory_bytes(terms[held[0] : held[1]], held[1] - held[0], micro, micro_batches)
                lanes += 1
        if lanes == 0:
            continue
        row, training, link = rows[system], trainings[system], links[system]
        first_item, last_item, first_run = int(laid[D_FIRST_ITEM]), int(laid[D_LAST_ITEM]), int(laid[D_FIRST_RUN])
        count = int(laid[D_LAST_RUN]) - first_run
        if which != at_laid or system != at_system:
            at_laid, at_system, priced, settled = which, system, False, 0.0
            for item in range(first_item, last_item):
                it, known = items[item], fixed[item - first_item]
                for at in range(GATHER, FETCHED + 1):
                    known[at] = 0.0
                sharded_seconds(
                    blocks[int(it[I_BLOCK])], levels[int(it[I_LEVEL])], reaches, link, training, it[I_TRAINED], laid[D_TRAINS], laid[D_LORA],
                    laid[D_STATE], known,
                )  # fmt: skip
        wide = 1 if fixed_micro else lanes
        if not (fixed_micro and priced):
            exchange_at, back = -1, 0.0
            for item in range(first_item, last_item):
                it, record, known = items[item], records[item - first_item], fixed[item - first_item]
                item_seconds(
                    blocks[int(it[I_BLOCK])], levels[int(it[I_LEVEL])], products, reaches, link, row, training, samples_N, wide, it[I_TRAINED],
                    it[I_REACHED], laid[D_SEQUENCE], laid[D_FUSED], laid[D_LORA], record, room,
                )  # fmt: skip
                for at in range(GATHER, FETCHED + 1):
                    if known[at] != 0.0:
                        for i in range(wide):
                            record[at, i] = known[at]
                if record[EXCHANGE, 0] > 0.0:
                    exchange_at, back = item - first_item, it[I_TRAINED]
            fill_runs(laid, runs, run_items, records, training, wide, sums, repeat, gather, leave, scatter, reduce, room)
            priced = True
        upper = 1
        for at in range(count - 1, 0, -1):
            if runs[first_run + at, U_ROLE] == UPPER:
                upper = at
        exchange_N = records[max(0, exchange_at), EXCHANGE]
        exchange_on = int(records[exchange_at, EXCHANGE_ON, 0]) if exchange_at >= 0 else -1
        kind = A_RS if exchange_at >= 0 and records[exchange_at, EXCHANGE_KIND, 0] > 0.0 else A_A2A
        for part in range(lanes if fixed_micro else 1):
            for at in range(ANSWERS):
                for i in range(wide):
                    got[at, i] = 0.0
            micro_batches = count_N[part]
            if laid[D_STAGES] > 1.0:
                end_N[0] = pipeline_seconds(
                    laid, runs, run_items, items, blocks, levels, records, sums, gather, scatter, reduce, micro_batches, samples_N[part], reaches, link,
                    training, got,
                )  # fmt: skip
            else:
                if settled > 0.0 and micro_batches > settled:
                    end_N[0] = known_end + (micro_batches - known_count) * moved
                else:
                    seen, each = run_passes(
                        laid, micro_batches, sums, repeat, gather, leave, scatter, reduce, upper, exchange_N, back, exchange_on, state, scratch, wide, end_N
                    )
                    if seen > 0.0:
                        settled, moved, known_end, known_count = seen, each, end_N[0], micro_batches
                for at in range(count):
                    tally(laid, runs, run_items, records, sums, at, repeat[at], micro_batches, wide, got)
                    add(got, A_OPTIMIZER, repeat[at] * (training[T_HOST_BYTE] if laid[D_OPTIMIZER_OFF] > 0.0 else training[T_BYTE]), sums[at], R_TRAINED, wide)
                    add(got, A_AG, repeat[at], sums[at], R_REGATHER, wide)
                    for i in range(wide):
                        end_N[i] += repeat[at] * sums[at, R_REGATHER, i]
                if exchange_at >= 0:
                    add(got, kind, micro_batches, records[exchange_at], EXCHANGE, wide)
                    if back > 0.0:
                        add(got, A_AG if kind == A_RS else A_A2A, micro_batches, records[exchange_at], EXCHANGE, wide)
                for i in range(wide):
                    end_N[i] += got[A_OPTIMIZER, i]
            for i in range(wide):
                end = end_N[i]
                computing = got[A_GEMM, i] + got[A_ATTENTION, i] + got[A_ELEMENT, i] + got[A_EMBEDDING, i] + got[A_OPTIMIZER, i]
                got[A_ITERATION, i] = end
                got[A_EXPOSED, i] = max(0.0, end - computing - got[A_LAUNCH, i] - got[A_BUBBLE, i])
            for i in range(wide):
                answer = answers[of_N[part + i]]
                for at in range(A_MEMORY):
                    answer[at] = got[at, i]


MODULES: Final = (collectives, attention, core, layerwise, memory_batched, passes, pipelines, products, work)
"""Where the functions stand that the loop calls."""


def _entry(stamp: int) -> Callable[..., None]:
    """The loop under a name of its own. Numba keeps compiled code by the file of the outermost function and its cells: `stamp` stands for the others."""

    def entry(
        laid_of: Any, system_of: Any, batches: Any, laids: Any, runs: Any, run_items: Any, items: Any, blocks: Any, products: Any, levels: Any, reaches: Any,
        links: Any, rows: Any, trainings: Any, terms: Any, term_rows: Any, answers: Any, most_items: int, most_runs: int,
    ) -> None:  # fmt: skip
        if stamp >= 0:
            loop(
                laid_of, system_of, batches, laids, runs, run_items, items, blocks, products, levels, reaches, links, rows, trainings, terms, term_rows,
                answers, most_items, most_runs,
            )  # fmt: skip

    return entry


@functools.cache
def kernel() -> Callable[..., None]:
    """`loop` as Numba compiles it, with all that it calls; as it is where Numba is not installed."""
    if not collectives.register():
        return loop
    import numba
    from numba.extending import register_jitable

    functions = (
        gemm_seconds, attention_seconds, *products.FUNCTIONS, *work.FUNCTIONS, *passes.FUNCTIONS, *layerwise.FUNCTIONS, *pipelines.FUNCTIONS, run_passes,
        memory_bytes, gathered, widest, verdict_of, loop,
    )  # fmt: skip
    for function in functions:
        register_jitable(function)
    stamp = zlib.crc32(b"".join(Path(str(module.__file__)).read_bytes() for module in (*MODULES, columns, rows)))
    compiled: Callable[..., None] = numba.njit(cache=True, error_model="numpy", nogil=True)(_entry(stamp))
    return compiled

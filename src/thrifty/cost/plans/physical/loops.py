"""The loop over configurations: items, runs, passes or a pipeline, optimizer. Compiled by Numba where it is installed, else plain Python.

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
from thrifty.cost.plans.physical import columns, layerwise, memory_batched, passes, pipelines, work
from thrifty.cost.plans.physical.columns import ANSWER, INTERLEAVED, ITEM, LAID, RECORD, RUN, TRAINING, UPPER
from thrifty.cost.plans.physical.layerwise import R_BACKWARD, R_FORWARD, R_LAST_BACKWARD, R_REGATHER, R_TRAINED, SUMS, fill_runs, tally
from thrifty.cost.plans.physical.memory_batched import memory_bytes
from thrifty.cost.plans.physical.passes import backward_pass, forward_pass
from thrifty.cost.plans.physical.pipelines import pipeline_seconds
from thrifty.cost.plans.physical.work import EXCHANGE, EXCHANGE_KIND, EXCHANGE_ON, FETCHED, GATHER, item_seconds, sharded_seconds

RECORDS: Final = len(RECORD)
MOST_REMEMBERED: Final = 40_000_000
"""Numbers kept of items and systems; beyond, each is priced anew."""
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
    laid: Any, micro_batches: Any, sums: Any, repeat: Any, gather: Any, leave: Any, scatter: Any, reduce: Any, none: Any, upper: int,
    exchange: Any, back_exchange: Any, exchange_on: int, streams: Any, clock: Any, compute: Any, scratch: Any, lag: Any,
) -> Any:  # fmt: skip
    """When the last gradient is in, without a pipeline."""
    count, kept = int(laid[D_LAST_RUN] - laid[D_FIRST_RUN]), len(streams)
    trains = laid[D_TRAINS] > 0.0
    clock[0] = 0.0
    for s in range(kept):
        streams[s] = 0.0
    done, moved = 0.0, 0.0
    while done < micro_batches:
        start = clock[0]
        for s in range(kept):
            lag[s] = max(0.0, streams[s] - start)
        for at in range(count):
            compute[at] = sums[at, R_FORWARD]
        if exchange > 0.0:
            forward_pass(clock, streams, 0, 1, repeat, compute, gather, leave, -1, 0.0, scratch)
            streams[exchange_on] = max(streams[exchange_on], clock[0]) + exchange
            forward_pass(clock, streams, 1, count, repeat, compute, gather, leave, upper, streams[exchange_on], scratch)
        else:
            forward_pass(clock, streams, 0, count, repeat, compute, gather, leave, -1, 0.0, scratch)
        if trains:
            last = done + 1.0 >= micro_batches
            for at in range(count):
                compute[at] = sums[at, R_LAST_BACKWARD] if last else sums[at, R_BACKWARD]
            backward_pass(clock, streams, 0, count, repeat, compute, gather, scatter, reduce if last else none, upper - 1, back_exchange, exchange_on, scratch)
        done += 1.0
        close = 1e-13 * clock[0]
        same = abs(clock[0] - start - moved) <= close
        for s in range(kept):
            if abs(max(0.0, streams[s] - clock[0]) - lag[s]) > close:
                same = False
        moved = clock[0] - start
        if same and micro_batches - done > 1.0:  # it began and ended with the streams as far behind: every further one but the last is alike
            more = micro_batches - done - 1.0
            clock[0] += more * moved
            for s in range(kept):
                streams[s] += more * moved
            done += more
    end = clock[0]
    for s in range(kept):
        end = max(end, streams[s])
    return end


def loop(
    laid_of: Any, system_of: Any, batches: Any, laids: Any, runs: Any, run_items: Any, items: Any, blocks: Any, products: Any, levels: Any, reaches: Any,
    links: Any, rows: Any, trainings: Any, terms: Any, term_rows: Any, answers: Any, most_items: int, most_runs: int,
) -> None:  # fmt: skip
    """answers (C, len(ANSWER)), zeros. laid_of, system_of, batches (C,); links (S, T, P), rows (S, K), trainings (S, len(TRAINING))."""
    kept = links.shape[1] + 1  # streams: one a tier, and copying to the host
    records, sums, repeat = np.zeros((most_items, RECORDS)), np.zeros((most_runs, SUMS)), np.zeros(most_runs)
    gather, leave, scatter = np.zeros((most_runs, kept)), np.zeros((most_runs, kept)), np.zeros((most_runs, kept))
    reduce, none = np.zeros((most_runs, kept)), np.zeros((most_runs, kept))
    streams, lag, clock, compute, scratch = np.zeros(kept), np.zeros(kept), np.zeros(1), np.zeros(most_runs), np.zeros((5, 3 * kept + 3))
    remember = len(items) * len(links) * RECORDS <= MOST_REMEMBERED  # what does not depend on the batch is priced once an item and system
    shared = np.full((len(items) if remember else 1, len(links) if remember else 1, FETCHED + 1), -1.0)
    for c in range(len(batches)):
        laid, answer = laids[laid_of[c]], answers[c]
        if laid[D_VALID] <= 0.0:
            answer[A_VALID] = BAD_PLAN
            continue
        batch, replicas, stages, micro = 1.0 * batches[c], laid[D_REPLICAS], laid[D_STAGES], laid[D_MICRO]
        share = np.floor(batch / replicas)
        if share < 1.0 or share * replicas != batch:
            answer[A_VALID] = BAD_BATCH
            continue
        if micro == 0.0:
            micro = 1.0 if stages > 1.0 else share
        micro_batches = np.floor(share / micro)
        if micro_batches * micro != share:
            answer[A_VALID] = BAD_MICRO
            continue
        if stages > 1.0 and laid[D_SCHEDULE] == INTERLEAVED and laid[D_INTERLEAVE] > 1.0 and micro_batches % stages != 0.0:
            answer[A_VALID] = BAD_INTERLEAVE
            continue
        answer[A_VALID] = 1.0
        held = term_rows[laid_of[c]]
        answer[A_MEMORY] = memory_bytes(terms[held[0] : held[1]], held[1] - held[0], micro, micro_batches)
        system = system_of[c]
        row, training, link = rows[system], trainings[system], links[system]
        first_item = int(laid[D_FIRST_ITEM])
        exchange, back_exchange, exchange_on, exchange_kind = 0.0, 0.0, 0, 0.0
        for item in range(first_item, int(laid[D_LAST_ITEM])):
            it, record = items[item], records[item - first_item]
            item_seconds(
                blocks[int(it[I_BLOCK])], levels[int(it[I_LEVEL])], products, reaches, link, row, training, micro, it[I_TRAINED], it[I_REACHED],
                laid[D_SEQUENCE], laid[D_FUSED], laid[D_LORA], record,
            )  # fmt: skip
            known = shared[item, system] if remember else shared[0, 0]
            if not remember or known[FETCHED] < 0.0:
                for at in range(GATHER, FETCHED + 1):
                    known[at] = 0.0
                sharded_seconds(
                    blocks[int(it[I_BLOCK])], levels[int(it[I_LEVEL])], reaches, link, training, it[I_TRAINED], laid[D_TRAINS], laid[D_LORA],
                    laid[D_STATE], known,
                )  # fmt: skip
            for at in range(GATHER, FETCHED + 1):
                if known[at] != 0.0:
                    record[at] = known[at]
            if record[EXCHANGE] > 0.0:
                exchange, exchange_on, exchange_kind = record[EXCHANGE], int(record[EXCHANGE_ON]), record[EXCHANGE_KIND]
                back_exchange = exchange * it[I_TRAINED]
        fill_runs(laid, runs, run_items, records, training, sums, repeat, gather, leave, scatter, reduce)
        first_run, count = int(laid[D_FIRST_RUN]), int(laid[D_LAST_RUN] - laid[D_FIRST_RUN])
        if stages > 1.0:
            end = pipeline_seconds(
                laid, runs, run_items, items, blocks, levels, records, sums, gather, scatter, reduce, micro_batches, micro, reaches, link, training, answer
            )
        else:
            upper = 1
            for at in range(count - 1, 0, -1):
                if runs[first_run + at, U_ROLE] == UPPER:
                    upper = at
            end = run_passes(
                laid, micro_batches, sums, repeat, gather, leave, scatter, reduce, none, upper, exchange, back_exchange, exchange_on, streams, clock, compute,
                scratch, lag,
            )
            trained, regather = 0.0, 0.0
            for at in range(count):
                tally(laid, runs, run_items, records, sums, at, repeat[at], micro_batches, answer)
                trained += repeat[at] * sums[at, R_TRAINED]
                regather += repeat[at] * sums[at, R_REGATHER]
            back = micro_batches if back_exchange > 0.0 else 0.0
            if exchange_kind > 0.0:
                answer[A_RS] += micro_batches * exchange
                answer[A_AG] += back * exchange
            else:
                answer[A_A2A] += (micro_batches + back) * exchange
            answer[A_OPTIMIZER] = trained * (training[T_HOST_BYTE] if laid[D_OPTIMIZER_OFF] > 0.0 else training[T_BYTE])
            answer[A_AG] += regather
            end += answer[A_OPTIMIZER] + regather
        answer[A_ITERATION] = end
        computing = answer[A_GEMM] + answer[A_ATTENTION] + answer[A_ELEMENT] + answer[A_EMBEDDING] + answer[A_OPTIMIZER]
        answer[A_EXPOSED] = max(0.0, end - computing - answer[A_LAUNCH] - answer[A_BUBBLE])


MODULES: Final = (collectives, attention, core, layerwise, memory_batched, passes, pipelines, work)
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
        gemm_seconds, attention_seconds, *work.FUNCTIONS, *passes.FUNCTIONS, *layerwise.FUNCTIONS, *pipelines.FUNCTIONS, run_passes, memory_bytes, loop,
    )  # fmt: skip
    for function in functions:
        register_jitable(function)
    stamp = zlib.crc32(b"".join(Path(str(module.__file__)).read_bytes() for module in (*MODULES, columns, rows)))
    compiled: Callable[..., None] = numba.njit(cache=True, error_model="numpy", nogil=True)(_entry(stamp))
    return compiled

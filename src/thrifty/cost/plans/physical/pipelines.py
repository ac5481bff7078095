"""A pipeline's iteration from what its stages take for one micro-batch.

    T = m · slowest + bubble + 2 (p-1) sends + gradients that outlast the last backward pass
    bubble: forward and backward of all stages but the slowest (1F1B and GPipe alike); a v-th of it when interleaved; with zero-bubble's first schedule
    (ZB-H1) less twice their weight gradients, which fill the gaps

A layer whose weights are gathered takes as long as the slower of computing and gathering. Sends between stages hide behind computing, but for those
that fill and drain the pipeline. The event graph of `graphs` runs the schedule itself; tests hold both beside each other.
"""

from __future__ import annotations

from typing import Any, Final

from thrifty.cost.collectives.kernels import ALL_GATHER, SEND, tiers_seconds
from thrifty.cost.plans.physical.columns import ANSWER, BLOCK, EMBEDDING, HEAD, INTERLEAVED, ITEM, LAID, LEVEL, RUN, TRAINING, ZERO_BUBBLE
from thrifty.cost.plans.physical.layerwise import R_BACKWARD, R_FORWARD, R_REGATHER, R_TRAINED, R_WGRAD, tally

D_FIRST_RUN, D_LAST_RUN, D_STAGES, D_SCHEDULE, D_INTERLEAVE, D_TRAINS, D_BODY, D_STAGES_AT, D_SEQUENCE = (
    LAID[name] for name in ("first_run", "last_run", "stages", "schedule", "interleave", "trains", "body", "stages_at", "sequence")
)  # fmt: skip
U_FIRST, U_REPEAT, U_ROLE = (RUN[name] for name in ("first_item", "repeat", "role"))
A_OPTIMIZER, A_SEND, A_BUBBLE, A_AG, A_AR, A_RS = (
    ANSWER[name] for name in ("optimizer", "send", "bubble", "all_gather", "all_reduce", "reduce_scatter")
)  # fmt: skip
B_WIDTH, B_NUMBER = BLOCK["width"], BLOCK["number_bytes"]
T_BYTE = TRAINING["stream_byte_s"]
ITEM_BLOCK, ITEM_LEVEL = ITEM["block"], ITEM["level"]
L_TP, L_CP, L_TP_AT = LEVEL["tp"], LEVEL["cp"], LEVEL["tp_at"]


def stage_layers(laid: Any, runs: Any, at: int, stage: int) -> Any:
    """Layers of run `at` that stand on `stage`: the body's go round in chunks, tables and embedding on the first, the head on the last."""
    run = runs[int(laid[D_FIRST_RUN]) + at]
    if run[U_ROLE] == EMBEDDING:
        return run[U_REPEAT] if stage == 0 else 0.0
    stages = laid[D_STAGES]
    if run[U_ROLE] == HEAD:
        return run[U_REPEAT] if stage == stages - 1.0 else 0.0
    if run[U_REPEAT] == laid[D_BODY]:
        return laid[D_BODY] / stages
    before = 0.0
    for other in range(at):
        role = runs[int(laid[D_FIRST_RUN]) + other, U_ROLE]
        if role != EMBEDDING and role != HEAD:
            before += runs[int(laid[D_FIRST_RUN]) + other, U_REPEAT]
    chunks = max(1.0, laid[D_INTERLEAVE])
    size = laid[D_BODY] / (stages * chunks)
    found = 0.0
    for chunk in range(int(chunks)):
        low = (chunk * stages + stage) * size
        found += max(0.0, min(low + size, before + run[U_REPEAT]) - max(low, before))
    return found


def send_seconds(laid: Any, runs: Any, run_items: Any, items: Any, blocks: Any, levels: Any, samples: Any, reaches: Any, links: Any) -> Any:
    """One hand-over of a micro-batch between neighbouring stages: each rank of tensor parallelism sends its part, which is gathered on arrival."""
    for at in range(int(laid[D_FIRST_RUN]), int(laid[D_LAST_RUN])):
        if runs[at, U_ROLE] != EMBEDDING and runs[at, U_ROLE] != HEAD:
            item = items[run_items[int(runs[at, U_FIRST])]]
            block, level = blocks[int(item[ITEM_BLOCK])], levels[int(item[ITEM_LEVEL])]
            size = samples * block[B_WIDTH] * block[B_NUMBER] / level[L_CP]
            sent = tiers_seconds(SEND, size / level[L_TP], reaches[int(laid[D_STAGES_AT])], links)
            if laid[D_SEQUENCE] == 0.0 and level[L_TP] > 1.0:
                sent += tiers_seconds(ALL_GATHER, size, reaches[int(level[L_TP_AT])], links)
            return sent
    return 0.0


def after_last(laid: Any, runs: Any, sums: Any, reduce: Any, stage: int) -> Any:
    """What follows a stage's last backward pass: seconds of reducing gradients, and how long that outlasts the pass, bytes of the optimizer, seconds of
    gathering weights again.

    Of alike layers the last one's gradients wait for its own pass, or for those of all others to be through.
    """
    whole, outlasts, trained, regather = 0.0, 0.0, 0.0, 0.0
    for at in range(int(laid[D_LAST_RUN] - laid[D_FIRST_RUN])):
        layers = stage_layers(laid, runs, at, stage)
        trained += layers * sums[at, R_TRAINED, 0]
        regather += layers * sums[at, R_REGATHER, 0]
        reduced = 0.0
        for s in range(reduce.shape[1]):
            reduced += reduce[at, s, 0]
        whole += layers * reduced
        if layers > 0.0 and reduced > 0.0:
            outlasts += max(reduced, layers * reduced - (layers - 1.0) * sums[at, R_BACKWARD, 0])
    return whole, outlasts, trained, regather


def pipeline_seconds(
    laid: Any, runs: Any, run_items: Any, items: Any, blocks: Any, levels: Any, records: Any, sums: Any, gather: Any, scatter: Any, reduce: Any,
    micro_batches: Any, samples: Any, reaches: Any, links: Any, training: Any, answer: Any,
) -> Any:  # fmt: skip
    """Seconds of the iteration, for the first lane; kinds of work of the slowest stage are added to `answer` (ANSWER, N)."""
    count, stages, trains = int(laid[D_LAST_RUN] - laid[D_FIRST_RUN]), int(laid[D_STAGES]), laid[D_TRAINS]
    slowest, slow_at, slow_hidden, whole, hidden, each, wgrads = 0.0, 0, 0.0, 0.0, 0.0, 0.0, 0.0
    alike = False  # the inner stages, where the body is one run
    for at in range(count):
        if runs[int(laid[D_FIRST_RUN]) + at, U_REPEAT] == laid[D_BODY]:
            alike = True
    for stage in range(stages):
        if alike and 1 < stage < stages - 1:
            whole += each
            hidden += wgrads
            continue
        each, wgrads = 0.0, 0.0
        for at in range(count):
            layers = stage_layers(laid, runs, at, stage)
            if layers > 0.0:
                gathers, scatters = 0.0, 0.0
                for s in range(gather.shape[1]):
                    gathers = max(gathers, gather[at, s])
                    scatters = max(scatters, gather[at, s] + scatter[at, s])
                each += layers * max(sums[at, R_FORWARD, 0], gathers)
                if trains > 0.0:
                    each += layers * max(sums[at, R_BACKWARD, 0], scatters)
                    wgrads += layers * sums[at, R_WGRAD, 0]
        whole += each
        hidden += wgrads
        if each > slowest:
            slowest, slow_at, slow_hidden = each, stage, wgrads
    bubble = whole - slowest
    if laid[D_SCHEDULE] == INTERLEAVED:
        bubble /= max(1.0, laid[D_INTERLEAVE])
    elif laid[D_SCHEDULE] == ZERO_BUBBLE and trains > 0.0:
        bubble = max(0.0, bubble - 2.0 * (hidden - slow_hidden))
    ways = 2.0 if trains > 0.0 else 1.0
    one = send_seconds(laid, runs, run_items, items, blocks, levels, samples, reaches, links)
    answer[A_SEND, 0] += ways * one * micro_batches * max(1.0, laid[D_INTERLEAVE])
    for at in range(count):
        tally(laid, runs, run_items, records, sums, at, stage_layers(laid, runs, at, slow_at), micro_batches, 1, answer)
    reduced, outlasts, trained, regather = after_last(laid, runs, sums, reduce, 0)  # the first stage is the last to finish
    beside = after_last(laid, runs, sums, reduce, slow_at)[0]
    answer[A_RS if regather > 0.0 else A_AR, 0] += max(0.0, reduced - beside)
    answer[A_BUBBLE, 0] = bubble
    answer[A_OPTIMIZER, 0] = trained * training[T_BYTE]
    answer[A_AG, 0] += regather
    return micro_batches * slowest + bubble + ways * (stages - 1.0) * one + outlasts + answer[A_OPTIMIZER, 0] + regather


FUNCTIONS: Final = (stage_layers, send_seconds, after_last, pipeline_seconds)

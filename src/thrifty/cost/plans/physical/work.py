"""Seconds of one item (a block under its level, trained or not) for one micro-batch: computing, and communication that it stops for.

Plain functions on rows of numbers, which Numba compiles into the loop (see `loops`). Per block

    product    (rows, n/t, k) or (rows, n, k/t), backward the gradients of input and of weight, each with its own shape
    attention  fused, or scores written out: two batched products, and softmax with dropout as a stream of bytes; backward four products
    streams    bytes over sustained bandwidth
    tensor parallelism: an all-reduce (or, with sequence parallelism, all-gather and reduce-scatter) forward, that computing waits for; backward the
    weight gradient of column-cut products hides it, and a tax on what is hidden stays
    experts    all-to-all there and back, forward and backward; context parallelism passes keys and values round a ring behind attention
    launching  kernels and collectives, by the host: sqrt(device² + host²) of a layer, for host and device take turns in being late
"""

from __future__ import annotations

from typing import Any, Final

from thrifty.cost.collectives.kernels import ALL_GATHER, ALL_REDUCE, ALL_TO_ALL, REDUCE_SCATTER, SEND, tiers_seconds
from thrifty.cost.kernels.attention import attention_seconds
from thrifty.cost.kernels.core import OVERLAP, gemm_seconds
from thrifty.cost.plans.physical.columns import BLOCK, COLUMN, LEVEL, PRODUCT, RECORD, ROW, TRAINING
from thrifty.cost.plans.physical.products import gemm_lanes

P_ROWS, P_N, P_K, P_COUNT, P_SPLIT, P_EXPERT = (PRODUCT[name] for name in ("rows", "n", "k", "count", "split", "expert"))
B_FIRST, B_LAST, B_HEADS, B_KV, B_QUERIES, B_KEYS, B_DIM, B_VALUE, B_CAUSAL = (
    BLOCK[name] for name in ("first_product", "last_product", "heads", "kv_heads", "queries", "keys", "head_dim", "value_dim", "causal")
)  # fmt: skip
B_ROW, B_HANDED, B_ROWS, B_POOLED, B_WEIGHTS, B_EXPERT_WEIGHTS, B_EXPERTS, B_ACTIVE, B_WIDTH = (
    BLOCK[name] for name in (
        "row_bytes", "handed_on", "fetched_rows", "pooled", "weights", "expert_weights", "experts", "active", "width",
    )
)  # fmt: skip
B_CUT_F, B_CUT_B, B_WHOLE_F, B_WHOLE_B, B_KERNELS, B_SUMS_F, B_SUMS_B, B_NUMBER, B_WEIGHT, B_ROUTED, B_THIN, B_KEPT_CUT, B_KEPT_WHOLE = (
    BLOCK[name] for name in (
        "cut_forward_bytes", "cut_backward_bytes", "whole_forward_bytes", "whole_backward_bytes", "kernels", "sums_forward", "sums_backward",
        "number_bytes", "weight_bytes", "routed", "thin", "kept_cut", "kept_whole",
    )
)  # fmt: skip
L_TP, L_CP, L_EP, L_FSDP, L_DP, L_ZERO, L_TABLES, L_ROW_WISE = (LEVEL[n] for n in ("tp", "cp", "ep", "fsdp", "dp", "zero", "tables", "row_wise"))
L_TP_AT, L_CP_AT, L_EP_AT, L_FSDP_AT, L_DP_AT, L_TABLES_AT, L_SPREAD_AT = (LEVEL[f"{n}_at"] for n in ("tp", "cp", "ep", "fsdp", "dp", "tables", "spread"))
L_SAMPLES, L_SPREAD = LEVEL["samples"], LEVEL["spread"]
T_PRODUCT, T_BYTE, T_KERNEL, T_COLLECTIVE, T_TAX, T_SCORE_F, T_SCORE_B, T_GRADIENT, T_ACCUMULATE, T_EXPERT, T_TABLE, T_SECTOR = (
    TRAINING[name] for name in (
        "product", "stream_byte_s", "kernel_s", "collective_s", "tax", "score_forward_bytes", "score_backward_bytes", "gradient_bytes",
        "accumulate_bytes", "expert_imbalance", "table_imbalance", "sector_bytes",
    )
)  # fmt: skip
GEMM, ATTENTION, ELEMENT, EMBEDDED, A2A, AR, AG, RS, SENT, WAITS, HOST = range(11)
BACK: Final = 11
CORE, WGRAD, GATHER, GATHER_ON, SCATTER, SCATTER_ON, REDUCE, REDUCE_ON, REGATHER, TRAINED, EXCHANGE, EXCHANGE_ON, EXCHANGE_KIND, FETCHED, KEPT = (
    RECORD[name] for name in (
        "core", "wgrad", "gather", "gather_on", "scatter", "scatter_on", "reduce", "reduce_on", "regather", "trained", "exchange", "exchange_on",
        "exchange_kind", "fetched", "kept",
    )
)  # fmt: skip
SAMPLES, HERE, ROWS, CONSTANT, MEMORY, AHEAD, BEHIND, OF_WEIGHTS, HIDING = range(9)
ROOM: Final = 9
"""Rows of the room between: samples, those here under context parallelism, sizes of products, and seconds that are not yet counted."""
FORWARD_CORE_KERNELS: Final = 7.0
BACKWARD_CORE_KERNELS: Final = 10.0
"""Kernels of attention with its scores written out: transposes, two products, scaling with mask and softmax, dropout."""


def outermost(counts_T: Any) -> Any:
    """The tier that a group reaches to: the stream that its collectives run on."""
    at = 0.0
    for tier in range(len(counts_T)):
        if counts_T[tier] > 1.0:
            at = 1.0 * tier
    return at


def add(into_RN: Any, row: int, factor: Any, from_RN: Any, other: int, lanes: int) -> None:
    """Rows are named, not handed over: a view of one costs more than the sum of a lane."""
    for i in range(lanes):
        into_RN[row, i] += factor * from_RN[other, i]


def moved(kind: Any, factor: Any, from_RN: Any, other: int, counts_T: Any, links: Any, lanes: int, into_RN: Any, row: int) -> None:
    """Seconds of a collective of factor · (samples of a row) bytes in every lane."""
    for i in range(lanes):
        into_RN[row, i] = tiers_seconds(kind, factor * from_RN[other, i], counts_T, links)


def expert_seconds(n: Any, k: Any, experts: Any, row: Any, training: Any, trained: Any, reached: Any, lanes: int, room: Any) -> None:
    """Products of the experts on a device: few tokens visit few of them. Rows of `room`: tokens, then seconds forward, backward, of weights."""
    factor = training[T_PRODUCT]
    for i in range(lanes):
        m = room[ROWS, i]
        batch = min(experts, max(1.0, m))
        m = max(1.0, m * training[T_EXPERT] / batch)
        room[ROWS, i] = m
        room[AHEAD, i] = gemm_seconds(m, n, k, batch, row)
        room[BEHIND, i] = room[AHEAD, i]
        if reached > 0.0 and n != k:
            room[BEHIND, i] = gemm_seconds(m, k, n, batch, row)
        room[OF_WEIGHTS, i] = 0.0
        if reached > 0.0 and trained > 0.0:
            room[OF_WEIGHTS, i] = gemm_seconds(n, k, m, batch, row) * factor + batch * n * k * training[T_ACCUMULATE] * row[OVERLAP] * training[T_BYTE]


def products_seconds(
    block: Any, level: Any, products: Any, row: Any, training: Any, sequence: Any, lora: Any, trained: Any, reached: Any, lanes: int, record: Any, room: Any
) -> Any:  # fmt: skip
    """Adds products of room[HERE] samples to `record`; room[HIDING]: seconds of the weight gradients that hide the sum over ranks. Returns kernels forward."""
    tp, factor = level[L_TP], training[T_PRODUCT]
    kernels = 0.0
    for i in range(lanes):
        room[HIDING, i] = 0.0
    for at in range(int(block[B_FIRST]), int(block[B_LAST])):
        product = products[at]
        split, count, n, k = product[P_SPLIT], product[P_COUNT], product[P_N], product[P_K]
        rows = product[P_ROWS]
        share = tp if split != COLUMN and split != ROW and sequence > 0.0 else 1.0
        if split == COLUMN:
            n /= tp
        elif split == ROW:
            k /= tp
        expert = product[P_EXPERT] > 0.0
        for i in range(lanes):
            m = rows * room[HERE, i] / share
            room[ROWS, i] = m if expert else max(1.0, m)
        if expert:
            expert_seconds(n, k, block[B_EXPERTS] / level[L_EP], row, training, trained, reached, lanes, room)
        else:
            for i in range(lanes):
                room[CONSTANT, i] = k
            gemm_lanes(room, ROWS, n, CONSTANT, 1.0, row, lanes, MEMORY, AHEAD)
            if reached > 0.0:
                if n != k:
                    for i in range(lanes):
                        room[CONSTANT, i] = n
                    gemm_lanes(room, ROWS, k, CONSTANT, 1.0, row, lanes, MEMORY, BEHIND)
                if trained > 0.0:
                    # The gradient is added to an fp32 one: so many bytes more, as little hidden as the product's own.
                    for i in range(lanes):
                        room[CONSTANT, i] = n
                    gemm_lanes(room, CONSTANT, k, ROWS, 1.0, row, lanes, MEMORY, OF_WEIGHTS)
                    added = n * k * training[T_ACCUMULATE] * row[OVERLAP] * training[T_BYTE]
                    for i in range(lanes):
                        room[OF_WEIGHTS, i] = room[OF_WEIGHTS, i] * factor + added
        add(record, GEMM, count * factor, room, AHEAD, lanes)
        kernels += count
        if reached > 0.0:
            add(record, BACK + GEMM, count * factor, room, AHEAD if n == k else BEHIND, lanes)
            if trained > 0.0:
                add(record, BACK + GEMM, count, room, OF_WEIGHTS, lanes)
                add(record, WGRAD, count, room, OF_WEIGHTS, lanes)
                if split == COLUMN:
                    add(room, HIDING, count, room, OF_WEIGHTS, lanes)
        if lora > 0.0:
            for i in range(lanes):
                m = room[ROWS, i]
                batch = 1.0
                if expert:
                    batch = min(block[B_EXPERTS] / level[L_EP], max(1.0, rows * room[HERE, i] / share))
                thin = (gemm_seconds(m, lora, k, batch, row) + gemm_seconds(m, n, lora, batch, row)) * factor
                record[GEMM, i] += count * thin
                record[BACK + GEMM, i] += 2.0 * count * thin
            kernels += 2.0 * count
    return kernels


def core_seconds(block: Any, level: Any, row: Any, training: Any, samples: Any, fused: Any, backward: Any) -> Any:
    """(forward, backward) seconds of attention's core on one device; context parallelism shares it out evenly."""
    heads, kv_heads = block[B_HEADS] / level[L_TP], max(1.0, block[B_KV] / level[L_TP])
    q, s, d, v = block[B_QUERIES], block[B_KEYS], block[B_DIM], block[B_VALUE]
    if fused > 0.0:
        causal = block[B_CAUSAL] > 0.0
        forward = attention_seconds(samples, heads, kv_heads, q, s, d, v, causal, False, row)
        back = attention_seconds(samples, heads, kv_heads, q, s, d, v, causal, True, row) if backward > 0.0 else 0.0
        return forward / level[L_CP], back / level[L_CP]
    batch, factor = samples * heads, training[T_PRODUCT]
    scores = batch * q * s * training[T_BYTE]
    copies = samples * q * (2.0 * heads * (d + v)) * block[B_NUMBER] * 2.0 * training[T_BYTE]  # queries, keys, values and result change places
    up, down = gemm_seconds(q, s, d, batch, row) * factor, gemm_seconds(q, v, s, batch, row) * factor
    forward = up + down + scores * training[T_SCORE_F] + copies
    back = 2.0 * (up + down) + scores * training[T_SCORE_B] + copies
    return forward / level[L_CP], back / level[L_CP]


def ring_seconds(block: Any, level: Any, reaches: Any, links: Any, reached: Any, lanes: int, record: Any, room: Any) -> None:
    """Context parallelism: keys and values go round a ring while queries stay. room[BEHIND]: seconds of attention's backward core."""
    tp, cp = level[L_TP], level[L_CP]
    size = block[B_KEYS] / cp * max(1.0, block[B_KV] / tp) * (block[B_DIM] + block[B_VALUE]) * block[B_NUMBER]
    moved(SEND, size, room, SAMPLES, reaches[int(level[L_CP_AT])], links, lanes, room, AHEAD)
    for i in range(lanes):
        ring = (cp - 1.0) * room[AHEAD, i]
        record[SENT, i] += ring
        record[WAITS, i] += max(0.0, ring - record[CORE, i])
        if reached > 0.0:
            record[BACK + SENT, i] += 2.0 * ring
            record[BACK + WAITS, i] += max(0.0, 2.0 * ring - room[BEHIND, i])


def item_seconds(
    block: Any, level: Any, products: Any, reaches: Any, links: Any, row: Any, training: Any, samples_N: Any, lanes: int, trained: Any, reached: Any,
    sequence: Any, fused: Any, lora: Any, record: Any, room: Any,
) -> None:  # fmt: skip
    """Fills `record` (RECORD, N) for so many samples of one micro-batch of a replica in every lane, but for what `sharded_seconds` says.

    room: (ROOM, N) for what lies between
    """
    for at in range(len(record)):
        for i in range(lanes):
            record[at, i] = 0.0
    tp, cp, ep, tax, byte_s = level[L_TP], level[L_CP], level[L_EP], training[T_TAX], training[T_BYTE]
    for i in range(lanes):
        room[SAMPLES, i] = samples_N[i] * level[L_SAMPLES]
        room[HERE, i] = room[SAMPLES, i] / cp
    number = block[B_NUMBER]
    kernels = products_seconds(block, level, products, row, training, sequence, lora, trained, reached, lanes, record, room)
    launched, launched_back = kernels + block[B_KERNELS], 0.0
    if block[B_HEADS] > 0.0:
        for i in range(lanes):
            core, back = core_seconds(block, level, row, training, room[SAMPLES, i], fused, reached)
            record[ATTENTION, i] += core
            record[CORE, i] = core
            room[BEHIND, i] = back
            if reached > 0.0:
                record[BACK + ATTENTION, i] += back
        launched += 1.0 if fused > 0.0 else FORWARD_CORE_KERNELS
        launched_back += 1.0 if fused > 0.0 else BACKWARD_CORE_KERNELS
        if cp > 1.0:
            ring_seconds(block, level, reaches, links, reached, lanes, record, room)
    outside = tp if sequence > 0.0 else 1.0
    add(record, ELEMENT, (block[B_CUT_F] / tp + block[B_WHOLE_F] / outside) * byte_s, room, HERE, lanes)
    if reached > 0.0:
        add(record, BACK + ELEMENT, (block[B_CUT_B] / tp + block[B_WHOLE_B] / outside) * byte_s, room, HERE, lanes)
        add(record, KEPT, block[B_KEPT_CUT] / tp + block[B_KEPT_WHOLE] / outside, room, HERE, lanes)
        launched_back += 2.0 * kernels + 1.7 * block[B_KERNELS]
    if block[B_ROWS] > 0.0:
        lookup_seconds(block, level, reaches, links, training, trained, lanes, record, room)
        launched += 1.0
        launched_back += 2.0 * trained
    collectives = 0.0
    if tp > 1.0 and block[B_SUMS_F] + block[B_SUMS_B] > 0.0:
        tensor_seconds(block, level, reaches, links, tax, reached, sequence, lanes, record, room)
        collectives = block[B_SUMS_F]
    if ep > 1.0 and block[B_ROUTED] > 0.0:
        moved(ALL_TO_ALL, block[B_ROUTED] * number / outside * training[T_EXPERT], room, HERE, reaches[int(level[L_EP_AT])], links, lanes, room, AHEAD)
        for back in (0, BACK):
            if back == 0 or reached > 0.0:
                add(record, back + A2A, 2.0, room, AHEAD, lanes)
                add(record, back + WAITS, 2.0, room, AHEAD, lanes)
        collectives += 2.0
    for i in range(lanes):
        record[HOST, i] = launched * training[T_KERNEL] + collectives * training[T_COLLECTIVE]
        if reached > 0.0:
            record[BACK + HOST, i] = launched_back * training[T_KERNEL] + collectives * training[T_COLLECTIVE]


def tensor_seconds(block: Any, level: Any, reaches: Any, links: Any, tax: Any, reached: Any, sequence: Any, lanes: int, record: Any, room: Any) -> None:
    """What ranks of tensor parallelism sum up; room[HIDING]: seconds of weight gradients that hide it backward."""
    size, counts = block[B_WIDTH] * block[B_NUMBER], reaches[int(level[L_TP_AT])]
    forward, backward = block[B_SUMS_F], block[B_SUMS_B]
    if sequence > 0.0:
        moved(ALL_GATHER, size, room, HERE, counts, links, lanes, room, AHEAD)
        moved(REDUCE_SCATTER, size, room, HERE, counts, links, lanes, room, BEHIND)
        add(record, AG, forward, room, AHEAD, lanes)
        add(record, RS, forward, room, BEHIND, lanes)
    else:
        moved(ALL_REDUCE, size, room, HERE, counts, links, lanes, room, AHEAD)
        for i in range(lanes):
            room[BEHIND, i] = 0.0
        add(record, AR, forward, room, AHEAD, lanes)
    for i in range(lanes):
        one = room[AHEAD, i] + room[BEHIND, i]
        record[WAITS, i] += one * forward
        if reached > 0.0:
            back, hiding = one * backward, room[HIDING, i]
            record[BACK + WAITS, i] += max(0.0, back - hiding)
            if sequence > 0.0:  # the input is gathered once more for the weight gradient
                again = room[AHEAD, i] * backward
                record[BACK + AG, i] += again + again
                record[BACK + RS, i] += room[BEHIND, i] * backward
                record[BACK + ELEMENT, i] += tax * (min(back, hiding) + again)
            else:
                record[BACK + AR, i] += back
                record[BACK + ELEMENT, i] += tax * min(back, hiding)


def sharded_seconds(
    block: Any, level: Any, reaches: Any, links: Any, training: Any, trained: Any, trains: Any, lora: Any, state_bytes: Any, record: Any
) -> None:  # fmt: skip
    """Gathering, scattering and reducing of weights and gradients, and the bytes that the optimizer moves: no matter how many samples."""
    fsdp, dp = level[L_FSDP], level[L_DP]
    weights = block[B_WEIGHTS] / level[L_TP] + block[B_EXPERT_WEIGHTS] / (level[L_TP] * level[L_EP])
    if level[L_TABLES] > 1.0:
        weights /= level[L_TABLES]
    left = weights
    narrow = block[B_WEIGHT]
    record[FETCHED] = weights * narrow / max(1.0, fsdp)
    if fsdp > 1.0:
        counts = reaches[int(level[L_FSDP_AT])]
        record[GATHER] = tiers_seconds(ALL_GATHER, weights * narrow, counts, links)
        record[GATHER_ON] = outermost(counts)
        if trained > 0.0:
            record[SCATTER] = tiers_seconds(REDUCE_SCATTER, weights * narrow, counts, links)
            record[SCATTER_ON] = record[GATHER_ON]
        left /= fsdp
    if trains == 0.0 or trained + lora == 0.0:
        return
    if trained == 0.0:
        left = lora * block[B_THIN] / level[L_TP] / max(1.0, fsdp)
    if dp > 1.0 and block[B_POOLED] == 0.0:
        counts = reaches[int(level[L_DP_AT])]
        wide = narrow if fsdp > 1.0 else max(narrow, training[T_GRADIENT])
        record[REDUCE_ON] = outermost(counts)
        if level[L_ZERO] == 0.0:
            record[REDUCE] = tiers_seconds(ALL_REDUCE, left * wide, counts, links)
        else:
            record[REDUCE] = tiers_seconds(REDUCE_SCATTER, left * wide, counts, links)
            record[REGATHER] = tiers_seconds(ALL_GATHER, left * narrow, counts, links)
            left /= dp
    if block[B_POOLED] == 0.0:
        record[TRAINED] = left * state_bytes


def lookup_seconds(block: Any, level: Any, reaches: Any, links: Any, training: Any, trained: Any, lanes: int, record: Any, room: Any) -> None:
    """Rows fetched; pooled tables hand their sums over, and update the rows they fetched. room[SAMPLES]: those of one device before exchanging."""
    byte_s, tables = training[T_BYTE], level[L_TABLES]
    cut = level[L_TP] if tables <= 1.0 else 1.0
    row_bytes = block[B_ROW]
    sectors = -(-row_bytes // training[T_SECTOR]) * training[T_SECTOR]
    rows = block[B_ROWS] / cut * (training[T_TABLE] if tables > 1.0 else 1.0)  # a group of `tables` ranks looks up its samples with 1/tables of rows
    handed = block[B_HANDED] * block[B_NUMBER]
    add(record, EMBEDDED, (rows * sectors + handed) * byte_s, room, SAMPLES, lanes)
    if trained > 0.0:
        update = rows * (2.0 * sectors + (8.0 if block[B_POOLED] > 0.0 else 0.0))
        add(record, BACK + EMBEDDED, (update + handed) * byte_s, room, SAMPLES, lanes)
    if tables > 1.0:
        counts = reaches[int(level[L_TABLES_AT])]
        size = handed * training[T_TABLE]
        row_wise = level[L_ROW_WISE] > 0.0
        if row_wise:
            moved(REDUCE_SCATTER, size * tables, room, SAMPLES, counts, links, lanes, record, EXCHANGE)
        else:
            moved(ALL_TO_ALL, size, room, SAMPLES, counts, links, lanes, record, EXCHANGE)
        for i in range(lanes):
            record[EXCHANGE_ON, i], record[EXCHANGE_KIND, i] = outermost(counts), 1.0 if row_wise else 0.0
        if level[L_SPREAD] > 1.0:
            moved(ALL_GATHER, size * level[L_SPREAD], room, SAMPLES, reaches[int(level[L_SPREAD_AT])], links, lanes, room, AHEAD)
            add(record, EXCHANGE, 1.0, room, AHEAD, lanes)
    elif trained > 0.0 and block[B_POOLED] > 0.0 and level[L_DP] > 1.0:
        counts = reaches[int(level[L_DP_AT])]
        for i in range(lanes):
            touched = min(room[SAMPLES, i] * rows * row_bytes, block[B_WEIGHTS] * block[B_WEIGHT])
            record[REDUCE, i] += tiers_seconds(ALL_GATHER, touched * level[L_DP], counts, links)
            record[REDUCE_ON, i] = outermost(counts)


FUNCTIONS: Final = (
    outermost, add, moved, expert_seconds, products_seconds, core_seconds, ring_seconds, lookup_seconds, tensor_seconds, sharded_seconds, item_seconds,
)  # fmt: skip
"""In the order in which they call each other."""

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


def products_seconds(
    block: Any, level: Any, products: Any, row: Any, training: Any, samples: Any, sequence: Any, lora: Any, trained: Any, reached: Any, record: Any
) -> Any:  # fmt: skip
    """Adds products to `record`; returns (kernels forward, seconds of the weight gradients that hide the sum over ranks)."""
    tp, factor = level[L_TP], training[T_PRODUCT]
    kernels, hiding = 0.0, 0.0
    for at in range(int(block[B_FIRST]), int(block[B_LAST])):
        split, count = products[at, P_SPLIT], products[at, P_COUNT]
        m, n, k = products[at, P_ROWS] * samples, products[at, P_N], products[at, P_K]
        batch = 1.0
        if split == COLUMN:
            n /= tp
        elif split == ROW:
            k /= tp
        elif sequence > 0.0:
            m /= tp
        if products[at, P_EXPERT] > 0.0:
            batch = block[B_EXPERTS] / level[L_EP]
            hit = min(batch, max(1.0, m))  # few tokens visit few experts
            m, batch = max(1.0, m * training[T_EXPERT] / hit), hit
        m = max(1.0, m)
        seconds = gemm_seconds(m, n, k, batch, row) * factor
        record[GEMM] += count * seconds
        kernels += count
        if reached > 0.0:
            back = seconds if n == k else gemm_seconds(m, k, n, batch, row) * factor
            record[BACK + GEMM] += count * back
            if trained > 0.0:
                # The gradient is added to an fp32 one: so many bytes more, as little hidden as the product's own.
                weight = gemm_seconds(n, k, m, batch, row) * factor + batch * n * k * training[T_ACCUMULATE] * row[OVERLAP] * training[T_BYTE]
                record[BACK + GEMM] += count * weight
                record[WGRAD] += count * weight
                if split == COLUMN:
                    hiding += count * weight
        if lora > 0.0:
            thin = (gemm_seconds(m, lora, k, batch, row) + gemm_seconds(m, n, lora, batch, row)) * factor
            record[GEMM] += count * thin
            record[BACK + GEMM] += 2.0 * count * thin
            kernels += 2.0 * count
    return kernels, hiding


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


def item_seconds(
    block: Any, level: Any, products: Any, reaches: Any, links: Any, row: Any, training: Any, samples: Any, trained: Any, reached: Any,
    sequence: Any, fused: Any, lora: Any, record: Any,
) -> None:  # fmt: skip
    """Fills `record` (see columns.RECORD) for `samples` of one micro-batch of a replica, but for what `sharded_seconds` says."""
    samples = samples * level[L_SAMPLES]
    for at in range(len(record)):
        record[at] = 0.0
    tp, cp, ep, tax, byte_s = level[L_TP], level[L_CP], level[L_EP], training[T_TAX], training[T_BYTE]
    here = samples / cp
    number = block[B_NUMBER]
    kernels, hiding = products_seconds(block, level, products, row, training, here, sequence, lora, trained, reached, record)
    launched, launched_back = kernels + block[B_KERNELS], 0.0
    core = 0.0
    if block[B_HEADS] > 0.0:
        core, core_back = core_seconds(block, level, row, training, samples, fused, reached)
        record[ATTENTION] += core
        record[CORE] = core
        if reached > 0.0:
            record[BACK + ATTENTION] += core_back
        launched += 1.0 if fused > 0.0 else FORWARD_CORE_KERNELS
        launched_back += 1.0 if fused > 0.0 else BACKWARD_CORE_KERNELS
        if cp > 1.0:  # keys and values go round a ring while queries stay
            part = samples * block[B_KEYS] / cp * max(1.0, block[B_KV] / tp) * (block[B_DIM] + block[B_VALUE]) * number
            ring = (cp - 1.0) * tiers_seconds(SEND, part, reaches[int(level[L_CP_AT])], links)
            record[SENT] += ring
            record[WAITS] += max(0.0, ring - core)
            if reached > 0.0:
                record[BACK + SENT] += 2.0 * ring
                record[BACK + WAITS] += max(0.0, 2.0 * ring - core_back)
    outside = tp if sequence > 0.0 else 1.0
    record[ELEMENT] += here * (block[B_CUT_F] / tp + block[B_WHOLE_F] / outside) * byte_s
    if reached > 0.0:
        record[BACK + ELEMENT] += here * (block[B_CUT_B] / tp + block[B_WHOLE_B] / outside) * byte_s
        launched_back += 2.0 * kernels + 1.7 * block[B_KERNELS]
    if block[B_ROWS] > 0.0:
        lookup_seconds(block, level, reaches, links, training, samples, trained, record)
        launched += 1.0
        launched_back += 2.0 * trained
    if reached > 0.0:
        record[KEPT] = here * (block[B_KEPT_CUT] / tp + block[B_KEPT_WHOLE] / outside)
    collectives = 0.0
    if tp > 1.0 and block[B_SUMS_F] + block[B_SUMS_B] > 0.0:
        size = here * block[B_WIDTH] * number
        counts = reaches[int(level[L_TP_AT])]
        one = tiers_seconds(ALL_REDUCE, size, counts, links)
        if sequence > 0.0:
            gathered, scattered = tiers_seconds(ALL_GATHER, size, counts, links), tiers_seconds(REDUCE_SCATTER, size, counts, links)
            one = gathered + scattered
            record[AG] += gathered * block[B_SUMS_F]
            record[RS] += scattered * block[B_SUMS_F]
        else:
            record[AR] += one * block[B_SUMS_F]
        record[WAITS] += one * block[B_SUMS_F]
        collectives = block[B_SUMS_F]
        if reached > 0.0:
            back = one * block[B_SUMS_B]
            record[BACK + WAITS] += max(0.0, back - hiding)
            if sequence > 0.0:  # the input is gathered once more for the weight gradient
                again = gathered * block[B_SUMS_B]
                record[BACK + AG] += again + again
                record[BACK + RS] += scattered * block[B_SUMS_B]
                record[BACK + ELEMENT] += tax * (min(back, hiding) + again)
            else:
                record[BACK + AR] += back
                record[BACK + ELEMENT] += tax * min(back, hiding)
    if ep > 1.0 and block[B_ROUTED] > 0.0:
        size = here * block[B_ROUTED] * number / outside * training[T_EXPERT]
        both = 2.0 * tiers_seconds(ALL_TO_ALL, size, reaches[int(level[L_EP_AT])], links)
        record[A2A] += both
        record[WAITS] += both
        collectives += 2.0
        if reached > 0.0:
            record[BACK + A2A] += both
            record[BACK + WAITS] += both
    record[HOST] = launched * training[T_KERNEL] + collectives * training[T_COLLECTIVE]
    if reached > 0.0:
        record[BACK + HOST] = launched_back * training[T_KERNEL] + collectives * training[T_COLLECTIVE]


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


def lookup_seconds(block: Any, level: Any, reaches: Any, links: Any, training: Any, samples: Any, trained: Any, record: Any) -> None:
    """Rows fetched; pooled tables hand their sums over, and update the rows they fetched. `samples` are those of one device before exchanging."""
    byte_s, tables = training[T_BYTE], level[L_TABLES]
    cut = level[L_TP] if tables <= 1.0 else 1.0
    row_bytes = block[B_ROW]
    sectors = -(-row_bytes // training[T_SECTOR]) * training[T_SECTOR]
    rows = samples * block[B_ROWS] / cut * (training[T_TABLE] if tables > 1.0 else 1.0)  # a group of `tables` ranks looks up its samples with 1/tables of rows
    fetched = rows * sectors
    record[EMBEDDED] += (fetched + samples * block[B_HANDED] * block[B_NUMBER]) * byte_s
    if trained > 0.0:
        update = rows * (2.0 * sectors + (8.0 if block[B_POOLED] > 0.0 else 0.0)) if block[B_POOLED] > 0.0 else rows * 2.0 * sectors
        record[BACK + EMBEDDED] += (update + samples * block[B_HANDED] * block[B_NUMBER]) * byte_s
    if tables > 1.0:
        counts = reaches[int(level[L_TABLES_AT])]
        size = samples * block[B_HANDED] * block[B_NUMBER] * training[T_TABLE]
        record[EXCHANGE_ON] = outermost(counts)
        if level[L_ROW_WISE] > 0.0:
            record[EXCHANGE] = tiers_seconds(REDUCE_SCATTER, size * tables, counts, links)
            record[EXCHANGE_KIND] = 1.0
        else:
            record[EXCHANGE] = tiers_seconds(ALL_TO_ALL, size, counts, links)
        if level[L_SPREAD] > 1.0:
            record[EXCHANGE] += tiers_seconds(ALL_GATHER, size * level[L_SPREAD], reaches[int(level[L_SPREAD_AT])], links)
    elif trained > 0.0 and block[B_POOLED] > 0.0 and level[L_DP] > 1.0:
        counts = reaches[int(level[L_DP_AT])]
        touched = min(rows * row_bytes, block[B_WEIGHTS] * block[B_WEIGHT])
        record[REDUCE] += tiers_seconds(ALL_GATHER, touched * level[L_DP], counts, links)
        record[REDUCE_ON] = outermost(counts)


FUNCTIONS: Final = (outermost, products_seconds, core_seconds, lookup_seconds, sharded_seconds, item_seconds)
"""In the order in which they call each other."""

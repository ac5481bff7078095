"""The published model for many configurations in one compiled loop: layers are walked, not listed, and jumped over once they repeat.

What a sublayer does depends on five times only: when the compute stream is free (C), when the two computations before ended (p1, p2), when the
communication stream is free (M), and when the last collective that blocks ends (B); post-optimised also when the next gather ends (`ahead`). All rules
are maxima and sums, so if one layer (two, of a perceptron under tp) shifts all of them by the same time, every further one does: the rest are one product.
Where nothing but gradients is sent, compute runs free and the last gradient's end is a maximum over two ends of a line.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import numpy as np

REASONS: Final = (
    "", "the task asks for what was not published", "the plan says what was not published", "the batch is below 1",
    "the plan names a class that the model lacks",
    "levels do not fit the devices", "tp on an odd number of perceptron layers", "the batch does not spread evenly", "no rate for numbers of this width",
)  # fmt: skip
"""By code: why a configuration has no answer; `evaluate_compat` says it in full."""

BLOCK: Final = 1024
"""Configurations that are ordered by plan before they are walked, so that neighbours take the same branches."""

MOST_BLOCKS: Final = 64
"""Sublayers of one run that the loop has room for."""

_SHIFT: Final = 2e-14
"""Relative difference of shifts that counts as none: rounding is below, and 10 000 layers add up to 2e-10."""


def _walk(
    workload_C: Any, system_C: Any, plan_C: Any, batch_C: Any, passes: int, copies: float, jump: bool,
    lookup_W: Any, flags_WF: Any, class_bytes_WC: Any, odd_WC: Any, run_pointer_W: Any, backward_R: Any, runs_RF: Any, blocks_BF: Any,
    sizes_S2: Any, seconds_SF: Any, levels_PC4: Any, same_PC: Any, words_P2: Any, out_FC: Any, reason_C: Any, walked: Any, coefficient: Any, times: Any,
) -> None:  # fmt: skip
    """passes: 1 forward, 2 with backward; copies: of weights in memory; out_FC (10, C): iteration, gemm, embedding, all_to_all, all_reduce, all_gather,
    reduce_scatter, exposed, overlapped, memory; walked (1,): sublayers in all; coefficient (6, 12), times (8, MOST_BLOCKS): room to work in."""
    plans, total_C, steps = len(words_P2), len(workload_C), 0
    block = max(BLOCK, plans)
    order, starts = np.empty(block, np.int64), np.empty(plans + 1, np.int64)
    for base in range(0, total_C, block):
        size = min(block, total_C - base)
        starts[:] = 0
        for c in range(base, base + size):
            starts[plan_C[c] + 1] += 1
        for c in range(plans):
            starts[c + 1] += starts[c]
        for c in range(base, base + size):
            order[starts[plan_C[c]]] = c
            starts[plan_C[c]] += 1
        for c in order[:size]:
            w, s, p, batch = workload_C[c], system_C[c], plan_C[c], batch_C[c]
            mask, table_slot, post, width = flags_WF[w, 0], flags_WF[w, 1], flags_WF[w, 2], flags_WF[w, 3]
            devices, node = sizes_S2[s, 0], sizes_S2[s, 1]
            reason = 0
            if flags_WF[w, 7]:
                reason = 1
            elif words_P2[p, 1]:
                reason = 2
            elif batch < 1:
                reason = 3
            elif words_P2[p, 0] & ~mask:
                reason = 4
            # Every class: seconds a FLOP, a byte of weights, a byte of activations.
            done, uneven, odd, memory = 0, False, False, 0.0
            table_0 = table_1 = 0
            table_degree_0 = table_degree_1 = 1
            table_share, table_shards = 0.0, 1
            if reason == 0:
                for k in range(6):
                    if not mask >> k & 1:
                        continue
                    slot = table_slot if k == 0 else same_PC[p, k]
                    if k > 0 and done >> slot & 1:
                        memory += class_bytes_WC[w, k] * coefficient[slot, 10]
                        odd = odd or (odd_WC[w, k] > 0 and coefficient[slot, 9] > 1.0)
                        continue
                    one, two = levels_PC4[p, slot, 0], levels_PC4[p, slot, 1]
                    first, second = levels_PC4[p, slot, 2], levels_PC4[p, slot, 3]
                    if devices == 1:
                        one, two, first, second = 0, 0, 1, 1
                    elif two == 0 or devices == node:
                        if two > 0 and (first > 0 or second > 0):
                            reason = 5
                            break
                        two, second = 0, 1
                        if first == 0:
                            first = devices
                        if first != devices:
                            reason = 5
                            break
                    else:
                        if first == 0:
                            first = node if second == 0 else devices // second
                        if second == 0:
                            second = devices // max(first, 1)
                        if first != node or first * second != devices:
                            reason = 5
                            break
                    replicas = (first if one == 1 or one == 2 else 1) * (second if two == 1 or two == 2 else 1)
                    shards = (first if one >= 2 else 1) * (second if two >= 2 else 1)
                    if replicas > 1 and batch % replicas:
                        uneven = True
                    share = batch / replicas
                    if k == 0:
                        table_0, table_1, table_degree_0, table_degree_1, table_share = one, two, first, second, share
                        table_shards = shards
                        memory += class_bytes_WC[w, 0] / shards
                        continue
                    # The innermost tier for the first of two levels, the last one for a single level.
                    near = 0 if two > 0 else 1
                    inside = first if one == 2 else 1
                    tensor = (first if one == 3 else 1) * (second if two == 3 else 1)
                    left = float(shards)
                    scatter = gather = before = after = total = exchange = 0.0
                    if one > 0:
                        gather = inside / left * seconds_SF[s, 4 + near]
                    if one == 2:
                        scatter = gather
                        before += scatter
                    elif one == 1:
                        before += seconds_SF[s, 2 + near] / left
                    if one == 3:
                        total, exchange = share * seconds_SF[s, 2 + near], share * seconds_SF[s, near]
                    if one >= 2:
                        left /= first
                    if two == 1:
                        if one == 3:
                            after = seconds_SF[s, 3] / left
                        else:
                            before += seconds_SF[s, 3] / left
                    elif two == 3:
                        total, exchange = share * seconds_SF[s, 3], share * seconds_SF[s, 1]
                    coefficient[slot, 0] = share / tensor * seconds_SF[s, 7 + width] if width >= 0 else 0.0
                    coefficient[slot, 1] = gather if one == 2 else 0.0
                    coefficient[slot, 2] = before
                    coefficient[slot, 3] = after
                    coefficient[slot, 4] = total
                    coefficient[slot, 5] = exchange
                    coefficient[slot, 6] = scatter
                    coefficient[slot, 7] = gather
                    coefficient[slot, 9] = tensor
                    coefficient[slot, 10] = 1.0 / shards
                    done |= 1 << slot
                    memory += class_bytes_WC[w, k] / shards
                    odd = odd or (odd_WC[w, k] > 0 and tensor > 1)
                if reason == 0:
                    if odd:
                        reason = 6
                    elif uneven:
                        reason = 7
                    elif width < 0 or seconds_SF[s, 7 + width] != seconds_SF[s, 7 + width]:
                        reason = 8
            reason_C[c] = reason
            if reason > 0:
                for f in range(10):
                    out_FC[f, c] = float("nan")
                continue

            lookup = lookup_W[w] * table_share / table_shards
            t_table = lookup * seconds_SF[s, 6]
            near = 0 if table_1 > 0 else 1
            to_0 = 2.0 * lookup / table_degree_0 * seconds_SF[s, near]
            to_1 = 2.0 * lookup / table_degree_1 * seconds_SF[s, 1]
            C = M = B = p1 = p2 = exchanged = start = 0.0
            gemm = all_to_all = all_reduce = all_gather = reduce_scatter = 0.0
            first_run, last_run = run_pointer_W[w], run_pointer_W[w + 1]
            for back in range(passes):
                if back == 1:
                    start = max(C, M)
                    C = M = B = p1 = p2 = exchanged = start
                elif lookup > 0.0:
                    C = t_table
                    if table_0 == 5:
                        M = max(M, C) + to_0
                        all_to_all += to_0
                        exchanged = M
                    if table_1 == 5:
                        M = max(M, C) + to_1
                        all_to_all += to_1
                        exchanged = M
                ahead, role, count = start, -1, last_run - first_run
                if back == 1:
                    count -= flags_WF[w, 5]  # a frozen bottom perceptron has no backward pass
                optimised = back == 1 and post > 0
                for place in range(count + back):
                    # Tables' gradients: after all but the bottom perceptron.
                    if back == 1 and place == flags_WF[w, 6] and flags_WF[w, 4] > 0:
                        if table_0 == 5 or table_0 == 1:
                            seconds = to_0 if table_0 == 5 else lookup * seconds_SF[s, 2 + near]
                            M = max(M, C) + seconds
                            exchanged = M
                            if table_0 == 5:
                                all_to_all += seconds
                            else:
                                all_reduce += seconds
                        if table_1 == 5:
                            M = max(M, C) + to_1
                            exchanged = M
                            all_to_all += to_1
                    if place == count:
                        break
                    r = backward_R[first_run + place] if back == 1 else first_run + place
                    b0, blocks, repeat, layer0, perceptron = runs_RF[r, 0], runs_RF[r, 1] - runs_RF[r, 0], runs_RF[r, 2], runs_RF[r, 3], runs_RF[r, 4]
                    if runs_RF[r, 5] != role:
                        role = runs_RF[r, 5]
                        if back == 1:
                            p1 = p2 = start
                        elif role > 0:
                            C = max(C, exchanged)
                    # Durations of the run's sublayers, in the order of this pass.
                    gathers = tensor_cut = gradients = False
                    unit = grown = 0.0
                    for j in range(blocks):
                        b = b0 + blocks - 1 - j if back == 1 else b0 + j
                        slot = same_PC[p, int(blocks_BF[b, 0])]
                        weights = blocks_BF[b, 2]
                        t = blocks_BF[b, 1] * coefficient[slot, 0] * (2.0 if back == 1 else 1.0)
                        times[0, j] = t
                        unit += t
                        times[1, j] = weights * coefficient[slot, 1]
                        all_gather += repeat * times[1, j]
                        gathers = gathers or times[1, j] > 0.0
                        times[2, j] = times[3, j] = 0.0
                        if back == 1 and blocks_BF[b, 6] > 0.0:
                            times[2, j], times[3, j] = weights * coefficient[slot, 2], weights * coefficient[slot, 3]
                            gradients = gradients or times[2, j] + times[3, j] > 0.0
                            scattered = weights * coefficient[slot, 6]
                            reduce_scatter += repeat * scattered
                            all_reduce += repeat * (times[2, j] + times[3, j] - scattered)
                        times[4, j], times[5, j], times[6, j] = 0.0, 0.0, 0.0
                        if coefficient[slot, 9] > 1.0:
                            tensor_cut = True
                            times[4, j], times[6, j] = blocks_BF[b, 3] * coefficient[slot, 4], 1.0
                            sums = repeat
                            if perceptron:
                                sums = (layer0 + repeat) // 2 - layer0 // 2
                                if back == 1:
                                    sums = repeat - sums
                            all_reduce += sums * times[4, j]
                            if blocks_BF[b, 5] > 0.0:
                                times[5, j], times[6, j] = blocks_BF[b, 4] * coefficient[slot, 5], 2.0
                                all_to_all += 2 * repeat * times[5, j]
                    gemm += repeat * unit
                    beyond = -1.0  # the gather of the next run's first sublayer
                    if optimised:
                        if place == 0:
                            slot = same_PC[p, int(blocks_BF[b0 + blocks - 1, 0])]
                            if devices > 1:
                                M += blocks_BF[b0 + blocks - 1, 2] * coefficient[slot, 7]
                                if times[1, 0] == 0.0:
                                    all_gather += blocks_BF[b0 + blocks - 1, 2] * coefficient[slot, 7]
                                ahead = M
                        if place + 1 < count:
                            b = runs_RF[backward_R[first_run + place + 1], 1] - 1
                            beyond = blocks_BF[b, 2] * coefficient[same_PC[p, int(blocks_BF[b, 0])], 1]
                    period = 2 if perceptron and tensor_cut else 1
                    free = not (gathers or tensor_cut)
                    sC = sM = sB = s2 = sA = -1.0
                    u = 0
                    while u < repeat:
                        layer = layer0 + (repeat - 1 - u if back == 1 else u)
                        for j in range(blocks):
                            wait = max(C, B)
                            if optimised:
                                wait = max(wait, ahead)
                            elif times[1, j] > 0.0:
                                M = max(M, p2) + times[1, j]
                                wait = max(wait, M)
                            if times[6, j] > 1.0:
                                M += times[5, j]
                                wait = max(wait, M)
                            C = wait + times[0, j]
                            p2 = p1
                            p1 = C
                            if optimised:
                                coming = times[1, j + 1] if j + 1 < blocks else times[1, 0] if u + 1 < repeat else beyond
                                ahead = C
                                if coming > 0.0:
                                    M += coming
                                    ahead = M
                            if times[2, j] > 0.0:
                                M = max(M, C) + times[2, j]
                            if times[6, j] > 0.0:
                                if not perceptron or (layer & 1) != back:
                                    M = max(M, C) + times[4, j]
                                    B = M
                                if times[6, j] > 1.0:
                                    M = max(M, C) + times[5, j]
                                    B = M
                            if times[3, j] > 0.0:
                                M = max(M, C) + times[3, j]
                        u += 1
                        steps += blocks
                        left_units = repeat - 1 - u  # the last layer is always walked: what follows it may differ
                        if not jump or left_units < period or u % period:
                            continue
                        if free:
                            if gradients:
                                height = offset = 0.0
                                for j in range(blocks):
                                    offset += times[0, j]
                                    if times[2, j] > 0.0:
                                        height = max(height, offset) + times[2, j]
                                    grown += times[2, j]
                                M = max(M + left_units * grown, C + height + (left_units - 1) * max(grown, unit))
                            C += left_units * unit
                            p1, p2 = C, C - times[0, blocks - 1]
                            ahead = C
                            u += left_units
                            continue
                        shift, near_enough = C - sC, _SHIFT * C
                        if (
                            sC >= 0.0 and abs(M - sM - shift) <= near_enough and abs(p2 - s2 - shift) <= near_enough
                            and (not tensor_cut or abs(B - sB - shift) <= near_enough) and (not optimised or abs(ahead - sA - shift) <= near_enough)
                        ):  # fmt: skip
                            periods = left_units // period
                            shift *= periods
                            C, M, p1, p2, ahead = C + shift, M + shift, p1 + shift, p2 + shift, ahead + shift
                            if tensor_cut:
                                B += shift
                            u += periods * period
                            sC = -1.0
                            continue
                        sC, sM, sB, s2, sA = C, M, B, p2, ahead
                if back == 1 and flags_WF[w, 4] > 0:
                    C = max(C, exchanged) + t_table
            iteration = max(C, M)
            tables = t_table * (2.0 if passes > 1 and flags_WF[w, 4] > 0 else 1.0)
            exposed = iteration - gemm - tables
            out_FC[0, c], out_FC[1, c], out_FC[2, c] = iteration, gemm, tables
            out_FC[3, c], out_FC[4, c], out_FC[5, c], out_FC[6, c] = all_to_all, all_reduce, all_gather, reduce_scatter
            out_FC[7, c], out_FC[8, c], out_FC[9, c] = exposed, all_to_all + all_reduce + all_gather + reduce_scatter - exposed, copies * memory

    walked[0] = steps


@functools.cache
def walk() -> Callable[..., None]:
    """The loop, compiled where Numba is installed."""
    try:
        import numba
    except ImportError:
        return _walk
    compiled: Callable[..., None] = numba.njit(cache=True, error_model="numpy")(_walk)
    return compiled

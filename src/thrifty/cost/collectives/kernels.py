"""The time of one collective from numbers alone: plain functions that any Numba loop may call, and that run as they are without Numba.

A link is a row of `LINK_FIELDS` (see `links`), a collective a code of `kinds`, ranks and bytes are floats. On one tier

    time = alpha + step · steps + volume / rate             the fastest of the library's protocols
    volume = (wire blocks + copy) · bytes / ranks           `copy`: what a rank moves inside itself, in blocks of bytes / ranks

    ring            all-reduce 2(n-1) steps and blocks, all-gather and reduce-scatter n-1, broadcast n-1 steps and all bytes
    tree            double binary tree: all-reduce 2⌈log2 n⌉ steps and 2·bytes, broadcast ⌈log2 n⌉ steps and all bytes
    direct          every pair at once: n-1 messages of one block (all-to-all, all-gather, reduce-scatter), all-reduce twice that; a send is one message
    doubling        all-reduce log2 n steps of all bytes, all-gather and reduce-scatter ⌈log2 n⌉ steps and n-1 blocks, broadcast ⌈log2 n⌉ steps of all bytes
    switch          all-reduce summed inside the network (where the link has it): alpha + bytes / rate

Over tiers, an all-reduce is a reduce-scatter inside, an all-reduce of bytes / g on each of the g rails across, and an all-gather inside, again and again.
What is called `overlapped` works on chunks, so that the tiers are busy at the same time: the latencies add up, of the transfers the longest counts.
"""

from __future__ import annotations

import functools
import math
from typing import Any, Final

ALL_REDUCE, ALL_GATHER, REDUCE_SCATTER, ALL_TO_ALL, BROADCAST, SEND = 0, 1, 2, 3, 4, 5
AUTO, RING, TREE, DIRECT, DOUBLING, HIERARCHICAL, OVERLAPPED = 0, 1, 2, 3, 4, 5, 6

LINK_FIELDS: Final = (
    "bandwidth",
    "ll_alpha", "ll_step", "ll_rate", "ll128_alpha", "ll128_step", "ll128_rate", "simple_alpha", "simple_step", "simple_rate",
    "copy", "direct_copy", "direct_step", "direct_rate", "switch_alpha", "switch_rate", "switch_ranks", "tree_step", "spread", "doubling",
)  # fmt: skip
"""What a link's row holds, in this order: seconds, bytes/s, and shares. direct_step, direct_rate and tree_step multiply a protocol's own; switch_ranks: from
how many ranks on the network sums (inf: never); spread: the rate falls as (2/n)^spread; doubling: 1 where the library also has recursive doubling."""

BANDWIDTH, PROTOCOLS = 0, 1
COPY, DIRECT_COPY, DIRECT_STEP, DIRECT_RATE, SWITCH_ALPHA, SWITCH_RATE, SWITCH_RANKS, TREE_STEP, SPREAD, HAS_DOUBLING = range(10, 20)
RATES: Final = (0, 3, 6, 9, 15)
"""Columns that are bytes/s."""


def fastest_protocol(steps: Any, volume: Any, step_share: Any, rate_share: Any, link_P: Any) -> Any:
    """(latency, transfer) in seconds of the protocol that is done first."""
    latency = link_P[1] + link_P[2] * step_share * steps
    transfer = volume / (link_P[3] * rate_share)
    best = latency + transfer
    for first in (4, 7):
        alpha = link_P[first] + link_P[first + 1] * step_share * steps
        moving = volume / (link_P[first + 2] * rate_share)
        if alpha + moving < best:
            latency, transfer, best = alpha, moving, alpha + moving
    return latency, transfer


def one_tier(kind: Any, algorithm: Any, size: Any, ranks: Any, link_P: Any) -> Any:
    """(latency, transfer) in seconds of `size` bytes among `ranks` joined by one link. algorithm AUTO: the fastest that the library has."""
    if ranks < 2.0:
        return 0.0, 0.0
    share = 1.0
    if link_P[SPREAD] > 0.0:
        share = (2.0 / ranks) ** link_P[SPREAD]
    block = size / ranks
    others = ranks - 1.0
    levels = math.ceil(math.log2(ranks) - 1e-9)
    latency, transfer = math.inf, 0.0
    if kind == SEND:
        return fastest_protocol(1.0, size, 1.0, share, link_P)
    if kind == ALL_TO_ALL:
        return fastest_protocol(others, (others + link_P[DIRECT_COPY]) * block, link_P[DIRECT_STEP], share * link_P[DIRECT_RATE], link_P)
    if algorithm in (AUTO, RING):
        blocks = others
        if kind == ALL_REDUCE:
            blocks = 2.0 * others
        if kind == BROADCAST:
            latency, transfer = fastest_protocol(others, size, 1.0, share, link_P)
        else:
            latency, transfer = fastest_protocol(blocks, (blocks + link_P[COPY]) * block, 1.0, share, link_P)
    if algorithm in (AUTO, TREE) and kind in (ALL_REDUCE, BROADCAST):
        passes = 2.0 if kind == ALL_REDUCE else 1.0
        alpha, moving = fastest_protocol(passes * levels, passes * size, link_P[TREE_STEP], share, link_P)
        if alpha + moving < latency + transfer:
            latency, transfer = alpha, moving
    if algorithm == DIRECT and kind != BROADCAST:
        passes = 2.0 if kind == ALL_REDUCE else 1.0
        latency, transfer = fastest_protocol(passes * others, (passes * others + link_P[DIRECT_COPY]) * block, link_P[DIRECT_STEP], share, link_P)
    if algorithm == DOUBLING or (algorithm == AUTO and link_P[HAS_DOUBLING] > 0.0):
        if kind in (ALL_REDUCE, BROADCAST):
            steps = 1.0 * levels
            if kind == ALL_REDUCE and 2.0**levels != ranks:
                steps = levels + 1.0  # the ranks beyond a power of two hand their data in before and get it back after
            alpha, moving = fastest_protocol(steps, steps * size, 1.0, share, link_P)
        else:
            alpha, moving = fastest_protocol(1.0 * levels, (others + link_P[COPY]) * block, 1.0, share, link_P)
        if alpha + moving < latency + transfer:
            latency, transfer = alpha, moving
    if algorithm == AUTO and kind == ALL_REDUCE and ranks >= link_P[SWITCH_RANKS]:
        alpha, moving = link_P[SWITCH_ALPHA], size / link_P[SWITCH_RATE]
        if alpha + moving < latency + transfer:
            latency, transfer = alpha, moving
    return latency, transfer


def collective_seconds(kind: Any, size: Any, ranks: Any, link_P: Any) -> Any:
    """Seconds of one collective among `ranks` joined by one link, by the fastest algorithm and protocol.

    kind: a code of `kinds`; size: bytes as `collective_time` means them; link_P: a row of `link_parameters`.
    """
    latency, transfer = one_tier(kind, AUTO, size, ranks, link_P)
    return latency + transfer


def flat_seconds(kind: Any, algorithm: Any, size: Any, counts_T: Any, links_TP: Any) -> Any:
    """Seconds of one algorithm that takes all ranks for neighbours on one link: every step is as slow as on the slowest tier in use."""
    ranks = 1.0
    for tier in range(len(counts_T)):
        ranks *= counts_T[tier]
    slowest = 0.0
    for tier in range(len(counts_T)):
        if counts_T[tier] > 1.0:
            latency, transfer = one_tier(kind, algorithm, size, ranks, links_TP[tier])
            slowest = max(slowest, latency + transfer)
    return slowest


def direct_exchange(size: Any, counts_T: Any, links_TP: Any) -> Any:
    """Seconds of an all-to-all in which every pair talks directly: each tier carries what crosses it, the tiers at the same time."""
    ranks = 1.0
    for tier in range(len(counts_T)):
        ranks *= counts_T[tier]
    inside, latencies, longest = 1.0, 0.0, 0.0
    for tier in range(len(counts_T)):
        if counts_T[tier] > 1.0:
            link_P = links_TP[tier]
            peers = inside * (counts_T[tier] - 1.0)
            volume = (peers + link_P[DIRECT_COPY]) * size / ranks
            share = link_P[DIRECT_RATE]
            if link_P[SPREAD] > 0.0:
                share *= (2.0 / counts_T[tier]) ** link_P[SPREAD]
            latency, transfer = fastest_protocol(peers, volume, link_P[DIRECT_STEP], share, link_P)
            latencies += latency
            longest = max(longest, transfer)
            inside *= counts_T[tier]
    return latencies + longest


def in_tiers(kind: Any, size: Any, counts_T: Any, links_TP: Any, overlapped: Any) -> Any:
    """Seconds of the recursion over tiers (see the module). overlapped: chunk by chunk, all tiers at the same time; else one phase after the other."""
    total, longest = 0.0, 0.0
    share = size
    last = -1
    for tier in range(len(counts_T)):
        if counts_T[tier] > 1.0:
            last = tier
    for tier in range(len(counts_T)):
        ranks = counts_T[tier]
        if ranks > 1.0:
            link_P = links_TP[tier]
            latency, transfer = 0.0, 0.0
            if kind == SEND:
                if tier == last:  # what crosses the outermost tier passes no other
                    latency, transfer = one_tier(kind, AUTO, size, ranks, link_P)
            elif kind == ALL_REDUCE and tier != last:
                for half in (REDUCE_SCATTER, ALL_GATHER):
                    alpha, moving = one_tier(half, AUTO, share, ranks, link_P)
                    latency += alpha
                    transfer += moving
                share /= ranks
            elif kind in (ALL_REDUCE, ALL_GATHER, REDUCE_SCATTER):
                latency, transfer = one_tier(kind, AUTO, share, ranks, link_P)
                share /= ranks
            else:
                latency, transfer = one_tier(kind, AUTO, size, ranks, link_P)
            total += latency if overlapped else latency + transfer
            longest = max(longest, transfer)
    return total + longest if overlapped else total


def tiers_seconds(kind: Any, size: Any, counts_T: Any, links_TP: Any) -> Any:
    """Seconds of one collective over T tiers, innermost first, by the fastest way.

    counts_T: ranks of the group under one unit of each tier (1: the tier is not crossed); links_TP: one row of `link_parameters` a tier.
    """
    used, only = 0, 0
    for tier in range(len(counts_T)):
        if counts_T[tier] > 1.0:
            used += 1
            only = tier
    if used == 0:
        return 0.0
    if used == 1:
        return collective_seconds(kind, size, counts_T[only], links_TP[only])
    best = in_tiers(kind, size, counts_T, links_TP, True)
    if kind == ALL_TO_ALL:
        best = min(best, direct_exchange(size, counts_T, links_TP))
    elif kind != SEND:
        best = min(best, flat_seconds(kind, AUTO, size, counts_T, links_TP))
    return best


def by_algorithm(kind: Any, algorithm: Any, size: Any, counts_T: Any, links_TP: Any) -> Any:
    """Seconds of one collective over T tiers by the algorithm that is asked for."""
    if algorithm == AUTO:
        return tiers_seconds(kind, size, counts_T, links_TP)
    if algorithm in (HIERARCHICAL, OVERLAPPED) or kind == SEND:
        return in_tiers(kind, size, counts_T, links_TP, algorithm == OVERLAPPED)
    if kind == ALL_TO_ALL:
        return direct_exchange(size, counts_T, links_TP)
    return flat_seconds(kind, algorithm, size, counts_T, links_TP)


def _loop(kind: Any, algorithm: Any, sizes: Any, counts_T: Any, links_TP: Any, seconds: Any) -> None:
    for index in range(len(sizes)):
        seconds[index] = by_algorithm(kind, algorithm, sizes[index], counts_T, links_TP)


def _rows(kind_R: Any, size_R: Any, ranks_R: Any, links_RP: Any, latency_R: Any, transfer_R: Any) -> None:
    for row in range(len(kind_R)):
        latency_R[row], transfer_R[row] = one_tier(kind_R[row], AUTO, size_R[row], ranks_R[row], links_RP[row])


@functools.cache
def register() -> bool:
    """Make the functions of this module callable from Numba loops (`numba.njit`) under their own names. False where Numba is not installed.

    Call it before compiling a loop that uses `collective_seconds` or `tiers_seconds`. Numba's cache on disk looks at the file of the loop alone: a loop
    of another file, compiled with cache=True, does not notice when this module changes. Delete its cache then.
    """
    try:
        from numba.extending import register_jitable
    except ImportError:
        return False
    for function in (fastest_protocol, one_tier, collective_seconds, flat_seconds, direct_exchange, in_tiers, tiers_seconds, by_algorithm):
        register_jitable(function)
    return True


@functools.cache
def loop() -> Any:
    """The loop over sizes: compiled where Numba is installed, else as it is."""
    if not register():
        return _loop
    import numba

    return numba.njit(cache=True)(_loop)


@functools.cache
def rows_loop() -> Any:
    """The loop over rows that differ in kind, size, ranks and link (one tier, latency and transfer apart): compiled where Numba is installed."""
    if not register():
        return _rows
    import numba

    return numba.njit(cache=True)(_rows)

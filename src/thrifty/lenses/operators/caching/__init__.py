"""A cache simulator, and with it why temporal attention is slow (Golden et al., arXiv 2312.14385, section on temporal attention).

Spatial attention multiplies a row of q with all positions of a frame, temporal attention with the same position in the other frames: a few rows, far
apart. What caches can do about it is counted here, kernel by kernel, by exact LRU simulation of the addresses that kernels touch:

    layouts     where q, k, v, o and the scores lie: contiguous, strided, or moved into one piece by copies that are kernels too
    loops       the touches of plain C loops on one core        tiles    those of thread blocks on a GPU's multiprocessors
    touches     how they are written down: line, sectors, core, load or store
    hierarchy   one or two levels, built of `hardware.Cache`    devices  those of a data sheet, or of this machine
    lru         the loops that decide what stays (Numba)        simulator  feeding them, and the traffic that came of it
    reuse       exact reuse distances: the misses of every fully associative size from one pass, the oracle of the simulator
    spatial_temporal  all kernels of both kinds side by side   -> CacheStudy

Checked against: an ordered dictionary as LRU (any ways, two levels, random streams), reuse distances (all ways), and cachegrind, which runs the same C
loops compiled (first- and last-level misses within 2 %, tests/lenses/operators/caching/test_cachegrind.py).

Not known here: time (misses overlap), prefetching, replacement other than LRU, victim and exclusive levels, coherence, address translation, partitioned
last levels. A GPU's tiles and its choice of kernel are assumptions (see `tiles`): rates there are right for the kernels described, and a library may run
others. With products staged through shared memory first-level hits are rare in spatial attention too, so the tenfold drop that the paper measured is
seen here in the softmax (long rows are read three times, short ones once), and in products only where warps load what they need directly.
"""

from __future__ import annotations

from thrifty.lenses.operators.caching.devices import hierarchy_of, host_caches
from thrifty.lenses.operators.caching.hierarchy import Hierarchy, full
from thrifty.lenses.operators.caching.layouts import Attention, Video, attention
from thrifty.lenses.operators.caching.reuse import FIRST, misses_at, reuse_distances
from thrifty.lenses.operators.caching.simulator import Simulator, Traffic, simulate
from thrifty.lenses.operators.caching.spatial_temporal import REMEMBERED, CacheRow, CacheStudy, study
from thrifty.lenses.operators.caching.touches import collapse, merge, touch, touches_of

__all__ = [
    "FIRST",
    "REMEMBERED",
    "Attention",
    "CacheRow",
    "CacheStudy",
    "Hierarchy",
    "Simulator",
    "Traffic",
    "Video",
    "attention",
    "collapse",
    "full",
    "hierarchy_of",
    "host_caches",
    "merge",
    "misses_at",
    "reuse_distances",
    "simulate",
    "study",
    "touch",
    "touches_of",
]

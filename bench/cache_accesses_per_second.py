"""The cache simulator takes at least 50 million accesses a second on one core, one by one, and counts the misses that pycachesim and cachegrind count.

Accesses: those of the C loops of an attention (both products, scaling, softmax) in all three layouts, at the two levels of this machine's class of
processor. Ours gets them as touches, made beforehand: that is what a stream hands over. cachegrind is timed on the spatial pv, less its own start (it runs
the program too). What bounds us is one search of a set for each access: as fast as it gets where all hit the newest line of a set, slowest where random
lines push others out at both levels, and the machine that simulates misses its own caches.
"""

import os
import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from _claim import ROOT, report, spread
from thrifty.lenses.operators.caching import Simulator, Video, attention, collapse, hierarchy_of, loops, touch

LEAST_PER_S, REPEATS, PEER_ACCESSES = 50e6, 9, 400_000
HIERARCHY = hierarchy_of("epyc-9654")
VIDEO = Video(frames=16, positions=64, channels=64, heads=2, number_bytes=4)
CASES = (("spatial", "contiguous"), ("temporal", "strided"), ("temporal", "materialised"))


def simulated(touches, repeats=None):
    simulator = Simulator(HIERARCHY)
    simulator.feed(touches, repeats)
    return simulator.traffic()


def seconds(touches, repeats=None):
    """Processor time of one run: others may be using the other cores, and this one too."""
    simulator = Simulator(HIERARCHY)
    start = time.process_time()
    simulator.feed(touches, repeats)
    return time.process_time() - start


def pycachesim(touches):
    """Seconds and first-level misses of loads in pycachesim's own form; None where it is not installed. (Its misses of stores differ a little.)"""
    try:
        import cachesim
    except ImportError:
        return None
    memory = cachesim.MainMemory()
    levels = {}
    for cache, behind in zip(reversed(HIERARCHY.levels), (None, "l2"), strict=True):
        sets = cache.capacity_bytes // cache.line_bytes // cache.ways
        links = {"store_to": levels[behind], "load_from": levels[behind]} if behind else {}
        levels[cache.name] = cachesim.Cache(cache.name, sets, cache.ways, cache.line_bytes, "LRU", **links)
    memory.load_to(levels["l2"])
    memory.store_from(levels["l2"])
    simulator = cachesim.CacheSimulator(levels["l1"], memory)
    pairs = [((word >> 19 << 6,), ()) for word in touches.tolist()]
    start = time.process_time()
    simulator.loadstore(pairs, length=1)
    seconds = time.process_time() - start
    return seconds, levels["l1"].MISS_count


def cachegrind():
    """Accesses a second of the compiled loops under cachegrind, the start of the program taken off; None where it or a compiler is absent."""
    if not (shutil.which("gcc") and shutil.which("valgrind")):
        return None
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "attention"
        subprocess.run(["gcc", "-O2", "-fno-tree-vectorize", "-o", program, ROOT / "tests/lenses/operators/caching/attention.c"], check=True)
        caches = [f"--{name}={c.capacity_bytes},{c.ways},{c.line_bytes}" for name, c in zip(("D1", "LL"), HIERARCHY.levels, strict=True)]
        command = ["valgrind", "--tool=cachegrind", "--cache-sim=yes", *caches, f"--cachegrind-out-file={folder}/out", str(program), "pv"]

        def run(*numbers):
            start = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([*command, *map(str, numbers)], check=True, capture_output=True)
            seconds = sum(getattr(resource.getrusage(resource.RUSAGE_CHILDREN), key) - getattr(start, key) for key in ("ru_utime", "ru_stime"))
            summary = next(line.split()[1:] for line in Path(folder, "out").read_text().splitlines() if line.startswith("summary:"))
            return seconds, int(summary[3]) + int(summary[6])

        small, large = run(1, 1, 1, 8, 8, 8, 8), run(64, 2, 64, 32, 4096, 32, 64)
        return (large[1] - small[1]) / (large[0] - small[0])


streams = {
    f"{kernel} {kind} {layout}": np.concatenate(list(getattr(loops, kernel)(attention(VIDEO, kind, layout), HIERARCHY.line_bytes)))
    for kind, layout in CASES for kernel in ("qk", "scale", "softmax", "pv")
}  # fmt: skip
total = sum(touches.size for touches in streams.values())
runs = {name: collapse(touches) for name, touches in streams.items()}
newest, anywhere = touch(np.zeros(20_000_000, np.int64)), touch(np.random.default_rng(0).integers(0, 2**20, 2_000_000))
for name, touches in streams.items():
    assert simulated(touches) == simulated(*runs[name]), name
rates = {name: [] for name in (*streams, "one by one", "in runs", "all hit the newest", "random lines of 64 MB")}
for _ in range(REPEATS):
    took = {name: seconds(touches) for name, touches in streams.items()}
    for name, touches in streams.items():
        rates[name].append(touches.size / took[name])
    rates["one by one"].append(total / sum(took.values()))
    rates["in runs"].append(total / sum(seconds(*pair) for pair in runs.values()))
    rates["all hit the newest"].append(newest.size / seconds(newest))
    rates["random lines of 64 MB"].append(anywhere.size / seconds(anywhere))
together = spread(rates["one by one"])
sample = streams["qk temporal strided"][:PEER_ACCESSES] & ~1
peer = pycachesim(sample)
if peer:
    assert peer[1] == simulated(sample).first_misses, (peer[1], simulated(sample).first_misses)
oracle = cachegrind()
kernels = {name: statistics.median(rates[name]) for name in streams}
report(
    "cache simulator >= 50 M accesses/s on one core", together["median"] >= LEAST_PER_S,
    {
        "accesses": total, "accesses_per_s": together, "slowest": min(kernels.items(), key=lambda pair: pair[1]),
        "fastest": max(kernels.items(), key=lambda pair: pair[1]), "in_runs_per_s": spread(rates["in runs"]),
        "all_hit_the_newest_per_s": statistics.median(rates["all hit the newest"]), "random_64_mb_per_s": statistics.median(rates["random lines of 64 MB"]),
        "pycachesim_per_s": PEER_ACCESSES / peer[0] if peer else "not installed", "cachegrind_pv_per_s": oracle or "not installed",
        "pv_per_s": kernels["pv spatial contiguous"], "load": os.getloadavg()[0],
    }, "numpy", "numba",
)  # fmt: skip

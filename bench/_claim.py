"""What every benchmark needs: repeats in turns, a median with its spread, and one JSON line with the ground it stands on."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def in_turns(calls: dict[str, Callable[[], object]], repeats: int, warmup: int = 1, pause_s: float = 0.0) -> dict[str, list[float]]:
    """Seconds of every call, A B A B, after `warmup` rounds that do not count.

    pause_s : before each call: threads of OpenMP spin for some milliseconds after their work, on cores that the next call in turn needs
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(warmup + repeats):
        for name, call in calls.items():
            time.sleep(pause_s)
            start = time.perf_counter()
            call()
            if turn >= warmup:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def spread(samples: list[float]) -> dict[str, float]:
    """Median and the middle half of the samples."""
    low, mid, high = statistics.quantiles(samples, n=4)
    return {"median": mid, "low": low, "high": high, "repeats": len(samples)}


def ground(*packages: str) -> dict[str, Any]:
    """Machine, versions and commit."""
    commit = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False).stdout.strip()
    cpu = next((line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor())
    return {
        "cpu": cpu, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}", "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in ("thrifty", *packages)}, "commit": commit or "unknown",
    }  # fmt: skip


def report(claim: str, holds: bool, result: dict[str, Any], *packages: str) -> None:
    """Print the claim's JSON line and leave with 1 where it does not hold."""
    print(json.dumps({"claim": claim, "holds": holds, **result, **ground(*packages)}, ensure_ascii=False))
    sys.exit(0 if holds else 1)


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return []

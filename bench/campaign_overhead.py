"""Keys, Parquet and resuming cost a campaign at most half of plain joblib's time for tasks of 0.1 ms, and at most 0.1 ms a task to run or find again."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

from _claim import in_turns, report, spread
from thrifty import campaign

TASKS, WORKERS, REPEATS, SPIN = 20_000, 2, 5, 2_000


def spin(configuration: dict[str, int], seed: int) -> dict[str, int]:
    """About 0.1 ms of arithmetic."""
    value = configuration["x"]
    for _ in range(SPIN):
        value = (value * 1_103_515_245 + 12_345) % 2_147_483_648
    return {"value": value}


def nothing(configuration: dict[str, int], seed: int) -> dict[str, int]:
    return {"value": seed}


def main() -> None:
    from joblib import Parallel, delayed

    configurations = [{"x": x} for x in range(TASKS)]
    scratch = Path(tempfile.mkdtemp())
    turns: list[campaign.Results] = []
    plain: list[list[dict[str, int]]] = []

    def ours() -> None:
        turns.append(campaign.run(spin, configurations, folder=scratch / str(len(turns)), workers=WORKERS))

    def joblib() -> None:
        plain.append(Parallel(n_jobs=WORKERS)(delayed(spin)(configuration, 0) for configuration in configurations))

    try:
        seconds = in_turns({"ours": ours, "joblib": joblib}, REPEATS)
        began = time.perf_counter()
        campaign.run(nothing, configurations, folder=scratch / "nothing", backend="serial")
        bare_us = (time.perf_counter() - began) / TASKS * 1e6
        began = time.perf_counter()
        again = campaign.run(spin, configurations, folder=scratch / "0", workers=WORKERS)
        again_s = time.perf_counter() - began
        wanted = [row["value"] for row in plain[-1]]
        agree = turns[-1].columns("value")["value"].tolist() == wanted and again.ran == 0
    finally:
        shutil.rmtree(scratch)
    ours_s, joblib_s = statistics.median(seconds["ours"]), statistics.median(seconds["joblib"])
    ratio, again_us = ours_s / joblib_s, again_s / TASKS * 1e6
    result = {
        "agree": agree, "tasks": TASKS, "workers": WORKERS, "ours_s": spread(seconds["ours"]), "joblib_s": spread(seconds["joblib"]), "ratio": round(ratio, 3),
        "tasks_per_s": round(TASKS / ours_s), "empty_task_us": round(bare_us, 1), "again_us_per_task": round(again_us, 1),
    }  # fmt: skip
    report("campaign_overhead", agree and ratio <= 1.5 and max(again_us, bare_us) <= 100, result, "joblib", "pyarrow")


if __name__ == "__main__":
    main()

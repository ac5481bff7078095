"""Writes docs/explanation/validation.md from what the models and the machine said: `python docs/generate_validation.py HOST.json`.

HOST.json is the output of `thrifty validate host --json`, run when nothing else runs. Misses stay in the tables.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from thrifty.cost.energy_evidence import validate_energy
from thrifty.quantities import show

PAGE = Path(__file__).parent / "explanation" / "validation.md"


def host(found: dict[str, Any]) -> list[str]:
    ground = found["fingerprint"]
    lines = [
        f"Machine: {ground['cpu']}, {ground['threads']} threads, torch {ground['torch']}, transformers {ground['transformers']}; "
        f"calibrated {found['calibrated_at'][:10]}.",
        "", "| workload | measured | modelled | error | peak memory | modelled | error |", "|---|---:|---:|---:|---:|---:|---:|",
    ]  # fmt: skip
    for row in found["rows"]:
        lines.append(
            f"| {row['workload']} | {show(row['measured_s'], 's')} | {show(row['modelled_s'], 's')} | {row['time_error']:+.0%} | "
            f"{show(row['measured_bytes'], 'B')} | {show(row['modelled_bytes'], 'B')} | {row['memory_error']:+.2%} |"
        )
    lines += [
        "", f"Time: median error **{found['median_time_error']:.1%}**, 90th percentile **{found['p90_time_error']:.1%}**. "
        f"Peak memory: median **{found['median_memory_error']:.2%}**, 90th percentile {found['p90_memory_error']:.2%}.",
        "", "| operator class | share of measured time | error | |", "|---|---:|---:|---|",
    ]  # fmt: skip
    for name, entry in found["by_class"].items():
        lines.append(f"| {name} | {entry['share']:.1%} | {entry['error']:+.0%} | {'main class' if entry['main'] else ''} |")
    return lines


def energy() -> list[str]:
    found = validate_energy()
    lines = ["| what was measured | device | use | published | modelled | ratio |", "|---|---|---|---:|---:|---:|"]
    for row in found.rows:
        ratio = "no sheet" if row.ratio is None else f"{row.ratio:.2f}"
        modelled = show(row.modelled_j, "J")
        lines.append(f"| {row.title} | {row.devices} × {row.device} | {row.use} | {show(row.measured_j, 'J')} | {modelled} | {ratio} |")
    return lines


def page(found: dict[str, Any]) -> str:
    return "\n".join(
        [
            "# How far off the models are", "",
            "Every modelled number has a table like these behind it. The tables are written by `docs/generate_validation.py`, misses included.", "",
            "## Time and memory on one machine", "",
            "`thrifty validate host` calibrates this machine on small probes, then runs real workloads that calibration never saw (no matrix product or "
            "convolution has a probe's shape; a test holds that) and prices the very operators that ran. A step's time is the median of its plain repeats.", "",
            *host(found), "",
            "\"framework\" is what a step spends outside operators: Python, module calls, views. It is taken from two small decoders: one whose weights "
            "push everything else out of the caches, one that stays in them. Norms that a module spells out as six kernels, look-ups in tables beyond "
            "every cache and concatenations of cold caches are under-estimated; all are small shares of these workloads. On a shared machine one "
            "calibration differs from the next: four of one day gave medians from 5.6 % to 7.7 % and 90th percentiles from 18 % to 24 %.", "",
            "## Energy", "",
            "`thrifty validate energy` holds the energy model against published measurements. Rows marked *fit* gave the model its three shares; *check* "
            "rows did not. Most are of one publisher and a few cards, so they show repeatability more than transfer to other hardware.", "",
            *energy(), "",
            "## Carbon", "",
            "No public measurement of embodied carbon covers a device of the catalogue as a whole; the interval of every carbon number is the "
            "disagreement of public models, a factor of ten and more for memory. Worked examples of each model are reproduced in the tests.", "",
        ]
    )  # fmt: skip


if __name__ == "__main__":
    PAGE.write_text(page(json.loads(Path(sys.argv[1]).read_text())))

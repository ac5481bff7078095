"""Claim: collectives of 1 MiB and more are predicted within 8 % on rows, and on GPUs, that had no part in the fit. Baselines: constants nobody fitted.

Needs aiconfigurator-core and pyarrow. The baselines are the textbook's alpha-beta with all of the data sheet's bandwidth, and with one latency and
one efficiency fitted per GPU.
"""

from __future__ import annotations

import numpy as np

from _claim import report
from thrifty.cost.collectives import MeasuredCollective, read_measured_collectives, score_collectives, validate_collectives
from thrifty.cost.collectives.fitting import LARGE_BYTES, class_and_bandwidth

LIMIT = 0.08


def wire(row: MeasuredCollective) -> tuple[float, float]:
    """Steps and bytes of the textbook's ring, or of the pairwise exchange."""
    passes = 2 if row.kind == "all_reduce" else 1
    return passes * (row.ranks - 1), passes * (row.ranks - 1) / row.ranks * row.size_bytes


def plain(rows: list[MeasuredCollective]) -> float:
    return float(np.mean([abs(wire(row)[1] / class_and_bandwidth(row.device)[1] / row.time_s - 1) for row in rows]))


def one_alpha_and_beta(rows: list[MeasuredCollective]) -> float:
    """Least squares of the relative error, per GPU, on the very rows that are scored."""
    errors: list[float] = []
    for device in {row.device for row in rows}:
        of_device = [row for row in rows if row.device == device]
        design = np.array([[value / row.time_s for value in wire(row)] for row in of_device])
        errors += np.abs(design @ np.linalg.lstsq(design, np.ones(len(design)), rcond=None)[0] - 1).tolist()
    return float(np.mean(errors))


def main() -> None:
    scores = score_collectives(validate_collectives())
    for score in scores:
        print(f"{score.split:10} {score.device:20} rows {score.rows:5}  mape {100 * score.mape:5.2f} %  spearman {score.spearman:.4f}")
    rows = [row for row in read_measured_collectives() if row.size_bytes >= LARGE_BYTES and class_and_bandwidth(row.device)[0].startswith("nvlink")]
    found = {score.split: score for score in scores if score.device == "all"}
    baselines = {"data_sheet_bandwidth": plain(rows), "alpha_beta_fitted_per_gpu": one_alpha_and_beta(rows)}
    print("baselines, mape:", {name: round(value, 4) for name, value in baselines.items()})
    result = {
        "mape": {name: score.mape for name, score in found.items()}, "spearman": {name: score.spearman for name, score in found.items()}, **baselines,
    }  # fmt: skip
    report("collectives_transfer", all(found[split].mape <= LIMIT for split in ("size", "ranks", "gpu")), result, "numpy")


if __name__ == "__main__":
    main()

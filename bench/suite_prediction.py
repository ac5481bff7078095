"""The calibrated model against this machine on presets of the suite, none of them used in calibration: median error <= 15 % over at least ten.

Also: an instrumented run takes at most 1.15 times as long as the plain one (sampled steps).
"""

import statistics

from _claim import report
from thrifty.lenses.operators.measured import measure_subject
from thrifty.lenses.operators.subjects import find_subject

PARTS = (
    "clip-l-text@small", "t5-xxl-encoder@small", "sd-1.5-unet@small", "sd-1.5-vae-decoder@small", "sdxl-unet@small", "unet3d@small", "imagen-base@small",
    "make-a-video-decoder@small", "muse-base@small", "parti-transformer@small", "phenaki-maskgit@small", "dit-xl-2@small", "pixart-512@small",
    "sd3-medium@small", "flux-dev@small", "cogvideox-2b@small", "wan-2.1-1.3b@small", "sd-1.5-unet@tiny", "dit-xl-2@tiny", "unet3d@tiny",
)  # fmt: skip

rows = []
for name in PARTS:
    (stage,) = measure_subject(find_subject(name), budget_s=2.0).stages
    rows.append(stage.row)
    print(f"{stage.row.workload}: {stage.row.measured_s * 1e3:.1f} ms measured, {stage.row.modelled_s * 1e3:.1f} ms modelled ({stage.row.time_error:+.1%})")
errors = [abs(row.time_error) for row in rows]
overheads = [row.run_overhead for row in rows]
median, overhead = statistics.median(errors), statistics.median(overheads)
report(
    "suite predicted within 15 % (median), every instrumented run <= 1.15 x plain", len(rows) >= 10 and median <= 0.15 and max(overheads) <= 1.15,
    {
        "presets": len(rows), "median_time_error": median, "worst_time_error": max(errors), "median_run_overhead": overhead,
        "worst_run_overhead": max(overheads),
        "rows": {row.workload: {"measured_s": row.measured_s, "error": row.time_error, "run_overhead": row.run_overhead} for row in rows},
    },
    "torch", "diffusers", "transformers",
)  # fmt: skip

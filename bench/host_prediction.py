"""On this machine: time error median <= 15 %, 90th percentile <= 35 %, main operator classes <= 25 %; peak memory median <= 5 %."""

from _claim import report
from thrifty.measure import validate_host

found = validate_host()
errors, classes = found.errors(), found.by_class()
main = {name: entry["error"] for name, entry in classes.items() if entry["main"]}
holds = (
    len(found.rows) >= 15 and errors["median_time_error"] <= 0.15 and errors["p90_time_error"] <= 0.35 and errors["median_memory_error"] <= 0.05
    and all(abs(error) <= 0.25 for error in main.values())
)  # fmt: skip
rows = {row.workload: {"time_error": row.time_error, "memory_error": row.memory_error} for row in found.rows}
report("the calibrated model is right on this machine", holds, {**errors, "main_classes": main, "workloads": len(rows), "rows": rows}, "torch", "transformers")

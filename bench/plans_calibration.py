"""Five numbers a GPU, fitted to measured iterations, predict held-out ones: vTrain within 10 % by model and by count of devices, Selene 3.65 %, B200 10 %.

Prints the numbers for the catalogue (training.toml), the error on the rows fitted, the held-out errors of every fold, and LLaMA's GPU-hours. Needs the
measured tables beside the checkout.
"""

import time
from pathlib import Path

import numpy as np

from _claim import ROOT, report
from thrifty.cost.agreement import mean_error, spearman
from thrifty.cost.plans.physical import evaluate_physical
from thrifty.cost.plans.physical.constants import NAMES, fitted
from thrifty.cost.plans.validation.b200 import read_cases
from thrifty.cost.plans.validation.calibrating import Measured, calibrate, held_out
from thrifty.cost.plans.validation.runs import b200_runs, llama_run, read_runs
from thrifty.hardware import load

PERF = Path(ROOT).parent / "shared" / "data" / "perf"
FILES = {"vtrain-multi": "vtrain_multi_node_a100.csv", "vtrain-single": "vtrain_single_node_a100.csv", "selene": "megatron_a100_selene.csv"}
LIMITS = {"vtrain-multi": 0.10, "vtrain-single": 0.10, "selene": 0.0365, "b200": 0.10}
start = time.perf_counter()
tables = {name: Measured.of(read_runs(PERF / file)) for name, file in FILES.items()}
found = calibrate(list(tables.values()))
result: dict[str, object] = {"a100-80gb": {name: float(f"{getattr(found, name):.4g}") for name in NAMES}}
errors: dict[str, dict[str, float]] = {}
for name, table in tables.items():
    predicted = table.predict(found)
    errors[name] = {"fitted": mean_error(predicted, table.measured_R), "spearman": spearman(predicted, table.measured_R)}
    for fold in ("model", "devices") if name != "selene" else ("row", "model"):
        errors[name][f"without its {fold}"] = mean_error(held_out(tables, name, fold), table.measured_R)
only = calibrate([tables["vtrain-multi"], tables["vtrain-single"]])
errors["selene"]["from vTrain alone"] = mean_error(tables["selene"].predict(only), tables["selene"].measured_R)
b200, taken = Measured.of(b200_runs(read_cases(PERF / "megatron_8xb200.csv"))), fitted(load("a100-80gb"))
fit = calibrate([b200], names=("product", "stream"), start=taken)
result["b200"] = {"product": float(f"{fit.product:.4g}"), "stream": float(f"{fit.stream:.4g}")}
outside = held_out({"b200": b200}, "b200", "model", names=("product", "stream"), start=taken)
errors["b200"] = {
    "fitted": mean_error(b200.predict(fit), b200.measured_R), "without its model": mean_error(outside, b200.measured_R),
    "with a100-80gb's": mean_error(b200.predict(taken), b200.measured_R),
}  # fmt: skip
for name, devices in (("llama-65b", 2048), ("llama-13b", 512), ("llama-13b", 1024), ("llama-13b", 2048)):
    run = llama_run(name, devices=devices)
    seconds = evaluate_physical(run.layers, run.system, run.plan, batch=run.batch).iteration_s
    errors.setdefault(name, {})[f"{devices} devices"] = run.gpu_hours(seconds) / run.measured_gpu_hours - 1
kept = [errors[name][fold] <= limit for name, limit in LIMITS.items() for fold in ("without its model", "without its devices") if fold in errors[name]]
kept[2 * len(FILES) - 2 :] = [errors["selene"]["without its row"] <= LIMITS["selene"], errors["b200"]["without its model"] <= LIMITS["b200"]]
rounded = {name: {what: round(value, 4) for what, value in values.items()} for name, values in errors.items()}
report(__doc__.splitlines()[0], bool(np.all(kept)), {**result, "errors": rounded, "seconds": round(time.perf_counter() - start, 1)}, "numpy", "numba")

"""Plans by the published model on one core: at least 1.5 M a second of DLRM-A's size and 150 k of GPT-3's, timed from tuples of objects and from columns.

Unique configurations with plans, systems and batches mixed; durations, validity and memory included; a sample is checked against the events listed and
scheduled one by one. Seconds are those of the core (process time), which other work on the machine does not lengthen; wall time stands beside.
The floor: one configuration writes 89 bytes of answers and reads 20 of columns; GPT-3's 96 layers are walked for three or four and jumped over.
"""

import time
from collections.abc import Callable

import numpy as np

from _claim import report, spread
from thrifty.cost.plans.compat import evaluate_compat, evaluate_compat_many, every_strategy, published
from thrifty.cost.plans.configurations import Configurations, Evaluations
from thrifty.hardware import load_system

LEAST_PER_S = {"dlrm-a": 1_500_000, "gpt3-175b": 150_000}
SIZES = {"dlrm-a": ("zionex", 1_000_000), "gpt3-175b": ("dc-a", 300_000)}
REPEATS, SYSTEMS, CHECKED = 9, 1000, 60


def core_seconds(call: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Process and wall seconds of `call`, after one that does not count."""
    core, wall = [], []
    for turn in range(REPEATS + 1):
        began, core_began = time.perf_counter(), time.process_time()
        result = call()
        if turn:
            core.append(time.process_time() - core_began)
            wall.append(time.perf_counter() - began)
        del result
    return core, wall


def check(found: Evaluations, draw: np.random.Generator) -> None:
    asked = found.configurations
    assert found.valid_C.all() and np.isfinite(found.memory_bytes_C).all()
    for i in draw.integers(0, len(asked), CHECKED):
        layers, system, plan = asked.workloads[asked.workload_C[i]], asked.systems[asked.system_C[i]], asked.plans[asked.plan_C[i]]
        one = evaluate_compat(layers, system, plan, batch=int(asked.batch_C[i]))
        np.testing.assert_allclose(
            [found.iteration_s_C[i], found.exposed_s_C[i], found.memory_bytes_C[i]], [one.iteration_s, one.exposed_s, one.memory_bytes], rtol=1e-9
        )  # fmt: skip


results: dict[str, object] = {}
holds = True
for name, (system_name, count) in SIZES.items():
    draw = np.random.default_rng(0)
    layers, base = published(name), load_system(system_name)
    systems = [
        base.scaled(compute=draw.uniform(0.5, 10), bandwidth=draw.uniform(0.5, 10), links={tier.name: draw.uniform(0.5, 10) for tier in base.tiers})
        for _ in range(SYSTEMS)
    ]  # fmt: skip
    plans = every_strategy(layers, base)
    batches = np.arange(1, 65) * base.devices * 8
    chosen = draw.choice(SYSTEMS * len(plans) * len(batches), size=count, replace=False)
    system_C, plan_C, batch_C = np.unravel_index(chosen, (SYSTEMS, len(plans), len(batches)))
    columns = Configurations(
        workloads=(layers,), systems=tuple(systems), plans=plans, workload_C=np.zeros(count, dtype=np.int32), system_C=system_C.astype(np.int32),
        plan_C=plan_C.astype(np.int32), batch_C=batches[batch_C],
    )  # fmt: skip
    tuples = [(layers, systems[s], plans[p], int(batches[b])) for s, p, b in zip(system_C, plan_C, batch_C, strict=True)]
    check(evaluate_compat_many(columns), draw)
    calls = {"columns": lambda asked=columns: evaluate_compat_many(asked), "tuples": lambda rows=tuples: evaluate_compat_many(Configurations.of(rows))}
    for form, call in calls.items():
        core, wall = core_seconds(call)
        rate = spread([count / each for each in core])
        results[f"{name}_{form}_per_s"] = {**rate, "wall_median": spread([count / each for each in wall])["median"]}
        holds &= rate["median"] >= LEAST_PER_S[name]
    walking = evaluate_compat_many(columns, jump=False).extra["walked"]
    results[f"{name}_sublayers_walked"] = {"of": walking, "walked": evaluate_compat_many(columns).extra["walked"]}
report("published plans >= 1.5 M/s (DLRM-A) and >= 150 k/s (GPT-3) on one core", holds, results, "numpy", "numba")

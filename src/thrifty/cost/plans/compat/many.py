"""Millions of plans by the published model: `kernel` over columns of configurations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from thrifty.cost.plans.compat.encoding import encode_plans, encode_systems, encode_workloads
from thrifty.cost.plans.compat.evaluating import check_variant, evaluate_compat
from thrifty.cost.plans.compat.events import Variant
from thrifty.cost.plans.compat.kernel import MOST_BLOCKS, REASONS, walk
from thrifty.cost.plans.compat.rates import PublishedRates, published_system
from thrifty.cost.plans.configurations import Configurations, Evaluations
from thrifty.errors import BadValue, ThriftyError
from thrifty.hardware.device import System


def evaluate_compat_many(
    configurations: Configurations, *, variant: Variant | None = None, rates_of: Callable[[System], PublishedRates] = published_system, jump: bool = True
) -> Evaluations:  # fmt: skip
    """Every configuration by the published model, as `evaluate_compat` answers each.

    rates_of : what a system sustains; as published where not given
    jump     : over identical layers once they repeat; False walks each (for tests)
    A configuration that breaks a published rule has valid_C False and NaN; `extra` holds its code (`reason_C`) and what codes mean (`reasons`), and `why`
    says it in full; `walked` counts the sublayers that were walked and not jumped over.

    Raises UnknownName for a system without published rates, BadValue for a model in which nothing is counted.
    """
    check_variant(variant)
    asked, count = configurations, len(configurations)
    rates = [rates_of(system) for system in asked.systems]
    workloads = encode_workloads(asked.workloads, asked.task, variant)
    most = int(np.diff(workloads.columns["runs_RF"][:, :2], axis=1).max(initial=0))
    if most > MOST_BLOCKS:
        raise BadValue(f"a layer of {most} sublayers is more than the {MOST_BLOCKS} that the published model has room for. Choose --mode physical.")
    systems = encode_systems(rates)
    out_FC, reason_C = np.empty((10, count)), np.zeros(count, dtype=np.int8)
    trains, walked = asked.task.trains, np.zeros(1, dtype=np.int64)
    if count:
        walk()(
            asked.workload_C, asked.system_C, asked.plan_C, asked.batch_C, 2 if trains else 1, 3.0 if trains else 1.0, jump, *workloads.values(),
            *systems.values(), *encode_plans(asked.plans).values(), out_FC, reason_C, walked, np.zeros((6, 12)), np.zeros((8, MOST_BLOCKS)),
        )  # fmt: skip
    kinds = dict(zip(("gemm", "embedding", "all_to_all", "all_reduce", "all_gather", "reduce_scatter"), out_FC[1:7], strict=True))
    return Evaluations(
        mode="compat", configurations=asked, valid_C=reason_C == 0, iteration_s_C=out_FC[0],
        compute_s={name: kinds[name] for name in ("gemm", "embedding")},
        communication_s={name: kinds[name] for name in ("all_to_all", "all_reduce", "all_gather", "reduce_scatter")},
        exposed_s_C=out_FC[7], overlapped_s_C=out_FC[8], memory_bytes_C=out_FC[9],
        capacity_bytes_C=np.array([one.capacity_bytes for one in rates])[asked.system_C],
        extra={"reason_C": reason_C, "reasons": REASONS, "walked": int(walked[0])},
    )  # fmt: skip


def why(found: Evaluations, index: int, *, rates_of: Callable[[System], PublishedRates] = published_system) -> str:
    """The published rule that configuration `index` breaks, in full; "" where it breaks none."""
    asked = found.configurations
    layers, system, plan = asked.workloads[asked.workload_C[index]], asked.systems[asked.system_C[index]], asked.plans[asked.plan_C[index]]
    try:
        evaluate_compat(layers, system, plan, batch=int(asked.batch_C[index]), task=asked.task, rates=rates_of(system))
    except ThriftyError as error:
        return str(error)
    return ""

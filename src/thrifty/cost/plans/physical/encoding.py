"""Configurations as rows of numbers: plans laid on workloads and shapes of systems, with what else they choose, rates of systems, terms of memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.collectives import link_class, link_parameters
from thrifty.cost.collectives.links import analytic_row
from thrifty.cost.defaults import defaults_for
from thrifty.cost.kernels.parameters import kernel_parameters
from thrifty.cost.plans.configurations import Configurations
from thrifty.cost.plans.physical import columns as c
from thrifty.cost.plans.physical.constants import Sustained, fitted, traffic
from thrifty.cost.plans.physical.laying import Encoder, Floats, Spread, plenty
from thrifty.cost.plans.physical.memory_batched import TERMS, encode_choices, encode_layers, terms_of_many, with_choices
from thrifty.cost.plans.placing import place
from thrifty.cost.plans.plan import Plan
from thrifty.errors import BadValue
from thrifty.hardware.device import System

SCHEDULES: Final = {"1f1b": c.ONE_F_ONE_B, "gpipe": c.GPIPE, "interleaved": c.INTERLEAVED, "zero-bubble": c.ZERO_BUBBLE}
RECOMPUTE: Final = {"none": c.NO_RECOMPUTE, "selective": c.SELECTIVE, "full": c.FULL}


def system_rows(
    system: System, format_name: str, tiers: int, sustained: Sustained | None = None, *, replayed: bool = False
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """links (T, P), kernels' row (K,) and training row of a system for numbers in a format; FP32 products run in TF32 where the device has it.

    replayed: launches were recorded once, as serving engines do for decoding
    """
    device, now, sheet = system.device, sustained or fitted(system.device), traffic()
    arithmetic = "tf32" if format_name == "fp32" and "tf32" in device.peak_flops else format_name
    links = [link_parameters(tier, device, efficiency=now.network if link_class(tier, device) == "network" else None) for tier in system.tiers]
    links += [analytic_row(1.0, 0.0)] * (tiers - len(links))
    quickest = defaults_for(device.kind).launch_fused_s if replayed else math.inf
    host = next((link.bandwidth_bytes_per_s for link in device.links if link.name.startswith("pcie")), math.inf)
    values = {
        "product": now.product, "stream_byte_s": 1.0 / (device.bandwidth_bytes_per_s * now.stream), "kernel_s": min(now.kernel_s, quickest),
        "collective_s": min(now.collective_s, quickest), "tax": sheet.tax,
        "score_forward_bytes": sheet.score_forward, "score_backward_bytes": sheet.score_backward,
        "gradient_bytes": sheet.gradient, "accumulate_bytes": sheet.accumulate, "expert_imbalance": sheet.expert_imbalance,
        "table_imbalance": sheet.table_imbalance, "sector_bytes": sheet.sector, "host_byte_s": 1.0 / host,
    }  # fmt: skip
    return np.array(links), kernel_parameters(device, arithmetic), np.array([values[name] for name in c.TRAINING])


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """What the loop reads, in its order, and why plans are no good."""

    laid_C: npt.NDArray[np.int64]
    system_C: npt.NDArray[np.int64]
    tables: tuple[Any, ...]
    systems: tuple[tuple[System, str], ...]
    tiers: int
    terms: Floats
    term_rows: npt.NDArray[np.int64]
    reasons: tuple[str, ...]
    replayed: bool
    most_items: int
    most_runs: int

    def rates(self, sustained: Sustained | None = None) -> tuple[Floats, Floats, Floats]:
        """links (S, T, P), rows (S, K), trainings (S, N)."""
        found = [system_rows(system, name, self.tiers, sustained, replayed=self.replayed) for system, name in self.systems]
        return np.array([f[0] for f in found]), np.array([f[1] for f in found]), np.array([f[2] for f in found])


CHOICES: Final = (
    "schedule", "interleave", "recompute", "sequence", "fused", "micro", "offload_optimizer", "offload_weights", "offload_activations",
)  # fmt: skip
"""What a plan states beside its levels."""


def choices_of(plans: Sequence[Plan]) -> Floats:
    """(P, len(CHOICES))."""
    columns = (
        [SCHEDULES[plan.schedule] if plan.interleave == 1 else c.INTERLEAVED for plan in plans], [plan.interleave for plan in plans],
        [RECOMPUTE[plan.recompute] for plan in plans], [plan.sequence for plan in plans], [plan.fused for plan in plans],
        [plan.micro_batch for plan in plans], ["optimizer" in plan.offload for plan in plans], ["weights" in plan.offload for plan in plans],
        ["activations" in plan.offload for plan in plans],
    )  # fmt: skip
    return np.stack([np.array(column, dtype=np.float64) for column in columns], axis=1)


def terms_of(
    asked: Configurations, encoder: Encoder, spreads: Sequence[Spread], spread_Q: npt.NDArray[np.int64], workload_Q: npt.NDArray[np.int64],
    plan_Q: npt.NDArray[np.int64],
) -> tuple[Floats, npt.NDArray[np.int64]]:  # fmt: skip
    """Terms of memory, and (Q, 2) where those of each laid plan stand; plans that treat single layers apart have their account instead."""
    found, rows, begin = [np.zeros((1, TERMS))], np.zeros((len(spreads), 2), dtype=np.int64), 1
    apart_Q = np.array([spread.placed is not None and bool(spread.placed.overrides) for spread in spreads])
    plain_Q = (spread_Q >= 0) & ~apart_Q
    choices = encode_choices(asked.plans)
    for workload in np.unique(workload_Q[plain_Q]):
        mine = np.flatnonzero(plain_Q & (workload_Q == workload))
        options = with_choices(np.array(encoder.options)[spread_Q[mine]], choices[plan_Q[mine]])
        terms, at = terms_of_many(encode_layers(asked.workloads[workload], asked.task), np.array(encoder.degrees), spread_Q[mine], options)
        rows[mine] = at + begin
        found.append(terms)
        begin += len(terms)
    for q in np.flatnonzero(apart_Q).tolist():
        from thrifty.cost.plans.physical.memory import account

        placed, plan = spreads[q].placed, asked.plans[plan_Q[q]]
        if placed is not None:
            whole = account(place(plan, placed.layers, placed.system, batch=plenty(placed.system, plan), task=asked.task))
            found.append(np.zeros((1, TERMS)))
            found[-1][0, 0] = whole.total_bytes
            rows[q] = begin, begin + 1
            begin += 1
    return np.concatenate(found), rows


def encode(asked: Configurations) -> Encoded:
    """Lays every plan once for each workload and shape of system."""
    shapes: dict[tuple[Any, ...], int] = {}
    examples: list[System] = []
    shape_S = np.empty(len(asked.systems), dtype=np.int64)
    for index, system in enumerate(asked.systems):
        form = tuple(tier.count for tier in system.tiers), system.device.kind
        if form not in shapes:
            shapes[form] = len(examples)
            examples.append(system)
        shape_S[index] = shapes[form]
    formats = sorted({layers.format for layers in asked.workloads})
    format_W = np.array([formats.index(layers.format) for layers in asked.workloads], dtype=np.int64)
    tiers = max(len(system.tiers) for system in asked.systems)
    linked = all(any(link.name.startswith("pcie") for link in system.device.links) for system in asked.systems)
    if not linked and any(plan.offload for plan in asked.plans):
        raise BadValue("the plan offloads to the host, and a device states no link to it (pcie). Leave offload out, or add links.pcie to its sheet.")
    encoder = Encoder(tiers=tiers, task=asked.task)
    plans, kinds = len(asked.plans), len(examples)
    key_C = (asked.workload_C.astype(np.int64) * kinds + shape_S[asked.system_C]) * plans + asked.plan_C
    index_K = np.full(len(asked.workloads) * kinds * plans, -1, dtype=np.int64)
    present = np.zeros(len(index_K), dtype=np.bool_)
    present[key_C] = True
    key_Q = np.flatnonzero(present)
    index_K[key_Q] = np.arange(len(key_Q))
    workload_Q, plan_Q, shape_Q = key_Q // (plans * kinds), key_Q % plans, key_Q // plans % kinds
    spreads = [
        encoder.lay(asked.workloads[w], examples[shape], asked.plans[p])
        for w, shape, p in zip(workload_Q.tolist(), shape_Q.tolist(), plan_Q.tolist(), strict=True)
    ]  # fmt: skip
    spread_Q = np.array([spread.at for spread in spreads], dtype=np.int64)
    laid = np.array([*encoder.laid, (0.0,) * len(c.LAID)])[spread_Q]  # the last row stands for plans that break a rule
    lies = np.flatnonzero(spread_Q >= 0)
    laid[np.ix_(lies, np.array([c.LAID[name] for name in CHOICES]))] = choices_of(asked.plans)[plan_Q[lies]]
    terms, term_rows = terms_of(asked, encoder, spreads, spread_Q, workload_Q, plan_Q)
    runs = np.array(encoder.runs, dtype=np.float64).reshape(-1, len(c.RUN))
    tables = (
        laid, runs, np.array(encoder.run_items, dtype=np.int64), np.array(encoder.items, dtype=np.float64).reshape(-1, len(c.ITEM)),
        encoder.blocks.array(len(c.BLOCK)), np.array(encoder.products, dtype=np.float64).reshape(-1, len(c.PRODUCT)), encoder.levels.array(len(c.LEVEL)),
        encoder.reaches.array(tiers),
    )  # fmt: skip
    spans = laid[:, [c.LAID["first_item"], c.LAID["last_item"], c.LAID["first_run"], c.LAID["last_run"]]].astype(np.int64)
    return Encoded(
        laid_C=index_K[key_C], system_C=asked.system_C.astype(np.int64) * len(formats) + format_W[asked.workload_C], tables=tables,
        systems=tuple((system, name) for system in asked.systems for name in formats), tiers=tiers, terms=terms,
        term_rows=term_rows, reasons=tuple(spread.reason for spread in spreads), replayed=not asked.task.trains and asked.task.phase == "decode",
        most_items=max(1, int((spans[:, 1] - spans[:, 0]).max())),
        most_runs=max(1, int((spans[:, 3] - spans[:, 2]).max())),
    )  # fmt: skip

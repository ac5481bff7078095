"""Workloads, systems and plans as arrays of numbers, each stated once, for the loop in `kernel`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.plans.compat.events import Variant
from thrifty.cost.plans.compat.rates import WIDTHS, PublishedRates
from thrifty.cost.plans.compat.rules import check_plan, check_task, said_of, task_trains
from thrifty.cost.plans.compat.sublayers import PERCEPTRONS, Reading, Run, read
from thrifty.cost.plans.models.layers import CLASSES, Layers
from thrifty.cost.plans.plan import Plan
from thrifty.cost.plans.tasks import Task
from thrifty.errors import BadValue

CODES: Final = {"ddp": 1, "fsdp": 2, "tp": 3, "pp": 4, "mp": 5}
"""Strategies; 0: no level."""

LANGUAGE_TABLES: Final = len(CLASSES)
"""Where a plan keeps what it says of a language model's tables, which differs from a recommender's where it says nothing."""

_ROLES: Final = ("bottom", "interaction", "top", "body")


@dataclass(frozen=True, kw_only=True)
class Arrays:
    """Columns by name, in the order in which `kernel` takes them."""

    columns: dict[str, npt.NDArray[Any]]

    def values(self) -> tuple[npt.NDArray[Any], ...]:
        return tuple(self.columns.values())


def encode_workloads(workloads: Sequence[Layers], task: Task, variant: Variant | None) -> Arrays:
    """W workloads with R runs of B sublayers in all. A run whose layers are partly trained becomes two."""
    lookups: list[float] = []
    flags: list[tuple[int, ...]] = []
    classes, odd, pointer, backward = [], [], [0], []
    runs: list[tuple[int, ...]] = []
    blocks: list[tuple[float, ...]] = []
    for layers in workloads:
        reading = read(layers)
        parts = [part for run in reading.runs for part in _split(run, task)]
        first_run = len(runs)
        per_class, odd_class = np.zeros(len(CLASSES)), np.zeros(len(CLASSES), dtype=np.int64)
        per_class[0] = reading.table_bytes
        for run in parts:
            perceptron = run.role in PERCEPTRONS
            trained = [task_trains(task, run.role, one.layer_class, run.first) for one in run.sublayers]
            runs.append((len(blocks), len(blocks) + len(run.sublayers), run.repeat, run.first, int(perceptron), _ROLES.index(run.role)))
            for one, trains in zip(run.sublayers, trained, strict=True):
                number = CLASSES.index(one.layer_class)
                per_class[number] += run.repeat * one.weights * reading.number_bytes
                odd_class[number] |= int(perceptron and reading.layers_in(run.role) % 2)
                size = one.width * reading.number_bytes
                blocks.append((number, one.flops, one.weights * reading.number_bytes, size, size / one.experts if one.experts else 0.0, one.experts, trains))
        upper = [first_run + i for i, run in enumerate(parts) if run.role != "bottom"][::-1]
        lower = [first_run + i for i, run in enumerate(parts) if run.role == "bottom"][::-1]
        frozen = bool(lower) and not any(task_trains(task, "bottom", one.layer_class, 0) for run in parts if run.role == "bottom" for one in run.sublayers)
        backward += upper + lower
        pointer.append(len(runs))
        post = not reading.recommender and (variant or ("post" if reading.images else "pre")) == "post"
        width = int(reading.number_bytes) if reading.number_bytes in WIDTHS else 0
        tables = bool(reading.lookup_bytes) and task_trains(task, "embedding", "embedding", 0)
        flags.append(
            (
                sum(1 << CLASSES.index(name) for name in layers.classes), 0 if reading.recommender else LANGUAGE_TABLES, int(post),
                list(WIDTHS).index(width) if width else -1, int(tables), len(lower) if frozen else 0, len(upper), int(_refused(reading, task)),
            )
        )  # fmt: skip
        lookups.append(reading.lookup_bytes)
        classes.append(per_class)
        odd.append(odd_class)
    return Arrays(
        columns={
            "lookup_W": np.array(lookups), "flags_WF": np.array(flags, dtype=np.int64).reshape(-1, 8), "class_bytes_WC": np.array(classes),
            "odd_WC": np.array(odd), "run_pointer_W": np.array(pointer, dtype=np.int64), "backward_R": np.array(backward, dtype=np.int64),
            "runs_RF": np.array(runs, dtype=np.int64).reshape(-1, 6), "blocks_BF": np.array(blocks, dtype=np.float64).reshape(-1, 7),
        }
    )  # fmt: skip


def _refused(reading: Reading, task: Task) -> bool:
    try:
        check_task(task, reading)
    except BadValue:
        return True
    return False


def _split(run: Run, task: Task) -> list[Run]:
    """A body whose first layers only are trained, in two."""
    cut = task.trained_layers - run.first if run.role == "body" and task.trained_layers >= 0 else 0
    if not 0 < cut < run.repeat:
        return [run]
    return [
        Run(role=run.role, sublayers=run.sublayers, repeat=cut, first=run.first),
        Run(role=run.role, sublayers=run.sublayers, repeat=run.repeat - cut, first=run.first + cut),
    ]  # fmt: skip


def encode_systems(rates: Sequence[PublishedRates]) -> Arrays:
    """S systems: devices and devices of a node; seconds a byte by collective and tier (a single tier twice over), by memory, and a FLOP by width."""
    sizes = np.array([(one.devices, one.node_devices) for one in rates], dtype=np.int64).reshape(-1, 2)
    seconds = np.array(
        [
            [
                *(1 / pair[tier] for pair in (one.all_to_all, one.all_reduce, one.all_gather) for tier in (0, -1)), 1 / one.memory,
                *(1 / one.flops[width] if width in one.flops else np.nan for width in WIDTHS), one.capacity_bytes,
            ]
            for one in rates
        ]
    )  # fmt: skip
    return Arrays(columns={"sizes_S2": sizes, "seconds_SF": seconds})


def encode_plans(plans: Sequence[Plan]) -> Arrays:
    """P plans: by class (and once more the tables of language models) the codes and degrees of two levels, the class that says the same, and what is named."""
    slots = (*CLASSES, "embedding")
    levels = np.zeros((len(plans), len(slots), 4), dtype=np.int64)
    same = np.zeros((len(plans), len(slots)), dtype=np.int64)
    words = np.zeros((len(plans), 2), dtype=np.int64)
    for number, plan in enumerate(plans):
        try:
            check_plan(plan)
        except BadValue:
            words[number, 1] = 1
            continue
        said = [said_of(plan, name, recommender=slot < LANGUAGE_TABLES) for slot, name in enumerate(slots)]
        for slot, one in enumerate(said):
            for place, level in enumerate(one):
                levels[number, slot, place], levels[number, slot, 2 + place] = CODES[level.strategy], level.degree
        words[number, 0] = sum(1 << CLASSES.index(name) for name in plan.levels if name != "dense")
        same[number] = [0 if slot in (0, LANGUAGE_TABLES) else 1 + said[1:].index(said[slot]) for slot in range(len(slots))]
    return Arrays(columns={"levels_PC4": levels, "same_PC": same, "words_P2": words})

"""What training sustains on a device, from `cost/catalogue/training.toml`: five fitted numbers, carried over where nobody has measured, and traffic."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields
from typing import Final

from thrifty.cost.facts import load_facts
from thrifty.hardware.device import Device

MEASURED: Final = "a100-80gb"
"""The device whose measured iterations the five numbers were fitted to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sustained:
    """The five fitted numbers of a type of device.

    product    : time of a matrix product in training over that of the same product in a benchmark
    stream     : share of the memory's bandwidth that element-wise kernels sustain
    kernel_s, collective_s : what the host takes to launch one
    network    : share of the bandwidth between nodes that collectives sustain
    """

    product: float
    stream: float
    kernel_s: float
    collective_s: float
    network: float


NAMES: Final = tuple(field.name for field in fields(Sustained))


def fitted(device: Device) -> Sustained:
    """The catalogue's numbers of `device`, or those of `MEASURED` where nobody has measured it."""
    return _fitted(device.name if f"fitted.{device.name}.product" in load_facts("training").facts else MEASURED)


@functools.cache
def _fitted(name: str) -> Sustained:
    facts = load_facts("training")
    at = f"fitted.{name}"
    return Sustained(
        product=facts.get(f"{at}.product", "ratio"), stream=facts.get(f"{at}.stream", "ratio"), kernel_s=facts.get(f"{at}.kernel", "time"),
        collective_s=facts.get(f"{at}.collective", "time"), network=facts.get(f"{at}.network", "ratio"),
    )  # fmt: skip


def ground_of(device: Device) -> str:
    """What the five numbers stand on for `device`, as a note."""
    facts = load_facts("training")
    if f"fitted.{device.name}.product" in facts.facts:
        return f"launching, streams, products in training and networks calibrated on measured iterations of {device.name}"
    return f"launching, streams, products in training and networks transferred from {MEASURED}, with the peaks of {device.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Bytes that follow from what kernels read and write, and assumptions; see the sheet."""

    score_forward: float
    score_backward: float
    logit_forward: float
    logit_backward: float
    backward_over_forward: float
    gradient: float
    accumulate: float
    sector: float
    tax: float
    expert_imbalance: float
    table_imbalance: float


@functools.cache
def traffic() -> Traffic:
    """Read once."""
    facts = load_facts("training")
    get = facts.get
    return Traffic(
        score_forward=get("traffic.score_forward", "capacity"), score_backward=get("traffic.score_backward", "capacity"),
        logit_forward=get("traffic.logit_forward", "capacity"), logit_backward=get("traffic.logit_backward", "capacity"),
        backward_over_forward=get("traffic.backward_over_forward", "ratio"), gradient=get("traffic.gradient", "capacity"),
        accumulate=get("traffic.accumulate", "capacity"), sector=get("traffic.sector", "capacity"), tax=get("assumed.tax", "ratio"),
        expert_imbalance=get("assumed.expert_imbalance", "ratio"), table_imbalance=get("assumed.table_imbalance", "ratio"),
    )  # fmt: skip


@functools.cache
def optimizer_bytes(optimizer: str) -> float:
    """Bytes that one trained weight moves in a step."""
    return load_facts("training").get(f"optimizer.{optimizer}", "capacity")

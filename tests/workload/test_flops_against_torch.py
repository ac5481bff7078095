"""Matrix FLOPs of the whole catalogue against torch's own counter on meta tensors, where it takes attention apart: forward, and with backward.

The counter has no rule for grouped expert products, so mixtures of experts are counted in their batched form, which multiplies the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from thrifty.workload import get_entry, load
from thrifty.workload.building import blueprint_of, build_module, loss_for, make_inputs, set_mode
from thrifty.workload.building.meta import MetaAnswers
from thrifty.workload.entries import entry_names

POINTS: Mapping[str, Mapping[str, int]] = {
    "lm": {"batch": 2, "seq": 24}, "encoder": {"batch": 2, "seq": 24}, "vision": {"batch": 2, "image": 224}, "recommender": {"batch": 6},
}  # fmt: skip
TWINS = [name for name in entry_names() if get_entry(name).torch_class is not None]


def point_of(name: str) -> Mapping[str, int]:
    """Small sizes of what has its own; a part of a generator stands where its sheet looks at it."""
    entry = get_entry(name)
    return POINTS[entry.kind] if entry.kind in POINTS and not (entry.kind == "vision" and "@" in name) else load(name, phase="forward").point


def counted_by_torch(name: str, *, training: bool) -> int:
    entry = get_entry(name)
    module = build_module(entry, device="meta", format="fp32")
    config: Any = getattr(module, "config", None)
    if config is not None and hasattr(config, "_experts_implementation"):
        config._experts_implementation = "batched_mm"
    inputs = make_inputs(module, blueprint_of(entry), "training" if training else "forward", point_of(name), "meta")
    set_mode(module, "training" if training else "evaluation")
    with MetaAnswers(), FlopCounterMode(display=False) as counter:
        if training:
            loss_for(module)(module(**inputs)).backward()
        else:
            with torch.no_grad():
                module(**inputs)
    return int(counter.get_total_flops())


@pytest.mark.parametrize("name", TWINS)
def test_peer_forward_flops_of_the_catalogue(name: str) -> None:
    workload = load(name, phase="forward", format="fp32", **point_of(name))
    assert workload.table.totals()["flops_matrix"] == counted_by_torch(name, training=False)


@pytest.mark.parametrize("name", TWINS)
def test_peer_training_flops_of_the_catalogue(name: str) -> None:
    """Models that have a tiny copy as that: it has every kind of block."""
    chosen = f"{name}@tiny" if "tiny" in get_entry(name).presets else name
    workload = load(chosen, phase="training", format="fp32", **point_of(chosen))
    assert workload.table.totals()["flops_matrix"] == counted_by_torch(chosen, training=True)

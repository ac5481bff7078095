"""What holds of every denoiser that diffusers builds: its twin counts the same FLOPs, its presets run, and its polynomials are exact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest
from tests.workload.families.twins import sheet

from thrifty.workload import load
from thrifty.workload.building import Blueprint, blueprint_of, build_module, make_inputs
from thrifty.workload.model import WorkPhase


def twin(family: Any, torch_class: str) -> Blueprint:
    """The class of diffusers that takes the family's shape, fed as the family says."""
    pytest.importorskip("diffusers", reason="the twin is a class of diffusers")
    return Blueprint(name="twin", kind="generator", torch_class=f"diffusers.{torch_class}", config=asdict(family.shape), fed=family)


def torchs_own_flops(blueprint: Blueprint, point: Mapping[str, int], *, training: bool = False) -> int:
    """As torch counts them on meta; of a training step too, whose loss is the mean of the result."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    module = build_module(blueprint, format="fp32" if training else "bf16")
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(training):
        out = module(**make_inputs(module, blueprint, "training" if training else "forward", point))[0]
        if training:
            out.mean().backward()
    return int(counter.get_total_flops())


def assert_full_size(name: str, flops: int, attention: float) -> None:
    """The sheet's point at full size costs `flops`, by us and by torch to the last one, and core attention is that share of them."""
    pytest.importorskip("diffusers", reason="the twin is a class of diffusers")
    work = load(name)
    assert work.table.totals()["flops_matrix"] == torchs_own_flops(blueprint_of(sheet(name)), work.point) == flops
    assert work.table.by_kind()["attention"]["flops_matrix"] / flops == pytest.approx(attention, abs=0.0005)


def assert_presets(name: str) -> None:
    """Both smaller copies have the parameters of their twins; the tiny one runs and gives back numbers of the latent's shape, or twice its channels."""
    pytest.importorskip("diffusers", reason="the twin is a class of diffusers")
    import torch

    for preset in ("tiny", "small"):
        entry = sheet(name).at_preset(preset)
        assert sum(p.numel() for p in build_module(blueprint_of(entry)).parameters()) == load(f"{name}@{preset}").parameters == entry.parameters
    entry = sheet(name).at_preset("tiny")
    module = build_module(blueprint_of(entry), device="cpu", format="fp32")
    fed = make_inputs(module, entry, "forward", load(f"{name}@tiny").point, "cpu")
    with torch.no_grad():
        out = module(**fed)[0]
    assert out.shape[0] == fed["hidden_states"].shape[0]
    assert out.numel() % fed["hidden_states"].numel() == 0
    assert bool(out.isfinite().all())


def assert_exact_polynomials(name: str, points: list[dict[str, int]]) -> None:
    """Totals and peak memory by polynomial are those of tables made afresh, forward and in training."""
    phases: tuple[WorkPhase, ...] = ("forward", "training")
    for phase in phases:
        work = load(name, phase=phase)
        columns = {symbol: [{**work.point, **point}[symbol] for point in points] for symbol in work.point}
        totals, peaks = work.polynomials.totals(columns), work.polynomials.peak_memory(columns)
        for index, point in enumerate(points):
            table = work.at(point).table
            for count, value in table.totals().items():
                if count in totals:
                    assert totals[count][index] == value, (phase, point, count)
            assert peaks[index] == table.peak()[0], (phase, point)

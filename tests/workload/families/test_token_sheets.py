"""Sheets of Muse, Parti, Phenaki and the decoders of their tokens against their torch twins: parameters, torch's own count of FLOPs, polynomials."""

from __future__ import annotations

import pytest
import torch
from tests.workload.families.test_token_models import torch_flops
from tests.workload.families.twins import assert_true_count, sheet

from thrifty.workload import load
from thrifty.workload.building import blueprint_of, build_module, make_inputs
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import Kind

SHEETS = ("muse-base", "muse-sr", "parti-transformer", "parti-vit-vqgan-decoder", "phenaki-maskgit", "phenaki-cvivit-decoder")


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("muse-base", 3_297_318_912), ("muse-sr", 3_314_096_128), ("parti-transformer", 20_535_595_008), ("parti-vit-vqgan-decoder", 630_230_976),
        ("phenaki-maskgit", 1_845_794_816), ("phenaki-cvivit-decoder", 25_758_784),
    ],
)  # fmt: skip
def test_sheet_family_and_twin_have_as_many_parameters(name: str, parameters: int) -> None:
    assert_true_count(name, parameters)


@pytest.mark.parametrize("preset", ["tiny", "small"])
@pytest.mark.parametrize("name", SHEETS)
def test_presets_have_the_parameters_of_their_twins(name: str, preset: str) -> None:
    work, entry = load(f"{name}@{preset}"), sheet(name).at_preset(preset)
    assert sum(p.numel() for p in build_module(blueprint_of(entry)).parameters()) == work.parameters == entry.parameters
    assert work.parameters < 3e6 or preset == "small"


@pytest.mark.parametrize("name", SHEETS)
def test_tiny_presets_run(name: str) -> None:
    blueprint = blueprint_of(sheet(name).at_preset("tiny"))
    module, point = build_module(blueprint, device="cpu"), load(f"{name}@tiny").point
    with torch.no_grad():
        out = module(**make_inputs(module, blueprint, "forward", point, "cpu"))
    assert bool(out.isfinite().all())
    assert out.std() > 0


@pytest.mark.parametrize(
    ("name", "phase"), [(name, phase) for name in SHEETS for phase in (("prefill", "decode", "forward") if name.startswith("parti-t") else ("forward",))]
)
def test_peer_flops_are_torchs_own_at_full_size(name: str, phase: WorkPhase) -> None:
    work = load(name, phase=phase)
    counted = work.table.rows["flops_matrix"][work.table.rows["kind"] != Kind.EMBEDDING].sum()
    assert torch_flops(blueprint_of(sheet(name)), phase, dict(work.point)) == counted == work.table.totals()["flops_matrix"]


@pytest.mark.parametrize(
    ("name", "phase", "points"),
    [
        ("muse-base@tiny", "forward", [{"seq": 9}, {"seq": 200, "text": 30, "batch": 5}]),
        ("muse-sr@tiny", "forward", [{"seq": 900, "low": 77, "text": 2}]),
        ("parti-transformer@tiny", "prefill", [{"text": 3}, {"text": 12, "batch": 4}]),
        ("parti-transformer@tiny", "decode", [{"seq": 2}, {"seq": 50, "text": 5, "batch": 3}]),
        ("parti-transformer@tiny", "forward", [{"seq": 50, "text": 5, "batch": 3}]),
        ("parti-vit-vqgan-decoder@tiny", "forward", [{"image": 24}, {"image": 120, "batch": 2}]),
        ("phenaki-maskgit@tiny", "forward", [{"frames": 3, "image": 24}, {"frames": 7, "image": 64, "text": 9}]),
        ("phenaki-cvivit-decoder@tiny", "forward", [{"frames": 3, "image": 24}, {"frames": 21, "image": 64, "batch": 2}]),
    ],
)
def test_polynomials_are_exact(name: str, phase: WorkPhase, points: list[dict[str, int]]) -> None:
    work = load(name, phase=phase)
    for point in points:
        found, afresh = work.polynomials.totals({**work.point, **point}), work.at(point).table.totals()
        for key, values in found.items():
            assert int(values.reshape(-1)[0]) == afresh[key], (key, point)

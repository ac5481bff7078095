"""The workloads that hold the models against reality on this machine: real torch modules at several sizes, none of them used in calibration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import torch

from thrifty.workload import OperatorTable, get_entry
from thrifty.workload.building import blueprint_of, build_module, loss_for, make_inputs, set_mode
from thrifty.workload.building.meta import MetaAnswers
from thrifty.workload.model import WorkPhase
from thrifty.workload.tracing import record_step


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCase:
    """One workload at one point. build: makes the module and its keyword arguments, on CPU, with random weights (shapes decide time)."""

    name: str
    phase: WorkPhase
    build: Callable[[], tuple[torch.nn.Module, dict[str, Any]]]
    build_meta: Callable[[], tuple[torch.nn.Module, dict[str, Any]]]

    @property
    def training(self) -> bool:
        return self.phase == "training"

    def table(self) -> OperatorTable:
        """Its operators, recorded on meta tensors: nothing is allocated."""
        module, inputs = self.build_meta()
        with MetaAnswers():
            return record_step(module, (), inputs, training=self.training, loss=loss_for(module) if self.training else None).table


def catalogue_case(name: str, phase: WorkPhase, point: Mapping[str, int], number_format: str = "fp32", **changes: Any) -> HostCase:
    """A model of the catalogue; `changes` replace parts of its torch configuration (fewer layers, smaller tables)."""

    def build(device: str) -> tuple[torch.nn.Module, dict[str, Any]]:
        blueprint = blueprint_of(get_entry(name))
        if changes:
            blueprint = replace(blueprint, config={**blueprint.config, **changes}, parameters=None)
        module = build_module(blueprint, device=device, format=number_format)
        set_mode(module, "training" if phase == "training" else "evaluation")
        return module, make_inputs(module, blueprint, phase, point, device=device)

    sizes = ", ".join(f"{key} {value}" for key, value in point.items())
    extra = "".join(f", {key.removeprefix('num_').replace('_', ' ')} {value}" for key, value in changes.items() if isinstance(value, int))
    title = f"{name} {phase} ({sizes}{extra}{'' if number_format == 'fp32' else ', ' + number_format})"
    return HostCase(name=title, phase=phase, build=partial(build, "cpu"), build_meta=partial(build, "meta"))


def _unet() -> HostCase:
    def build(device: str) -> tuple[torch.nn.Module, dict[str, Any]]:
        from diffusers import UNet2DConditionModel

        torch.manual_seed(0)
        with torch.device(device):
            module = UNet2DConditionModel(
                sample_size=32, block_out_channels=(96, 192, 384), layers_per_block=1, cross_attention_dim=256, attention_head_dim=8,
                down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
                up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            ).eval()  # fmt: skip
            return module, {"sample": torch.randn(1, 4, 32, 32), "timestep": torch.tensor(10), "encoder_hidden_states": torch.randn(1, 77, 256)}

    return HostCase(name="small UNet, latent 32, text 77", phase="forward", build=partial(build, "cpu"), build_meta=partial(build, "meta"))


HOST_CASES: Final[tuple[HostCase, ...]] = (
    catalogue_case("smollm2-135m", "prefill", {"batch": 1, "seq": 128}),
    catalogue_case("smollm2-135m", "prefill", {"batch": 1, "seq": 512}),
    catalogue_case("smollm2-135m", "prefill", {"batch": 4, "seq": 64}),
    catalogue_case("smollm2-135m", "decode", {"batch": 1, "seq": 128}),
    catalogue_case("smollm2-135m", "decode", {"batch": 1, "seq": 1024}),
    catalogue_case("smollm2-135m", "decode", {"batch": 8, "seq": 256}),
    catalogue_case("smollm2-135m", "prefill", {"batch": 1, "seq": 128}, "bf16"),
    catalogue_case("gpt2", "prefill", {"batch": 1, "seq": 256}),
    catalogue_case("gpt2", "decode", {"batch": 1, "seq": 256}),
    catalogue_case("bert-base", "forward", {"batch": 1, "seq": 128}),
    catalogue_case("bert-base", "forward", {"batch": 4, "seq": 384}),
    catalogue_case("vit-b", "forward", {"batch": 1, "image": 224}),
    catalogue_case("resnet-50", "forward", {"batch": 1, "image": 224}),
    catalogue_case("resnet-50", "forward", {"batch": 4, "image": 160}),
    _unet(),
    catalogue_case("dlrm-criteo-kaggle", "forward", {"batch": 2048}),
    catalogue_case("dlrm-criteo-kaggle", "forward", {"batch": 128}),
    catalogue_case("smollm2-135m", "training", {"batch": 2, "seq": 64}, num_hidden_layers=8),
)
"""At least fifteen; sizes are ones that users run on a small machine."""

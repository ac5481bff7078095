"""LLMCarbon (Faiz et al., ICLR 2024): FLOPs of a training run over what devices achieve, times power, PUE and intensity; making by area.

    FLOPs = 6 N D    days = FLOPs / (n · peak · efficiency) / 86400    energy = power · n · t · PUE    inference: 2 N D

N counts only the experts that a token visits. Without a stated efficiency the polynomials of Megatron on A100 give it (equation 5).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import BadValue
from thrifty.lenses.carbon.workloads.predictors.prediction import Prediction, above_zero, check_grid
from thrifty.quantities import J_PER_KWH

NAME: Final = "LLMCarbon"
_AT: Final = "predictors:llmcarbon."


def achieved_flops(parameters: float, memory_bytes: float, node_devices: int) -> float:
    """FLOP/s that an A100 achieves on a model of `parameters`: tensor parallelism where one node holds it, pipelines beyond.

    Capacity: 0.03 billion parameters a GB of a GPU's memory. Raises BadValue for a size that is none, or beyond what the polynomial can tell.
    """
    above_zero(parameters=parameters, memory_bytes=memory_bytes, node_devices=node_devices)
    pack = load_pack()
    held = pack.get(_AT + "billions_per_gb", "ratio") * memory_bytes * node_devices  # billions a GB: 1e9 over 1e9
    way = "tensor" if parameters <= held else "pipeline"
    constant, linear, square = (pack.get(f"{_AT}{way}.{part}", "ratio") for part in ("constant", "linear", "square"))
    tera = constant + linear * parameters - square * parameters**2
    if parameters > linear / square:  # the parabola has come back to its constant: beyond what was fitted
        raise BadValue(f"{parameters:.3g} parameters are beyond the {linear / square:.3g} that LLMCarbon's {way} polynomial can tell. State an efficiency.")
    return tera * 1e12


def efficiency_of(parameters: float, memory_bytes: float, node_devices: int) -> float:
    """Share of its peak that a device achieves, by the polynomials."""
    return achieved_flops(parameters, memory_bytes, node_devices) / load_pack().get(_AT + "peak", "compute")


def llmcarbon_work(
    kind: Literal["training", "inference"], active_parameters: float, tokens: float, *, devices: float, peak_flops: float, efficiency: float, power_w: float,
    pue: float, intensity_g_per_kwh: float, embodied_g_per_device: float | None = None, power_is: str = "as stated",
) -> Prediction:  # fmt: skip
    """Training on `tokens`, or reading and writing them (as if both achieved what training does). Raises BadValue for a number that cannot be."""
    above_zero(active_parameters=active_parameters, tokens=tokens, devices=devices, peak_flops=peak_flops, efficiency=efficiency, power_w=power_w)
    if efficiency > 1:
        raise BadValue(f"efficiency={efficiency} is above 1. Give the share of the peak that is achieved.")
    check_grid(pue, intensity_g_per_kwh)
    flops = load_pack().get(f"{_AT}flops_per_parameter_token.{kind}", "ratio") * active_parameters * tokens
    device_s = flops / (peak_flops * efficiency)
    energy_j = device_s * power_w * pue
    life_s = load_pack().get(_AT + "node.life", "time")
    return Prediction(
        predictor=NAME, energy_j=energy_j, operational_gco2e=energy_j / J_PER_KWH * intensity_g_per_kwh,
        embodied_gco2e=None if embodied_g_per_device is None else embodied_g_per_device * device_s / life_s, device_s=device_s,
        assumed={"work": f"{flops:.3g} FLOP", "achieved": f"{peak_flops * efficiency / 1e12:.3g} TFLOP/s a device ({efficiency:.0%} of peak)",
                 "power": f"{power_w:.0f} W a device, {power_is}"},
    )  # fmt: skip


def node_parts_g() -> dict[str, float]:
    """Grams of making what stands beside the accelerators of one node, by part."""
    pack = load_pack()
    return {part: pack.get(f"{_AT}node.{part}", "carbon") for part in ("cpu", "dram", "ssd", "others")}


def embodied_per_device_g(die_g: float) -> float:
    """Grams of making one accelerator of `die_g` with its share of a node of eight."""
    return die_g + sum(node_parts_g().values()) / load_pack().get(_AT + "node.gpus", "ratio")


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """One published run beside the prediction; error is predicted over published, less 1."""

    name: str
    kind: str
    published_gco2e: float
    predicted_gco2e: float
    days: float

    @property
    def error(self) -> float:
        return self.predicted_gco2e / self.published_gco2e - 1

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name, "kind": self.kind, "published_t": self.published_gco2e / 1e6, "predicted_t": self.predicted_gco2e / 1e6, "days": self.days,
            "error": self.error, "truth": "literature",
        }  # fmt: skip


def validate_llmcarbon() -> tuple[Validation, ...]:
    """The five runs of its validation, and the making of XLM's machines, predicted again from their inputs."""
    pack = load_pack()
    rows = []
    for name in dict.fromkeys(path.removeprefix(_AT + "runs.").partition(".")[0] for path in pack.factors if path.startswith(_AT + "runs.")):
        at = f"{_AT}runs.{name}."
        devices = pack.get(at + "devices", "count")
        found = llmcarbon_work(
            "training", pack.get(at + "active", "count"), pack.get(at + "tokens", "count"), devices=devices, peak_flops=pack.get(at + "peak", "compute"),
            efficiency=pack.get(at + "efficiency", "ratio"), power_w=pack.get(at + "system_power", "power"), pue=pack.get(at + "pue", "ratio"),
            intensity_g_per_kwh=pack.get(at + "intensity", "carbon_per_energy"),
        )  # fmt: skip
        rows.append(
            Validation(
                name=name, kind="operational", published_gco2e=pack.get(at + "published", "carbon"), predicted_gco2e=found.operational_gco2e,
                days=found.device_s / devices / 86400,
            )
        )  # fmt: skip
    xlm = _AT + "node.xlm."
    time_s, devices = pack.get(xlm + "time", "time"), pack.get(xlm + "devices", "count")
    per_device = embodied_per_device_g(pack.get(_AT + "node.v100", "carbon"))
    rows.append(
        Validation(
            name="xlm", kind="embodied", published_gco2e=pack.get(xlm + "published", "carbon"),
            predicted_gco2e=per_device * devices * time_s / pack.get(_AT + "node.life", "time"), days=time_s / 86400,
        )
    )  # fmt: skip
    return tuple(rows)

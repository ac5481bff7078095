"""What making a device emitted: die, package, memory and board, each as the span over public models.

    low, mid, high = least, median and most of all models that cover the part; parts add end by end.

The span is the models' disagreement, not a confidence interval: for memory it is a factor of ten and more. Where a sheet lacks die area
or node, the part spans what chips of that kind can be, and a note says so; no number is put in its place.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.cost.carbon.embodied import public_models as factors
from thrifty.cost.facts import load_facts
from thrifty.footprint.interval import Interval
from thrifty.hardware.device import Device


@dataclass(frozen=True, slots=True, kw_only=True)
class Embodied:
    """Grams of CO2e that making one device emitted, by part; `models` says which model said what of which part."""

    die_gco2e: Interval
    package_gco2e: Interval
    memory_gco2e: Interval
    board_gco2e: Interval
    models: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...] = ()

    @property
    def total_gco2e(self) -> Interval:
        return self.die_gco2e + self.package_gco2e + self.memory_gco2e + self.board_gco2e

    @classmethod
    def of(cls, device: Device) -> Embodied:
        """Price the making of `device` by every model that covers its parts."""
        notes: list[str] = []
        die_models, die = _die(device, notes)
        memory_models = _memory(device, notes)
        sheet = load_facts("carbon")
        board = _board_row(device)
        return cls(
            die_gco2e=die,
            package_gco2e=Interval.exact(factors.package_g()),
            memory_gco2e=_span(memory_models),
            board_gco2e=Interval(*(sheet.get(f"board.{board}.{end}", "carbon") for end in ("low", "mid", "high"))),
            models={"die": die_models, "memory": memory_models},
            notes=tuple(notes),
        )  # fmt: skip


def _span(by_model: Mapping[str, float]) -> Interval:
    values = sorted(by_model.values())
    return Interval(values[0], statistics.median(values), values[-1])


def _board_row(device: Device) -> str:
    return {"gpu": "gpu", "tpu": "gpu", "npu": "gpu", "cpu": "cpu", "soc": "soc"}[device.kind]


def _die_models(device: Device, die_mm2: float, node_nm: float) -> dict[str, float]:
    by_model = {name: model(die_mm2, node_nm) for name, model in factors.DIE_MODELS.items()}
    if device.kind == "cpu":
        by_model["boavizta"] = factors.boavizta_cpu_g(die_mm2)
    elif device.kind == "gpu":
        by_model["boavizta"] = factors.boavizta_gpu_die_g(die_mm2)
    return by_model


def _die(device: Device, notes: list[str]) -> tuple[dict[str, float], Interval]:
    sheet = load_facts("carbon")
    areas = [device.die_area_mm2] if device.die_area_mm2 is not None else []
    nodes = [device.process_node_nm] if device.process_node_nm is not None else []
    if not areas:
        areas = [sheet.get(f"die_unknown.{device.kind}.{end}", "area") for end in ("low", "mid", "high")]
        notes.append(f"die area unknown: {areas[0]:g} to {areas[-1]:g} mm² taken, as for a {device.kind}")
    if not nodes:
        nodes = sorted(float(row[1:]) for row in sheet.under("imec.cpa"))
        notes.append(f"process node unknown: {nodes[0]:g} to {nodes[-1]:g} nm taken")
    elif (row := factors.nearest_node("act.epa", nodes[0])) != f"n{nodes[0]:g}":
        notes.append(f"no factors for {nodes[0]:g} nm: those of {row[1:]} nm taken where a model lacks the node")
    cases = [_die_models(device, area, node) for area in areas for node in nodes]
    merged = {name: statistics.median(case[name] for case in cases) for name in cases[0]}
    every = [value for case in cases for value in case.values()]
    return merged, Interval(min(every), statistics.median(every), max(every))


def _memory(device: Device, notes: list[str]) -> dict[str, float]:
    size = device.memory_bytes
    technology = device.memory_technology.upper()
    if "SRAM" in technology:
        notes.append("largest memory is SRAM on the die: counted with the die")
        return {"on-die": 0.0}
    family = next((name for name in ("lpddr", "gddr", "hbm", "ddr") if name.upper() in technology), None)
    if family is None:
        notes.append(f"memory technology '{device.memory_technology}' unknown: DDR factors taken")
        family = "ddr"
    by_model = {
        "act": factors.act_memory_g(size, family),
        "llmcarbon": factors.llmcarbon_memory_g(size),
        "fair-co2": factors.fair_co2_memory_g(size),
    }
    if family in ("hbm", "gddr"):
        by_model["boavizta"] = factors.boavizta_vram_g(size)
    else:
        by_model["boavizta"] = factors.boavizta_ram_g(size, modules=0 if family == "lpddr" else None)
        by_model["greensku"] = factors.greensku_memory_g(size)
    if family == "hbm":
        by_model["nvidia-pcf"] = factors.nvidia_hbm_g(size)
    return by_model

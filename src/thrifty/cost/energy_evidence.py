"""How far the energy model is off: published measurements beside what it computes for the same work, misses shown.

The rows stand in `catalogue/measured_energy.toml`. Those that say "fit" set the shares of `catalogue/energy.toml`; the others check them.
Whatever a row's boundary has beyond the device (hosts, network, fans) the model leaves out, so such rows come out low and say why.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from thrifty.cost.defaults import defaults_for
from thrifty.cost.energy import EnergyModel
from thrifty.cost.facts import Facts, load_facts
from thrifty.errors import BadSheet, UnknownName
from thrifty.hardware.device import Device, DeviceKind


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyRow:
    """One published measurement and the model's answer.

    modelled_j is None where no data sheet of the device is at hand; ratio is modelled / measured. time_truth: literature where the
    publication states the time, modelled where default efficiencies stand in. bound_ratio: TDP × time / measured, a bound and no estimate.
    """

    name: str
    title: str
    device: str
    devices: int
    use: Literal["fit", "check"]
    boundary: Literal["device", "system"]
    measured_j: float
    modelled_j: float | None
    ratio: float | None
    bound_ratio: float | None
    time_s: float | None
    time_truth: Literal["literature", "modelled"]
    source: str
    where: str
    how: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyValidation:
    """All rows, and the error over those that check the model: |modelled / measured − 1| of rows with a known time and a device boundary.

    all_* are over every check row that a sheet exists for.
    """

    rows: tuple[EnergyRow, ...]
    model: str
    checked: int
    median_error: float
    p90_error: float
    all_checked: int
    all_median_error: float
    all_p90_error: float

    def to_dict(self) -> dict[str, Any]:
        return {**{k: v for k, v in asdict(self).items() if k != "rows"}, "rows": [row.to_dict() for row in self.rows]}


def _load_device(name: str) -> Device:
    from thrifty.hardware import load

    return load(name)


def validate_energy(device_of: Callable[[str], Device] | None = None) -> EnergyValidation:
    """Compute every published measurement with the energy model. device_of: how a device is found by name (default: the catalogue)."""
    sheet = load_facts("measured_energy")
    rows = tuple(_row(sheet, name, device_of or _load_device) for name in _row_names(sheet))
    check = [row for row in rows if row.use == "check" and row.ratio is not None]
    strict = [row for row in check if row.boundary == "device" and row.time_truth == "literature"]
    return EnergyValidation(
        rows=rows, model=str(load_facts("energy").texts["model.name"]), checked=len(strict), median_error=_quantile(strict, 0.5),
        p90_error=_quantile(strict, 0.9), all_checked=len(check), all_median_error=_quantile(check, 0.5), all_p90_error=_quantile(check, 0.9),
    )  # fmt: skip


def fit_shares(kind: DeviceKind, device_of: Callable[[str], Device] | None = None) -> dict[str, float]:
    """The shares awake, memory and compute that fit the "fit" rows of `kind` best, in least squares of relative power, none below 0.

    This is how the numbers of `catalogue/energy.toml` were reached, before rounding. A kind whose rows state no traffic gets memory = nan.
    """
    sheet = load_facts("measured_energy")
    design: list[list[float]] = []
    target: list[float] = []
    for name in _row_names(sheet):
        if _text(sheet, name, "use") != "fit":
            continue
        device = (device_of or _load_device)(str(_text(sheet, name, "device")))
        if device.kind != kind:
            continue
        energy_j, time_s = sheet.get(f"rows.{name}.measured", "energy"), sheet.get(f"rows.{name}.time", "time")
        count = int(sheet.texts.get(f"rows.{name}.devices", 1))
        model = EnergyModel.of(device)
        dynamic_j = (device.tdp_w - model.idle_w) * time_s * count
        flop_share = float(_text(sheet, name, "flops_matrix")) / (device.peak(str(_text(sheet, name, "format"))) * time_s * count)
        byte_share = float(_text(sheet, name, "bytes")) / (device.bandwidth_bytes_per_s * time_s * count)
        design.append([dynamic_j / energy_j, byte_share * dynamic_j / energy_j, flop_share * dynamic_j / energy_j])
        target.append(1.0 - model.idle_w * time_s * count / energy_j)
    matrix = np.array(design)
    columns = [index for index in range(3) if matrix[:, index].any()]
    while True:  # drop what would come out negative: three unknowns at most, so this ends
        solution = np.linalg.lstsq(matrix[:, columns], np.array(target), rcond=None)[0]
        if (solution >= 0).all() or len(columns) == 1:
            break
        columns.pop(int(solution.argmin()))
    shares = dict(zip(columns, solution, strict=True))
    silent = not matrix[:, 1].any()
    return {
        part: math.nan if silent and part == "memory" else max(0.0, float(shares.get(index, 0.0)))
        for index, part in enumerate(("awake", "memory", "compute"))
    }  # fmt: skip


def _row_names(sheet: Facts) -> tuple[str, ...]:
    return tuple(path.split(".")[1] for path in sheet.facts if path.endswith(".measured"))


def _text(sheet: Facts, name: str, key: str) -> Any:
    path = f"rows.{name}.{key}"
    if path not in sheet.texts:
        raise BadSheet(f"{sheet.name}.toml, row '{name}' has no {key}. Add it.")
    return sheet.texts[path]


def _row(sheet: Facts, name: str, device_of: Callable[[str], Device]) -> EnergyRow:
    fact = sheet.facts[f"rows.{name}.measured"]
    measured_j = sheet.get(f"rows.{name}.measured", "energy")
    count = int(sheet.texts.get(f"rows.{name}.devices", 1))
    flops, moved = float(_text(sheet, name, "flops_matrix")), float(_text(sheet, name, "bytes"))
    format_name = str(_text(sheet, name, "format"))
    stated = f"rows.{name}.time" in sheet.facts
    time_s = sheet.get(f"rows.{name}.time", "time") if stated else None
    modelled_j = bound = None
    try:
        device = device_of(str(_text(sheet, name, "device")))
    except UnknownName:
        device = None
    if device is not None:
        model = EnergyModel.of(device)
        if time_s is None:
            default = defaults_for(device.kind)
            compute_s = flops / (device.peak(format_name) * default.efficiency["linear"])
            time_s = max(compute_s, moved / (device.bandwidth_bytes_per_s * default.bandwidth_efficiency)) / count
        modelled_j = model.energy_j(time_s=time_s * count, flops_matrix=flops, bytes_moved=moved, format_name=format_name)
        bound = model.tdp_bound_j(time_s * count) / measured_j
    return EnergyRow(
        name=name, title=str(_text(sheet, name, "title")), device=str(_text(sheet, name, "device")), devices=count, use=_text(sheet, name, "use"),
        boundary=_text(sheet, name, "boundary"), measured_j=measured_j, modelled_j=modelled_j,
        ratio=None if modelled_j is None else modelled_j / measured_j, bound_ratio=bound, time_s=time_s,
        time_truth="literature" if stated else "modelled", source=fact.source, where=fact.where, how=str(_text(sheet, name, "how")),
    )  # fmt: skip


def _quantile(rows: Iterable[EnergyRow], q: float) -> float:
    errors = [abs(row.ratio - 1.0) for row in rows if row.ratio is not None]
    return float(np.quantile(errors, q)) if errors else math.nan

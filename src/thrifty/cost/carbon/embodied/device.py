"""What making a device emitted: die, package, memory and board, each as the span over public models.

    low, mid, high = least, median and most of all models that cover the part; parts add end by end.

The span is the models' disagreement, not a confidence interval: for memory it is a factor of ten and more. Where a sheet lacks die area
or node, the part spans what chips of that kind can be, and a note says so; no number is put in its place.
"""

from __future__ import annotations

import functools
import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from thrifty.cost.carbon.embodied.ensemble import ENSEMBLE, NotCovered, chosen_models
from thrifty.cost.carbon.embodied.models.tables import fact, nodes_of
from thrifty.cost.carbon.embodied.parts.checking import EPA_TABLE
from thrifty.cost.carbon.embodied.parts.kinds import DRAM_TYPES
from thrifty.cost.carbon.embodied.parts.naming import Silicon, find_named
from thrifty.cost.carbon.embodied.parts.part import Part
from thrifty.cost.carbon.embodied.pricing import Priced, price, priced_tree
from thrifty.footprint.interval import Interval
from thrifty.hardware.device import Device
from thrifty.quantities import G_PER_KG

_NOTHING: Final = Interval.exact(0.0)
_BOARDS: Final = {"gpu": "gpu-board", "tpu": "gpu-board", "npu": "gpu-board", "cpu": "mainboard", "soc": "board"}
_GB: Final = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Embodied:
    """Grams of CO2e that making one device emitted, by part; `models` says which model said what of which part."""

    die_gco2e: Interval
    package_gco2e: Interval
    memory_gco2e: Interval
    board_gco2e: Interval
    models: Mapping[str, Mapping[str, float]]
    sources: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def total_gco2e(self) -> Interval:
        return self.die_gco2e + self.package_gco2e + self.memory_gco2e + self.board_gco2e

    @classmethod
    def of(cls, device: Device) -> Embodied:
        """Price the making of `device` by every model that covers its parts."""
        pieces, _, notes = _pieces(_silicon(device), chosen_models(ENSEMBLE))
        found = {piece.part.name: piece for piece in pieces}
        grams = {name: piece.kgco2e * G_PER_KG for name, piece in found.items()}
        return cls(
            die_gco2e=grams["die"], package_gco2e=grams["package"], memory_gco2e=grams.get("memory", _NOTHING),
            board_gco2e=grams.get("board", _NOTHING),
            models={name: {model: kg * G_PER_KG for model, kg in piece.by_model.items()} for name, piece in found.items()},
            sources=tuple(dict.fromkeys(source for piece in pieces for source in piece.sources)), notes=notes,
        )  # fmt: skip


def price_device(part: Part, names: Sequence[str]) -> Priced:
    """Price a part of kind "device" by its pieces. Raises NotCovered where no chosen model covers any."""
    device = find_named(str(part.parameters["name"]))
    silicon = _silicon(device)
    alone = isinstance(device, Device) and device.kind == "cpu"
    if alone:  # a processor is bought without the memory that its sheet pairs it with
        silicon = replace(silicon, memory_bytes=0.0, boarded=False)
    pieces, missing, notes = _pieces(silicon, tuple(names))
    if not pieces:
        raise NotCovered(f"{', '.join(names)} covers no part of {device.name}. Choose another model, or ensemble.")
    if alone:
        notes = (*notes, f"the processor alone: memory ({device.memory_bytes / _GB:.0f} GB on its sheet) and board are parts of their own, e.g. dram:gb=384")
    return priced_tree(part, pieces, missing, notes)


def _silicon(device: Device | Silicon) -> Silicon:
    """What pricing needs of a device, without its name: devices alike in it have one price."""
    return Silicon(
        name="", kind=device.kind, die_area_mm2=device.die_area_mm2, process_node_nm=device.process_node_nm, memory_bytes=device.memory_bytes,
        memory_technology=device.memory_technology, boarded=device.boarded if isinstance(device, Silicon) else True,
    )  # fmt: skip


@functools.lru_cache(maxsize=1024)
def _pieces(device: Silicon, names: tuple[str, ...]) -> tuple[tuple[Priced, ...], tuple[str, ...], tuple[str, ...]]:
    """The pieces that the models of `names` cover, priced; labels of those that none covers; notes."""
    notes: list[str] = []
    pieces: list[Priced] = []
    missing: list[str] = []
    areas, nodes = _areas(device, notes), _nodes(device, notes)
    wanted: list[tuple[str, list[Part]]] = [
        ("die", [_part("die", "logic", area_mm2=area, node_nm=node, packages=0, use=device.kind) for area in areas for node in nodes]),
        ("package", [_part("package", "packaging", area_mm2=area) for area in areas]),
    ]
    memory = _memory(device, notes)
    wanted += [("memory", [memory])] if memory is not None else []
    if device.boarded:
        board = {"area_cm2": fact("machines:phone.board_area", "area") / 100.0} if device.kind == "soc" else {}
        wanted.append(("board", [_part("board", _BOARDS[device.kind], **board)]))
    for name, cases in wanted:
        priced = []
        for case in cases:
            try:
                priced.append(price(case, names))
            except NotCovered:
                continue  # no chosen model covers this piece, or not at this node
        if priced:
            pieces.append(_spanned(priced))
            notes += [note for note in pieces[-1].notes if note not in notes]
        else:
            missing.append(name)
    return tuple(pieces), tuple(missing), tuple(notes)


def _part(name: str, kind: str, **said: float | str) -> Part:
    return Part(kind=kind, parameters=said, name=name)


def _spanned(cases: Sequence[Priced]) -> Priced:
    """One piece whose size is not known: the span over all cases and models, the median of them, and each model's median."""
    if len(cases) == 1:
        return cases[0]
    every = [value for case in cases for value in case.by_model.values()]
    names = dict.fromkeys(name for case in cases for name in case.by_model)
    by_model = {name: statistics.median(case.by_model[name] for case in cases if name in case.by_model) for name in names}
    lows, highs = (min(case.kgco2e.low for case in cases), max(case.kgco2e.high for case in cases))
    return replace(cases[0], kgco2e=Interval(lows, statistics.median(every), highs), by_model=by_model, notes=())


def _areas(device: Silicon, notes: list[str]) -> list[float]:
    if device.die_area_mm2 is not None:
        return [device.die_area_mm2]
    areas = [fact(f"embodied:die_unknown.{device.kind}.{end}", "area") for end in ("low", "mid", "high")]
    notes.append(f"die area unknown: {areas[0]:g} to {areas[-1]:g} mm² taken, as for a {device.kind}")
    return areas


def _nodes(device: Silicon, notes: list[str]) -> list[float]:
    known = nodes_of(EPA_TABLE)
    node = device.process_node_nm
    if node is None:
        notes.append(f"process node unknown: {known[0]:g} to {known[-1]:g} nm taken")
        return list(known)
    inside = min(max(node, known[0]), known[-1])
    if inside != node:
        notes.append(f"no factors for {node:g} nm: those of {inside:g} nm taken")
    return [inside]


def _memory(device: Silicon, notes: list[str]) -> Part | None:
    technology = device.memory_technology.lower()
    if not device.memory_bytes:
        return None
    if "sram" in technology:
        notes.append("largest memory is SRAM on the die: counted with the die")
        return None
    found = re.search(r"(?:lpddr|gddr|hbm|ddr)\d*(?:e|x)?", technology)
    kind = found[0] if found else "ddr"
    if found is None:
        notes.append(f"memory technology '{device.memory_technology}' unknown: DDR factors taken")
    elif kind not in DRAM_TYPES:
        kind = kind.rstrip("0123456789ex")
        notes.append(f"memory technology '{device.memory_technology}' is older than the tables: {kind.upper()} factors taken")
    return _part("memory", "dram", gb=device.memory_bytes / _GB, type=kind)

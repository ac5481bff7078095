"""Loads whatever a user names as a Workload: a model folder, its config.json, a .gguf file or package.module:callable."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from thrifty.workload.building.blueprint import Blueprint, blueprint_of
from thrifty.workload.building.callables import is_callable_name
from thrifty.workload.building.folders import PICKLES, folder_blueprint, refuse_pickle
from thrifty.workload.building.gguf_models import gguf_blueprint
from thrifty.workload.building.sources import CallableSource, TorchSource
from thrifty.workload.entry import Entry
from thrifty.workload.model import Workload, WorkPhase
from thrifty.workload.table import Role


def torch_source(what: Entry | Blueprint | str | Path) -> TorchSource | CallableSource:
    """The source of tables for a catalogue entry, a model folder, its config.json, a .gguf file or package.module:callable.

    Raises BadFile, BadValue or MissingExtra, each saying what is wrong with what was named.
    """
    if isinstance(what, Entry):
        return TorchSource(blueprint_of(what))
    if isinstance(what, Blueprint):
        return TorchSource(what)
    refuse_pickle(what)
    if Path(what).suffix.lower() == ".gguf":
        return TorchSource(gguf_blueprint(what))
    if is_callable_name(str(what)) and not Path(what).exists():
        return CallableSource(str(what))
    return TorchSource(folder_blueprint(what))


def recorded_twin(work: Workload, entry: Entry, *, phase: WorkPhase | None = None, format: str | None = None, **point: int) -> Workload:
    """`work`, a model of the catalogue, recorded from its torch twin instead of its family's table, at the same point unless told otherwise.

    Raises BadValue for an entry without a torch class, and what `Workload.at` and the twin's recording raise.
    """
    source = torch_source(entry)
    made = replace(work, source=source).at(phase=phase, format=format, **point)
    return replace(made, origin=f"captured on {source.where} tensors", notes=(*made.notes, *source.notes))


def names_something_to_build(name: str) -> bool:
    """Whether `name` can only be a path or a callable, and no name of a catalogue."""
    return is_callable_name(name) or "/" in name or "\\" in name or Path(name).suffix.lower() in (".gguf", ".json", *PICKLES) or os.path.isdir(name)  # noqa: PTH112 - a name too long for a path is no folder either


def load_any(name: str | Path) -> Workload:
    """Load a model folder, its config.json, a .gguf file or package.module:callable as a Workload at its default point, captured by torch.

    Language models start in phase prefill, all others in forward; `Workload.at` goes anywhere else.
    """
    source = torch_source(name)
    if isinstance(source, CallableSource):
        point = {symbol.name: symbol.default for symbol in source.symbols("forward")}
        return replace(source.capture("forward", None, point), point=point, symbols=source.symbols("forward"), source=source)
    blueprint = source.blueprint
    phase: WorkPhase = "prefill" if blueprint.kind == "lm" else "forward"
    symbols = source.symbols(phase)
    point = {symbol.name: symbol.default for symbol in symbols}
    table = source.table(phase, blueprint.format, point)
    parameters = sum(parameter.numel() for parameter in source.module(blueprint.format, point).parameters())
    return Workload(
        name=blueprint.name, phase=phase, format=blueprint.format, point=point, table=table, parameters=parameters,
        weight_bytes=int(table.storages["bytes"][table.storages["role"] == Role.WEIGHT].sum()), symbols=symbols, file_bytes=blueprint.file_bytes,
        origin=f"captured on {source.where} tensors", notes=(*blueprint.notes, *source.notes), source=source,
    )  # fmt: skip

"""Finds workloads by name: the catalogue, a user's own sheet or model, or a package that brings some.

A package adds its own by entry points in the group `thrifty.workloads`: the name is what users say, the object an Entry, a Workload or a Source, or a
function without arguments that makes one.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from thrifty.errors import BadFile, BadValue, unknown_name
from thrifty.formats import get_format
from thrifty.plugins import load_plugins
from thrifty.workload.entry import Entry
from thrifty.workload.model import PHASES, Source, Workload, WorkPhase
from thrifty.workload.points import check_point
from thrifty.workload.sheets import read_entry
from thrifty.workload.table import Role

LIST_COMMAND: Final = "thrifty workload list"
_GROUP: Final = "thrifty.workloads"
_DEFAULT_FORMAT: Final = "fp32"


def load(
    name: str | Path | Entry | Source, *, phase: WorkPhase | None = None, format: str | None = None, recompute: bool = False, **point: int
) -> Workload:  # fmt: skip
    """The workload called `name`, at a point of its sizes (others at their defaults: batch 1, 128 tokens, the image that it was made for).

    name      : of the catalogue (``name@preset`` for a smaller copy, where its sheet has presets) or of an installed package; the path of your own
                ``.toml``; a model folder with a ``config.json``, a ``.gguf`` file or ``package.module:callable`` (those are captured by torch); or an
                Entry or a Source of yours
    phase     : prefill (default of language models), decode, forward (default of others) or training
    format    : of its weights; of activations too where it is 16 bits or wider (default: as published)
    recompute : in a language model's training step, keep only each layer's input and run the layer again before its gradients

    Raises UnknownName with the nearest name, BadValue for a size outside its range, BadFile for a file that is not what it should be.
    """
    if phase is not None and phase not in PHASES:
        raise BadValue(f"phase='{phase}' is none of {', '.join(PHASES)}. Choose one of them.")
    found = _resolve(name)
    if isinstance(found, Workload):
        if recompute:
            raise BadValue(f"'{found.name}' is captured as its module runs, so recompute is not a choice here. Turn it on in the module.")
        return found.at(phase=phase, format=format, **point) if phase or format or point else found
    if isinstance(found, Entry):
        return _from_entry(found, phase, format, recompute, point)
    return _from_source(found, type(found).__name__, phase or "forward", format or _DEFAULT_FORMAT, point)


def names() -> tuple[str, ...]:
    """Every workload of the catalogue and of installed packages, sorted."""
    return tuple(sorted({*_stems(), *_added()}))


def get_entry(name: str) -> Entry:
    """The catalogue's sheet of `name` (``name@preset``: a smaller copy), or the sheet at a path that ends in ``.toml``. Raises UnknownName, BadFile."""
    if str(name).endswith(".toml"):
        return read_entry(Path(name))
    key = name.lower()
    if _stem(key) in _stems():
        return _catalogue_entry(key)
    added = _added().get(name)
    if isinstance(added, Entry):
        return added
    raise unknown_name("workload", name, names(), LIST_COMMAND)


def _resolve(name: str | Path | Entry | Source) -> Entry | Workload | Source:
    if not isinstance(name, (str, Path)):
        return name
    text = str(name)
    if text.endswith(".toml"):
        return read_entry(Path(text))
    if _stem(text.lower()) in _stems():
        return _catalogue_entry(text.lower())
    added = _added()
    if text in added:
        return added[text]
    from thrifty.workload.building import load_any, names_something_to_build

    if isinstance(name, Path) or names_something_to_build(text):
        return load_any(name)
    raise unknown_name("workload", text, names(), LIST_COMMAND)


def _from_entry(entry: Entry, phase: WorkPhase | None, format_name: str | None, recompute: bool, point: Mapping[str, int]) -> Workload:
    from thrifty.workload.building.blueprint import packaged_file
    from thrifty.workload.families import family_of, parameter_count

    family = family_of(entry, recompute=recompute)
    count = parameter_count(family)
    if count != entry.parameters:
        raise BadFile(f"{entry.name}: parameters is {entry.parameters}, but its shape makes {count}. Mend whichever is wrong.")
    chosen: WorkPhase = phase or ("prefill" if entry.kind == "lm" else "forward")
    stored = packaged_file(entry.weights.package, entry.weights.file) if entry.weights is not None else None
    return _from_source(
        family, entry.name, chosen, format_name or entry.format, {**entry.point, **point}, parameters=entry.parameters, origin=f"family {entry.family}",
        notes=entry.notes, file_bytes=None if stored is None else stored.stat().st_size, details={"title": entry.title, "licence": entry.licence},
    )  # fmt: skip


def _from_source(
    source: Source, name: str, phase: WorkPhase, format_name: str, given: Mapping[str, int], *, parameters: int | None = None, **more: Any
) -> Workload:  # fmt: skip
    symbols = source.symbols(phase)
    point = check_point(symbols, given, name)
    chosen = get_format(format_name).name
    table = source.table(phase, chosen, point)
    weights = table.storages[table.storages["role"] == Role.WEIGHT]
    if parameters is None:
        sizes = [get_format(table.formats[index]).bytes_per_number for index in weights["format"]]
        parameters = int(sum(int(held) / size for held, size in zip(weights["bytes"], sizes, strict=True)))
    return Workload(
        name=name, phase=phase, format=chosen, point=point, table=table, parameters=parameters, weight_bytes=int(weights["bytes"].sum()), symbols=symbols,
        source=source, **{"origin": "a source of the user's", **more},
    )  # fmt: skip


@functools.cache
def _stems() -> tuple[str, ...]:
    paths = (files("thrifty.workload") / "catalogue").iterdir()
    return tuple(sorted(path.name.removesuffix(".toml") for path in paths if path.name.endswith(".toml") and path.name != "sources.toml"))


def _stem(name: str) -> str:
    """Of "name@preset", the name."""
    return name.partition("@")[0]


@functools.cache
def _catalogue_entry(name: str) -> Entry:
    stem, _, preset = name.partition("@")
    entry = read_entry(Path(str(files("thrifty.workload") / "catalogue" / f"{stem}.toml")))
    return entry.at_preset(preset) if preset else entry


@functools.cache
def _added() -> dict[str, Entry | Workload | Source]:
    """What installed packages bring, made once. Raises BadFile for an entry point that is none of the three."""
    made: dict[str, Entry | Workload | Source] = {}
    for name, part in load_plugins(_GROUP).items():
        is_ready = isinstance(part, (Entry, Workload)) or _is_source(part)
        found = part if is_ready or not callable(part) else part()
        if not isinstance(found, (Entry, Workload)) and not _is_source(found):
            raise BadFile(f"plug-in '{name}' ({_GROUP}) gives a {type(found).__name__}. Let it give an Entry, a Workload or a Source.")
        made[name] = found
    return made


def _is_source(part: object) -> bool:
    return not isinstance(part, type) and callable(getattr(part, "symbols", None)) and callable(getattr(part, "table", None))

"""Finds workloads by name: the catalogue, a user's own sheet or model, or a package that brings some.

A package adds its own by entry points in the group `thrifty.workloads`: the name is what users say, the object an Entry, a Workload or a Source, or a
function without arguments that makes one.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from thrifty.errors import BadFile, BadValue, UnknownName, unknown_name
from thrifty.formats import get_format
from thrifty.workload.entries import PUBLISHED, added, as_published, entry_names, find_entry, stem_of
from thrifty.workload.entry import Entry
from thrifty.workload.model import PHASES, Source, Workload, WorkPhase
from thrifty.workload.pipelines import Pipeline, PlannedStage, read_pipeline
from thrifty.workload.points import check_point, overridden
from thrifty.workload.sheets import read_entry
from thrifty.workload.table import Role

LIST_COMMAND: Final = "thrifty workload list"
_DEFAULT_FORMAT: Final = "fp32"
_PIPELINES: Final = files("thrifty.workload.pipelines") / "catalogue"


def load(
    name: str | Path | Entry | Source, *, phase: WorkPhase | None = None, format: str | None = None, recompute: bool = False, **point: int
) -> Workload:  # fmt: skip
    """The workload called `name`, at a point of its sizes (others at their defaults: batch 1, 128 tokens, the image that it was made for).

    name      : of the catalogue (PIPELINE-STAGE for one stage of a pipeline, ``name@preset`` for a smaller copy, where its sheet has presets,
                ``name:published`` for what MAD-Max plans under that name, which may be a stand-in) or of an installed package; the path of your
                own ``.toml``; a model folder with a ``config.json``, a ``.gguf`` file or ``package.module:callable`` (those are captured by
                torch); or an Entry or a Source of yours
    phase     : prefill (default of language models), decode, forward (default of others) or training
    format    : of its weights; of activations too where it is 16 bits or wider (default: as published)
    recompute : in a language model's training step, keep only each layer's input and run the layer again before its gradients

    Raises UnknownName with the nearest name, BadValue for a size outside its range, BadFile for a file that is not what it should be.
    """
    if phase is not None and phase not in PHASES:
        raise BadValue(f"phase='{phase}' is none of {', '.join(PHASES)}. Choose one of them.")
    found = _resolve(name)
    stage = stage_of_pipeline(name) if isinstance(name, str) and isinstance(found, Entry) else None
    if stage is not None and phase is None:
        phase = stage.phase
    if isinstance(found, Pipeline):
        return _from_pipeline(found, phase, format, recompute, point)
    if isinstance(found, Workload):
        if recompute:
            raise BadValue(f"'{found.name}' is captured as its module runs, so recompute is not a choice here. Turn it on in the module.")
        return found.at(phase=phase, format=format, **point) if phase or format or point else found
    if isinstance(found, Entry):
        return _from_entry(found, phase, format, recompute, point)
    return _from_source(found, type(found).__name__, phase or "forward", format or _DEFAULT_FORMAT, point)


def names() -> tuple[str, ...]:
    """Every workload of the catalogue, pipelines among them, and of installed packages, sorted."""
    return tuple(sorted({*entry_names(), *pipeline_names(), *added()}))


def pipeline_names() -> tuple[str, ...]:
    """Every pipeline of the catalogue, sorted."""
    return tuple(sorted(path.name.removesuffix(".toml") for path in _PIPELINES.iterdir() if path.name.endswith(".toml")))


def get_pipeline(name: str) -> Pipeline:
    """The catalogue's pipeline of that name (``name@preset``: a smaller copy). Raises UnknownName, BadFile."""
    stem = stem_of(name.lower())
    if stem not in pipeline_names():
        raise unknown_name("pipeline", name, pipeline_names(), LIST_COMMAND)
    return _pipeline(name.lower())


def get_entry(name: str) -> Entry:
    """The catalogue's sheet of `name` (``name@preset``: a smaller copy), or the sheet at a path that ends in ``.toml``. Raises UnknownName, BadFile."""
    found, key = find_entry(str(name)), name.lower()
    if found is not None:
        return found
    if stem_of(key) in pipeline_names():
        parts = ", ".join(dict.fromkeys(stage.component for stage in _pipeline(key).sheet.stages))
        raise BadValue(f"'{name}' is a pipeline of several models: {parts}. Name one of them.")
    raise unknown_name("workload", name, names(), LIST_COMMAND)


def _resolve(name: str | Path | Entry | Source) -> Entry | Workload | Source | Pipeline:
    if not isinstance(name, (str, Path)):
        return name
    text = str(name)
    if text.endswith(".toml"):
        return read_sheet(Path(text))
    if stem_of(text.lower()) in pipeline_names():
        return _pipeline(text.lower())
    if stem_of(as_published(text).lower()) in entry_names():
        return get_entry(text)
    if text in added():
        return added()[text]
    plain = stem_of(text.lower()).removesuffix(PUBLISHED)
    if plain in entry_names():
        raise UnknownName(f"No paper here plans with '{plain}', so it has no published form. Leave {PUBLISHED} out.")
    from thrifty.workload.building import load_any, names_something_to_build

    if isinstance(name, Path) or names_something_to_build(text):
        return load_any(name)
    stage = stage_of_pipeline(text)
    if stage is not None:
        return get_entry(stage.component)
    raise unknown_name("workload", text, names(), LIST_COMMAND)


def read_sheet(path: Path) -> Entry | Pipeline:
    """The model or pipeline that the sheet at `path` states: a pipeline has stages."""
    try:
        is_pipeline = "stages" in tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError):
        is_pipeline = False  # whoever reads it says what is wrong
    return Pipeline(read_pipeline(path)) if is_pipeline else read_entry(path)


def stage_of_pipeline(name: str) -> PlannedStage | None:
    """The stage of "PIPELINE-STAGE", or of "PIPELINE-STAGE@preset"; None where no pipeline is called so. Raises UnknownName for a stage that it has not."""
    stem, _, preset = name.lower().partition("@")
    owner = max((each for each in pipeline_names() if stem.startswith(f"{each}-")), key=len, default=None)
    if owner is None or stem in entry_names():
        return None
    stages = _pipeline(f"{owner}@{preset}" if preset else owner).sheet.stages
    wanted = stem.removeprefix(f"{owner}-")
    for stage in stages:
        if stage.name == wanted:
            return stage
    raise UnknownName(f"'{owner}' has no stage '{wanted}'. Choose from: {', '.join(stage.name for stage in stages)}.")


def _from_pipeline(pipeline: Pipeline, phase: WorkPhase | None, format_name: str | None, recompute: bool, point: Mapping[str, int]) -> Workload:
    if recompute:
        raise BadValue(f"'{pipeline.sheet.name}' is a pipeline, which is not trained as a whole, so recompute is no choice here. Leave it out.")
    sheet, point = pipeline.sheet, pipeline.with_image(point)
    parts = ", ".join(dict.fromkeys(stage.component for stage in sheet.stages))
    return _from_source(
        pipeline, sheet.name, phase or "forward", format_name or sheet.format, point, parameters=pipeline.parameter_total(), origin=f"pipeline of {parts}",
        notes=sheet.notes, details={"title": sheet.title, "licence": sheet.licence},
    )  # fmt: skip


def _from_entry(entry: Entry, phase: WorkPhase | None, format_name: str | None, recompute: bool, point: Mapping[str, int]) -> Workload:
    from thrifty.workload.building.blueprint import packaged_file
    from thrifty.workload.families import family_of, parameter_count

    family = family_of(entry, recompute=recompute)
    count = parameter_count(family)
    if count != entry.parameters:
        raise BadFile(f"{entry.name}: parameters is {entry.parameters}, but its shape makes {count}. Mend whichever is wrong.")
    chosen: WorkPhase = phase or ("prefill" if entry.kind == "lm" else "forward")
    stored = packaged_file(entry.weights.package, entry.weights.file) if entry.weights is not None else None
    sizes = overridden(family.symbols(chosen), entry.point, point)
    return _from_source(
        family, entry.name, chosen, format_name or entry.format, sizes, parameters=entry.parameters, origin=f"family {entry.family}",
        notes=entry.notes, file_bytes=None if stored is None else stored.stat().st_size,
        details={"title": entry.title, "licence": entry.licence, **({"stand_in": True} if entry.is_stand_in else {})},
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
def _pipeline(name: str) -> Pipeline:
    stem, _, preset = name.partition("@")
    sheet = read_pipeline(Path(str(_PIPELINES / f"{stem}.toml")))
    return Pipeline(sheet.at_preset(preset) if preset else sheet)

"""Reads one sheet of a pipeline (TOML). What it misspells is refused.

    name = "sd-1.5"
    title = "Stable Diffusion 1.5, text to image"
    format = "fp16"                                        # of all its components
    notes = ["..."]

    [symbols]                                              # its sizes and their defaults
    batch = 1
    image = 512
    text = 77
    steps = 50
    guidance = 2                                           # above 1, the denoiser runs with and without the prompt: batch × 2

    [[stages]]
    name = "unet"
    component = "sd-1.5-unet"                              # of the catalogue
    repeat = "steps"                                       # how often it runs
    at = { batch = "batch * min(guidance, 2)", latent = "image / 8", text = "text" }

    [[stages]]
    name = "decode"
    component = "parti-decoder"
    phase = "decode"                                       # default: forward
    repeat = "seq"
    grows = "seq"                                          # a size of the component that is one more at each repeat, from what `at` says on
    at = { batch = "batch", seq = "1" }

    [presets.tiny]                                         # components at their preset of that name, and these defaults
    image = 64
    steps = 2

    [facts.steps]                                          # who says so, as in sheets of the catalogue
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, get_args

from thrifty.errors import BadFile, BadValue, UnknownName, unknown_name
from thrifty.formats import get_format
from thrifty.workload.entry import PAPER
from thrifty.workload.model import WorkPhase
from thrifty.workload.pipelines.formulas import symbols_in
from thrifty.workload.sheets import read_facts, refuse_unknown_keys

_KEYS: Final = ("name", "title", "format", "notes", "licence", "symbols", "stages", "presets", "facts", "sources")
_STAGE_KEYS: Final = ("name", "component", "phase", "repeat", "grows", "at")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStage:
    """One stage as its sheet says it: formulas of the pipeline's symbols."""

    name: str
    component: str
    repeat: str = "1"
    phase: WorkPhase | None = None
    grows: str | None = None
    at: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineSheet:
    """A pipeline as its sheet says it. symbols: its sizes and their defaults."""

    name: str
    title: str
    format: str
    symbols: Mapping[str, int]
    stages: tuple[PlannedStage, ...]
    licence: str = ""
    notes: tuple[str, ...] = ()
    presets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def at_preset(self, name: str) -> PipelineSheet:
        """The smaller copy called `name`: its components at that preset. Raises UnknownName where there is none."""
        if name == PAPER:
            return self
        if name not in self.presets:
            raise unknown_name(f"preset of '{self.name}'", name, (PAPER, *self.presets), "thrifty workload show " + self.name)
        stages = tuple(replace(stage, component=f"{stage.component}@{name}") for stage in self.stages)
        return replace(
            self, name=f"{self.name}@{name}", title=f"{self.title}, {name}", stages=stages, symbols={**self.symbols, **self.presets[name]}, presets={}
        )  # fmt: skip


def read_pipeline(path: Path) -> PipelineSheet:
    """The pipeline that the sheet at `path` states. Raises BadFile, one line that names file, key, rule and fix."""
    file = path.name
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"cannot read '{path}': {(error.strerror or str(error)).lower()}. Give the path of a pipeline sheet.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadFile(f"'{path}' is not TOML: {error}. Mend it, or see thrifty.workload.pipelines.sheet for what a sheet looks like.") from error
    refuse_unknown_keys(file, content, _KEYS, "")
    for key in ("name", "title", "format"):
        if not isinstance(content.get(key), str) or not content[key].strip():
            raise BadFile(f'{file}: {key} is missing or no text. Write e.g. {key} = "...".')
    try:
        get_format(content["format"])
    except UnknownName as error:
        raise BadFile(f"{file}: format: {error}") from None
    symbols = _sizes(file, content.get("symbols", {}), "symbols")
    listed = content.get("stages", [])
    if not isinstance(listed, list) or not listed:
        raise BadFile(f"{file}: it has no stages. Write at least one [[stages]] with name and component.")
    stages = tuple(_stage(file, number, stage, symbols) for number, stage in enumerate(listed))
    names = [stage.name for stage in stages]
    for name in names:
        if names.count(name) > 1:
            raise BadFile(f"{file}: two stages are called '{name}'. Give each its own name.")
    presets = {name: _sizes(file, sizes, f"presets.{name}", symbols) for name, sizes in content.get("presets", {}).items()}
    return PipelineSheet(
        name=content["name"], title=content["title"], format=content["format"], symbols=symbols, stages=stages, licence=content.get("licence", ""),
        notes=tuple(content.get("notes", ())), presets=presets, facts=read_facts(file, content),
    )  # fmt: skip


def _sizes(file: str, table: Any, where: str, known: Mapping[str, int] | None = None) -> dict[str, int]:
    if not isinstance(table, dict):
        raise BadFile(f"{file}: {where} is no table. Write [{where}] and its keys below.")
    for key, value in table.items():
        if known is not None and key not in known:
            raise BadFile(f"{file}: {where}.{key} is no symbol of this pipeline. Choose from: {', '.join(known)}.")
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise BadFile(f"{file}: {where}.{key} is {value!r}. Write a whole number above zero.")
    return dict(table)


def _stage(file: str, number: int, stage: Any, symbols: Mapping[str, int]) -> PlannedStage:
    where = f"stages[{number}]."
    if not isinstance(stage, dict):
        raise BadFile(f"{file}: stages is no list of tables. Write [[stages]] and its keys below.")
    refuse_unknown_keys(file, stage, _STAGE_KEYS, where)
    for key in ("name", "component"):
        if not isinstance(stage.get(key), str) or not stage[key].strip():
            raise BadFile(f'{file}: {where}{key} is missing or no text. Write e.g. {key} = "...".')
    phase = stage.get("phase")
    if phase is not None and phase not in get_args(WorkPhase):
        raise BadFile(f"{file}: {where}phase is '{phase}'. Choose from: {', '.join(get_args(WorkPhase))}.")
    formulas = {"repeat": stage.get("repeat", "1"), **{f"at.{key}": value for key, value in stage.get("at", {}).items()}}
    for key, text in formulas.items():
        if not isinstance(text, str):
            raise BadFile(f'{file}: {where}{key} is {text!r}. Write a formula as a text, e.g. "image / 8".')
        try:
            unknown = symbols_in(text) - set(symbols)
        except BadValue as error:
            raise BadFile(f"{file}: {where}{key}: {error}") from None
        if unknown:
            raise BadFile(f"{file}: {where}{key} asks for '{min(unknown)}', which is no symbol of this pipeline. Choose from: {', '.join(symbols)}.")
    grows = stage.get("grows")
    if grows is not None and grows not in stage.get("at", {}):
        raise BadFile(f"{file}: {where}grows names '{grows}', of which {where}at says no start. Write it there.")
    return PlannedStage(
        name=stage["name"], component=stage["component"], repeat=formulas.pop("repeat"), phase=phase, grows=grows,
        at={key.removeprefix("at."): text for key, text in formulas.items()},
    )  # fmt: skip

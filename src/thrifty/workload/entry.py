"""One entry of the workload catalogue: what a sheet says about a model, before any table is built from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

from thrifty.errors import unknown_name

ModelKind = Literal["lm", "encoder", "vision", "recommender", "generator"]
"""generator: a part of one that makes images or videos (a text encoder, a denoiser, a decoder of latents); its family says what it is fed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Where real weights can be found on this machine: a file inside an installed package (found without importing it)."""

    package: str
    file: str
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """The same model at another size: what of its shape and torch configuration differs, its parameters, and the point at which it is looked at."""

    parameters: int
    shape: Mapping[str, Any] = field(default_factory=dict)
    torch_config: Mapping[str, Any] = field(default_factory=dict)
    point: Mapping[str, int] = field(default_factory=dict)


PAPER: Final = "paper"
"""The preset that a sheet itself states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A model of the catalogue.

    family, shape            : which analytic family builds its table, and that family's arguments
    torch_class, torch_config: the class in an installed package that is its torch twin ("transformers.LlamaForCausalLM") and the keyword
                               arguments of its configuration (its shape, where the sheet gives none); None where no such class exists
    point                    : sizes at which it is looked at unless told otherwise
    presets                  : smaller copies, by name; reached as ``name@preset``
    format                   : the format in which it is published
    parameters               : true count, tested against the family and the twin
    context                  : longest sequence; None where it has none
    facts                    : sources of shape and parameter count: {"shape": {"source", "where", "read_on"}, ...}; "published" where a paper plans with
                               this model, "stand_in" where the sheet is a paper's simplification or choice and no true model
    """

    name: str
    title: str
    kind: ModelKind
    family: str
    shape: Mapping[str, Any]
    parameters: int
    format: str
    licence: str
    context: int | None = None
    torch_class: str | None = None
    torch_config: Mapping[str, Any] = field(default_factory=dict)
    weights: Weights | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    point: Mapping[str, int] = field(default_factory=dict)
    presets: Mapping[str, Preset] = field(default_factory=dict)

    @property
    def is_stand_in(self) -> bool:
        """Whether its sizes are a paper's simplification or choice, and no true model's."""
        return "stand_in" in self.facts

    @property
    def is_published(self) -> bool:
        """Whether a paper plans with it as the sheet states it: ``name:published`` is then another name of it."""
        return self.is_stand_in or "published" in self.facts

    def at_preset(self, name: str) -> Entry:
        """The smaller copy called `name`. Raises UnknownName where there is none."""
        if name == PAPER:
            return self
        if name not in self.presets:
            raise unknown_name(f"preset of '{self.name}'", name, (PAPER, *self.presets), "thrifty workload show " + self.name)
        preset = self.presets[name]
        return replace(
            self, name=f"{self.name}@{name}", title=f"{self.title}, {name}", shape={**self.shape, **preset.shape}, parameters=preset.parameters,
            torch_config={**self.torch_config, **preset.torch_config}, point={**self.point, **preset.point}, weights=None, presets={},
        )  # fmt: skip

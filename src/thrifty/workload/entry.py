"""One entry of the workload catalogue: what a sheet says about a model, before any table is built from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ModelKind = Literal["lm", "encoder", "vision", "recommender"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Where real weights can be found on this machine: a file inside an installed package (found without importing it)."""

    package: str
    file: str
    format: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A model of the catalogue.

    family, shape            : which analytic family builds its table, and that family's arguments
    torch_class, torch_config: the class in an installed package that is its torch twin ("transformers.LlamaForCausalLM") and the keyword
                               arguments of its configuration; None where no such class exists
    format                   : the format in which it is published
    parameters               : true count, tested against the family and the twin
    context                  : longest sequence; None where it has none
    facts                    : sources of shape and parameter count: {"shape": {"source", "where", "read_on"}, ...}
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

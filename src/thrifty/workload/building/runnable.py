"""A module that can really run here: with real weights where there are any, else with random ones, and its tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from thrifty.errors import BadValue
from thrifty.workload.building.blueprint import Blueprint
from thrifty.workload.building.loading import torch_source
from thrifty.workload.building.sources import CallableSource, TorchSource
from thrifty.workload.entry import Entry

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Runnable:
    """A module on a device, ready to run.

    weights   : "real" as stored in a file, "random" as made up here, "own" as a user's callable made them
    tokenizer : None where there is none: token numbers are then made up too, and text means nothing
    args, kwargs : a user's inputs; others come from `make_inputs`
    """

    module: torch.nn.Module
    blueprint: Blueprint | None
    format: str
    device: str
    weights: Literal["real", "random", "own"]
    tokenizer: Any = None
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def make_runnable(
    what: Entry | Blueprint | str | Path | TorchSource | CallableSource, *, device: str = "cpu", format: str = "fp32", seed: int = 0,
    point: Mapping[str, int] | None = None,
) -> Runnable:  # fmt: skip
    """Build what a user named so that it can run on `device`, with its real weights where they are on this machine.

    Raises NoRoom where its weights do not fit, BadFile where a file of weights is not whole, BadValue where it has no torch module.
    """
    source = what if isinstance(what, (TorchSource, CallableSource)) else torch_source(what)
    if isinstance(source, CallableSource):
        return _user_runnable(source, point or {symbol.name: symbol.default for symbol in source.symbols("forward")})
    from thrifty.workload.building.folders import folder_tokenizer, load_folder
    from thrifty.workload.building.gguf_models import gguf_tokenizer, load_gguf
    from thrifty.workload.building.modules import build_module, check_count

    blueprint, tokenizer = source.blueprint, None
    if blueprint.weights is None:
        module = build_module(blueprint, device=device, format=format, seed=seed)
    elif blueprint.weights.suffix == ".gguf":
        module, tokenizer = load_gguf(blueprint.weights, device=device, format=format), gguf_tokenizer(blueprint.weights)
    else:
        module, tokenizer = load_folder(blueprint, device=device, format=format), folder_tokenizer(blueprint.weights)
    check_count(blueprint, module, f"'{blueprint.weights}'")
    weights: Literal["real", "random"] = "random" if blueprint.weights is None else "real"
    return Runnable(
        module=module, blueprint=blueprint, format=format, device=device, weights=weights, tokenizer=tokenizer, notes=blueprint.notes
    )  # fmt: skip


def _user_runnable(source: CallableSource, point: Mapping[str, int]) -> Runnable:
    from thrifty.workload.tracing.capturing import module_format, where_it_ran

    made = source.build(point)
    where = where_it_ran(made.module)
    if where not in ("cpu", "cuda"):
        raise BadValue(f"'{source.name}' builds its module on {where} tensors, which hold no values to run on. Build it on the CPU to run it.")
    return Runnable(
        module=made.module, blueprint=None, format=module_format(made.module), device=where, weights="own", args=made.args, kwargs=made.kwargs
    )  # fmt: skip

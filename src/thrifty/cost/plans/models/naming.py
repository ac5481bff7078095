"""Layers by name: any workload of the catalogue, a sheet or a model folder, made ready for a task."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from thrifty.cost.plans.evaluation import Mode
from thrifty.cost.plans.models.extracting import layers_of
from thrifty.cost.plans.models.layers import Layers
from thrifty.cost.plans.tasks import Task
from thrifty.errors import BadValue
from thrifty.formats import get_format
from thrifty.workload import load
from thrifty.workload.entries import PUBLISHED
from thrifty.workload.model import Workload, WorkPhase

LENGTH: Final = 2048
"""Tokens of a sequence where nobody says otherwise and the model's context allows."""


def layers_named(name: str, *, task: Task | None = None, seq: int = 0, format: str | None = None, mode: Mode = "physical") -> Layers:
    """The layers of the workload called `name`, for `task`.

    seq  : tokens of a sample; 0: of a paper's stand-in its whole context, else 2048 or the model's context, whichever is shorter
    mode : in compat a name that ends in ``:published`` means the sizes that the published model counts with, where they are known, to the letter

    Raises what `workload.load` raises; BadValue for a model that has no such phase.
    """
    task = task or Task()
    if mode == "compat" and name.lower().endswith(PUBLISHED):
        from thrifty.cost.plans.compat import published, published_models

        stem = name.lower().removesuffix(PUBLISHED)
        if stem in published_models() and not seq and format is None:
            return published(stem)
    if format is not None and task.trains and get_format(format).family == "integer":
        raise BadValue(f"format={format} holds whole numbers, in which nothing is trained. Choose a floating-point format, or base_format for frozen weights.")
    plain = load(name)
    if not task.trains and task.phase == "decode" and plain.phase != "prefill":
        raise BadValue(f"'{name}' does not write token by token, so it has no decode phase. Choose --phase prefill.")
    stand_in = "a paper's stand-in" if plain.details.get("stand_in") else ""
    if "seq" not in plain.point:
        return replace(layers_of(plain if format is None else load(name, format=format)), stand_in=stand_in)
    symbol = next(s for s in plain.symbols if s.name == "seq")
    if not task.trains and task.phase == "decode" and symbol.high:  # the new token takes the last place
        symbol = replace(symbol, high=symbol.high - 1)
        if task.context > (symbol.high or 0):
            raise BadValue(f"context={task.context} leaves no place for a new token in the {(symbol.high or 0) + 1} of '{name}'. Choose fewer.")
    length = seq or ((symbol.high or LENGTH) if stand_in else min(LENGTH, symbol.high or LENGTH))
    if symbol.high and length > symbol.high:
        raise BadValue(f"seq={length} is above {symbol.high}, the context of '{name}'. Choose fewer tokens.")
    return replace(layers_of(_at(name, plain, task, length, format)), stand_in=stand_in)


def _at(name: str, plain: Workload, task: Task, length: int, format_name: str | None) -> Workload:
    phase: WorkPhase = "training" if task.trains else "decode" if task.phase == "decode" else plain.phase
    return load(name, phase=phase, format=format_name, seq=task.context or length if phase == "decode" else length)

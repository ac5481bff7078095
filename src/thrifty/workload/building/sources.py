"""Makes operator tables from torch modules at any point of their sizes."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from thrifty.errors import BadValue, CaptureError, ThriftyError
from thrifty.formats import get_format
from thrifty.quantities import positive_int
from thrifty.workload.building.blueprint import Blueprint
from thrifty.workload.building.callables import UserModule, build_user_module, user_callable
from thrifty.workload.building.wording import first_line
from thrifty.workload.model import Symbol, Workload, WorkPhase
from thrifty.workload.table import OperatorTable

if TYPE_CHECKING:
    import torch

_BATCH: Final = Symbol(name="batch", default=1, meaning="batch")
_SEQ: Final = 128
_IMAGE: Final = 224
_HALVINGS: Final = 5
"""How often a convolution net halves its image where it does not say; counts are one polynomial for sides with the same remainder of all of them."""


class TorchSource:
    """A blueprint's module, built once a format on meta and recorded at any point. Implements `model.Source`.

    notes : what happened on the way, e.g. that meta tensors failed and fake ones were used; grows as tables are made
    where : on which tensors the last table was recorded: "meta", "fake" or "cpu"
    """

    def __init__(self, blueprint: Blueprint) -> None:
        self.blueprint = blueprint
        self.notes: tuple[str, ...] = ()
        self.where = "meta"
        self._built: dict[tuple[str, int | None], torch.nn.Module] = {}

    def symbols(self, phase: WorkPhase) -> tuple[Symbol, ...]:
        """batch, and seq (tokens; in decode those in the cache) or image (side in pixels)."""
        blueprint = self.blueprint
        if blueprint.fed is not None:
            return blueprint.fed.symbols(phase)
        if blueprint.kind == "recommender":
            return (_BATCH,)
        return (_BATCH, self._image() if blueprint.kind == "vision" else self._seq(phase))

    def _image(self) -> Symbol:
        config = self.blueprint.config
        patch, side, depths = config.get("patch_size"), config.get("image_size"), config.get("depths")
        default = side if isinstance(side, int) else _IMAGE
        if isinstance(patch, int):  # attention over patches: the square of their number, the fourth power of the side
            return Symbol(name="image", default=default, modulus=patch, degree=4, meaning="image side")
        halvings = len(depths) + 1 if isinstance(depths, (list, tuple)) else _HALVINGS
        return Symbol(name="image", default=default, modulus=2**halvings, degree=2, meaning="image side")

    def _seq(self, phase: WorkPhase) -> Symbol:
        high, window, cached = self.blueprint.context, self.blueprint.config.get("sliding_window"), phase == "decode"
        if cached and high is not None:  # the new token takes the last position
            high -= 1
        return Symbol(
            name="seq", default=_SEQ if high is None else min(_SEQ, high), high=high, degree=1 if cached else 2,
            breaks=(window - 1 if cached else window,) if isinstance(window, int) and 1 < window < (high or window + 1) else (),
            meaning="context before the new token" if cached else "context",
        )  # fmt: skip

    def table(self, phase: WorkPhase, format_name: str, point: Mapping[str, int]) -> OperatorTable:
        """Record one step. Meta tensors first; where the model asks for values, fake ones; then real ones on the CPU.

        A format in which torch cannot run a whole model is one of weights alone: they are stored and read in it, and multiplied in bf16.
        Raises CaptureError, with the model's own words, where all fail.
        """
        from thrifty.workload.building.modules import TORCH_FORMATS
        from thrifty.workload.building.narrow import CAPTURED_IN, with_weights_in

        chosen = get_format(format_name).name
        if chosen not in TORCH_FORMATS:
            return with_weights_in(self.table(phase, CAPTURED_IN, point), chosen)
        reasons: list[str] = []
        for where in ("meta", "fake", "cpu"):
            try:
                table = self._record(where, phase, chosen, point)
            except ThriftyError:
                raise
            except Exception as error:  # whatever a model raises
                reasons.append(f"{where} tensors fail ({first_line(error)})")
                continue
            self.where = where
            if reasons:
                note = f"{'; '.join(reasons)}: captured on {where} tensors"
                self.notes += () if note in self.notes else (note,)
            return table
        raise CaptureError(f"'{self.blueprint.name}' cannot be run: {'; '.join(reasons)}. Give package.module:callable with inputs that it runs on.")

    def module(self, format_name: str, point: Mapping[str, int]) -> torch.nn.Module:
        """The module on meta; kept, one for each format and image side."""
        from thrifty.workload.building.modules import build_module

        blueprint = self._at(point)
        key = (format_name, point.get("image"))
        if key not in self._built:
            if len(self._built) >= 4:
                self._built.pop(next(iter(self._built)))
            self._built[key] = build_module(blueprint, format=format_name)
        return self._built[key]

    def _at(self, point: Mapping[str, int]) -> Blueprint:
        """The blueprint for images of another side: its table of positions grows with it."""
        side = self.blueprint.config.get("image_size")
        if "image" not in point or not isinstance(side, int) or point["image"] == side:
            return self.blueprint
        return replace(self.blueprint, config={**self.blueprint.config, "image_size": point["image"]}, parameters=None)

    def _record(self, where: str, phase: WorkPhase, format_name: str, point: Mapping[str, int]) -> OperatorTable:
        from torch._subclasses.fake_tensor import FakeTensorMode

        from thrifty.workload.building.meta import MetaAnswers
        from thrifty.workload.building.modules import build_module, construct

        if where == "meta":
            with MetaAnswers():
                return record_at(self.module(format_name, point), self.blueprint, phase, point)
        if where == "fake":
            with FakeTensorMode(allow_non_fake_inputs=True):
                module = construct(self._at(point), "cpu", format_name)
                return record_at(module, self.blueprint, phase, point, device="cpu", seed=None)
        return record_at(build_module(self._at(point), device="cpu", format=format_name), self.blueprint, phase, point, device="cpu")


def record_at(
    module: torch.nn.Module, blueprint: Blueprint, phase: WorkPhase, point: Mapping[str, int], *, device: str = "meta", seed: int | None = 0
) -> OperatorTable:
    """Feed `module` for one step of `phase` and record it."""
    from thrifty.workload.building.inputs import loss_for, make_inputs
    from thrifty.workload.building.modules import quiet, set_mode
    from thrifty.workload.tracing.capturing import record_step

    training = phase == "training"
    kwargs = make_inputs(module, blueprint, phase, point, device, seed)
    set_mode(module, "training" if training else "evaluation")
    loss = loss_for(module) if training else None
    with quiet():
        return record_step(module, (), kwargs, training=training, loss=loss).table


class CallableSource:
    """A user's callable, called afresh for every table. Its whole-number parameters with defaults are the symbols. Implements `model.Source`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.notes: tuple[str, ...] = ()
        self.where = "cpu"

    def symbols(self, phase: WorkPhase) -> tuple[Symbol, ...]:
        found = []
        for parameter in inspect.signature(user_callable(self.name)).parameters.values():
            if isinstance(parameter.default, int) and not isinstance(parameter.default, bool):
                positive_int(parameter.name, parameter.default)
                found.append(Symbol(name=parameter.name, default=parameter.default, degree=1 if parameter.name == "batch" else 4))
        return tuple(found)

    def build(self, point: Mapping[str, int]) -> UserModule:
        """The module and its inputs at `point`."""
        return build_user_module(self.name, point)

    def table(self, phase: WorkPhase, format_name: str, point: Mapping[str, int]) -> OperatorTable:
        """Record one step on whatever tensors the callable gives. Raises BadValue for another format than the one that it builds."""
        return self.capture(phase, format_name, point).table

    def capture(self, phase: WorkPhase, format_name: str | None, point: Mapping[str, int]) -> Workload:
        from thrifty.workload.building.inputs import loss_for
        from thrifty.workload.tracing import capture

        if phase != "forward" and phase != "training":
            raise BadValue(f"'{self.name}' is a module with inputs, so it has no {phase}. Choose phase forward or training.")
        made = self.build(point)
        found = capture(made.module, *made.args, phase=phase, loss=loss_for(made.module), name=self.name, **made.kwargs)
        if format_name is not None and format_name != found.format:
            raise BadValue(f"'{self.name}' builds its module in {found.format}, not in {format_name}. Choose {found.format}, or build another there.")
        self.where = found.origin.removeprefix("captured on ").removesuffix(" tensors")
        return found

"""Operators that write to their arguments (``add_``, ``out=``): computed apart, then written. Imports torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from thrifty.formats import float_spec
from thrifty.lenses.numerics.auditing.numbers.rounding import SPECS
from thrifty.lenses.numerics.auditing.operators.single import narrowed
from thrifty.lenses.numerics.policy.operators import plain_name

if TYPE_CHECKING:
    from thrifty.lenses.numerics.auditing.mode import Emulation

aten = torch.ops.aten

Handler = Callable[["Emulation", Any, Any, Any], Any]


def twin_of(func: Any, base: str) -> Any:
    """The overload that does the same and writes to nothing: ``add.Tensor`` for ``add_.Tensor`` and for ``add.out``."""
    packet = getattr(aten, base.removesuffix("_out"), None)
    if packet is None:
        return None
    wanted = [(each.name, str(each.type)) for each in func._schema.arguments if not each.is_out]
    for overload in packet.overloads():
        found = getattr(packet, overload)
        arguments = found._schema.arguments
        if not any(each.alias_info is not None for each in arguments) and [(each.name, str(each.type)) for each in arguments] == wanted:
            return found
    return None


def by_twin(twin: Any, handler: Handler, mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """In place and ``out=``: computed apart, then written."""
    arguments = func._schema.arguments
    given = {each.name: args[place] for place, each in enumerate(arguments[: len(args)])} | kwargs
    targets = [given[each.name] for each in arguments if each.alias_info is not None and each.alias_info.is_write and each.name in given]
    rest = {name: value for name, value in kwargs.items() if not any(each.is_out and each.name == name for each in arguments)}
    made = handler(mode, twin, args, rest)
    results = [made] if isinstance(made, torch.Tensor) else list(made)
    if len(targets) == 1 and isinstance(targets[0], list | tuple):
        targets = list(targets[0])
    for target, result in zip(targets, results, strict=True):
        written(mode, target, result, any(each.is_out for each in arguments))
    if not func._schema.returns:
        return None
    return targets[0] if len(func._schema.returns) == 1 and isinstance(made, torch.Tensor) else tuple(targets)


def written(mode: Emulation, target: Tensor, result: Tensor, out: bool = False) -> None:
    if out and target.shape != result.shape:
        target.resize_(result.shape)
    if target.dtype not in SPECS:
        target.copy_(result)
        return
    values = mode.arithmetic.values
    held, spec = values.held(result), values.spec(result) if result.dtype in SPECS else float_spec("fp64")
    target.copy_(result)
    values.mark(target, spec, region=held.region if held else "", site=held.site if held else "")


def write(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """An operator that writes and has no twin: on FP64 copies, then rounded and written."""
    site = f"aten.{plain_name(func._schema.name.removeprefix('aten::'))}"
    arguments = func._schema.arguments
    given = {each.name: args[place] for place, each in enumerate(arguments[: len(args)])} | kwargs
    names = {each.name for each in arguments if each.alias_info is not None and each.alias_info.is_write and each.name in given}
    held = {name: _fp64(mode.taken(value)) for name, value in given.items()}
    made = func(**{("self" if name == "self" else name): value for name, value in held.items()})
    back: dict[int, Tensor] = {}
    for name in names:
        targets, results = (x if isinstance(x, list | tuple) else [x] for x in (given[name], held[name]))
        for target, result in zip(targets, results, strict=True):
            if isinstance(target, torch.Tensor):
                written(mode, target, mode.arithmetic.round(result, site, target.dtype) if target.dtype in SPECS else result)
                back[id(result)] = target
    results = made if isinstance(made, list | tuple) else [made]
    out = [back.get(id(each), mode.arithmetic.round(each, site, torch.float32) if isinstance(each, torch.Tensor) and each.dtype in SPECS else each)
           for each in results]  # fmt: skip
    return None if made is None else tuple(out) if isinstance(made, list | tuple) else out[0]


def _fp64(x: Any) -> Any:
    if isinstance(x, torch.Tensor):
        return x.detach().to(torch.float64, copy=True) if x.dtype in SPECS else x
    return type(x)(_fp64(each) for each in x) if isinstance(x, list | tuple) else x


def copy(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    target, source = args[0], args[1]
    if target.dtype not in SPECS or not isinstance(source, torch.Tensor) or source.dtype not in SPECS:
        return func(*args, **kwargs)
    written(mode, target, narrowed(mode, mode.taken(source), target.dtype))
    return target

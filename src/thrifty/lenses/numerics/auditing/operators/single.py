"""Operators that are one operation, a move, a cast or a draw: run, and rounded once where something was computed. Imports torch."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from thrifty.formats import FloatSpec, Rounding, float_spec
from thrifty.lenses.numerics.auditing.numbers.arithmetic import dtype_of, wide
from thrifty.lenses.numerics.auditing.numbers.rounding import SPECS, round_tensor
from thrifty.lenses.numerics.auditing.numbers.values import ANY, float_tensors, place_of
from thrifty.lenses.numerics.auditing.operators.kinds import SCALARS
from thrifty.lenses.numerics.policy.operators import plain_name

if TYPE_CHECKING:
    from thrifty.lenses.numerics.auditing.mode import Emulation

aten = torch.ops.aten


def pass_on(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    return func(*args, **kwargs)


def custom(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """An operator of somebody else's library: run as it is, its results rounded."""
    return _rounded(mode, f"aten.{func._schema.name.partition('::')[2]}", func(*mode.taken(args), **mode.taken(kwargs)))


def _rounded(mode: Emulation, site: str, made: Any) -> Any:
    if isinstance(made, torch.Tensor):
        return mode.arithmetic.round(made, site, made.dtype) if made.dtype in SPECS else made
    return type(made)(_rounded(mode, site, each) for each in made) if isinstance(made, list | tuple) else made


def move(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """Numbers go elsewhere."""
    args, kwargs = mode.taken(args), mode.taken(kwargs)
    values, tensors = mode.arithmetic.values, float_tensors(args) + float_tensors(kwargs)
    name = plain_name(func._schema.name.removeprefix("aten::"))
    if name == "index_put" and len(args) > 3 and args[3]:
        return point("aten.index_put", mode, func, args, kwargs)
    if name in SCALARS and any(isinstance(each, float) and each not in (0.0, 1.0) and abs(each) != float("inf") for each in (*args, *kwargs.values())):
        return point(f"aten.{name}", mode, func, args, kwargs)
    places = {place_of(each) for each in tensors}
    made = func(*args, **kwargs)
    spec = functools.reduce(_both, (values.spec(each) for each in tensors), ANY)
    region = next((found.region for each in tensors if (found := values.held(each)) is not None and found.region), "")
    for each in float_tensors([made]):
        if place_of(each) not in places:
            values.mark(each, spec, region=region, site=f"aten.{name}")
    return made


def _both(one: FloatSpec, other: FloatSpec) -> FloatSpec:
    return one if one.holds(other) else other if other.holds(one) else float_spec("fp64")


def narrowed(mode: Emulation, x: Tensor, dtype: torch.dtype) -> Tensor:
    """x in another dtype, rounded once to its format where that holds less."""
    spec = float_spec(SPECS[dtype])
    if spec.holds(mode.arithmetic.values.spec(x)):
        out = x.to(dtype, copy=True)
        mode.arithmetic.values.mark(out, mode.arithmetic.values.spec(x))
        return out
    out = round_tensor(x, Rounding.of(spec), dtype)
    mode.arithmetic.values.mark(out, spec)
    return out


def cast(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    dtype = kwargs.get("dtype")
    x = args[0]
    if dtype not in SPECS or x.dtype not in SPECS:
        made = func(*mode.taken(args), **kwargs)
        if made.dtype in SPECS:
            made = mode.arithmetic.round(made, "aten.to_copy", made.dtype) if x.dtype not in SPECS else made
        return made
    held = narrowed(mode, mode.taken(x), dtype)
    made = func(held, **kwargs)
    mode.arithmetic.values.mark(made, mode.arithmetic.values.spec(held))
    return made


def draw(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    site = f"aten.{plain_name(func._schema.name.removeprefix('aten::'))}"
    if site in ("aten.dropout", "aten.native_dropout"):
        x, p, train = mode.taken(args[0]), args[1], args[2] if len(args) > 2 else kwargs.get("train", True)
        _, kept = func(x, p, train)
        if not train or p == 0:
            return move(mode, aten.clone.default, (x,), {}), kept
        return mode.arithmetic.point(site, _kept, x, kept.to(x.dtype), 0.0 if p == 1 else 1.0 / (1.0 - p)), kept
    made = func(*args, **kwargs)
    for each in float_tensors([made]):
        rounded = mode.arithmetic.round(each, site, each.dtype)
        each.copy_(rounded)
        mode.arithmetic.values.mark(each, mode.arithmetic.values.spec(rounded))
    return made


def _kept(x: Tensor, kept: Tensor, factor: float) -> Tensor:
    return x * kept * factor


def point(site: str, mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """One operation, rounded once; several results each."""
    args, kwargs = mode.taken(args), mode.taken(kwargs)
    returns = func._schema.returns
    tensors = float_tensors(args) + float_tensors(kwargs)
    if len(returns) == 1 and str(returns[0].type) == "Tensor":
        if not tensors and not _makes_floats(func, args, kwargs):
            return func(*args, **kwargs)
        if func in (aten.add.Tensor, aten.sub.Tensor) and kwargs.get("alpha") == 1:
            kwargs = {}
        if _is_test(func):
            return func(*args, **kwargs)
        return mode.arithmetic.point(site, func, *args, **kwargs)
    if not tensors:
        return func(*args, **kwargs)
    dtype = dtype_of(func, tensors, args, kwargs)
    made: Any = wide(func, args, kwargs)
    if isinstance(made, bool | int | float | complex):
        return made
    results = [mode.arithmetic.round(each, site, dtype) if isinstance(each, torch.Tensor) and each.dtype in SPECS else each for each in made]
    return results if isinstance(made, list) else tuple(results)


_TESTS: Final = frozenset({
    "eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "isfinite", "signbit", "logical_and", "logical_or", "logical_not", "logical_xor", "equal",
    "argmax", "argmin", "any", "all", "count_nonzero", "nonzero", "bucketize", "searchsorted", "isclose", "is_nonzero", "local_scalar_dense", "histc",
    "bincount",
    "isneginf", "isposinf", "allclose", "item", "is_same_size", "sym_size", "unique2", "unique_dim",
})  # fmt: skip


@functools.cache
def _is_test(func: Any) -> bool:
    """Its results are truths or whole numbers."""
    return plain_name(func._schema.name.removeprefix("aten::")) in _TESTS


def _makes_floats(func: Any, args: Any, kwargs: Any) -> bool:
    """Floats come of whole numbers: a division, a mean, a range with a step of its own."""
    name = plain_name(func._schema.name.removeprefix("aten::"))
    asked = kwargs.get("dtype")
    if asked is not None:
        return asked in SPECS
    return name in ("div", "true_divide", "linspace", "logspace", "scalar_tensor", "full", "arange", "full_like", "exp", "log", "sqrt", "rsqrt") and not (
        name in ("arange", "full", "full_like") and all(isinstance(each, int | torch.Size | list) for each in args)
    )

"""Which handler an operator gets. Imports torch."""

from __future__ import annotations

import functools
from typing import Any

from thrifty.lenses.numerics.auditing.operators.composed import (
    TAKEN_APART,
    add_product,
    add_up,
    apart,
    attend,
    batch_norm,
    convolution,
    convolution_backward,
    nll,
    norm,
    product,
)  # fmt: skip
from thrifty.lenses.numerics.auditing.operators.kinds import DRAWS, MOVES, VIEWS
from thrifty.lenses.numerics.auditing.operators.single import cast, custom, draw, move, pass_on, point
from thrifty.lenses.numerics.auditing.operators.writing import Handler, by_twin, copy, twin_of, write
from thrifty.lenses.numerics.policy.operators import plain_name


@functools.cache
def handler_of(func: Any) -> Handler:
    """What is done with an operator."""
    schema = func._schema
    if func.namespace != "aten":
        return custom if func.namespace not in ("profiler", "prim", "prims") else pass_on
    raw = schema.name.removeprefix("aten::")
    writes = any(each.alias_info is not None and each.alias_info.is_write for each in schema.arguments)
    base = raw[:-1] if raw.endswith("_") and not raw.endswith("__") else raw
    name = plain_name(raw)
    if name in ("native_batch_norm", "batch_norm"):
        return batch_norm
    if raw in ("copy_", "to_copy", "_to_copy", "fill_", "zero_", "resize_", "set_") or name in DRAWS or base in DRAWS:
        return {"copy_": copy, "_to_copy": cast}.get(raw, draw if name in DRAWS or base in DRAWS else move)
    if writes:
        twin = twin_of(func, base)
        return write if twin is None else functools.partial(by_twin, twin, handler_of(twin))
    if base.lstrip("_") in VIEWS:
        return pass_on
    if name == "index_put" or base.lstrip("_") in MOVES or name in MOVES:
        return move
    if name == "scaled_dot_product_attention" or name == "scaled_dot_product_attention_backward":
        return attend
    found: dict[str, Handler] = {
        "mm": product, "bmm": product, "mv": product, "dot": product, "vdot": product, "addmm": add_product, "baddbmm": add_product,
        "addmv": add_product, "convolution": convolution, "convolution_overrideable": convolution, "convolution_backward": convolution_backward,
        "sum": add_up, "mean": add_up, "linalg_vector_norm": norm, "nll_loss_forward": nll,
    }  # fmt: skip
    if name in found:
        return found[name]
    if name in TAKEN_APART and (name != "var" or schema.overload_name == "correction"):
        return functools.partial(apart, name)
    return functools.partial(point, f"aten.{name}")

"""What each ATen operator costs: the table from operator to rule, and how an operator is understood when it is first met.

A rule takes the call (operands, keywords, result) and returns a `Cost`. Reads and writes follow from the operator's schema (every operand read once,
every result and every operand marked as written once) unless the rule knows better, as a gather does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import torch

from thrifty.formats import format_of_torch
from thrifty.workload.table import Kind


class Cost(NamedTuple):
    """What one call costs.

    shape  : (batch, m, n, k) as the table wants it
    reads  : operand position or tensor → bytes that it really touches, where that is less than all of it (position of the flat operand list)
    fresh  : flat positions of operands that are written without being read
    """

    kind: Kind
    shape: tuple[int, int, int, int]
    flops_matrix: int = 0
    flops_vector: int = 0
    taps: int = 0
    attention: tuple[int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0)
    causal: bool = False
    flops_skipped: int = 0
    flops_recomputed: int = 0
    reads: dict[int, int] | None = None
    writes: dict[int, int] | None = None
    launches: int = 1


Rule = Callable[[Sequence[Any], dict[str, Any], Any], Cost]
RULES: Final[dict[str, Rule]] = {}
"""By ATen name without overload ("aten.mm"), in-place variants under the name without the underscore."""

FREE: Final = frozenset(
    {
        "aten.empty", "aten.empty_like", "aten.empty_strided", "aten.new_empty", "aten.new_empty_strided", "aten.empty_permuted", "aten.resize_",
        "aten.set_", "prim.device", "aten.sym_size", "aten.is_pinned",
        "aten._has_compatible_shallow_copy_type", "aten.record_stream", "prim.layout",
        "aten.is_same_size", "aten._local_scalar_dense", "aten.item", "aten.is_nonzero", "aten.equal", "aten.lift",
        "profiler._record_function_enter_new", "profiler._record_function_exit",
    }
)  # fmt: skip
"""Calls that move no tensor data: allocation, questions, bookkeeping. `item` waits for the device; a CPU pays nothing for it."""

VIEWS: Final = frozenset(
    {"aten._unsafe_view", "aten._reshape_alias", "aten.detach_", "aten.squeeze_", "aten.unsqueeze_", "aten.t_", "aten.transpose_"}
)
"""Views whose schema does not say so."""


def rule(*names: str) -> Callable[[Rule], Rule]:
    """Register a rule under ATen names."""

    def register(function: Rule) -> Rule:
        for name in names:
            RULES[f"aten.{name}"] = function
        return function

    return register


@dataclass(slots=True)
class Operator:
    """What is known of an ATen overload: view or free (no row), else its rule, and which of its arguments it writes."""

    name: str
    view: bool
    free: bool
    rule: Rule | None
    written: tuple[int, ...] = ()
    written_keywords: tuple[str, ...] = ()
    fresh: bool = field(default=False)


OVERWRITES: Final = frozenset(
    f"aten.{name}_" for name in ("copy", "fill", "zero", "normal", "uniform", "random", "bernoulli", "exponential", "_foreach_zero", "_foreach_copy")
)
"""In-place operators that do not read what they write to."""


def understand(func: Any) -> Operator:
    """Read an overload's schema once."""
    schema = func._schema
    name = schema.name.replace("::", ".")
    written = tuple(i for i, a in enumerate(schema.arguments) if a.alias_info is not None and a.alias_info.is_write and not a.kwarg_only)
    keywords = tuple(a.name for a in schema.arguments if a.alias_info is not None and a.alias_info.is_write and a.kwarg_only)
    aliases = any(r.alias_info is not None and not r.alias_info.is_write for r in schema.returns)
    view = name in VIEWS or (aliases and not written and not keywords)
    found = RULES.get(name) or (RULES.get(name[:-1]) if name.endswith("_") else None)
    return Operator(name, view, name in FREE, found, written, keywords, name in OVERWRITES)


def touched(tensor: torch.Tensor) -> int:
    """Bytes of storage that reading `tensor` touches: a broadcast axis (stride 0) counts once."""
    count = tensor.numel()
    if count and not tensor.is_contiguous():
        for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
            if stride == 0 and size > 1:
                count //= size
    return int(count * tensor.element_size())


@functools.cache
def format_of(dtype: torch.dtype) -> str:
    """The name of a dtype's format."""
    return format_of_torch(dtype).name


def elements(shape: Sequence[int]) -> int:
    """Product of a shape."""
    total = 1
    for size in shape:
        total *= size
    return int(total)

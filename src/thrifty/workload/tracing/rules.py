"""What each ATen operator costs: the table from operator to rule, and how an operator is understood when it is first met.

A rule takes the call (operands, keywords, result) and returns a `Cost`. Reads and writes follow from the operator's schema (every operand read once,
every result and every operand marked as written once) unless the rule knows better, as a gather does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import torch

from thrifty.formats import format_of_torch
from thrifty.workload.table import Kind


class Cost(NamedTuple):
    """What one call costs.

    shape  : (batch, m, n, k) as the table wants it
    reads  : position of an operand → bytes of it that are really read, where that is less than all of it (0: only its shape matters)
    results: how many of its results it fills, where a backend leaves the others empty
    writes : position of an operand → bytes of it that are written: fewer than all of a marked one, or some of one whose schema does not say so
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
    results: int | None = None
    launches: int = 1


Rule = Callable[[Sequence[Any], dict[str, Any], Any], Cost]
RULES: Final[dict[str, Rule]] = {}
"""By ATen name without overload ("aten.mm"), in-place variants under the name without the underscore."""

FREE: Final = frozenset(
    {
        "aten.empty", "aten.empty_like", "aten.empty_strided", "aten.new_empty", "aten.new_empty_strided", "aten.empty_permuted", "aten.resize_",
        "aten.set_", "prim.device", "aten.sym_size", "aten.is_pinned",
        "aten._has_compatible_shallow_copy_type", "aten.record_stream", "prim.layout",
        "aten.is_same_size", "aten._local_scalar_dense", "aten.item", "aten.is_nonzero", "aten.lift",
        "profiler._record_function_enter_new", "profiler._record_function_exit",
    }
)  # fmt: skip
"""Calls that move no tensor data: allocation, questions, bookkeeping. `item` waits for the device; a CPU pays nothing for it."""

VIEWS: Final = frozenset(
    f"aten.{name}"
    for name in (
        "_unsafe_view", "_reshape_alias", "unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk", "detach_", "squeeze_", "unsqueeze_", "t_",
        "transpose_", "swapaxes_", "swapdims_", "as_strided_",
    )
)  # fmt: skip
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
    """What is known of an ATen overload: view or free (no row), else its rule, and which of its arguments it writes.

    composite : it is made of other operators, which are recorded instead (torch shows it whole in inference mode only)
    fresh     : it does not read what it writes to
    results   : it has results of its own, beside what it writes to
    """

    name: str
    view: bool
    free: bool
    rule: Rule | None
    written: tuple[int, ...] = ()
    written_keywords: tuple[str, ...] = ()
    fresh: bool = False
    composite: bool = False
    results: bool = True


OVERWRITES: Final = frozenset(
    f"aten.{name}_"
    for name in (
        "copy", "fill", "zero", "normal", "uniform", "random", "bernoulli", "exponential", "log_normal", "geometric", "cauchy", "_foreach_zero",
        "_foreach_copy",
    )
)  # fmt: skip
"""In-place operators that do not read what they write to."""


def understand(func: Any) -> Operator:
    """Read an overload's schema once."""
    schema = func._schema
    name = schema.name.replace("::", ".")
    written = tuple(i for i, a in enumerate(schema.arguments) if a.alias_info is not None and a.alias_info.is_write and not a.kwarg_only)
    keywords = tuple(a.name for a in schema.arguments if a.alias_info is not None and a.alias_info.is_write and a.kwarg_only)
    aliases = any(r.alias_info is not None and not r.alias_info.is_write for r in schema.returns)
    free = name in FREE
    has = functools.partial(torch._C._dispatch_has_kernel_for_dispatch_key, func.name())
    composite = not free and name not in VIEWS and has("CompositeImplicitAutograd") and not (has("CPU") or has("CUDA"))
    view = name in VIEWS or (aliases and not written and not keywords)
    found = RULES.get(name) or (RULES.get(name[:-1]) if name.endswith("_") else None)
    results = any(r.alias_info is None for r in schema.returns)
    return Operator(name, view, free, found, written, keywords, name in OVERWRITES, composite, results)


def touched(tensor: torch.Tensor) -> int:
    """Bytes of storage that reading `tensor` touches: a broadcast axis (stride 0) counts once, overlapping windows at most their storage."""
    size = int(tensor.nbytes)
    if size and not tensor.is_contiguous():
        for length, stride in zip(tensor.shape, tensor.stride(), strict=True):
            if stride == 0 and length > 1:
                size //= length
        return min(size, int(tensor.untyped_storage().nbytes()))
    return size


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

"""Sites of torch's operators: ``aten.mm``, ``aten.softmax.exp``; they inherit from the name before the last dot, up to ``aten`` and ``*``.

An operator is named as in `torch.ops.aten`, without the underscore of variants that work in place (``add_``), of those that torch keeps for itself
(``_softmax``), and without ``native_``. Sums are named with ``.acc`` behind: ``aten.mm.acc``, ``aten.softmax.sum.acc``, ``aten.acc`` for all.
"""

from __future__ import annotations

import functools
import importlib.util
from typing import Final

from thrifty.errors import BadValue, unknown_name

FAMILY: Final = "aten"
LIST: Final = "thrifty numerics audit --list"

STEPS: Final[dict[str, tuple[str, ...]]] = {
    "softmax": ("sub", "exp", "sum", "div"),
    "softmax_backward": ("mul", "dot", "sub", "out"),
    "log_softmax": ("sub", "exp", "sum", "log", "out"),
    "log_softmax_backward": ("exp", "sum", "mul", "out"),
    "logsumexp": ("sub", "exp", "sum", "log", "out"),
    "layer_norm": ("mean", "sub", "square", "var", "eps", "rsqrt", "mul", "weight", "out"),
    "layer_norm_backward": ("weight", "sub", "mul", "dot", "mean", "out", "dweight", "dbias"),
    "group_norm": ("mean", "sub", "square", "var", "eps", "rsqrt", "mul", "weight", "out"),
    "batch_norm": ("mean", "sub", "square", "var", "eps", "rsqrt", "mul", "weight", "out"),
    "gelu": ("arg", "erf", "add", "out"),
    "gelu_backward": ("arg", "erf", "pdf", "add", "out"),
    "silu": ("sigmoid", "out"),
    "silu_backward": ("sigmoid", "sub", "mul", "add", "out"),
    "var": ("mean", "sub", "square"),
    "mse_loss": ("sub", "square", "out"),
    "scaled_dot_product_attention": ("s", "scale", "bias", "sub", "exp", "sum", "div", "lse", "out", "dsum", "p", "dp", "ds", "dq", "dk", "dv"),
}
"""Operator that is taken apart → the steps whose results are rounded; an operator of torch whose steps are not listed is one operation, rounded once."""


def above(site: str) -> list[str]:
    """A site and what it inherits from, nearest first: ``a.b.c``, ``a.b``, ``a``."""
    parts = site.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


def is_operator_sum(site: str) -> bool:
    """It names a sum within operators: ``aten.acc``, ``aten.mm.acc``."""
    return site.startswith(f"{FAMILY}.") and site.endswith(".acc")


def plain_name(name: str) -> str:
    """``_softmax``, ``add_`` and ``native_layer_norm`` as sites are called: softmax, add, layer_norm; ``_softmax_backward_data`` is softmax_backward."""
    held = name.strip("_").removeprefix("native_").removesuffix("_data")
    if held.startswith("scaled_dot_product_"):
        return "scaled_dot_product_attention"
    return "batch_norm" if held in ("batch_norm_legit", "batch_norm_legit_functional", "cudnn_batch_norm") else held


@functools.cache
def must_know_operator(site: str) -> None:
    """Raise UnknownName where `site`, which begins with ``aten``, names no operator, step or sum."""
    parts = site.split(".")
    if parts[0] != FAMILY:
        raise unknown_name("site", site, [FAMILY], LIST)
    held = parts[1:-1] if parts[-1] == "acc" else parts[1:]
    if not held:
        return
    seen, apart = _operators()
    if held[0] in apart:
        raise BadValue(f"site '{site}' never rounds: torch takes '{held[0]}' apart first. Name what it becomes, such as aten.mm, aten.bmm or aten.addmm.")
    if seen and held[0] not in seen:
        raise unknown_name("site", site, sorted(f"{FAMILY}.{name}" for name in seen), LIST)
    if len(held) > 1 and (len(held) > 2 or held[1] not in STEPS.get(held[0], ())):
        raise unknown_name("site", site, [f"{FAMILY}.{held[0]}.{step}" for step in STEPS.get(held[0], ())], LIST)


@functools.cache
def _operators() -> tuple[frozenset[str], frozenset[str]]:
    """Names of this machine's operators, and of those that torch takes apart first; empty where torch is not installed, so that nothing can be checked."""
    if importlib.util.find_spec("torch") is None:
        return frozenset(), frozenset()
    import torch

    seen: set[str] = set(STEPS)
    apart: set[str] = set()
    for name in torch._C._dispatch_get_all_op_names():
        if name.startswith("aten::") and not name.endswith("out"):
            whole = torch._C._dispatch_has_kernel_for_dispatch_key(name, "CompositeImplicitAutograd")
            (apart if whole else seen).add(plain_name(name[6:].partition(".")[0]))
    return frozenset(seen), frozenset(apart - seen)

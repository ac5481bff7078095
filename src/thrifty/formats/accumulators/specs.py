"""What keeps a sum, and how it is written: ``fma:fp32``, ``pairwise:bf16:leaf=8``, ``split_k:4:fma:fp32|sequential:fp32``, ``hopper-e4m3:promote=128``.

    spec     = kept [":promote=" N] | "split_k:" N ":" spec ["|" spec]
    kept     = kind ":" format [":leaf=" N | ":radix=" N] | tensor core
    kind     = "sequential" | "fma" | "pairwise" | "tree" | "kahan" | "exact"

sequential : each product is rounded, then each sum, k ascending from +0
fma        : exact product plus sum, rounded once, k ascending from +0
pairwise   : products are rounded; runs of `leaf` (1) are summed in order; neighbours are then added level by level, a last one alone goes up
tree       : products are rounded; level by level n terms become s = ceil(n / radix): i, i + s, i + 2s, … are added in order, as a block of threads reduces
kahan      : products are rounded; Kahan's compensated sum, each of its operations rounded
exact      : all products are summed exactly, and rounded once
split_k    : K is cut into N runs of ceil(K / N); each is kept by the first spec, and their sums are kept by the second (``sequential`` in the first's format)
promote=N  : every N products the sum goes to an FP32 sum outside (FP64 for FP64) by one rounded addition and starts from +0 again

A rounded product or sum is one operation of FP64, rounded to the format after: the same as rounding once where the format has at most 24 significand bits
and FP32 holds the operands. "fma" and "exact" round once for all formats and operands.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from thrifty.errors import BadValue, unknown_name
from thrifty.formats.floats import FloatSpec, float_spec

if TYPE_CHECKING:
    from thrifty.formats.accumulators.cores import TensorCore

KINDS: Final = ("sequential", "fma", "pairwise", "tree", "kahan", "exact")
LIST: Final = "thrifty numerics accumulate --list"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accumulator:
    """How a sum of products is kept. kind: one of KINDS, "split_k" or "tensor_core"; format: of the sum; core: name of the tensor core."""

    kind: str
    format: str
    leaf: int = 1
    radix: int = 2
    splits: int = 0
    inner: Accumulator | None = None
    outer: Accumulator | None = None
    core: str = ""
    promote: int = 0

    @property
    def spec(self) -> FloatSpec:
        """Format of the sum, or of the sum outside where there is one."""
        if self.outer is not None:
            return self.outer.spec
        return float_spec(("fp64" if self.format == "fp64" else "fp32") if self.promote else self.format)

    @property
    def spec_inside(self) -> FloatSpec:
        """Format of the sum, whatever is outside."""
        return float_spec(self.format)

    @property
    def tensor_core(self) -> TensorCore:
        """The tensor core that keeps the sum; for kind "tensor_core" only."""
        from thrifty.formats.accumulators.cores import tensor_core

        return tensor_core(self.core)

    @property
    def name(self) -> str:
        """The text that `parse_accumulator` reads."""
        if self.kind == "split_k":
            assert self.inner is not None and self.outer is not None
            return f"split_k:{self.splits}:{self.inner.name}|{self.outer.name}"
        text = self.core or f"{self.kind}:{self.format}"
        if self.kind == "pairwise" and self.leaf != 1:
            text += f":leaf={self.leaf}"
        if self.kind == "tree" and self.radix != 2:
            text += f":radix={self.radix}"
        return text + (f":promote={self.promote}" if self.promote else "")

    def __str__(self) -> str:
        return self.name


def parse_accumulator(text: str | Accumulator) -> Accumulator:
    """The accumulator that `text` names. Raises UnknownName, BadValue."""
    if isinstance(text, Accumulator):
        return text
    if not isinstance(text, str):
        raise BadValue(f"accumulator={text!r} must be a text such as fma:fp32 or hopper-bf16.")
    return _parsed(text)


@functools.cache
def _parsed(text: str) -> Accumulator:
    said = text.strip().lower()
    head, _, rest = said.partition(":")
    if head == "split_k":
        return _split(text, rest)
    head, *parts = said.split(":")
    promote = 0
    if parts and parts[-1].startswith("promote="):
        promote = _whole(text, "promote", parts.pop().removeprefix("promote="), 1)
    if head in KINDS:
        return replace(_plain(text, head, parts), promote=promote)
    from thrifty.formats.accumulators.cores import core_names, tensor_core

    if head not in core_names():
        raise unknown_name("accumulator", text, [*(f"{kind}:fp32" for kind in KINDS), "split_k:4:fma:fp32", *core_names()], LIST)
    if parts:
        raise BadValue(f"accumulator '{text}': '{parts[0]}' is not understood; a tensor core takes :promote=N only.")
    return Accumulator(kind="tensor_core", format=tensor_core(head).result, core=tensor_core(head).name, promote=promote)


def _plain(text: str, kind: str, parts: list[str]) -> Accumulator:
    if not parts:
        raise BadValue(f"accumulator '{text}' names no format. Write {kind}:fp32, say.")
    spec, options = float_spec(parts[0]), parts[1:]
    if not spec.signed or not spec.subnormals or spec.no_number == "none":
        raise BadValue(f"accumulator '{text}': {spec.name} cannot keep a sum; it has no {'NaN' if spec.signed else 'negative numbers'}. Take fp32, say.")
    made = Accumulator(kind=kind, format=spec.name)
    allowed = {"pairwise": ("leaf", 1), "tree": ("radix", 2)}.get(kind)
    for option in options:
        key, _, value = option.partition("=")
        if allowed is None or key != allowed[0] or len(options) > 1:
            takes = f":{allowed[0]}=N and :promote=N" if allowed else ":promote=N only"
            raise BadValue(f"accumulator '{text}': '{option}' is not understood; {kind} takes {takes}.")
        count = _whole(text, key, value, allowed[1])
        made = replace(made, leaf=count) if key == "leaf" else replace(made, radix=count)
    return made


def _split(text: str, rest: str) -> Accumulator:
    count, _, specs = rest.partition(":")
    splits = _whole(text, "N", count, 1)
    inside, bar, outside = specs.partition("|")
    if not inside or (bar and not outside):
        raise BadValue(f"accumulator '{text}' must be split_k:N:inner or split_k:N:inner|outer, such as split_k:4:fma:fp32|sequential:fp32.")
    inner = parse_accumulator(inside)
    outer = parse_accumulator(outside) if bar else Accumulator(kind="sequential", format=inner.spec.name)
    if "split_k" in (inner.kind, outer.kind):
        raise BadValue(f"accumulator '{text}' splits within a split. Multiply the numbers of splits instead.")
    if outer.kind == "tensor_core":
        raise BadValue(f"accumulator '{text}' adds sums on a tensor core, whose operands would not hold them. Take sequential:fp32, say.")
    return Accumulator(kind="split_k", format=outer.format, splits=splits, inner=inner, outer=outer)


def _whole(text: str, key: str, value: str, least: int) -> int:
    if not value.isascii() or not value.isdigit() or not least <= int(value) <= 1 << 31:
        raise BadValue(f"accumulator '{text}': {key}='{value}' must be a whole number from {least} to {1 << 31}.")
    return int(value)

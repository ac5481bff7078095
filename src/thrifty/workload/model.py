"""The Workload: a piece of work at one point, with the means to move to another point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

from thrifty.errors import BadValue
from thrifty.quantities import positive_int
from thrifty.workload.table import OperatorTable

if TYPE_CHECKING:
    from thrifty.workload.scaling import Polynomials

WorkPhase = Literal["forward", "prefill", "decode", "training"]
PHASES: tuple[WorkPhase, ...] = ("forward", "prefill", "decode", "training")


@dataclass(frozen=True, slots=True, kw_only=True)
class Symbol:
    """A free size of a workload: batch, sequence, image side, frames, steps.

    modulus : the counts are one polynomial within each residue class of this (a ViT's image side: its patch size)
    degree  : highest power of the symbol in any count (sequence: 2 because of attention)
    breaks  : values from which on other polynomials hold (a sliding window that begins to hide keys)
    alias   : another name by which users give it, and how many of that make one: ("image", 8) for the side of a latent
    residue : where only sizes of one residue of the modulus exist (frames of a video decoder: 4 · n + 1), that residue
    """

    name: str
    default: int
    high: int | None = None
    modulus: int = 1
    degree: int = 1
    breaks: tuple[int, ...] = ()
    meaning: str = ""
    alias: tuple[str, int] | None = None
    residue: int | None = None

    def check(self, value: object) -> int:
        """`value` as an int within the symbol's range, or BadValue."""
        size = positive_int(self.name, value, at_most=self.high, why=f"the largest {self.meaning or self.name} of this workload")
        if self.residue is not None and size % self.modulus != self.residue:
            raise BadValue(f"{self.name}={size} is no {_multiple(self.modulus, self.residue)}. Choose {self._near(size)}.")
        return size

    def _near(self, size: int) -> str:
        """The sizes on both sides of one that does not exist."""
        assert self.residue is not None
        below = size - (size - self.residue) % self.modulus
        return " or ".join(str(choice) for choice in (below, below + self.modulus) if choice > 0)

    def from_alias(self, value: object) -> int:
        """The symbol's value where its other name was given `value`. Raises BadValue where that is no multiple of what makes one."""
        assert self.alias is not None
        name, factor = self.alias
        size = positive_int(name, value)
        if size % factor:
            choices = " or ".join(str(choice) for choice in (size // factor * factor, (size // factor + 1) * factor) if choice > 0)
            raise BadValue(f"{name}={size} is no multiple of {factor}, by which this workload makes it smaller. Choose {choices}.")
        return self.check(size // factor)


def _multiple(modulus: int, residue: int) -> str:
    return f"multiple of {modulus}" if residue == 0 else f"multiple of {modulus} plus {residue}"


class Source(Protocol):
    """What can make a workload's table afresh at any point: a family, or a tracer over a torch module."""

    def symbols(self, phase: WorkPhase) -> tuple[Symbol, ...]: ...

    def table(self, phase: WorkPhase, format_name: str, point: Mapping[str, int]) -> OperatorTable: ...


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What runs: an operator table at one point of its symbols, and where it came from.

    weight_bytes : of the parameters as they run in `format`; file_bytes: as stored, None when there is no file
    origin       : "family decoder", "captured on meta tensors", ... as a reader would say it
    notes        : what the reader must know, e.g. that meta tensors failed and fake ones were used
    """

    name: str
    phase: WorkPhase
    format: str
    point: Mapping[str, int]
    table: OperatorTable
    parameters: int
    weight_bytes: int
    symbols: tuple[Symbol, ...] = ()
    file_bytes: int | None = None
    origin: str = ""
    notes: tuple[str, ...] = ()
    source: Source | None = field(default=None, repr=False, compare=False)
    details: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def at(
        self, point: Mapping[str, int] | None = None, /, *, phase: WorkPhase | None = None, format: str | None = None, **sizes: int,
    ) -> Workload:  # fmt: skip
        """The same work at another point, phase or format, made afresh by its source. Sizes may come as a mapping, by name, or both.

        Raises BadValue for a size outside its symbol's range and for a workload that has no source (captured without symbols).
        """
        if self.source is None:
            raise BadValue(f"'{self.name}' was captured at one point only. Load it by name, or capture it again at the point you want.")
        from thrifty.workload.points import make_workload, overridden

        same_phase = phase is None or phase == self.phase
        base = self.point if same_phase else {k: v for k, v in self.point.items() if k == "batch"}
        merged = overridden(self.symbols, base, {**(point or {}), **sizes})
        return make_workload(self, phase or self.phase, format or self.format, merged)

    @cached_property
    def polynomials(self) -> Polynomials:
        """Exact counts as polynomials of the symbols, within the chamber of this point and, when asked, of others."""
        from thrifty.workload.scaling import Polynomials

        return Polynomials.of(self)

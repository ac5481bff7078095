"""Families that are drawn by one function: its operators make the table, and its weights, made at their first mention, are the parameters."""

from __future__ import annotations

import abc
import functools
from collections.abc import Iterator, Mapping

from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.phases import refuse_generation
from thrifty.workload.families.primitives.tape import Parameter, Tape, Tensor
from thrifty.workload.feeds import Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import OperatorTable


class Drawn(abc.ABC):
    """A network without generation: images, text encoders, denoisers, decoders. Subclasses are frozen, hashable dataclasses."""

    what: str = "this model"
    """As it is called where a phase is refused."""

    @abc.abstractmethod
    def sizes(self) -> tuple[Symbol, ...]:
        """Its free sizes, batch first."""

    @abc.abstractmethod
    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """What its twin is fed at `point`."""

    @abc.abstractmethod
    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        """Append every operator of one forward pass; returns the result. Raises BadValue for sizes that do not go together."""

    def symbols(self, phase: WorkPhase) -> tuple[Symbol, ...]:
        refuse_generation(phase, self.what)
        return self.sizes()

    def parameters(self) -> Iterator[Parameter]:
        """Name and shape of every parameter, in the order of first use."""
        yield from _parameters(self)

    def table(self, phase: WorkPhase, format_name: str, point: Mapping[str, int]) -> OperatorTable:
        """Every operator of one step at `point`; training is on the mean of the result."""
        refuse_generation(phase, self.what)
        t = Tape((), format_name, keep=phase == "training")
        out = self.forward(t, point)
        if phase == "training":
            t.enter("", calls=0)
            ops.mean_loss(t, out)
            t.backward()
            t.optimizer_step()
        return t.build()


@functools.lru_cache(maxsize=64)
def _parameters(family: Drawn) -> tuple[Parameter, ...]:
    t = Tape((), "fp32", keep=False)
    family.forward(t, {symbol.name: symbol.default for symbol in family.sizes()})
    return tuple(t.shapes.items())

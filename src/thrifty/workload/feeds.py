"""What a module is fed, as shapes with named axes: enough to make real inputs of it, and to know later which axis became a sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from thrifty.workload.model import Symbol, WorkPhase

Axis = Literal["batch", "channel", "frame", "height", "width", "text", "token"]
"""What an axis of an input is. token: of a sequence that is neither text nor an image's pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One input of a module.

    axes : a name for each axis of `shape`
    fill : "normal" numbers in the module's format, "whole" numbers from 0 up to `below`, "steps" (times of a diffusion, up to `below`, as floats in
           the module's format), or "ones" (a mask that hides nothing)
    """

    shape: tuple[int, ...]
    axes: tuple[Axis, ...]
    fill: Literal["normal", "whole", "steps", "ones"] = "normal"
    below: int = 1000


Feeds = Mapping[str, "Feed | Feeds"]
"""By the argument's name; a mapping inside is an argument that is itself a dictionary of inputs."""


class Fed(Protocol):
    """A family that knows what its twin is fed."""

    def symbols(self, phase: WorkPhase) -> tuple[Symbol, ...]: ...

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds: ...


def is_fed(family: Any) -> bool:
    """Whether a family says what its twin is fed."""
    return callable(getattr(family, "feeds", None))

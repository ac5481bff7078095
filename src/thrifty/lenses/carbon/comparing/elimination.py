"""The whole catalogue at once: which devices are the least anywhere, over every intensity and life, and which nowhere (CORDOBA's elimination)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from thrifty.cost.carbon.metrics import Design, Envelope, envelope_of
from thrifty.errors import BadValue
from thrifty.hardware import device_names
from thrifty.lenses.carbon.comparing.subjects import middle_of, read_subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Elimination:
    """`kept`: names of the designs that win somewhere, from places of little exposure (clean or short) to much; `left_out`: why some were not asked."""

    metric: str
    count: int
    kept: tuple[str, ...]
    share_eliminated: float
    envelope: Envelope
    left_out: dict[str, str]


def eliminate(
    metric: str = "carbon", *, names: Sequence[str] = (), flops: float = 1e15, number_format: str = "bf16", utilisation: float = 1.0
) -> Elimination:  # fmt: skip
    """Devices of the catalogue (all when `names` is empty) doing the same work. Raises UnknownName; BadValue when none is left."""
    designs: list[Design] = []
    left_out: dict[str, str] = {}
    for name in names or device_names():
        try:
            subject = read_subject(name, flops=flops, number_format=number_format)
        except BadValue as error:
            left_out[name] = str(error)
            continue
        designs.append(Design(
            name=name, embodied_gco2e=subject.middle_embodied_gco2e, delay_s=subject.middle_delay_s, energy_j=subject.middle_energy_j,
            idle_w=middle_of(subject.idle_w),
        ))  # fmt: skip
    found = envelope_of(designs, metric, utilisation)
    return Elimination(
        metric=metric, count=len(designs), kept=tuple(designs[k].name for k in found.winners), share_eliminated=found.eliminated, envelope=found,
        left_out=left_out,
    )  # fmt: skip

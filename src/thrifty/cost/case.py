"""One question: this job, on this device, at this site. What lenses look at and levers change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from operator import add

from thrifty.cost.priced import Priced, price
from thrifty.errors import BadValue
from thrifty.footprint import Footprint
from thrifty.hardware import Device, Site
from thrifty.workload import Workload, WorkPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A workload that a job runs `times` times over: one prefill, sixty-four decoded tokens."""

    workload: Workload
    times: int = 1


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one run of the thing does, and how many units of use come out of it.

    units : generated tokens, samples, ...; `unit` says which
    """

    name: str
    parts: tuple[Part, ...]
    unit: str
    units: int

    @property
    def format(self) -> str:
        return self.parts[0].workload.format

    @property
    def point(self) -> Mapping[str, int]:
        """Sizes of the first part: batch, seq, image."""
        return self.parts[0].workload.point

    def at(self, *, format: str | None = None, **point: int) -> Job:
        """The same job in another format or at other sizes; units follow the batch. Raises BadValue as `Workload.at` does."""
        parts = tuple(replace(part, workload=part.workload.at(_moved(part.workload, self.point, point), format=format)) for part in self.parts)
        batch = self.point.get("batch", 1)
        return replace(self, parts=parts, units=self.units // batch * parts[0].workload.point.get("batch", 1))

    @classmethod
    def of(cls, workload: Workload, *, new_tokens: int = 64) -> Job:
        """The usual job of a workload: a language model reads its prompt and writes `new_tokens`; anything else runs forward once."""
        batch = workload.point.get("batch", 1)
        if workload.phase != "prefill":
            return cls(name=workload.name, parts=(Part(workload=workload),), unit="sample", units=batch)
        if new_tokens < 1:
            raise BadValue(f"new_tokens={new_tokens} is below 1. Choose a whole number from 1 up.")
        seq = workload.point["seq"]
        context = next((s.high for s in workload.symbols if s.name == "seq" and s.high), None)
        if context is not None and seq + new_tokens > context:
            raise BadValue(f"seq={seq} and {new_tokens} new tokens are above {context} (the context of '{workload.name}'). Choose fewer.")
        parts = [Part(workload=workload)]
        if new_tokens > 1:  # prefill gives the first token; the others' mean cache length stands for all, as counts are affine in it
            decode: WorkPhase = "decode"
            parts.append(Part(workload=workload.at(phase=decode, batch=batch, seq=seq + (new_tokens - 2) // 2), times=new_tokens - 1))
        return cls(name=workload.name, parts=tuple(parts), unit="token", units=batch * new_tokens)


def _moved(workload: Workload, origin: Mapping[str, int], point: Mapping[str, int]) -> dict[str, int]:
    """Where a part goes when the job's first part goes to `point`: a longer prompt lengthens the cache of decoding by as much."""
    return {name: value if name != "seq" else value + workload.point["seq"] - origin["seq"] for name, value in point.items()}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A job on a device at a site."""

    job: Job
    device: Device
    site: Site

    @cached_property
    def priced(self) -> tuple[Priced, ...]:
        """Every part's price, once over."""
        return tuple(price(part.workload, self.device, site=self.site) for part in self.job.parts)

    @cached_property
    def footprint(self) -> Footprint:
        """Of the whole job."""
        return reduce(add, (priced.footprint * part.times for priced, part in zip(self.priced, self.job.parts, strict=True)))

    @property
    def per_unit(self) -> Footprint:
        """Of one token or sample."""
        return self.footprint * (1 / self.job.units)

    @property
    def fits(self) -> bool:
        return all(priced.fits for priced in self.priced)

    @property
    def bound(self) -> str:
        """What most of the job's time goes to."""
        longest = max(zip(self.priced, self.job.parts, strict=True), key=lambda pair: pair[0].time_s * pair[1].times)
        return longest[0].bound

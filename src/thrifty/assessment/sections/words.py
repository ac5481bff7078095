"""How the sections write: numbers with their tags, lists of words, names of devices and steps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from thrifty.cost import Case, Priced
from thrifty.footprint import Interval
from thrifty.hardware import THIS_CUDA, THIS_MACHINE
from thrifty.report import Cell, Column, Number, number_text
from thrifty.report.numbers import scale_of

RATES: Final[dict[str, tuple[str, str]]] = {
    # key of measured and modelled -> title, unit
    "prefill_tokens_per_s": ("Reading the prompt", "token/s"),
    "decode_tokens_per_s": ("Writing", "token/s"),
    "time_to_first_token_s": ("First token", "s"),
    "samples_per_s": ("Throughput", "sample/s"),
    "peak_memory_bytes": ("Peak memory", "B"),
}
ERROR: Final = Column(key="error", title="Error", truth="modelled", style="percent", digits=2, meaning="modelled over measured, less 1")


def measured(value: float | None, unit: str = "") -> Number:
    return Number(value=value, unit=unit, truth="measured")


def modelled(value: float | None, unit: str = "", model: str = "") -> Number:
    return Number(value=value, unit=unit, truth="modelled", model=model)


def given(value: float | None, unit: str = "") -> Number:
    return Number(value=value, unit=unit, truth="given", style="auto" if unit else "integer")


def spanning(interval: Interval, unit: str, model: str = "") -> Number:
    """A modelled number with the range that public models span."""
    return Number(value=interval.mid, low=interval.low, high=interval.high, unit=unit, truth="modelled", model=model)


def percent(value: float) -> str:
    """A signed error in words that fit a sentence: ``+12 %``."""
    return f"{value * 100:+.0f} %".replace("-", "−")


def share(value: float) -> str:
    return f"{value * 100:.0f} %"


def sizes(point: Mapping[str, int]) -> str:
    """``batch 1, seq 40``."""
    return ", ".join(f"{name} {value}" for name, value in point.items())


def in_one_unit(rows: list[list[Cell]], places: Sequence[int], unit: str) -> tuple[list[list[Cell]], str]:
    """`rows` with the numbers at `places` in one prefixed unit, chosen for the largest: columns that are read across must not differ in it."""
    values = [abs(cell) for row in rows for cell in (row[place] for place in places) if isinstance(cell, float) and math.isfinite(cell)]
    factor, label = scale_of(max(values, default=0.0), unit)
    return [
        [cell / factor if place in places and isinstance(cell, float) else cell for place, cell in enumerate(row)] for row in rows
    ], label  # fmt: skip


def ends(interval: Interval, factor: float) -> str:
    """``183 to 226``, on one line, in the unit of the column beside it."""
    return f"{number_text(interval.low / factor)}\u00a0to\u00a0{number_text(interval.high / factor)}"


def listed(words: Iterable[str]) -> str:
    """``a, b and c``."""
    items = list(words)
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def device_label(case: Case) -> str:
    """The device, with what it runs in where that is not obvious from the page."""
    return {THIS_MACHINE: "this machine", THIS_CUDA: "this machine's GPU"}.get(case.device.name, case.device.name)


def step_name(priced: Priced) -> str:
    """What a part of the job is called: prefill, decode, forward, training."""
    return priced.workload.phase


def columns_by_key(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every key of `rows`, in the order in which they first come."""
    return list(dict.fromkeys(key for row in rows for key in row))

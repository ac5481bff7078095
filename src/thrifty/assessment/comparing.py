"""What changed between two report.json, and why: inputs first, then numbers, then what explains them."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from thrifty.assessment.result import SCHEMA
from thrifty.errors import BadFile
from thrifty.quantities import show

NUMBERS: Final[dict[str, str]] = {
    # key of measured and modelled -> unit
    "prefill_tokens_per_s": "token/s", "decode_tokens_per_s": "token/s", "time_to_first_token_s": "s", "samples_per_s": "sample/s", "peak_memory_bytes": "B",
}  # fmt: skip
FOOTPRINT: Final[dict[str, str]] = {"time_s": "s", "energy_j": "J", "carbon_gco2e": "gCO2e", "cost_usd": "USD"}
ALIKE: Final = 0.01
"""Numbers within a hundredth of each other count as unchanged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputChange:
    """Something that the two reports were asked differently, or made with."""

    name: str
    before: Any
    after: Any

    def line(self) -> str:
        return f"{self.name}: {_text(self.before)} → {_text(self.after)}"

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberChange:
    """One number of both reports. truth: measured or modelled; factor: after over before, None where before is zero."""

    name: str
    unit: str
    truth: str
    before: float
    after: float

    @property
    def factor(self) -> float | None:
        return self.after / self.before if self.before else None

    @property
    def changed(self) -> bool:
        return not math.isclose(self.before, self.after, rel_tol=ALIKE, abs_tol=1e-30)

    def line(self) -> str:
        moved = "the same" if not self.changed else f"× {self.factor:.3g}" if self.factor is not None else "new"
        return f"{self.name} ({self.truth}): {show(self.before, self.unit)} → {show(self.after, self.unit)}, {moved}"

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "unit": self.unit, "truth": self.truth, "before": self.before, "after": self.after, "factor": self.factor}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two reports side by side. inputs and reasons hold only what differs; numbers hold all that both know."""

    before: str
    after: str
    inputs: tuple[InputChange, ...]
    numbers: tuple[NumberChange, ...]
    reasons: tuple[str, ...]

    def lines(self) -> list[str]:
        """The answer for a terminal."""
        result = [f"{self.before} → {self.after}", "Inputs:" if self.inputs else "Inputs: the same"]
        result += [f"  {each.line()}" for each in self.inputs]
        result.append("Numbers:" if self.numbers else "Numbers: none that both reports have")
        result += [f"  {each.line()}" for each in self.numbers]
        if self.reasons:
            result.append("Why:")
            result += [f"  {each}" for each in self.reasons]
        return result

    def to_dict(self) -> dict[str, Any]:
        return {
            "before": self.before, "after": self.after, "inputs": [each.to_dict() for each in self.inputs],
            "numbers": [each.to_dict() for each in self.numbers], "reasons": list(self.reasons),
        }  # fmt: skip


def compare(before: str | os.PathLike[str], after: str | os.PathLike[str]) -> Comparison:
    """What changed between two report.json, and why. Raises BadFile for a file that is none, or one of another schema."""
    old, new = read_report(before), read_report(after)
    inputs = tuple(_inputs(old, new))
    numbers = tuple(_numbers(old, new))
    try:
        reasons = tuple(_reasons(old, new, inputs))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise BadFile(f"one of '{os.fspath(before)}' and '{os.fspath(after)}' lacks or garbles {error}. Make it again: thrifty assess") from error
    return Comparison(before=os.fspath(before), after=os.fspath(after), inputs=inputs, numbers=numbers, reasons=reasons)


def read_report(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The content of a report.json. Raises BadFile for what is none."""
    name = os.fspath(path)
    try:
        content = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise BadFile(f"cannot read '{name}': {(error.strerror or str(error)).lower()}. Give the report.json that thrifty assess wrote.") from error
    except ValueError as error:
        raise BadFile(f"'{name}' is not JSON. Give the report.json that thrifty assess wrote.") from error
    if not isinstance(content, dict) or not {"schema", "workload", "system", "priced", "modelled"} <= set(content):
        raise BadFile(f"'{name}' is no report of thrifty. Give the report.json that thrifty assess wrote.")
    if content["schema"] != SCHEMA:
        raise BadFile(f"'{name}' has schema {content['schema']}, this thrifty reads {SCHEMA}. Make it again: thrifty assess")
    return content


def _asked(report: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that a report depends on, flat."""
    work = report["workload"]
    return {
        "workload": work.get("name"), "parameters": work.get("parameters"), **{f"size {k}": v for k, v in work.get("point", {}).items()},
        "units": work.get("units"), "device": ", ".join(each["device"] for each in report["system"]), "site": report.get("site"),
        "format": report.get("format"), "weight bytes": work.get("weight_bytes"), "file bytes": work.get("file_bytes"), "seed": report.get("seed"),
        **{f"version of {k}": v for k, v in report.get("versions", {}).items()}, "measured": report.get("measured") is not None,
    }  # fmt: skip


def _inputs(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[InputChange]:
    before, after = _asked(old), _asked(new)
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield InputChange(name=name, before=before.get(name), after=after.get(name))


def _numbers(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[NumberChange]:
    for truth in ("measured", "modelled"):
        before, after = old.get(truth) or {}, new.get(truth) or {}
        for key, unit in NUMBERS.items():
            if _both(before.get(key), after.get(key)):
                yield NumberChange(name=key, unit=unit, truth=truth, before=before[key], after=after[key])
    before, after = _a_unit(old), _a_unit(new)
    what = old["workload"].get("unit", "unit")
    if what == new["workload"].get("unit", "unit"):
        for key, unit in FOOTPRINT.items():
            if _both(before.get(key), after.get(key)):
                yield NumberChange(name=f"{key} a {what}", unit=unit, truth="modelled", before=before[key], after=after[key])


def _both(*values: Any) -> bool:
    return all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _a_unit(report: Mapping[str, Any]) -> dict[str, Any]:
    """The first device's footprint of one unit."""
    foot, units = report["priced"][0]["footprint"], report["workload"].get("units") or 1
    flat = {**foot, "carbon_gco2e": foot["carbon_gco2e"]["mid"]}
    return {key: flat[key] / units for key in FOOTPRINT if flat.get(key) is not None}


def _reasons(old: Mapping[str, Any], new: Mapping[str, Any], inputs: tuple[InputChange, ...]) -> Iterator[str]:
    """What explains the numbers: bounds that changed, the operator classes that moved most, carbon a joule, memory."""
    before, after = _steps(old), _steps(new)
    for step in before:
        if step not in after:
            continue
        then, now = before[step], after[step]
        if then["bound"] != now["bound"]:
            yield f"{step} was bound by {then['bound']} and is bound by {now['bound']}"
        yield from _moved(step, "modelled", _seconds(then["by_kind"]), _seconds(now["by_kind"]))
        if math.isclose(then["energy_j"], 0.0) or math.isclose(now["energy_j"], 0.0):
            continue
        grid_before, grid_after = (each["carbon_gco2e"]["mid"] / each["energy_j"] for each in (then, now))
        if step == next(iter(before)) and abs(grid_after / grid_before - 1) > ALIKE:
            places = [each for each in inputs if each.name in ("site", "device")]
            where = " and ".join(f"{each.name} {_text(each.before)} → {_text(each.after)}" for each in places) or "the models changed"
            yield f"carbon a joule went × {grid_after / grid_before:.3g} ({where})"
    seen_before, seen_after = _seen(old), _seen(new)
    for step in seen_before:
        if step in seen_after:
            yield from _moved(step, "measured", seen_before[step], seen_after[step])


def _steps(report: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The first device's parts by their step; the name of a part is its phase where the report says so, else its place."""
    return {str(part.get("phase", f"part {place}")): part for place, part in enumerate(report["priced"][0]["parts"], 1)}


def _seconds(by_kind: Mapping[str, Any]) -> dict[str, float]:
    return {kind: float(values["time_s"]) for kind, values in by_kind.items()}


def _seen(report: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    steps = (report.get("measured") or {}).get("steps", [])
    return {step["name"]: {kind: float(seconds) for kind, seconds in step["by_kind_s"].items()} for step in steps}


def _moved(step: str, truth: str, before: Mapping[str, float], after: Mapping[str, float]) -> Iterator[str]:
    """The operator class whose time in one step moved most, when the step's time moved at all."""
    total = sum(after.values()) - sum(before.values())
    if not before or abs(total) <= ALIKE * sum(before.values()):
        return
    kinds = dict.fromkeys((*before, *after))
    most = max(kinds, key=lambda kind: (after.get(kind, 0.0) - before.get(kind, 0.0)) * math.copysign(1.0, total))
    then, now = before.get(most, 0.0), after.get(most, 0.0)
    verb = "more" if total > 0 else "less"
    yield (f"one {step} step takes {show(abs(total), 's')} {verb} ({truth}), of which {most} {show(abs(now - then), 's')}: "
           f"{show(then, 's')} → {show(now, 's')}")  # fmt: skip


def _text(value: Any) -> str:
    return "none" if value is None else "yes" if value is True else "no" if value is False else f"{value:,}" if isinstance(value, int) else str(value)

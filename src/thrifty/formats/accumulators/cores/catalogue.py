"""What is known of each tensor core, from catalogue/tensor_cores.toml.

A name is ``generation-operand``, ``generation-operandA-operandB`` where they differ, and ends in ``-acc16`` where the sum is kept in FP16.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from thrifty.errors import unknown_name
from thrifty.files import strict_toml
from thrifty.formats.floats import FloatSpec, float_spec

METHODS: Final = ("truncated", "grouped", "fused", "exact", "flushed", "two_step")
GROUP: Final = 16
"""Products that a "grouped" core adds exactly before it scales them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorCore:
    """One tensor core with its operands' formats; the file of the catalogue says what each field means. result: format of the sum."""

    name: str
    title: str
    generation: str
    a: FloatSpec
    b: FloatSpec
    result: str
    method: str
    chunk: int
    fraction_bits: int = 0
    sum_bits: int = 0
    zero_exponent: int = 0
    halves: int = 1
    scale: FloatSpec | None = None
    scale_block: int = 0
    source: str

    @property
    def spec(self) -> FloatSpec:
        """Format of the sum."""
        return float_spec(self.result)


def tensor_core(name: str) -> TensorCore:
    """The tensor core called `name`. Raises UnknownName with the nearest one."""
    known = _by_name()
    if name not in known:
        raise unknown_name("tensor core", name, known, "thrifty numerics accumulate --list")
    return known[name]


def core_names() -> tuple[str, ...]:
    """All names, oldest generation first."""
    return tuple(_by_name())


def tensor_cores() -> tuple[TensorCore, ...]:
    """All of the catalogue, oldest generation first."""
    return tuple(_by_name().values())


@functools.cache
def sources() -> dict[str, dict[str, Any]]:
    """Where the numbers come from, by the key that cores name."""
    return dict(_file()["sources"])


@functools.cache
def _file() -> dict[str, Any]:
    text = files("thrifty.formats.accumulators").joinpath("catalogue/tensor_cores.toml").read_text(encoding="utf-8")
    return dict(strict_toml(text))


@functools.cache
def _by_name() -> dict[str, TensorCore]:
    made = {core.name: core for unit in _file()["unit"] for core in _cores(unit)}
    assert all(core.method in METHODS and core.source in _file()["sources"] for core in made.values())
    return made


def _cores(unit: dict[str, Any]) -> Iterator[TensorCore]:
    """Every pair of operands and every result of one unit."""
    kept = {key: unit[key] for key in ("title", "generation", "method", "chunk", "fraction_bits", "sum_bits", "halves", "scale_block", "source") if key in unit}
    scale = float_spec(unit["scale_format"]) if "scale_format" in unit else None
    for place, result in enumerate(unit["results"]):
        for a in unit["operands"]:
            for b in unit["operands"] if unit.get("mixed", False) else [a]:
                operands = unit.get("called", unit.get("prefix", "") + short(a) + ("" if a == b else f"-{short(b)}"))
                yield TensorCore(
                    name=f"{unit['generation']}-{operands}" + ("-acc16" if result == "fp16" else ""), a=float_spec(a), b=float_spec(b), result=result,
                    zero_exponent=unit["zero_exponent"][place] if "zero_exponent" in unit else 0, scale=scale, **kept,
                )  # fmt: skip


def short(format: str) -> str:
    """e4m3 for fp8_e4m3 and for fp8_e4m3fnuz: which of them a generation has, its name says."""
    return format.split("_")[-1].removesuffix("fnuz")

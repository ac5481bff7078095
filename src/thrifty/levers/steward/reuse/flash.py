"""More flash than a drive shows: less rewriting inside it, longer life, more carbon to make.

With the share `op` of hidden flash, uniform random writes are written about max(1, (1 + op)/(2·op)) times (greedy cleaning, in the limit of many pages),
so that a drive lasts  size · (1 + op) · erases / (writes · that)  years: in proportion to `op` up to 1, to 1 + op above.
"""

from __future__ import annotations

import math

from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import BadValue


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise BadValue(f"{name}={value} is not above 0. Give a finite number above 0.")


def _cycles(erase_cycles: float | None) -> float:
    return load_pack().get("reuse:rated.erase_cycles", "ratio") if erase_cycles is None else erase_cycles


def flash_life_years(op: float, size_bytes: float, writes_bytes_a_year: float, erase_cycles: float | None = None) -> float:
    """Years until the flash is worn out, with a share `op` of hidden flash. Raises BadValue."""
    cycles = _cycles(erase_cycles)
    _positive(op=op, size_bytes=size_bytes, writes_bytes_a_year=writes_bytes_a_year, erase_cycles=cycles)
    return (2 * op if op <= 1 else 1 + op) * size_bytes * cycles / writes_bytes_a_year


def overprovisioning_for(years: float, size_bytes: float, writes_bytes_a_year: float, erase_cycles: float | None = None) -> float:
    """The least share of hidden flash with which a drive lasts `years`: the inverse of `flash_life_years`."""
    cycles = _cycles(erase_cycles)
    _positive(years=years, size_bytes=size_bytes, writes_bytes_a_year=writes_bytes_a_year, erase_cycles=cycles)
    turns = years * writes_bytes_a_year / (size_bytes * cycles)
    return turns / 2 if turns <= 2 else turns - 1


def best_overprovisioning(
    life_years: float, lives: int, size_bytes: float, writes_bytes_a_year: float, made_g_per_byte: float, erase_cycles: float | None = None
) -> tuple[float, int, float]:  # fmt: skip
    """(share of hidden flash, lives served by one drive, grams a year) of least carbon when use goes on for `lives` lives of `life_years`.

    One drive may serve 1, 2, … lives, with enough hidden flash for all of them; then another is made. Every choice is weighed: with n lives a drive,
    ⌈lives/n⌉ drives of (1 + op_n) times the size. Raises BadValue.
    """
    if lives != int(lives) or lives < 1:
        raise BadValue(f"lives={lives} is not a whole number of at least 1. Mend it.")
    _positive(made_g_per_byte=made_g_per_byte)
    choices = []
    for served in range(1, int(lives) + 1):
        op = overprovisioning_for(served * life_years, size_bytes, writes_bytes_a_year, erase_cycles)
        drives = math.ceil(lives / served)
        choices.append((drives * (1 + op) * size_bytes * made_g_per_byte / (lives * life_years), op, served))
    grams, op, served = min(choices)
    return op, served, grams

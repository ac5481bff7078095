"""Splits of the keys, each attended to by itself, joined by their log-sum-exps (Flash-Decoding): O = Σ e^(L_k - L) O_k."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thrifty.formats import elementary
from thrifty.lenses.numerics.laboratory.steps import TURNS, Floats, Steps


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One split's output over its row sum (batch, H, N, d_v), and its log-sum-exp (batch, H, N)."""

    out: Floats
    lse: Floats


def join(steps: Steps, parts: list[Part], number: int) -> tuple[Floats, Floats]:
    """Output and log-sum-exp of all keys, parts added first to last. A part without keys takes no part; one part is returned as it is.

    number : tiles that were visited before, for modes that draw
    """
    if len(parts) == 1:
        return parts[0].out, parts[0].lse
    top = np.max([part.lse for part in parts], axis=0)
    total = np.zeros_like(top)
    for place, part in enumerate(parts, start=number):
        total = np.where(np.isneginf(part.lse), total, steps.at("l.add", total + _weight(steps, part.lse, top, place, 0), place * TURNS))
    lse = np.where(total == 0, -np.inf, steps.at("lse", np.where(total == 0, 0.0, top + elementary.log(total)), number * TURNS))
    out = np.zeros_like(parts[0].out)
    for place, part in enumerate(parts, start=number):
        weight = _weight(steps, part.lse, lse, place, 2)
        added = steps.at("o.add", out + steps.at("o.mul", weight[..., None] * part.out, place * TURNS), place * TURNS)
        out = np.where(np.isneginf(part.lse)[..., None], out, added)
    return out, lse


def _weight(steps: Steps, each: Floats, whole: Floats, place: int, use: int) -> Floats:
    """e^(L_k - L), 0 for a part without keys."""
    turn = place * TURNS + use
    empty = np.isneginf(each)
    grown = steps.at("alpha.exp", elementary.exp(steps.at("alpha.sub", np.where(empty, 0.0, each - whole), turn)), turn)
    return np.where(empty, 0.0, grown)

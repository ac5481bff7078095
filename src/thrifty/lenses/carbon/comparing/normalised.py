"""Every design against the first without place or life: FOCAL's NCF at both of its weights, and what holds whatever the weight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thrifty.cost.carbon.factors import load_pack
from thrifty.cost.carbon.metrics import Design, Verdict, ncf, turning_alpha, whatever_alpha


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalised:
    """Of `name` over the first design. Making stands for FOCAL's area.

    fixed_work, fixed_time : NCF by α ("0.8": making dominates, "0.2": running does), energy or power counting as use
    verdict : what holds for every α in both settings, None where they differ; turns: α at which NCF of fixed work is 1
    """

    name: str
    fixed_work: dict[str, float]
    fixed_time: dict[str, float]
    verdict: Verdict | None
    turns: float | None

    def to_dict(self) -> dict[str, Any]:
        return {"fixed_work": self.fixed_work, "fixed_time": self.fixed_time, "whatever_alpha": self.verdict, "turning_alpha": self.turns}


def against_first(designs: Sequence[Design]) -> tuple[Normalised, ...]:
    """Of every design but the first; none where making or energy of one is 0, as ratios to it are none."""
    if any(design.embodied_gco2e <= 0 or design.energy_j <= 0 for design in designs):
        return ()
    alphas = [load_pack().get(f"metrics:focal.alpha_{end}", "ratio") for end in ("embodied", "operational")]
    base, found = designs[0], []
    for design in designs[1:]:
        made, energy = design.embodied_gco2e / base.embodied_gco2e, design.energy_j / base.energy_j
        power = energy * base.delay_s / design.delay_s
        both = {whatever_alpha(made, energy), whatever_alpha(made, power)}
        found.append(Normalised(
            name=design.name, fixed_work={f"{alpha:g}": float(ncf(made, energy, alpha)) for alpha in alphas},
            fixed_time={f"{alpha:g}": float(ncf(made, power, alpha)) for alpha in alphas},
            verdict=both.pop() if len(both) == 1 else None, turns=turning_alpha(made, energy),
        ))  # fmt: skip
    return tuple(found)

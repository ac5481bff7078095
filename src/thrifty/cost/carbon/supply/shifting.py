"""Moving load within its day, exactly: what each hour may give, what each may take, and no more than that."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from thrifty.cost.carbon.supply.checking import Floats, day_bounds, numbers, shares
from thrifty.errors import BadValue


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shift:
    """A load after moving. load_mw_T: the new one; moved_mwh_D: energy moved in each day, the last one whole or cut short."""

    load_mw_T: Floats = field(repr=False)
    moved_mwh_D: Floats = field(repr=False)

    @property
    def moved_mwh(self) -> float:
        return float(self.moved_mwh_D.sum())


def shift_days(
    load_mw_T: npt.ArrayLike, days_T: npt.ArrayLike, *, flexible_share: npt.ArrayLike, cap_mw: float, supply_mw_T: npt.ArrayLike | None = None,
    intensity_T: npt.ArrayLike | None = None, step_h: float = 1.0,
) -> Shift:  # fmt: skip
    """The load after moving up to `flexible_share` of each step's into other steps of its day, with at most `cap_mw` in any.

    days_T       : day of each step by the local calendar (`Series.local`), so days of 23 and 25 hours are whole days
    supply_mw_T  : own supply. Without intensity_T it is what the load follows: in each day moved = min(Σ min(gap, f·L), Σ min(surplus, K − L)),
        divided among hours in proportion to what they may give and take; this leaves the least unmet energy that any such plan can
    intensity_T  : carbon of what the own supply does not cover. Then the load goes from the highest to the lowest, own surplus first, until both are
        equal: the least carbon that any such plan can have (a separable linear programme, solved by its exchange argument)

    Raises BadValue for shares outside 0 to 1, a load above the cap, or neither supply nor intensity.
    """
    load = numbers("load_mw_T", load_mw_T, least=0.0)
    steps = len(load)
    flexible, bounds = shares("flexible_share", flexible_share, steps), day_bounds(days_T, steps)
    if supply_mw_T is None and intensity_T is None:
        raise BadValue("a shift without supply and without intensity has nothing to follow. Give one of them.")
    if not cap_mw >= load.max():
        raise BadValue(f"cap_mw={cap_mw:g} is below the load's {load.max():g} MW. Give at least the largest load.")
    supply = np.zeros(steps) if supply_mw_T is None else numbers("supply_mw_T", supply_mw_T, least=0.0, length=steps)
    give = np.minimum(np.maximum(load - supply, 0.0), flexible * load)
    free = np.minimum(np.maximum(supply - load, 0.0), cap_mw - load)
    change, moving = np.zeros(steps), np.zeros(len(bounds) - 1)
    intensity = None if intensity_T is None else numbers("intensity_T", intensity_T, least=0.0, length=steps)
    for day, (start, end) in enumerate(itertools.pairwise(bounds)):
        these = slice(start, end)
        if intensity is None:
            moving[day] = min(give[these].sum(), free[these].sum())
            if moving[day] > 0:
                change[these] = free[these] * (moving[day] / free[these].sum()) - give[these] * (moving[day] / give[these].sum())
        else:
            change[these], moving[day] = _exchange(intensity[these], give[these], free[these], cap_mw - load[these] - free[these])
    return Shift(load_mw_T=load + change, moved_mwh_D=moving * step_h)


def _exchange(intensity: Floats, give: Floats, free: Floats, paid: Floats) -> tuple[Floats, float]:
    """Change of each step and the sum moved: from the dearest givers to the cheapest takers, own surplus (`free`) costing nothing, until costs meet."""
    givers = np.argsort(-intensity, kind="stable")
    costs = np.concatenate([np.zeros(len(free)), intensity])
    rooms = np.concatenate([free, paid])
    takers = np.argsort(costs, kind="stable")
    change, moving = np.zeros(len(give)), 0.0
    left, room = give.copy(), rooms.copy()
    g = t = 0
    while g < len(givers) and t < len(takers):
        giver, taker = givers[g], takers[t]
        if intensity[giver] <= costs[taker]:
            break
        amount = min(left[giver], room[taker])
        change[giver] -= amount
        change[taker % len(give)] += amount
        moving += amount
        left[giver] -= amount
        room[taker] -= amount
        if left[giver] <= 0:
            g += 1
        if room[taker] <= 0:
            t += 1
    return change, moving

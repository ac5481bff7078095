"""Whose an hour of a machine is: reserved by somebody, free to be sold, or stranded because another of its resources has run out.

With several resources each counts alike. Of resource r the share f_r is free; min f can be sold as whole pieces, and mean (f_r − min f) is stranded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.lenses.carbon.attribution import method_shares
from thrifty.lenses.carbon.ledger.fleets.description import Asset

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shares:
    """Shares of 1 by the hour: by tenant, idle and stranded; used_by: each tenant's use over capacity of the first resource."""

    by_tenant: Mapping[str, Floats] = field(repr=False)
    idle_T: Floats = field(repr=False)
    stranded_T: Floats = field(repr=False)
    used_by: Mapping[str, Floats] = field(repr=False)

    @property
    def lines(self) -> dict[str, Floats]:
        return {"idle": self.idle_T, "stranded": self.stranded_T}


def reserved_shares(asset: Asset, hours: int) -> Shares | None:
    """By reservation, hour by hour; None where the asset has no tenants. Raises BadValue for a demand file of another number of hours."""
    if asset.demand is not None:
        if len(asset.demand.demand_TN) != hours:
            raise BadValue(f"asset '{asset.name}': demand has {len(asset.demand.demand_TN)} steps, and the period {hours} hours. Give one an hour.")
        whole = next(iter(asset.capacity.values()))
        taken = asset.demand.demand_TN / whole
        used = taken if asset.demand.used_TN is None else asset.demand.used_TN / whole
        if used.sum(axis=1).max() > 1 + 1e-9:
            raise BadValue(f"asset '{asset.name}': tenants use {used.sum(axis=1).max() * whole:g} at one time, and there are {whole:g}. Mend the use.")
        names = asset.demand.tenants
        return Shares(
            by_tenant={name: taken[:, place] for place, name in enumerate(names)}, idle_T=np.maximum(1 - taken.sum(axis=1), 0.0),
            stranded_T=np.zeros(hours), used_by={name: used[:, place] for place, name in enumerate(names)},
        )  # fmt: skip
    if not asset.tenants:
        return None
    first, whole = next(iter(asset.capacity.items()))
    free = {r: max(0.0, 1 - sum(t.reserved.get(r, 0.0) for t in asset.tenants) / amount) for r, amount in asset.capacity.items()}
    idle = min(free.values())
    share = {t.name: sum(t.reserved.get(r, 0.0) / amount for r, amount in asset.capacity.items()) / len(free) for t in asset.tenants}
    use = {t.name: (t.reserved if t.used is None else t.used).get(first, 0.0) / whole for t in asset.tenants}
    if sum(use.values()) > 1 + 1e-9:
        raise BadValue(f"asset '{asset.name}': tenants use {sum(use.values()) * whole:g} {first}, and there are {whole:g}. Use no more than there is.")
    flat = np.ones(hours)
    return Shares(
        by_tenant={name: value * flat for name, value in share.items()}, idle_T=idle * flat,
        stranded_T=(sum(value - idle for value in free.values()) / len(free)) * flat, used_by={name: value * flat for name, value in use.items()},
    )  # fmt: skip


def making_shares(asset: Asset, reserved: Shares, rule: str) -> Shares:
    """By a rule of `attribution`: the same share in every hour, and capacity above the peak idle. By reservation where there is no demand file."""
    if rule == "reserved" or asset.demand is None:
        return reserved
    share_N, _ = method_shares(asset.demand, rule)
    needed, flat = asset.demand.peak / next(iter(asset.capacity.values())), np.ones(len(reserved.idle_T))
    by_tenant = {name: float(share_N[place]) * needed * flat for place, name in enumerate(asset.demand.tenants)}
    return Shares(by_tenant=by_tenant, idle_T=max(0.0, 1 - needed) * flat, stranded_T=0 * flat, used_by=reserved.used_by)


def running_shares(reserved: Shares, rest_share_T: Floats) -> Shares:
    """Of electricity: what machines draw at rest (a share of all, by the hour) by reservation, the rest by use; unused dynamic power is idle."""
    used = sum(reserved.used_by.values(), np.zeros(len(rest_share_T)))
    some = used > 0
    by_use = {name: np.divide(value, used, out=np.zeros_like(used), where=some) for name, value in reserved.used_by.items()}
    moving_T = 1 - rest_share_T
    return Shares(
        by_tenant={name: rest_share_T * reserved.by_tenant[name] + moving_T * by_use[name] for name in reserved.by_tenant},
        idle_T=rest_share_T * reserved.idle_T + np.where(some, 0.0, moving_T), stranded_T=rest_share_T * reserved.stranded_T, used_by=reserved.used_by,
    )  # fmt: skip

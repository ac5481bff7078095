"""Caps in, what they save and whom they keep waiting out; or the other way round: what may wait in, caps out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.footprint import Footprint, Interval, Quality
from thrifty.levers.contract import Change
from thrifty.levers.steward.decision import Certificate, Decision
from thrifty.levers.steward.schedule.capping.controlling import best_caps, least_of
from thrifty.levers.steward.schedule.capping.queueing import Served, check_demand, serve
from thrifty.levers.steward.schedule.capping.throughput import CappedDevice

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Response:
    """demand_T: shares of full speed; cap_w_T: of one device; before, after: served without and with caps"""

    device: CappedDevice
    step_h: float
    grams_T: Floats = field(repr=False)
    demand_T: Floats = field(repr=False)
    cap_w_T: Floats = field(repr=False)
    before: Served
    after: Served
    decision: Decision


def respond(
    device: CappedDevice, demand_T: npt.ArrayLike, grams_T: Floats, *, step_h: float, cap_w_T: npt.ArrayLike | None = None, usd_T: Floats | None = None,
    allowed: int = 0, throughput: float = 1.0, command: str = "", notes: tuple[str, ...] = (), sources: tuple[str, ...] = (),
) -> Response:  # fmt: skip
    """Serve a demand under caps; without caps given, under the best ones.

    grams_T, usd_T: of a kWh at the machine, PUE included; allowed: slots that work may wait before it is late
    """
    demand, grams = check_demand(demand_T), np.asarray(grams_T, dtype=np.float64)
    if len(demand) != len(grams):
        raise BadValue(f"demand has {len(demand)} steps and the period {len(grams)}. Give one a step.")
    per_w_T = grams * step_h / 1e3
    before = serve(device, demand, np.full(len(demand), device.full_w), allowed=allowed)
    if cap_w_T is None:
        found = best_caps(device, demand, per_w_T, allowed=allowed, throughput=throughput)
        caps, admitted = found.cap_w_T, found.admitted_T
        # A rounding of the solver must not leave a crumb of work over the last slot.
        after = serve(device, admitted, np.minimum(device.full_w, caps * (1 + 1e-9) + 1e-9), allowed=allowed, steady=True)
        value = float(after.power_w_T @ per_w_T) * device.count
        certificate = Certificate(value=value, bound=min(found.bound * device.count, value), unit="gCO2e", by="linear program over tangents of power")
        dropped = 1 - admitted.sum() / demand.sum() if demand.sum() else 0.0
    else:
        caps = np.asarray(cap_w_T, dtype=np.float64)
        if caps.shape != demand.shape:
            raise BadValue(f"{len(caps)} caps do not fit {len(demand)} steps. Give one a step.")
        after, dropped = serve(device, demand, caps, allowed=allowed), 0.0
        value = float(after.power_w_T @ per_w_T) * device.count
        bound = least_of(device, float(after.served_T.sum()), per_w_T) * device.count
        by = "dual of spreading the same work over the whole period, as if all of it could come at any time"
        certificate = Certificate(value=value, bound=max(0.0, min(bound, value)), unit="gCO2e", by=by)
    sides = [_footprint(device, each, per_w_T, usd_T, step_h, lost) for each, lost in ((before, 0.0), (after, dropped))]
    plan: dict[str, Any] = {
        "truth": "modelled", "device": device.name, "devices": device.count, "exponent": device.exponent, "step_h": step_h, "allowed_slots": allowed,
        "cap_w": [float(cap) for cap in caps], "late_share": after.late, "dropped_share": float(dropped), "mean_delay_h": after.mean_delay * step_h,
        "left_share": after.left / float(demand.sum()) if demand.sum() else 0.0,
        "avoided_gco2e": sides[0].carbon_gco2e.mid - sides[1].carbon_gco2e.mid,
        "avoided_usd": None if sides[0].cost_usd is None or sides[1].cost_usd is None else sides[0].cost_usd - sides[1].cost_usd,
        "before_late_share": before.late,
    }  # fmt: skip
    said = (f"speed = ((cap - idle) / (full - idle)) ^ {device.exponent:.3g}: a model, no measurement of this work", *notes)
    change = Change(before=sides[0], after=sides[1], artefact="", command=command, quality={"late_share": after.late, "dropped_share": float(dropped)})
    decision = Decision(change=change, plan=plan, certificate=certificate, notes=said, sources=sources)
    return Response(
        device=device, step_h=step_h, grams_T=grams, demand_T=demand, cap_w_T=caps, before=before, after=after, decision=decision
    )  # fmt: skip


def _footprint(device: CappedDevice, served: Served, per_w_T: Floats, usd_T: Floats | None, step_h: float, lost: float) -> Footprint:
    return Footprint(
        time_s=len(per_w_T) * step_h * 3600, memory_bytes=0.0, energy_j=float(served.power_w_T.sum() * step_h * 3600 * device.count),
        carbon_gco2e=Interval.exact(float(served.power_w_T @ per_w_T) * device.count),
        cost_usd=None if usd_T is None else float(served.power_w_T @ usd_T * step_h / 1e3 * device.count),
        quality={"late_share": Quality(served.late, "lower"), "dropped_share": Quality(float(lost), "lower")},
    )  # fmt: skip

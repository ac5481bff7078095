"""A plan: which job runs where, in which slots, with how many servers; and what that costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.footprint import Footprint, Interval, Quality
from thrifty.levers.steward.schedule.asking.problem import Problem
from thrifty.quantities import J_PER_KWH

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """Rows: job, place, slot, and how much of it: 1 is one server for the whole slot. Sorted by job, then slot."""

    job_R: Ints = field(repr=False)
    place_R: Ints = field(repr=False)
    slot_R: Ints = field(repr=False)
    share_R: Floats = field(repr=False)

    @classmethod
    def of(cls, job_R: Any, place_R: Any, slot_R: Any, share_R: Any) -> Plan:
        """Rows in any order; rows without a share are dropped."""
        job, place, slot, share = np.asarray(job_R, np.int64), np.asarray(place_R, np.int64), np.asarray(slot_R, np.int64), np.asarray(share_R, np.float64)
        keep = np.flatnonzero(share > 1e-9)
        order = keep[np.lexsort((slot[keep], job[keep]))]
        return cls(job_R=job[order], place_R=place[order], slot_R=slot[order], share_R=share[order])

    def energy_kwh_R(self, problem: Problem) -> Floats:
        return self.share_R * problem.power_w_J[self.job_R] * problem.power_scale_P[self.place_R] * problem.step_h / 1e3

    def load_w_PT(self, problem: Problem) -> Floats:
        """What all jobs draw at each place in each slot."""
        load = np.zeros(problem.grams_PT.shape)
        np.add.at(load, (self.place_R, self.slot_R), self.energy_kwh_R(problem) / problem.step_h * 1e3)
        return load

    def place_J(self, problem: Problem) -> Ints:
        """(J,) where each job runs."""
        place = problem.home_J.copy()
        place[self.job_R] = self.place_R
        return place

    def carbon_g_J(self, problem: Problem, *, embodied: bool = False) -> Floats:
        """(J,) grams of every job: operation and what is copied; with the machines' making where asked."""
        jobs = len(problem.jobs)
        grams_R = self.energy_kwh_R(problem) * problem.grams_PT[self.place_R, self.slot_R]
        carbon: Floats = np.bincount(self.job_R, weights=grams_R, minlength=jobs).astype(np.float64)
        carbon = carbon + problem.moved_JP[np.arange(jobs), self.place_J(problem)]
        if embodied:
            hours = self.share_R * problem.step_h * problem.embodied_P[self.place_R]
            carbon = carbon + np.bincount(self.job_R, weights=hours, minlength=jobs)
        return np.asarray(carbon)

    def energy_j(self, problem: Problem) -> float:
        return float(self.energy_kwh_R(problem).sum() * J_PER_KWH)

    def cost_usd(self, problem: Problem) -> float | None:
        """Of electricity, PUE included; None where a place used has no price."""
        usd = problem.usd_PT[self.place_R, self.slot_R]
        return None if np.isnan(usd).any() else float((self.energy_kwh_R(problem) * usd).sum())

    def end_J(self, problem: Problem) -> Floats:
        """(J,) hours from the first slot to each job's end, parts of a slot counted."""
        end = np.zeros(len(problem.jobs))
        np.maximum.at(end, self.job_R, self.slot_R + 1.0)
        return end * problem.step_h

    def wait_h_J(self, problem: Problem) -> Floats:
        """(J,) hours from release to end; below the job's length where it was brought forward."""
        return self.end_J(problem) - problem.release_J * problem.step_h

    def footprint(self, problem: Problem, *, embodied: bool = False) -> Footprint:
        """Of all jobs together: seconds of running, energy at the machines, carbon and cost with the building's share."""
        seconds = float(np.bincount(self.job_R, weights=np.minimum(self.share_R, 1.0), minlength=len(problem.jobs)).sum() * problem.step_s)
        late = float(self.wait_h_J(problem).mean())
        return Footprint(
            time_s=seconds, memory_bytes=0.0, energy_j=self.energy_j(problem),
            carbon_gco2e=Interval.exact(float(self.carbon_g_J(problem, embodied=embodied).sum())),
            cost_usd=self.cost_usd(problem), quality={"mean_hours_from_release_to_end": Quality(late, "lower")},
        )  # fmt: skip

    def spans(self, problem: Problem) -> list[tuple[int, int, int, int, float]]:
        """Runs without a break: (job, place, first slot, slot after the last, mean share)."""
        found: list[tuple[int, int, int, int, float]] = []
        if not len(self.job_R):
            return found
        new = np.flatnonzero((np.diff(self.job_R) != 0) | (np.diff(self.slot_R) != 1) | (np.diff(self.place_R) != 0)) + 1
        for rows in np.split(np.arange(len(self.job_R)), new):
            first, last = rows[0], rows[-1]
            job, place, slot, end = (int(each) for each in (self.job_R[first], self.place_R[first], self.slot_R[first], self.slot_R[last] + 1))
            found.append((job, place, slot, end, float(self.share_R[rows].mean())))
        return found

    def to_dict(self, problem: Problem, before: Plan) -> dict[str, Any]:
        """Plain values: every job with its runs, its carbon before and after."""
        was, now, wait = before.carbon_g_J(problem), self.carbon_g_J(problem), self.wait_h_J(problem)
        runs: dict[int, list[dict[str, Any]]] = {}
        for job, place, first, last, share in self.spans(problem):
            runs.setdefault(job, []).append({
                "place": problem.places[place].name, "from": problem.time_of(first).isoformat(), "to": problem.time_of(last).isoformat(), "servers": share,
            })  # fmt: skip
        return {
            "start": problem.start.isoformat(), "step_s": problem.step_s, "slots": problem.slots, "truth": "modelled",
            "jobs": [
                {
                    "name": job.name, "before_gco2e": float(was[j]), "after_gco2e": float(now[j]), "hours_from_release_to_end": float(wait[j]),
                    "runs": runs.get(j, []),
                }
                for j, job in enumerate(problem.jobs)
            ],
        }  # fmt: skip

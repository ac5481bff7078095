"""Published set-ups, repeated on grids that ship."""

from thrifty.levers.steward.schedule.studies.scaling import amdahl, scaling_savings
from thrifty.levers.steward.schedule.studies.waiting import Runs, half_hours, nightly_saving, project, run_savings

__all__ = ["Runs", "amdahl", "half_hours", "nightly_saving", "project", "run_savings", "scaling_savings"]

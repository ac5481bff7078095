"""A job as a scheduler sees it: power, length, when it may run, and what it can bear."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from thrifty.errors import BadValue


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job. Raises BadValue, naming it, for a number or a time that cannot be.

    power_w       : drawn while it runs (of one server where it is elastic); duration_s: of running on one server
    release       : when it would begin if nobody cared; earliest: when it may begin (release unless it may be brought forward)
    deadline      : when it must be done; all three are instants
    interruptible : it may pause, and run in part of a slot
    elastic       : work that the 1st, 2nd, ... server adds, the 1st adds 1; empty for a job of one size. An elastic job may pause
    places        : names of the places where it may run, the first is its home; empty for the question's home alone
    moved_bytes   : what must be copied when it runs away from home
    """

    name: str
    power_w: float
    duration_s: float
    release: datetime
    deadline: datetime
    earliest: datetime | None = None
    interruptible: bool = False
    elastic: tuple[float, ...] = ()
    places: tuple[str, ...] = ()
    moved_bytes: float = 0.0

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise BadValue("a job has no name. Give every job a name of its own.")
        for what, value, unit in (("power", self.power_w, "W"), ("duration", self.duration_s, "s")):
            if not (math.isfinite(value) and value > 0):
                raise BadValue(f"job '{self.name}': {what} of {value:g} {unit} is not above 0. Give a finite number above 0.")
        if not (math.isfinite(self.moved_bytes) and self.moved_bytes >= 0):
            raise BadValue(f"job '{self.name}': {self.moved_bytes:g} bytes to move. Give a finite number of at least 0.")
        for what, moment in (("release", self.release), ("deadline", self.deadline), ("earliest", self.earliest)):
            if moment is not None and moment.tzinfo is None:
                raise BadValue(f"job '{self.name}': {what} {moment} names no time zone. Give an instant such as 2020-03-02T09:00-08:00.")
        self._check_elastic()
        if self.earliest is not None and self.earliest > self.release:
            raise BadValue(f"job '{self.name}': may begin at {self.earliest:%Y-%m-%d %H:%MZ} at the earliest, after its release. Give an earlier time.")
        if (self.deadline - self.begin).total_seconds() < self.shortest_s - 1e-6:
            room = (self.deadline - self.begin).total_seconds() / 3600
            raise BadValue(
                f"job '{self.name}': {self.shortest_s / 3600:g} h of work do not fit into the {room:g} h from {self.begin:%Y-%m-%d %H:%MZ} to its deadline "
                f"{self.deadline:%Y-%m-%d %H:%MZ}. Give a later deadline."
            )

    def _check_elastic(self) -> None:
        if not self.elastic:
            return
        if not all(math.isfinite(each) for each in self.elastic) or self.elastic[0] != 1 or min(self.elastic) < 0:
            raise BadValue(f"job '{self.name}': elastic {list(self.elastic)} must begin with 1 and hold finite numbers of at least 0. Mend it.")

    @property
    def begin(self) -> datetime:
        """The earliest instant at which it may begin."""
        return self.earliest if self.earliest is not None else self.release

    @property
    def shortest_s(self) -> float:
        """Seconds from begin to end at full speed: with every server where it is elastic."""
        return self.duration_s / sum(self.elastic) if self.elastic else self.duration_s

    @property
    def pauses(self) -> bool:
        return self.interruptible or bool(self.elastic)

    @property
    def release_end(self) -> datetime:
        """When it ends if it begins at its release and runs through on one server."""
        return self.release + timedelta(seconds=self.duration_s)


def check_jobs(jobs: tuple[Job, ...]) -> tuple[Job, ...]:
    """The jobs themselves. Raises BadValue for none, or for two of one name."""
    if not jobs:
        raise BadValue("there is no job to schedule. Give at least one.")
    seen: set[str] = set()
    for job in jobs:
        if job.name in seen:
            raise BadValue(f"two jobs are named '{job.name}'. Give every job a name of its own.")
        seen.add(job.name)
    return jobs

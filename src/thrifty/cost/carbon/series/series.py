"""Numbers at equal steps of time. Inside all is UTC, so daylight saving and leap days need no rule; a time zone is for reading and showing."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """`values_T[k]` holds from start + k·step to start + (k+1)·step; NaN is a hole.

    start  : an instant (aware); step_s: seconds, above 0
    unit   : of the values, one of `quantities` units, e.g. "MW", "gCO2e/kWh", "dimensionless"
    zone   : IANA name of the place's time zone; name: what a message calls this series
    """

    start: datetime
    step_s: float
    values_T: Floats = field(repr=False)
    unit: str
    zone: str = "UTC"
    name: str = "series"

    def __post_init__(self) -> None:
        if self.start.tzinfo is None:
            raise BadValue(f"{self.name} starts at {self.start}, which names no time zone. Give an instant such as 2020-01-01T00:00-08:00.")
        if not (math.isfinite(self.step_s) and self.step_s > 0):
            raise BadValue(f"{self.name} has steps of {self.step_s} s. Give a step above 0.")
        values = np.ascontiguousarray(self.values_T, dtype=np.float64)
        if values.ndim != 1 or not len(values):
            raise BadValue(f"{self.name} has values of shape {values.shape}. Give one number a step, at least one.")
        if np.isinf(values).any():
            raise BadValue(f"{self.name} has an infinite value at step {int(np.isinf(values).argmax())}. Mend it, or leave the hole empty.")
        if values is self.values_T and values.flags.writeable:
            values = values.copy()  # the caller's own array stays the caller's: writable, and no way into this series
        values.flags.writeable = False
        object.__setattr__(self, "values_T", values)
        object.__setattr__(self, "start", self.start.astimezone(UTC))
        time_zone(self.zone)

    def __len__(self) -> int:
        return len(self.values_T)

    @property
    def end(self) -> datetime:
        return self.start + timedelta(seconds=self.step_s * len(self))

    @property
    def holes(self) -> int:
        """Steps without a value."""
        return int(np.isnan(self.values_T).sum())

    def whole(self) -> Series:
        """Itself; raises BadValue when a step has no value, naming the first."""
        if self.holes:
            first = self.start + timedelta(seconds=self.step_s * int(np.isnan(self.values_T).argmax()))
            raise BadValue(f"{self.name} has {self.holes} steps without a value, the first at {first:%Y-%m-%d %H:%MZ}. Fill them: --fill linear or --fill day.")
        return self

    def within(self, start: datetime, end: datetime) -> Series:
        """The steps from `start` to `end`, both on steps' bounds. Raises BadValue when the series does not cover them."""
        start, end = start.astimezone(UTC), end.astimezone(UTC)  # differences and order of local times forget daylight saving
        if not start < end:
            raise BadValue(f"a period from {start} to {end} is empty. Give an end after its start.")
        first, last = ((moment - self.start) / timedelta(seconds=self.step_s) for moment in (start, end))
        if first < 0 or last > len(self):
            raise BadValue(f"{self.name} runs from {self.start:%Y-%m-%d %H:%MZ} to {self.end:%Y-%m-%d %H:%MZ}, which does not cover {start} to {end}.")
        if first != int(first) or last != int(last):
            raise BadValue(f"{start} to {end} cuts steps of {self.step_s:g} s of {self.name}. Give bounds that lie between steps.")
        return replace(self, start=start, values_T=self.values_T[int(first) : int(last)])

    def stepped(self, step_s: float) -> Series:
        """Means over longer steps, or the same value in each of shorter ones; one step must hold a whole number of the other."""
        coarse, fine = max(step_s, self.step_s), min(step_s, self.step_s)
        ratio = round(coarse / fine)
        if not (math.isfinite(step_s) and step_s > 0) or abs(coarse - ratio * fine) > 1e-9 * coarse:
            raise BadValue(f"steps of {self.step_s:g} s of {self.name} do not fit steps of {step_s:g} s. One must hold a whole number of the other.")
        if step_s <= self.step_s:
            return replace(self, step_s=step_s, values_T=np.repeat(self.values_T, ratio))
        if len(self) % ratio:
            raise BadValue(f"{self.name} has {len(self)} steps, which leave a part of {step_s:g} s over. Cut it to whole steps first.")
        return replace(self, step_s=step_s, values_T=self.values_T.reshape(-1, ratio).mean(axis=1))

    def local(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(T,) local calendar day (days since 1970-01-01) and (T,) local hour of the day at which each step begins, daylight saving included."""
        zone = time_zone(self.zone)
        moments = [(self.start + timedelta(seconds=self.step_s * k)).astimezone(zone) for k in range(len(self))]
        days = np.array([moment.date().toordinal() - 719163 for moment in moments], dtype=np.int64)
        return days, np.array([moment.hour for moment in moments], dtype=np.int64)

    def with_values(self, values_T: npt.ArrayLike, *, unit: str | None = None, name: str | None = None) -> Series:
        """The same steps with other values."""
        values = np.asarray(values_T, dtype=np.float64)
        if values.shape != self.values_T.shape:
            raise BadValue(f"{len(values)} values do not fit the {len(self)} steps of {self.name}. Give one a step.")
        return replace(self, values_T=values, unit=unit or self.unit, name=name or self.name)


def time_zone(name: str) -> ZoneInfo:
    """The zone of an IANA name. Raises BadValue for a name that there is not."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadValue(f"'{name}' is no time zone. Give an IANA name such as America/Los_Angeles or UTC.") from None


def same_steps(*series: Series) -> None:
    """Raises BadValue unless all series have the same start, step and length."""
    first = series[0]
    for other in series[1:]:
        if (other.start, other.step_s, len(other)) != (first.start, first.step_s, len(first)):
            raise BadValue(
                f"{other.name} ({len(other)} steps of {other.step_s:g} s from {other.start:%Y-%m-%d %H:%MZ}) does not match {first.name} "
                f"({len(first)} of {first.step_s:g} s from {first.start:%Y-%m-%d %H:%MZ}). Cut or step one of them to the other."
            )

"""Attention over frames against attention over space, in a model that has both.

Of one call, spatial work grows with frames, temporal work with their square; they are equal where frames = height × width of that level, so the larger
the image, the later temporal attention's work overtakes. Its time overtakes much earlier: sequences of sixteen frames fill an eighth of a kernel's tile and
every row of a head is a few hundred bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from thrifty.errors import BadValue
from thrifty.lenses.operators.subjects import Subject
from thrifty.lenses.operators.views.grouping import Group, breakdown
from thrifty.workload import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalStudy:
    """One kind against the other, core attention only, whole runs. Times are None without a device.

    crossing_frames : frames from which on temporal attention does more matrix FLOPs than spatial; None where frames are no size of the workload
    """

    frames: int | None
    spatial: Group
    temporal: Group
    crossing_frames: int | None

    @property
    def flops_ratio(self) -> float:
        """Spatial over temporal FLOPs."""
        return self.spatial.flops_matrix / self.temporal.flops_matrix

    @property
    def time_ratio(self) -> float | None:
        """Temporal over spatial time."""
        return self.temporal.time_s / self.spatial.time_s if self.temporal.time_s is not None and self.spatial.time_s else None

    @property
    def share_of_attention_time(self) -> float | None:
        """Temporal time over that of spatial and temporal attention together."""
        if self.temporal.time_s is None or self.spatial.time_s is None:
            return None
        return self.temporal.time_s / (self.temporal.time_s + self.spatial.time_s)

    def to_dict(self) -> dict[str, Any]:
        return {
            "frames": self.frames, "spatial": self.spatial.to_dict(), "temporal": self.temporal.to_dict(), "flops_ratio": self.flops_ratio,
            "time_ratio": self.time_ratio, "share_of_attention_time": self.share_of_attention_time, "crossing_frames": self.crossing_frames,
        }  # fmt: skip


def temporal_study(subject: Subject) -> TemporalStudy:
    """Raises BadValue for a workload that has not both kinds of attention."""
    groups = {group.name: group for group in breakdown(subject, "attention")}
    missing = [axes.label for axes in (Axes.SPATIAL, Axes.TEMPORAL) if axes.label not in groups]
    if missing:
        raise BadValue(f"'{subject.workload.name}' has no {' and no '.join(missing)} attention to compare. Name a video model that has both, e.g. unet3d.")
    return TemporalStudy(
        frames=subject.workload.point.get("frames"), spatial=groups[Axes.SPATIAL.label], temporal=groups[Axes.TEMPORAL.label],
        crossing_frames=_crossing(subject),
    )  # fmt: skip


def attention_flops(subject: Subject, frames: int) -> tuple[int, int]:
    """(spatial, temporal) matrix FLOPs of core attention at that many frames."""
    at = subject.workload.at(frames=frames)
    rows, repeats = at.table.rows, at.table.repeats
    return tuple(int((rows["flops_matrix"] * repeats)[rows["axes"] == axes].sum()) for axes in (Axes.SPATIAL, Axes.TEMPORAL))  # type: ignore[return-value]


def _crossing(subject: Subject) -> int | None:
    """The smallest number of frames at which temporal work is the larger: found from one table (work ∝ frames and frames²), checked by two more."""
    work = subject.workload
    symbol = next((symbol for symbol in work.symbols if symbol.name == "frames"), None)
    if symbol is None or work.source is None:
        return None
    frames = work.point["frames"]
    spatial, temporal = attention_flops(subject, frames)
    if not temporal:
        return None
    guess = max(1, int(np.ceil(frames * spatial / temporal)))
    step = symbol.modulus
    guess += (-(guess - (symbol.residue or 0))) % step if symbol.residue is not None else 0
    for candidate in range(max(step, guess - 2 * step), guess + 3 * step, step):
        space, time = attention_flops(subject, candidate)
        if time >= space:
            return candidate
    return None

"""From tasks to their schedule in one call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from thrifty.errors import BadValue
from thrifty.timeline.graphs import compile_listing, listed
from thrifty.timeline.planned import Schedule
from thrifty.timeline.tasks import Repeated, Task


def schedule(events: Iterable[Task | Repeated | Mapping[str, Any]], *, configurations: int | None = None, compiled: bool = True) -> Schedule:
    """When each task starts and ends, for all configurations at once.

    events         : tasks (or mappings with id, stream, duration_s, after) in the order of issue. A task starts when the one issued before it on its
                     stream has ended and all that it waits for have
    configurations : how many; as many as the durations' arrays have where not given
    compiled       : False for the NumPy path, which gives the same numbers without Numba
    Raises BadValue for a double id, a dependency on what does not exist, a cycle, and arrays of different lengths.
    """
    listing = listed(events)
    sizes = {task.id: np.shape(task.duration_s)[0] for task in listing.tasks if np.ndim(task.duration_s)}
    count = configurations if configurations is not None else max(sizes.values(), default=1)
    for name, size in sizes.items():
        if size != count:
            raise BadValue(f"task '{name}' has {size} durations, but there are {count} configurations. Give one number or one for each.")
    graph = compile_listing(listing)
    seconds_EC = np.empty((len(listing.tasks), count))
    for row, task in zip(seconds_EC, listing.tasks, strict=True):
        row[:] = task.duration_s
    return graph.solve(seconds_EC.T, trusted=True, compiled=compiled)

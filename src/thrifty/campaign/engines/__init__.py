"""Who runs the chunks: this process, processes or threads of this machine, a Ray cluster, a Dask cluster.

An engine takes chunks from a `Source` as it has hands free, and yields an `Answer` for each as it comes back. Where a worker dies, the chunks that it may
have held come back without outcomes, and the driver finds the task that kills.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Final, Protocol

from thrifty.campaign.engines.chunks import Chunk, Source
from thrifty.campaign.rows import Answer
from thrifty.campaign.tasks import Function
from thrifty.errors import UnknownName

__all__ = ["BACKENDS", "Chunk", "Engine", "Source", "make_engine"]

BACKENDS: Final = {
    "loky": "processes of this machine, through joblib",
    "threading": "threads of this machine, through joblib: for tasks that let go of Python's lock",
    "serial": "this process, one task after another",
    "ray": "a Ray cluster at `address` (default: one of this machine's cores, for this call)",
    "dask": "a Dask cluster at `address` (default: one of this machine's cores, for this call)",
}
"""What `run(backend=)` may be."""


class Engine(AbstractContextManager["Engine"], Protocol):
    """What the driver needs of an engine; workers: how many tasks it runs at once."""

    workers: int

    def deliver(self, source: Source) -> Iterator[Answer]:
        """Run the chunks of `source`; may end before the source is empty, after a worker died."""


def make_engine(backend: str, function: str | Function, *, workers: int | None, address: str | None, retries: int) -> Engine:
    """The engine of that name. Raises UnknownName, or MissingExtra when it is entered."""
    if backend in ("ray", "dask"):
        from thrifty.campaign.engines.dask_cluster import DaskEngine
        from thrifty.campaign.engines.ray_cluster import RayEngine

        return (RayEngine if backend == "ray" else DaskEngine)(function, workers=workers, address=address, retries=retries)
    if backend in ("loky", "threading", "serial"):
        from thrifty.campaign.engines.local import JoblibEngine, SerialEngine

        return SerialEngine(function) if backend == "serial" else JoblibEngine(function, backend=backend, workers=workers)
    raise UnknownName(f"no backend named '{backend}'. Choose one of {', '.join(BACKENDS)}.")

"""A Ray cluster, or one that is started on this machine for the call."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from typing import Any, Final

from thrifty.campaign.engines.chunks import Source
from thrifty.campaign.rows import Answer, run_chunk
from thrifty.campaign.tasks import Function
from thrifty.errors import BadValue, ThriftyError, UnknownName, missing_extra

RECOUNT_S: Final = 5.0
"""Seconds after which the cluster's cores are counted again: nodes come and go."""


class RayEngine:
    """Chunks as Ray tasks of one core each. What a lost node held is given to another by Ray itself, `retries` times; after that by the driver."""

    def __init__(self, function: str | Function, *, workers: int | None, address: str | None, retries: int) -> None:
        self.workers = workers or 1
        self._function, self._wanted, self._address, self._retries = function, workers, address, retries
        self._ray: Any = None
        self._ours = False

    def __enter__(self) -> RayEngine:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere unless the user says so
        try:
            import ray
        except ImportError as error:
            raise missing_extra("backend='ray'", "ray", "ray") from error
        self._ray = ray
        self._ours = not ray.is_initialized()
        if self._ours:
            here: dict[str, Any] = {"num_cpus": self._wanted, "include_dashboard": False} if self._address is None else {}
            try:
                ray.init(address=self._address or "local", log_to_driver=False, logging_level=logging.ERROR, **here)
            except (ConnectionError, ValueError, RuntimeError) as error:
                said = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise BadValue(f"no Ray cluster at '{self._address or 'local'}': {said}. Start one with: ray start --head") from error
        self._count()
        return self

    def __exit__(self, *_: object) -> None:
        if self._ours:
            self._ray.shutdown()

    def _count(self) -> None:
        self.workers = self._wanted or max(1, int(self._ray.cluster_resources().get("CPU", 0)))

    def deliver(self, source: Source) -> Iterator[Answer]:
        ray = self._ray
        remote = ray.remote(num_cpus=1, max_retries=self._retries)(run_chunk)
        flying: dict[Any, int] = {}
        counted = time.monotonic()
        try:
            while True:
                if time.monotonic() - counted > RECOUNT_S:
                    self._count()
                    counted = time.monotonic()
                while len(flying) < 2 * self.workers and (chunk := source.take()) is not None:
                    flying[remote.remote(self._function, chunk.number, chunk.tasks)] = chunk.number
                if not flying:
                    return
                for reference in ray.wait(list(flying), num_returns=1, timeout=RECOUNT_S)[0]:
                    yield self._answer(reference, flying.pop(reference))
        finally:
            for reference in flying:
                ray.cancel(reference, force=True)

    def _answer(self, reference: Any, number: int) -> Answer:
        errors = self._ray.exceptions
        try:
            answer: Answer = self._ray.get(reference)
        except errors.RayTaskError as error:  # raised by what loads the task, never by the task
            raise cannot_load(self._function, error.cause if isinstance(error.cause, BaseException) else error) from error
        except errors.RayError:  # the worker, its node or the object that it answered is gone, as often as Ray was told to try
            return Answer(number, None)
        return answer


def cannot_load(function: str | Function, error: BaseException) -> ThriftyError:
    """Workers that cannot import what they should run."""
    if isinstance(error, ThriftyError):
        return error
    name = function if isinstance(function, str) else f"{function.__module__}:{function.__qualname__}"
    said = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    return UnknownName(f"workers cannot load '{name}': {said}. Install its package on every node.")

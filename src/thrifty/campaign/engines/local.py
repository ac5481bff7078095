"""This machine: one task after another, or joblib's processes and threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from thrifty.campaign.engines.chunks import Source
from thrifty.campaign.rows import Answer, run_chunk
from thrifty.campaign.tasks import Function
from thrifty.errors import missing_extra


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class SerialEngine:
    """This process."""

    workers = 1

    def __init__(self, function: str | Function) -> None:
        self._function = function

    def __enter__(self) -> SerialEngine:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def deliver(self, source: Source) -> Iterator[Answer]:
        for chunk in source:
            yield run_chunk(self._function, chunk.number, chunk.tasks)


class JoblibEngine:
    """joblib's loky (processes, each with one thread for numerical libraries) or threading."""

    def __init__(self, function: str | Function, *, backend: str, workers: int | None) -> None:
        self.workers = workers or cores()
        self._function, self._backend = function, backend

    def __enter__(self) -> JoblibEngine:
        try:
            import joblib  # noqa: F401
        except ImportError as error:
            raise missing_extra(f"backend='{self._backend}'", "joblib", "scale") from error
        return self

    def __exit__(self, *_: object) -> None:
        return None  # loky keeps its processes for the next call and lets them go when they have stood idle

    def deliver(self, source: Source) -> Iterator[Answer]:
        from concurrent.futures.process import BrokenProcessPool

        from joblib import Parallel, delayed, parallel_config

        settings: dict[str, Any] = {"inner_max_num_threads": 1} if self._backend == "loky" else {}
        try:
            with parallel_config(backend=self._backend, n_jobs=self.workers, **settings):
                # Chunks are batches already; arguments are small, so none is put into a file to be mapped.
                parallel = Parallel(return_as="generator_unordered", batch_size=1, pre_dispatch="2*n_jobs", max_nbytes=None)
                # A worker may die, and be seen to, while the first chunks are still handed out: then it is this call that raises.
                answers = parallel(delayed(run_chunk)(self._function, chunk.number, chunk.tasks) for chunk in source)
            yield from answers
        except BrokenProcessPool:  # one of the chunks in flight killed its worker; joblib does not say which
            for number in list(source.flying):
                yield Answer(number, None)

"""A Dask cluster, or one that is started on this machine for the call."""

from __future__ import annotations

import contextlib
import logging
import queue
from collections.abc import Iterator
from typing import Any

from thrifty.campaign.engines.chunks import Source
from thrifty.campaign.engines.local import cores
from thrifty.campaign.engines.ray_cluster import RECOUNT_S, cannot_load
from thrifty.campaign.rows import Answer, run_chunk
from thrifty.campaign.tasks import Function
from thrifty.errors import BadValue, missing_extra


class DaskEngine:
    """Chunks as Dask tasks. What a lost worker held is given to another by Dask itself, as often as the cluster allows; after that by the driver."""

    def __init__(self, function: str | Function, *, workers: int | None, address: str | None, retries: int) -> None:
        self.workers = workers or 1
        self._function, self._wanted, self._address, self._retries = function, workers, address, retries
        self._client: Any = None
        self._open = contextlib.ExitStack()

    def __enter__(self) -> DaskEngine:
        try:
            import dask
            import distributed
        except ImportError as error:
            raise missing_extra("backend='dask'", "distributed", "dask") from error
        try:
            if self._address is None:
                # Rows are small and none is put on disk; a worker that died is here, so nobody need wait half a minute for it to answer.
                quick = {"distributed.worker.memory.target": False, "distributed.worker.memory.spill": False, "distributed.comm.timeouts.connect": "5s"}
                self._open.enter_context(dask.config.set(quick))
                here = distributed.LocalCluster(
                    n_workers=self._wanted or cores(), threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL,
                )  # fmt: skip
                self._client = self._open.enter_context(distributed.Client(self._open.enter_context(here)))
            else:
                self._client = self._open.enter_context(distributed.Client(self._address, timeout="10s"))
        except (OSError, RuntimeError, ValueError) as error:
            self._open.close()
            said = (str(error).splitlines() or [type(error).__name__])[0]
            where = f"at '{self._address}'" if self._address else "on this machine"
            fix = "Start one with: dask scheduler" if self._address else 'Call run under: if __name__ == "__main__"'
            raise BadValue(f"no Dask cluster {where}: {said}. {fix}") from error
        self._count()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _count(self) -> None:
        self.workers = self._wanted or max(1, sum(self._client.nthreads().values()))

    def deliver(self, source: Source) -> Iterator[Answer]:
        landed: queue.SimpleQueue[Any] = queue.SimpleQueue()
        flying: dict[Any, int] = {}
        try:
            while True:
                self._count()
                while len(flying) < 2 * self.workers and (chunk := source.take()) is not None:
                    future = self._client.submit(run_chunk, self._function, chunk.number, chunk.tasks, pure=False)
                    flying[future] = chunk.number
                    future.add_done_callback(landed.put)
                if not flying:
                    return
                try:
                    future = landed.get(timeout=RECOUNT_S)
                except queue.Empty:  # nothing came back: perhaps more workers did
                    continue
                yield self._answer(future, flying.pop(future))
        finally:
            self._client.cancel(list(flying), force=True)

    def _answer(self, future: Any, number: int) -> Answer:
        import distributed

        if future.status not in ("finished", "error"):
            return Answer(number, None)
        error = future.exception() if future.status == "error" else None
        if isinstance(error, distributed.KilledWorker):
            return Answer(number, None)
        if error is not None:  # raised by what loads the task, never by the task
            raise cannot_load(self._function, error) from error
        try:
            answer: Answer = future.result()
        except (distributed.KilledWorker, distributed.CancelledError):  # its worker died before it could be fetched, and so did the next ones
            return Answer(number, None)
        return answer

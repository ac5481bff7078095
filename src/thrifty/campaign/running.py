"""The driver: what is missing is run, and what comes back is written at once."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from thrifty.campaign import folders, parts
from thrifty.campaign.engines import Engine, Source, make_engine
from thrifty.campaign.results import Results
from thrifty.campaign.rows import Outcome, Row, join_kinds
from thrifty.campaign.tasks import Function, Identity, Task, checked_seed, checked_version, find_function, function_name, make_task
from thrifty.errors import BadValue
from thrifty.progress import Progress, showing

MANY_PARTS: Final = 256
"""Parts written since the last merge after which they are made one."""


def run(
    function: str | Function, configurations: Iterable[Mapping[str, Any]], *, folder: str | os.PathLike[str], seed: int = 0, version: str = "1",
    backend: str = "loky", workers: int | None = None, address: str | None = None, chunk: int | None = None, retries: int = 3,
    retry_failed: bool = False, progress: Progress | None = None,
) -> Results:  # fmt: skip
    """Give every configuration to `function` and keep what it answers in `folder`; what the folder holds already is not run again.

    function : ``package.module:function`` or a top-level function, called as ``function(configuration, seed)``. The configuration comes as JSON holds it
               (tuples as lists); the seed is `task_seed`'s. It answers a flat mapping of numbers, strings and booleans, or a list of such.
    configurations : mappings that JSON can hold; two that are equal are one task
    seed     : of the campaign; every task's own is a hash of it and the configuration
    version  : part of every key; another version wants another folder
    backend  : see `BACKENDS`; workers: tasks at once (default: the cores of the machine or cluster)
    address  : of a Ray cluster (``auto``: the one of this machine) or of a Dask scheduler; needed for no other backend
    chunk    : tasks handed out together, written as one part (default: about a second's worth)
    retries  : how often a task whose worker died is given to another, before that counts as its error
    retry_failed : run tasks that failed in an earlier call once more

    Returns when every task has rows or an error. Stopped at any moment, the next call goes on after the last part. Raises BadValue for what cannot
    be a campaign or a folder that holds another one, UnknownName for a function or backend that is not there, MissingExtra, CannotWrite.
    """
    identity = Identity(function=function_name(function), version=checked_version(version), seed=checked_seed(seed))
    for name, value, least in (("workers", workers, 1), ("chunk", chunk, 1), ("retries", retries, 0)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
            raise BadValue(f"{name} is {value!r}. Give a whole number of {least} or more.")
    if address is not None and backend not in ("ray", "dask"):
        raise BadValue(f"backend '{backend}' runs on this machine and has no address. Leave it out, or choose ray or dask.")
    engine = make_engine(backend, function, workers=workers, address=address, retries=retries)
    parts.arrow()
    find_function(function)
    tasks = [make_task(identity, configuration) for configuration in configurations]
    path = Path(folder)
    with folders.locked(path), _telling(progress) as tell:
        folders.check_identity(path, identity)
        held = folders.look_into(path)
        if held.damaged:
            sys.stderr.write(f"'{path}': {len(held.damaged)} damaged part(s) set aside, their tasks run again: {', '.join(held.damaged)}\n")
        unique = {task.key: task for task in tasks}
        missing = [task for key, task in unique.items() if key not in held.done and (retry_failed or key not in held.failed)]
        keeper = Keeper(
            folder=path, identity=identity, kinds=dict(held.kinds), unique=unique, tell=tell,
            done=unique.keys() & held.done, failed=(unique.keys() & held.failed) - {task.key for task in missing},
        )  # fmt: skip
        keeper.state()
        if missing:
            try:
                with engine:
                    _drive(engine, missing, keeper, chunk=chunk, retries=retries)
            finally:
                folders.merge(path, list(unique))
                keeper.state()
    return Results(
        folder=path, identity=identity, tasks=tuple(tasks), ran=len(missing), reused=len(unique) - len(missing), damaged=held.damaged,
    )  # fmt: skip


@contextmanager
def _telling(progress: Progress | None) -> Iterator[Progress]:
    if progress is not None:
        yield progress
        return
    with showing() as tell:
        yield tell


def _drive(engine: Engine, missing: Sequence[Task], keeper: Keeper, *, chunk: int | None, retries: int) -> None:
    """Run `missing`. Chunks whose worker died are run again one at a time, halved until the task that kills is alone."""
    suspects: list[Sequence[Task]] = []
    source = Source(missing, workers=engine.workers, size=chunk)
    while source.left:
        for answer in engine.deliver(source):
            landed = source.land(answer)
            if answer.outcomes is None:
                suspects.append(landed.tasks)
            else:
                keeper.keep(landed.tasks, answer.outcomes)
    suspects += [stray.tasks for stray in source.flying.values()]  # taken by an engine that ended before it gave them to anyone
    deaths: Counter[str] = Counter()
    while suspects:
        tasks = suspects.pop()
        alone = Source(tasks, workers=1, size=len(tasks))
        (answer,) = engine.deliver(alone)
        if answer.outcomes is not None:
            keeper.keep(tasks, answer.outcomes)
        elif len(tasks) > 1:
            suspects += [tasks[len(tasks) // 2 :], tasks[: len(tasks) // 2]]
        else:
            deaths[tasks[0].key] += 1
            if deaths[tasks[0].key] > retries:
                keeper.keep(tasks, [f"WorkerDied: alone on a worker, it ended {deaths[tasks[0].key]} of them"])
            else:
                suspects.append(tasks)


@dataclass(kw_only=True)
class Keeper:
    """Writes what comes back. done, failed: keys of `unique`, those that the folder held and those that came back; kinds: of the columns so far."""

    folder: Path
    identity: Identity
    kinds: dict[str, str]
    unique: Mapping[str, Task]
    done: set[str]
    failed: set[str]
    tell: Progress
    _fresh: int = 0

    def keep(self, tasks: Sequence[Task], outcomes: Sequence[Outcome]) -> None:
        """One part for the rows of a chunk, one for its errors where there are any."""
        good: list[tuple[Task, list[Row]]] = []
        bad: list[tuple[Task, str]] = []
        for task, outcome in zip(tasks, outcomes, strict=True):
            if not isinstance(outcome, str):
                try:
                    self.kinds = join_kinds(self.kinds, outcome)
                except BadValue as error:
                    outcome = f"BadValue: {error}"
                else:
                    good.append((task, outcome))
                    continue
            bad.append((task, outcome))
        if good:
            parts.write_part(self.folder, parts.ROWS, parts.make_table(self.identity, good, self.kinds))
        if bad:
            parts.write_part(self.folder, parts.ERRORS, parts.make_errors(self.identity, bad))
        self._fresh += bool(good) + bool(bad)
        self.done.update(task.key for task, _ in good)
        self.failed.update(task.key for task, _ in bad)
        if self._fresh >= MANY_PARTS:
            folders.merge(self.folder, list(self.unique))
            self._fresh = 0
        done, failed, name = len(self.done), len(self.failed), self.identity.function.replace(":", ".")
        self.tell(f"campaign {name}: {done} of {len(self.unique)} tasks done, {failed} failed", (done + failed) / len(self.unique))

    def state(self) -> None:
        """Write the manifest."""
        done, failed = len(self.done), len(self.failed)
        folders.write_manifest(self.folder, self.identity, tasks=len(self.unique), done=done, failed=failed, kinds=self.kinds)

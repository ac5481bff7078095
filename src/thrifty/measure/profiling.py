"""Time by operator of a real run, at a small price: only every eighth step is instrumented.

A step is what a run repeats: a decoded token, a batch, a training step. All steps are timed as a whole; a sampled one is recorded with a clock, so that
its time falls into the rows of its own operator table. What recording adds is taken off again: the part that the recorder times itself, and for
each operator call what it cannot see of its own (see `toy.probe_seconds`). The profile says how well that closes, what the instrumented
steps cost, and what the whole run cost more than a plain one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from thrifty.errors import BadValue
from thrifty.workload import Kind, OperatorTable
from thrifty.workload.tracing import Recording, Tape, clock_of, recording

EVERY: Final = 8


@dataclass(frozen=True, kw_only=True)
class StepProfile:
    """How the time of one kind of step is spent.

    step_s         : median of the steps that were not instrumented; instrumented_s: of those that were
    seconds_R      : (R,) median time inside each row of `table`, over the sampled steps that ran the same operators
    framework_s    : the rest of a plain step: Python, module calls, views, autograd
    closure        : instrumented time less the recorder's own work, over step_s: 1 when nothing is left unexplained
    run_overhead   : time of the whole run over that of as many plain steps
    """

    name: str
    steps: int
    sampled: int
    step_s: float
    instrumented_s: float
    closure: float
    run_overhead: float
    framework_s: float
    table: OperatorTable = field(repr=False)
    seconds_R: npt.NDArray[np.float64] = field(repr=False)

    def by_kind(self) -> dict[str, float]:
        """Seconds of a step by operator class; "framework" is what is in none."""
        total = np.bincount(self.table.rows["kind"], weights=self.seconds_R, minlength=len(Kind))
        spent = {kind.label: float(total[kind]) for kind in Kind if total[kind] > 0}
        return dict(sorted({**spent, "framework": self.framework_s}.items(), key=lambda item: -item[1]))

    def by_module(self, depth: int = 2) -> dict[str, float]:
        """Seconds of a step inside operators, by module path cut to `depth` names below the root; numbered layers count as one."""
        result: dict[str, float] = {}
        names = [".".join("*" if p.isdigit() else p for p in path.split(".")[: depth + 1]) or "(root)" for path in self.table.strings]
        for module, seconds in zip(self.table.rows["module"], self.seconds_R, strict=True):
            result[names[module]] = result.get(names[module], 0.0) + float(seconds)
        return dict(sorted(result.items(), key=lambda item: -item[1]))

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name, "steps": self.steps, "sampled": self.sampled, "step_s": self.step_s, "instrumented_s": self.instrumented_s,
            "closure": self.closure, "run_overhead": self.run_overhead, "by_kind_s": self.by_kind(), "by_module_s": self.by_module(),
        }  # fmt: skip


class StepSampler:
    """Times every step of a run and instruments some. Use `step` around each one, then `profiles`."""

    def __init__(self, module: torch.nn.Module, *, every: int = EVERY, probe_s: float = 0.0) -> None:
        if every < 1:
            raise BadValue(f"every={every} is below 1. Choose a whole number from 1 up.")
        self._module, self._every, self._clock = module, every, clock_of(module)
        self._probe_s = probe_s if self._clock.on_host else 0.0  # a device that runs behind the host does not wait for the recorder
        self._plain: dict[str, list[float]] = {}
        self._tapes: dict[str, list[tuple[Tape, float]]] = {}
        self._recorded: dict[str, list[tuple[Recording, float]]] = {}

    def samples(self, index: int) -> bool:
        """Whether the `index`-th step of a kind is instrumented: the last of every eight."""
        return index % self._every == self._every - 1

    def note(self, name: str, seconds: float) -> None:
        """Count a plain step that somebody else timed."""
        self._plain.setdefault(name, []).append(seconds)

    @contextmanager
    def step(self, name: str, index: int, inputs: Any = (), optimizer: torch.optim.Optimizer | None = None) -> Iterator[None]:
        """Around the `index`-th step called `name`: timed as a whole, or instrumented where it is its turn."""
        if not self.samples(index):
            self._clock.wait()
            start = time.perf_counter()
            yield
            self._clock.wait()
            self._plain.setdefault(name, []).append(time.perf_counter() - start)
            return
        begin = time.perf_counter()
        with recording(self._module, inputs=inputs, optimizer=optimizer, clock=True) as tape:
            yield
        self._tapes.setdefault(name, []).append((tape, time.perf_counter() - begin))  # its table is made when the run is over

    def profile(self, name: str) -> StepProfile:
        """What was seen of the steps called `name`. Raises BadValue when none was instrumented or none was plain."""
        finished = [(tape.finish(), seconds) for tape, seconds in self._tapes.pop(name, [])]
        recorded = self._recorded.setdefault(name, [])
        recorded.extend(finished)
        plain = self._plain.get(name, [])
        if not plain or not recorded:
            raise BadValue(f"'{name}' ran {len(plain) + len(recorded)} steps, too few to sample. Run at least {self._every}.")
        step_s = statistics.median(plain)
        last = recorded[-1][0]
        alike = [r for r, _ in recorded if len(r.table) == len(last.table)]
        stacked = np.array([r.seconds for r in alike])
        seconds = np.asarray(np.median(stacked, axis=0), dtype=np.float64)
        corrected = statistics.median(r.total_seconds - r.own_seconds - self._probe_s * r.dispatches for r, _ in recorded)
        cost = statistics.median(seconds_taken for _, seconds_taken in recorded)
        whole = sum(plain) + sum(taken for _, taken in recorded)
        framework = max(0.0, step_s - float(seconds.sum()))
        return StepProfile(
            name=name, steps=len(plain) + len(recorded), sampled=len(recorded), step_s=step_s, instrumented_s=cost, closure=corrected / step_s,
            run_overhead=whole / (step_s * (len(plain) + len(recorded))), framework_s=framework, table=last.table, seconds_R=seconds,
        )  # fmt: skip

    def profiles(self) -> Mapping[str, StepProfile]:
        """A profile for every kind of step that has both plain and instrumented ones."""
        return {name: self.profile(name) for name in {**self._tapes, **self._recorded} if name in self._plain}

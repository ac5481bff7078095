"""A whole study: its runs as a campaign, their weights compared, gauge directions found, the rule applied."""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import numpy as np

from thrifty.errors import BadValue
from thrifty.lenses.numerics.policy import Policy
from thrifty.lenses.numerics.training.finding import LEARNING, Course, Study
from thrifty.lenses.numerics.training.judging.bands import bands_of
from thrifty.lenses.numerics.training.judging.verdict import LEAST_SEEDS, LEAST_STEPS, judge_all
from thrifty.lenses.numerics.training.models.shapes import parameters_of
from thrifty.lenses.numerics.training.running.variants import Asked, Run, runs_of
from thrifty.progress import Progress

VERSION: Final = "1"
"""Of what a run does: raised when the same configuration would give other bits, so that no folder mixes both."""
Rows = list[dict[str, Any]]


def train_study(
    model: str = "digits", *, steps: int = 1000, every: int = 0, seeds: int = 5, order: int = 0, format: str = "bf16", policy: str | Policy = "fa_paper",
    baseline: str | Policy = "baseline_paper", block_k: int = 0, low: Sequence[str] = ("autocast:bf16", "pure:bf16", "autocast:fp16"), text: str = "",
    folder: str | os.PathLike[str] | None = None, workers: int | None = None, backend: str | None = None, progress: Progress | None = None,
) -> Study:  # fmt: skip
    """Train a small real model in pairs of runs, and say whether optimised attention drifts from baseline attention faster than what is accepted anyway.

    model  : "digits" (class-to-image diffusion transformer) or "text" (byte-level language model); text: a file for it, "" for Python's own reference text
    steps, every : of training and between snapshots (0: ten); seeds : initialisations, five or more for a verdict; order: seed of data order and noise
    policy, baseline : of attention, both in `format`; block_k : keys in a tile (0: the model's)
    low    : low-precision runs as variant:format, see `VARIANTS`
    folder : where runs are kept, so that a stopped study goes on; None: they are not. workers: runs at once (None: cores), each of one thread
    backend : of `thrifty.campaign.run`; None: processes of this machine, or this process for one worker

    Equal arguments give equal numbers on one machine. After Golden et al. 2024, section V. Raises BadValue, UnknownName, BadFile, MissingExtra.
    """
    asked = Asked.of(
        model, steps=steps, every=every, seeds=seeds, order=order, format=format, policy=policy, baseline=baseline, block_k=block_k, low=tuple(low), text=text,
    )  # fmt: skip
    from thrifty import campaign
    from thrifty.lenses.numerics.training.models.data import fingerprint
    from thrifty.lenses.numerics.training.running.runs import TASK, machine

    ground = {**machine(), "data": fingerprint(asked.shape, text)}
    runs = runs_of(asked, ground)
    place: AbstractContextManager[Any] = nullcontext(folder) if folder is not None else tempfile.TemporaryDirectory(prefix="thrifty-train-study-")
    with place as where:
        results = campaign.run(
            TASK, [run.configuration for run in runs], folder=where, version=VERSION,
            backend=backend or ("serial" if workers == 1 else "loky"), workers=workers, chunk=1, progress=progress,
        )  # fmt: skip
        if results.failures:
            first = results.failures[0]
            raise BadValue(f"{len(results.failures)} of {len(runs)} runs failed, the first with: {first.error}. Mend that, and delete the study's folder.")
        rows = _by_run(runs, results)
    if progress is not None:
        progress("comparing: weights of all pairs, tensor by tensor", 0.98)
    return judged(asked, ground, runs, rows)


def _by_run(runs: Sequence[Run], results: Any) -> dict[tuple[str, int], Rows]:
    """Rows of each run, by step. Two runs of one configuration (a policy against itself) share theirs."""
    names = tuple(runs[0].configuration)
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for row in results:
        found.setdefault(_key({name: row[name] for name in names}), {})[row["step"]] = row
    return {(run.name, run.init): [row for _, row in sorted(found[_key(run.configuration)].items())] for run in runs}


def _key(configuration: Mapping[str, Any]) -> str:
    return json.dumps(configuration, sort_keys=True)


def judged(asked: Asked, ground: Mapping[str, str], runs: Sequence[Run], rows: Mapping[tuple[str, int], Rows]) -> Study:
    """The finding of runs that are done."""
    from thrifty.lenses.numerics.training.running.gauging import find_gauge
    from thrifty.lenses.numerics.training.running.runs import weights_of

    courses = {key: _course(each) for key, each in rows.items()}
    weights = {key: np.stack([weights_of(row) for row in each]) for key, each in rows.items()}
    base = weights["baseline", 0]
    probed = [*(base[at] for at in sorted({1, len(base) // 2, len(base) - 1}) if at < len(base)), weights["baseline", 1][-1]]
    attention = next(run.configuration["attention"] for run in runs if run.name == "baseline")
    gauge = find_gauge(asked.shape, probed, attention, text=asked.text, order=asked.order)
    bands = bands_of(
        weights, places_of(parameters_of(asked.shape)), gauge.mask, asked.snapshots, asked.seeds, [str(low) for low in asked.low],
        {key: course.diverged for key, course in courses.items() if course.diverged is not None},
    )  # fmt: skip
    same = courses["repeat", 0].digests == courses["baseline", 0].digests and courses["repeat", 0].validation == courses["baseline", 0].validation
    return Study(
        asked=asked, ground=dict(ground), courses=courses, gauge=gauge, bands=bands, repeat_identical=same,
        verdicts=judge_all(bands, refused(asked, courses, same)),
    )  # fmt: skip


def refused(asked: Asked, courses: Mapping[tuple[str, int], Course], same: bool) -> str:
    """Why this study may give no verdict."""
    ended = [course.diverged for (name, _), course in courses.items() if name == "baseline" and course.diverged is not None]
    if not same:
        return "the same run done twice differs on this machine, so distances hold noise"
    if ended:
        return f"a baseline run diverged to no number at step {min(ended)}"
    if asked.seeds < LEAST_SEEDS:
        return f"{asked.seeds} seeds are fewer than {LEAST_SEEDS}"
    if asked.steps < LEAST_STEPS:
        return f"{asked.steps:,} steps are fewer than {LEAST_STEPS:,}"
    # An optimised run that does not learn where the baseline does is what the study is after.
    unlearned = [f"{name} {init}" for (name, init), course in courses.items() if name in LEARNING[:2] and not (course.learned is None or course.learned < 0.5)]
    return f"validation loss did not fall below half its start in {len(unlearned)} runs, {unlearned[0]} among them" if unlearned else ""


def places_of(tensors: Mapping[str, tuple[int, ...]]) -> dict[str, slice]:
    """Where each tensor lies in the flat vector."""
    found, first = {}, 0
    for name, axes in tensors.items():
        found[name] = slice(first, first + math.prod(axes))
        first += math.prod(axes)
    return found


def _course(rows: Rows) -> Course:
    return Course(
        steps=tuple(row["step"] for row in rows), training=tuple(row.get("training_loss") for row in rows),
        validation=tuple(row.get("validation_loss") for row in rows), digests=tuple(row["digest"] for row in rows), diverged=rows[-1].get("diverged"),
    )  # fmt: skip

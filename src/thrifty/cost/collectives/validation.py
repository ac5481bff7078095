"""How far predicted collectives are from measured ones, on rows and on GPUs that had no part in the fit. Recomputed from the tables, nothing is stored.

Splits: `size` leaves out one of four interleaved sets of message sizes, `ranks` all groups of four, `gpu` every row of one GPU, `generation` every GPU of one
NVLink generation (then priced as `nvlink`), `stored` nothing: it prices with the catalogue's constants. All splits but `stored` fit anew, the shared
constants too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from thrifty.cost.agreement import mean_error, spearman
from thrifty.cost.collectives.fitting import LARGE_BYTES, CollectiveFit, class_and_bandwidth, fit_collectives
from thrifty.cost.collectives.links import LINK_CLASSES, NVLINKS, PCIES, own_constants, shared_constants
from thrifty.cost.collectives.tables import MeasuredCollective, read_measured_collectives
from thrifty.errors import BadValue

SPLITS: Final = ("stored", "size", "ranks", "gpu", "generation")
_SIZE_FOLDS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidatedCollective:
    """A measured row and what was predicted for it. split: what was left out of the fit (see the module)."""

    split: str
    device: str
    version: str
    kind: str
    data_type: str
    ranks: int
    size_bytes: int
    measured_s: float
    predicted_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectiveScore:
    """mape: mean of |predicted / measured - 1| over the rows of one split and device ("all": of all NVLink devices); spearman: their rank correlation."""

    split: str
    device: str
    rows: int
    mape: float
    spearman: float


def validate_collectives(
    splits: Sequence[str] = SPLITS, *, at_least_bytes: int = LARGE_BYTES, measured: Iterable[MeasuredCollective] | None = None
) -> tuple[ValidatedCollective, ...]:
    """Every measured row of at least `at_least_bytes` with what the model says of it, once a split. Takes about a second a fit, 15 s in all.

    measured: rows instead of those of aiconfigurator-core. Raises MissingExtra where that is not installed, BadValue for an unknown split.
    """
    for split in splits:
        if split not in SPLITS:
            raise BadValue(f"split '{split}' does not exist. Choose from: {', '.join(SPLITS)}.")
    rows = tuple(measured) if measured is not None else read_measured_collectives()
    found: list[ValidatedCollective] = []
    for split in splits:
        for held, fit, link in _folds(split, rows):
            large = [row for row in held if row.size_bytes >= at_least_bytes]
            if large:
                found += [_pair(split, row, float(time)) for row, time in zip(large, fit.predict(large, link=link), strict=True)]
    return tuple(found)


def score_collectives(rows: Iterable[ValidatedCollective]) -> tuple[CollectiveScore, ...]:
    """MAPE and Spearman of each split, for every device and for all that have NVLink."""
    rows = tuple(rows)
    scores = []
    for split in dict.fromkeys(row.split for row in rows):
        of_split = [row for row in rows if row.split == split]
        devices = tuple(dict.fromkeys(row.device for row in of_split))
        nvlink = [row for row in of_split if class_and_bandwidth(row.device)[0] in NVLINKS]
        for name, part in (*((device, [row for row in of_split if row.device == device]) for device in devices), ("all", nvlink)):
            if part:
                scores.append(_score(split, name, part))
    return tuple(scores)


def stored_fit() -> CollectiveFit:
    """The constants of the catalogue as a fit."""
    return CollectiveFit(own={name: own_constants(name) for name in LINK_CLASSES if name in (*NVLINKS, *PCIES)}, shared=shared_constants())


def _folds(split: str, rows: Sequence[MeasuredCollective]) -> Iterable[tuple[list[MeasuredCollective], CollectiveFit, str | None]]:
    nvlink = [row for row in rows if class_and_bandwidth(row.device)[0] in NVLINKS]
    if split == "stored":
        yield list(rows), stored_fit(), None
    elif split == "size":
        for fold in range(_SIZE_FOLDS):
            yield _without(rows, lambda row, fold=fold: row.size_bytes.bit_length() % _SIZE_FOLDS == fold)  # type: ignore[misc]
    elif split == "ranks":
        yield _without(rows, lambda row: row.ranks == 4)
    elif split == "gpu":
        for device in dict.fromkeys(row.device for row in nvlink):
            own = class_and_bandwidth(device)[0]
            if any(row.device != device and class_and_bandwidth(row.device)[0] == own for row in nvlink):
                yield _without(nvlink, lambda row, device=device: row.device == device)  # type: ignore[misc]
    else:
        for generation in NVLINKS:
            held, fit, _ = _without(nvlink, lambda row, name=generation: class_and_bandwidth(row.device)[0] == name)  # type: ignore[misc]
            yield held, fit, "nvlink"


def _without(
    rows: Sequence[MeasuredCollective], left_out: Callable[[MeasuredCollective], bool]
) -> tuple[list[MeasuredCollective], CollectiveFit, str | None]:
    return [row for row in rows if left_out(row)], fit_collectives(row for row in rows if not left_out(row)), None


def _pair(split: str, row: MeasuredCollective, predicted_s: float) -> ValidatedCollective:
    return ValidatedCollective(
        split=split, device=row.device, version=row.version, kind=row.kind, data_type=row.data_type, ranks=row.ranks, size_bytes=row.size_bytes,
        measured_s=row.time_s, predicted_s=predicted_s,
    )  # fmt: skip


def _score(split: str, device: str, rows: Sequence[ValidatedCollective]) -> CollectiveScore:
    predicted, measured = np.array([row.predicted_s for row in rows]), np.array([row.measured_s for row in rows])
    return CollectiveScore(
        split=split, device=device, rows=len(rows), mape=mean_error(predicted, measured), spearman=spearman(predicted, measured)
    )  # fmt: skip

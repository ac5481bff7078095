"""A whole file of numbers in a format: how many changed, were lost at either end, and by how much they are off."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from thrifty.errors import BadFile
from thrifty.lenses.numerics.roundings.rows import kinds_of, spacing
from thrifty.lenses.numerics.roundings.targets import Floats, Rounded, Target
from thrifty.progress import Progress
from thrifty.report.numbers import finite

_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counts, errors over finite numbers whose result is finite, and bytes.

    mean_error : signed; sqnr_db: signal over noise, None where nothing is off or all is zero; max_error_ulp over numbers that are not beyond the largest
    errors    : None beyond the range of FP64
    """

    count: int
    exact: int
    rounded: int
    overflow: int
    underflow: int
    nan: int
    subnormal: int
    max_error: float | None
    max_error_at: float | None
    max_error_ulp: float | None
    mean_error: float | None
    rms_error: float | None
    sqnr_db: float | None
    given_bytes: int
    stored_bytes: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def read_numbers(path: Path) -> Any:
    """The array of a .npy file. Raises BadFile."""
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise BadFile(f"{path}: no such file. Give a .npy file of real numbers.") from None
    except (OSError, ValueError, EOFError) as reason:
        raise BadFile(f"{path} cannot be read as .npy ({str(reason).splitlines()[0][:80]}). Save it with numpy.save.") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        kind = f"dtype {array.dtype}" if isinstance(array, np.ndarray) else "several arrays"
        raise BadFile(f"{path} holds {kind}; one array of real numbers of at most 64 bits is needed.")
    return array


def summarise(array: Any, target: Target, tell: Progress = lambda what, share: None) -> Summary:
    """Round all of `array` (blocks run along its last axis) and count."""
    rows = array.reshape(-1, array.shape[-1]) if array.ndim > 1 and array.size else array.reshape(1, -1)
    if target.kind == "float" and not target.all_at_once and rows.shape[1] > _AT_ONCE and rows.size % _AT_ONCE == 0:
        rows = rows.reshape(-1, _AT_ONCE)
    counts = dict.fromkeys(("exact", "rounded", "overflow", "underflow", "nan"), 0)
    subnormal, stored, total, squares, signal, kept = 0, 0, 0.0, 0.0, 0.0, 0
    most, most_at, most_ulp = 0.0, None, 0.0
    for x, found in _parts(rows, target, tell):
        kinds = kinds_of(x, found)
        for kind in counts:
            counts[kind] += int((kinds == kind).sum())
        stored += found.stored_bytes
        if found.grid is not None and found.grid.subnormals:
            with np.errstate(invalid="ignore"):
                subnormal += int(((found.values != 0) & (np.abs(found.values) < found.grid.smallest_normal * found.unit)).sum())
        fine = np.isfinite(x) & np.isfinite(found.values)
        if not fine.any():
            continue
        error = found.values[fine] - x[fine]
        worst = int(np.abs(error).argmax())
        if abs(error[worst]) > most:
            most, most_at = abs(float(error[worst])), float(x[fine][worst])
        inside = fine & (kinds != "overflow")
        if inside.any():
            most_ulp = max(most_ulp, float((np.abs(found.values[inside] - x[inside]) / spacing(x, found)[inside]).max()))
        with np.errstate(over="ignore"):
            total, squares, signal = total + float(error.sum()), squares + float((error * error).sum()), signal + float((x[fine] ** 2).sum())
        kept += error.size
    noise = math.sqrt(squares / kept) if kept else 0.0
    return Summary(
        count=array.size, subnormal=subnormal, max_error=finite(most), max_error_at=most_at, max_error_ulp=finite(most_ulp),
        mean_error=finite(total / kept) if kept else 0.0, rms_error=finite(noise),
        sqnr_db=10 * math.log10(signal / squares) if 0 < squares < math.inf and 0 < signal < math.inf else None, given_bytes=array.nbytes,
        stored_bytes=stored, **counts,
    )  # fmt: skip


def _parts(rows: Any, target: Target, tell: Progress) -> Iterator[tuple[Floats, Rounded]]:
    """Numbers with what they become, a million or a row at a time; all at once where they share a scale or draw by their place."""
    step = max(1, len(rows) if target.all_at_once else _AT_ONCE // max(rows.shape[1], 1))
    for start in range(0, len(rows), step):
        tell(f"rounding: row {start}", start / len(rows))
        x_RN = np.asarray(rows[start : start + step], dtype=np.float64)
        yield x_RN.reshape(-1), target.apply(x_RN)

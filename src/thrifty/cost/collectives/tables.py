"""Measured tables of NCCL, read from the optional package aiconfigurator-core where it is installed.

Its files give the latency of `torch.distributed` collectives on one node by GPU, library version, data type, ranks and size. Sizes count elements.
Rows that were measured again under the same key are replaced by their median.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any, Final

from thrifty.errors import BadFile, missing_extra

PACKAGE: Final = "aiconfigurator-core"
DEVICE_OF: Final = MappingProxyType({
    "a100_sxm": "a100-80gb", "h100_sxm": "h100-sxm5", "h200_sxm": "h200-sxm", "b200_sxm": "b200", "b300_sxm": "b300", "gb200": "gb200",
    "gb300": "gb300", "l40s": "l40s", "rtx_pro_6000_server": "rtx-pro-6000-server",
})  # fmt: skip
"""Folders of the package and the catalogue's names (gb300 has no sheet of its own yet: its NVLink is that of gb200)."""
KIND_OF: Final = MappingProxyType({
    "all_reduce": "all_reduce", "all_gather": "all_gather", "reduce_scatter": "reduce_scatter", "alltoall": "all_to_all",
})  # fmt: skip
_BYTES_OF: Final = MappingProxyType({"half": 2, "int8": 1})


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCollective:
    """One row: `kind` of `size_bytes` (as `collective_time` means it) among `ranks` devices of one node took `time_s`."""

    device: str
    version: str
    kind: str
    data_type: str
    ranks: int
    size_bytes: int
    time_s: float


def read_measured_collectives(folder: Path | None = None) -> tuple[MeasuredCollective, ...]:
    """Every row of every NCCL table. folder: the package's `systems/data`, by default of the installed package.

    Raises MissingExtra when the package or pyarrow is not installed, BadFile for a table that is none.
    """
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise missing_extra("comparing with measured collectives", "pyarrow", "tables") from None
    rows: list[MeasuredCollective] = []
    for path in sorted((folder or _installed()).glob("*/comm/nccl/*/nccl_perf.parquet")):
        device = DEVICE_OF.get(path.parents[3].name)
        if device is None:
            continue
        try:
            columns = parquet.read_table(path, columns=["op_name", "nccl_dtype", "num_gpus", "message_size", "latency"]).to_pydict()
        except (OSError, ValueError) as error:
            raise BadFile(f"{path.name} of {path.parents[3].name}: {error}. Install the package again: pip install {PACKAGE}") from error
        rows.extend(_rows(device, path.parent.name, columns))
    if not rows:
        raise BadFile(f"{folder or PACKAGE} has no file */comm/nccl/*/nccl_perf.parquet. Install version 0.12 or later.")
    return tuple(rows)


def _rows(device: str, version: str, columns: dict[str, Iterable[Any]]) -> Iterable[MeasuredCollective]:
    seconds: defaultdict[tuple[str, str, int, int], list[float]] = defaultdict(list)
    for kind, data_type, ranks, elements, latency_ms in zip(*columns.values(), strict=True):
        seconds[KIND_OF[kind], data_type, ranks, elements * _BYTES_OF[data_type]].append(latency_ms * 1e-3)
    for (kind, data_type, ranks, size), found in seconds.items():
        yield MeasuredCollective(
            device=device, version=version, kind=kind, data_type=data_type, ranks=ranks, size_bytes=size, time_s=median(found)
        )  # fmt: skip


def _installed() -> Path:
    try:
        found = metadata.distribution(PACKAGE)
    except metadata.PackageNotFoundError:
        raise missing_extra("comparing with measured collectives", PACKAGE, "tables") from None
    return Path(str(found.locate_file("aiconfigurator_core/systems/data")))

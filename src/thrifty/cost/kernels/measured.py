"""Measured kernels of aiconfigurator-core (Apache-2.0), an optional package: matrix products and attention on NVIDIA GPUs, as serving stacks call them.

Its tables hold one row a shape, framework and version, with the latency in milliseconds of a kernel replayed in a CUDA graph. The frameworks differ:
by 4 to 8 % for a BF16 product (the same libraries, another day), by 20 % for attention (other kernels). Products are therefore the median over
frameworks, attention is vLLM's (FlashAttention 2 and 3, TensorRT's on Blackwell). Sliding windows and quantised caches are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import missing_extra

Floats = npt.NDArray[np.float64]
PACKAGE: Final = "aiconfigurator_core"
FOLDERS: Final = {
    "a100-80gb": "a100_sxm", "h100-sxm5": "h100_sxm", "h200-sxm": "h200_sxm", "b200": "b200_sxm", "b300": "b300_sxm", "gb200": "gb200",
    "l40s": "l40s", "rtx-pro-6000-server": "rtx_pro_6000_server",
}  # fmt: skip
"""The package's folder of every device that it has tables of and that we have a data sheet of."""
FRAMEWORKS: Final = ("vllm", "sglang", "trtllm")
FORMATS: Final = {"bf16": ("bfloat16", FRAMEWORKS), "fp8_e4m3": ("fp8", ("sglang",)), "nvfp4": ("nvfp4", ("sglang",))}
"""What a format is called there, and the frameworks whose rows time the product alone: others add the quantisation of its input."""
WIDEST_HEAD: Final = 256
"""Wider heads run in kernels of another kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """R measured kernels of one device and format: seconds_R, and sizes by name, each (R,).

    Products have m, n, k; attention batch, heads, kv_heads, queries, keys, head_dim.
    """

    device: str
    format: str
    kind: str
    sizes: dict[str, Floats]
    seconds_R: Floats

    def take(self, indices: npt.NDArray[np.int64]) -> Measured:
        """The rows at `indices`."""
        sizes = {name: values[indices] for name, values in self.sizes.items()}
        return Measured(device=self.device, format=self.format, kind=self.kind, sizes=sizes, seconds_R=self.seconds_R[indices])


def measured_gemm(device: str, format_name: str = "bf16", frameworks: Sequence[str] | None = None) -> Measured:
    """Measured products of `device`: the median over `frameworks` (default: those of `FORMATS`) of each shape's latency. Raises MissingExtra."""
    name, usual = FORMATS[format_name]
    tables = [_table(device, f"gemm/{framework}", "gemm_perf.parquet", ("m", "n", "k", "gemm_dtype")) for framework in frameworks or usual]
    shapes = np.concatenate([np.stack([t["m"], t["n"], t["k"]], axis=1)[t["gemm_dtype"] == name] for t in tables])
    seconds = np.concatenate([t["latency"][t["gemm_dtype"] == name] for t in tables]) * 1e-3
    unique, place = np.unique(shapes, axis=0, return_inverse=True)
    order = np.lexsort((seconds, place))
    starts = np.searchsorted(place[order], np.arange(len(unique)))
    counts = np.bincount(place, minlength=len(unique))
    middle = 0.5 * (seconds[order][starts + (counts - 1) // 2] + seconds[order][starts + counts // 2])
    sizes = {axis: unique[:, i].astype(np.float64) for i, axis in enumerate(("m", "n", "k"))}
    return Measured(device=device, format=format_name, kind="gemm", sizes=sizes, seconds_R=middle)


def measured_attention(device: str, kind: str, framework: str = "vllm") -> Measured:
    """Measured causal attention in BF16. kind: "prefill" (queries are the keys) or "decode" (one query). Raises MissingExtra."""
    file = {"prefill": "context_attention_perf.parquet", "decode": "generation_attention_perf.parquet"}[kind]
    columns = ("batch_size", "isl", "step", "num_heads", "num_key_value_heads", "head_dim", "attn_dtype", "kv_cache_dtype", "window_size")
    table = _table(device, f"attention/{framework}", file, columns)
    chosen = (table["attn_dtype"] == "bfloat16") & (table["kv_cache_dtype"] == "bfloat16") & (table["head_dim"] <= WIDEST_HEAD)
    chosen &= ~(np.nan_to_num(table["window_size"]) > 0)
    if kind == "prefill":
        chosen &= table["isl"] > 16
    rows = {name: values[chosen] for name, values in table.items()}
    queries = rows["isl"] if kind == "prefill" else np.ones_like(rows["isl"])
    keys = rows["isl"] + rows["step"]
    sizes = {
        "batch": rows["batch_size"], "heads": rows["num_heads"], "kv_heads": rows["num_key_value_heads"], "queries": queries, "keys": keys,
        "head_dim": rows["head_dim"],
    }  # fmt: skip
    return Measured(
        device=device, format="bf16", kind=kind, sizes={k: v.astype(np.float64) for k, v in sizes.items()}, seconds_R=rows["latency"] * 1e-3
    )  # fmt: skip


def _table(device: str, folder: str, file: str, columns: Sequence[str]) -> dict[str, Any]:
    """Columns of the newest version of one table; a column that it lacks is all NaN."""
    try:
        import pyarrow.parquet as parquet

        root = files(PACKAGE)
    except ImportError as error:
        raise missing_extra("comparing with measured kernels", "aiconfigurator-core", "tables") from error
    with as_file(root / "systems" / "data" / FOLDERS[device] / folder) as place:
        newest = max(place.glob(f"*/{file}"), key=lambda path: _version(path.parent.name))
        table = parquet.read_table(newest)
    absent = np.full(table.num_rows, np.nan)
    return {name: np.asarray(table[name]) if name in table.column_names else absent for name in (*columns, "latency")}


def _version(name: str) -> tuple[int, ...]:
    return tuple(int("".join(c for c in part if c.isdigit()) or 0) for part in name.split("."))

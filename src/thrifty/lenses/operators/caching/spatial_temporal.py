"""Why temporal attention is slow: hit rates of both levels for each kernel of an attention, spatial beside temporal, where it lies and after a copy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

from thrifty.errors import BadValue
from thrifty.hardware import Device
from thrifty.lenses.operators.caching import loops, tiles
from thrifty.lenses.operators.caching.devices import hierarchy_of
from thrifty.lenses.operators.caching.hierarchy import Hierarchy
from thrifty.lenses.operators.caching.layouts import Attention, Kind, Layout, Video, attention
from thrifty.lenses.operators.caching.simulator import Simulator, Traffic
from thrifty.lenses.operators.caching.tiles import Staging
from thrifty.lenses.operators.caching.touches import Touches
from thrifty.quantities import positive_int

Kernel = Literal["gemm-qk", "elementwise", "softmax", "gemm-pv", "copy"]
SCHEMA: Final = 1
CASES: Final[tuple[tuple[Kind, Layout], ...]] = (("spatial", "contiguous"), ("temporal", "strided"), ("temporal", "materialised"))
REMEMBERED: Final = {
    "says": "temporal attention's GEMM and softmax kernels have about a tenth of the spatial ones' L1 hit rate, elementwise kernels the same",
    "source": "Golden et al., Generative AI Beyond LLMs, arXiv 2312.14385, measured on an A100",
    "truth": "literature",
    "note": "remembered, not read again: a direction, never a bound",
}  # fmt: skip
MOST_TOUCHES: Final = 3_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRow:
    """One kernel of one case. Counts and bytes are of the whole kernel, scaled up from the `share` of it that was simulated.

    accesses         : loads and stores at the first level: sectors on a GPU, numbers on a CPU
    l1_hit_rate      : of all of them; l1_load_hit_rate: of loads alone (a GPU's stores pass through and rarely hit)
    l2_hit_rate      : of what the first level passed on
    dram_bytes       : between the last level and what is behind it, both ways
    flops            : of the matrix products; 0 for other kernels
    copy             : q, k and v into one piece each, and o back, together
    """

    kernel: Kernel
    kind: Kind
    layout: Layout
    accesses: float
    l1_hit_rate: float
    l1_load_hit_rate: float
    l2_hit_rate: float
    dram_bytes: float
    flops: float
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheStudy:
    """What `study` found: one row for each kernel of each case, with all that it was asked. Every number is modelled."""

    device: str
    gpu: bool
    video: Video
    staging: Staging
    l1_bytes: int
    l2_bytes: int
    rows: tuple[CacheRow, ...]

    def row(self, kernel: Kernel, kind: Kind, layout: Layout) -> CacheRow:
        """The row of one kernel in one case. Raises BadValue where there is none."""
        for row in self.rows:
            if (row.kernel, row.kind, row.layout) == (kernel, kind, layout):
                return row
        known = ", ".join(sorted({f"{row.kernel} {row.kind} {row.layout}" for row in self.rows}))
        raise BadValue(f"no row is of '{kernel} {kind} {layout}'. Choose from: {known}.")

    def ratio(self, kernel: Kernel, layout: Layout = "strided") -> float | None:
        """Spatial L1 hit rate of loads over the temporal one: infinite where only temporal finds nothing, None where neither finds anything."""
        spatial = self.row(kernel, "spatial", "contiguous").l1_load_hit_rate
        temporal = self.row(kernel, "temporal", layout).l1_load_hit_rate
        return spatial / temporal if temporal else math.inf if spatial else None

    def miss_ratio(self, kernel: Kernel, layout: Layout = "strided") -> float | None:
        """Temporal L1 misses per access over spatial ones: the figure that tells where hit rates are all near 1, as on a CPU. None where none miss."""
        spatial = 1 - self.row(kernel, "spatial", "contiguous").l1_hit_rate
        return (1 - self.row(kernel, "temporal", layout).l1_hit_rate) / spatial if spatial else None

    def dram_bytes_per_flop(self, kind: Kind, layout: Layout) -> float:
        """Bytes behind the last level, of all kernels of a case (copies too), for each FLOP of its products."""
        rows = [row for row in self.rows if (row.kind, row.layout) == (kind, layout)]
        return sum(row.dram_bytes for row in rows) / sum(row.flops for row in rows)

    def findings(self) -> tuple[str, ...]:
        """What the numbers say, one sentence each."""
        said = []
        for kernel in ("gemm-qk", "gemm-pv", "softmax", "elementwise"):
            spatial, strided, moved = (self.row(kernel, kind, layout).l1_load_hit_rate for kind, layout in CASES)
            said.append(f"{kernel}: L1 finds {spatial:.1%} of loads in spatial attention, {strided:.1%} in temporal, {moved:.1%} after a copy.")
        spatial_bytes, strided_bytes, moved_bytes = (self.dram_bytes_per_flop(kind, layout) for kind, layout in CASES)
        video = self.video
        said.append(
            f"A row of q meets {video.positions} others in spatial attention and {video.frames} in temporal: behind L2 a FLOP of the products costs "
            f"{spatial_bytes:.3g} bytes in spatial, {strided_bytes:.3g} in temporal, {moved_bytes:.3g} after copies, theirs included."
        )
        return tuple(said)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; infinite ratios are written as text."""
        kernels: tuple[Kernel, ...] = ("gemm-qk", "gemm-pv", "softmax", "elementwise")
        ratios = {kernel: self.ratio(kernel) for kernel in kernels}
        return {
            "schema": SCHEMA, "device": self.device, "truth": "modelled", "model": "set-associative LRU, two levels", "staging": self.staging,
            "video": asdict(self.video), "l1_bytes": self.l1_bytes, "l2_bytes": self.l2_bytes, "rows": [asdict(row) for row in self.rows],
            "l1_load_hit_ratio_spatial_to_temporal": {name: "infinite" if value == math.inf else value for name, value in ratios.items()},
            "l1_miss_ratio_temporal_to_spatial": {kernel: self.miss_ratio(kernel) for kernel in kernels},
            "dram_bytes_per_flop": {f"{kind} {layout}": self.dram_bytes_per_flop(kind, layout) for kind, layout in CASES},
            "findings": list(self.findings()), "paper": dict(REMEMBERED),
        }  # fmt: skip


def study(
    device: str | Device = "a100-80gb", *, frames: int = 16, side: int = 64, channels: int = 320, heads: int = 8, number_bytes: int | None = None,
    staging: Staging = "shared", last: str = "l2", most_touches: int = MOST_TOUCHES,
) -> CacheStudy:  # fmt: skip
    """Simulate the kernels of spatial and temporal attention over a video of `frames` x `side` x `side` positions with `channels` in `heads`.

    number_bytes : 2 on a GPU, 4 on a CPU unless given
    staging      : a GPU's products load operands once a block through shared memory ("shared"), or once a warp ("direct")
    last         : which level is the last ("l3" on a CPU that has it)
    most_touches : about how much of each kernel is simulated; from what is left out only its size enters, hit rates are of the first part

    A GPU's kernels are those of `tiles`, on all of its multiprocessors; its last level stays warm from kernel to kernel, unless only a part of tensors that
    do not fit there was simulated (then nothing would have stayed). A CPU's kernels are those of `loops` on one core, each from cold.
    Raises BadValue for sizes that cannot be or a device whose caches nobody describes.
    """
    hierarchy = hierarchy_of(device, last=last)
    gpu = hierarchy.first.write_through
    if staging not in get_args(Staging):
        raise BadValue(f"staging='{staging}' is none of {', '.join(get_args(Staging))}. Choose one of them.")
    positive_int("side", side)
    positive_int("most_touches", most_touches)
    video = Video(frames=frames, positions=side * side, channels=channels, heads=heads, number_bytes=number_bytes or (2 if gpu else 4))
    rows: list[CacheRow] = []
    for kind, layout in CASES:
        whole = attention(video, kind, layout)
        rows += _on_gpu(whole, hierarchy, staging, most_touches) if gpu else _on_cpu(whole, hierarchy, most_touches)
    return CacheStudy(
        device=device if isinstance(device, str) else device.name, gpu=gpu, video=video, staging=staging,
        l1_bytes=hierarchy.first.capacity_bytes, l2_bytes=hierarchy.levels[-1].capacity_bytes, rows=tuple(rows),
    )  # fmt: skip


def _on_gpu(whole: Attention, hierarchy: Hierarchy, staging: Staging, most_touches: int) -> list[CacheRow]:
    shape = whole.part(most_touches / tiles.most_touches_of(whole, hierarchy, staging))
    share = shape.units / whole.units
    cold = share < 1 and max(whole.scores_bytes, whole.operand_bytes) > hierarchy.levels[-1].capacity_bytes
    streams: list[tuple[Kernel, str, Callable[[], Iterator[Touches]]]] = [
        ("gemm-qk", "qk", lambda: tiles.qk(shape, hierarchy, staging)),
        ("elementwise", "scale", lambda: tiles.scale(shape, hierarchy)),
        ("softmax", "softmax", lambda: tiles.softmax(shape, hierarchy)),
        ("gemm-pv", "pv", lambda: tiles.pv(shape, hierarchy, staging)),
    ]
    if shape.layout == "materialised":
        moves = [(shape.source_q, shape.q), (shape.source_k, shape.k), (shape.source_v, shape.v), (shape.o, shape.source_o)]
        copies: list[tuple[Kernel, str, Callable[[], Iterator[Touches]]]] = [
            ("copy", "copy", lambda source=source, target=target: tiles.copy(shape, source, target, hierarchy)) for source, target in moves  # type: ignore[misc]
        ]
        streams = [*copies[:3], *streams, copies[3]]
    simulator = Simulator(hierarchy)
    found: dict[Kernel, Traffic] = {}
    for kernel, name, stream in streams:
        simulator.next_kernel(tiles.launch_of(name, shape, hierarchy, staging).first_level_bytes(hierarchy), cold=cold)
        before = simulator.traffic()
        for touches in stream():
            simulator.feed(touches)
        here = simulator.traffic().since(before)
        found[kernel] = found[kernel].plus(here) if kernel in found else here
    return [_row(kernel, whole, traffic, share) for kernel, traffic in found.items()]


def _on_cpu(whole: Attention, hierarchy: Hierarchy, most_touches: int) -> list[CacheRow]:
    line = hierarchy.line_bytes
    streams: list[tuple[Kernel, str, Iterator[Touches], int]] = [
        ("gemm-qk", "qk", loops.qk(whole, line), 1), ("elementwise", "scale", loops.scale(whole, line), 1),
        ("softmax", "softmax", loops.softmax(whole, line), 1), ("gemm-pv", "pv", loops.pv(whole, line), 1),
    ]  # fmt: skip
    if whole.layout == "materialised":
        streams.insert(0, ("copy", "copy", loops.copy(whole, whole.source_q, whole.q, line), 4))
    rows = []
    for kernel, name, stream, times in streams:
        simulator, seen = Simulator(hierarchy), 0
        for touches in stream:
            simulator.feed(touches)
            seen += touches.size
            if seen >= most_touches:
                break
        rows.append(_row(kernel, whole, simulator.traffic(), seen / loops.touches_in(name, whole) / times))
    return rows


def _row(kernel: Kernel, whole: Attention, traffic: Traffic, share: float) -> CacheRow:
    return CacheRow(
        kernel=kernel, kind=whole.kind, layout=whole.layout, accesses=traffic.accesses / share, l1_hit_rate=traffic.first_hit_rate,
        l1_load_hit_rate=traffic.first_load_hit_rate, l2_hit_rate=traffic.last_hit_rate, dram_bytes=traffic.memory_bytes / share,
        flops=float(whole.product_flops if kernel.startswith("gemm") else 0), share=share,
    )  # fmt: skip

"""The paper's figures on video: layouts, time and FLOPs of spatial and temporal attention, cache hit rates, and growth with frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from thrifty.hardware import Device
from thrifty.lenses.operators.caching import study
from thrifty.lenses.operators.paper.abstract import temporal_of
from thrifty.lenses.operators.paper.published import published
from thrifty.lenses.operators.paper.suite import SuiteRow
from thrifty.lenses.operators.subjects import find_subject
from thrifty.lenses.operators.views.temporal import attention_flops
from thrifty.report import Block, Cell, Chart, Column, Section, Table, Text

FRAMES: Final = (4, 8, 16, 32, 64, 128, 256, 512, 1024)


def time_section(rows: Sequence[SuiteRow], device: Device) -> Section:
    """Figures 10 and 11."""
    cells: list[list[Cell]] = []
    for name in ("make-a-video-decoder", *(row.name for row in rows if row.name == "make-a-video"), "modelscope-unet"):
        found = temporal_of(name, device)
        for group in (found.spatial, found.temporal):
            cells.append([name, group.name, group.calls, group.flops_matrix, group.bytes_moved, group.time_s])
    facts = published("claims")
    columns = (
        Column(key="name", title="System"), Column(key="kind", title="Attention"), Column(key="calls", title="Calls", truth="given", style="integer"),
        Column(key="flops", title="Matrix", unit="FLOP", truth="given"), Column(key="bytes", title="Moved", unit="B", truth="given"),
        Column(key="time_s", title="Time", unit="s", truth="modelled"),
    )  # fmt: skip
    said = (
        f"In the paper (remembered), temporal attention took {facts['temporal_time_ratio'].value:.0f} times the time of spatial with "
        f"{facts['temporal_flops_ratio'].value:.0f} times fewer FLOPs. Here a sequence of sixteen frames fills an eighth of a kernel's tile."
    )
    caption = "Core attention, fused; the decoder makes 16 frames, the whole of Make-A-Video 76"
    return Section("Temporal against spatial attention", [Table(columns=columns, rows=cells, caption=caption), Text(said)], id="temporal")


def cache_section(device: Device) -> Section:
    """Figure 12: simulated hit rates."""
    found = study(device.name)
    cells: list[list[Cell]] = [
        [row.kernel, row.kind, row.layout, row.l1_hit_rate, row.l2_hit_rate, row.dram_bytes] for row in found.rows
    ]  # fmt: skip
    columns = (
        Column(key="kernel", title="Kernel"), Column(key="kind", title="Attention"), Column(key="layout", title="Layout"),
        Column(key="l1", title="First-level hits", truth="modelled", style="percent"),
        Column(key="l2", title="Second-level hits", truth="modelled", style="percent"),
        Column(key="dram", title="From memory", unit="B", truth="modelled"),
    )  # fmt: skip
    fact = published("claims")["hit_rate_ratio"]
    blocks: list[Block] = [
        Table(columns=columns, rows=cells, caption=f"Simulated caches of {device.title}"),
        Text(
            f"The paper's temporal products and softmax hit the first level about {fact.value:.0f} times less often than spatial ones, elementwise kernels "
            f"alike ({fact.read}). Simulated: " + " ".join(found.findings())
        ),
    ]
    return Section("Why: caches", blocks, id="caches")


def frames_section() -> Section:
    """Figure 13: FLOPs against frames."""
    subject = find_subject("unet3d", format="fp16")
    cells: list[list[Cell]] = []
    for frames in FRAMES:
        spatial, temporal = attention_flops(subject, frames)
        cells += [[frames, float(spatial), "spatial"], [frames, float(temporal), "temporal"]]
    from thrifty.lenses.operators.views.temporal import temporal_study

    crossing = temporal_study(subject).crossing_frames
    chart = Chart(
        kind="line", title="Work of attention against frames", rows=cells, x="frames", y="flops", series="kind", x_log=True, y_log=True,
        columns=(
            Column(key="frames", title="Frames", truth="given"), Column(key="flops", title="Matrix", unit="FLOP", truth="given"),
            Column(key="kind", title="Attention"),
        ),
        alt="Lines of matrix FLOPs against frames, both logarithmic: spatial attention grows evenly, temporal with the square, until they cross.",
        caption=f"ModelScope's UNet at 256 px: temporal work overtakes at {crossing} frames.",
    )  # fmt: skip
    return Section("Growth with frames", [chart], id="frames")

"""The paper's figures and tables as blocks of a page: taxonomy, fleet proxy, quality against size, roofline, breakdowns, speed-ups, sequence lengths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from thrifty.hardware import Device
from thrifty.lenses.operators.paper.abstract import Claim
from thrifty.lenses.operators.paper.published import published
from thrifty.lenses.operators.paper.suite import SuiteRow
from thrifty.lenses.operators.subjects import find_subject
from thrifty.lenses.operators.views.maps import bottleneck_map
from thrifty.lenses.operators.views.sequences import attention_calls, histogram
from thrifty.report import Block, Bullets, Cell, Chart, Column, Note, Number, Roof, Section, Table, Text
from thrifty.workload.attention_forms import in_form

_NAME: Final = Column(key="name", title="System")
_ORDER: Final = ("attention", "conv", "linear", "norm", "elementwise", "memory", "softmax", "embedding", "sampling", "unknown")
PROFILED: Final = ("sd-1.5", "imagen", "muse-3b", "parti-20b")
"""Systems whose sequence lengths the paper draws over time."""
SIDES: Final = (64, 128, 256, 512)


def claims_section(found: Sequence[Claim]) -> Section:
    """The abstract, sentence by sentence."""
    rows: list[list[Cell]] = [
        [claim.sentence, claim.published.number(), claim.ours, "as published" if claim.holds else "contradicted", claim.said] for claim in found
    ]
    columns = (
        Column(key="claim", title="The abstract says"), Column(key="published", title="Published"), Column(key="ours", title="Ours", truth="modelled"),
        Column(key="verdict", title="Here"), Column(key="said", title="In words"),
    )  # fmt: skip
    return Section("The abstract's claims", [Table(columns=columns, rows=rows, caption="Each claim beside what the model finds")], id="claims")


def taxonomy(rows: Sequence[SuiteRow]) -> Section:
    """Table I: what each system is made of."""
    cells: list[list[Cell]] = []
    for row in rows:
        work = row.subject.workload
        stages = ", ".join(f"{name} × {repeat:,}" if repeat > 1 else name for name, repeat in _repeats(row).items())
        cells.append([row.name, row.family, work.parameters, stages, max(row.histogram, default=None)])
    columns = (
        _NAME, Column(key="family", title="Kind"), Column(key="parameters", title="Parameters", truth="given", style="si"),
        Column(key="stages", title="Stages × repeats"),
        Column(key="longest", title="Longest queries", truth="given", style="integer"),
    )  # fmt: skip
    return Section("The systems", [Table(columns=columns, rows=cells, caption="Every system end to end, text encoders and decoders included")], id="systems")


def _repeats(row: SuiteRow) -> dict[str, int]:
    found: dict[str, int] = {}
    for stage in row.subject.workload.table.stages:
        found[stage.name] = found.get(stage.name, 0) + stage.repeat
    return found


def fleet() -> Section:
    """Figure 1: a proxy from public training runs."""
    cells: list[list[Cell]] = []
    for name, fact in published("training").items():
        count, size = float(fact.details["accelerators"]), float(fact.details["parameters"])
        number = Number(value=count / size * 1e9, truth="literature", source=fact.source, style="plain")
        cells.append([name, str(fact.details["generates"]), str(fact.details["kind"]), int(count), number])
    columns = (
        Column(key="name", title="Training run"), Column(key="what", title="Generates"), Column(key="kind", title="Accelerator"),
        Column(key="count", title="At once", truth="literature", style="integer"), Column(key="per", title="For 1e9 parameters"),
    )  # fmt: skip
    said = published("claims")["fleet_gpus_per_parameter"]
    text = (
        "The paper's figure is of a private fleet and cannot be made again. This is a proxy: accelerators that public runs used at once, by their size. The "
        f"fleet's ratio was {said.value:.0f} ({said.read})."
    )
    return Section("Training fleets, by proxy", [Text(text), Table(columns=columns, rows=cells, caption="Accelerators a billion parameters")], id="fleet")


def quality(rows: Sequence[SuiteRow]) -> Section | None:
    """Figure 4: published quality against size, and against energy an image."""
    facts = published("fid")
    cells: list[list[Cell]] = []
    for row in rows:
        if row.name in facts:
            work, fact = row.subject.workload, facts[row.name]
            energy = sum(group.energy_j or 0.0 for group in row.fused)
            cells.append([row.name, work.parameters / 1e9, Number(value=fact.value, truth="literature", source=fact.source, style="plain"), energy])
    if len(cells) < 2:
        return None
    remembered = ", ".join(name for name, fact in facts.items() if fact.read == "remembered") or "none"
    columns = (
        _NAME, Column(key="parameters", title="Parameters (1e9)", truth="given"), Column(key="fid", title="FID on COCO"),
        Column(key="energy_j", title="Energy an image", unit="J", truth="modelled"),
    )  # fmt: skip
    chart = Chart(
        kind="scatter", title="Quality against energy", columns=columns, rows=cells, x="energy_j", y="fid", label="name", x_log=True,
        alt="Scatter of published FID on COCO, lower is better, against modelled energy an image, for the systems of the paper that state one.",
        caption=f"FID as published (lower is better; {remembered} from memory), energy modelled; text encoders and decoders included.",
    )  # fmt: skip
    return Section("Quality, size and energy", [chart], id="quality")


def roofline(rows: Sequence[SuiteRow], device: Device) -> Section:
    """Figure 5: stages under the device's roof; the paper's intensity (weights stand for traffic) in the table beside."""
    cells: list[list[Cell]] = []
    table: list[list[Cell]] = []
    for row in rows:
        flops = float(sum(group.flops_matrix for group in row.fused))
        each = row.intensity
        if each.algorithmic:
            cells.append([row.name, row.family, each.algorithmic, flops / row.fused_s])
        like = ", ".join(f"{stage}: {found.likeness.removesuffix('-like')}" for stage, found in row.likeness.items())
        table.append([row.name, each.capacity, each.algorithmic, each.dram, like])
    chart = Chart(
        kind="roofline", title=f"Whole systems under the roof of {device.title}",
        columns=(
            _NAME, Column(key="family", title="Kind"), Column(key="intensity", title="Work per byte", unit="FLOP/B", truth="given"),
            Column(key="attained", title="Attained", unit="FLOP/s", truth="modelled"),
        ),
        rows=cells, x="intensity", y="attained", label="name", series="family",
        roofs=[Roof(device.runs_in("fp16"), device.peak("fp16"), device.bandwidth_bytes_per_s)], roofs_truth=device.truth,
        alt="Roofline of whole systems: diffusion to the right of the ridge, token-by-token generation far to the left of it.",
    )  # fmt: skip
    columns = (
        _NAME, Column(key="cap", title="AI cap", unit="FLOP/B", truth="given", meaning="over bytes of parameters, all repeats: what the paper plots"),
        Column(key="alg", title="AI alg", unit="FLOP/B", truth="given", meaning="over algorithmic bytes"),
        Column(key="dram", title="AI dram", unit="FLOP/B", truth="modelled", meaning="over bytes that leave the last cache"),
        Column(key="like", title="Stages are like an LLM's"),
    )  # fmt: skip
    return Section("Roofline", [chart, Table(columns=columns, rows=table, caption="Three intensities, and what each stage resembles")], id="roofline")


def breakdown_section(rows: Sequence[SuiteRow]) -> Section:
    """Figure 6: time by class, attention spelled out beside fused, each system's spelled-out time being 1."""
    cells: list[list[Cell]] = []
    for row in rows:
        for form, groups in (("eager", row.eager), ("fused", row.fused)):
            by_name = {group.name: group.time_s or 0.0 for group in groups}
            cells += [[f"{row.name} {form}", name, by_name[name] / row.eager_s] for name in _ORDER if by_name.get(name, 0.0) > 0]
    chart = Chart(
        kind="stacked bars", title="Time by operator class, before and after fused attention", rows=cells, x="time", y="name", series="class",
        columns=(_NAME, Column(key="class", title="Operator class"), Column(key="time", title="Time, spelled out = 1", truth="modelled", style="plain")),
        alt="Stacked bars of time by operator class for each system, attention spelled out and fused, relative to the time spelled out.",
    )  # fmt: skip
    return Section("Where the time goes", [chart], id="breakdown")


def speedups(rows: Sequence[SuiteRow]) -> Section:
    """Table II: end to end and core attention; then energy and carbon of a run."""
    facts = published("end_to_end_gain")
    gains: list[list[Cell]] = []
    costs: list[list[Cell]] = []
    for row in rows:
        fact = facts.get(row.name)
        shares = (row.share("attention", fused=False), row.share("attention"))
        gains.append([row.name, row.gain, row.wide_gain, fact.number(style="plain") if fact else None, row.attention_gain, *shares])
        energy, carbon = (sum(getattr(group, key) or 0.0 for group in row.fused) for key in ("energy_j", "carbon_gco2e"))
        costs.append([row.name, row.fused_s, energy, carbon])
    columns = (
        _NAME, Column(key="gain", title="End to end", truth="modelled", style="plain"),
        Column(key="wide", title="Softmax in fp32", truth="modelled", style="plain", meaning="end to end, where the spelled-out softmax is in fp32"),
        Column(key="published", title="Remembered"), Column(key="core", title="Core attention", truth="modelled", style="plain"),
        Column(key="before", title="Share before", truth="modelled", style="percent", digits=2, meaning="of attention in the time, spelled out"),
        Column(key="after", title="Share after", truth="modelled", style="percent", digits=2, meaning="of attention in the time, fused"),
    )  # fmt: skip
    money = (
        _NAME, Column(key="time_s", title="Time", unit="s", truth="modelled"), Column(key="energy_j", title="Energy", unit="J", truth="modelled"),
        Column(key="carbon", title="Carbon", unit="gCO2e", truth="modelled"),
    )  # fmt: skip
    note = Note("The remembered column is the paper's table II, whose text could not be opened again: direction, not a target.")
    return Section(
        "What fused attention brings",
        [
            Table(columns=columns, rows=gains, caption="Time with attention spelled out over time with it fused"), note,
            Table(columns=money, rows=costs, caption="One run, attention fused: guidance, text encoders, decoders and all steps included"),
        ],
        id="gain",
    )  # fmt: skip


def sequence_section(rows: Sequence[SuiteRow]) -> Section:
    """Figures 7 and 8: lengths over one run, and their histogram as the image grows."""
    blocks: list[Block] = []
    cells: list[list[Cell]] = []
    for row in rows:
        if row.name not in PROFILED:
            continue
        calls = [call for call in attention_calls(row.subject.workload.table) if call.seq_q > 1 or call.kind != "cross"]
        step = max(1, len(calls) // 150)
        for place in range(0, len(calls), step):
            call = calls[place]
            cells.append([100 * place / max(len(calls) - 1, 1), call.seq_q if call.seq_q > 1 else call.seq_k, row.name])
    if cells:
        blocks.append(
            Chart(
                kind="scatter", title="Sequence length through a run", rows=cells, x="progress", y="length", series="name", y_log=True,
                columns=(
                    Column(key="progress", title="Attention calls (% of a run's distinct ones)", truth="given"),
                    Column(key="length", title="Length", truth="given"), _NAME,
                ),
                alt="Sequence length through a run on a logarithmic axis: U-shaped in diffusion, flat in masked transformers, a ramp in token-by-token ones.",
                caption="Queries of each call, keys where one token is decoded; a step that repeats is drawn once.",
            )
        )  # fmt: skip
    lengths = {side: histogram(find_subject("sd-1.5-unet", {"image": side}).workload.table) for side in SIDES}
    every = sorted({length for counts in lengths.values() for length in counts})
    columns = (Column(key="length", title="Queries"), *(Column(key=f"at{side}", title=f"{side} px", truth="given", style="integer") for side in SIDES))
    blocks.append(
        Table(
            columns=columns, rows=[[f"{length:,}", *(lengths[side].get(length) for side in SIDES)] for length in every],
            caption="Calls of attention by length in one step of Stable Diffusion: doubling the side makes every length four times as long",
        )
    )  # fmt: skip
    return Section("Sequence lengths", blocks, id="sequences")


def scaling_section(device: Device) -> Section:
    """Figure 9: convolution and attention against image side, before and after fused attention."""
    from dataclasses import replace

    from thrifty.lenses.operators.views.grouping import breakdown

    cells: list[list[Cell]] = []
    crossing = None
    for side in (128, 256, 384, 512, 640, 768, 1024):
        subject = find_subject("sd-1.5-unet", {"image": side, "batch": 2}, format="fp16").on(device)
        for form in ("eager", "fused"):
            seen = replace(subject, workload=replace(subject.workload, table=in_form(subject.workload.table, form)), form=form)
            groups = {group.name: group.time_s or 0.0 for group in breakdown(seen)}
            cells += [[side, groups.get(name, 0.0), f"{name}, {form}"] for name in (("conv", "attention") if form == "fused" else ("attention",))]
            if form == "fused" and crossing is None and groups.get("attention", 0.0) > groups.get("conv", 0.0):
                crossing = side
    chart = Chart(
        kind="line", title="Convolution and attention of Stable Diffusion's UNet against the image", rows=cells, x="side", y="time_s", series="what",
        y_log=True,
        columns=(
            Column(key="side", title="Image side (px)", truth="given"), Column(key="time_s", title="Time of a step", unit="s", truth="modelled"),
            Column(key="what", title="What"),
        ),
        alt="Lines of seconds a step against image side: attention spelled out, attention fused, and convolution.",
    )  # fmt: skip
    grid = bottleneck_map(
        find_subject("sd-1.5-unet", format="fp16").on(device).in_form("fused"), "latent", (16, 32, 48, 64, 96, 128), "batch", (1, 2, 4, 8, 16)
    )  # fmt: skip
    heat = Chart(
        kind="heat map", title="Attention's share of a step over image side and batch, fused", x="side", y="batch", colour="share",
        columns=(
            Column(key="side", title="Image side (px)"), Column(key="batch", title="Batch"),
            Column(key="share", title="Attention", truth="modelled", style="percent"),
            Column(key="top", title="Takes most"), Column(key="bound", title="Bound by"),
        ),
        rows=[[str(cell.x * 8), str(cell.y), cell.attention_share, f"{cell.top} {cell.top_share:.0%}", cell.bound] for cell in grid.cells],
        alt="Heat map of attention's share of the time of one step of Stable Diffusion's UNet over image side and batch; the data names what takes most.",
    )  # fmt: skip
    said = (
        f"Fused, attention passes convolution again at {crossing} px: that convolution is the next bottleneck holds below."
        if crossing is not None else "Fused, convolution stays above attention at all these sides."
    )  # fmt: skip
    return Section("Scaling with the image", [chart, Text(said), heat], id="scaling")


def today(rows: Sequence[SuiteRow]) -> Section | None:
    """What changed since: where the systems of today leave the paper's conclusions."""
    modern = [row for row in rows if row.family == "today"]
    if not modern:
        return None
    cells: list[list[Cell]] = []
    for row in modern:
        shares = [row.share(name) for name in ("conv", "linear", "attention")]
        cells.append([row.name, row.subject.workload.parameters, max(row.histogram, default=0), *shares, row.gain])
    columns = (
        _NAME, Column(key="parameters", title="Parameters", truth="given", style="si"),
        Column(key="longest", title="Longest queries", truth="given", style="integer"),
        *(
            Column(key=name, title=name.capitalize(), truth="modelled", style="percent", digits=2, meaning="of the time, attention fused")
            for name in ("conv", "linear", "attention")
        ),
        Column(key="gain", title="Gain", truth="modelled", style="plain", meaning="of fused attention, end to end"),
    )  # fmt: skip
    left = [row for row in modern if row.share("conv") < 0.10]
    full = [row.name for row in modern if any(group.name == "joint" for group in row.by_attention)]
    points = [
        f"Convolution, the paper's next bottleneck, is below a tenth of the time in {', '.join(row.name for row in left) or 'none of them'}: their denoisers "
        "are transformers, and what convolution there is stands in the decoder.",
        f"Full attention over all tokens (space and time, or image and text, in one sequence) replaces temporal attention in {', '.join(full) or 'none'}.",
        "Sequence length no longer varies within a step: a diffusion transformer has one length throughout.",
    ]
    return Section("What changed since", [Table(columns=columns, rows=cells, caption="Systems after the paper, fused attention"), Bullets(points)], id="today")

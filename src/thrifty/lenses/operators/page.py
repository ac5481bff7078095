"""A finding as sections of a page: what dominates, the roofline, kinds of attention, stages, sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from thrifty.lenses.operators.views.grouping import Group
from thrifty.lenses.operators.views.sequences import attention_calls, histogram
from thrifty.report import Block, Cell, Chart, Code, Column, Note, Page, Roof, Section, Table, Text

if TYPE_CHECKING:
    from thrifty.lenses.operators.finding import OperatorsFinding

TITLES: Final = {
    "class": "Operator class", "operator": "Operator", "module": "Module", "stage": "Stage", "attention": "Attention",
}  # fmt: skip
LONGEST: Final = 14
DRAWN: Final = 400
"""Rows of a table, and points of a chart, at most."""


def page_of(finding: OperatorsFinding, *, command: str, generated: str) -> Page:
    """The whole finding as one page."""
    work = finding.subject.workload
    where = f" on {finding.subject.device.title}" if finding.subject.device is not None else ""
    return Page(
        title=f"What dominates in {work.name}{where}", summary=summary(finding), sections=sections_of(finding),
        inputs={
            "workload": work.name, "origin": work.origin, "format": work.format, "attention": finding.subject.form,
            **{name: str(size) for name, size in work.point.items()},
        },
        command=command, generated=generated,
    )  # fmt: skip


def summary(finding: OperatorsFinding) -> str:
    """The answer in a sentence or two."""
    groups = finding.by["class"]
    if not groups:
        return "Nothing runs."
    if groups[0].share is None:
        return f"{groups[0].name.capitalize()} does {groups[0].flops_share:.0%} of the matrix FLOPs."
    said = f"{groups[0].name.capitalize()} takes {groups[0].share:.0%} of the time"
    if len(groups) > 1 and groups[1].share:
        said += f", {groups[1].name} {groups[1].share:.0%}"
    if finding.gain is not None and finding.gain > 1.005:
        said += f"; fused attention makes it {finding.gain:.2f} times as fast as attention spelled out"
    return said + "."


def sections_of(finding: OperatorsFinding) -> list[Section]:
    """In the order in which they should be read."""
    found = [dominating(finding), roofline(finding), attention(finding), stages(finding), sequences(finding)]
    return [section for section in found if section is not None]


def brief_of(finding: OperatorsFinding) -> list[Block]:
    """For an assessment, which shows classes, modules and roofs itself: attention by kind, what stages are like, and a command for the rest."""
    parts = [section for section in (attention(finding), stages(finding)) if section is not None]
    blocks = [block for section in parts for block in section.blocks]
    return [*blocks, Code(f"thrifty operators show {finding.subject.workload.name}", "Everything that this lens sees")] if blocks else []


def group_table(groups: Sequence[Group], way: str, caption: str) -> Table:
    """Groups as rows; the device's columns where there is one, else how often their operators run."""
    priced = any(group.time_s is not None for group in groups)
    columns = [
        Column(key="name", title=TITLES[way]), *([] if priced else [Column(key="calls", title="Calls", truth="given", style="integer")]),
        Column(key="flops", title="Matrix", unit="FLOP", truth="given"), Column(key="bytes", title="Moved", unit="B", truth="given"),
    ]  # fmt: skip
    if priced:
        columns += [
            Column(key="time_s", title="Time", unit="s", truth="modelled"), Column(key="share", title="Share", truth="modelled", style="percent"),
            Column(key="energy_j", title="Energy", unit="J", truth="modelled"), Column(key="carbon", title="Carbon", unit="gCO2e", truth="modelled"),
        ]  # fmt: skip
    else:
        columns.append(Column(key="share", title="Share of FLOPs", truth="given", style="percent"))
    rows: list[list[Cell]] = []
    for group in groups[:LONGEST]:
        row: list[Cell] = [group.name, *([] if priced else [group.calls]), group.flops_matrix, group.bytes_moved]
        row += [group.time_s, group.share, group.energy_j, group.carbon_gco2e] if priced else [group.flops_share]
        rows.append(row)
    return Table(columns=columns, rows=rows, caption=caption)


def dominating(finding: OperatorsFinding) -> Section:
    """By class and by module."""
    blocks: list[Block] = [Text(summary(finding)), group_table(finding.by["class"], "class", "By operator class, all repeats counted")]
    if "module" in finding.by:
        blocks.append(group_table(finding.by["module"], "module", "By module, the layers of a stack (`*`) taken together"))
    unknown = finding.subject.workload.table.unknown()
    if unknown:
        blocks.append(Note(f"No rule counts {', '.join(unknown)}: listed as unknown, not counted as zero.", "warning"))
    return Section("What dominates", blocks, id="dominates")


def roofline(finding: OperatorsFinding) -> Section | None:
    """Stages and classes under the device's roof."""
    subject = finding.subject
    if subject.device is None:
        return None
    rows: list[list[Cell]] = []
    for group in finding.by["class"]:
        if group.flops_matrix and group.bytes_moved and group.time_s:
            rows.append([group.name, "class", group.flops_matrix / group.bytes_moved, group.flops_matrix / group.time_s])
    for stage in finding.stages:
        if stage.group.flops_matrix and stage.group.time_s and stage.intensity.algorithmic:
            rows.append([stage.stage.name, "stage", stage.intensity.algorithmic, stage.group.flops_matrix / stage.group.time_s])
    if not rows:
        return None
    device, form = subject.device, subject.workload.format
    chart = Chart(
        kind="roofline", title=f"Under the roof of {device.title}",
        columns=(
            Column(key="name", title="Of"), Column(key="what", title="What"),
            Column(key="intensity", title="Work per byte", unit="FLOP/B", truth="given", meaning="matrix FLOPs over algorithmic bytes"),
            Column(key="attained", title="Attained", unit="FLOP/s", truth="modelled"),
        ),
        rows=rows, x="intensity", y="attained", label="name", series="what",
        roofs=[Roof(device.runs_in(form), device.peak(form), device.bandwidth_bytes_per_s)], roofs_truth=device.truth,
        alt=f"Roofline of operator classes and stages: work per second against work per byte, both logarithmic, under the roof of {device.title}.",
    )  # fmt: skip
    return Section("Roofline", [chart], id="roofline")


def attention(finding: OperatorsFinding) -> Section | None:
    """By kind, core attention apart from the module around it."""
    groups = finding.by.get("attention", ())
    if not groups or "attention" not in {group.name for group in finding.by["class"]}:
        return None
    blocks: list[Block] = [group_table(groups, "attention", "Core attention by kind, the projections around it, and all else")]
    if finding.gain is not None and finding.attention_gain is not None:
        blocks.append(
            Text(f"Fused, core attention is {finding.attention_gain:.2f} times as fast as spelled out, the whole {finding.gain:.2f} times (modelled).")
        )  # fmt: skip
    return Section("Attention", blocks, id="attention")


def stages(finding: OperatorsFinding) -> Section | None:
    """Each stage once: what it does and what it is like; its work per byte and the scores of its attention."""
    priced = finding.subject.device is not None
    name = Column(key="name", title="Stage")
    columns = [
        name, Column(key="repeats", title="Repeats", truth="given", style="integer"),
        Column(key="parameters", title="Parameters", truth="given", style="si"), Column(key="flops", title="FLOPs once", unit="FLOP", truth="given"),
    ]  # fmt: skip
    if priced:
        columns += [
            Column(key="time_s", title="Time in all", unit="s", truth="modelled"), Column(key="like", title="Like an LLM's"),
            Column(key="flip", title="Flips at batch"),
        ]  # fmt: skip
    rows: list[list[Cell]] = []
    bytes_: list[list[Cell]] = []
    for stage in finding.stages:
        each, found = stage.intensity, stage.verdict
        row: list[Cell] = [stage.stage.name, stage.stage.repeat, stage.parameters, stage.flops_matrix]
        if priced:
            flip = str(found.flip_batch) if found and found.flip_batch else "never" if found and found.ai_limit else None
            row += [stage.group.time_s, found.likeness.removesuffix("-like") if found else None, flip]
        rows.append(row)
        bytes_.append([stage.stage.name, each.capacity, each.algorithmic, each.dram, stage.similarity.largest_bytes or None])
    intensities = (
        name, Column(key="cap", title="AI cap", unit="FLOP/B", truth="given", meaning="over bytes of parameters"),
        Column(key="alg", title="AI alg", unit="FLOP/B", truth="given", meaning="over algorithmic bytes"),
        Column(key="dram", title="AI dram", unit="FLOP/B", truth="modelled", meaning="over bytes that leave the last cache"),
        Column(key="scores", title="Largest scores", unit="B", truth="given", meaning="of one call of attention, all heads"),
    )  # fmt: skip
    blocks = [
        Table(columns=columns, rows=rows, caption="Every stage, and what it is like"),
        Table(columns=intensities, rows=bytes_, caption="Work per byte, three ways, and the scores of attention"),
    ]
    return Section("Stages", blocks, id="stages")


def sequences(finding: OperatorsFinding) -> Section | None:
    """Lengths through the run, and how often each."""
    table = finding.subject.workload.table
    calls = list(attention_calls(table))
    if not calls:
        return None
    step = max(1, -(-len(calls) // DRAWN))
    rows: list[list[Cell]] = []
    for place in range(0, len(calls), step):
        call = calls[place]
        rows.append([place, call.seq_q if call.seq_q > 1 else call.seq_k, call.kind])
    line = Chart(
        kind="scatter", title="Sequence length, call by call", rows=rows, x="call", y="length", series="kind", y_log=True,
        columns=(
            Column(key="call", title="Attention call", truth="given"), Column(key="length", title="Sequence length", truth="given"),
            Column(key="kind", title="Kind"),
        ),
        caption="Queries of a call (keys, where one token is decoded), in the order in which calls run; each stage's step once.",
        alt=f"Sequence length of {len(calls)} attention calls in the order in which they run, by kind of attention, on a logarithmic axis.",
    )  # fmt: skip
    counts = histogram(table)
    bars = Table(
        columns=(
            Column(key="length", title="Queries"), Column(key="calls", title="Calls", truth="given", style="integer"),
        ),
        rows=[[f"{length:,}", count] for length, count in counts.items()], caption="How often attention runs at each length, all repeats counted",
    )  # fmt: skip
    return Section("Sequence lengths", [line, bars], id="sequences")

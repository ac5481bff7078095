"""A training study as a page: the verdict with its scope, curves of every band over steps, slopes, ratios, tensors, gauge directions, losses, sites."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from thrifty.lenses.numerics.training.judging.bands import FILTERS, FLOOR, METRICS, OPTIMISED
from thrifty.lenses.numerics.training.judging.verdict import SCOPE, judge_each
from thrifty.lenses.numerics.training.running.variants import VARIANTS
from thrifty.report import Block, Bullets, Cell, Chart, Column, Facts, Note, Number, Page, Section, Source, Table, Text

if TYPE_CHECKING:
    from thrifty.lenses.numerics.training.finding import Study
    from thrifty.lenses.numerics.training.judging.intervals import Estimate

SOURCES: Final = (
    Source(
        key="golden-2024", title="Is Flash Attention Stable?", publisher="Golden et al., arXiv 2405.02803", date="2024",
        url="https://arxiv.org/abs/2405.02803"),
    Source(
        key="hesterberg-2015", title="What Teachers Should Know About the Bootstrap", publisher="The American Statistician 69 (4)", date="2015",
        url="https://doi.org/10.1080/00031305.2015.1089789"),
)  # fmt: skip
_SHORT: Final = {"w1": "W1", "max": "largest difference", "l2": "L2"}
_SHOWN_TENSORS: Final = 40


def training_page(found: Study, *, command: str, generated: str) -> Page:
    """Everything about one study."""
    asked, judged = found.asked, found.verdict
    summary = (
        f"{judged.verdict}: {asked.optimised.name} against {asked.baseline.name} in {asked.format}, {asked.seeds} seeds of {asked.steps:,} steps; "
        f"{judged.why}. Scope: {SCOPE}."
    )
    return Page(
        title=f"Deviation in training: {asked.shape.title}", summary=summary[0].upper() + summary[1:], sections=sections_of(found),
        headline=_ratio_facts(found),
        inputs={
            "model": asked.shape.name, "parameters": _given(len(found.gauge.mask)), "steps": _given(asked.steps), "seeds": _given(asked.seeds),
            "order of data": _given(asked.order), "format": asked.format, "keys in a tile": _given(asked.block_k), "data": found.ground["data"],
            **{f"policy, {name}": value for name, value in asked.hashes().items()}, "machine": found.ground["machine"], "torch": found.ground["torch"],
        },
        sources=SOURCES, command=command, generated=generated,
    )  # fmt: skip


def sections_of(found: Study) -> list[Section]:
    return [
        Section("Verdict", verdict_blocks(found), id="verdict"),
        Section("Over steps", curve_blocks(found), id="steps"),
        Section("Growth", slope_blocks(found), id="growth"),
        Section("Ratios", ratio_blocks(found), id="ratios"),
        Section("Tensor by tensor", tensor_blocks(found), id="tensors"),
        Section("Gauge directions", gauge_blocks(found), id="gauge"),
        Section("Losses", loss_blocks(found), id="losses"),
        Section("Runs and their sites", run_blocks(found), id="runs"),
    ]


def brief_of(found: Study) -> list[Block]:
    return [Facts({"verdict of the training study": found.verdict.verdict, **_ratio_facts(found)}), Note(f"Scope: {SCOPE}.")]


def verdict_blocks(found: Study) -> list[Block]:
    """The rule's word by metric, with and without gauge directions; what the study has of what it needs."""
    rows: list[list[Cell]] = [
        [f"{_SHORT[metric]}, {FILTERS[filter]}", judged.verdict, judged.binding or "none", judged.why]
        for filter, metrics in found.verdicts.items() for metric, judged in metrics.items()
    ]  # fmt: skip
    each = {metric: judge_each(found.bands, metric, "filtered") for metric in METRICS}
    alone: list[list[Cell]] = [[band.name, *(each[metric][band.name].verdict for metric in METRICS)] for band in found.bands.references]
    columns = tuple(Column(key=key, title=title) for key, title in (("what", "Distance"), ("verdict", "Verdict"), ("binding", "Binding band"), ("why", "Why")))
    missing = [name for name, met in found.conditions().items() if not met]
    return [
        Note(f"{found.verdict.verdict.capitalize()}: {found.verdict.why}. Scope: {SCOPE}."),
        Text("Bounded: the upper end of the tested slope's interval is at most the slope of the reference that grows least, and their intervals do not "
             "overlap; inconclusive where they do; else not bounded. The study's word is that of W1 without gauge directions."),
        Table(columns=columns, rows=rows, caption="The rule by distance", strong_rows=(0,)),
        Table(columns=(Column(key="reference", title="Reference alone"), *(Column(key=metric, title=_SHORT[metric]) for metric in METRICS)),
              rows=alone, caption="The rule held against each reference alone, without gauge directions"),
        Bullets([f"{'met' if met else 'NOT MET'}: {name}" for name, met in found.conditions().items()]),
        *([Note(f"This study lacks: {'; '.join(missing)}.", kind="warning")] if missing else []),
    ]  # fmt: skip


def curve_blocks(found: Study) -> list[Block]:
    """Mean over tensors at every snapshot."""
    charts: list[Block] = []
    for metric, filter in (("w1", "filtered"), ("w1", "raw"), ("max", "filtered")):
        rows: list[list[Cell]] = [
            [step, band, _cell(each.value), _cell(each.low), _cell(each.high)]
            for band in found.bands.found
            for step, each in zip(found.bands.steps, found.bands.curve(band, metric, filter), strict=True)
            if step  # a pair starts equal, or one ulp apart: that would be all that the axis shows
        ]  # fmt: skip
        columns = (
            Column(key="step", title="Steps", truth="given", style="integer"), Column(key="band", title="Band"),
            Column(key="apart", title=f"{_SHORT[metric]} of weights", truth="measured"),
            Column(key="low", title="Low", truth="measured"), Column(key="high", title="High", truth="measured"),
        )  # fmt: skip
        if not any(isinstance(row[2], float) and row[2] > 0 for row in rows):
            continue
        charts.append(Chart(
            kind="line", title=f"{_SHORT[metric]}, {FILTERS[filter]}, over training", columns=columns, rows=rows, x="step", y="apart", series="band",
            y_log=True, alt=f"Lines of the {_SHORT[metric]} of weights between paired runs, mean over tensors, against training steps, one line a band.",
            caption="Mean over tensors and seeds, on a logarithmic axis; the table has the intervals. Other seeds start apart, so growth counts, not level.",
        ))  # fmt: skip
    return charts


def slope_blocks(found: Study) -> list[Block]:
    """Growth per thousand steps with intervals."""
    made: list[Block] = []
    for metric in METRICS:
        rows: list[list[Cell]] = []
        for filter, title in FILTERS.items():
            for name in found.bands.found:
                slope = found.bands.slope(name, metric, filter)
                wide = found.bands.slope(name, metric, filter, over_tensors=True)
                rows.append([name, title, *(_cell(1e3 * value) for value in (slope.value, slope.low, slope.high, wide.low, wide.high))])
        titles = (("slope", "Growth per 1,000 steps"), ("low", "Low"), ("high", "High"), ("wide_low", "Low, tensors too"), ("wide_high", "High, tensors too"))
        columns = (
            Column(key="band", title="Band"), Column(key="filter", title="Weights"),
            *(Column(key=key, title=title, truth="measured") for key, title in titles),
        )  # fmt: skip
        if metric == "w1" and any(isinstance(row[2], float) and row[2] > 0 for row in rows):
            made.append(Chart(
                kind="bars", title="Growth of W1, with and without gauge directions", columns=columns[:5], rows=[row[:5] for row in rows], x="slope", y="band",
                series="filter", low="low", high="high", x_log=True, strong=(OPTIMISED,),
                alt="Dots with intervals of how fast each band's W1 grows in a thousand steps, on a logarithmic axis, with and without gauge directions.",
            ))  # fmt: skip
        made.append(Table(columns=columns, rows=rows, caption=f"Growth of {_SHORT[metric]}: least-squares slope of the mean over tensors, intervals of 95 %"))
    return made


def ratio_blocks(found: Study) -> list[Block]:
    """Low precision over optimised, optimised over the chaos floor."""
    rows: list[list[Cell]] = []
    for metric in METRICS:
        for filter, title in FILTERS.items():
            for above, below in [*((band.name, OPTIMISED) for band in found.bands.lows), (OPTIMISED, FLOOR)]:
                level = found.bands.level_ratio(above, below, metric, filter)
                slope = found.bands.slope_ratio(above, below, metric, filter)
                name = f"{above} / {below}"
                rows.append([name, title, _SHORT[metric], *(_cell(v) for each in (level, slope) for v in (each.value, each.low, each.high))])
    titles = (
        ("level", "Ratio after the last step"), ("low", "Low"), ("high", "High"), ("slope", "Ratio of growth"), ("slope_low", "Low"), ("slope_high", "High"),
    )  # fmt: skip
    columns = (
        Column(key="ratio", title="Ratio"), Column(key="filter", title="Weights"), Column(key="metric", title="Distance"),
        *(Column(key=key, title=title, truth="measured") for key, title in titles),
    )  # fmt: skip
    drawn = [[*row[:2], *row[3:6]] for row in rows if row[2] == _SHORT["w1"]]
    blocks: list[Block] = []
    if any(isinstance(row[2], float) and row[2] > 0 for row in drawn):
        blocks.append(Chart(
            kind="bars", title="Ratios of W1 after the last step", columns=(*columns[:2], *columns[3:6]), rows=drawn, x="level", y="ratio", series="filter",
            low="low", high="high", x_log=True,
            alt="Dots with intervals of how many times farther low precision moves weights than optimised attention, and that than a change of one ulp.",
        ))  # fmt: skip
    blocks.append(Table(columns=columns, rows=rows, caption="Ratios of distances with intervals of 95 % over seeds"))
    blocks.append(Text("The paper reports that low precision moves weights 2 to 5 times as far as Flash Attention does (section V, another model and scale)."))
    return blocks


def tensor_blocks(found: Study) -> list[Block]:
    """W1 of each tensor after the last step, every band."""
    bands, gauge = found.bands, set(found.gauge.found) | set(found.gauge.parts)
    names = list(bands.found)
    per = {name: bands.found[name].per_tensor("w1", "raw") for name in names}
    order = sorted(range(len(bands.tensors["raw"])), key=lambda at: -_size(float(per[OPTIMISED][at])))
    rows: list[list[Cell]] = []
    for at in order[:_SHOWN_TENSORS]:
        tensor = bands.tensors["raw"][at]
        tested = float(per[OPTIMISED][at])
        ratio = [_over(float(per[band.name][at]), tested) for band in bands.lows]
        rows.append([tensor, "gauge" if tensor in gauge else "", *(_cell(float(per[name][at])) for name in names), *ratio])
    columns = (
        Column(key="tensor", title="Tensor"), Column(key="gauge", title="Gauge"),
        *(Column(key=f"w1_{at}", title=name, truth="measured") for at, name in enumerate(names)),
        *(Column(key=f"r_{at}", title=f"{band.name} / {OPTIMISED}", truth="measured") for at, band in enumerate(bands.lows)),
    )  # fmt: skip
    return [
        Table(columns=columns, rows=rows, caption=f"W1 after {bands.steps[-1]:,} steps, mean over seeds, largest of the optimised run first"),
        Text(f"Gauge tensors hold {found.gauge_share():.1%} of the sum of W1 over tensors, optimised against baseline."),
    ]


def gauge_blocks(found: Study) -> list[Block]:
    """Gradients in FP64 against FP64's own rounding noise."""
    gauge = found.gauge
    rows: list[list[Cell]] = [
        [name, "found" if name in gauge.found else "in part" if name in gauge.parts else "", "known" if name in gauge.known else "", gauge.exact[name],
         gauge.noise[name], _cell(gauge.ran[name])]
        for name in sorted(gauge.exact, key=lambda name: gauge.exact[name])
    ]  # fmt: skip
    columns = (
        Column(key="tensor", title="Tensor"), Column(key="found", title="By replay"), Column(key="known", title="By theory"),
        Column(key="exact", title="Gradient in FP64", truth="measured"), Column(key="noise", title="FP64's rounding noise", truth="measured"),
        Column(key="ran", title="Gradient of the baseline run", truth="measured"),
    )  # fmt: skip
    return [
        Text("Softmax adds nothing for a bias of the keys, so the true gradient there is zero; a run's own is rounding noise, which AdamW divides by its size "
             "and walks along at full rate. Such walks move no prediction. A direction is found where the gradient, replayed in FP64, is no larger than "
             "FP64's own rounding noise, measured by a second replay in another order with every weight one ulp off."),
        Facts({
            "largest ratio of gradient to noise within": Number(value=gauge.largest_within, truth="measured"),
            "least ratio of all others": Number(value=gauge.least_without if math.isfinite(gauge.least_without) else None, truth="measured"),
            "parameters left out": _given(int(gauge.mask.sum())),
            "share of W1 in them": Number(value=found.gauge_share(), truth="measured", style="percent"),
        }),
        Table(columns=columns, rows=rows, caption="Root mean square of gradients by tensor, least first"),
    ]  # fmt: skip


def loss_blocks(found: Study) -> list[Block]:
    rows: list[list[Cell]] = [
        [row["run"], row["seeds"], row["validation_start"], row["validation_end"],
         _over(row["validation_end"], row["validation_start"]), f"at step {row['diverged_at_step']}" if row["diverged_at_step"] else ""]
        for row in found.losses()
    ]  # fmt: skip
    columns = (
        Column(key="run", title="Run"), Column(key="seeds", title="Seeds", truth="given", style="integer"),
        Column(key="start", title="Validation loss before", truth="measured"), Column(key="end", title="after", truth="measured"),
        Column(key="share", title="after / before", truth="measured"), Column(key="diverged", title="No number"),
    )  # fmt: skip
    lines: list[list[Cell]] = [
        [step, name, loss] for (name, init), course in found.courses.items() if init == 0 and name != "repeat"
        for step, loss in zip(course.steps, course.validation, strict=True)
    ]  # fmt: skip
    chart_columns = (
        Column(key="step", title="Steps", truth="given", style="integer"), Column(key="run", title="Run"),
        Column(key="loss", title="Validation loss", truth="measured"),
    )  # fmt: skip
    what = "mean squared error of the predicted noise (1: none predicted)" if found.asked.shape.name == "digits" else "nats a byte"
    return [
        Table(columns=columns, rows=rows, caption=f"Validation loss, {what}, by each run's own arithmetic, mean over seeds"),
        Chart(
            kind="line", title="Validation loss of the first seed", columns=chart_columns, rows=lines, x="step", y="loss", series="run",
            alt="Lines of the validation loss against training steps, one line a run of the first seed; they fall together.",
        ),
    ]  # fmt: skip


def run_blocks(found: Study) -> list[Block]:
    """Who rounds where."""
    asked = found.asked
    items = [
        f"**baseline**: attention by {asked.baseline.name} in {asked.format}, forward and backward; all else in FP32",
        f"**optimised**: attention by {asked.optimised.name} in {asked.format}, {asked.block_k} keys in a tile; all else in FP32",
        "**floor**: the baseline, one weight one ulp of FP32 larger at the start", "**fp32**: everything in FP32",
        *(f"**{low}**: attention by {VARIANTS[low.variant][0]} in {low.format}; {VARIANTS[low.variant][1]}" for low in asked.low),
        f"**repeat**: the baseline of seed 0 once more: {'the same bit for bit' if found.repeat_identical else 'NOT the same'}",
    ]
    return [
        Bullets(items),
        Text("All runs see the same data and noise in the same order. Products outside attention are this machine's in FP32, on one thread, of operands "
             "rounded first where a run is of low precision. AdamW: rate after 50 steps of warm-up constant, weight decay 0.01 on matrices."),
        Facts({f"policy of {name}": value for name, value in asked.hashes().items()}, caption="Hashes of attention's policies"),
    ]  # fmt: skip


def _ratio_facts(found: Study) -> dict[str, Number | str]:
    facts: dict[str, Number | str] = {}
    for band in found.bands.lows:
        facts[f"{band.name} / {OPTIMISED}"] = _number(found.bands.level_ratio(band.name, OPTIMISED, "w1", "filtered"))
    facts[f"{OPTIMISED} / {FLOOR}"] = _number(found.bands.level_ratio(OPTIMISED, FLOOR, "w1", "filtered"))
    return facts


def _number(each: Estimate) -> Number:
    if not math.isfinite(each.value):
        return Number(value=None, truth="measured")
    bounded = math.isfinite(each.low) and math.isfinite(each.high)
    return Number(value=each.value, low=each.low if bounded else None, high=each.high if bounded else None, truth="measured")


def _given(value: int) -> Number:
    return Number(value=value, truth="given", style="integer")


def _cell(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _over(above: float | None, below: float | None) -> float | None:
    return above / below if above is not None and below and math.isfinite(above / below) else None


def _size(value: float) -> float:
    return value if math.isfinite(value) else -1.0

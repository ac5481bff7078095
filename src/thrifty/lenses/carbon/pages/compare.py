"""A comparison of designs as a page: who wins where, how sure that is, and what would settle it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np

from thrifty.cost.carbon.citing import cited
from thrifty.cost.carbon.metrics import METRICS, Setting, carbon_of
from thrifty.report import Block, Bullets, Cell, Chart, Column, Note, Number, Page, Section, Table, Text

if TYPE_CHECKING:
    from thrifty.cost.carbon.factors import Distribution
    from thrifty.lenses.carbon.comparing import Comparison, Elimination

NAME: Final = Column(key="name", title="Design")
_INTENSITIES: Final = (5, 10, 20, 50, 100, 200, 300, 500, 700, 1000)
_LIVES: Final = (1, 2, 3, 4, 5, 6, 8, 10)
_SHOWN: Final = 12
YEAR: Final = "yr"


def modelled(value: float | None, unit: str = "", style: str = "auto") -> Number:
    return Number(value=value, unit=unit, truth="modelled", style=style)  # type: ignore[arg-type]


def _grams(key: str, title: str, meaning: str = "") -> Column:
    return Column(key=key, title=title, unit="gCO2e", truth="modelled", meaning=meaning)


def compare_page(found: Comparison, *, command: str, generated: str) -> Page:
    """Everything about a few designs."""
    lead, (first, second) = found.lead, found.indices_of
    pair = found.chances.get((first, second))
    chance = pair.less if pair else 1 - found.chances[second, first].less - found.chances[second, first].equal
    setting = found.question.setting
    summary = f"{lead} emits least in the mean, and less than {second} in {chance:.1%} of cases. "
    summary += f"By {METRICS[found.metric].title}, at the middle of all inputs, {found.winners[found.metric]} wins. " if found.metric != "carbon" else ""
    if found.everything.saves > 0 and found.data and found.data[0].saves > 0:
        summary += f"Of single data, {found.data[0].name} would help most to choose."
    else:
        summary += "No single datum would change the choice."
    sections = [
        Section("How sure", [*_chances(found), _quantiles(found)], id="sure"), Section("By metric", _metrics(found), id="metrics"),
        Section("Where it turns", _boundaries(found), id="boundary"), Section("Over intensity and life", _plane(found), id="plane"),
        Section("Making against running", [_pareto(found)], id="pareto"),
        Section("What matters", _indices(found), id="indices"), Section("Which datum to buy", _data(found), id="information"),
        Section("If one input moves", _gradient(found), id="gradient"), Section("Designs", [_designs(found)], id="designs"),
    ]  # fmt: skip
    notes = [*found.question.notes, *found.notes]
    if notes:
        sections.append(Section("Assumptions", [Bullets(notes)], id="assumptions"))
    return Page(
        title=f"Carbon of {', '.join(found.summaries)}", summary=summary.strip(), sections=sections,
        headline={
            "least in the mean": lead, f"less than {second}": modelled(chance, style="percent"),
            "if all were known": modelled(found.everything.saves / found.summaries[lead].mean, style="percent"),
        },
        inputs={
            "place": found.question.place, "intensity in gCO2e/kWh": _said(found.question.intensity), "life in years": _said(found.question.life),
            "utilisation": _said(found.question.utilisation), "PUE": Number(value=setting.pue, truth="given"),
            "samples": Number(value=found.samples, truth="given", style="integer"), "points": found.method, "seed": str(found.seed),
        },
        sources=cited(found.sources), command=command, generated=generated,
    )  # fmt: skip


def _said(shape: Distribution) -> str:
    if shape.exactly:
        return f"{shape.mean:g}"
    if shape.kind == "triangular":
        return " to ".join(f"{x:g}" for x in shape.parameters)
    return f"{shape.mean:g}, {shape.variance**0.5 / shape.mean:.0%} either way"


def _designs(found: Comparison) -> Table:
    rows: list[list[Cell]] = []
    for subject, design in zip(found.question.subjects, found.designs, strict=True):
        span = subject.span_gco2e
        low, high = (span.low, span.high) if span.low < span.high else (None, None)
        making = Number(value=span.mid, low=low, high=high, unit="gCO2e", truth="given" if subject.embodied_kg is not None else "modelled")
        rows.append([design.name, subject.title, making, design.delay_s, design.energy_j, design.idle_w])
    columns = (
        NAME, Column(key="title", title="What"), _grams("embodied", "Making one"), Column(key="delay", title="Time", unit="s", truth="modelled"),
        Column(key="energy", title="Energy", unit="J", truth="modelled"), Column(key="idle", title="Idle", unit="W", truth="modelled"),
    )  # fmt: skip
    return Table(columns=columns, rows=rows, caption="Designs at the middle: making one device, time and energy of one unit of work")


def _chances(found: Comparison) -> list[Block]:
    rows: list[list[Cell]] = [
        [f"{a} below {b}", chance.less, chance.equal, 1 - chance.less - chance.equal, chance.se] for (a, b), chance in found.chances.items()
    ]
    columns = (
        Column(key="pair", title="Carbon of"), *(Column(key=key, title=title, truth="modelled", style="percent") for key, title in (
            ("less", "Likely"), ("equal", "The same"), ("more", "Other way"), ("se", "Standard error"))),
    )  # fmt: skip
    blocks: list[Block] = [Table(columns=columns, rows=rows, caption="How likely one design emits less, what they share being the same for both")]
    if found.robust is not None:
        blocks.append(Note(f"{found.robust} is ahead in making and in running: at the middle it wins whatever the intensity, the life and their weights."))
    return blocks


def _quantiles(found: Comparison) -> Table:
    rows: list[list[Cell]] = [
        [name, s.mean, s.p5, s.p50, s.p95, s.p95 / s.mean if s.mean else None, found.best[name]] for name, s in found.summaries.items()
    ]
    columns = (
        NAME, _grams("mean", "Mean"), _grams("p5", "P5"), _grams("p50", "P50"), _grams("p95", "P95"),
        Column(key="ratio", title="P95 over mean", truth="modelled"), Column(key="best", title="Least of all", truth="modelled", style="percent"),
    )  # fmt: skip
    return Table(columns=columns, rows=rows, caption="Carbon of one unit of work, making and running, over all uncertainty")


def _metrics(found: Comparison) -> list[Block]:
    columns = (
        Column(key="metric", title="Metric"), Column(key="means", title="Is"), Column(key="winner", title="Winner"),
        *(Column(key=name, title=name, truth="modelled") for name in found.summaries),
    )  # fmt: skip
    rows: list[list[Cell]] = []
    for key, values in found.by_metric.items():
        least = min(values.values())
        rows.append([key, METRICS[key].title, found.winners[key], *((value / least if least > 0 else None) for value in values.values())])
    winners = set(found.winners.values())
    text = f"All metrics name {next(iter(winners))}." if len(winners) == 1 else "Metrics disagree: choose the one whose question is yours."
    caption = "Each design over the winner, at the middle of all inputs; C is making, the totals charge use"
    return [Text(text), Table(columns=columns, rows=rows, caption=caption), *_normalised(found)]


def _normalised(found: Comparison) -> list[Block]:
    """FOCAL's view, which asks for no place and no life."""
    if not found.normalised:
        return []
    alphas = list(found.normalised[0].fixed_work)
    columns = (
        NAME, *(Column(key=f"{way} {a}", title=f"Fixed {way}, α {a}", truth="modelled") for way in ("work", "time") for a in alphas),
        Column(key="verdict", title="Whatever α"),
    )  # fmt: skip
    rows: list[list[Cell]] = [
        [n.name, *(n.fixed_work[a] for a in alphas), *(n.fixed_time[a] for a in alphas), n.verdict or "depends on the setting"] for n in found.normalised
    ]
    first = found.designs[0].name
    return [Table(columns=columns, rows=rows, caption=f"NCF over {first}: below 1 is less carbon; α is the weight of making, work or time stays the same")]


def _boundaries(found: Comparison) -> list[Block]:
    rows: list[list[Cell]] = [
        [turn.a, turn.b, turn.intensity_years, turn.intensity_gco2e_per_kwh, turn.life_years, turn.utilisation] for turn in found.turns
    ]
    columns = (
        Column(key="a", title="Design"), Column(key="b", title="And"),
        Column(key="product", title="Intensity times life", unit="gCO2e/kWh·yr", truth="modelled", style="plain"),
        Column(key="intensity", title="Intensity, at that life", unit="gCO2e/kWh", truth="modelled", style="plain"),
        Column(key="life", title="Life, at that intensity", unit=YEAR, truth="modelled", style="plain"),
        Column(key="use", title="Utilisation", truth="modelled", style="percent"),
    )  # fmt: skip
    by = METRICS[found.metric if METRICS[found.metric].total else "carbon"].title
    caption = f"Where two designs come to the same by {by} (a dash: one of them is ahead on both sides)"
    if len(found.stretches) == 1:
        won: Block = Text(f"Nowhere, at the middle of all other inputs: {found.stretches[0]['winner']} wins whatever the intensity and the life.")
    else:
        won = Bullets([
            f"{x['winner']}: where intensity times life is {x['from']:.4g} gCO2e/kWh·yr or more" + (f", up to {x['to']:.4g}" if x["to"] is not None else "")
            for x in found.stretches
        ])  # fmt: skip
    return [won, *([Table(columns=columns, rows=rows, caption=caption)] if any(cell is not None for row in rows for cell in row[2:]) else [])]


def _plane(found: Comparison) -> list[Block]:
    return [_map(found), *([_curves(found)] if any(turn.intensity_years for turn in found.turns) else [])]


def _map(found: Comparison) -> Chart:
    names = [design.name for design in found.designs]
    a, rest = names[0], names[1:]
    rows: list[list[Cell]] = []
    for intensity in _INTENSITIES:
        for life in _LIVES:
            setting = Setting(
                intensity_gco2e_per_kwh=float(intensity), life_s=life * 31557600.0, utilisation=found.question.setting.utilisation, pue=found.question.pue
            )  # fmt: skip
            values = carbon_of(found.designs, setting)
            rows.append([f"{life}", f"{intensity}", float(np.log2(values[0] / values[1:].min())) if values.min() > 0 else None])
    against = rest[0] if len(rest) == 1 else "the best other"
    return Chart(
        kind="heat map", title=f"Carbon of {a} over that of {against}, in doublings", x="life", y="intensity", colour="ratio", rows=rows,
        columns=(
            Column(key="life", title="Life, years"), Column(key="intensity", title="Intensity, gCO2e/kWh"),
            Column(key="ratio", title="Doublings", truth="modelled", meaning="log2 of the ratio: below 0 the first design emits less"),
        ),
        caption="Below 0 the first design emits less, 1 is twice as much. Intensity times life decides: the colours change along hyperbolas.",
        alt=f"Heat map over grid intensity and life of how many times the carbon of {a} is that of {against}; negative where {a} emits less.",
    )  # fmt: skip


def _curves(found: Comparison) -> Chart:
    rows: list[list[Cell]] = []
    for turn in found.turns:
        if turn.intensity_years:
            rows += [[f"{turn.a} = {turn.b}", float(life), turn.intensity_years / life] for life in np.geomspace(1, 12, 12)]
    return Chart(
        kind="line", title="Boundaries: where two designs come to the same", x="life", y="intensity", series="pair", rows=rows, x_log=True, y_log=True,
        columns=(
            Column(key="pair", title="Pair"), Column(key="life", title="Life", unit=YEAR, truth="modelled", style="plain"),
            Column(key="intensity", title="Intensity", unit="gCO2e/kWh", truth="modelled", style="plain"),
        ),
        alt="Lines of the grid intensity at which two designs emit the same, over their life, both logarithmic: straight lines falling as one over life.",
    )  # fmt: skip


def _pareto(found: Comparison) -> Chart:
    rows: list[list[Cell]] = [[name, m["embodied_gco2e"], m["operational_gco2e"], name in found.front] for name, m in found.middle.items()]
    return Chart(
        kind="scatter", title="Carbon of making and of running, one unit of work", x="making", y="running", label="name", front="front", rows=rows,
        columns=(NAME, _grams("making", "Making"), _grams("running", "Running"), Column(key="front", title="Nothing beats it")),
        alt="Scatter of the embodied share against operational carbon of one unit of work for each design; those that no other beats in both are marked.",
    )  # fmt: skip


def _together(names: Sequence[str]) -> str:
    """Inputs that vary together as one name: "attained share of each" where they are one thing of several designs."""
    kinds = {name.split(" of ")[0] for name in names}
    return f"{kinds.pop()} of each" if len(names) > 1 and len(kinds) == 1 else ", ".join(names)


def _indices(found: Comparison) -> list[Block]:
    if not found.indices:
        return [Text("Nothing varies between the two that lead: their difference is exact.")]
    rows: list[list[Cell]] = [
        [_together(index.names), max(0.0, index.first), index.first_se, index.total, index.total_se] for index in found.indices[:_SHOWN] if index.total > 1e-4
    ]
    columns = (
        Column(key="name", title="Input"), *(Column(key=key, title=title, truth="modelled", style="percent") for key, title in (
            ("first", "Alone"), ("first_se", "± alone"), ("total", "With others"), ("total_se", "± with others"))),
    )  # fmt: skip
    caption = f"Share of the variance of the difference between {found.indices_of[0]} and {found.indices_of[1]} (Sobol indices)"
    bars = Chart(
        kind="bars", title="What the difference hangs on", x="total", y="name", rows=[[row[0], row[3]] for row in rows],
        columns=(Column(key="name", title="Input"), Column(key="total", title="Share of variance", truth="modelled", style="percent")),
        alt="Bars of the share of the variance of the difference between the two leading designs that goes with each input, in company with others.",
    )  # fmt: skip
    return [bars, Table(columns=columns, rows=rows, caption=caption)]


def _data(found: Comparison) -> list[Block]:
    mean = found.summaries[found.lead].mean
    rows: list[list[Cell]] = [["everything", found.everything.saves, found.everything.saves / mean if mean else None]]
    rows += [[datum.name, datum.saves, datum.saves / mean if mean else None] for datum in found.data[:_SHOWN] if datum.saves > 0]
    columns = (
        Column(key="name", title="Known"), _grams("saves", "Saves in the mean"),
        Column(key="share", title="Of the leader's carbon", truth="modelled", style="percent"),
    )  # fmt: skip
    nothing = [datum.name for datum in found.data if datum.saves == 0]
    blocks: list[Block] = [Table(columns=columns, rows=rows, caption="What knowing an input before choosing would save in the mean, a unit of work")]
    return blocks + ([Text(f"No answer would change the choice, for any one of: {', '.join(nothing)}.")] if nothing else [])


def _gradient(found: Comparison) -> list[Block]:
    blocks: list[Block] = []
    for name, moved in found.elasticity.items():
        rows: list[list[Cell]] = [[key.removesuffix(f" of {name}"), value] for key, value in list(moved.items())[:_SHOWN]]
        columns = (Column(key="input", title="Input"), Column(key="moves", title="Moves carbon by", unit="% a %", truth="modelled", style="plain"))
        blocks.append(Table(columns=columns, rows=rows, caption=f"{name}: per cent of carbon that one per cent of an input moves, at the means"))
    return blocks


def eliminated_page(found: list[Elimination], *, command: str, generated: str) -> Page:
    """The whole catalogue: who wins anywhere."""
    rows: list[list[Cell]] = [[each.metric, each.count, len(each.kept), each.share_eliminated, ", ".join(each.kept)] for each in found]
    columns = (
        Column(key="metric", title="Metric"), Column(key="count", title="Devices", truth="given", style="integer"),
        Column(key="kept", title="Win somewhere", truth="modelled", style="integer"),
        Column(key="gone", title="Win nowhere", truth="modelled", style="percent"), Column(key="names", title="Which, from clean or short to dirty or long"),
    )  # fmt: skip
    left = [f"{name}: {reason}" for name, reason in found[0].left_out.items()]
    sections = [Section("Who wins somewhere", [Table(columns=columns, rows=rows, caption="Over every intensity and life, at the middle of inputs")], id="kept")]
    if left:
        sections.append(Section("Left out", [Bullets(left)], id="left"))
    return Page(
        title="Devices of the catalogue by carbon", sections=sections, command=command, generated=generated,
        summary=(
            f"Of {found[0].count} devices that do the same work, {found[0].share_eliminated:.0%} emit least at no intensity and no life: "
            f"least emits {' or '.join(found[0].kept)}."
        ),
        headline={"win nowhere": modelled(found[0].share_eliminated, style="percent")},
    )  # fmt: skip

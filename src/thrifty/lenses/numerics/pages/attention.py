"""Attention under a policy as a page: deviation, what happened on the way, the policy itself; grids as heat maps; what can be named."""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

from thrifty.lenses.numerics.inputs import KINDS
from thrifty.lenses.numerics.pages.deviation import sections_of, sentence
from thrifty.lenses.numerics.policy import ACCUMULATORS, PRESETS, SITES, Options
from thrifty.report import Bullets, Cell, Chart, Column, Facts, Note, Number, Page, Section, Source, Table, Text

if TYPE_CHECKING:
    from thrifty.lenses.numerics.laboratory.study import Study
    from thrifty.lenses.numerics.laboratory.sweeps import Sweep
    from thrifty.lenses.numerics.policy import Policy

SOURCES = (
    Source(key="golden-2024", title="Is Flash Attention Stable?", publisher="Golden et al., arXiv 2405.02803", date="2024"),
    Source(key="dao-2022", title="FlashAttention: Fast and Memory-Efficient Exact Attention with IO-Awareness", publisher="Dao et al.", date="2022"),
    Source(key="shah-2024", title="FlashAttention-3", publisher="Shah et al., arXiv 2407.08608", date="2024"),
)
SCOPE = "One forward pass says how far results deviate, not whether a training run stays stable."


def study_page(found: Study, *, command: str, generated: str) -> Page:
    """One study."""
    batch, heads, kv_heads, seq, seq_kv, head_dim = found.shape
    attended = found.attended
    return Page(
        title=f"Attention under {attended.policy.name} in {attended.format}", summary=sentence(found.deviation),
        sections=[
            *sections_of(found.deviation), Section("On the way", [_counts(found), Bullets(_readings(found))], id="counts"),
            Section("What is rounded where", [_sites(attended.policy, attended.format), _sums(attended.policy, attended.format)], id="policy"),
            Section("Scope", [Note(SCOPE)], id="scope"),
        ],
        inputs={
            "inputs": found.inputs, "format": attended.format, "policy hash": attended.hash, "baseline hash": found.baseline.hash,
            "batch × heads (of keys)": f"{batch} × {heads} ({kv_heads})", "queries × keys": f"{seq} × {seq_kv}", "head dim": str(head_dim),
            "tile of keys": str(attended.block_k), "tiles": str(attended.tiles), "splits": str(attended.splits), "seed": str(attended.seed),
        },
        sources=SOURCES, command=command, generated=generated,
    )  # fmt: skip


def _counts(found: Study) -> Facts:
    from thrifty.lenses.numerics.laboratory.study import counted

    said = counted(found.attended)
    names = {
        "tiles that a row visits": said["visits_per_row"], "times its maximum moved after the first": said["rescales_per_row"],
        "share of visits at which the maximum repeats": said["repeated_share"], "share of P that became 0 before PV": said["p_underflow_share"],
        "infinite scores": said["score_overflows"], "largest deviation of log-sum-exp from the baseline's": found.lse_deviation,
    }  # fmt: skip
    return Facts({name: Number(value=float(value), truth="measured") if value is not None else "none" for name, value in names.items()}, caption="Counts")


def _readings(found: Study) -> list[str]:
    tiles, rows = found.attended.tiles, []
    if found.attended.policy.algorithm != "baseline" and tiles > 1:
        expected = math.log(tiles) + 0.5772 - 1.0 + 1.0 / (2 * tiles)
        rows.append(f"For scores that are independent of their place, the maximum moves {expected:.3g} times after the first of {tiles} tiles.")
    if found.attended.policy.algorithm == "fa1":
        rows.append("Flash 1 rounds the row sum and the output at every tile, whether the maximum moved or not.")
    rows.append("Tiles of queries cannot matter: rows are rounded by themselves. Only scales of quantised blocks depend on them.")
    return rows


def _sites(policy: Policy, working: str) -> Table:
    rows: list[list[Cell]] = []
    for site, what in SITES.items():
        if not site.startswith("b.") and site != "in.do":
            to = policy.rounding(site, working)
            rows.append([site, to.spec.name, to.mode, to.overflow, what])
    return Table(
        columns=[Column(key="site", title="Site"), Column(key="format", title="Format"), Column(key="rounding", title="Rounding"),
                 Column(key="overflow", title="Beyond the largest"), Column(key="what", title="What")],
        rows=rows, caption=f"Sites of {policy.name}",
    )  # fmt: skip


def _sums(policy: Policy, working: str) -> Table:
    rows: list[list[Cell]] = [[site, policy.accumulator(site, working), what] for site, what in ACCUMULATORS.items() if site in ("s.acc", "l.acc", "o.acc")]
    return Table(columns=[Column(key="sum", title="Sum"), Column(key="kept", title="Kept by"), Column(key="what", title="What")], rows=rows, caption="Sums")


def sweep_page(made: Sweep, *, command: str, generated: str) -> Page:
    """A grid."""
    axes = list(made.axes)
    columns = [
        *(Column(key=name, title=name, truth=None if name in ("inputs", "format") else "given", style="auto" if name in ("inputs", "format") else "integer")
          for name in axes),
        Column(key="max", title="Largest deviation", truth="measured"), Column(key="rmse", title="RMSE", truth="measured"),
        Column(key="bias_ratio", title="Bias", truth="measured"), Column(key="ratio", title="Ratio to baseline", truth="measured"),
        Column(key="rescales", title="Rescales a row", truth="measured"), Column(key="floor", title="At floor"),
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [*(row[name] for name in axes), row["max"], row["rmse"], row["bias_ratio"], row["ratio_to_baseline"], row["rescales_per_row"],
         "yes" if row["at_floor"] else "baseline" if row["baseline_at_floor"] else ""] for row in made.rows
    ]  # fmt: skip
    worst = max(made.rows, key=lambda row: row["ratio_to_baseline"] or 0.0)
    place = ", ".join(f"{name} {worst[name]}" for name in axes)
    maps = _maps(made, "ratio_to_baseline", "Ratio to baseline") + _maps(made, "max", "Largest deviation") if len(axes) > 1 else []
    sections = [Section("Points", [Table(columns=columns, rows=rows, caption=f"{made.policy} against {made.baseline}")], id="points")]
    if maps:
        sections.insert(0, Section("Heat maps", maps, id="maps"))
    sections.append(Section("Curves", _curves(made), id="curves"))
    sections.append(Section("Scope", [Note(SCOPE)], id="scope"))
    return Page(
        title=f"Attention under {made.policy}, over {', '.join(axes)}",
        summary=f"{len(made.rows)} points. The largest ratio to {made.baseline} is **{worst['ratio_to_baseline'] or 0.0:.3g}**, at {place}.",
        sections=sections, inputs={name: ", ".join(points) for name, points in made.axes.items()}, sources=SOURCES, command=command, generated=generated,
    )  # fmt: skip


def _maps(made: Sweep, key: str, title: str) -> list[Chart]:
    """One heat map for each point of the slower axes; the last two axes span it."""
    *slower, y, x = made.axes
    groups: dict[tuple[Any, ...], list[list[Cell]]] = {}
    for row in made.rows:
        groups.setdefault(tuple(row[name] for name in slower), []).append([str(row[x]), str(row[y]), row[key]])
    charts = []
    for place, rows in groups.items():
        where = ", ".join(f"{name} {value}" for name, value in zip(slower, place, strict=True))
        charts.append(Chart(
            kind="heat map", title=f"{title}{f': {where}' if where else ''}", x=x, y=y, colour=key,
            columns=[Column(key=x, title=x), Column(key=y, title=y), Column(key=key, title=title, truth="measured")], rows=rows,
            alt=f"A grid of {y} by {x}; the colour of each cell is the {title.lower()} of {made.policy} there.",
        ))  # fmt: skip
    return charts


def _curves(made: Sweep) -> list[Chart | Text]:
    """Ratio along each axis of numbers, one line for each point of the others."""
    charts: list[Chart | Text] = []
    for name in made.axes:
        if name in ("inputs", "format") or len(made.axes[name]) < 2:
            continue
        others = [other for other in made.axes if other != name]
        rows: list[list[Cell]] = [
            [", ".join(str(row[other]) for other in others) or made.policy, float(row[name]), row["ratio_to_baseline"]]
            for row in made.rows if row["ratio_to_baseline"] is not None
        ]  # fmt: skip
        charts.append(Chart(
            kind="line", title=f"Ratio to baseline over {name}", x=name, y="ratio", series="line", x_log=True,
            columns=[Column(key="line", title=", ".join(others) or "policy"), Column(key=name, title=name, truth="given"),
                     Column(key="ratio", title="Ratio to baseline", truth="measured")], rows=rows,
            alt=f"Lines of the ratio to the baseline's largest deviation over {name}, on a logarithmic axis, one line for each of {', '.join(others)}.",
        ))  # fmt: skip
    return charts or [Text("No axis of numbers was swept.")]


def known() -> dict[str, Any]:
    """What can be named."""
    return {
        "policies": {name: title for name, (title, _) in PRESETS.items()}, "sites": dict(SITES), "accumulators": dict(ACCUMULATORS),
        "options": {each.name: asdict(Options())[each.name] for each in fields(Options)}, "inputs": dict(KINDS),
    }  # fmt: skip


def list_page(*, command: str, generated: str) -> Page:
    """The same as a page."""
    def table(caption: str, heading: str, rows: dict[str, Any]) -> Table:
        return Table(columns=[Column(key="name", title=heading), Column(key="what", title="What")], rows=[[name, str(what)] for name, what in rows.items()],
                     caption=caption)  # fmt: skip

    said = known()
    parts = (("policies", "Policies", "Policy"), ("sites", "Sites at which a result is rounded", "Site"), ("accumulators", "Sums", "Sum"),
             ("options", "Options and their usual values", "Option"), ("inputs", "Distributions of inputs", "Inputs"))  # fmt: skip
    return Page(
        title="What attention can be told", summary="Policies, sites, sums, options and inputs that `thrifty numerics attention` knows.",
        sections=[Section(caption, [table(caption, heading, said[key])], id=key) for key, caption, heading in parts], inputs={}, command=command,
        generated=generated,
    )  # fmt: skip

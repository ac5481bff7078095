"""Which site causes the error, and the cheapest formats within a budget, as pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from thrifty.report import Block, Bullets, Cell, Chart, Code, Column, Facts, Note, Number, Page, Section, Table, Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from thrifty.lenses.numerics.search import Attribution, Budgeted
    from thrifty.lenses.numerics.search.attributing import Part


def attribution_page(found: Attribution, *, command: str, generated: str) -> Page:
    """The whole page."""
    return Page(
        title=f"Which site causes the error of {found.policy}", summary=attribution_sentence(found), sections=attribution_sections(found),
        inputs=_inputs(found.settings), command=command, generated=generated,
    )  # fmt: skip


def attribution_sentence(found: Attribution) -> str:
    first = found.families[0]
    return (
        f"All sites together deviate from golden by at most {found.everything.max:.3g} (RMSE {found.everything.rmse:.3g}). Of the squared error "
        f"**{first.share or 0:.0%}** is due to **{first.name}** ({', '.join(first.members)}); without its roundings RMSE is {first.without.rmse:.3g}."
    )


def attribution_sections(found: Attribution) -> list[Section]:
    """In the order in which they should be read."""
    return [
        Section("Families of sites", [_parts(found.families, "Shares of the squared error by Shapley's rule, from every coalition of families"), _bars(found)],
                id="families"),
        Section("Sites", [_parts(found.sites, "One site at a time, and all but one")], id="sites"),
        Section("How to read this", [Bullets([
            "Alone: inputs rounded, this site rounded, everything else FP64. Without: everything as the policy has it, this site FP64.",
            "Share: mean change of the squared error when the family joins, over all orders; shares add up to 1. Below 0: its roundings cancel others'.",
            "Predicted: what bounds derived from the policy expect of the site (95% of elements below), before anything was run with it alone.",
        ])], id="reading"),
    ]  # fmt: skip


def attribution_brief(found: Attribution) -> list[Block]:
    """For an assessment."""
    return [Text(attribution_sentence(found)), _parts(found.families, "Shares of the squared error")]


def _parts(parts: Sequence[Part], caption: str) -> Table:
    rows: list[list[Cell]] = [
        [each.name, each.keeps, each.share, each.error, each.alone.rmse, each.alone.max, each.without.rmse, each.without.max, each.predicted] for each in parts
    ]
    columns = (
        Column(key="site", title="Site"), Column(key="keeps", title="Keeps"), Column(key="share", title="Share", truth="measured", style="percent"),
        Column(key="share_error", title="± of it", truth="measured", style="percent"), Column(key="alone_rmse", title="RMSE alone", truth="measured"),
        Column(key="alone_max", title="Max alone", truth="measured"), Column(key="without_rmse", title="RMSE without", truth="measured"),
        Column(key="without_max", title="Max without", truth="measured"), Column(key="predicted", title="Predicted", truth="modelled"),
    )  # fmt: skip
    kept = [place for place in range(len(columns)) if place < 2 or any(row[place] is not None for row in rows)]
    return Table(columns=[columns[place] for place in kept], rows=[[row[place] for place in kept] for row in rows], caption=caption)


def _bars(found: Attribution) -> Chart:
    return Chart(
        kind="bars", title="Share of the squared error", x="share", y="family",
        columns=(Column(key="family", title="Family"), Column(key="share", title="Share", truth="measured", style="percent")),
        rows=[[each.name, each.share] for each in found.families],
        alt="Bars, one a family of sites, as long as its share of the squared error by Shapley's rule, the largest first.",
    )  # fmt: skip


def budget_page(found: Budgeted, *, command: str, generated: str) -> Page:
    """The whole page."""
    return Page(
        title="The cheapest formats within a deviation", summary=budget_sentence(found), sections=budget_sections(found), inputs=_inputs(found.settings),
        command=command, generated=generated,
    )  # fmt: skip


def budget_sentence(found: Budgeted) -> str:
    tried = [each for each in found.candidates if each.deviates is not None]
    if found.chosen is None:
        least = min(each.deviates.by(found.metric) for each in tried if each.deviates is not None)
        return f"None of {len(found.candidates)} combinations keeps {found.metric} within {found.budget:.3g}; the least is {least:.3g}."
    most = max(each.by(found.metric) for each in found.verified.values()) if found.verified else float("nan")
    dear = max(each.price.energy_j for each in found.candidates)
    said = ", ".join(f"{group} {name}" for group, name in found.chosen.formats.items())
    return (
        f"**{said}** keeps {found.metric} within {found.budget:.3g} at {found.chosen.price.energy_j / dear:.0%} of the energy of the dearest combination"
        + (f"; run on {len(found.verified)} other draws it deviates by at most {most:.3g}." if found.verified else ".")
    )


def budget_sections(found: Budgeted) -> list[Section]:
    """In the order in which they should be read."""
    made: list[Section] = []
    if found.chosen is not None and found.policy is not None:
        price = found.chosen.price
        made.append(Section("The answer", [
            Facts({
                "energy": Number(value=price.energy_j, unit="J", truth="modelled"), "time": Number(value=price.time_s, unit="s", truth="modelled"),
                "bytes moved": Number(value=price.moved_bytes, unit="B", truth="modelled"),
                "bytes on chip": Number(value=price.onchip_bytes, unit="B", truth="modelled"),
            }, caption=f"One forward attention on {found.settings['device']}"),
            Table(
                columns=(
                    Column(key="seed", title="Draw"), Column(key="max", title="Max", truth="measured"), Column(key="rmse", title="RMSE", truth="measured"),
                ),
                rows=[[str(seed), each.max, each.rmse] for seed, each in found.verified.items()], caption="Run in full on draws that it was not chosen by",
            ),
            Code(_toml(found.policy.to_dict()), "The policy, for --policy FILE.toml"),
        ], id="answer"))  # fmt: skip
    made += [
        Section("Cost and deviation", [_front(found)], id="front"),
        Section("Combinations that nothing beats", [_table(found)], id="table"),
        Section("How sure this is", [Note(_sure(found)), *_model(found)], id="sure"),
    ]
    return made


def budget_brief(found: Budgeted) -> list[Block]:
    """For an assessment."""
    return [Text(budget_sentence(found)), _table(found)]


def _sure(found: Budgeted) -> str:
    tried = sum(each.deviates is not None for each in found.candidates)
    return (
        f"All {len(found.candidates)} combinations were priced, {tried} run, none cheaper than the answer left out. Wider formats are not always nearer: in "
        f"{found.worse} of {found.wider_pairs} pairs that differ by one group's wider format the wider one deviated more. {found.dropped} cheaper ones met the "
        "budget on the rows tried and failed on other draws."
    )


def _model(found: Budgeted) -> list[Block]:
    return [Bullets([
        f"Energy: model {found.settings['model']} ({found.settings['published_error']}).",
        *(f"{note[0].upper()}{note[1:]}." for note in found.settings["notes"]),
        "No data sheet says what registers draw, so formats of scores and state change bytes on chip only, which break ties.",
    ])]  # fmt: skip


def _front(found: Budgeted) -> Chart:
    rows: list[list[Cell]] = [
        [_short(each.formats), each.price.energy_j, each.deviates.by(found.metric), each.front] for each in found.candidates if each.deviates is not None
    ]
    return Chart(
        kind="scatter", title=f"Energy against {found.metric}", x="energy_j", y="deviation", label="formats", front="front", y_log=True,
        columns=(
            Column(key="formats", title="Formats"), Column(key="energy_j", title="Energy", unit="J", truth="modelled"),
            Column(key="deviation", title=found.metric, truth="measured"), Column(key="front", title="Nothing beats it"),
        ),
        rows=[row for row in rows if isinstance(row[2], float) and row[2] < float("inf")],
        alt="Points, one a combination of formats: energy of one attention against its deviation on a logarithmic axis; those that nothing beats stand out.",
    )  # fmt: skip


def _table(found: Budgeted) -> Table:
    shown = [each for each in found.candidates if each.front or each is found.chosen]
    return Table(
        columns=(
            Column(key="formats", title="inputs, scores, p, state, output"), Column(key="energy_j", title="Energy", unit="J", truth="modelled"),
            Column(key="time_s", title="Time", unit="s", truth="modelled"), Column(key="onchip", title="Bytes on chip", unit="B", truth="modelled"),
            Column(key="max", title="Max", truth="measured"), Column(key="rmse", title="RMSE", truth="measured"), Column(key="meets", title="Meets the budget"),
        ),
        rows=[
            [
                _short(each.formats), each.price.energy_j, each.price.time_s, each.price.onchip_bytes, each.deviates.max, each.deviates.rmse,
                "yes" if each.deviates.by(found.metric) <= found.budget else "no",
            ]
            for each in shown if each.deviates is not None
        ],
        caption=f"By cost; the budget is {found.metric} {found.budget:.3g}", strong_rows=[place for place, each in enumerate(shown) if each is found.chosen],
    )  # fmt: skip


def _short(formats: Mapping[str, str]) -> str:
    return ", ".join(name.removeprefix("fp8_") for name in formats.values())


def _inputs(settings: Mapping[str, Any]) -> dict[str, Number | str]:
    return {
        name: ", ".join(f"{key}: {'/'.join(map(str, each))}" for key, each in value.items()) if isinstance(value, dict) else str(value)
        for name, value in settings.items() if value is not None and not isinstance(value, list)
    }  # fmt: skip


def _toml(said: dict[str, Any]) -> str:
    """A policy as its file."""
    def write(value: Any) -> str:
        return ("true" if value else "false") if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else repr(value)

    lines = [f"{key} = {write(said[key])}" for key in ("name", "algorithm")]
    for table in ("sites", "accumulators", "options"):
        lines += ["", f"[{table}]", *(f'"{key}" = {write(value)}' for key, value in said[table].items())]
    return "\n".join(lines)

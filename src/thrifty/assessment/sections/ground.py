"""What energy and carbon stand on: the models, their published error, the interval, what sheets lack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thrifty.assessment.sections.words import device_label, listed, modelled, spanning
from thrifty.cost import Case
from thrifty.cost.carbon import CarbonModel
from thrifty.cost.energy import EnergyModel
from thrifty.footprint import Interval
from thrifty.hardware.device import Fact
from thrifty.report import Block, Bullets, Cell, Column, Facts, Number, Section, Table, Text

if TYPE_CHECKING:
    from thrifty.assessment.result import Assessment

def section(a: Assessment) -> Section:
    case = a.case
    energy, carbon = EnergyModel.of(case.device), CarbonModel.of(case.device, case.site)
    foot, unit, site = case.per_unit, case.job.unit, case.site
    running, making = carbon.g_per_j * foot.energy_j, carbon.g_per_s * foot.time_s
    facts: dict[str, Number | str] = {
        f"Energy of one {unit}": modelled(foot.energy_j, "J", energy.name),
        "at most, were the chip at full power all the time": modelled(energy.tdp_bound_j(foot.time_s), "J"),
        "Error of the energy model": energy.published_error,
        "Power at rest, while anything runs, at most": f"{energy.idle_w:.3g} W, {energy.static_w:.3g} W, {energy.tdp_w:.3g} W",
        f"Carbon of one {unit}": spanning(foot.carbon_gco2e, "gCO2e", carbon.name),
        "of it running": spanning(running, "gCO2e") if running.low != running.high else modelled(running.mid, "gCO2e"),
        "of it the share of making the device": spanning(making, "gCO2e"),
        f"Grid of {site.title}, {site.year}, {site.intensity_scope}": _fact(site.facts.get("intensity"), site.intensity_gco2e_per_kwh, "gCO2e/kWh"),
        "Building (PUE)": _fact(site.facts.get("pue"), site.pue, ""),
        "Life of the device": spanning(Interval(carbon.life_s.low, carbon.life_s.mid, carbon.life_s.high), "s"),
        "Models of making silicon and memory": listed(carbon.models),
    }  # fmt: skip
    blocks: list[Block] = [
        Text("No sensor was read: **energy is modelled** from time, FLOPs and bytes, and carbon from energy, the site and the device's making. The carbon "
             "interval is the span over public models of manufacture and over service lives, which disagree by a factor of ten and more for memory; it is no "
             "confidence interval."),
        Facts(facts), _making(case, carbon),
    ]  # fmt: skip
    notes = list(dict.fromkeys((*case.device.notes, *energy.notes, *carbon.notes, *site.notes)))
    if notes:
        blocks.append(Bullets([_sentence(note) for note in notes]))
    return Section("What energy and carbon stand on", blocks, id="ground")


def _fact(fact: Fact | None, value: float, unit: str) -> Number:
    """A site's number with its source."""
    return Number(value=value, unit=unit, truth="literature", source=fact.source if fact is not None else "", style="plain")


def _making(case: Case, carbon: CarbonModel) -> Table:
    parts = carbon.embodied
    names = (("Die", parts.die_gco2e, "die"), ("Package", parts.package_gco2e, ""), ("Memory", parts.memory_gco2e, "memory"), ("Board", parts.board_gco2e, ""))
    rows: list[list[Cell]] = [[name, span.low, span.mid, span.high, ", ".join(parts.models.get(key, ())) or "one"] for name, span, key in names]
    total = parts.total_gco2e
    rows.append(["Device", total.low, total.mid, total.high, ""])
    ends = [Column(key=key, title=title, unit="gCO2e", truth="modelled") for key, title in (("low", "Least"), ("mid", "Median"), ("high", "Most"))]
    columns = [Column(key="part", title="Part"), *ends, Column(key="models", title="Models")]
    return Table(columns=columns, rows=rows, caption=f"Making {device_label(case)}", strong_rows=[len(rows) - 1])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")

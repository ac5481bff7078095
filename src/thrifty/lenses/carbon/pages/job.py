"""A job's carbon as a page: who emits what, a unit of use, the predictors beside, and the ground."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from thrifty.cost.carbon import CarbonModel
from thrifty.cost.carbon.citing import cited
from thrifty.report import Block, Bullets, Cell, Chart, Column, Number, Page, Section, Table, Text, made_now, number_text

if TYPE_CHECKING:
    from thrifty.footprint import Interval
    from thrifty.lenses.carbon.workloads import JobCarbon, Reference

CARBON: Final = Column(key="carbon_gco2e", title="Carbon", unit="gCO2e", truth="modelled")
WORDS: Final = {
    "devices": "devices at work", "idle": "devices waiting", "hosts": "hosts", "building": "building (PUE)",
    "devices made": "devices", "hosts made": "hosts",
}  # fmt: skip
SOURCES: Final = ("llmcarbon-2024", "mlcarbon-data", "ecologits-llm", "bloom-2023")


def spanning(value: Interval, unit: str = "gCO2e") -> Number:
    """A modelled number with what public models span."""
    return Number(value=value.mid, low=value.low, high=value.high, unit=unit, truth="modelled")


def job_page(job: JobCarbon, references: Sequence[Reference], *, command: str) -> Page:
    """Everything about one job."""
    total, verb = job.footprint.carbon_gco2e, {"train": "Training", "finetune": "Fine-tuning", "serve": "Serving"}[job.task]
    share = job.embodied_total_gco2e.mid / total.mid
    unit, each = next(iter(job.per().items()))
    return Page(
        title=f"Carbon of {verb.lower()} {job.workload} on {job.machine.devices} × {job.machine.device.title}",
        summary=(
            f"{verb} emits {number_text(total.mid, 'gCO2e')} ({number_text(total.low, 'gCO2e')} to {number_text(total.high, 'gCO2e')}), "
            f"{share:.0%} of it the share of making machines; {number_text(each.mid, 'gCO2e')} a {unit}."
        ),
        headline={
            "Carbon": spanning(total), "Energy of machines": Number(value=job.footprint.energy_j / 3600, unit="Wh", truth="modelled"),
            "Device hours": Number(value=job.device_hours, unit="h", truth="modelled", style="plain"),
            "Grid": Number(value=job.intensity_g_per_kwh, unit="gCO2e/kWh", truth="literature" if job.place.grid is None else "modelled"),
        },
        sections=[who(job), units(job), *([beside(job, references)] if references else []), limits(job)],
        inputs={
            "workload": job.workload, "machine": job.machine.system.name, "how": job.runs.how, "site": job.place.site.title,
            "PUE": Number(value=job.place.site.pue, truth="literature"), "intensity": job.place.said,
            "busy share": Number(value=job.busy, truth="given", style="percent"),
        },
        sources=cited([*SOURCES, *CarbonModel.of(job.machine.device, job.place.site).sources]),
        command=command, generated=made_now(),
    )  # fmt: skip


def who(job: JobCarbon) -> Section:
    """Operational by who draws, embodied by what was made."""
    drawn = sum(job.energy_j.values())
    rows: list[list[Cell]] = [
        ["running", WORDS[name], Number(value=job.operational_gco2e * joules / drawn, unit="gCO2e", truth="modelled")]
        for name, joules in job.energy_j.items() if joules
    ]  # fmt: skip
    rows += [["making", WORDS[f"{name} made"], spanning(value)] for name, value in job.embodied_gco2e.items() if value.mid]
    columns = (Column(key="kind", title="By"), Column(key="part", title="Part"), Column(key="carbon", title="Carbon", unit="gCO2e"))
    chart = Chart(
        kind="stacked bars", title="Carbon by part", columns=columns, rows=rows, x="carbon", y="kind", series="part",
        alt=f"Stacked bars of the grams of CO2e of running and of making, by part. Running: {number_text(job.operational_gco2e, 'gCO2e')}.",
    )  # fmt: skip
    return Section("Who emits it", [chart], id="who")


def units(job: JobCarbon) -> Section:
    """A unit of use."""
    rows: list[list[Cell]] = [[name, spanning(value)] for name, value in job.per().items()]
    return Section("A unit of use", [Table(columns=(Column(key="unit", title="A"), Column(key="carbon", title="Carbon", unit="gCO2e")), rows=rows,
                                           caption="Everything above, divided by what comes out")], id="units")  # fmt: skip


def beside(job: JobCarbon, references: Sequence[Reference]) -> Section:
    """Predictors of the literature, and why they differ."""
    ours: list[Cell] = ["thrifty", None, Number(value=job.operational_gco2e, unit="gCO2e", truth="modelled"), spanning(job.embodied_total_gco2e)]
    rows = [ours]
    for each in references:
        said = each.prediction
        made = None if said.embodied_gco2e is None else Number(value=said.embodied_gco2e, unit="gCO2e", truth="literature")
        rows.append(
            [said.predictor, Number(value=each.ratio, truth="literature", digits=2),
             Number(value=said.operational_gco2e, unit="gCO2e", truth="literature"), made]
        )  # fmt: skip
    columns = (
        Column(key="who", title="Who"), Column(key="ratio", title="Over ours", truth="literature"),
        Column(key="operational", title="Running", unit="gCO2e"), Column(key="embodied", title="Making", unit="gCO2e"),
    )  # fmt: skip
    blocks: list[Block] = [Text("Literature predictors for the same work at the same site. They are references, not a second opinion that is averaged in."),
                           Table(columns=columns, rows=rows, caption="The same job by others"),
                           Bullets([f"**{each.prediction.predictor}**: {each.reason}" for each in references])]  # fmt: skip
    return Section("What others predict", blocks, id="others")


def limits(job: JobCarbon) -> Section:
    """What was assumed and what is left out."""
    fixed = [
        "Left out: failed and repeated runs, storage, data preparation, development before the final run.",
        "Making is charged by time over service lives of 4 to 6 years; public models of it disagree by a factor of ten and more.",
    ]
    return Section("Limits", [Bullets([*(f"{note[0].upper()}{note[1:]}." for note in job.notes), *fixed])], id="limits")

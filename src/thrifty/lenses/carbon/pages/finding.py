"""What the carbon lens saw, as sections: running against making, parts and models, hours of the day, equalities, the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thrifty.report import Block, Bullets, Cell, Chart, Code, Column, Number, Section, Table, Text, number_text

if TYPE_CHECKING:
    from thrifty.lenses.carbon.finding import CarbonFinding


def sections_of(finding: CarbonFinding) -> list[Section]:
    """In the order in which they should be read."""
    found = [
        Section("Running and making", [running(finding), Text(equalities(finding))], id="running"),
        Section("Making, part by part", [parts(finding), *models(finding)], id="making"),
    ]
    if finding.hours is not None:
        found.append(Section("Hours of the day", [Text(when(finding)), hours(finding)], id="hours"))
    found.append(Section("Ledger", [ledger(finding)], id="ledger"))
    if finding.notes:
        found.append(Section("What was assumed", [Bullets([f"{note[0].upper()}{note[1:]}." for note in finding.notes])], id="assumed"))
    return found


def brief_of(finding: CarbonFinding) -> list[Block]:
    """For an assessment: both sides, who disagrees, when, and a command for the whole life of a job."""
    blocks: list[Block] = [running(finding), Text(equalities(finding)), parts(finding)]
    if finding.hours is not None:
        blocks += [Text(when(finding)), hours(finding)]
    site = "" if finding.case.site.name == "world" else f" --site {finding.case.site.name}"
    device = finding.case.device.name
    return [*blocks, Code(f"thrifty carbon workload {finding.case.job.name} --on {device} --task serve --requests 1e6{site}", "A whole job, hosts included")]


def running(finding: CarbonFinding) -> Table:
    """Running and making, a unit and the whole job."""
    units = finding.case.job.units
    ran, made = finding.operational_gco2e, finding.embodied_gco2e
    rows: list[list[Cell]] = [
        ["running", ran / units, None, None, ran],
        ["making, its share of life", made.mid / units, made.low / units, made.high / units, made.mid],
    ]
    unit = finding.case.job.unit
    return Table(
        columns=(
            Column(key="side", title="Of"), _grams("unit", f"A {unit}"), _grams("low", "Least"), _grams("high", "Most"), _grams("job", "All of it"),
        ),
        rows=rows, caption=f"Carbon of {finding.case.job.name} on {finding.case.device.name}: running it, and having made the device",
    )  # fmt: skip


def _grams(key: str, title: str) -> Column:
    return Column(key=key, title=title, unit="gCO2e", truth="modelled")


def equalities(finding: CarbonFinding) -> str:
    """When running has emitted as much as making, and on which grid it never does."""
    equal, grid = finding.equal_years, finding.equal_g_per_kwh
    drawn = f"At {number_text(finding.power_w, 'W')} and {finding.case.site.intensity_gco2e_per_kwh:.0f} gCO2e/kWh"
    years = "running never emits what making did" if equal is None else (
        f"running around the clock has emitted what making did after {_years(equal.mid)} ({_years(equal.low)} to {_years(equal.high)})"
    )  # fmt: skip
    return (
        f"{drawn}, {years}. Over a whole service life both are equal on a grid of {_round(grid.mid)} gCO2e/kWh ({_round(grid.low)} to {_round(grid.high)}): "
        "on a cleaner one, making counts for more (modelled)."
    )


def _round(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2g}"


def _years(years: float) -> str:
    return f"{years * 365.25:.2g} days" if years < 1 / 6 else f"{years * 12:.2g} months" if years < 2 else f"{years:.3g} years"


def parts(finding: CarbonFinding) -> Table:
    """Making one device by part, with the models' disagreement."""
    rows: list[list[Cell]] = [
        [part, made.low, made.mid, made.high, finding.disagreement(part), len(finding.by_model.get(part, {}))] for part, made in finding.making.items()
    ]
    columns = (
        Column(key="part", title="Part"), _grams("low", "Least"), _grams("mid", "Median"), _grams("high", "Most"),
        Column(key="ratio", title="Most over least", truth="modelled", digits=2), Column(key="models", title="Models", truth="given", style="integer"),
    )  # fmt: skip
    return Table(columns=columns, rows=rows, caption="Making one device, part by part; the range is what public models disagree on")


def models(finding: CarbonFinding) -> list[Block]:
    """A bar a model, for the parts that several cover."""
    rows: list[list[Cell]] = [
        [f"{part}: {name}", Number(value=grams, unit="gCO2e", truth="modelled")]
        for part, said in finding.by_model.items() for name, grams in said.items() if grams
    ]  # fmt: skip
    if not rows:
        return []
    return [
        Chart(
            kind="bars", title="What public models say of a part", rows=rows,
            columns=(Column(key="who", title="Part and model"), Column(key="g", title="Making", unit="gCO2e")),
            x="g", y="who", alt="Bars of the grams of CO2e that each public model charges for making the die and the memory of the device.",
        )
    ]  # fmt: skip


def when(finding: CarbonFinding) -> str:
    """The best and the worst hour."""
    found = finding.hours
    if found is None:
        return ""
    low, high = found.g_per_kwh_H[found.least], found.g_per_kwh_H[found.most]
    other = "" if found.scope == finding.case.site.intensity_scope else " The yearly average above counts plants' own emissions only; do not compare the two."
    return (
        f"By local hour, the grid is cleanest at {found.least}:00 ({low:.0f} gCO2e/kWh on average) and dirtiest at {found.most}:00 ({high:.0f}): "
        f"running then emits {high / low - 1:.0%} more. {found.scope.capitalize()}, {found.years}.{other}"
    )


def hours(finding: CarbonFinding) -> Chart:
    """Intensity and the carbon of a unit through the day."""
    found = finding.hours
    values = found.g_per_kwh_H if found is not None else ()
    rows: list[list[Cell]] = [[hour, value, each] for hour, (value, each) in enumerate(zip(values, finding.by_hour(), strict=True))]
    return Chart(
        kind="line", title="Intensity of the grid by local hour", rows=rows, x="hour", y="intensity",
        columns=(
            Column(key="hour", title="Hour of the day", truth="given", style="integer"),
            Column(key="intensity", title="Intensity", unit="gCO2e/kWh", truth="modelled"),
            Column(key="unit", title=f"Running a {finding.case.job.unit}", unit="gCO2e", truth="modelled"),
        ),
        alt=f"Line of the mean carbon intensity of the grid over the 24 hours of the day. {when(finding)}",
    )  # fmt: skip


def ledger(finding: CarbonFinding) -> Table:
    """Totals of the ledger by phase and scope."""
    rows: list[list[Cell]] = []
    for row in finding.ledger().rows():
        rows.append([row["asset"], row["phase"], f"scope {row['scope']}", Number(value=row["carbon_gco2e"], unit="gCO2e", truth="modelled")])
    columns = (
        Column(key="asset", title="Asset"), Column(key="phase", title="Phase"), Column(key="scope", title="Scope"),
        Column(key="g", title="Carbon", unit="gCO2e"),
    )  # fmt: skip
    return Table(columns=columns, rows=rows, caption="The whole job in the ledger; making at the middle of its range")

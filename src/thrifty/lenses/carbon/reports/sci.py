"""Software Carbon Intensity, ISO/IEC 21031:2024.

    SCI = ((E · I) + M) / R        M = Σ TE · (TiR / EL) · (RR / ToR)

E: energy of the software, I: intensity of its grid by location, M: its share of making hardware, R: functional units. Offsets are stated apart and never
subtracted. With `ai = true` the stages of a model's life that are charged to these units stand beside (SCI for AI).
"""

from __future__ import annotations

import math
from typing import Final

from thrifty.errors import BadValue
from thrifty.lenses.carbon.ledger import Ledger
from thrifty.lenses.carbon.reports.contents import Line, Missing, Report, facts_of
from thrifty.lenses.carbon.reports.inputs import ABOUT, Field, Numbers, check_period, missing_of
from thrifty.quantities import J_PER_KWH

HARDWARE: Final = (
    Field(key="name", kind="text", meaning="what it is", asked=False), Field(key="total_embodied", dimension="carbon", meaning="TE: of making it"),
    Field(key="reserved_time", dimension="time", meaning="TiR: time for which the software reserves it"),
    Field(key="expected_life", dimension="time", above=True, meaning="EL: its expected life"),
    Field(key="reserved_resources", kind="number", meaning="RR: resources reserved for the software"),
    Field(key="total_resources", kind="number", above=True, meaning="ToR: resources that it has"),
)  # fmt: skip
STAGES: Final = ("data_preparation", "training", "fine_tuning", "retirement")
FIELDS: Final = (
    Field(key="software", kind="text", meaning="name and version of what is scored"),
    Field(key="boundary", kind="text", meaning="what is inside and what is not"),
    *ABOUT, Field(key="functional_unit", kind="text", meaning="R: what one unit is, e.g. request"),
    Field(key="functional_units", kind="number", above=True, meaning="R: how many of them"),
    Field(key="energy", dimension="energy", meaning="E: electricity of the software's machines"),
    Field(key="pue", kind="number", low=1.0, asked=False, meaning="energy of the building over that of its machines"),
    Field(key="intensity", dimension="carbon_per_energy", meaning="I: of the grid where it runs, by location"),
    Field(key="intensity_source", kind="text", meaning="who states I, for which region and time"),
    Field(key="embodied", dimension="carbon", asked=False, meaning="M, where it is known as one number"),
    Field(key="hardware", kind="tables", asked=False, inside=HARDWARE, meaning="M, machine by machine"),
    Field(key="offsets", dimension="carbon", asked=False, meaning="bought to compensate; stated apart"),
    Field(key="ai", kind="flag", asked=False, meaning="the software is an AI model: its life counts too"),
    *(
        Field(key=f"stages.{stage}", dimension="carbon", asked=False, meaning=f"{stage.replace('_', ' ')}: its share charged to these units")
        for stage in STAGES
    ),
)  # fmt: skip


def share_of_making(machine: Numbers, where: str) -> float:
    """M of one machine in grams: TE · (TiR / EL) · (RR / ToR). Raises BadValue for a part that is missing, or a share above 1."""
    for field in HARDWARE:
        if field.asked and field.key not in machine:
            raise BadValue(f"{where} has no {field.key} ({field.meaning}). Add it, or state embodied as one number.")
    in_time, in_room = machine["reserved_time"] / machine["expected_life"], machine["reserved_resources"] / machine["total_resources"]
    if in_time > 1 or in_room > 1:
        what = ("reserved_time", "expected_life", in_time) if in_time > 1 else ("reserved_resources", "total_resources", in_room)
        raise BadValue(f"{where}: {what[0]} is {what[2]:.3g} times {what[1]}. Its share of a machine is 1 at most.")
    return float(machine["total_embodied"] * in_time * in_room)


def sci_report(numbers: Numbers, ledger: Ledger | None = None, name: str = "input") -> Report:
    """The score and what is missing. A ledger gives E·I (use) and M (all other phases) where the file does not.

    Raises BadValue without a functional unit, or for something stated twice.
    """
    check_period(numbers, name)
    for key in ("functional_unit", "functional_units"):
        if key not in numbers and (numbers or ledger is not None):  # with nothing at all, the answer is the list of what is missing
            raise BadValue(f"{name} has no {key}. A score is per functional unit: add functional_unit = \"request\" and functional_units = 1000000.")
    stated = [key for key in ("embodied", "hardware") if key in numbers]
    beside = [key for key in ("energy", "intensity", "pue") if key in numbers] if ledger is not None else []
    if len(stated) > 1 or (ledger is not None and (stated or beside)):
        raise BadValue(f"{name}: M or E is stated twice, by {', '.join([*stated, *beside, *(['a ledger'] if ledger is not None else [])])}. Keep one.")
    if ledger is not None and "market" in ledger.names("method") and "location" not in ledger.names("method"):
        raise BadValue("the ledger counts electricity by market alone, and a score takes the grid of the place. Book it by location too.")
    if any(key.startswith("stages.") for key in numbers) and not numbers.get("ai"):
        raise BadValue(f"{name} states stages of a model's life and not ai = true. Add it, or leave the stages out.")
    energy_j, intensity, pue = numbers.get("energy"), numbers.get("intensity"), numbers.get("pue", 1.0)
    if ledger is not None:
        running: float | None = _grams(ledger, use=True)
        making: float | None = _grams(ledger, use=False)
    else:
        running = None if energy_j is None or intensity is None else energy_j / J_PER_KWH * pue * intensity
        making = numbers.get("embodied")
        if "hardware" in numbers:
            making = math.fsum(share_of_making(machine, f"{name}: hardware[{index}]") for index, machine in enumerate(numbers["hardware"]))
    units, unit = numbers.get("functional_units"), numbers.get("functional_unit", "functional unit")
    score = None if running is None or making is None or units is None else (running + making) / units
    said = "from the ledger" if ledger is not None else "E · I" if pue == 1 else "E · PUE · I"
    lines = [
        Line(name=f"SCI a {unit}", value=score, unit="gCO2e", formula="((E · I) + M) / R"),
        Line(name="running", value=running, unit="gCO2e", formula=said),
        Line(name="making", value=making, unit="gCO2e", formula="from the ledger" if ledger is not None else "M = Σ TE · (TiR / EL) · (RR / ToR)"
             if "hardware" in numbers else "M as stated"),
        Line(name="functional units", value=units, unit="", formula="R"),
    ]  # fmt: skip
    missing = [Missing(field.key, field.meaning) for field in missing_of(numbers, FIELDS) if ledger is None or field.key not in ("energy", "intensity")]
    if making is None:
        missing.append(Missing("embodied", "M: as one number, or machine by machine as [[hardware]]"))
    notes = ["SCI for AI extends the score over the life of an AI system: set ai = true and state its stages."] if not numbers.get("ai") else []
    if numbers.get("ai"):
        stages = [numbers.get(f"stages.{stage}") for stage in STAGES]
        missing += [
            Missing(f"stages.{stage}", f"{stage.replace('_', ' ')} of the model: its share charged to these units")
            for stage, g in zip(STAGES, stages, strict=True) if g is None
        ]  # fmt: skip
        whole = None if score is None or units is None or any(g is None for g in stages) else score + math.fsum(g for g in stages if g is not None) / units
        lines.append(Line(name=f"with the model's life, a {unit}", value=whole, unit="gCO2e", formula="SCI + Σ stages / R"))
    apart = []
    if "offsets" in numbers:
        apart.append(Line(name="offsets", value=numbers["offsets"], unit="gCO2e", formula="stated apart; a score is lowered by emitting less only"))
        notes.append(f"Offsets of {numbers['offsets'] / 1e6:,.4g} t are not subtracted: the standard excludes them.")
    return Report(
        standard="sci", title=f"Software Carbon Intensity of {numbers.get('software', name)}", lines=tuple(lines), missing=tuple(missing),
        facts=facts_of("sci"), apart=tuple(apart), notes=tuple(notes),
    )  # fmt: skip


def _grams(ledger: Ledger, *, use: bool) -> float:
    """Grams by location of use, or of all other phases."""
    return math.fsum(grams for phase, grams in ledger.counted("location").by("phase").items() if (phase == "use") == use)

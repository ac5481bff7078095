"""Indicators of data centres after Delegated Regulation (EU) 2024/1364, annexes II and III.

    PUE = EDC / EIT        WUE = WIN / EIT        ERF = EREUSE / EDC        REF = ERES-TOT / EDC
"""

from __future__ import annotations

import math
from typing import Final

from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import BadValue
from thrifty.lenses.carbon.ledger import Ledger
from thrifty.lenses.carbon.reports.contents import Line, Missing, Report, facts_of
from thrifty.lenses.carbon.reports.inputs import ABOUT, Field, Numbers, check_period, missing_of
from thrifty.quantities import J_PER_KWH

RENEWABLE: Final = ("renewable_guarantees", "renewable_contracts", "renewable_on_site")
FIELDS: Final = (
    Field(key="name", kind="text", meaning="name of the data centre"), Field(key="operator", kind="text", meaning="its owner and operator"),
    Field(key="place", kind="text", meaning="where it is (local administrative unit)"),
    Field(key="type", kind="text", meaning="enterprise, colocation or co-hosting"),
    *ABOUT, Field(key="it_power", dimension="power", above=True, meaning="PDIT: installed IT power demand"),
    Field(key="floor", dimension="area", meaning="SDC: floor of the data centre"),
    Field(key="computer_room", dimension="area", meaning="SCR: floor of computer rooms"),
    Field(key="energy", dimension="energy", above=True, meaning="EDC: all energy of the data centre"),
    Field(key="it_energy", dimension="energy", above=True, meaning="EIT: energy of IT equipment"),
    Field(key="grid_functions", kind="text", meaning="services to the electricity grid"),
    Field(key="battery_power", dimension="power", meaning="CBtG: average battery capacity offered to the grid"),
    Field(key="water", dimension="volume", meaning="WIN: all water taken in"),
    Field(key="potable_water", dimension="volume", meaning="WIN-POT: drinking water of it"),
    Field(key="reused_heat", dimension="energy", meaning="EREUSE: waste heat that is used"),
    Field(key="heat_c", kind="number", meaning="TWH: temperature of waste heat, °C"),
    Field(key="intake_c", kind="number", meaning="TIN: set point of intake air, °C"), Field(key="refrigerants", kind="names", meaning="types of refrigerants"),
    Field(key="cooling_degree_days", kind="number", meaning="CDD: of the place and year"),
    Field(key="renewable", dimension="energy", meaning="ERES-TOT: renewable energy used"),
    Field(key="renewable_guarantees", dimension="energy", meaning="ERES-GOO: by guarantees of origin"),
    Field(key="renewable_contracts", dimension="energy", meaning="ERES-PPA: by power purchase agreements"),
    Field(key="renewable_on_site", dimension="energy", meaning="ERES-OS: made on site"),
    Field(key="server_capacity", kind="number", meaning="CSERV: of servers"), Field(key="storage_capacity", dimension="capacity", meaning="CSTOR: of storage"),
    Field(key="traffic_in", dimension="capacity", meaning="data that came in"), Field(key="traffic_out", dimension="capacity", meaning="data that went out"),
)  # fmt: skip


def eu_report(numbers: Numbers, ledger: Ledger | None = None, name: str = "input") -> Report:
    """The four indicators, every stated number, and what is missing.

    Raises BadValue for IT energy above all energy (a PUE below 1), a share above 1, renewable parts that do not add up, or a ledger (it has no energy).
    """
    if ledger is not None:
        raise BadValue("a ledger holds grams, and this report is about energy, water and heat. Give a file of numbers alone.")
    check_period(numbers, name)
    energy, it, heat, green = (numbers.get(key) for key in ("energy", "it_energy", "reused_heat", "renewable"))
    parts = [numbers.get(key) for key in RENEWABLE]
    if energy is not None and it is not None and it > energy:
        raise BadValue(f"{name}: it_energy is {it / energy:.4g} times energy, so that PUE is {energy / it:.4g}, below 1. Energy holds that of IT.")
    for key, part in (("reused_heat", heat), ("renewable", green), *zip(RENEWABLE, parts, strict=True)):
        if part is not None and energy is not None and part > energy:
            raise BadValue(f"{name}: {key} is {part / energy:.4g} times energy. Its share is 1 at most.")
    if all(part is not None for part in parts):
        whole = math.fsum(part for part in parts if part is not None)
        if green is not None and not math.isclose(whole, green, rel_tol=1e-6, abs_tol=J_PER_KWH):
            parts_kwh, green_kwh = whole / J_PER_KWH, green / J_PER_KWH
            raise BadValue(f"{name}: {', '.join(RENEWABLE)} add up to {parts_kwh:,.0f} kWh, and renewable is {green_kwh:,.0f} kWh. Mend one of them.")
        green = whole if green is None else green
    for part_key, whole_key in (("potable_water", "water"), ("computer_room", "floor")):
        if part_key in numbers and whole_key in numbers and numbers[part_key] > numbers[whole_key]:
            raise BadValue(f"{name}: {part_key} is above {whole_key}, of which it is a part. Mend one of them.")
    water = numbers.get("water")
    lines = [
        Line(name="PUE", value=_over(energy, it), unit="", formula="EDC / EIT"),
        Line(name="WUE", value=None if it is None or water is None else water / (it / J_PER_KWH), unit="L/kWh", formula="WIN / EIT"),
        Line(name="ERF", value=_over(heat, energy), unit="", formula="EREUSE / EDC"),
        Line(name="REF", value=_over(green, energy), unit="", formula="ERES-TOT / EDC"),
        Line(name="total energy", value=None if energy is None else energy / 3600, unit="Wh", formula="EDC"),
        Line(name="IT energy", value=None if it is None else it / 3600, unit="Wh", formula="EIT"),
        Line(name="installed IT power", value=numbers.get("it_power"), unit="W", formula="PDIT"),
    ]  # fmt: skip
    missing = [Missing(field.key, field.meaning) for field in missing_of(numbers, FIELDS) if not (field.key == "renewable" and green is not None)]
    notes = [_threshold(numbers.get("it_power"))]
    if "period_from" in numbers and "period_to" in numbers and (days := (numbers["period_to"] - numbers["period_from"]).days) not in (365, 366):
        notes.append(f"The period has {days} days; the regulation asks for a calendar year.")
    return Report(
        standard="eu", title=f"Indicators of {numbers.get('name', name)} (EU 2024/1364)", lines=tuple(lines), missing=tuple(missing), facts=facts_of("eu"),
        notes=tuple(notes),
    )  # fmt: skip


def _over(part: float | None, whole: float | None) -> float | None:
    return None if part is None or whole is None else part / whole


def _threshold(it_power_w: float | None) -> str:
    least = load_pack().get("reports:eu.it_power", "power")
    if it_power_w is None:
        return f"Installed IT power is not stated; the regulation's threshold is {least / 1e3:.0f} kW."
    side = "at or above" if it_power_w >= least else "below"
    return f"Installed IT power of {it_power_w / 1e3:,.0f} kW is {side} the regulation's threshold of {least / 1e3:.0f} kW, as read on the day stated."

"""GHG Protocol: emissions by scope, scope 2 by location and by market side by side, scope 3 by its fifteen categories."""

from __future__ import annotations

import math
from typing import Final

from thrifty.errors import BadValue, unknown_name
from thrifty.lenses.carbon.ledger import Ledger
from thrifty.lenses.carbon.reports.contents import Line, Missing, Report, facts_of
from thrifty.lenses.carbon.reports.inputs import ABOUT, Field, Numbers, check_period, missing_of
from thrifty.quantities import J_PER_KWH

CATEGORIES: Final = {
    "purchased_goods": "1 purchased goods and services", "capital_goods": "2 capital goods", "fuel_and_energy": "3 fuel and energy not in scopes 1 and 2",
    "transport_in": "4 upstream transport", "waste": "5 waste from operations", "travel": "6 business travel", "commuting": "7 commuting",
    "leased_in": "8 assets leased from others", "transport_out": "9 downstream transport", "processing": "10 processing of sold products",
    "use_of_sold": "11 use of sold products", "end_of_sold": "12 end of life of sold products", "leased_out": "13 assets leased to others",
    "franchises": "14 franchises", "investments": "15 investments",
}  # fmt: skip
PHASES: Final = {"manufacture": "capital_goods", "transport": "transport_in", "end of life": "waste", "use": "leased_in"}
"""Where a ledger's phases of scope 3 go: machines that are bought; electricity of machines in others' halls counts with leased assets."""
FIELDS: Final = (
    Field(key="organisation", kind="text", meaning="who reports"), *ABOUT,
    Field(key="approach", kind="text", meaning="what is consolidated: operational control, financial control or equity share"),
    Field(key="scope1.stationary", dimension="carbon", meaning="burnt in generators and boilers"),
    Field(key="scope1.mobile", dimension="carbon", meaning="burnt in own vehicles"),
    Field(key="scope1.fugitive", dimension="carbon", meaning="leaked refrigerants"),
    Field(key="scope1.process", dimension="carbon", asked=False, meaning="from processes"),
    Field(key="scope2.location", dimension="carbon", asked=False, meaning="by location, where it is known as one number"),
    Field(key="scope2.market", dimension="carbon", asked=False, meaning="by market, where it is known as one number"),
    Field(key="scope2.electricity", dimension="energy", asked=False, meaning="electricity bought"),
    Field(key="scope2.location_intensity", dimension="carbon_per_energy", asked=False, meaning="average of the grid"),
    Field(key="scope2.contracted", dimension="energy", asked=False, meaning="of it under contracts or certificates"),
    Field(key="scope2.contracted_intensity", dimension="carbon_per_energy", asked=False, meaning="of what is contracted"),
    Field(key="scope2.residual_intensity", dimension="carbon_per_energy", asked=False, meaning="of what nobody has contracted (the residual mix)"),
    *(Field(key=f"scope3.{key}", dimension="carbon", meaning=f"category {name}") for key, name in CATEGORIES.items()),
    Field(key="not_relevant", kind="names", asked=False, meaning="categories of scope 3 that are left out on purpose"),
    Field(key="offsets", dimension="carbon", asked=False, meaning="bought to compensate; stated apart"),
)  # fmt: skip


def ghg_report(numbers: Numbers, ledger: Ledger | None = None, name: str = "input") -> Report:
    """Scopes, both methods of scope 2, and what is missing. Rows of a ledger and numbers of the file add, but never for the same line.

    Raises BadValue for a line stated twice, more contracted than bought, or a category that there is not.
    """
    check_period(numbers, name)
    left_out = numbers.get("not_relevant", ())
    for each in left_out:
        if each not in CATEGORIES:
            raise unknown_name("category of scope 3", each, CATEGORIES, "thrifty carbon report --standard ghg --example")
        if f"scope3.{each}" in numbers:
            raise BadValue(f"{name}: scope3.{each} has a number and is called not relevant. Keep one.")
    own = _from_ledger(ledger)
    twice = [key for key in own if key in numbers or (key == "scope1" and any(k.startswith("scope1.") for k in numbers))]
    if twice or (own.keys() & {"scope2.location", "scope2.market"} and "scope2.electricity" in numbers):
        raise BadValue(f"{name}: {twice[0] if twice else 'scope 2'} is stated by the file and by the ledger. Keep one, or it counts twice.")
    first = [numbers[f"scope1.{key}"] for key in ("stationary", "mobile", "fugitive", "process") if f"scope1.{key}" in numbers]
    scope_1 = own.get("scope1", math.fsum(first) if first else None)
    location, market = _scope_2(numbers, name)
    location, market = own.get("scope2.location", location), own.get("scope2.market", market)
    third = {key: numbers.get(f"scope3.{key}", own.get(f"scope3.{key}")) for key in CATEGORIES}
    known = [value for value in third.values() if value is not None]
    scope_3 = math.fsum(known) if known else None
    lines = [
        Line(name="scope 1", value=scope_1, unit="gCO2e", formula="Σ of what is burnt or leaks here"),
        Line(name="scope 2, by location", value=location, unit="gCO2e", formula="electricity · average of the grid"),
        Line(name="scope 2, by market", value=market, unit="gCO2e", formula="contracted · its intensity + the rest · residual mix"),
        Line(name="scope 3", value=scope_3, unit="gCO2e", formula=f"Σ of {len(known)} of 15 categories"),
        *(Line(name=f"scope 3, category {CATEGORIES[key]}", value=value, unit="gCO2e") for key, value in third.items() if value is not None),
        Line(name="scopes 1 to 3, by location", value=_sum(scope_1, location, scope_3), unit="gCO2e", formula="1 + 2 by location + 3"),
        Line(name="scopes 1 to 3, by market", value=_sum(scope_1, market, scope_3), unit="gCO2e", formula="1 + 2 by market + 3"),
    ]  # fmt: skip
    missing = [
        Missing(field.key, field.meaning) for field in missing_of(numbers, FIELDS)
        if field.key not in own and not (field.key.startswith("scope1.") and "scope1" in own) and field.key.removeprefix("scope3.") not in left_out
    ]  # fmt: skip
    if location is None:
        missing.append(Missing("scope2.location", "by location; or scope2.electricity and scope2.location_intensity"))
    if market is None:
        missing.append(Missing("scope2.market", "by market; or scope2.electricity, contracted, contracted_intensity and residual_intensity"))
    notes = ["A total holds the parts that are stated; what is missing is not counted as 0 but left out, and listed."] if missing else []
    if "scope3.leased_in" in own:
        notes.append("Electricity of machines in others' halls (scope 3 in the ledger) stands in category 8.")
    apart = (Line(name="offsets", value=numbers["offsets"], unit="gCO2e", formula="stated apart, never subtracted"),) if "offsets" in numbers else ()
    return Report(
        standard="ghg", title=f"Greenhouse gases of {numbers.get('organisation', name)} by scope", lines=tuple(lines), missing=tuple(missing),
        facts=facts_of("ghg"), apart=apart, notes=tuple(notes),
    )  # fmt: skip


def _sum(*parts: float | None) -> float | None:
    """The stated parts together; None without scope 2 by that method, which a total must have."""
    return None if parts[1] is None else math.fsum(part for part in parts if part is not None)


def _scope_2(numbers: Numbers, name: str) -> tuple[float | None, float | None]:
    bought = numbers.get("scope2.electricity")
    found: dict[str, float | None] = {method: numbers.get(f"scope2.{method}") for method in ("location", "market")}
    if bought is None:
        return found["location"], found["market"]
    contracted = numbers.get("scope2.contracted", 0.0)
    if contracted > bought:
        raise BadValue(f"{name}: scope2.contracted is {contracted / bought:.3g} times scope2.electricity. A certificate covers what was used, once.")
    grid, residual, own = (numbers.get(f"scope2.{key}_intensity") for key in ("location", "residual", "contracted"))
    computed = {
        "location": None if grid is None else bought / J_PER_KWH * grid,
        "market": None if (residual is None and contracted < bought) or (own is None and contracted) else
        contracted / J_PER_KWH * (own or 0.0) + (bought - contracted) / J_PER_KWH * (residual or 0.0),
    }  # fmt: skip
    for method, value in computed.items():
        if value is not None and found[method] is not None:
            raise BadValue(f"{name}: scope2.{method} is stated as a number and follows from scope2.electricity too. Keep one.")
        found[method] = value if value is not None else found[method]
    return found["location"], found["market"]


def _from_ledger(ledger: Ledger | None) -> dict[str, float]:
    """Grams by line of the report."""
    found: dict[str, float] = {}
    for way in ("location", "market") if ledger is not None else ():
        for (scope, method, phase), grams in ledger.counted(way).by("scope", "method", "phase").items():  # type: ignore[union-attr]
            if method or way == "location":  # scopes 1 and 3 once
                key = "scope1" if scope == 1 else f"scope2.{method}" if scope == 2 else f"scope3.{PHASES[phase]}"
                found[key] = found.get(key, 0.0) + grams
    return found

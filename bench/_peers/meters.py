"""codecarbon: a constant load metered for a second, its intensities, its design powers and rules beside ours."""

from __future__ import annotations

import logging
import time
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from _peers.rows import Row, Step
from thrifty.cost.carbon.operational import operational_g
from thrifty.cost.carbon.operational.powers import tdp_w
from thrifty.cost.carbon.series import intensity_of_grid
from thrifty.hardware import load, load_site, site_names

CPU_W, RAM_W = 100, 20


def intensity_of(country: str, region: str | None = None) -> float:
    """g/kWh that it charges for a kilowatt-hour."""
    from codecarbon.core.emissions import Emissions
    from codecarbon.core.units import Energy
    from codecarbon.external.geography import GeoMetadata
    from codecarbon.input import DataSource

    logging.disable(logging.CRITICAL)
    place = GeoMetadata(country_iso_code=country, country_name=country, region=region)
    return 1e3 * float(Emissions(DataSource()).get_private_infra_emissions(Energy.from_energy(kWh=1.0), place))


def metered(seconds: float = 1.0, **options: Any) -> Any:
    """What its tracker wrote down after `seconds` of a constant load."""
    from codecarbon import OfflineEmissionsTracker

    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tracker = OfflineEmissionsTracker(save_to_file=False, log_level="critical", measure_power_secs=0.2, allow_multiple_runs=True, **{
            "country_iso_code": "FRA", "force_cpu_power": CPU_W, "force_ram_power": RAM_W, **options})  # fmt: skip
        tracker.start()
        time.sleep(seconds)
        tracker.stop()
    return tracker.final_emissions_data


def meter_rows() -> list[Row]:
    """A constant load of 120 W in France: energy by the clock, carbon by place and building."""
    site = load_site("france")
    metered(0.2)  # what it looks up once is no part of a second's load
    plain, housed = metered(), metered(pue=site.pue)
    by_clock = (CPU_W + RAM_W) * plain.duration / 3.6e6
    # Carbon a kilowatt-hour at the machines, so that the clock's granularity does not count twice.
    energy_j, housed_j = plain.energy_consumed * 3.6e6, housed.energy_consumed / site.pue * 3.6e6
    return [
        Row(peer="codecarbon", item="energy of 120 W for a second", unit="kWh", theirs=plain.energy_consumed, ours=by_clock, equal=0.02,
            stated="its meter starts and stops a little inside the clock"),
        Row(peer="codecarbon", item="carbon of it, France", unit="g", theirs=1e3 * plain.emissions, ours=operational_g(energy_j, site), steps=[
            Step(reason=f"its PUE is 1 where none is said, ours {site.pue}", theirs=1e3 * plain.emissions,
                 ours=operational_g(energy_j, replace(site, pue=1.0))),
        ]),
        Row(peer="codecarbon", item=f"the same, PUE {site.pue} said", unit="g", theirs=1e3 * housed.emissions, ours=operational_g(housed_j, site)),
    ]  # fmt: skip


def place_rows() -> list[Row]:
    """Yearly intensity of every place of our catalogue that it knows."""
    rows = []
    for name in site_names():
        site = load_site(name)
        if name in ("world", "canada-quebec"):  # it has no world by name, and Quebec of another year
            continue
        region = site.title.split(",")[0].lower() if name.startswith("us-") else None
        rows.append(Row(peer="codecarbon", item=name, unit="g/kWh", theirs=intensity_of(site.country, region), ours=site.intensity_gco2e_per_kwh))
    return rows


def hour_rows() -> list[Row]:
    """The same kilowatt-hours at noon and after sunset in California: one number of the year against the hours."""
    yearly = intensity_of("USA", "california")
    series = {boundary: intensity_of_grid("eia-cal", boundary=boundary).series for boundary in ("direct", "life-cycle")}
    hour_T = (np.arange(len(series["direct"].values_T)) + 7 + 24 - 8) % 24  # it starts at 07:00 UTC; Pacific standard time, as the sun has it
    rows = []
    for item, chosen in (("all hours", hour_T >= 0), ("10:00 to 15:00", (hour_T >= 10) & (hour_T < 15)), ("18:00 to 23:00", (hour_T >= 18) & (hour_T < 23))):
        direct, whole = (float(each.values_T[chosen].mean()) for each in series.values())
        rows.append(Row(
            peer="codecarbon", item=f"California, {item}", unit="g/kWh", theirs=yearly, ours=whole,
            stated=f"it has one number, direct and of 2023; ours are of 2020, life-cycle; direct {direct:.0f}",
        ))  # fmt: skip
    return rows


def rule_rows() -> list[Row]:
    """Design powers by name, and what it takes a processor and memory to draw."""
    from codecarbon.external.hardware import CPU
    from codecarbon.external.ram import RAM
    from codecarbon.input import DataSource

    found = dict(DataSource().get_cpu_power_data()[["Name", "TDP"]].itertuples(index=False))
    names = {"epyc-7763": "AMD EPYC 7763", "epyc-9654": "AMD EPYC 9654", "xeon-8380": "Intel Xeon Platinum 8380", "xeon-8480-plus": "Intel Xeon Platinum 8480+"}
    rows = [
        Row(peer="codecarbon", item=f"design power, {name}", unit="W", theirs=float(found[title]), ours=load(name).tdp_w)
        for name, title in names.items()
    ]  # fmt: skip
    half = CPU.from_utils(".", "constant", "a processor", 280).total_power().W
    rows.append(Row(peer="codecarbon", item="processor of 280 W, no meter", unit="W", theirs=half, ours=tdp_w(280)))
    memory = RAM()
    for gb, modules in ((32, 4), (512, 8)):
        theirs = float(memory._calculate_ram_power(gb))  # its only door to its rule for memory that is not this machine's
        steps = [Step(reason="it counts modules five to eight at nine tenths", theirs=theirs, ours=4 * 5 + 4 * 4.5)] if modules == 8 else []
        rows.append(Row(peer="codecarbon", item=f"memory, {gb} GB in {modules} modules", unit="W", theirs=theirs, ours=tdp_w(0, modules), steps=steps))
    return rows

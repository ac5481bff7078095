"""codecarbon beside ours: its intensities, design powers and rules; and its tracker's carbon of a constant load."""

from __future__ import annotations

import importlib.util
import logging
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from thrifty.cost.carbon.operational import operational_g
from thrifty.cost.carbon.operational.powers import tdp_w
from thrifty.errors import BadValue, UnknownName
from thrifty.hardware import load, load_site, site_names

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("codecarbon") is None, reason="codecarbon is not installed: pip install codecarbon==3.3.2"),
    pytest.mark.filterwarnings("ignore"),
]
PLACES = tuple(name for name in site_names() if name not in ("world", "canada-quebec"))  # it has no world by name, and Quebec of another year


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """It logs to stderr, handlers of its own included."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def intensity_of(country: str, region: str | None = None) -> float:
    from codecarbon.core.emissions import Emissions
    from codecarbon.core.units import Energy
    from codecarbon.external.geography import GeoMetadata
    from codecarbon.input import DataSource

    place = GeoMetadata(country_iso_code=country, country_name=country, region=region)
    return 1e3 * float(Emissions(DataSource()).get_private_infra_emissions(Energy.from_energy(kWh=1.0), place))


def metered(**options: Any) -> Any:
    from codecarbon import OfflineEmissionsTracker

    tracker = OfflineEmissionsTracker(
        save_to_file=False, log_level="critical", measure_power_secs=0.1, allow_multiple_runs=True, country_iso_code="FRA", force_ram_power=20,
        **{"force_cpu_power": 100, **options},
    )  # fmt: skip
    tracker.start()
    time.sleep(0.25)
    tracker.stop()
    return tracker.final_emissions_data


@pytest.mark.parametrize("name", PLACES)
def test_peer_codecarbon_has_the_same_intensity_of_a_place(name: str) -> None:
    site = load_site(name)
    region = site.title.split(",")[0].lower() if name.startswith("us-") else None
    assert intensity_of(site.country, region) == pytest.approx(site.intensity_gco2e_per_kwh, rel=1e-3)


@pytest.mark.parametrize("pue", [None, 1.3])
def test_peer_codecarbon_prices_a_metered_joule_alike_once_the_building_is(pue: float | None) -> None:
    """It multiplies power by its PUE, which is 1 where none is said; so its energy is the building's."""
    site = load_site("france")
    found = metered(**({} if pue is None else {"pue": pue}))
    assert found.energy_consumed > 0
    machines_j = found.energy_consumed / (pue or 1.0) * 3.6e6
    ours_g = operational_g(machines_j, site if pue == site.pue else replace(site, pue=pue or 1.0))
    assert ours_g == pytest.approx(1e3 * found.emissions, rel=1e-4)


def test_peer_codecarbon_has_the_same_powers() -> None:
    from codecarbon.external.hardware import CPU
    from codecarbon.external.ram import RAM
    from codecarbon.input import DataSource

    tdp = dict(DataSource().get_cpu_power_data()[["Name", "TDP"]].itertuples(index=False))
    for name, title in (("epyc-7763", "AMD EPYC 7763"), ("epyc-9654", "AMD EPYC 9654"), ("xeon-8380", "Intel Xeon Platinum 8380")):
        assert load(name).tdp_w == float(tdp[title])
    unmetered = CPU.from_utils(".", "constant", "a processor", 280)
    assert tdp_w(280) == pytest.approx(unmetered.total_power().W)
    assert RAM()._calculate_ram_power(32) == tdp_w(0, 4)
    # From the fifth module on it counts nine tenths; ours counts all alike.
    assert RAM()._calculate_ram_power(512) == pytest.approx(38) and tdp_w(0, 8) == 40


def test_peer_codecarbon_takes_what_we_refuse() -> None:
    assert intensity_of("ZZZ") == pytest.approx(475)
    with pytest.raises(UnknownName, match="No site named 'zzz'"):
        load_site("zzz")
    halved = metered(pue=0.5)
    assert halved.pue == 0.5 and halved.emissions >= 0
    with pytest.raises(BadValue, match=r"pue=0.5 is below 1\. A building draws at least what its machines draw\."):
        operational_g(1.0, replace(load_site("france"), pue=0.5))

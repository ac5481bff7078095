"""Systems as the published model takes them: its own derived rates, and the same names as the catalogue of hardware."""

from __future__ import annotations

import pytest

from thrifty.cost.facts import load_facts
from thrifty.hardware import load_system, system_names

SHEET = load_facts("published_systems")
NAMES = tuple(path.removesuffix(".node.devices") for path in SHEET.facts if path.endswith(".node.devices"))
CLOUD = tuple(name for name in NAMES if name.startswith("cloud-"))


def inside_and_outside(name: str) -> tuple[float, float]:
    """Bytes a second of one device by NVLink and by its share of the node's ports, as the model takes them (links and ports halved)."""
    links = SHEET.get(f"{name}.nvlink.count", "count") * SHEET.get(f"{name}.nvlink.bandwidth", "bandwidth") / 2 * SHEET.get(f"{name}.share.nvlink", "ratio")
    ports = SHEET.get(f"{name}.nic.ports", "count") * SHEET.get(f"{name}.nic.bandwidth", "bandwidth") / 2 * SHEET.get(f"{name}.share.nic", "ratio")
    return links, ports / SHEET.get(f"{name}.node.devices", "count")


@pytest.mark.parametrize("name", ["zionex", "dc-a"])
def test_paper_rates_of_zionex_and_of_the_language_cluster(name: str) -> None:
    """200.0 GB/s inside, 7.0 outside, 60.0 for an all-reduce, 120.0 for gathers; 0.705 of 156 TFLOP/s, 0.836 of 1555 GB/s, 40 GB."""
    inside, outside = inside_and_outside(name)
    share = SHEET.get(f"{name}.share.intra", "ratio")
    reduce = share * inside + (1 - share) * outside
    assert inside == pytest.approx(200.0e9, rel=1e-4) and outside == pytest.approx(7.0e9)
    assert reduce == pytest.approx(60.0e9, rel=1e-3) and 2 * reduce == pytest.approx(120.0e9, rel=1e-3)
    assert [SHEET.get(f"{name}.peak.{width}", "compute") for width in ("f64", "tf32", "f16", "int8")] == [9.7e12, 156e12, 312e12, 624e12]
    assert (SHEET.get(f"{name}.share.flops", "ratio"), SHEET.get(f"{name}.share.memory", "ratio")) == (0.705, 0.836)
    assert (SHEET.get(f"{name}.memory.capacity", "capacity"), SHEET.get(f"{name}.memory.bandwidth", "bandwidth")) == (40e9, 1555e9)


def test_every_published_system_is_in_the_catalogue_of_hardware() -> None:
    assert set(NAMES) <= set(system_names()) and set(CLOUD) == {name for name in system_names() if name.startswith("cloud-")}
    for name in NAMES:
        system = load_system(name)
        assert system.tiers[0].count == SHEET.get(f"{name}.node.devices", "count")
        # Real ports carry in each direction what the model halves.
        ports = SHEET.get(f"{name}.nic.ports", "count") * SHEET.get(f"{name}.nic.bandwidth", "bandwidth") / system.tiers[0].count
        assert ports == system.tiers[-1].bandwidth_bytes_per_s, name
        links = SHEET.get(f"{name}.nvlink.count", "count") * SHEET.get(f"{name}.nvlink.bandwidth", "bandwidth") / 2
        assert links == system.tiers[0].bandwidth_bytes_per_s, name


@pytest.mark.parametrize("name", CLOUD)
def test_paper_shares_of_the_cloud(name: str) -> None:
    assert [SHEET.get(f"{name}.share.{part}", "ratio") for part in ("nvlink", "nic", "intra")] == [0.45, 0.62, 0.1465]
    assert SHEET.facts[f"{name}.share.flops"].source == "thrifty", "an inference must not pass for the paper's number"


def test_the_published_h100_is_the_pcie_card_on_links_of_the_other() -> None:
    assert SHEET.get("cloud-h100-a.peak.f16", "compute") == 756e12 < 0.8 * load_system("cloud-h100-a").device.peak("fp16")
    assert SHEET.get("cloud-h100-a.memory.bandwidth", "bandwidth") == 2e12
    assert "PCIe" in SHEET.texts["cloud-h100-a.note"]

"""Every sheet of the catalogue: whole, grounded, and in accord with the others and with what is physically possible."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Mapping
from importlib.resources import files

import pytest

from thrifty.hardware import Device, Fact, Site, System, catalogue_sources, device_names, load, load_site, load_system, site_names, system_names

ISSUE_DEVICES = (
    "v100-sxm2-16gb", "v100-sxm2-32gb", "t4", "a100-40gb", "a100-80gb", "l4", "l40s", "h100-pcie", "h100-sxm5", "h200-sxm", "b200", "gb200", "rtx-3090",
    "rtx-4090", "rtx-5090", "mi250x", "mi300x", "gaudi-2", "gaudi-3", "tpu-v3", "tpu-v4", "tpu-v5e", "tpu-v5p", "gc200", "jetson-agx-orin-64gb", "xeon-8380",
    "xeon-8480-plus", "epyc-7763", "epyc-9654", "grace", "apple-m2", "raspberry-pi-5",
)  # fmt: skip
FOLDERS = {"devices": device_names, "systems": system_names, "sites": site_names}


def nouns() -> list[Device | System | Site]:
    return [*map(load, device_names()), *map(load_system, system_names()), *map(load_site, site_names())]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_is_listed_under_the_name_that_it_states(folder: str) -> None:
    stems = sorted(path.name.removesuffix(".toml") for path in (files("thrifty.hardware") / "catalogue" / folder).iterdir())
    assert stems == list(FOLDERS[folder]())
    loader = {"devices": load, "systems": load_system, "sites": load_site}[folder]
    assert [loader(stem).name for stem in stems] == stems  # type: ignore[attr-defined]


def test_names_are_unique_across_kinds() -> None:
    names = [*device_names(), *system_names(), *site_names()]
    assert len(names) == len(set(names))


def test_catalogue_covers_what_was_promised() -> None:
    assert set(ISSUE_DEVICES) <= set(device_names()) and len(device_names()) >= 36
    assert {"dgx-a100", "dgx-h100", "hgx-h100-8", "gb200-nvl72", "zionex", "xeon-8480-plus-2s"} <= set(system_names())
    assert len(site_names()) >= 20


def test_every_number_has_a_known_source_a_place_in_it_and_a_day() -> None:
    cited: set[str] = set()
    for noun in nouns():
        assert noun.facts, noun.name
        for path, fact in noun.facts.items():
            assert fact.source in catalogue_sources(), (noun.name, path)
            assert len(fact.where) >= 5, (noun.name, path)
            assert datetime.date(2026, 1, 1) <= datetime.date.fromisoformat(fact.read_on), (noun.name, path)
            cited.add(fact.source)
    assert cited == set(catalogue_sources()), "a source that nobody cites is no source"


def test_every_number_of_a_device_is_a_fact() -> None:
    for device in map(load, device_names()):
        stated = {f"peak.{name}" for name in device.peak_flops} | {"vector", "power.tdp"}
        stated |= {f"memory.{tier.name}.{what}" for tier in device.memory for what in ("capacity", "bandwidth")}
        stated |= {f"links.{link.name}.bandwidth" for link in device.links}
        optional = {
            "power.idle": device.idle_w, "die.area": device.die_area_mm2, "die.node": device.process_node_nm,
            "price": device.price_usd, "price_per_hour": device.price_usd_per_hour,
        }  # fmt: skip
        stated |= {path for path, value in optional.items() if value is not None}
        stated |= {path for path in device.facts if path.startswith("cache.")}
        assert set(device.facts) == stated, device.name


def test_one_chip_in_two_sheets_has_one_die() -> None:
    by_chip: defaultdict[str, list[Device]] = defaultdict(list)
    for device in map(load, device_names()):
        by_chip[device.chip].append(device)
    shared = {chip: devices for chip, devices in by_chip.items() if chip and len(devices) > 1}
    assert {"GA100", "GH100", "AD102"} <= set(shared)
    for chip, devices in shared.items():
        for path in ("die.area", "die.node", "memory.l2.capacity"):
            facts = [device.facts[path] for device in devices if path in device.facts]
            agree = len({(fact.value, fact.unit) for fact in facts}) <= 1
            assert agree or all(fact.disagrees_with for fact in facts), (chip, path)


def test_caches_are_built_of_whole_sets_and_grow_outwards() -> None:
    built = [device for device in map(load, device_names()) if device.caches]
    assert {"a100-80gb", "h100-sxm5", "epyc-9654"} <= {device.name for device in built}
    for device in built:
        stated = {path.split(".")[1] for path in device.facts if path.startswith("cache.")}
        assert stated == {cache.name for cache in device.caches}, device.name
        for cache in device.caches:
            assert cache.capacity_bytes % (cache.line_bytes * cache.ways) == 0 and cache.line_bytes % cache.sector_bytes == 0, device.name
            assert 0 <= cache.scratchpad_bytes < cache.capacity_bytes, device.name
        for inner, outer in zip(device.caches, device.caches[1:], strict=False):
            assert inner.capacity_bytes < outer.capacity_bytes and inner.instances >= outer.instances, device.name
    a100 = load("a100-80gb").caches
    assert [(cache.capacity_bytes, cache.ways, cache.instances) for cache in a100] == [(192 * 1024, 384, 108), (40 * 2**20, 16, 1)]


def test_a_tier_is_as_fast_as_the_link_of_that_name() -> None:
    compared = 0
    for system in map(load_system, system_names()):
        links = {link.name: link for link in system.device.links}
        for tier in system.tiers:
            if tier.name in links:
                fact = system.facts[f"tiers.{tier.name}.bandwidth"]
                assert tier.bandwidth_bytes_per_s == links[tier.name].bandwidth_bytes_per_s or fact.disagrees_with, (system.name, tier.name)
                compared += 1
    assert compared >= 5


@pytest.mark.parametrize(
    ("name", "number_format", "tera"),
    [
        ("h100-sxm5", "bf16", 989.4), ("h100-sxm5", "fp8_e4m3", 1978.9), ("h200-sxm", "bf16", 989), ("a100-80gb", "bf16", 312),
        ("a100-80gb", "int8", 624),
        ("b200", "bf16", 2250), ("b200", "fp4_e2m1", 9000), ("l4", "bf16", 121), ("l40s", "bf16", 362.05), ("v100-sxm2-32gb", "fp16", 125),
        ("mi300x", "bf16", 1307.4), ("rtx-4090", "bf16", 165.2), ("tpu-v4", "bf16", 275), ("t4", "int8", 130),
    ],
)  # fmt: skip
def test_peaks_are_dense(name: str, number_format: str, tera: float) -> None:
    assert load(name).peak_flops[number_format] == pytest.approx(tera * 1e12)


def test_half_the_bits_never_give_more_than_four_times_the_rate() -> None:
    """A sheet that mixed sparse and dense peaks would show an eightfold step."""
    steps = (("fp32", "tf32", 16), ("tf32", "bf16", 4), ("bf16", "fp8_e4m3", 2.05), ("bf16", "int8", 4.01), ("fp8_e4m3", "fp4_e2m1", 4))
    for device in map(load, device_names()):
        for wide, narrow, most in steps:
            if wide in device.peak_flops and narrow in device.peak_flops:
                assert device.peak_flops[narrow] <= most * device.peak_flops[wide], (device.name, wide, narrow)
        assert device.vector_flops <= max(device.peak_flops.values()), device.name


def test_ridge_points_lie_where_machines_are() -> None:
    for device in map(load, device_names()):
        ridge = device.peak("bf16") / device.bandwidth_bytes_per_s
        assert 5 <= ridge <= 600, (device.name, ridge)
    h100 = load("h100-sxm5")
    assert h100.peak("bf16") / h100.bandwidth_bytes_per_s == pytest.approx(989.4 / 3.35, rel=1e-3)


def test_devices_are_physically_possible() -> None:
    for device in map(load, device_names()):
        assert 2015 <= device.year <= 2026, device.name
        assert device.idle_w is None or device.idle_w < device.tdp_w, device.name
        assert 3 <= device.tdp_w <= 1500, device.name
        assert device.die_area_mm2 is None or 50 <= device.die_area_mm2 <= 2500, device.name
        assert device.process_node_nm is None or 3 <= device.process_node_nm <= 28, device.name
        assert max(device.peak_flops.values()) / device.tdp_w < 2e13, device.name  # no device of these years gives 20 TFLOP/s a watt
        for outer, inner in zip(device.memory, device.memory[1:], strict=False):
            assert inner.capacity_bytes < outer.capacity_bytes and inner.bandwidth_bytes_per_s > outer.bandwidth_bytes_per_s, device.name
        for link in device.links:
            assert link.bandwidth_bytes_per_s < device.bandwidth_bytes_per_s, (device.name, link.name)


def test_capacities_of_gpus_are_what_software_sees() -> None:
    assert load("h100-sxm5").memory_bytes == 80 * 2**30
    assert load("h100-sxm5").facts["memory.hbm.capacity"].disagrees_with


@pytest.mark.parametrize(
    ("name", "device", "counts"),
    [
        ("dgx-a100", "a100-40gb", (8,)), ("dgx-h100", "h100-sxm5", (8,)), ("hgx-h100-8", "h100-sxm5", (8,)), ("hgx-h100-128", "h100-sxm5", (8, 16)),
        ("gb200-nvl72", "gb200", (4, 18)), ("zionex", "a100-40gb", (8, 16)), ("xeon-8480-plus-2s", "xeon-8480-plus", (2,)),
        ("dc-a", "a100-40gb", (8, 256)), ("selene", "a100-80gb", (8, 560)), ("hgx-h200", "h200-sxm", (8, 1)), ("hgx-b200", "b200", (8, 1)),
        ("dgx-h100-superpod", "h100-sxm5", (8, 32, 1)), ("mi250x-4", "mi250x", (4, 1)), ("mi300x-8", "mi300x", (8, 1)),
        ("hls-gaudi-2", "gaudi-2", (8, 1)), ("hls-gaudi-3", "gaudi-3", (8, 1)), ("cloud-a100-40-c", "a100-40gb", (16, 128)),
        ("cloud-v100-16-a", "v100-sxm2-16gb", (8, 256)), ("cloud-h100-a", "h100-sxm5", (8, 256)),
    ],
)  # fmt: skip
def test_systems_are_trees_of_tiers(name: str, device: str, counts: tuple[int, ...]) -> None:
    system = load_system(name)
    assert system.device is load(device)
    assert tuple(tier.count for tier in system.tiers) == counts
    total = 1
    for count in counts:
        total *= count
    assert system.devices == total
    speeds = [tier.bandwidth_bytes_per_s for tier in system.tiers]
    assert speeds == sorted(speeds, reverse=True), "outer tiers are slower"


def test_paper_zionex_links_are_those_of_mad_max() -> None:
    """128 A100 in 16 nodes: 12 NVLinks of 50 GB/s (both directions) and one 200 Gb/s port for each GPU."""
    nvlink, network = load_system("zionex").tiers
    assert nvlink.bandwidth_bytes_per_s == 12 * 50e9 / 2
    assert network.bandwidth_bytes_per_s == 200e9 / 8
    assert load_system("zionex").facts["tiers.roce.bandwidth"].disagrees_with


def test_paper_the_language_cluster_has_the_constants_of_zionex() -> None:
    zionex, cluster = load_system("zionex"), load_system("dc-a")
    assert [tier.bandwidth_bytes_per_s for tier in cluster.tiers] == [tier.bandwidth_bytes_per_s for tier in zionex.tiers]
    assert cluster.device is zionex.device and cluster.host_power_w == zionex.host_power_w and cluster.devices == 2048


@pytest.mark.parametrize(
    ("name", "giga_a_gpu", "node_kw", "hours", "usd", "mwh"),
    [
        ("cloud-v100-16-a", 0.39, 5.0, 6.61, 10362, 2.116), ("cloud-a100-40-a", 6.25, 6.5, 2.07, 4349, 0.862),
        ("cloud-h100-a", 50, 10.2, 1.00, 6287, 0.652), ("cloud-a100-40-b", 25, 6.5, 1.63, 2844, 0.680), ("cloud-v100-32-a", 1.5625, 5.0, None, None, None),
        ("cloud-a100-80-a", 6.25, 6.5, None, None, None), ("cloud-a100-80-b", 25, 6.5, None, None, None),
        ("cloud-a100-40-c", 0.78, None, None, None, None),
    ],
)  # fmt: skip
def test_paper_cloud_instances_are_those_of_mad_max(
    name: str, giga_a_gpu: float, node_kw: float | None, hours: float | None, usd: float | None, mwh: float | None
) -> None:
    """Network a GPU, and the price and energy of 512 GPUs for as long as its sheet says (both rounded there to about a quarter of a per cent)."""
    system = load_system(name)
    node = system.tiers[0].count
    assert system.devices == 2048
    assert system.tiers[1].bandwidth_bytes_per_s == pytest.approx(giga_a_gpu * 1e9, rel=2e-3)
    if node_kw is None:
        assert system.host_power_w is None and system.price_usd_per_hour is None
        return
    power_w = (system.host_power_w or 0) + node * system.device.tdp_w
    assert power_w == pytest.approx(node_kw * 1e3)
    if hours is None or usd is None or mwh is None:
        assert system.price_usd_per_hour is None
        return
    nodes = 512 / node
    assert nodes * hours * (system.price_usd_per_hour or 0) == pytest.approx(usd, rel=5e-4)
    assert nodes * hours * power_w / 1e6 == pytest.approx(mwh, rel=3e-3)


def test_all_ports_of_a_gaudi_go_up_or_out() -> None:
    for generation in ("2", "3"):
        system = load_system(f"hls-gaudi-{generation}")
        ports = next(link for link in system.device.links if link.name == "roce")
        assert sum(tier.bandwidth_bytes_per_s for tier in system.tiers) == ports.bandwidth_bytes_per_s


def test_mixes_add_up_and_agree_with_intensity() -> None:
    mixed = [site for site in map(load_site, site_names()) if site.mix]
    assert len(mixed) >= 20
    for site in mixed:
        assert sum(site.mix.values()) == pytest.approx(1, abs=1e-12), site.name
        assert all(0 <= share <= 1 for share in site.mix.values()), site.name
        fossil = sum(site.mix.get(fuel, 0) for fuel in ("coal", "gas", "oil"))
        # Even life-cycle coal stays below 1.1 kg a kWh, and a fossil kWh never comes under 0.3.
        assert 290 * fossil < site.intensity_gco2e_per_kwh < 1100 * fossil + 80, site.name


def test_sites_are_plausible() -> None:
    scopes = set()
    for site in map(load_site, site_names()):
        scopes.add(site.intensity_scope)
        assert 5 < site.intensity_gco2e_per_kwh < 1000, site.name
        assert 1 <= site.pue < 2, site.name
        assert site.electricity_usd_per_kwh is None or 0.01 < site.electricity_usd_per_kwh < 0.6, site.name
        assert 2018 <= site.year <= 2026, site.name
    assert scopes == {"direct", "life-cycle"}


def test_sources_say_who_and_under_which_licence() -> None:
    for key, source in catalogue_sources().items():
        assert source.key == key
        assert source.title and source.publisher and source.date and source.licence, key
        assert source.url.startswith(("http://", "https://")), key


def test_facts_say_what_was_printed_not_what_was_converted() -> None:
    facts: Mapping[str, Fact] = load("h100-sxm5").facts
    assert (facts["memory.hbm.bandwidth"].value, facts["memory.hbm.bandwidth"].unit) == (3.35, "TB/s")
    assert load("h100-sxm5").bandwidth_bytes_per_s == pytest.approx(3.35e12)

"""Reading a sheet: what a whole one becomes, and word for word why a broken one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.hardware.sheet_texts import DEVICE, SITE, SYSTEM, broken

from thrifty.errors import BadFile, BadSheet, ThriftyError
from thrifty.hardware import Cache, Fact, MemoryTier, Tier, load
from thrifty.hardware.sheets import read_device, read_site, read_system

TIERS = SYSTEM[SYSTEM.index("[tiers") : SYSTEM.index("[power")]
BANDWIDTH = DEVICE[DEVICE.index("[memory.hbm.bandwidth]") : DEVICE.index("[power.tdp]")]
FIELDS = "value, unit, source, where, read_on, note, disagrees_with"
DEVICE_KEYS = (
    "name, title, vendor, kind, chip, year, memory_technology, notes, sources, peak, vector, memory, cache, links, power, die, price, price_per_hour"
)


def whole(folder: Path, text: str) -> Path:
    path = folder / "toy.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_whole_device(tmp_path: Path) -> None:
    device = read_device(whole(tmp_path, DEVICE))
    assert (device.name, device.title, device.vendor, device.kind, device.year, device.chip) == ("toy", "A toy", "Toys", "gpu", 2024, "")
    assert device.peak_flops == {"bf16": 1e14} and device.vector_flops == 1e13
    assert device.memory == (MemoryTier(name="hbm", capacity_bytes=8e10, bandwidth_bytes_per_s=2e12),)
    assert device.tdp_w == 500 and device.idle_w is None and device.links == () and device.truth == "literature"
    assert device.facts["memory.hbm.bandwidth"] == Fact(
        value=2, unit="TB/s", source="toy-sheet", where="row bandwidth", read_on="2026-11-24", note="at boost", disagrees_with="the box: 1.9 TB/s"
    )
    assert device.notes == ("Made up for a test.",)


def test_a_whole_system(tmp_path: Path) -> None:
    system = read_system(whole(tmp_path, SYSTEM), load)
    assert system.device is load("h100-sxm5") and system.devices == 4 and system.host_power_w == 1000
    assert system.tiers == (Tier(name="wire", count=4, bandwidth_bytes_per_s=1e11, latency_s=2 * 1e-6),)
    assert set(system.facts) == {"tiers.wire.bandwidth", "tiers.wire.latency", "power.host"}


def test_a_whole_site(tmp_path: Path) -> None:
    site = read_site(whole(tmp_path, SITE))
    assert site.mix == {"coal": 0.25, "wind": 0.75} and site.intensity_gco2e_per_kwh == 100 and site.pue == 1.2
    assert set(site.facts) == {"intensity", "pue", "mix.coal", "mix.wind"}
    assert (site.facts["mix.wind"].value, site.facts["mix.wind"].unit) == (7.5, "TWh")


def test_a_unit_that_nobody_remembered_is_handed_to_pint(tmp_path: Path) -> None:
    path = broken(tmp_path, DEVICE, 'value = 2\nunit = "TB/s"', 'value = 16\nunit = "Tbit/s"')
    assert read_device(path).bandwidth_bytes_per_s == pytest.approx(2e12)


GARBLE = ("", "value = -1", "[peak]", "x = 1", 'unit = "W"', "[[memory]]", "vector = 3", "\x00")
SOURCE_LINE = 'source = "toy-sheet"\nwhere = "row bandwidth"'


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (BANDWIDTH, BANDWIDTH.replace('unit = "TB/s"\n', ""), 'memory.hbm.bandwidth has no unit. Write e.g. unit = "TB/s".'),
        ('"TB/s"', '""', 'memory.hbm.bandwidth has no unit. Write e.g. unit = "TB/s".'),
        ('"TB/s"', '"TB"', "memory.hbm.bandwidth has unit 'TB', which is no unit of bandwidth. Write e.g. unit = \"TB/s\"."),
        ('"TB/s"', '"furlong"', "memory.hbm.bandwidth has unit 'furlong', which is not a unit. Write e.g. unit = \"TB/s\"."),
        ('"kW"', '"kWh"', "power.tdp has unit 'kWh', which is no unit of power. Write e.g. unit = \"W\"."),
        ('"GB"', '"GB/s"', "memory.hbm.capacity has unit 'GB/s', which is no unit of capacity. Write e.g. unit = \"GB\"."),
        ("value = 2\n", "value = 0\n", "memory.hbm.bandwidth is 0 TB/s. Write a finite number above zero."),
        ("value = 2\n", "value = -2\n", "memory.hbm.bandwidth is -2 TB/s. Write a finite number above zero."),
        ("value = 2\n", "value = nan\n", "memory.hbm.bandwidth is nan TB/s. Write a finite number above zero."),
        ("value = 2\n", "value = inf\n", "memory.hbm.bandwidth is inf TB/s. Write a finite number above zero."),
        ("value = 80", "value = 0", "memory.hbm.capacity is 0 GB. Write a finite number above zero."),
        ("value = 100", "value = -100", "peak.bf16 is -100 TFLOP/s. Write a finite number above zero."),
        ("value = 0.5", "value = 0", "power.tdp is 0 kW. Write a finite number above zero."),
        ("value = 2\n", "value = true\n", "memory.hbm.bandwidth has value True, which is no number. Write e.g. value = 1.5."),
        ("value = 2\n", 'value = "2"\n', "memory.hbm.bandwidth has value '2', which is no number. Write e.g. value = 1.5."),
        (BANDWIDTH, BANDWIDTH.replace("value = 2\n", ""), "memory.hbm.bandwidth has no value. Write e.g. value = 1.5."),
        (SOURCE_LINE, 'where = "row bandwidth"', 'memory.hbm.bandwidth has no source. Write e.g. source = "nvidia-h100-datasheet".'),
        (SOURCE_LINE, 'source = "toy-sheet"', 'memory.hbm.bandwidth has no where. Write e.g. where = "table 1, row FP32".'),
        (
            SOURCE_LINE, SOURCE_LINE.replace("toy-sheet", "toy-shet"),
            "memory.hbm.bandwidth names source 'toy-shet', which nobody lists. Did you mean 'toy-sheet'? "
            "Describe it under [sources.toy-shet] in this file.",
        ),
        (
            SOURCE_LINE, SOURCE_LINE.replace("toy-sheet", "hearsay"),
            "memory.hbm.bandwidth names source 'hearsay', which nobody lists. Describe it under [sources.hearsay] in this file.",
        ),
        (
            "2026-11-24\nnote", '"yesterday"\nnote',
            "memory.hbm.bandwidth has read_on 'yesterday', which is no date. Write e.g. read_on = 2026-11-24.",
        ),
        ("read_on = 2026-11-24\nnote", "note", "memory.hbm.bandwidth has no read_on. Write e.g. read_on = 2026-11-24."),
        (
            "note = ", "notes = ",
            f"unknown key 'memory.hbm.bandwidth.notes'. Did you mean 'note'? Allowed here: {FIELDS}.",
        ),
        ("[power.tdp]", "[power.tpd]", "unknown key 'power.tpd'. Did you mean 'tdp'? Allowed here: tdp, idle."),
        ("vendor =", "colour =", f"unknown key 'colour'. Allowed here: {DEVICE_KEYS}."),
        (
            "[memory.hbm.bandwidth]", "[memory.hbm.width]",
            "unknown key 'memory.hbm.width'. Did you mean 'bandwidth'? Allowed here: capacity, bandwidth.",
        ),
        (BANDWIDTH, "", "[memory.hbm.bandwidth] is missing. Write it with value, unit, source, where and read_on."),
        (DEVICE[DEVICE.index("[power.tdp]") :], "", "[power.tdp] is missing. Write it with value, unit, source, where and read_on."),
        (
            DEVICE[DEVICE.index("[memory.hbm.capacity]") : DEVICE.index("[power.tdp]")], "",
            "[memory] is missing. Write [memory.NAME.capacity] and [memory.NAME.bandwidth].",
        ),
        (
            DEVICE[DEVICE.index("[peak.bf16]") : DEVICE.index("[vector]")], "",
            "[peak] is missing. Write [peak.FORMAT] with value, unit, source, where and read_on.",
        ),
        ('kind = "gpu"', 'kind = "abacus"', "kind is 'abacus'. Choose from: gpu, tpu, npu, cpu, soc."),
        ("year = 2024", 'year = "2024"', "year is '2024'. Write a whole number above zero."),
        ('title = "A toy"', 'title = ""', 'title is missing or no text. Write e.g. title = "...".'),
        ('notes = ["Made up for a test."]', 'notes = "Made up."', 'notes is no list of texts. Write notes = ["..."].'),
        ("[vector]", "[vector.fp32]", "unknown key 'vector.fp32'. Allowed here: " + FIELDS + "."),
        ("[peak.bf16]", "[peak.q4_k]", "peak.q4_k is not a format that devices multiply in. Write peak.bf16."),
        (
            'licence = "CC0-1.0"\n', "", "source 'sources.toy-sheet' has no licence. Write e.g. licence = \"...\".",
        ),
        (
            'licence = "CC0-1.0"\n', 'license = "CC0-1.0"\n',
            "source 'sources.toy-sheet' has unknown key 'license'. Allowed here: title, publisher, date, licence, url, note.",
        ),
        ("[sources.toy-sheet]", "[sources]", "source 'sources.title' is no table. Write [sources.title] with title, publisher, date, licence."),
    ],
)  # fmt: skip
def test_a_broken_device_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(BadSheet) as caught:
        read_device(broken(tmp_path, DEVICE, old, new))
    assert str(caught.value) == f"toy.toml: {says}"


def cache_sheet(**numbers: tuple[float, str]) -> str:
    ground = 'source = "toy-sheet"\nwhere = "row cache"\nread_on = 2026-11-24\n'
    return "".join(f'\n[cache.l1.{key}]\nvalue = {value}\nunit = "{unit}"\n{ground}' for key, (value, unit) in numbers.items())


def test_a_cache_is_read_with_its_sectors_and_sets(tmp_path: Path) -> None:
    text = '\n[cache.l1]\nwrite = "through"\n' + cache_sheet(
        capacity=(64, "KiB"), line=(128, "B"), sector=(32, "B"), sets=(4, "dimensionless"), instances=(10, "dimensionless"), scratchpad=(32, "KiB")
    )
    (cache,) = read_device(whole(tmp_path, DEVICE + text)).caches
    assert cache == Cache(
        name="l1", capacity_bytes=65536, line_bytes=128, sector_bytes=32, ways=128, instances=10, write_through=True, scratchpad_bytes=32768
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (cache_sheet(line=(64, "B")), "[cache.l1.capacity] is missing. Write it with value, unit, source, where and read_on."),
        (cache_sheet(capacity=(32, "KiB")), "[cache.l1.line] is missing. Write it with value, unit, source, where and read_on."),
        (
            cache_sheet(capacity=(32, "KiB"), line=(64, "B")),
            "cache.l1 needs one of ways and sets. Write [cache.l1.ways] or [cache.l1.sets]; the other follows from capacity.",
        ),
        (
            cache_sheet(capacity=(32, "KiB"), line=(64, "B"), ways=(5, "dimensionless")),
            "cache.l1 does not hold whole sets: 32768 bytes, lines of 64, 5 ways. Mend one of them.",
        ),
        ('\n[cache.l1]\nwrite = "never"\n', "cache.l1.write is 'never'. Choose from: back, through."),
        (
            cache_sheet(capacity=(32, "KiB"), size=(64, "B")),
            "unknown key 'cache.l1.size'. Allowed here: write, capacity, line, sector, ways, sets, instances, scratchpad.",
        ),
    ],
)
def test_a_broken_cache_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadSheet) as caught:
        read_device(whole(tmp_path, DEVICE + text))
    assert str(caught.value) == f"toy.toml: {says}"


def test_tiers_of_memory_are_ordered(tmp_path: Path) -> None:
    more = DEVICE[DEVICE.index("[memory.hbm.capacity]") : DEVICE.index("[power.tdp]")].replace("hbm", "l2")
    with pytest.raises(BadSheet) as caught:
        read_device(whole(tmp_path, DEVICE + more))
    assert str(caught.value) == "toy.toml: memory.l2 is not smaller than memory.hbm before it. Order tiers from the largest to the smallest."


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("count = 4", "count = 0", "tiers.wire.count is 0. Write a whole number above zero."),
        ("count = 4", "count = 2.5", "tiers.wire.count is 2.5. Write a whole number above zero."),
        ("count = 4", "count = true", "tiers.wire.count is True. Write a whole number above zero."),
        ("[tiers.wire.latency]", "[tiers.wire.delay]", "unknown key 'tiers.wire.delay'. Allowed here: count, bandwidth, latency."),
        (TIERS, "", "[tiers] is missing. Write [tiers.NAME] with count and bandwidth, innermost first."),
        ('device = "h100-sxm5"', "", 'device is missing or no text. Write e.g. device = "...".'),
    ],
)
def test_a_broken_system_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(BadSheet) as caught:
        read_system(broken(tmp_path, SYSTEM, old, new), load)
    assert str(caught.value) == f"toy.toml: {says}"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"direct"', '"all"', "intensity_scope is 'all'. Choose from: direct, life-cycle."),
        ("value = 1.2", "value = 0.9", "pue is 0.9, but a building cannot draw less than its machines. Write 1 or more."),
        ("wind = 7.5", "wind = 7", "the fuels of mix.generation add up to 9.5 TWh, but mix.total is 10 TWh. Mend one of them."),
        ("wind = 7.5", "wind = -1", "mix.generation.wind is -1. Write a finite number, 0 or more."),
        ("total = 10\n", "total = nan\n", "mix.total is nan. Write a finite number, 0 or more."),
        ("total = 10\n", "", "mix.total is None. Write a finite number, 0 or more."),
        ('unit = "TWh"', 'unit = "TW"', "mix has unit 'TW', which is no unit of energy. Write e.g. unit = \"TWh\"."),
        ('"gCO2e/kWh"', '"g/kWh"', "intensity has unit 'g/kWh', which is no unit of carbon per energy. Write e.g. unit = \"gCO2e/kWh\"."),
        ("[pue]", "[pew]", "unknown key 'pew'. Did you mean 'pue'? Allowed here: "
         "name, title, country, year, intensity_scope, notes, sources, intensity, mix, pue, electricity."),
    ],
)  # fmt: skip
def test_a_broken_site_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    with pytest.raises(BadSheet) as caught:
        read_site(broken(tmp_path, SITE, old, new))
    assert str(caught.value) == f"toy.toml: {says}"


def test_what_is_no_sheet_at_all(tmp_path: Path) -> None:
    with pytest.raises(BadFile) as caught:
        read_device(tmp_path / "none.toml")
    assert str(caught.value) == f"{tmp_path / 'none.toml'}: cannot be read (No such file or directory). Give the path of a TOML data sheet."
    with pytest.raises(BadSheet) as caught:
        read_device(whole(tmp_path, "name = \n"))
    assert str(caught.value) == "toy.toml: is not TOML: Invalid value (at line 1, column 8). Mend that line."
    (tmp_path / "toy.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadSheet) as caught:
        read_device(tmp_path / "toy.toml")
    assert str(caught.value) == "toy.toml: is not UTF-8 text. Save it as a TOML text file."
    with pytest.raises(BadSheet) as caught:
        read_device(whole(tmp_path, DEVICE.replace("[power.tdp]", "[power]\ntdp = 500\n[price]")))
    assert str(caught.value) == "toy.toml: power.tdp is no table. Write [power.tdp] and its keys below."


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(line=st.integers(0, DEVICE.count("\n") - 1), instead=st.sampled_from(GARBLE))
def test_property_a_garbled_line_is_read_or_refused_in_one_line(tmp_path: Path, line: int, instead: str) -> None:
    lines = DEVICE.splitlines()
    lines[line] = instead
    try:
        read_device(whole(tmp_path, "\n".join(lines)))
    except ThriftyError as error:
        assert "\n" not in str(error) and str(error).startswith("toy.toml: ")

"""Hierarchies of devices: what sheets say, what this machine says, and what neither says."""

from __future__ import annotations

from pathlib import Path

import pytest

from thrifty.errors import BadValue
from thrifty.hardware import Cache, load
from thrifty.lenses.operators.caching import hierarchy_of, host_caches


@pytest.mark.parametrize(
    ("name", "first", "last", "cores"),
    [
        ("a100-80gb", (192 * 1024, 128, 32), (40 * 2**20, 16), 108),
        ("h100-sxm5", (256 * 1024, 128, 32), (50 * 2**20, 20), 132),
        ("epyc-9654", (32 * 1024, 64, 64), (2**20, 8), 1),
    ],
)
def test_hierarchies_of_sheets(name: str, first: tuple[int, int, int], last: tuple[int, int], cores: int) -> None:
    for device in (name, load(name)):
        found = hierarchy_of(device)
        assert (found.first.capacity_bytes, found.line_bytes, found.sector_bytes) == first
        assert found.last is not None and (found.last.capacity_bytes, found.last.ways) == last
        assert found.cores == cores
        assert (found.hashed, found.store_fetches, found.first.write_through) == ((True, False, True) if cores > 1 else (False, True, False))


def test_a_cpu_may_end_at_its_third_level() -> None:
    last = hierarchy_of("epyc-9654", last="l3").last
    assert last is not None and (last.capacity_bytes, last.ways) == (32 * 2**20, 16)


def test_a_first_level_gives_room_to_shared_memory() -> None:
    a100 = hierarchy_of("a100-80gb")
    assert a100.with_first(96 * 1024 + 100).first.capacity_bytes == 96 * 1024
    assert a100.with_first(0).first.ways == 1


def sysfs(folder: Path, *levels: tuple[str, str, str, str, str]) -> Path:
    for number, level in enumerate(levels):
        index = folder / f"index{number}"
        index.mkdir()
        for key, text in zip(("type", "level", "size", "coherency_line_size", "ways_of_associativity"), level, strict=True):
            (index / key).write_text(text + "\n")
    return folder


def test_this_machine_is_read_from_the_system(tmp_path: Path) -> None:
    levels = ("Data", "1", "48K", "64", "12"), ("Instruction", "1", "32K", "64", "8"), ("Unified", "2", "2M", "64", "16"), ("Unified", "3", "", "64", "16")
    assert host_caches(sysfs(tmp_path, *levels)) == (
        Cache(name="l1", capacity_bytes=48 * 1024, line_bytes=64, sector_bytes=64, ways=12),
        Cache(name="l2", capacity_bytes=2 * 2**20, line_bytes=64, sector_bytes=64, ways=16),
    )


def test_a_machine_that_does_not_describe_its_caches(tmp_path: Path) -> None:
    with pytest.raises(BadValue) as caught:
        host_caches(tmp_path)
    assert str(caught.value) == f"this machine does not describe its caches in {tmp_path}. Name a device whose sheet does, e.g. epyc-9654."


def test_a_device_that_nobody_describes() -> None:
    with pytest.raises(BadValue) as caught:
        hierarchy_of("tpu-v4")
    assert str(caught.value) == (
        "the sheet of tpu-v4 does not say how its caches are built. "
        "Choose from: a100-40gb, a100-80gb, a100-pcie-80gb, epyc-9654, h100-sxm5, this-machine."
    )
    with pytest.raises(BadValue) as caught:
        hierarchy_of("a100-80gb", last="l3")
    assert str(caught.value) == "a100-80gb has no level 'l3' behind l1. Choose from: l2."

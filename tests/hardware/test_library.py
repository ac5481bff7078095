"""Finding devices, systems and sites by name, by path and in packages."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hardware.sheet_texts import DEVICE, SITE, SYSTEM

from thrifty.errors import BadFile, BadSheet, UnknownName
from thrifty.hardware import Device, Site, System, device_names, library, load, load_site, load_system, site_names, system_names


@pytest.mark.parametrize(
    ("loader", "name", "says"),
    [
        (load, "h100-sxm", "No device named 'h100-sxm'. Did you mean 'h100-sxm5'? List them with: thrifty hardware list"),
        (load, "abacus9000", "No device named 'abacus9000'. List them with: thrifty hardware list"),
        (load, "this-machin", "No device named 'this-machin'. Did you mean 'this-machine'? List them with: thrifty hardware list"),
        (load, "france", "No device named 'france'. Did you mean 'grace'? List them with: thrifty hardware list"),
        (load_system, "dgx-h10", "No system named 'dgx-h10'. Did you mean 'dgx-h100'? List them with: thrifty hardware list"),
        (load_site, "farnce", "No site named 'farnce'. Did you mean 'france'? List them with: thrifty hardware sites"),
        (load_site, "", "No site named ''. List them with: thrifty hardware sites"),
        (load, "../devices/t4", "No device named '../devices/t4'. List them with: thrifty hardware list"),
    ],
)  # fmt: skip
def test_an_unknown_name_offers_the_nearest(loader: Any, name: str, says: str) -> None:
    with pytest.raises(UnknownName) as caught:
        loader(name)
    assert str(caught.value) == says


def test_capitals_do_not_matter_and_a_sheet_is_read_once() -> None:
    assert load("H100-SXM5") is load("h100-sxm5")
    assert load_system("DGX-H100") is load_system("dgx-h100")
    assert load_site("France") is load_site("france")


def test_a_users_own_sheets(tmp_path: Path) -> None:
    for file, text in (("toy.toml", DEVICE), ("toys.toml", SYSTEM), ("toyland.toml", SITE)):
        (tmp_path / file).write_text(text, encoding="utf-8")
    assert load(str(tmp_path / "toy.toml")).name == "toy"
    assert load_system(str(tmp_path / "toys.toml")).device is load("h100-sxm5")
    assert load_site(str(tmp_path / "toyland.toml")).name == "toyland"
    (tmp_path / "toys.toml").write_text(SYSTEM.replace('"h100-sxm5"', f'"{(tmp_path / "toy.toml").as_posix()}"'), encoding="utf-8")
    assert load_system(str(tmp_path / "toys.toml")).device.name == "toy"
    (tmp_path / "toy.toml").write_text(DEVICE.replace("value = 100", "value = 0"), encoding="utf-8")
    with pytest.raises(BadSheet, match=r"^toy\.toml: peak\.bf16 is 0 TFLOP/s\. Write a finite number above zero\.$"):
        load(str(tmp_path / "toy.toml"))


@pytest.fixture
def _fresh() -> Iterator[None]:
    library._made.cache_clear()
    yield
    library._made.cache_clear()


@pytest.mark.usefixtures("_fresh")
def test_a_package_brings_all_three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file, text in (("toy.toml", DEVICE), ("toys.toml", SYSTEM), ("toyland.toml", SITE)):
        (tmp_path / file).write_text(text, encoding="utf-8")
    device, system, site = load(str(tmp_path / "toy.toml")), load_system(str(tmp_path / "toys.toml")), load_site(str(tmp_path / "toyland.toml"))
    asked: list[str] = []

    def plugins(group: str) -> dict[str, object]:
        asked.append(group)
        return {"toy": device, "toys": lambda: system, "toyland": site}

    monkeypatch.setattr(library, "load_plugins", plugins)
    assert load("toy") is device and load_system("toys") is system and load_site("toyland") is site
    assert "toy" in device_names() and "toys" in system_names() and "toyland" in site_names()
    assert "toy" not in system_names() and "toy" not in site_names()
    assert asked == ["thrifty.devices"]


@pytest.mark.usefixtures("_fresh")
def test_a_package_that_brings_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "load_plugins", lambda group: {"odd": lambda: 7})
    with pytest.raises(BadFile) as caught:
        device_names()
    assert str(caught.value) == "plug-in 'odd' (thrifty.devices) gives a int. Let it give a Device, a System or a Site."


@pytest.mark.usefixtures("_fresh")
def test_the_catalogue_goes_before_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    impostor = load("t4")
    monkeypatch.setattr(library, "load_plugins", lambda group: {"h100-sxm5": impostor})
    assert load("h100-sxm5").name == "h100-sxm5"


def test_this_machine_comes_from_its_calibration(monkeypatch: pytest.MonkeyPatch) -> None:
    from thrifty.hardware import host

    monkeypatch.setattr(host, "this_machine", lambda device: load("raspberry-pi-5"))
    assert load("this-machine") is load("raspberry-pi-5")


def test_loading_one_device_reads_little_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, thrifty.hardware as h; from thrifty.hardware import sheets; read = []; parse = sheets._parse\n"
        "sheets._parse = lambda path: (read.append(path.name), parse(path))[1]\n"
        "h.load('h100-sxm5'); assert read == ['h100-sxm5.toml'], read\n"
        "heavy = {'pint', 'torch', 'numpy', 'pandas', 'rich', 'typer', 'psutil'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_nouns_are_frozen_and_of_their_kind() -> None:
    for noun, kind in ((load("t4"), Device), (load_system("dgx-h100"), System), (load_site("france"), Site)):
        assert isinstance(noun, kind)
        with pytest.raises(AttributeError):
            noun.name = "other"  # type: ignore[misc]

"""What `thrifty doctor` sees, and that it says when something is missing or broken."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from thrifty import doctor
from thrifty.cli import main
from thrifty.hardware.host import calibration_path

ROOT = Path(__file__).parents[1]


def test_extras_are_those_of_the_project() -> None:
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {name: [each.partition(">=")[0] for each in packages] for name, packages in stated.items() if name != "all"} == {
        name: list(packages) for name, packages in doctor.EXTRAS.items()
    }


def test_json_has_what_the_text_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["schema"] == "thrifty.doctor/1"
    assert found["threads"] >= 1
    assert found["memory_bytes"] > 0
    assert found["devices"][0]["kind"] == "cpu"
    assert found["calibration"] == "absent"
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    for name in doctor.EXTRAS:
        assert name in text
    assert found["calibration_path"] in text


def test_an_absent_package_comes_with_its_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "EXTRAS", {"kernels": ("a-package-that-is-nowhere",)})
    monkeypatch.setattr(doctor, "OPTIONAL", ("weights-that-are-nowhere",))
    found = doctor.diagnose()
    assert found.to_dict()["complete"] == {"kernels": False}
    assert '  -- kernels  a-package-that-is-nowhere absent   -> pip install "thrifty[kernels]"' in found.lines()
    assert "  -- weights  weights-that-are-nowhere absent   -> pip install --no-deps weights-that-are-nowhere" in found.lines()


def test_deep_tells_a_broken_package_from_an_absent_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "splinter.py").write_text("raise OSError('libsplinter.so: no such file')\n")
    about = tmp_path / "splinter-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: splinter\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(doctor, "EXTRAS", {"kernels": ("splinter",)})
    assert doctor.diagnose().extras[0].complete
    (extra,) = doctor.diagnose(deep=True).extras
    assert extra.broken == {"splinter": "does not import: libsplinter.so: no such file"}
    assert not extra.complete


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 1, "fingerprint": {"cpu": "another"}, "device": {}}'])
def test_a_calibration_that_is_corrupt_or_of_another_machine_is_stale(content: str) -> None:
    path = calibration_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.write_text(content)
        assert doctor.diagnose().calibration == "stale"
    finally:
        path.unlink()


def test_the_drivers_sheet_names_the_device(tmp_path: Path) -> None:
    sheet = tmp_path / "information"
    sheet.write_text("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 0\n")
    assert doctor._model_of(sheet) == "NVIDIA H100 80GB HBM3"
    assert doctor._model_of(tmp_path / "nothing") == "NVIDIA device"

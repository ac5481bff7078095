"""Plug-ins of other packages: seen without being imported, and named when they are broken."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from thrifty.cli import main
from thrifty.errors import MissingExtra
from thrifty.plugins import GROUPS, installed_plugins, load_plugins


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package with one plug-in that works and one that does not."""
    (tmp_path / "guest_good.py").write_text("ENTRY = {'name': 'guest'}\n")
    (tmp_path / "guest_bad.py").write_text("import a_module_that_is_nowhere\n")
    about = tmp_path / "guest-2.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: guest\nVersion: 2.1\nSummary: Workloads of a guest.\n")
    (about / "entry_points.txt").write_text("[thrifty.workloads]\nguest-lm = guest_good:ENTRY\n[thrifty.levers]\nguest-lever = guest_bad:LEVER\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_plugins_are_listed_without_being_imported(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = {plugin.name: plugin for plugin in installed_plugins()}
    assert found["guest-lm"].to_dict() == {
        "group": "thrifty.workloads", "name": "guest-lm", "target": "guest_good:ENTRY",
        "package": "guest", "version": "2.1", "summary": "Workloads of a guest.",
    }  # fmt: skip
    assert {"guest_good", "guest_bad"}.isdisjoint(sys.modules)
    assert main(["plugins", "list", "--json"]) == 0
    assert "guest-lever" in {row["name"] for row in json.loads(capsys.readouterr().out)}
    assert main(["plugins", "list"]) == 0
    assert "guest 2.1: Workloads of a guest." in capsys.readouterr().out


def test_a_plugin_is_loaded_by_group(package: Path) -> None:
    assert load_plugins("thrifty.workloads")["guest-lm"] == {"name": "guest"}


def test_a_broken_plugin_names_its_package(package: Path) -> None:
    with pytest.raises(MissingExtra) as caught:
        load_plugins("thrifty.levers")
    assert str(caught.value) == (
        "plug-in 'guest-lever' (thrifty.levers) of guest cannot be loaded: No module named 'a_module_that_is_nowhere'. Mend or uninstall guest."
    )


def test_without_plugins_the_groups_are_explained(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("thrifty.plugins.installed_plugins", lambda: ())
    assert main(["plugins", "list"]) == 0
    assert all(group in capsys.readouterr().out for group in [next(iter(GROUPS))])

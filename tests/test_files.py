"""Files are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from thrifty.errors import CannotWrite
from thrifty.files import writing


def test_a_file_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b.txt"
    with writing(path) as file:
        file.write(b"half")
        assert not path.exists()
    assert path.read_bytes() == b"half"
    assert path.stat().st_mode & 0o600 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["b.txt"]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), writing(path) as file:
        file.write(b"new")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_refusals_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with pytest.raises(CannotWrite) as caught, writing(tmp_path / "x"):
        pass
    assert str(caught.value) == f"cannot write to '{tmp_path / 'x'}': permission denied. Choose a folder that you may write to, with --out."


def test_a_full_disk_is_said_too(tmp_path: Path) -> None:
    with pytest.raises(CannotWrite) as caught, writing(tmp_path / "x"):
        raise OSError(28, "No space left on device")
    assert "no space left on device" in str(caught.value)
    assert [entry.name for entry in tmp_path.iterdir()] == []

"""Progress on stderr: silent for short work, one line a stage without a terminal."""

from __future__ import annotations

import io

import pytest

from thrifty import progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands where the test puts it."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_short_work_says_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress.showing() as tell:
        tell("pricing", 0.5)
        clock[0] += 1.9
        tell("pricing", 1.0)
    assert capsys.readouterr() == ("", "")


def test_each_stage_is_one_line_without_a_terminal(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress.showing() as tell:
        clock[0] += 3
        tell("calibrating: linear", 0.1)
        tell("calibrating: convolution", 0.2)
        clock[0] += 30
        tell("running", 0.6)
    assert capsys.readouterr() == ("", "[    3 s] calibrating\n[   33 s] running\n")


def test_a_terminal_gets_a_bar_that_goes_away(clock: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    with progress.showing() as tell:
        tell("soon done", 0.1)
        assert screen.getvalue() == ""
        clock[0] += 5
        tell("calibrating: linear", 0.5)
    assert "calibrating: linear" in screen.getvalue()
    assert capsys.readouterr().out == ""

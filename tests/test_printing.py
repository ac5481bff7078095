"""A command said again is the command."""

import shlex
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from thrifty.printing import command_line


def test_formula_options_as_they_are_typed() -> None:
    left_out = {"site": "", "cap": None, "devices": 0, "slow": False}
    said = command_line("thrifty", "room", "do", Path("a b.toml"), **left_out, jobs=["x;y", "z"], from_time=2.5, share="0", fast=True)
    assert said == "thrifty room do 'a b.toml' --jobs 'x;y' --jobs z --from-time 2.5 --share 0 --fast"


@given(st.text(min_size=1), st.floats(allow_nan=False, allow_infinity=False).filter(bool))
def test_property_a_shell_reads_back_what_was_meant(text: str, number: float) -> None:
    words = shlex.split(command_line("thrifty", text, value=number))
    assert words[:3] == ["thrifty", text, "--value"] and float(words[3]) == number

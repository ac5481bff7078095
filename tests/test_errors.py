"""The texts of errors, and that they form one tree."""

from __future__ import annotations

import inspect

import pytest

from thrifty import errors
from thrifty.errors import BadFile, BadSheet, MissingExtra, ThriftyError, UnknownName, missing_extra, unknown_name


def test_every_error_is_a_thrifty_error_and_drawn_in_the_tree() -> None:
    classes = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, Exception)]
    assert len(classes) >= 9
    for each in classes:
        assert issubclass(each, ThriftyError)
        assert each.__name__ in (errors.__doc__ or ""), f"{each.__name__} is missing in the drawing at the top of errors.py"
        assert each.__doc__
    assert issubclass(BadSheet, BadFile)


def test_unknown_name_offers_the_nearest() -> None:
    error = unknown_name("device", "h100-smx5", ["a100-sxm4-80gb", "h100-pcie", "h100-sxm5"], "thrifty hardware list")
    assert isinstance(error, UnknownName)
    assert str(error) == "No device named 'h100-smx5'. Did you mean 'h100-sxm5'? List them with: thrifty hardware list"


@pytest.mark.parametrize("name", ["", "zzzzzz", "完全"])
def test_unknown_name_offers_nothing_where_nothing_is_near(name: str) -> None:
    error = unknown_name("site", name, ["france", "poland"], "thrifty hardware sites")
    assert str(error) == f"No site named '{name}'. List them with: thrifty hardware sites"


def test_unknown_name_does_not_mind_case() -> None:
    assert "Did you mean 'gpt2'?" in str(unknown_name("workload", "GPT-2", ["gpt2", "bert-base"], "thrifty workload list"))


def test_missing_extra_names_the_install_line() -> None:
    error = missing_extra("Capturing a torch module", "torch", "torch")
    assert isinstance(error, MissingExtra)
    assert str(error) == 'Capturing a torch module needs torch. Install: pip install "thrifty[torch]"'

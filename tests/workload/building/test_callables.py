"""A user's own module: what a callable may return, and word for word what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from thrifty.errors import BadValue
from thrifty.workload.building import load_any, make_runnable, names_something_to_build
from thrifty.workload.building.callables import build_user_module, is_callable_name

SOURCE = '''
import torch
from torch import nn

class WithInputs(nn.Linear):
    example_inputs = (torch.ones(2, 4),)
    def __init__(self):
        super().__init__(4, 3)

def bare():
    return nn.Identity()

def one_tensor():
    return nn.Linear(4, 3), torch.ones(2, 4)

def positional():
    return nn.Bilinear(4, 5, 3), (torch.ones(2, 4), torch.ones(2, 5))

def named():
    return nn.Linear(4, 3), {"input": torch.ones(2, 4)}

def both():
    return nn.Bilinear(4, 5, 3), (torch.ones(2, 4),), {"input2": torch.ones(2, 5)}

def sized(batch=2, width=4):
    return nn.Linear(width, 3), torch.ones(batch, width)

def on_meta():
    return nn.Linear(4, 3, device="meta"), torch.ones(2, 4, device="meta")

def zero(batch=0):
    return nn.Linear(4, 3), torch.ones(2, 4)

def number():
    return 3

def pair():
    return 3, 4

def mixed():
    return nn.Linear(4, 3), {"a": 1}, (2,)

def fails():
    raise RuntimeError("out of luck\\nfor a long reason")

def wrong_inputs():
    return nn.Linear(4, 3), torch.ones(2, 5)

value = 7
'''
SHAPES = "a torch module, or (module, inputs), or (module, args, kwargs)"


@pytest.fixture(autouse=True, scope="module")
def user_code(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("user")
    (folder / "thrifty_user_models.py").write_text(SOURCE)
    (folder / "thrifty_user_broken.py").write_text("1 / 0")
    (folder / "thrifty_user_needs.py").write_text("import package_that_is_not_there")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield


@pytest.mark.parametrize("name", ["WithInputs", "one_tensor", "positional", "named", "both", "sized", "on_meta"])
def test_formula_flops_of_whatever_is_returned(name: str) -> None:
    workload = load_any(f"thrifty_user_models:{name}")
    terms = 2 * 4 * 3 if name not in ("positional", "both") else 0
    if terms:
        assert workload.table.totals()["flops_matrix"] == 2 * terms
    assert workload.phase == "forward"
    assert workload.name == f"thrifty_user_models:{name}"
    assert workload.origin == f"captured on {'meta' if name == 'on_meta' else 'cpu'} tensors"


def test_sizes_with_defaults_are_symbols() -> None:
    workload = load_any("thrifty_user_models:sized")
    assert workload.point == {"batch": 2, "width": 4}
    assert workload.at(batch=5, width=7).table.totals()["flops_matrix"] == 2 * 5 * 7 * 3
    assert workload.at(phase="training").table.totals()["flops_matrix"] == 2 * (2 * 2 * 4 * 3)  # the input needs no gradient


def test_one_module_and_no_inputs() -> None:
    made = build_user_module("thrifty_user_models:bare")
    assert (made.args, made.kwargs) == ((), {})


def test_runnable_is_the_users_own() -> None:
    found = make_runnable("thrifty_user_models:one_tensor")
    assert (found.weights, found.format, found.device, found.tokenizer) == ("own", "fp32", "cpu", None)
    assert found.module(*found.args, **found.kwargs).shape == (2, 3)
    with pytest.raises(BadValue) as caught:
        make_runnable("thrifty_user_models:on_meta")
    assert str(caught.value) == (
        "'thrifty_user_models:on_meta' builds its module on meta tensors, which hold no values to run on. Build it on the CPU to run it."
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("thrifty_user_models:number", f"'NAME' returned an object of type int. It must return {SHAPES}."),
        ("thrifty_user_models:pair", f"'NAME' returned a tuple of int, int. It must return {SHAPES}."),
        ("thrifty_user_models:mixed", "'NAME' returned a tuple of Linear, dict, tuple. Of three, args must be a tuple and kwargs a dictionary."),
        ("thrifty_user_models:fails", f"'NAME' fails when it is called with no arguments: out of luck. It must return {SHAPES}."),
        ("thrifty_user_models:value", f"module 'thrifty_user_models' has no callable 'value'. Name a function that returns {SHAPES}."),
        ("thrifty_user_models:absent", f"module 'thrifty_user_models' has no callable 'absent'. Name a function that returns {SHAPES}."),
        ("thrifty_user_models:zero", "batch=0 is below 1. Choose a whole number from 1 up."),
        ("thrifty_user_absent:f", "there is no module 'thrifty_user_absent' to take 'f' from. Run from its folder, or install it."),
        ("thrifty_user_broken:f", "importing 'thrifty_user_broken' fails: division by zero. Mend it."),
        ("thrifty_user_needs:f", "importing 'thrifty_user_needs' fails: no module named 'package_that_is_not_there'. Install it."),
    ],
)
def test_what_is_refused(name: str, message: str) -> None:
    with pytest.raises(BadValue) as caught:
        load_any(name)
    assert str(caught.value) == message.replace("NAME", name)


def test_inputs_that_do_not_fit() -> None:
    from thrifty.errors import CaptureError

    with pytest.raises(CaptureError, match=r"^Linear failed on cpu tensors: .*\. Give it inputs that it runs on\.$"):
        load_any("thrifty_user_models:wrong_inputs")


def test_phase_and_format_that_it_does_not_have() -> None:
    workload = load_any("thrifty_user_models:one_tensor")
    with pytest.raises(BadValue) as phase:
        workload.at(phase="decode")
    assert str(phase.value) == "'thrifty_user_models:one_tensor' is a module with inputs, so it has no decode. Choose phase forward or training."
    with pytest.raises(BadValue) as other:
        workload.at(format="bf16")
    assert str(other.value) == (
        "'thrifty_user_models:one_tensor' builds its module in fp32, not in bf16. Choose fp32, or build another there."
    )  # fmt: skip


def test_current_folder_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "thrifty_user_here.py").write_text("import torch\ndef f(): return torch.nn.Linear(2, 2), torch.ones(1, 2)\n")
    monkeypatch.chdir(tmp_path)
    assert load_any("thrifty_user_here:f").parameters == 6


@pytest.mark.parametrize(
    ("name", "callable_name", "built"),
    [
        ("package.module:f", True, True), ("m:C", True, True), ("llama2-7b", False, False), ("C:/models/x", False, True), ("./x", False, True),
        ("x.gguf", False, True), ("m:", False, False), ("m:f()", False, False), ("x.bin", False, True),
    ],
)  # fmt: skip
def test_which_names_are_built(name: str, callable_name: bool, built: bool) -> None:
    assert is_callable_name(name) == callable_name
    assert names_something_to_build(name) == built


def test_torch_is_left_as_it_was() -> None:
    load_any("thrifty_user_models:one_tensor")
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32

"""Audits: plain attention equals the laboratory bit for bit; distances, contributions, refusals; the command."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from thrifty.cli import main
from thrifty.errors import BadFile, BadValue, UnknownName
from thrifty.formats import round_to
from thrifty.lenses.numerics import attention, audit, emulate
from thrifty.lenses.numerics.auditing.loading import load, load_function, read_inputs
from thrifty.lenses.numerics.auditing.subjects import SUBJECTS

pytestmark = pytest.mark.usefixtures("by_definition")


def plain(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return torch.softmax(q @ k.transpose(-1, -2) * (1 / math.sqrt(q.shape[-1])), -1) @ v


@pytest.mark.parametrize("format", ["bf16", "fp16", "e4m3", "tf32", "fp32", "fp64"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 7, 15), (2, 2, 33, 8)])
def test_formula_plain_attention_is_the_laboratorys_bit_for_bit(format: str, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(5)
    q, k, v = (rng.normal(size=shape) for _ in range(3))
    want = np.asarray(attention(q, k, v, policy="baseline_paper", format=format), dtype=np.float64)
    with emulate("baseline_paper", format, speed="exact"):
        found = plain(*(torch.from_numpy(x) for x in (q, k, v)))
    np.testing.assert_array_equal(found.numpy(), want)
    if format != "fp64":
        with emulate("baseline_paper", format):
            fast = plain(*(torch.from_numpy(x.astype(np.float32)) for x in (q, k, v)))
        again = attention(*(x.astype(np.float32) for x in (q, k, v)), policy="baseline_paper", format=format)
        np.testing.assert_array_equal(fast.numpy(), np.asarray(again))


def test_formula_an_audit_measures_that_very_deviation() -> None:
    rng = np.random.default_rng(0)
    q, k, v = (rng.random((2, 40, 16)) for _ in range(3))
    found = audit(plain, (q, k, v), "baseline_paper", "bf16")
    rounded = np.asarray(attention(q, k, v, policy="baseline_paper", format="bf16"), dtype=np.float64)
    a, b, c = (torch.from_numpy(np.asarray(round_to(x, "bf16"), dtype=np.float64)) for x in (q, k, v))
    assert found.worst.optimised.max == pytest.approx(np.abs(rounded - plain(a, b, c).numpy()).max(), rel=1e-9)
    assert [call.site for call in found.calls] == ["aten.bmm", "aten.mul", "aten.softmax.sub", "aten.softmax.exp", "aten.softmax.sum", "aten.softmax.div",
                                                   "aten.bmm"]  # fmt: skip
    assert found.calls[1].local_max == 0.0  # 1/√16 is a power of two
    assert found.calls[-1].max == found.worst.optimised.max
    assert sum(each.share for each in found.sites) == pytest.approx(1)
    assert found.sites[0].share >= found.sites[-1].share
    json.dumps(found.to_dict(), allow_nan=False)


def test_formula_fused_softmax_has_one_rounding() -> None:
    x = torch.randn(3, 9, generator=torch.Generator().manual_seed(0))
    found = audit(lambda x: torch.softmax(x, -1), x, fused=["softmax"])
    assert [call.site for call in found.calls] == ["aten.softmax"]


def test_formula_the_first_nan_is_told() -> None:
    found = audit(lambda x: (x * 300.0).square() - (x * 300.0).square(), torch.ones(4), "baseline_paper", "fp16")
    assert found.first_nonfinite is not None
    assert (found.first_nonfinite.site, found.first_nonfinite.number, found.first_nonfinite.nans) == ("aten.sub", 4, 4)
    json.dumps(found.to_dict(), allow_nan=False)


def test_formula_a_module_stays_as_it_is_and_its_parts_fuse() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Sequential(nn.GELU(), nn.Linear(8, 3)))
    before = {name: each.clone() for name, each in net.state_dict().items()}
    x = torch.randn(16, 4)
    whole = audit(net, x, contributions=False)
    fused = audit(net, x, contributions=False, fused=["2"])
    assert all(torch.equal(each, before[name]) for name, each in net.state_dict().items())
    assert len(fused.calls) < len(whole.calls)
    with pytest.raises(UnknownName, match=r"No operator or module to fuse named '3'"):
        audit(net, x, fused=["3"])


def test_formula_a_pair_is_held_against_the_baseline_in_fp64() -> None:
    x = torch.linspace(0.1, 3, 50)
    found = audit((lambda x: x * x * x, lambda x: x.pow(3)), x, names=("products", "power"))
    assert (found.subject, found.baseline) == ("products", "power")
    assert found.worst.baseline is not None and found.worst.rmse_ratio > 1
    assert not any("may not compute the same" in note for note in found.notes)
    wrong = audit((lambda x: x + 0.5, lambda x: x), x, contributions=False)
    assert any("may not compute the same" in note for note in wrong.notes)


def test_formula_another_path_is_told() -> None:
    found = audit(lambda x: x.exp() if (x * (1 / 3))[0].item() > 0.3334 else x.abs().log(), torch.ones(3), contributions=False)
    assert any("its path depends on values" in note for note in found.notes)


@pytest.mark.parametrize("name", SUBJECTS)
def test_formula_subjects_that_come_along(name: str) -> None:
    subject, baseline, inputs, names = load(name)
    found = audit(subject, inputs, baseline=baseline, names=names, contributions=False)
    assert 0 < found.worst.optimised.rmse < found.calls[0].level
    assert found.sections()[0].title.startswith("Output")


def test_formula_audits_of_two_orders_know_the_better_one() -> None:
    for name in ("winograd", "allreduce", "layernorm"):
        subject, baseline, inputs, names = load(name)
        assert audit(subject, inputs, baseline=baseline, names=names, contributions=False).worst.rmse_ratio > 1.5


@pytest.mark.parametrize(
    ("subject", "inputs", "message"),
    [
        (3, torch.ones(2), "subject 3 cannot be called"), ((torch.exp,), torch.ones(2), "a pair is"), (lambda x: 3, torch.ones(2), "gave no floating tensor"),
        (lambda x: x[:0], torch.ones(2), "without elements"), (lambda x, y: x, torch.ones(2), "raised TypeError"),
        ((lambda x: x[:1], lambda x: x), torch.ones(2), "outputs differ in shape"), (torch.exp, np.array(["a"]), "an input has dtype"),
    ],
)  # fmt: skip
def test_formula_refusals(subject: object, inputs: object, message: str) -> None:
    with pytest.raises(BadValue, match=message):
        audit(subject, inputs)


MODULE = """
import torch
def double(x): return x * 1.3
def half(x): return x * 1.3
class Kind: pass
number = 3
def make_inputs(seed): return torch.randn(5)
"""


@pytest.fixture
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "their_numerics.py").write_text(MODULE)
    (tmp_path / "their_broken.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_formula_user_code_is_found_and_errors_are_one_line(user: Path) -> None:
    _, _, inputs, names = load("their_numerics:double")
    assert names[0] == "double" and len(inputs) == 1 and torch.equal(inputs[0], load("their_numerics:double")[2][0])
    for said, kind, message in (
        ("their_numerics:doubl", UnknownName, "No function of their_numerics named 'doubl'. Did you mean 'double'"),
        ("their_numeric:double", UnknownName, "No module named 'their_numeric'"), ("their_numerics:Kind", BadValue, "is a class"),
        ("their_numerics:number", BadValue, "is of type int"), ("their_broken:f", BadValue, "cannot be imported: ZeroDivisionError"),
        ("a b:c", BadValue, "not written as package.module:function"),
    ):  # fmt: skip
        with pytest.raises(kind, match=message) as why:
            load_function(said)
        assert "\n" not in str(why.value)
    with pytest.raises(UnknownName, match=r"No subject named 'atention'. Did you mean 'attention'"):
        load("atention")


def test_formula_inputs_from_files(user: Path) -> None:
    np.savez(user / "named.npz", x=np.ones(3))
    np.savez(user / "other.npz", a=np.ones(3))
    found = load_function("their_numerics:double")[1]
    assert isinstance(read_inputs(user / "named.npz", found), dict)
    assert isinstance(read_inputs(user / "other.npz", found), tuple)
    (user / "text.npz").write_text("no")
    for name in ("text.npz", "none.npz"):
        with pytest.raises(BadFile, match="cannot be read"):
            read_inputs(user / name, found)


def test_formula_the_command(user: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["numerics", "audit", "their_numerics:double", "--baseline", "their_numerics:half", "--format", "fp16", "--json"]) in (0, None)
    said = json.loads(capsys.readouterr().out)
    assert said["format"] == "fp16" and said["largest_contributor"] == "aten.mul" and said["ratio_to_baseline"] == 1.0
    assert {"max", "mean", "bias_ratio", "w1", "at_floor"} <= set(said)
    (user / "policy.toml").write_text('preset = "baseline_paper"\n[sites]\n"aten.mull" = "fp32"\n')
    assert main(["numerics", "audit", "attention", "--policy", "policy.toml"]) == 2
    error = capsys.readouterr().err
    assert "policy file 'policy.toml': No site named 'aten.mull'. Did you mean 'aten.mul'" in " ".join(error.split())
    assert main(["numerics", "audit", "their_numerics:half", "--out", "page.html", "--no-contributions"]) in (0, None)
    assert "half under baseline_paper in bf16" in capsys.readouterr().out
    assert "Rounding by rounding" in (user / "page.html").read_text()
    assert main(["numerics", "audit", "--list", "--json"]) in (0, None)
    assert set(json.loads(capsys.readouterr().out)["subjects"]) == set(SUBJECTS)


@pytest.mark.parametrize("cast", [torch.float16, torch.bfloat16, torch.float32])
def test_formula_golden_does_not_take_part_in_the_subjects_own_casts(cast: torch.dtype) -> None:
    """A subject that narrows its scores deviates by that, and one that casts to FP32 on the way, as much code does, is audited at all."""
    x = torch.rand(3, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = audit(lambda x: (x.to(cast) @ x.to(cast).T).to(x.dtype), x, "baseline_paper", "bf16")
    inside = torch.from_numpy(np.asarray(round_to(x.numpy(), "bf16"), dtype=np.float64))
    exact = inside @ inside.T
    kept = round_to(exact.numpy(), "fp16" if cast == torch.float16 else "bf16")
    assert found.worst.optimised.max == pytest.approx(np.abs(np.asarray(kept, dtype=np.float64) - exact.numpy()).max(), rel=1e-3)
    assert found.sites[0].site == "aten.mm"


def _rope(x: torch.Tensor) -> torch.Tensor:
    turned = torch.view_as_complex(x.reshape(-1, 2))
    return torch.view_as_real(turned * turned)


def _stop(x: torch.Tensor) -> torch.Tensor:
    raise SystemExit(3)


@pytest.mark.parametrize(("subject", "said"), [
    (lambda x: torch.fft.fft(x).abs(), "complex numbers"), (_rope, "complex numbers"), (_stop, "_stop raised SystemExit: 3"),
])  # fmt: skip
def test_formula_what_no_policy_rounds_is_refused(subject: Any, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        audit(subject, torch.ones(4, 2, dtype=torch.float64))


@pytest.mark.parametrize(("text", "said"), [
    ("def make_inputs(a, b): return 1\ndef f(x): return x\n", "make_inputs raised TypeError"), ("import sys\nsys.exit(4)\n", "SystemExit: 4"),
])  # fmt: skip
def test_formula_a_users_file_that_stops_is_one_line(text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"stops_{len(text)}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadValue, match=said):
        load(f"{name}:f")

"""Who counts what, at the tiny preset; counters that misbehave are contained."""

from __future__ import annotations

import json
import math
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

from thrifty.errors import BadValue, UnknownName
from thrifty.lenses.operators.counting.counters import CountersTable, counters
from thrifty.lenses.operators.counting.counting_peers import PEERS, Peer, Plain, contained, plain, run_contained

NAME = "sd-1.5-unet@tiny"
BY_NAME = {peer.name: peer for peer in PEERS}
OURS, TORCHS = BY_NAME["thrifty capture"], BY_NAME["FlopCounterMode"]


def fake(count: Callable[..., Any], *, unit: Any = "FLOP", package: str = "thrifty") -> Peer:
    return Peer(name="fake", package=package, distribution=package, unit=unit, counts="whatever", count=count)


def small() -> Plain:
    return plain(torch.nn.Sequential(torch.nn.Linear(8, 8, bias=False), torch.nn.Linear(8, 4, bias=False)), {"input": torch.ones(3, 8)})


def prints(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> float:
    sys.stdout.write("look at me")
    sys.stderr.write("and me")
    warnings.warn("and me", UserWarning, stacklevel=1)
    return 1e6


def raises(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> float:
    torch.nn.functional.silu = None
    raise RuntimeError("first line\nsecond line")


def mutates(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> float:
    for tensor in (*tensors, *module.parameters()):
        tensor.data = tensor.data.new_empty(0)
    module.register_forward_pre_hook(lambda *_: 1 / 0)
    return 1e6


@pytest.mark.parametrize(
    ("count", "flops", "failure"),
    [
        (prints, 1e6, ""), (raises, None, "RuntimeError: first line"), (mutates, 1e6, ""), (lambda *_: sys.exit(3), None, "SystemExit: 3"),
        (lambda *_: math.nan, None, "stated nan, which is no number of operations"),
        (lambda *_: -1, None, "stated -1.0, which is no number of operations"),
        (lambda *_: "many", None, "ValueError: could not convert string to float: 'many'"),
    ],
)  # fmt: skip
def test_a_counter_that_misbehaves_is_contained(count: Any, flops: float | None, failure: str, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run_contained(fake(count), small())
    assert (outcome.flops, outcome.failure) == (flops, failure)
    assert capsys.readouterr() == ("", "")
    assert callable(torch.nn.functional.silu)


@pytest.fixture(scope="module")
def table() -> CountersTable:
    peers = [fake(mutates), fake(raises), fake(lambda *_: 5e8, unit="MAC"), OURS, TORCHS, fake(lambda *_: 1, package="no_such_package")]
    return counters(NAME, peers=peers)


def test_formula_thrifty_and_torch_against_the_closed_form(table: CountersTable) -> None:
    """What the misbehaving ones did before changes nothing. Torch's own counter has no rule for fused attention on a CPU."""
    meta, cpu = table.places
    assert (meta.device, cpu.device, meta.flops) == ("meta", "cpu", cpu.flops)
    assert (meta.point, meta.parameters) == ({"batch": 1, "latent": 16, "text": 8}, 2_808_164)
    ours, torchs = table.rows[3:5]
    assert [count.error for count in ours.counts_by_place] == [0.0, 0.0]
    on_meta, on_cpu = torchs.counts_by_place
    assert on_meta.error == 0.0
    attention = sum(4 * seq * (seq + 8) * channels * blocks for seq, channels, blocks in ((256, 32, 5), (64, 48, 5), (16, 64, 5), (4, 64, 1)))
    assert on_cpu.flops == meta.flops - attention


def test_formula_units_are_brought_together(table: CountersTable) -> None:
    count = table.rows[2].counts_by_place[0]
    assert count.flops == 1e9
    assert count.error == pytest.approx(1e9 / table.places[0].flops - 1)


def test_an_absent_counter_says_how_to_get_it(table: CountersTable) -> None:
    row = table.rows[-1]
    assert (row.version, row.counts_by_place, row.install) == (None, (), "pip install no_such_package")
    assert table.cells()[-1] == ("fake", "", "", "", "", "", "not installed: pip install no_such_package")


def test_json_and_terminal(table: CountersTable) -> None:
    found = table.to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["schema"], found["workload"], found["parameters"], len(found["counters"])) == (1, NAME, 2_808_164, 6)
    assert found["counters"][1]["places"][0] == {"flops": None, "error": None, "failure": "RuntimeError: first line", "seconds": pytest.approx(0, abs=60)}
    parts = table.parts()
    assert parts[0] == "\n".join(f"{NAME} on {device}: batch 1, latent 16, text 8, 2,808,164 parameters" for device in ("meta", "cpu"))
    assert parts[2] == "fake on meta fails: RuntimeError: first line"
    assert len(table.cells()) == 7


def test_paper_the_whole_unet_at_full_size() -> None:
    """803,273,441,280 FLOPs: 401.637 GMAC at a latent of 64 and 77 tokens of text."""
    found = counters("sd-1.5-unet", peers=[])
    assert (found.places[0].flops, found.places[0].parameters) == (803_273_441_280, 859_520_964)
    assert [place.workload for place in found.places] == ["sd-1.5-unet", "sd-1.5-unet@tiny"]


def test_sizes_are_those_of_the_full_run() -> None:
    found = counters("sd-1.5-unet", peers=[], latent=32, text=5)
    assert [place.point for place in found.places] == [{"batch": 1, "latent": 32, "text": 5}, {"batch": 1, "latent": 16, "text": 8}]
    with pytest.raises(BadValue):
        counters("sd-1.5-unet", peers=[], latent=0)


def test_what_cannot_be_counted_is_refused() -> None:
    with pytest.raises(UnknownName):
        counters("sd-1.5-unnet")


def test_patched_functions_are_put_back() -> None:
    before = torch.nn.functional.linear, torch.Tensor.matmul, torch.nn.Module.__call__, torch.matmul
    state = torch.random.get_rng_state()
    with pytest.raises(ZeroDivisionError), contained():
        torch.nn.functional.linear = torch.Tensor.matmul = torch.nn.Module.__call__ = torch.matmul = None
        _ = 1 / 0
    assert (torch.nn.functional.linear, torch.Tensor.matmul, torch.nn.Module.__call__, torch.matmul) == before
    with contained():
        assert not torch.is_grad_enabled()
        torch.rand(3)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_nested_inputs_are_given_by_position() -> None:
    class Two(torch.nn.Module):
        def forward(self, a: torch.Tensor, more: dict[str, Any], flag: bool) -> tuple[torch.Tensor, int]:
            return a + more["b"] * (2 if flag else 3), 7

    module = plain(Two(), {"a": torch.ones(2), "more": {"b": torch.full((2,), 5.0)}, "flag": True})
    assert [t.tolist() for t in module.tensors()] == [[1, 1], [5, 5]]
    assert module(torch.zeros(2), torch.ones(2)).tolist() == [2, 2]


@pytest.mark.parametrize("name", [peer.name for peer in PEERS])
def test_peer_each_installed_counter_counts_plain_products(name: str) -> None:
    peer = BY_NAME[name]
    if peer.version is None:
        pytest.skip(f"{peer.distribution} is not installed")
    outcome = run_contained(peer, small())
    if name == "torch-flops" and not torch.cuda.is_available():  # it asks the CUDA allocator, whatever it runs on
        assert outcome.failure.startswith("RuntimeError: ShapeProp error")
        return
    assert outcome.failure == ""
    assert outcome.flops == 2 * 3 * (64 + 32), "two plain products are counted alike by all"

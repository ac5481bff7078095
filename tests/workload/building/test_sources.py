"""Tables at any point, and what is done where meta tensors fail."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.workload.building.tiny import BERT, GEMMA3, GPT2, LLAMA, POINT, RESNET, VIT

from thrifty.errors import BadValue, CaptureError, UnknownName
from thrifty.formats import bytes_of
from thrifty.workload.building import Blueprint, CallableSource, TorchSource, torch_source
from thrifty.workload.building.sources import record_at
from thrifty.workload.model import Workload, WorkPhase
from thrifty.workload.table import Kind, Role


@pytest.mark.parametrize(
    ("blueprint", "phase", "expected"),
    [
        (LLAMA, "prefill", [("batch", 1, None, 1, 1), ("seq", 128, 128, 1, 2)]),
        (LLAMA, "decode", [("batch", 1, None, 1, 1), ("seq", 127, 127, 1, 1)]),
        (replace(LLAMA, context=None), "prefill", [("batch", 1, None, 1, 1), ("seq", 128, None, 1, 2)]),
        (BERT, "forward", [("batch", 1, None, 1, 1), ("seq", 64, 64, 1, 2)]),
        (VIT, "forward", [("batch", 1, None, 1, 1), ("image", 32, None, 8, 4)]),
        (RESNET, "forward", [("batch", 1, None, 1, 1), ("image", 224, None, 8, 2)]),
        (replace(BERT, kind="recommender"), "forward", [("batch", 1, None, 1, 1)]),
    ],
)
def test_symbols(blueprint: Blueprint, phase: WorkPhase, expected: list[tuple[object, ...]]) -> None:
    found = TorchSource(blueprint).symbols(phase)
    assert [(symbol.name, symbol.default, symbol.high, symbol.modulus, symbol.degree) for symbol in found] == expected


def test_symbol_breaks_where_a_window_is_full() -> None:
    source = TorchSource(GEMMA3)
    assert [source.symbols(phase)[1].breaks for phase in ("prefill", "decode")] == [(8,), (7,)]
    assert TorchSource(LLAMA).symbols("prefill")[1].breaks == ()


def test_formula_llama_prefill() -> None:
    table = TorchSource(LLAMA).table("prefill", "fp32", {"batch": 2, "seq": 12})
    linear = 2 * (2 * 12) * 2 * (32 * (32 + 16 + 16) + 32 * 32 + 3 * 32 * 64) + 2 * 2 * 32 * 100  # two layers, and the head at the last position
    attention = 2 * (2 * 2 * 4 * 12 * 12 * (8 + 8))
    assert table.totals()["flops_matrix"] == linear + attention
    assert table.totals()["bytes_weight"] == 4 * (24992 - 100 * 32 + min(24, 100) * 32)  # of the embeddings, the rows that are fetched


def test_module_is_built_once_a_format_and_side() -> None:
    source = TorchSource(VIT)
    assert source.module("fp32", {"image": 32}) is source.module("fp32", {"image": 32})
    assert source.module("bf16", {"image": 32}) is not source.module("fp32", {"image": 32})
    larger = source.table("forward", "fp32", {"batch": 1, "image": 48})
    tokens = (48 // 8) ** 2 + 1
    assert set(larger.rows["seq_q"][larger.rows["kind"] == Kind.ATTENTION].tolist()) == {tokens}


ODD = '''
from types import SimpleNamespace
import torch
from torch import nn

class Odd(nn.Module):
    def __init__(self, **config):
        super().__init__()
        self.config = SimpleNamespace(vocab_size=10, get_text_config=lambda: SimpleNamespace(vocab_size=10))
        self.table = nn.Embedding(10, 4)

class MixesDevices(Odd):
    def forward(self, input_ids):
        return self.table(input_ids) + torch.ones(4, device="cpu")

class AsksForValues(Odd):
    def forward(self, input_ids):
        return self.table(input_ids) if input_ids.sum().item() >= 0 else None

class NeverRuns(Odd):
    def forward(self, input_ids):
        raise RuntimeError("not today\\nfor a long reason")
'''


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    (tmp_path / "thrifty_odd_models.py").write_text(ODD)
    monkeypatch.syspath_prepend(tmp_path)
    yield "thrifty_odd_models"


@pytest.mark.parametrize(("name", "where"), [("MixesDevices", "fake"), ("AsksForValues", "cpu")])
def test_fallback_to_fake_and_real_tensors_is_said(odd: str, name: str, where: str) -> None:
    source = TorchSource(Blueprint(name=name, kind="encoder", torch_class=f"{odd}.{name}"))
    table = source.table("forward", "fp32", {"batch": 2, "seq": 3})
    assert source.where == where
    assert Kind.EMBEDDING in table.rows["kind"]
    (note,) = source.notes
    assert note.startswith("meta tensors fail (")
    assert note.endswith(f"): captured on {where} tensors")
    source.table("forward", "fp32", {"batch": 2, "seq": 3})
    assert source.notes == (note,)


def test_module_that_never_runs(odd: str) -> None:
    source = TorchSource(Blueprint(name="it", kind="encoder", torch_class=f"{odd}.NeverRuns"))
    with pytest.raises(CaptureError) as caught:
        source.table("forward", "fp32", {"batch": 2, "seq": 3})
    assert str(caught.value) == (
        "'it' cannot be run: meta tensors fail (not today); fake tensors fail (not today); cpu tensors fail (not today). "
        "Give package.module:callable with inputs that it runs on."
    )


@pytest.mark.parametrize("name", ["int8", "q4_1", "mxfp4", "fp8"])
def test_formula_narrow_weights_over_a_captured_table(name: str) -> None:
    source = TorchSource(LLAMA)
    wide, narrow = source.table("prefill", "bf16", POINT), source.table("prefill", name, POINT)
    weight = wide.storages["role"] == Role.WEIGHT
    assert narrow.storages["bytes"][weight].tolist() == [bytes_of(int(size) // 2, name) for size in wide.storages["bytes"][weight]]
    assert narrow.storages["bytes"][~weight].tolist() == wide.storages["bytes"][~weight].tolist()
    for row in range(len(wide)):
        mine = slice(wide.reads_ptr[row], wide.reads_ptr[row + 1])
        due = sum(
            bytes_of(int(size) // 2, name) if weight[storage] else int(size)
            for storage, size in zip(wide.reads[mine], wide.reads_bytes[mine], strict=True)
        )
        assert narrow.rows["bytes_read"][row] == due
    assert narrow.totals()["flops_matrix"] == wide.totals()["flops_matrix"]
    linear = narrow.rows["kind"] == Kind.LINEAR
    assert {narrow.formats[index] for index in narrow.rows["format"][linear]} == {source_format(name)}
    assert {narrow.formats[index] for index in narrow.rows["format"][narrow.rows["kind"] == Kind.ATTENTION]} == {"bf16"}


def source_format(name: str) -> str:
    return {"fp8": "fp8_e4m3"}.get(name, name)


def test_format_that_nobody_knows() -> None:
    with pytest.raises(UnknownName, match=r"^No format named 'fp33'\. Did you mean 'fp32'\?"):
        TorchSource(LLAMA).table("prefill", "fp33", POINT)


def test_kinds_of_source() -> None:
    assert isinstance(torch_source(LLAMA), TorchSource)
    assert isinstance(torch_source("collections:OrderedDict"), CallableSource)


def test_workload_moves_by_its_source() -> None:
    source = TorchSource(GPT2)
    point = {"batch": 1, "seq": 8}
    table = source.table("prefill", "fp32", point)
    workload = Workload(
        name="gpt2", phase="prefill", format="fp32", point=point, table=table, parameters=1, weight_bytes=1, symbols=source.symbols("prefill"), source=source
    )
    decode = workload.at(phase="decode", batch=3, seq=9)
    assert decode.table.rows["seq_k"].max() == 10
    with pytest.raises(BadValue) as caught:
        workload.at(seq=129)
    assert str(caught.value) == "seq=129 is above 128 (the largest context of this workload). Choose a whole number from 1 to 128."


def test_recording_leaves_the_module_as_it_was() -> None:
    source = TorchSource(LLAMA)
    before = source.table("forward", "fp32", POINT)
    source.table("training", "fp32", POINT)
    after = source.table("forward", "fp32", POINT)
    assert after.rows.tolist() == before.rows.tolist()
    assert record_at(source.module("fp32", POINT), LLAMA, "decode", POINT).totals()["flops_matrix"] > 0

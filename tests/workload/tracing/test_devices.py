"""The same rows from meta, fake and CPU tensors: kind, operator, module, shape, FLOPs and bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import pytest
import torch
import torch.nn.functional as F
from tests.workload.tracing.models import EXPERTS, MODELS, TOKENS, Built, llama
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from thrifty.workload import Kind, Workload, capture
from thrifty.workload.building.caches import cache_name

PhaseName = Literal["forward", "training"]
SAME = (
    "kind", "phase", "op", "module", "batch", "m", "n", "k", "taps", "seq_q", "seq_k", "heads", "kv_heads", "head_dim", "value_dim", "causal",
    "format", "flops_matrix", "flops_vector", "flops_skipped", "bytes_read", "bytes_written", "bytes_weight", "bytes_staged", "calls",
)  # fmt: skip
LANGUAGE = ("llama", "gpt2", "gemma3", "t5", "mixtral", "deepseek")
NOT_FAKE = {
    "vit": "building it asks for a value", "encoder": "torch copies its layers together with their fake mode",
    "t5": "it asks for the values of its encoder's mask", "gemma3": "it takes no mask of four axes",
}  # fmt: skip
ALL = {name: make for name, make in {**MODELS, **EXPERTS}.items() if name != "lstm"}  # on a CPU an LSTM layer is one kernel


def rows(workload: Workload) -> list[tuple[Any, ...]]:
    return [tuple(row[name] for name in SAME) for row in workload.table.describe()]


def captured(built: Built, phase: PhaseName) -> list[tuple[Any, ...]]:
    module, inputs = built
    return rows(capture(module if phase == "training" else module.eval(), phase=phase, **inputs))


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("name", ALL)
def test_property_rows_are_equal_from_meta_and_cpu_tensors(name: str, phase: PhaseName) -> None:
    if name in EXPERTS and phase == "training":
        phase = "forward"
    assert captured(ALL[name]("cpu"), phase) == captured(ALL[name]("meta"), phase)


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("name", [name for name in ALL if name not in NOT_FAKE])
def test_property_rows_are_equal_from_meta_and_fake_tensors(name: str, phase: PhaseName) -> None:
    """Language models are given their mask: on fake tensors they believe to be compiled, and make another one themselves."""

    def build(device: str) -> Built:
        module, inputs = ALL[name](device)
        if name in LANGUAGE:
            inputs["attention_mask"] = torch.ones(TOKENS[0], 1, TOKENS[1], TOKENS[1], dtype=torch.bool, device=device)
        return module, inputs

    if name in EXPERTS and phase == "training":
        phase = "forward"
    with FakeTensorMode():
        fake = captured(build("cpu"), phase)
    assert fake == captured(build("meta"), phase)


class Attend(nn.Module):
    def __init__(self, **keywords: Any) -> None:
        super().__init__()
        self.keywords = keywords
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, *operands: torch.Tensor) -> torch.Tensor:
        q, *rest = operands
        out: torch.Tensor = F.scaled_dot_product_attention(q * self.gain, *rest, **self.keywords).transpose(1, 2).reshape(-1).sum()
        return out


def heads(count: int, tokens: int, width: int, batch: int = 2, *, tokens_first: bool = True) -> Callable[[], torch.Tensor]:
    """(batch, heads, tokens, width); tokens before heads in memory, as projections leave it."""
    return lambda: torch.rand(batch, tokens, count, width).transpose(1, 2) if tokens_first else torch.rand(batch, count, tokens, width)


Q, K = heads(6, 5, 4), heads(6, 7, 4)
ATTENTION: dict[str, tuple[dict[str, Any], tuple[Callable[[], torch.Tensor], ...], dict[str, int]]] = {
    "self": ({}, (Q, Q, Q), {"seq_q": 5, "seq_k": 5, "heads": 6, "kv_heads": 6, "head_dim": 4, "value_dim": 4}),
    "cross": ({}, (Q, K, K), {"seq_q": 5, "seq_k": 7, "heads": 6, "kv_heads": 6, "head_dim": 4, "value_dim": 4}),
    "causal": ({"is_causal": True}, (Q, Q, Q), {"seq_q": 5, "seq_k": 5, "heads": 6, "kv_heads": 6, "head_dim": 4, "value_dim": 4}),
    "grouped queries": (
        {"enable_gqa": True}, (Q, heads(2, 7, 4), heads(2, 7, 4)), {"seq_q": 5, "seq_k": 7, "heads": 6, "kv_heads": 2, "head_dim": 4, "value_dim": 4}
    ),
    "wider values": ({}, (Q, K, heads(6, 7, 3)), {"seq_q": 5, "seq_k": 7, "heads": 6, "kv_heads": 6, "head_dim": 4, "value_dim": 3}),
    "heads first": ({}, (heads(6, 5, 4, tokens_first=False), K, K), {"seq_q": 5, "seq_k": 7, "heads": 6, "kv_heads": 6, "head_dim": 4, "value_dim": 4}),
    "one key for all": ({}, (Q, heads(6, 7, 4, 1), heads(6, 7, 4, 1)), {"seq_q": 5, "seq_k": 7, "heads": 6, "kv_heads": 6, "head_dim": 4, "value_dim": 4}),
    "boolean mask": (
        {}, (Q, K, K, lambda: torch.rand(2, 1, 5, 7) > 0.2), {"seq_q": 5, "seq_k": 7, "heads": 6, "kv_heads": 6, "head_dim": 4, "value_dim": 4}
    ),
    "learnt mask": (
        {}, (Q, K, K, lambda: torch.rand(1, 6, 5, 7, requires_grad=True)),
        {"seq_q": 5, "seq_k": 7, "heads": 6, "kv_heads": 6, "head_dim": 4, "value_dim": 4},
    ),
    "one query": ({}, (heads(6, 1, 4), K, K), {"seq_q": 1, "seq_k": 7, "heads": 6, "kv_heads": 6, "head_dim": 4, "value_dim": 4}),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTENTION)
def test_formula_attention_is_one_record_forward_and_one_backward_on_every_device(name: str) -> None:
    keywords, operands, shape = ATTENTION[name]
    module, real = Attend(**keywords), [make() for make in operands]
    workload = capture(module, *real, phase="training")
    on_cpu = rows(workload)

    def elsewhere(tensor: torch.Tensor, device: str) -> torch.Tensor:
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device).requires_grad_(tensor.requires_grad)

    assert on_cpu == rows(capture(module.to("meta"), *(elsewhere(t, "meta") for t in real), phase="training"))
    with FakeTensorMode():
        assert on_cpu == rows(capture(Attend(**keywords), *(elsewhere(t, "cpu") for t in real), phase="training"))

    records = [row for row in workload.table.describe() if row["kind"] == "attention"]
    assert [row["op"] for row in records] == ["attention", "attention_backward"]
    scores = 2 * 6 * shape["seq_q"] * shape["seq_k"]
    width, masked, causal = shape["head_dim"] + shape["value_dim"], len(operands) > 3, "is_causal" in keywords
    for row, products in zip(records, (1, 2), strict=True):
        assert {key: row[key] for key in shape} == shape
        assert (row["batch"], row["causal"]) == (2, causal)
        assert row["flops_matrix"] == products * 2 * scores * width
        assert row["flops_skipped"] == (products * 2 * width * 2 * 6 * (5 * 4 // 2) if causal else 0)
    assert [row["flops_vector"] for row in records] == [scores * (6 + masked), scores * (5 + masked)]
    assert [row["flops_recomputed"] for row in records] == [0, 2 * scores * shape["head_dim"]]


def test_formula_grouped_queries_read_each_key_once() -> None:
    """Forward: q 6 heads, k and v 2; backward: the output's gradient, q, k, v, output and one log-sum-exp a query; it writes what it read as operands."""
    q, kv = 2 * 5 * 6 * 4 * 4, 2 * 7 * 2 * 4 * 4
    keywords, operands, _ = ATTENTION["grouped queries"]
    table = capture(Attend(**keywords), *(make() for make in operands), phase="training").table
    forward, backward = (row for row in table.describe() if row["kind"] == "attention")
    statistics = 2 * 6 * 5 * 4
    assert (forward["bytes_read"], forward["bytes_written"]) == (q + 2 * kv, q + statistics)
    assert (backward["bytes_read"], backward["bytes_written"]) == (4 + q + 2 * kv + q + statistics, q + 2 * kv)


def test_property_attention_gives_the_right_gradients_while_recorded() -> None:
    q, k, v, mask = (make().requires_grad_() for make in (Q, heads(6, 7, 4), heads(6, 7, 4), lambda: torch.rand(2, 6, 5, 7)))
    plain = torch.autograd.grad(F.scaled_dot_product_attention(q, k, v, mask).square().sum(), (q, k, v, mask))
    found: list[Any] = []

    class Module(nn.Module):
        def forward(self) -> torch.Tensor:
            out = F.scaled_dot_product_attention(q, k, v, mask).square().sum()
            found.append(torch.autograd.grad(out, (q, k, v, mask), retain_graph=True))
            found.append(torch.autograd.grad(out, (q, k, v, mask)))
            return out

    with torch.enable_grad():
        from thrifty.workload.tracing import record

        module = Module()
        record(module, module)
    for gradients in found:
        for ours, theirs in zip(gradients, plain, strict=True):
            torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_formula_a_cache_is_read_written_and_named(device: str) -> None:
    """One token after seven: keys of eight tokens are read by attention, and copied as the cache grows."""
    from transformers import DynamicCache

    module, inputs = llama(device, use_cache=True)
    cache = DynamicCache(config=module.config)
    empty = {"device": device, "dtype": torch.float32}
    for layer in range(2):
        cache.update(torch.zeros(2, 2, 7, 4, **empty), torch.zeros(2, 2, 7, 4, **empty), layer)
    table = capture(module.eval(), input_ids=inputs["input_ids"][:, :1], use_cache=True, **{str(cache_name(module)): cache}).table
    attention = table.rows[table.rows["kind"] == Kind.ATTENTION]
    assert [(int(r["seq_q"]), int(r["seq_k"]), int(r["heads"]), int(r["flops_matrix"])) for r in attention] == [(1, 8, 6, 2 * 2 * 6 * 8 * 8)] * 2
    caches = table.storages[table.storages["role"] == 6]
    assert sorted(int(size) for size in caches["bytes"]) == [2 * 2 * 7 * 4 * 4] * 4 + [2 * 2 * 8 * 4 * 4] * 4
    assert table.unknown() == {}


def test_formula_autocast_casts_attention_as_torch_does() -> None:
    module = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        table = capture(module, torch.rand(2, 5, 16)).table
        plain = capture(Attend(), *(make() for make in (Q, Q, Q))).table
    assert [table.formats[row["format"]] for row in table.rows[table.rows["kind"] == Kind.ATTENTION]] == ["bf16"]
    assert [row["op"] for row in plain.describe()][:5] == ["aten.mul", "aten._to_copy", "aten._to_copy", "aten._to_copy", "attention"]
    assert int(plain.rows["bytes_read"][4]) == 3 * 2 * 6 * 5 * 4 * 2

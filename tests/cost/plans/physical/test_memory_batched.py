"""The compiled sums against the plain account."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.cost.plans.models.shapes import LatentAttention, Recommender, Transformer
from thrifty.cost.plans.physical.memory import account
from thrifty.cost.plans.physical.memory_batched import TERMS, encode_constants, encode_layers, encode_plan, functions, memory_bytes, memory_terms
from thrifty.cost.plans.placing import Placed, place
from thrifty.cost.plans.plan import Offload, Plan, Recompute, Schedule
from thrifty.cost.plans.tasks import Task
from thrifty.errors import BadValue
from thrifty.hardware import load_system

GPT = Transformer(name="gpt", layers=24, hidden=1024, heads=16, seq=512, ffn=4096, vocab=5000, positions=True, dropout=True)
LLAMA = Transformer(name="llama", layers=24, hidden=512, heads=8, kv_heads=2, seq=256, ffn=1408, vocab=3000, gated=True, biases=False, tied=False)
DEEPSEEK = Transformer(
    name="deepseek", layers=24, hidden=512, heads=8, seq=256, ffn=1408, vocab=3000, gated=True, biases=False, tied=False, experts=16, active_experts=4,
    expert_ffn=128, shared_experts=1, first_dense=3, latent=LatentAttention(q_rank=64, kv_rank=32, nope_dim=16, rope_dim=8, value_dim=16),
)  # fmt: skip
DLRM = Recommender(name="dlrm", bottom=4, top=8, mlp_dim=256, tables=64, rows_per_table=1000, dim=64, pooling=8, experts=16, active_experts=2)
SYSTEM = load_system("hgx-b200").sized(8)
LEVELS = ("tp", "cp", "ddp", "zero1", "zero2", "fsdp", "pp")
TASKS = (
    Task(), Task(optimizer="adamw-8bit"), Task(kind="finetune", trained_layers=5), Task(kind="finetune", lora_rank=8, base_format="int8"),
    Task(kind="finetune", frozen=frozenset({"embedding", "attention"})), Task(kind="inference"), Task(kind="inference", phase="decode", context=1000),
    Task(optimizer="sgd"),
)  # fmt: skip


def bytes_of(placed: Placed, two: tuple[Callable[..., int], Callable[..., float]]) -> float:
    encoded, (degrees, options), terms = encode_layers(placed.layers, placed.task), encode_plan(placed), np.empty((placed.stages, TERMS))
    rows = two[0](encoded.pieces_PI, encoded.blocks_BF, degrees, options, encode_constants(), terms)
    return two[1](terms, rows, placed.micro_batch, placed.micro_batches)


@settings(max_examples=150, deadline=None)
@given(
    levels=st.permutations(LEVELS).flatmap(lambda order: st.tuples(st.just(order), st.sampled_from(((8,), (2, 4), (4, 2), (2, 2, 2))))),
    schedule=st.sampled_from(("1f1b", "gpipe", "interleaved", "zero-bubble")), interleave=st.sampled_from((1, 3)),
    recompute=st.sampled_from(("none", "selective", "full")), sequence=st.booleans(), fused=st.booleans(),
    offload=st.sets(st.sampled_from(("optimizer", "activations", "weights"))), task=st.sampled_from(TASKS), model=st.sampled_from((GPT, LLAMA, DEEPSEEK, DLRM)),
    micro=st.sampled_from((1, 2)), number_format=st.sampled_from(("bf16", "fp32")), share=st.sampled_from((8, 16)),
)  # fmt: skip
def test_property_the_compiled_account_is_the_plain_one(
    levels: tuple[Sequence[str], tuple[int, ...]], schedule: Schedule, interleave: int, recompute: Recompute, sequence: bool, fused: bool,
    offload: set[Offload], task: Task, model: Transformer | Recommender, micro: int, number_format: str, share: int,
) -> None:  # fmt: skip
    order, degrees = levels
    said = [f"{name}:{degree}" for name, degree in zip(order, degrees, strict=False)]
    text = "dense=" + ",".join(said)
    pipeline = next((int(level[3:]) for level in said if level.startswith("pp")), 1)
    if model is DEEPSEEK and "tp" not in order[: len(degrees)] and pipeline < 8:
        text += f";experts=ep:{8 // pipeline}" + (f",pp:{pipeline}" if pipeline > 1 else "")
    plan = replace(
        Plan.parse(text), schedule=schedule, interleave=interleave if "pp" in order[: len(degrees)] else 1, recompute=recompute, sequence=sequence, fused=fused,
        offload=frozenset(offload), micro_batch=micro,
    )  # fmt: skip
    layers = replace(model, format=number_format).to_layers()
    try:
        placed = place(plan, layers, SYSTEM, batch=share * 8, task=task)
    except BadValue:
        return
    expected = account(placed).total_bytes
    assert bytes_of(placed, (memory_terms, memory_bytes)) == pytest.approx(expected, rel=1e-12)
    assert bytes_of(placed, functions()) == pytest.approx(expected, rel=1e-12)


def test_property_every_corner_is_met() -> None:
    """So that the comparison above cannot pass by refusing: a plain grid of plans is all answered."""
    for model, level, recompute in itertools.product((GPT, LLAMA, DEEPSEEK), ("tp:8", "pp:8", "fsdp:8", "zero1:8", "cp:8"), ("none", "full")):
        layers = model.to_layers()
        placed = place(Plan.parse(f"dense={level};recompute={recompute}"), layers, SYSTEM, batch=64)
        assert bytes_of(placed, functions()) == pytest.approx(account(placed).total_bytes, rel=1e-12)


def test_formula_layers_treated_apart_are_refused() -> None:
    placed = place(Plan.parse("dense=ddp:8;ffn.3=fsdp:8"), GPT.to_layers(), SYSTEM, batch=8)
    with pytest.raises(BadValue, match="single layers apart"):
        encode_plan(placed)
    assert account(placed).total_bytes < account(place(Plan.parse("dense=ddp:8"), GPT.to_layers(), SYSTEM, batch=8)).total_bytes

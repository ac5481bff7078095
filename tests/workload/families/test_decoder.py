"""The decoder family against transformers' LLaMA, GPT-2, Mixtral, DeepSeek-V3 and Gemma 3, against sums by hand, and its lifetimes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.workload.families.twins import COMPARED, assert_same_parameters, assert_same_rows, sheet, twin

from thrifty.errors import BadFile, BadValue
from thrifty.workload.building import TorchSource
from thrifty.workload.entry import Entry
from thrifty.workload.families import Decoder, family_of, parameter_count
from thrifty.workload.families.language.decoder_shape import DecoderShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import COUNTS, Kind, Phase, Role

PHASES: tuple[WorkPhase, ...] = ("prefill", "decode", "forward", "training")
_LLAMA = {"vocab_size": 100, "hidden_size": 64, "intermediate_size": 176, "num_hidden_layers": 2, "num_attention_heads": 8, "max_position_embeddings": 256}
_GPT2 = {"vocab_size": 100, "n_embd": 64, "n_layer": 2, "n_head": 8, "n_positions": 256, "n_inner": 160}
_STAND_IN = "thrifty.workload.families.language.stand_in_torch.StandIn"
_SIZES: dict[str, Any] = {"layers": 2, "hidden": 64, "heads": 8, "intermediate": 176, "vocab": 100, "context": 256}

LLAMA = Decoder(shape=DecoderShape(**_SIZES, kv_heads=2))
GPT2 = Decoder(
    shape=DecoderShape(
        **{**_SIZES, "intermediate": 256}, norm="layer", activation="gelu_new", gated=False, positions="learned", fused_qkv=True, tied=True
    )
)
_BARE: dict[str, Any] = {
    **_SIZES, "intermediate": 160, "norm": "layer", "bare": True, "activation": "gelu_new", "gated": False, "positions": "learned", "fused_qkv": True,
    "tied": True,
}  # fmt: skip
BARE = Decoder(shape=DecoderShape(**_BARE))
BARE_MIXTURE = Decoder(shape=DecoderShape(**_BARE, experts=4, top_k=2))
MIXTRAL = Decoder(shape=DecoderShape(**_SIZES, kv_heads=2, experts=4, top_k=2))
DEEPSEEK = Decoder(
    shape=DecoderShape(
        **_SIZES, experts=16, top_k=3, expert_intermediate=32, shared_experts=1, dense_first=1, router="grouped", expert_groups=4, group_top_k=2,
        q_rank=24, kv_rank=16, rope_dim=8, nope_dim=16, value_dim=12,
    )
)  # fmt: skip
GEMMA = Decoder(
    shape=DecoderShape(
        **{**_SIZES, "layers": 3, "heads": 4}, kv_heads=1, head_dim=24, norm="rms_offset", activation="gelu_tanh", tied=True, qk_norm=True,
        post_norms=True, embed_scale=True, window=8, global_every=3,
    )
)  # fmt: skip
TWINS = {
    "llama": (LLAMA, twin("lm", "transformers.LlamaForCausalLM", **_LLAMA, num_key_value_heads=2)),
    "gpt2": (GPT2, twin("lm", "transformers.GPT2LMHeadModel", vocab_size=100, n_embd=64, n_layer=2, n_head=8, n_positions=256)),
    "bare": (BARE, twin("lm", _STAND_IN, **_GPT2)),
    "bare-mixture": (BARE_MIXTURE, twin("lm", _STAND_IN, **_GPT2, n_experts=4, n_experts_per_token=2)),
    "mixtral": (
        MIXTRAL, twin("lm", "transformers.MixtralForCausalLM", **_LLAMA, num_key_value_heads=2, num_local_experts=4, num_experts_per_tok=2),
    ),
    "deepseek": (
        DEEPSEEK,
        twin(
            "lm", "transformers.DeepseekV3ForCausalLM", **_LLAMA, num_key_value_heads=8, moe_intermediate_size=32, first_k_dense_replace=1,
            n_routed_experts=16, n_shared_experts=1, n_group=4, topk_group=2, num_experts_per_tok=3, q_lora_rank=24, kv_lora_rank=16,
            qk_rope_head_dim=8, qk_nope_head_dim=16, v_head_dim=12,
        ),
    ),
    "gemma": (
        GEMMA,
        twin(
            "lm", "transformers.Gemma3ForCausalLM", **{**_LLAMA, "num_hidden_layers": 3, "num_attention_heads": 4}, num_key_value_heads=1, head_dim=24,
            sliding_window=8, layer_types=["sliding_attention", "sliding_attention", "full_attention"], query_pre_attn_scalar=24,
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("name", TWINS)
def test_peer_rows_are_those_of_the_twin(name: str, phase: WorkPhase) -> None:
    """Beyond the window of Gemma's local layers. Peak memory: the twin's cache concatenates, so an old layer of it lives beside the new."""
    family, blueprint = TWINS[name]
    assert_same_rows(family, blueprint, phase, {"batch": 2, "seq": 12}, "bf16", COUNTS, peak=0.03)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize(("name", "point"), [("llama", {"batch": 1, "seq": 1}), ("gpt2", {"batch": 1, "seq": 7}), ("gemma", {"batch": 3, "seq": 5})])
def test_peer_rows_are_those_of_the_twin_at_small_sizes(name: str, point: dict[str, int], phase: WorkPhase) -> None:
    family, blueprint = TWINS[name]
    assert_same_rows(family, blueprint, phase, point, "fp32", COUNTS, peak=0.03)


@pytest.mark.parametrize("name", TWINS)
def test_peer_parameters_are_those_of_the_twin(name: str) -> None:
    assert_same_parameters(*TWINS[name])


@pytest.mark.parametrize("phase", ["prefill", "forward"])
def test_peer_every_row_of_llama_is_the_twins(phase: WorkPhase) -> None:
    """Not only the compared kinds: what differs are the positions that are looked through for packed sequences."""
    family, blueprint = TWINS["llama"]
    point = {"batch": 2, "seq": 12}
    table, captured = family.table(phase, "fp32", point), TorchSource(blueprint).table(phase, "fp32", point)
    ours = [(table.op(i), table.module(i), int(r["m"])) for i, r in enumerate(table.rows) if r["kind"] not in COMPARED]
    theirs = [(captured.op(i), captured.module(i), int(r["m"])) for i, r in enumerate(captured.rows) if r["kind"] not in COMPARED]
    extra = [one for one in theirs if one not in ours and one[1] != "model"]
    assert [one for one in ours if one not in theirs and one[0] != "cache_append"] == []
    assert [one for one in extra if one[0] != "aten.cat"] == []


def test_formula_llama_65b_by_hand() -> None:
    """Two FLOPs a parameter and token in every matrix but the embedding, attention on top."""
    entry = sheet("llama-65b")
    family = family_of(entry)
    hidden, inner, layers, vocab, batch, seq = 8192, 22016, 80, 32000, 2, 64
    layer = 4 * hidden * hidden + 3 * hidden * inner
    assert parameter_count(family) == layers * (layer + 2 * hidden) + 2 * vocab * hidden + hidden == 65_285_660_672
    matrices = 2 * batch * seq * layers * layer
    attention = layers * batch * 4 * seq * seq * hidden
    assert family.table("prefill", "fp16", {"batch": batch, "seq": seq}).totals()["flops_matrix"] == matrices + attention + 2 * batch * vocab * hidden
    assert family.table("forward", "fp16", {"batch": batch, "seq": seq}).totals()["flops_matrix"] == matrices + attention + 2 * batch * seq * vocab * hidden
    decode = family.table("decode", "fp16", {"batch": batch, "seq": seq}).totals()["flops_matrix"]
    assert decode == 2 * batch * layers * layer + layers * batch * 4 * (seq + 1) * hidden + 2 * batch * vocab * hidden


def test_formula_training_is_three_forwards() -> None:
    """Every product has two in its gradient; attention's four are twice its two."""
    point = {"batch": 2, "seq": 16}
    for family in (LLAMA, GPT2, MIXTRAL, DEEPSEEK, GEMMA):
        forward, training = (family.table(phase, "bf16", point).totals()["flops_matrix"] for phase in ("forward", "training"))
        assert training == 3 * forward


def test_formula_mixture_of_experts() -> None:
    """Exactly tokens × top_k experts work; min(experts, tokens × top_k) are read."""
    tokens, expert = 2 * 12, 3 * 64 * 176
    table = MIXTRAL.table("prefill", "bf16", {"batch": 2, "seq": 12})
    grouped = table.select(np.array([table.op(i) == "aten._grouped_mm" for i in range(len(table))]))
    assert int(grouped["flops_matrix"].sum()) == 2 * 2 * tokens * 2 * expert  # layers × multiply-add × tokens × top_k
    assert int(grouped["bytes_weight"].sum()) == 2 * 4 * expert * 2
    one = MIXTRAL.table("decode", "bf16", {"batch": 1, "seq": 12})
    few = one.select(np.array([one.op(i) == "aten._grouped_mm" for i in range(len(one))]))
    assert int(few["bytes_weight"].sum()) == 2 * 2 * expert * 2


def test_formula_cache_and_weights_in_bytes() -> None:
    """The cache holds two vectors a token, layer and key-value head; narrow weights leave activations in bf16, vectors too."""
    table = LLAMA.table("decode", "q4_1", {"batch": 3, "seq": 20})
    cache = table.storages[table.storages["role"] == Role.CACHE]
    assert int(cache["bytes"].sum()) == 2 * 2 * 3 * 21 * 2 * 8 * 2
    weights = table.storages[table.storages["role"] == Role.WEIGHT]
    matrices, vectors = parameter_count(LLAMA) - 5 * 64, 5 * 64
    assert int(weights["bytes"].sum()) == matrices * 20 // 32 + vectors * 2
    assert {table.formats[i] for i in table.rows["format"][table.rows["kind"] == Kind.ATTENTION]} == {"bf16"}
    embedding = table.rows[table.rows["kind"] == Kind.EMBEDDING][0]
    assert int(embedding["bytes_weight"]) == 3 * 64 * 20 // 32


def test_formula_sliding_window() -> None:
    """A local layer's decode sees the window at most; its prefill counts in full, masked beyond the window and causal below it."""
    for past, seen in ((3, 4), (7, 8), (50, 8)):
        table = GEMMA.table("decode", "bf16", {"batch": 1, "seq": past})
        assert [int(r["seq_k"]) for r in table.rows[table.rows["kind"] == Kind.ATTENTION]] == [seen, seen, past + 1]
    for seq, causal in ((7, [True, True, True]), (8, [False, False, True])):
        table = GEMMA.table("prefill", "bf16", {"batch": 1, "seq": seq})
        assert [bool(r["causal"]) for r in table.rows[table.rows["kind"] == Kind.ATTENTION]] == causal
        assert [int(r["seq_k"]) for r in table.rows[table.rows["kind"] == Kind.ATTENTION]] == [seq] * 3


def test_formula_optimizer() -> None:
    """One row a parameter; two moments each, as wide as the parameter; gradients live to the end of the step."""
    table = LLAMA.table("training", "bf16", {"batch": 1, "seq": 8})
    steps = table.rows[table.rows["phase"] == Phase.OPTIMIZER]
    assert len(steps) == sum(1 for _ in LLAMA.parameters()) and int(steps["m"].sum()) == parameter_count(LLAMA)
    held = table.held_at(len(table) - 1)
    assert held["optimizer"] == 2 * held["weight"] == 2 * held["gradient"] == 4 * parameter_count(LLAMA)


def test_property_recompute_trades_memory_for_work() -> None:
    """Every layer's forward runs twice, so products are four forwards; what is held between the passes is one tensor a layer."""
    point = {"batch": 4, "seq": 64}
    plain, again = (Decoder(shape=DecoderShape(**{**_SIZES, "layers": 6}), recompute=on) for on in (False, True))
    forward, kept, recomputed = plain.table("forward", "bf16", point), plain.table("training", "bf16", point), again.table("training", "bf16", point)
    head = 2 * 4 * 64 * 64 * 100
    layers = forward.totals()["flops_matrix"] - head
    assert kept.totals()["flops_matrix"] == 3 * (layers + head)
    assert recomputed.totals()["flops_matrix"] == 4 * layers + 3 * head
    held = [int(t.live_bytes()[np.flatnonzero(t.rows["phase"] == Phase.BACKWARD)[0]]) for t in (kept, recomputed)]
    assert held[1] < held[0] / 2
    assert [t.totals()["bytes_weight"] for t in (kept, recomputed)] == [kept.totals()["bytes_weight"]] * 2
    assert recomputed.rows["phase"].tolist() == sorted(recomputed.rows["phase"].tolist())


def test_peer_recompute_is_torchs_checkpointing() -> None:
    """transformers' gradient checkpointing of the same model: as many FLOPs, and peak memory within a tenth."""
    from thrifty.workload.building import build_module, make_inputs
    from thrifty.workload.tracing.capturing import record_step

    family, blueprint = TWINS["llama"]
    point = {"batch": 2, "seq": 32}
    module = build_module(blueprint, device="cpu").train()
    module.activation_checkpointing_enable({"use_reentrant": True})
    captured = record_step(module, (), make_inputs(module, blueprint, "training", point, "cpu"), training=True).table
    table = Decoder(shape=family.shape, recompute=True).table("training", "fp32", point)
    assert table.totals()["flops_matrix"] == captured.totals()["flops_matrix"]
    assert table.peak()[0] == pytest.approx(captured.peak()[0], rel=0.1)


def test_property_building_is_quick() -> None:
    """Rows of 80 layers in a few thousand calls: a table holds no more than a fixed number of rows a layer."""
    assert len(family_of(sheet("llama-65b")).table("prefill", "fp16", {"batch": 1, "seq": 128})) == 80 * 26 + 14


def test_errors_of_shapes_and_phases() -> None:
    def message(**shape: Any) -> str:
        entry = Entry(name="mine", title="", kind="lm", family="decoder", shape={**_SIZES, **shape}, parameters=1, format="bf16", licence="")
        with pytest.raises(BadFile) as caught:
            family_of(entry)
        return str(caught.value)

    assert message(kv_heads=3) == "mine: shape: kv_heads=3 does not divide heads=8. Choose a divisor of it."
    assert message(norm="batch") == "mine: shape: norm='batch' is none of layer, rms, rms_offset. Choose one of them."
    assert message(experts=4) == "mine: shape: top_k=0 is not between 1 and experts=4. Choose a number in between."
    assert message(layers="two") == "mine: shape.layers is 'two'. Write a whole number."
    assert message(layers=True) == "mine: shape.layers is True. Write a whole number."
    assert message(tied=1) == "mine: shape.tied is 1. Write true or false."
    assert message(depth=3).startswith("mine: unknown key 'shape.depth'. Allowed here: layers, hidden, heads,")
    assert message(norm="layer") == (
        "mine: shape: norm='layer', positions='learned' or gated=false is known for GPT-2's layer only. Set fused_qkv=true, or leave them out."
    )
    lacking = Entry(name="mine", title="", kind="lm", family="decoder", shape={"layers": 2}, parameters=1, format="bf16", licence="")
    with pytest.raises(BadFile, match=r"^mine: shape lacks hidden, heads, intermediate, vocab, context. Write a number for each under \[shape\].$"):
        family_of(lacking)
    with pytest.raises(BadFile, match=r"^mine: No family named 'decodr'. Did you mean 'decoder'\? List them with: thrifty workload list$"):
        family_of(Entry(name="mine", title="", kind="lm", family="decodr", shape={}, parameters=1, format="bf16", licence=""))
    with pytest.raises(BadValue, match=r"^'bert-base' is no language model, and only those are known with recompute. Leave recompute out.$"):
        family_of(sheet("bert-base"), recompute=True)

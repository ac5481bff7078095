"""Small models of every family that the catalogue has, and small GGUF files, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from thrifty.workload.building import Blueprint
from thrifty.workload.entry import ModelKind


def _blueprint(name: str, kind: ModelKind, cls: str, context: int | None = None, **config: Any) -> Blueprint:
    return Blueprint(name=name, kind=kind, torch_class=f"transformers.{cls}", config=config, context=context)


_IDS = {"vocab_size": 100, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
_DECODER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, **_IDS, "max_position_embeddings": 128}

LLAMA = _blueprint("llama", "lm", "LlamaForCausalLM", 128, **_DECODER, num_key_value_heads=2)
GPT2 = _blueprint("gpt2", "lm", "GPT2LMHeadModel", 128, n_embd=32, n_layer=2, n_head=4, n_positions=128, **_IDS)
MIXTRAL = _blueprint("mixtral", "lm", "MixtralForCausalLM", 128, **_DECODER, num_key_value_heads=2, num_local_experts=4, num_experts_per_tok=2)
DEEPSEEK = _blueprint(
    "deepseek", "lm", "DeepseekV3ForCausalLM", 128, **_DECODER, num_key_value_heads=4, moe_intermediate_size=16, n_routed_experts=8,
    num_experts_per_tok=2, n_group=4, topk_group=2, q_lora_rank=16, kv_lora_rank=16, qk_rope_head_dim=8, qk_nope_head_dim=8, v_head_dim=16,
    first_k_dense_replace=1,
)  # fmt: skip
GEMMA3 = _blueprint(
    "gemma3", "lm", "Gemma3ForCausalLM", 128, **_DECODER, num_key_value_heads=1, head_dim=16, sliding_window=8,
    query_pre_attn_scalar=16, layer_types=["sliding_attention", "full_attention"],
)  # fmt: skip
BERT = _blueprint("bert", "encoder", "BertForMaskedLM", 64, **{**_DECODER, "max_position_embeddings": 64})
VIT = _blueprint(
    "vit", "vision", "ViTForImageClassification", hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=32,
    patch_size=8, num_labels=10,
)  # fmt: skip
RESNET = _blueprint(
    "resnet", "vision", "ResNetForImageClassification", embedding_size=8, hidden_sizes=[16, 32], depths=[1, 2], layer_type="bottleneck", num_labels=10
)
MODELS = (LLAMA, GPT2, MIXTRAL, DEEPSEEK, GEMMA3, BERT, VIT, RESNET)
POINT = {"batch": 2, "seq": 12, "image": 32}


def phases_of(blueprint: Blueprint) -> tuple[str, ...]:
    return ("prefill", "decode", "forward", "training") if blueprint.kind == "lm" else ("forward", "training")


WORDS = ["<unk>", "<s>", "</s>", *(chr(code) for code in range(33, 129)), "ab"]


def write_gguf(path: Path, architecture: str, *, layers: int = 2, tied: bool = True, quantise: bool = False, **changes: Any) -> Path:
    """A whole little model with random weights. changes: metadata to add, or to leave out where None."""
    import gguf

    hidden, inner, heads, kv_heads, width, words = 32, 64, 4, 2, 8, 100
    writer = gguf.GGUFWriter(str(path), architecture)
    facts = {
        "block_count": layers, "context_length": 64, "embedding_length": hidden, "feed_forward_length": inner, "attention.head_count": heads,
        "attention.head_count_kv": kv_heads, "attention.key_length": width, "attention.value_length": width,
    }  # fmt: skip
    if architecture == "gemma3":
        facts["attention.sliding_window"] = 8
    for key, value in {**facts, **changes}.items():
        if value is not None:
            writer.add_uint32(f"{architecture}.{key}", value)
    writer.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", 1e-6)
    writer.add_float32(f"{architecture}.rope.freq_base", 10000.0)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(WORDS)
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(2)
    random = np.random.default_rng(0)

    def add(name: str, *shape: int) -> None:
        data = (random.standard_normal(shape) / shape[-1] ** 0.5 if len(shape) > 1 else 1 + 0.1 * random.standard_normal(shape)).astype(np.float32)
        if quantise and len(shape) > 1:
            kind = gguf.GGMLQuantizationType.Q4_1 if name.startswith("blk") else gguf.GGMLQuantizationType.Q8_0
            writer.add_tensor(name, gguf.quants.quantize(data, kind), raw_dtype=kind)
        else:
            writer.add_tensor(name, data)

    add("token_embd.weight", words, hidden)
    add("output_norm.weight", hidden)
    if not tied:
        add("output.weight", words, hidden)
    for layer in range(layers):
        def part(name: str, *shape: int, layer: int = layer) -> None:
            add(f"blk.{layer}.{name}", *shape)

        part("attn_norm.weight", hidden)
        part("ffn_norm.weight", hidden)
        for name, rows in (("attn_q", heads * width), ("attn_k", kv_heads * width), ("attn_v", kv_heads * width)):
            part(f"{name}.weight", rows, hidden)
            if architecture == "qwen2":
                part(f"{name}.bias", rows)
        part("attn_output.weight", hidden, heads * width)
        part("ffn_gate.weight", inner, hidden)
        part("ffn_up.weight", inner, hidden)
        part("ffn_down.weight", hidden, inner)
        if architecture in ("gemma3", "qwen3"):
            part("attn_q_norm.weight", width)
            part("attn_k_norm.weight", width)
        if architecture == "gemma3":
            part("post_attention_norm.weight", hidden)
            part("post_ffw_norm.weight", hidden)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path

"""From a GGUF file to a torch module: the matching transformers class and configuration, real weights, and the tokenizer inside the file.

The common dense decoders (llama, qwen2, qwen3, gemma3) are read directly: seconds, where transformers' own way takes four times as long.
Others go through transformers, which knows more architectures. Both ways give the same logits (test_peer_transformers_reads_the_same_weights).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from thrifty.errors import BadFile, ThriftyError
from thrifty.workload.building.blueprint import Blueprint
from thrifty.workload.building.gguf_files import GgufHeader, not_whole, open_reader, read_header
from thrifty.workload.building.modules import build_module, dtype_of, quiet
from thrifty.workload.building.wording import first_line

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import torch

    Weight = npt.NDArray[np.float32]

_TOP: Final = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight", "output.weight": "lm_head.weight"}
_LAYER: Final = {
    "attn_norm": "input_layernorm", "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj", "ffn_norm": "post_attention_layernorm", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj", "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
}  # fmt: skip
_GEMMA: Final = {
    "post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm", "post_ffw_norm": "post_feedforward_layernorm",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class _Direct:
    """How one architecture is read: its class, what its configuration says beyond the common part, and how a stored weight becomes torch's."""

    torch_class: str
    extra: Callable[[GgufHeader], Mapping[str, Any]]
    layer: Mapping[str, str]
    turn: Callable[[str, Weight, GgufHeader], Weight] = lambda name, weight, header: weight


def _unpermuted(name: str, weight: Weight, header: GgufHeader) -> Weight:
    """llama files keep the two halves of each rotary pair side by side; torch's rotation wants all first halves, then all second ones."""
    part = name.split(".")[-2]
    if part not in ("attn_q", "attn_k"):
        return weight
    heads = header.whole("attention.head_count") if part == "attn_q" else _kv_heads(header)
    return weight.reshape(heads, weight.shape[0] // heads // 2, 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def _less_one(name: str, weight: Weight, header: GgufHeader) -> Weight:
    """gemma files keep norm weights as they multiply, torch as what is added to one."""
    return weight - 1 if name.endswith("norm.weight") else weight


def _llama(header: GgufHeader) -> dict[str, Any]:
    return {"attention_bias": header.tensor("blk.0.attn_q.bias") is not None, "mlp_bias": header.tensor("blk.0.ffn_up.bias") is not None}


def _gemma3(header: GgufHeader) -> dict[str, Any]:
    # Scores are divided by the root of the head width; in the 27B model (62 layers) by that of the width over the heads.
    width = header.whole("embedding_length") // header.whole("attention.head_count")
    scalar = width if header.whole("block_count") == 62 else header.fact("attention.key_length") or width
    return {"sliding_window": header.whole("attention.sliding_window"), "query_pre_attn_scalar": scalar}


_DIRECT: Final = {
    "llama": _Direct(torch_class="transformers.LlamaForCausalLM", extra=_llama, layer=_LAYER, turn=_unpermuted),
    "qwen2": _Direct(torch_class="transformers.Qwen2ForCausalLM", extra=lambda header: {}, layer=_LAYER),
    "qwen3": _Direct(torch_class="transformers.Qwen3ForCausalLM", extra=lambda header: {}, layer=_LAYER),
    "gemma3": _Direct(torch_class="transformers.Gemma3ForCausalLM", extra=_gemma3, layer={**_LAYER, **_GEMMA}, turn=_less_one),
}


def _direct(header: GgufHeader) -> _Direct | None:
    """How to read this file directly; None for another architecture, and for experts, uneven layers and stretched positions, which transformers
    reads."""
    stretched = header.fact("rope.scaling.type", "none") != "none" or header.tensor("rope_freqs.weight") is not None
    uneven = isinstance(header.fact("attention.head_count_kv"), list)
    return None if stretched or uneven or header.fact("expert_count", 0) else _DIRECT.get(header.architecture)


def _kv_heads(header: GgufHeader) -> int:
    return header.whole("attention.head_count_kv") if header.fact("attention.head_count_kv") is not None else header.whole("attention.head_count")


def _common(header: GgufHeader) -> dict[str, Any]:
    heads, hidden = header.whole("attention.head_count"), header.whole("embedding_length")
    table = header.tensor("token_embd.weight")
    if table is None or len(table.shape) != 2 or table.shape[1] != hidden:
        raise not_whole(header.path, f"it has no token_embd.weight of width {hidden}")
    epsilon = header.fact("attention.layer_norm_rms_epsilon")
    special = {f"{name}_token_id": f"tokenizer.ggml.{key}_token_id" for name, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding"))}
    return {
        "hidden_size": hidden, "intermediate_size": header.whole("feed_forward_length"), "num_hidden_layers": header.whole("block_count"),
        "num_attention_heads": heads, "num_key_value_heads": _kv_heads(header), "head_dim": header.fact("attention.key_length") or hidden // heads,
        "vocab_size": table.shape[0], "max_position_embeddings": header.whole("context_length"),
        "tie_word_embeddings": header.tensor("output.weight") is None,
        **({"rms_norm_eps": epsilon} if epsilon is not None else {}),
        **{name: header.facts[key] for name, key in special.items() if key in header.facts},
    }  # fmt: skip


def _rope(header: GgufHeader) -> dict[str, Any]:
    base = header.fact("rope.freq_base")
    if header.architecture == "gemma3":  # local layers always turn at 10 000; only the global ones' base is stored
        full, local = float(base or 1e6), float(header.fact("rope.freq_base_swa", 1e4))
        turns = {"full_attention": full, "sliding_attention": local}
        return {"rope_parameters": {kind: {"rope_type": "default", "rope_theta": theta} for kind, theta in turns.items()}}
    return {"rope_parameters": {"rope_type": "default", "rope_theta": float(base or 1e4)}}


def gguf_blueprint(path: str | Path) -> Blueprint:
    """The torch module that a GGUF file describes, from its header alone.

    Raises BadFile for a file that is not whole or whose architecture nobody here can read.
    """
    header = read_header(path)
    direct = _direct(header)
    if direct is not None:
        torch_class, config = direct.torch_class, {**_common(header), **_rope(header), **direct.extra(header)}
    else:
        torch_class, config = _through_transformers(header)
    stored = ", ".join(f"{name} ({count} tensors)" for name, count in header.formats.items())
    context = config.get("max_position_embeddings") or config.get("n_positions") or header.fact("context_length")
    return Blueprint(
        name=header.path.stem, kind="lm", torch_class=torch_class, config=config, format="fp32", context=context, weights=header.path,
        file_bytes=header.file_bytes, notes=(f"stored as {stored}; expanded to a format that torch runs when loaded",),
    )  # fmt: skip


def _through_transformers(header: GgufHeader) -> tuple[str, dict[str, Any]]:
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    try:
        with quiet():
            config = AutoConfig.from_pretrained(header.path.parent, gguf_file=header.path.name, local_files_only=True)
        name = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[config.model_type]
    except Exception as error:
        raise BadFile(
            f"architecture '{header.architecture}' of '{header.path}' is none that can be built. "
            f"Choose a file of: {', '.join(_DIRECT)}, or another that transformers reads."
        ) from error
    return f"transformers.{name}", config.to_dict()


def load_gguf(path: str | Path, *, format: str = "fp32", device: str = "cpu") -> torch.nn.Module:
    """Build the module of a GGUF file with its real weights, expanded to `format`.

    Raises BadFile where the file does not hold every weight of the module that its header describes; NoRoom where it does not fit.
    """
    header, blueprint = read_header(path), gguf_blueprint(path)
    direct = _direct(header)
    if direct is None:
        return _load_through_transformers(header, blueprint, format, device)
    module = build_module(blueprint, device=device, format=format, fill=False)
    _copy_weights(module, header, direct)
    return module


def _copy_weights(module: torch.nn.Module, header: GgufHeader, direct: _Direct) -> None:
    import numpy as np
    import torch
    from gguf.quants import dequantize

    parameters = dict(module.named_parameters())
    missing = set(parameters)
    for tensor in open_reader(header.path).tensors:
        name = _torch_name(tensor.name, direct.layer)
        if name not in parameters:
            raise BadFile(f"'{header.path}' holds a tensor '{tensor.name}' that {type(module).__name__} has no place for. Convert the model again.")
        try:
            weight = direct.turn(tensor.name, dequantize(np.asarray(tensor.data), tensor.tensor_type), header)
        except (NotImplementedError, KeyError, ValueError) as error:
            stored = f"tensor '{tensor.name}' of '{header.path}' is stored as {tensor.tensor_type.name}"
            raise BadFile(f"{stored}, which cannot be expanded. Choose another file.") from error
        target = parameters[name]
        if tuple(target.shape) != weight.shape:
            raise not_whole(header.path, f"tensor '{tensor.name}' has shape {weight.shape}, and {tuple(target.shape)} was due")
        with torch.no_grad():
            target.copy_(torch.from_numpy(np.require(weight, np.float32, ['C', 'W'])))
        missing.discard(name)
    if missing:
        raise not_whole(header.path, f"it lacks {len(missing)} tensors, among them {min(missing)}")


def _torch_name(name: str, layer: Mapping[str, str]) -> str:
    if name in _TOP:
        return _TOP[name]
    found = re.fullmatch(r"blk\.(\d+)\.(\w+)\.(weight|bias)", name)
    return f"model.layers.{found[1]}.{layer.get(found[2], found[2])}.{found[3]}" if found else name


def _load_through_transformers(header: GgufHeader, blueprint: Blueprint, format_name: str, device: str) -> torch.nn.Module:
    from transformers import AutoModelForCausalLM

    try:
        with quiet():
            module: torch.nn.Module = AutoModelForCausalLM.from_pretrained(
                header.path.parent, gguf_file=header.path.name, local_files_only=True, dtype=dtype_of(format_name), attn_implementation="sdpa"
            )
    except ThriftyError:
        raise
    except Exception as error:
        raise BadFile(f"weights of '{header.path}' cannot be read: {first_line(error)}. Choose another file.") from error
    return module.to(device).eval()


def gguf_tokenizer(path: str | Path) -> Any:
    """The tokenizer that a GGUF file carries, as a transformers tokenizer; None where it carries none."""
    header = read_header(path)
    if not header.facts.get("tokenizer.ggml.tokens"):
        return None
    from transformers import PreTrainedTokenizerFast

    try:
        with quiet():
            return PreTrainedTokenizerFast.from_pretrained(header.path.parent, gguf_file=header.path.name, local_files_only=True)
    except Exception as error:
        raise BadFile(f"the tokenizer in '{path}' cannot be read: {first_line(error)}. Download or convert the file again.") from error

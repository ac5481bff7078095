"""Small modules that the tests of this folder capture, each with its inputs; sizes that divide nothing evenly, so that axes cannot be mixed up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Built = tuple[nn.Module, dict[str, Any]]
TOKENS = (2, 7)
"""(batch, sequence) of every language model here."""


def _tokens(device: str, vocabulary: int, *, labels: bool = True) -> dict[str, Any]:
    ids = torch.empty(TOKENS, dtype=torch.int64, device=device) if device == "meta" else torch.randint(0, vocabulary, TOKENS)
    return {"input_ids": ids, "labels": ids} if labels else {"input_ids": ids}


def _built(device: str, make: Callable[[], nn.Module]) -> nn.Module:
    with torch.device(device):
        return make()


def llama(device: str, **changes: Any) -> Built:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=50, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2, head_dim=4,
        **{"use_cache": False, "pad_token_id": 0, **changes},
    )  # fmt: skip
    return _built(device, lambda: LlamaForCausalLM(config)), _tokens(device, 50)


def gpt2(device: str) -> Built:
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=50, n_positions=16, n_embd=24, n_layer=2, n_head=3, use_cache=False, bos_token_id=0, eos_token_id=0, embd_pdrop=0, attn_pdrop=0,
        resid_pdrop=0,
    )  # fmt: skip
    return _built(device, lambda: GPT2LMHeadModel(config)), _tokens(device, 50)


def bert(device: str) -> Built:
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=50, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40, max_position_embeddings=16, hidden_dropout_prob=0,
        attention_probs_dropout_prob=0, pad_token_id=0,
    )  # fmt: skip
    return _built(device, lambda: BertForMaskedLM(config)), _tokens(device, 50)


def vit(device: str) -> Built:
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=40, image_size=12, patch_size=4, num_labels=5,
        hidden_dropout_prob=0, attention_probs_dropout_prob=0, problem_type="single_label_classification",
    )  # fmt: skip
    labels = torch.zeros(2, dtype=torch.int64, device=device)
    return _built(device, lambda: ViTForImageClassification(config)), {"pixel_values": torch.rand(2, 3, 12, 12, device=device), "labels": labels}


def resnet(device: str) -> Built:
    from transformers import ResNetConfig, ResNetForImageClassification

    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 12], depths=[1, 2], num_labels=5, layer_type="bottleneck", problem_type="single_label_classification"
    )
    labels = torch.zeros(2, dtype=torch.int64, device=device)
    return _built(device, lambda: ResNetForImageClassification(config)), {"pixel_values": torch.rand(2, 3, 32, 32, device=device), "labels": labels}


def gemma3(device: str) -> Built:
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    config = Gemma3TextConfig(
        vocab_size=50, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1, head_dim=8,
        sliding_window=4, layer_types=["sliding_attention", "full_attention"], use_cache=False, pad_token_id=0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return _built(device, lambda: Gemma3ForCausalLM(config)), _tokens(device, 50)


def t5(device: str, **changes: Any) -> Built:
    from transformers import T5Config, T5ForConditionalGeneration

    config = T5Config(
        vocab_size=50, d_model=24, d_kv=8, d_ff=40, num_layers=2, num_heads=3, dropout_rate=0, use_cache=False, decoder_start_token_id=0, **changes
    )  # fmt: skip
    inputs = _tokens(device, 50)
    return _built(device, lambda: T5ForConditionalGeneration(config)), {**inputs, "decoder_input_ids": inputs["input_ids"]}


def mixtral(device: str, experts: str = "batched_mm") -> Built:
    from transformers import MixtralConfig, MixtralForCausalLM

    config = MixtralConfig(
        vocab_size=50, hidden_size=24, intermediate_size=40, num_hidden_layers=2, num_attention_heads=6, num_key_value_heads=2, head_dim=4,
        num_local_experts=4, num_experts_per_tok=2, use_cache=False, pad_token_id=0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    config._experts_implementation = experts
    return _built(device, lambda: MixtralForCausalLM(config)), _tokens(device, 50, labels=False)


def deepseek(device: str, experts: str = "batched_mm") -> Built:
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

    config = DeepseekV3Config(
        vocab_size=50, hidden_size=24, intermediate_size=40, moe_intermediate_size=10, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=3,
        n_shared_experts=1, n_routed_experts=4, num_experts_per_tok=2, n_group=2, topk_group=1, first_k_dense_replace=1, kv_lora_rank=8,
        q_lora_rank=12, qk_rope_head_dim=4, qk_nope_head_dim=6, v_head_dim=5, use_cache=False, pad_token_id=0, bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    config._experts_implementation = experts
    return _built(device, lambda: DeepseekV3ForCausalLM(config)), _tokens(device, 50, labels=False)


class Convolutions(nn.Module):
    """Plain, grouped, dilated, strided, one-dimensional and transposed (also grouped)."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Conv2d(3, 8, 3, padding=1)
        self.grouped = nn.Conv2d(8, 12, 3, stride=2, groups=4)
        self.dilated = nn.Conv2d(12, 6, 3, dilation=2, padding=2, bias=False)
        self.up = nn.ConvTranspose2d(6, 5, 4, stride=2, padding=1)
        self.up_grouped = nn.ConvTranspose2d(5, 10, 2, groups=5)
        self.line = nn.Conv1d(10, 4, 3)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = self.up_grouped(self.up(self.dilated(torch.relu(self.grouped(self.plain(image))))))
        out: torch.Tensor = self.line(features.flatten(2)).square().sum()
        return out


def convolutions(device: str) -> Built:
    return _built(device, Convolutions), {"image": torch.rand(2, 3, 11, 13, device=device)}


class SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(24, 3, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.attention(x, x, x, need_weights=False)[0].sum()
        return out


def multihead(device: str) -> Built:
    return _built(device, SelfAttention), {"x": torch.rand(2, 7, 24, device=device)}


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.TransformerEncoder(nn.TransformerEncoderLayer(24, 3, 40, dropout=0.0, batch_first=True), 2, enable_nested_tensor=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.layers(x).sum()
        return out


def encoder(device: str) -> Built:
    return _built(device, Encoder), {"x": torch.rand(2, 7, 24, device=device)}


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.LSTM(8, 6, num_layers=2, bidirectional=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.cells(x)[0].sum()
        return out


def lstm(device: str) -> Built:
    return _built(device, Recurrent), {"x": torch.rand(5, 3, 8, device=device)}


class Denoiser(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        from diffusers import UNet2DConditionModel

        self.unet = UNet2DConditionModel(
            sample_size=8, block_out_channels=(8, 16), layers_per_block=1, cross_attention_dim=12, attention_head_dim=4, norm_num_groups=4,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        )  # fmt: skip

    def forward(self, image: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.unet(image, 3, text).sample.square().mean()
        return out


def unet(device: str) -> Built:
    return _built(device, Denoiser), {"image": torch.rand(2, 4, 8, 8, device=device), "text": torch.rand(2, 5, 12, device=device)}


MODELS: dict[str, Callable[[str], Built]] = {
    "llama": llama, "gpt2": gpt2, "bert": bert, "vit": vit, "resnet": resnet, "gemma3": gemma3, "t5": t5, "convolutions": convolutions,
    "multihead": multihead, "encoder": encoder, "lstm": lstm, "unet": unet,
}  # fmt: skip
EXPERTS: dict[str, Callable[[str], Built]] = {"mixtral": mixtral, "deepseek": deepseek}

"""Bare GPTs in torch: GPT-2's module without biases and without weights of norms, and where asked with a mixture of experts in place of each
feed-forward part. They are what MAD-Max lets stand for larger models: embeddings of words and positions, 4·d² of attention, two matrices of d·ff.

Imported only where torch is wanted.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.activations import ACT2FN
from transformers.integrations import use_experts_implementation
from transformers.models.gpt2.configuration_gpt2 import GPT2Config
from transformers.models.gpt2.modeling_gpt2 import GPT2LMHeadModel, GPT2Model, GPT2PreTrainedModel
from transformers.pytorch_utils import Conv1D


class _Habits:
    """What both classes below do otherwise than transformers' models."""

    def _init_weights(self, module: nn.Module) -> None:
        """Whoever builds it fills its weights; a constructor of these sizes must not draw them."""

    @classmethod
    def _can_set_experts_implementation(cls) -> bool:
        """transformers would look into the source, and remembers what it found in GPT-2's."""
        return True


class StandIn(_Habits, GPT2LMHeadModel):  # type: ignore[misc]
    """A GPT whose configuration may also state n_experts (0: no mixture) and n_experts_per_token."""

    config_class = GPT2Config

    def __init__(self, config: Any) -> None:
        GPT2PreTrainedModel.__init__(self, config)
        self.transformer = _Body(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self.post_init()


class _Body(_Habits, GPT2Model):  # type: ignore[misc]
    """What lies between the tokens and the head."""

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        if getattr(config, "n_experts", 0):
            for block in self.h:
                block.mlp = _Mixture(config)
        for parent in list(self.modules()):
            for name, child in parent.named_children():
                if isinstance(child, nn.LayerNorm):
                    setattr(parent, name, nn.LayerNorm(child.normalized_shape, eps=child.eps, elementwise_affine=False))
                elif isinstance(child, Conv1D):
                    setattr(parent, name, _Product(child.nf, child.nx))


class _Product(nn.Module):  # type: ignore[misc]
    """GPT-2's product, weights stored (in, out), without its bias."""

    def __init__(self, outputs: int, inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.mm(x.view(-1, x.size(-1)), self.weight).view(*x.size()[:-1], -1)


class _Router(nn.Module):  # type: ignore[misc]
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.top_k = config.n_experts_per_token
        self.weight = nn.Parameter(torch.empty(config.n_experts, config.n_embd))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        chances = nn.functional.linear(x, self.weight).float().softmax(dim=-1)
        best, indices = torch.topk(chances, self.top_k, dim=-1)
        best /= best.sum(dim=-1, keepdim=True)
        return best, indices


@use_experts_implementation(has_gate=False)
class _Experts(nn.Module):  # type: ignore[misc]
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.num_experts, inner = config.n_experts, config.n_inner or 4 * config.n_embd
        self.up_proj = nn.Parameter(torch.empty(self.num_experts, inner, config.n_embd))
        self.down_proj = nn.Parameter(torch.empty(self.num_experts, config.n_embd, inner))
        self.act_fn = ACT2FN[config.activation_function]

    def forward(self, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor) -> torch.Tensor:
        """One expert after the other; transformers puts a grouped or batched form in its place."""
        out = torch.zeros_like(hidden_states)
        for expert in range(self.num_experts):
            tokens, place = torch.where(top_k_index == expert)
            inner = self.act_fn(nn.functional.linear(hidden_states[tokens], self.up_proj[expert]))
            part = nn.functional.linear(inner, self.down_proj[expert]) * top_k_weights[tokens, place, None]
            out.index_add_(0, tokens, part.to(out.dtype))
        return out


class _Mixture(nn.Module):  # type: ignore[misc]
    def __init__(self, config: Any) -> None:
        super().__init__()
        self.gate = _Router(config)
        self.experts = _Experts(config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows = x.view(-1, x.shape[-1])
        best, indices = self.gate(rows)
        found: torch.Tensor = self.experts(rows, indices, best).reshape(x.shape)
        return found

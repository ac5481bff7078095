"""Parti's encoder and decoder in torch, the twin of `parti`: written from the paper (Yu et al., 2022), small and plain."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from thrifty.workload.families.token_transformers.token_blocks_torch import Block, sinusoids

Layers = Sequence[torch.Tensor]
"""For each layer, (batch, heads, tokens, head); one tensor with an axis more for the layers does as well."""


class Parti(nn.Module):  # type: ignore[misc]
    """Text in, logits of image codes out; sizes as in `parti.PartiShape`."""

    text_positions: torch.Tensor
    positions: torch.Tensor

    def __init__(
        self, *, encoder_layers: int, decoder_layers: int, hidden: int, heads: int, intermediate: int, text_vocab: int, vocab: int, text_positions: int,
        positions: int, tokens: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.made_for = tokens
        self.text_tokens = nn.Embedding(text_vocab, hidden)
        self.register_buffer("text_positions", sinusoids(text_positions, hidden), persistent=False)
        self.encoder = nn.ModuleList(Block(hidden, heads, intermediate) for _ in range(encoder_layers))
        self.encoder_norm = nn.LayerNorm(hidden)
        self.tokens = nn.Embedding(vocab + 1, hidden)
        self.register_buffer("positions", sinusoids(positions, hidden), persistent=False)
        self.decoder = nn.ModuleList(Block(hidden, heads, intermediate, context=hidden) for _ in range(decoder_layers))
        self.decoder_norm = nn.LayerNorm(hidden)
        self.head = nn.Linear(hidden, vocab, bias=False)

    def forward(
        self, text: torch.Tensor | None = None, ids: torch.Tensor | None = None, keys: Layers | None = None, values: Layers | None = None,
        text_keys: Layers | None = None, text_values: Layers | None = None,
    ) -> torch.Tensor | dict[str, list[torch.Tensor]]:  # fmt: skip
        """text alone: what decoding reads of it, {"text_keys", "text_values"}; text and ids: logits (batch, tokens, vocab) after every token.

        ids with keys and values: logits (batch, 1, vocab) after one token more. Those of it are written into the last place of `keys` and `values`,
        which hold all tokens before it; `text_keys` and `text_values` are what the text alone gave.
        """
        if keys is not None and values is not None and text_keys is not None and text_values is not None and ids is not None:
            return self._decode(ids, keys, values, text_keys, text_values)
        if text is None:
            raise TypeError("give text, or ids with keys, values, text_keys and text_values")
        context = self._encode(text)
        if ids is None:
            parts = [(block.cross.to_heads(block.cross.k(context)), block.cross.to_heads(block.cross.v(context))) for block in self.decoder]
            return {"text_keys": [k for k, _ in parts], "text_values": [v for _, v in parts]}
        x = self.tokens(ids) + self.positions[: ids.shape[1]]
        for block in self.decoder:
            x = block(x, context, causal=True)
        return self.head(self.decoder_norm(x))

    def _encode(self, text: torch.Tensor) -> torch.Tensor:
        x = self.text_tokens(text) + self.text_positions[: text.shape[1]]
        for block in self.encoder:
            x = block(x)
        return self.encoder_norm(x)

    def _decode(self, ids: torch.Tensor, keys: Layers, values: Layers, text_keys: Layers, text_values: Layers) -> torch.Tensor:
        length = keys[0].shape[2]
        x = self.tokens(ids) + self.positions[length - 1 : length]
        for layer, block in enumerate(self.decoder):
            x = block(x, kept=(text_keys[layer], text_values[layer]), cache=(keys[layer], values[layer]))
        return self.head(self.decoder_norm(x))

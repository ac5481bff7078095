"""DLRM in torch, the twin of `dlrm`: written from the paper (Naumov et al., 2019), small and plain. Imported only where torch is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn


class Dlrm(nn.Module):  # type: ignore[misc]
    """A recommender.

    tables : rows of each embedding table, all `dim` wide; `pooling` look-ups of each are summed
    bottom : widths over the dense features, ending at `dim`; top: widths over the interactions, ending at 1
    """

    def __init__(self, *, tables: Sequence[int], dim: int, bottom: Sequence[int], top: Sequence[int], pooling: int = 1) -> None:
        super().__init__()
        self.dense_features, self.pooling = bottom[0], pooling
        self.tables = nn.ModuleList(nn.EmbeddingBag(rows, dim, mode="sum") for rows in tables)
        self.bottom = _perceptron(bottom, last_active=True)
        vectors = len(tables) + 1
        self.top = _perceptron([vectors * (vectors - 1) // 2 + dim, *top], last_active=False)
        rows, columns = torch.tril_indices(vectors, vectors, offset=-1, device="cpu")
        self.register_buffer("pairs", (rows * vectors + columns).to(torch.get_default_device()), persistent=False)

    def forward(self, dense: torch.Tensor, indices: torch.Tensor, labels: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Logits (batch, 1) for dense (batch, features) and indices (tables, batch, pooling); with labels (batch, 1), the loss too."""
        x = self.bottom(dense)
        vectors = [x, *(table(indices[i]) for i, table in enumerate(self.tables))]
        stacked = torch.stack(vectors, dim=1)
        products = torch.bmm(stacked, stacked.transpose(1, 2)).flatten(1)
        interactions = torch.cat([x, products.index_select(1, self.pairs)], dim=1)
        logits = self.top(interactions)
        if labels is None:
            return {"logits": logits}
        return {"loss": nn.functional.binary_cross_entropy_with_logits(logits, labels), "logits": logits}

    def example(self, batch: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None) -> dict[str, torch.Tensor]:
        """Inputs of `batch` samples: random where a generator is given, else zeros."""
        weight = self.bottom[0].weight
        shape = (batch, self.pooling)
        if generator is None:
            dense = torch.zeros(batch, self.dense_features, dtype=weight.dtype, device=device)
            indices = torch.zeros(len(self.tables), *shape, dtype=torch.long, device=device)
        else:
            dense = torch.randn(batch, self.dense_features, generator=generator).to(device, weight.dtype)
            indices = torch.stack([torch.randint(0, table.num_embeddings, shape, generator=generator) for table in self.tables]).to(device)
        return {"dense": dense, "indices": indices}


def _perceptron(widths: Sequence[int], *, last_active: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(len(widths) - 1):
        layers.append(nn.Linear(widths[index], widths[index + 1]))
        if last_active or index < len(widths) - 2:
            layers.append(nn.ReLU())
    return nn.Sequential(*layers)

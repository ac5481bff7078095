"""The twin of `stacked` in torch, small and plain. Imported only where torch is wanted.

Experts are a batched product over gathered weights, which multiplies the same numbers as a grouped one. Gradients of the tables are dense here, and
formats one for all: what differs in bytes is told at the family.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class StackedRecommender(nn.Module):  # type: ignore[misc]
    """A recommender of `tables` tables of `rows` rows, stacked into one; arguments as in the family's shape."""

    def __init__(
        self, *, tables: int, rows: int, dim: int, pooling: int, bottom: int, top: int, width: int, table_format: str = "", layers: int = 0, heads: int = 0,
        hidden: int = 0, intermediate: int = 0, tokens: int = 0, experts: int = 0, top_k: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.count, self.rows, self.pooling, self.width = tables, rows, pooling, width
        self.experts, self.top_k, self.shape = experts, top_k, (tokens, hidden)
        self.tables = nn.EmbeddingBag(tables * rows, dim, mode="sum")
        self.bottom = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(bottom))
        self.interaction = nn.ModuleList(_Layer(heads, hidden, intermediate) for _ in range(layers))
        self.top = nn.ModuleList(_Experts(experts, width) if experts else nn.Linear(width, width, bias=False) for _ in range(top))

    def forward(self, dense: torch.Tensor, indices: torch.Tensor, routes: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Results (batch, width) for dense (batch, width), indices into the stacked tables (batch · tables, pooling) and routes (batch · top_k)."""
        batch = dense.shape[0]
        pooled = self.tables(indices).view(batch, -1)
        x = dense
        for layer in self.bottom:
            x = torch.relu(layer(x))
        if len(self.interaction):
            tokens, hidden = self.shape
            pooled = _fold(pooled, tokens * hidden).view(batch, tokens, hidden)
            for layer in self.interaction:
                pooled = layer(pooled)
            pooled = pooled.reshape(batch, -1)
        x = x + _fold(pooled, self.width)
        for layer in self.top:
            x = torch.relu(layer(x)) if routes is None else layer(x, routes)
        return {"result": x}

    def example(self, batch: int, *, device: torch.device | str = "cpu", generator: torch.Generator | None = None) -> dict[str, torch.Tensor]:
        """Inputs of `batch` samples: random where a generator is given, else zeros."""
        bags = (batch * self.count, self.pooling)
        dtype = self.tables.weight.dtype
        if generator is None:
            dense = torch.zeros(batch, self.width, dtype=dtype, device=device)
            indices = torch.zeros(bags, dtype=torch.long, device=device)
        else:
            dense = torch.randn(batch, self.width, generator=generator).to(device, dtype)
            own = torch.randint(0, self.rows, bags, generator=generator)
            first = torch.arange(self.count).repeat(batch).unsqueeze(1) * self.rows
            indices = (own + first).to(device)
        routes = {"routes": torch.arange(batch * self.top_k, device=device) % self.experts} if self.experts else {}
        return {"dense": dense, "indices": indices, **routes}


class _Layer(nn.Module):  # type: ignore[misc]
    """Attention and feed-forward part, norms without weights before both."""

    def __init__(self, heads: int, hidden: int, intermediate: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden, elementwise_affine=False)
        self.attention = _Attention(heads, hidden)
        self.up = nn.Linear(hidden, intermediate, bias=False)
        self.down = nn.Linear(intermediate, hidden, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.norm(x))
        out: torch.Tensor = x + self.down(torch.relu(self.up(self.norm(x))))
        return out


class _Attention(nn.Module):  # type: ignore[misc]
    def __init__(self, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.q, self.k, self.v, self.out = (nn.Linear(hidden, hidden, bias=False) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (part(x).view(*x.shape[:2], self.heads, -1).transpose(1, 2) for part in (self.q, self.k, self.v))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        out: torch.Tensor = self.out(mixed.transpose(1, 2).reshape(x.shape))
        return out


class _Experts(nn.Module):  # type: ignore[misc]
    def __init__(self, experts: int, width: int) -> None:
        super().__init__()
        self.experts = nn.Parameter(torch.empty(experts, width, width))
        with torch.no_grad():
            self.experts.normal_(std=width**-0.5)

    def forward(self, x: torch.Tensor, routes: torch.Tensor) -> torch.Tensor:
        spread = x.repeat_interleave(len(routes) // len(x), dim=0).unsqueeze(1)
        found = torch.relu(torch.bmm(spread, self.experts[routes].transpose(1, 2)))
        return found.view(len(x), -1, x.shape[1]).sum(dim=1)


def _fold(x: torch.Tensor, target: int) -> torch.Tensor:
    """(batch, n) → (batch, target): padded to whole pieces, which are summed."""
    pieces = -(-x.shape[1] // target)
    padded = functional.pad(x, (0, pieces * target - x.shape[1])) if pieces * target != x.shape[1] else x
    return padded if pieces == 1 else padded.view(len(x), pieces, target).sum(dim=1)

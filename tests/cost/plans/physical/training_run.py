"""One rank of a real training run on CPUs: `python training_run.py RANK RANKS STORE OUT SIZES`. Writes what the rank holds as JSON to OUT.

A GPT in fp32 with AdamW, trained for two steps under DDP and then under FSDP (fully_shard) with gloo. Bytes of parameters, gradients and states are those
of local tensors; activations are what autograd saves between forward and backward, storages that no parameter owns counted once.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn import functional as F

Sizes = dict[str, int]


class Layer(nn.Module):  # type: ignore[misc]
    def __init__(self, hidden: int, heads: int, ffn: int) -> None:
        super().__init__()
        self.heads = heads
        self.before, self.between = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.qkv, self.out = nn.Linear(hidden, 3 * hidden), nn.Linear(hidden, hidden)
        self.up, self.down = nn.Linear(hidden, ffn), nn.Linear(ffn, hidden)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, seq, hidden = x.shape
        q, k, v = self.qkv(self.before(x)).view(batch, seq, 3, self.heads, hidden // self.heads).permute(2, 0, 3, 1, 4)
        x = x + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(batch, seq, hidden))
        hidden_units: torch.Tensor = x + self.down(F.gelu(self.up(self.between(x))))
        return hidden_units


class Model(nn.Module):  # type: ignore[misc]
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        hidden, vocab, seq = sizes["hidden"], sizes["vocab"], sizes["seq"]
        self.words, self.places = nn.Embedding(vocab, hidden), nn.Parameter(torch.zeros(seq, hidden))
        self.layers = nn.ModuleList(Layer(hidden, sizes["heads"], sizes["ffn"]) for _ in range(sizes["layers"]))
        self.norm, self.head = nn.LayerNorm(hidden), nn.Linear(hidden, vocab, bias=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.words(tokens) + self.places
        for layer in self.layers:
            x = layer(x)
        return F.cross_entropy(self.head(self.norm(x)).flatten(0, 1), tokens.flatten())


def local(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def size_of(tensor: torch.Tensor) -> int:
    return int(local(tensor).numel() * local(tensor).element_size())


def train(model: nn.Module, tokens: torch.Tensor) -> dict[str, int]:
    """Two steps, the second one counted."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    saved: dict[int, int] = {}
    whole = 0

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        owned = {local(p).untyped_storage().data_ptr() for p in model.parameters()}
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in owned and tensor.is_floating_point():
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    def look(*_: Any) -> None:
        nonlocal whole
        whole = max(whole, sum(size_of(p) for p in model.parameters() if not isinstance(p, DTensor)))

    for layer in (module for module in model.modules() if isinstance(module, Layer | nn.Embedding)):
        layer.register_forward_hook(look)
    for _ in range(2):
        saved.clear()
        optimizer.zero_grad(set_to_none=True)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = model(tokens)
        loss.backward()
        optimizer.step()
    states = [value for state in optimizer.state.values() for name, value in state.items() if name != "step"]
    return {
        "weights": sum(map(size_of, model.parameters())), "gradients": sum(size_of(p.grad) for p in model.parameters() if p.grad is not None),
        "optimizer": sum(map(size_of, states)), "activations": sum(saved.values()), "whole": whole,
    }  # fmt: skip


def main(rank: int, ranks: int, store: str, out: Path, sizes: Sizes) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=ranks, timeout=timedelta(seconds=60))
    tokens = torch.randint(0, sizes["vocab"], (sizes["batch"], sizes["seq"]))
    found = {}
    copied = nn.parallel.DistributedDataParallel(Model(sizes))
    found["ddp"] = train(copied, tokens)
    found["ddp"]["buckets"] = sum(int(part) for part in str(copied._get_ddp_logging_data()["bucket_sizes"]).replace(",", " ").split())
    mesh, sharded = init_device_mesh("cpu", (ranks,)), Model(sizes)
    for unit in (*sharded.layers, sharded.words, sharded.head):
        fully_shard(unit, mesh=mesh)
    fully_shard(sharded, mesh=mesh)
    found["fsdp"] = train(sharded, tokens)
    dist.barrier()
    out.write_text(json.dumps(found), encoding="utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), json.loads(sys.argv[5]))

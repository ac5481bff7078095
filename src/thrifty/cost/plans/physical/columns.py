"""Where things stand in the rows of numbers that the compiled loops read: blocks, levels, laid plans, training constants, records, answers."""

from __future__ import annotations

from typing import Final


def _places(*names: str) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


PRODUCT: Final = _places("rows", "n", "k", "count", "split", "expert")
COLUMN, ROW, WHOLE = 0.0, 1.0, 2.0

BLOCK: Final = _places(
    "first_product", "last_product", "heads", "kv_heads", "queries", "keys", "head_dim", "value_dim", "causal",
    "row_bytes", "handed_on", "fetched_rows", "pooled", "weights", "expert_weights", "experts", "active", "width",
    "cut_forward_bytes", "cut_backward_bytes", "whole_forward_bytes", "whole_backward_bytes", "kernels", "sums_forward", "sums_backward",
    "number_bytes", "weight_bytes", "routed", "thin", "kept_cut", "kept_whole",
)  # fmt: skip
"""Per sample. sums_*: all-reduces of the block's width under tensor parallelism, forward and backward; routed: elements sent to experts, one way;
thin: weights that low-rank matrices of rank 1 beside all products have."""

LEVEL: Final = _places(
    "tp", "cp", "ep", "fsdp", "dp", "zero", "tables", "row_wise", "tp_at", "cp_at", "ep_at", "fsdp_at", "dp_at", "tables_at", "samples", "spread", "spread_at",
)  # fmt: skip
"""Degrees of one class, and rows of the table of reaches (ranks under one unit of every tier). dp joins ddp, zero1, zero2 and cp; zero: its stage.
samples: of the class on a device for one of a replica's; spread: ranks of tensor parallelism that each need all exchanged lookups."""

ITEM: Final = _places("block", "level", "trained", "reached")
RUN: Final = _places("first_item", "last_item", "repeat", "role")
EMBEDDING, BOTTOM, UPPER, BODY, HEAD = 0, 1, 2, 3, 4
"""Roles of a run; UPPER is all that waits for the exchange of lookups."""

LAID: Final = _places(
    "valid", "first_item", "last_item", "first_run", "last_run", "stages", "schedule", "interleave", "recompute", "sequence", "fused", "micro", "replicas",
    "offload_optimizer", "offload_weights", "offload_activations", "stages_at", "body", "trains", "state_bytes", "lora",
)  # fmt: skip
"""A plan laid on a workload and a shape of system, whatever its rates. micro: 0 where the plan leaves it open; body: layers that stages share out."""
ONE_F_ONE_B, GPIPE, INTERLEAVED, ZERO_BUBBLE = 0, 1, 2, 3
NO_RECOMPUTE, SELECTIVE, FULL = 0, 1, 2

TRAINING: Final = _places(
    "product", "stream_byte_s", "kernel_s", "collective_s", "tax", "score_forward_bytes", "score_backward_bytes", "gradient_bytes", "accumulate_bytes",
    "expert_imbalance", "table_imbalance", "sector_bytes", "host_byte_s",
)  # fmt: skip
"""Of a system and format. product: factor on measured products; stream_byte_s: of element-wise kernels; kernel_s, collective_s: what the host takes to
launch one; tax: share of overlapped communication by which computing grows; host_byte_s: of the link to the host's memory, inf where nobody states it."""

KINDS: Final = ("gemm", "attention", "elementwise", "embedding", "optimizer")
MOVES: Final = ("all_to_all", "all_reduce", "all_gather", "reduce_scatter", "send")

_PASS: Final = ("gemm", "attention", "elementwise", "embedding", "all_to_all", "all_reduce", "all_gather", "reduce_scatter", "send", "waits", "host")
RECORD: Final = _places(
    *(f"forward_{name}" for name in _PASS), *(f"backward_{name}" for name in _PASS), "core", "wgrad",
    "gather", "gather_on", "scatter", "scatter_on", "reduce", "reduce_on", "regather", "trained", "fetched", "exchange", "exchange_on", "exchange_kind", "kept",
)  # fmt: skip
"""What one micro-batch of one item takes. waits: communication that computing stops for; core: attention's forward, run again by selective recompute;
gather, scatter, reduce: of FSDP and data parallelism, on the stream of a tier; regather: of ZeRO's updated weights; trained: bytes of optimizer traffic;
exchange: of pooled lookups."""

ANSWER: Final = _places(
    "iteration", *KINDS, *MOVES, "exposed", "launch", "bubble", "memory", "valid",
)  # fmt: skip

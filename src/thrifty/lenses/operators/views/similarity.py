"""What the scores of attention would take in memory, if they were kept: O(side⁴) for images.

    explicit: M = Σ_{k<K} 2 · b · S_k (S_k + T)  +  b · S_K (S_K + T),   S_k = (side / d^k)²

one self- and one cross-attention a stage and head, down and up, the bottom once (b bytes a number, T text tokens). Beside it stands the sum over the
calls that a workload really makes, with its own numbers of blocks and heads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thrifty.errors import BadValue
from thrifty.formats import get_format
from thrifty.lenses.operators.views.sequences import attention_calls
from thrifty.workload import OperatorTable


def explicit_bytes(side: int, text: int, stages: int, divisor: int = 2, bytes_per_number: int = 2) -> int:
    """M above: `side` of the latent, K = `stages` halvings by `divisor` along each side. Raises BadValue where a side does not divide."""
    total = 0
    for k in range(stages + 1):
        if side % divisor**k:
            raise BadValue(f"side={side} does not divide by {divisor}^{k}. Choose a multiple of {divisor**stages}.")
        s = (side // divisor**k) ** 2
        total += (2 if k < stages else 1) * bytes_per_number * s * (s + text)
    return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Similarity:
    """Bytes of all matrices of scores in one run of every stage, and of the largest call's."""

    total_bytes: int
    largest_bytes: int

    def to_dict(self) -> dict[str, Any]:
        return {"total_bytes": self.total_bytes, "largest_bytes": self.largest_bytes}


def similarity(table: OperatorTable, format_name: str) -> Similarity:
    """Of the calls in a table, each stage once; all heads and all of the batch."""
    size = get_format(format_name).bytes_per_number
    each = [int(call.batch * call.heads * call.seq_q * call.seq_k * size) for call in attention_calls(table, unroll_growth=False)]
    return Similarity(total_bytes=sum(each), largest_bytes=max(each, default=0))

"""What one attention gave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thrifty.lenses.numerics.policy import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What happened on the way, over all rows (batch, head, query).

    rows       : queries, every head's
    visits     : (row, tile) pairs in which the row sees a key
    rescales   : visits after a row's first at which its maximum moved, so that what it holds was multiplied by a factor other than 1
    repeated   : visits at which the largest score occurs more than once
    seen       : scores that count
    underflows : of these, P that became 0 where it goes into PV
    overflows  : of these, scores that are infinite
    """

    rows: int = 0
    visits: int = 0
    rescales: int = 0
    repeated: int = 0
    seen: int = 0
    underflows: int = 0
    overflows: int = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attended:
    """Output and log-sum-exp, of the kind that came in, and how they came about.

    out : (…, H, N, d_v); lse: (…, H, N), the natural logarithm of the sum of e^score, -inf where no key is seen
    tiles : of keys that the longest row visits; splits: parts joined at the end (1: none)
    hash : of the policy in this format
    """

    out: Any
    lse: Any
    policy: Policy
    format: str
    hash: str
    block_q: int
    block_k: int
    scale: float
    seed: int
    tiles: int
    splits: int
    counts: Counts

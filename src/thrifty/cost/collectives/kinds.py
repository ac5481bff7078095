"""The words for collectives: kinds, algorithms, which of them go together, and the codes that the kernels take."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final, Literal

from thrifty.cost.collectives import kernels
from thrifty.errors import BadValue, unknown_name

Collective = Literal["all_reduce", "all_gather", "reduce_scatter", "all_to_all", "broadcast", "send"]
Algorithm = Literal["auto", "ring", "tree", "direct", "recursive_doubling", "hierarchical", "overlapped"]

KIND_CODES: Final = MappingProxyType({
    "all_reduce": kernels.ALL_REDUCE, "all_gather": kernels.ALL_GATHER, "reduce_scatter": kernels.REDUCE_SCATTER,
    "all_to_all": kernels.ALL_TO_ALL, "broadcast": kernels.BROADCAST, "send": kernels.SEND,
})  # fmt: skip
ALGORITHM_CODES: Final = MappingProxyType({
    "auto": kernels.AUTO, "ring": kernels.RING, "tree": kernels.TREE, "direct": kernels.DIRECT, "recursive_doubling": kernels.DOUBLING,
    "hierarchical": kernels.HIERARCHICAL, "overlapped": kernels.OVERLAPPED,
})  # fmt: skip

_ANYWHERE: Final = ("auto", "hierarchical", "overlapped")
ALGORITHMS_OF: Final = MappingProxyType({
    "all_reduce": (*_ANYWHERE, "ring", "tree", "direct", "recursive_doubling"),
    "all_gather": (*_ANYWHERE, "ring", "direct", "recursive_doubling"),
    "reduce_scatter": (*_ANYWHERE, "ring", "direct", "recursive_doubling"),
    "all_to_all": (*_ANYWHERE, "direct"),
    "broadcast": (*_ANYWHERE, "ring", "tree", "recursive_doubling"),
    "send": (*_ANYWHERE, "direct"),
})  # fmt: skip
"""What each kind can be done by. `hierarchical` and `overlapped` on one tier are that tier's own choice."""


def kind_code(kind: str) -> int:
    """The kernels' code of a kind. Raises UnknownName with the nearest one."""
    if kind not in KIND_CODES:
        raise unknown_name("collective", str(kind), KIND_CODES, "thrifty.cost.collectives.KIND_CODES")
    return KIND_CODES[kind]


def algorithm_code(kind: str, algorithm: str) -> int:
    """The kernels' code of an algorithm. Raises UnknownName for none, BadValue for one that does not do `kind`."""
    if algorithm not in ALGORITHM_CODES:
        raise unknown_name("algorithm", str(algorithm), ALGORITHM_CODES, "thrifty.cost.collectives.ALGORITHM_CODES")
    if algorithm not in ALGORITHMS_OF[kind]:
        raise BadValue(f"{kind} has no algorithm '{algorithm}'. Choose from: {', '.join(ALGORITHMS_OF[kind])}.")
    return ALGORITHM_CODES[algorithm]

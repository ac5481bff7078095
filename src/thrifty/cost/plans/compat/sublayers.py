"""A model as the published one counts it (brief of MAD-Max, 2.4): products with weights only, in the order of running.

No attention scores, softmax, norms, activations, biases, router or LM head. Look-ups of language models are charged twice (words and positions), their
tables hold one row more for each token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from thrifty.cost.plans.models.layers import Block, LayerClass, Layers, Role
from thrifty.errors import BadValue

PERCEPTRONS: Final[tuple[Role, ...]] = ("bottom", "top")
"""Roles whose tensor parallelism sums once every two layers; all others sum after every sublayer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sublayer:
    """flops and width (elements handed on): of one sample; weights: elements, all experts together; experts: 0 where there are none."""

    layer_class: LayerClass
    flops: float
    weights: int
    width: int
    experts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Sublayers in turn, `repeat` times over; `first`: of its role, the layers that come before."""

    role: Role
    sublayers: tuple[Sublayer, ...]
    repeat: int
    first: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """lookup_bytes: of one sample; table_bytes, number_bytes: of all tables, of one number of the rest; images: read as patches."""

    name: str
    runs: tuple[Run, ...]
    lookup_bytes: float
    table_bytes: float
    number_bytes: float
    recommender: bool
    images: bool

    def run_of(self, *roles: Role) -> tuple[Run, ...]:
        return tuple(run for run in self.runs if run.role in roles)

    def layers_in(self, role: Role) -> int:
        return sum(run.repeat for run in self.runs if run.role == role)


def read(layers: Layers) -> Reading:
    """`layers` as published. Raises BadValue where nothing of it is counted."""
    runs: list[Run] = []
    before: dict[Role, int] = {}
    tables, fetched, patches = 0.0, 0.0, False
    width = layers.bytes_per_table_weight
    for segment in layers.segments:
        if segment.role == "head":
            continue
        for block in segment.blocks:
            if block.layer_class == "embedding":
                weights, looked_up = _table(block)
                tables, fetched = tables + segment.repeat * weights * width, fetched + segment.repeat * looked_up * width
                patches = patches or (block.lookup is None and bool(block.products))
        counted = tuple(_sublayer(block) for block in segment.blocks if block.layer_class != "embedding" and block.products)
        if not counted:
            continue
        role: Role = "body" if segment.role == "embedding" else segment.role
        if role in PERCEPTRONS and len(counted) > 1:  # every sublayer is a layer of the perceptron
            runs += _apart(role, counted, segment.repeat, before.get(role, 0))
        else:
            runs.append(Run(role=role, sublayers=counted, repeat=segment.repeat, first=before.get(role, 0)))
        before[role] = before.get(role, 0) + segment.repeat * (len(counted) if role in PERCEPTRONS else 1)
    if not runs and not fetched:
        raise BadValue(f"{layers.name} has neither tables nor products with weights, all that the published model counts. Choose --mode physical.")
    return Reading(
        name=layers.name, runs=tuple(runs), lookup_bytes=fetched, table_bytes=tables, number_bytes=layers.bytes_per_weight,
        recommender=layers.is_recommender, images=patches and not layers.is_recommender,
    )  # fmt: skip


def _apart(role: Role, sublayers: Sequence[Sublayer], repeat: int, first: int) -> list[Run]:
    return [Run(role=role, sublayers=(each,), repeat=1, first=first + index) for index, each in enumerate(list(sublayers) * repeat)]


def _table(block: Block) -> tuple[float, float]:
    """(weights, elements looked up for a sample) of a block of the class embedding."""
    if block.lookup is not None:
        lookup = block.lookup
        return (lookup.weights, lookup.fetched) if lookup.pooled else (lookup.weights + lookup.fetched, 2 * lookup.fetched)
    return sum(p.n * p.k + p.rows * p.n for p in block.products), sum(2 * p.rows * p.n for p in block.products)


def _sublayer(block: Block) -> Sublayer:
    counted = [p for p in block.products if not (block.experts and p.split == "none" and not p.expert)]  # without the router
    return Sublayer(
        layer_class=block.layer_class, flops=sum(p.flops for p in counted), experts=block.experts, width=block.width,
        weights=sum(p.n * p.k * p.count * (block.experts if p.expert else 1) for p in counted),
    )  # fmt: skip

"""Which weights are trained, and what each of them keeps: itself, its gradient, its optimizer's states.

    16-bit weights, Adam : 2 + 4 (fp32 main gradient) + 12 (fp32 master, two moments) bytes; under FSDP 4 + 4 + 8, for the master is the weight
    32-bit weights, Adam : 4 + 4 + 8
    tables of recommenders: row-wise Adagrad, gradients applied as they arise: the weight and 4 bytes a row
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from thrifty.cost.facts import load_facts
from thrifty.cost.plans.models.layers import Block, Layers, Role
from thrifty.cost.plans.tasks import Optimizer, Task
from thrifty.formats import get_format


@dataclass(frozen=True, slots=True, kw_only=True)
class Constants:
    """The numbers of `cost/catalogue/plan_memory.toml`, bytes or counts."""

    master: float
    moment: float
    main_gradient: float
    moment_8bit: float
    rowwise_adagrad: float
    gathered_layers: float
    gradient_layers: float
    ddp_bucket_copies: float
    nccl_bytes: float
    library_bytes: float
    query_copies: float
    fragmentation: float


@functools.cache
def constants() -> Constants:
    """Read once."""
    facts = load_facts("plan_memory")
    return Constants(
        master=facts.get("states.master", "capacity"), moment=facts.get("states.moment", "capacity"),
        main_gradient=facts.get("states.main_gradient", "capacity"), moment_8bit=facts.get("states.moment_8bit", "capacity"),
        rowwise_adagrad=facts.get("states.rowwise_adagrad", "capacity"), gathered_layers=facts.get("buffers.gathered_layers", "count"),
        gradient_layers=facts.get("buffers.gradient_layers", "count"), ddp_bucket_copies=facts.get("buffers.ddp_bucket_copies", "count"),
        nccl_bytes=facts.get("workspace.nccl", "capacity"), library_bytes=facts.get("workspace.library", "capacity"),
        query_copies=facts.get("context.query_copies", "count"), fragmentation=facts.get("fragmentation.share", "ratio"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kept:
    """Bytes of one weight: itself (at rest under FSDP: `sharded`), its gradient, its optimizer."""

    weight: float
    sharded: float
    gradient: float
    optimizer: float


def kept_by(optimizer: Optimizer, format_name: str) -> Kept:
    """What one trained weight in `format_name` keeps, fp32 master included where the format is narrower (then `sharded` is 0: the master is it)."""
    c, width = constants(), get_format(format_name).bytes_per_number
    states = {"adamw": 2 * c.moment, "adamw-8bit": 2 * c.moment_8bit, "sgd": 0.0, "adagrad-rowwise": c.moment}[optimizer]
    if width >= c.master:
        return Kept(weight=width, sharded=width, gradient=width, optimizer=states)
    return Kept(weight=width, sharded=0.0, gradient=c.main_gradient, optimizer=states + c.master)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """`count` repetitions of a segment's blocks that are trained alike, from repetition `first` of it.

    trained: by block; reached: the backward pass goes through it, so it keeps activations
    """

    segment: int
    role: Role
    first: int
    count: int
    blocks: tuple[Block, ...]
    trained: tuple[bool, ...]
    reached: tuple[bool, ...]


def pieces_of(layers: Layers, task: Task) -> tuple[Piece, ...]:
    """The model in the order of running, cut where training begins."""
    body = layers.body_layers
    begin = body - task.trained_layers if task.trained_layers >= 0 else 0
    pieces: list[Piece] = []
    passed, reached = 0, False
    for index, segment in enumerate(layers.segments):
        in_body = segment.role not in ("embedding", "head")
        for first, count, late in _cut(segment.repeat, begin - passed if in_body else 0):
            trained, through = [], []
            for block in segment.blocks:
                frozen = not task.trains or task.lora_rank > 0 or segment.role in task.frozen or block.layer_class in task.frozen
                frozen = frozen or (in_body and not late)
                trained.append(not frozen)
                reached = reached or not frozen or (task.lora_rank > 0 and bool(block.products))
                through.append(reached and task.trains)
            pieces.append(Piece(
                segment=index, role=segment.role, first=first, count=count, blocks=segment.blocks, trained=tuple(trained), reached=tuple(through),
            ))  # fmt: skip
        passed += segment.repeat if in_body else 0
    return tuple(pieces)


def _cut(repeat: int, begin: int) -> Iterator[tuple[int, int, bool]]:
    """(first, count, whether trained) of a segment whose repetitions train from `begin` on."""
    begin = min(max(begin, 0), repeat)
    if begin:
        yield 0, begin, False
    if repeat - begin:
        yield begin, repeat - begin, True

"""What a device holds under a plan: weights, gradients, optimizer, activations, cache, buffers, workspace, for every pipeline stage.

    tensor parallelism cuts `kept_bytes`; `kept_whole_bytes` only with sequence parallelism; context parallelism cuts tokens, expert parallelism experts
    1F1B keeps min(stages - stage, micro-batches) micro-batches, interleaved p·(1 + (p-1)/(p·v)) of them, GPipe all; zero-bubble as 1F1B (its ZB-H1 form)
    full recompute keeps what enters layers, and one layer whole; selective drops attention's scores
    the peak stands in the backward pass: all that is kept, the gradients of one block or of the head, and what buffers the library takes

Sources: Korthikanti et al. 2022 (activations), ZeRO (states), Megatron-LM and torch for buffers; constants in `cost/catalogue/plan_memory.toml`.
`account` is plain Python over a placed plan and the oracle of `memory_batched`, which does the same sums for many plans at once.

Not known here: uneven routing of tokens, allocator fragmentation (a share may be stated), frozen blocks above a trained one keep as much as trained ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from thrifty.cost.plans.evaluation import PlanMemory
from thrifty.cost.plans.models.layers import Block, LayerClass
from thrifty.cost.plans.physical.memory_states import Constants, Piece, constants, kept_by, pieces_of
from thrifty.cost.plans.placing import Placed, PlacedLevel
from thrifty.cost.plans.plan import SHARDED_TABLES
from thrifty.formats import get_format
from thrifty.hardware.device import System

MODEL_PARALLEL = ("tp", "pp", "ep", "cp", "zero1", "zero2")
"""A plan with one of these runs in a library of Megatron's kind; others run in torch alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Degrees:
    """How often each thing is cut for one class. samples: of this class on a device for one of the replica's; states, gradients: their own shards"""

    tp: int
    cp: int
    ep: int
    fsdp: int
    states: int
    gradients: int
    tables: int
    samples: float
    copied: bool


def degrees_of(levels: Sequence[PlacedLevel], layer_class: LayerClass, replicas: int) -> Degrees:
    """The cuts of a class. Ranks of context parallelism hold the same weights: they share the states, as in Megatron-LM, unless the plan says ddp."""
    said = {level.strategy: level.degree for level in levels}
    copied = "ddp" in said
    cp = said.get("cp", 1)
    shared = 1 if copied else cp
    zero1, zero2, fsdp = said.get("zero1", 1), said.get("zero2", 1), said.get("fsdp", 1)
    mine = prod(said.get(name, 1) for name in ("ddp", "zero1", "zero2", "fsdp")) * (said.get("ep", 1) if layer_class == "experts" else 1)
    tables = prod(said.get(name, 1) for name in SHARDED_TABLES)
    return Degrees(
        tp=said.get("tp", 1), cp=cp, ep=said.get("ep", 1), fsdp=fsdp * shared if fsdp > 1 else 1, states=1 if fsdp > 1 else zero1 * zero2 * shared,
        gradients=zero2 * shared if zero2 > 1 else 1, tables=tables, samples=1.0 if tables > 1 else replicas / mine, copied=copied,
    )  # fmt: skip


def in_flight(placed: Placed, stage: int) -> float:
    """Micro-batches whose activations a stage keeps at its fullest moment."""
    p, m, v = placed.stages, placed.micro_batches, placed.plan.interleave
    if p == 1:
        return 1.0
    if placed.plan.schedule == "gpipe":
        return float(m)
    if v > 1:
        return min(float(m), (2 * (p - stage - 1) + (v - 1) * p + 1) / v)
    return float(min(m, p - stage))


@dataclass(slots=True)
class _Stage:
    """Sums over what one stage holds."""

    weights: float = 0.0
    gradients: float = 0.0
    optimizer: float = 0.0
    kept: float = 0.0  # of one micro-batch
    head_kept: float = 0.0
    largest: float = 0.0  # of one repetition, kept whole
    work: float = 0.0
    head_work: float = 0.0
    stand_ins: dict[tuple[object, ...], float] = field(default_factory=dict)
    head_stand_in: float = 0.0
    buckets: float = 0.0
    gathered: float = 0.0
    gradient_gathered: float = 0.0
    fetched: float = 0.0
    cache: float = 0.0


def account(placed: Placed) -> PlanMemory:
    """Bytes of the fullest device, by role, and the sum of every stage's device."""
    c = constants()
    found = [_finish(_stage(placed, stage, c), placed, stage, c) for stage in range(placed.stages)]
    fullest = max(found, key=lambda memory: memory.total_bytes)
    return PlanMemory(
        weights=fullest.weights, gradients=fullest.gradients, optimizer=fullest.optimizer, activations=fullest.activations, kv_cache=fullest.kv_cache,
        buffers=fullest.buffers, workspace=fullest.workspace, by_stage=tuple(memory.total_bytes for memory in found),
    )  # fmt: skip


def _stage(placed: Placed, stage: int, c: Constants) -> _Stage:
    sums = _Stage()
    for piece, indices in stage_pieces(placed, stage):
        for index in indices:
            layer = gathered = gradient = fetched = 0.0
            for position, block in enumerate(piece.blocks):
                levels = placed.overrides.get((block.layer_class, index), placed.levels.get(block.layer_class, ()))
                degrees = degrees_of(levels, block.layer_class, placed.replicas)
                here = _states(sums, placed, piece, position, degrees, c)
                fetched += here
                if degrees.fsdp > 1:
                    gathered += here * degrees.fsdp
                    gradient += here * degrees.fsdp if piece.trained[position] else 0.0
                layer += _activations(sums, placed, piece, position, degrees, c)
            sums.gathered, sums.gradient_gathered = max(sums.gathered, gathered), max(sums.gradient_gathered, gradient)
            sums.largest, sums.fetched = max(sums.largest, layer), max(sums.fetched, fetched)
    return sums


def stage_pieces(placed: Placed, stage: int) -> list[tuple[Piece, list[int]]]:
    """What a stage runs: pieces with the repetitions (numbered within their segments) that stand on it."""
    p, v = placed.stages, placed.plan.interleave if placed.stages > 1 else 1
    size = placed.layers.body_layers // (p * v)
    found, passed = [], 0
    for piece in pieces_of(placed.layers, placed.task):
        if piece.role == "embedding":
            mine = list(range(piece.first, piece.first + piece.count)) if stage == 0 else []
        elif piece.role == "head":
            mine = list(range(piece.first, piece.first + piece.count)) if stage == p - 1 else []
        else:
            mine = [piece.first + i for i in range(piece.count) if size == 0 or (passed + i) // size % p == stage]
            passed += piece.count
        if mine:
            found.append((piece, mine))
    return found


def weight_parts(block: Block, tied_copy: bool) -> tuple[float, float, float, float]:
    """Elements: cut by tensor parallelism, whole, of experts, of tables. tied_copy: the head's product stands for the embedding's weight on another stage"""
    tables = float(block.lookup.weights) if block.lookup else 0.0
    products = float(sum(p.n * p.k * p.count for p in block.products if not p.expert and p.split != "none"))
    copied = products if tied_copy and products > block.weights else 0.0
    cut = copied or min(products, block.weights - tables)
    return cut, block.weights - tables - (0.0 if copied else cut), float(block.expert_weights), tables


def _states(sums: _Stage, placed: Placed, piece: Piece, position: int, d: Degrees, c: Constants) -> float:
    """Adds weights, gradients and optimizer of a block; returns the bytes of its weights at rest, were they not offloaded."""
    block, trained, layers, task, plan = piece.blocks[position], piece.trained[position], placed.layers, placed.task, placed.plan
    zero = any(level.strategy in ("zero1", "zero2") for levels in placed.levels.values() for level in levels)
    cut, whole, experts, tables = weight_parts(block, piece.role == "head" and placed.stages > 1)
    rowwise = bool(block.lookup) and layers.is_recommender
    base = task.base_format if task.base_format and not trained else ""
    # what expert parallelism does not cut is the same on its ranks, so that they share its states like ranks of data parallelism
    states = d.states * (d.ep if zero and d.fsdp == 1 else 1)
    at_rest = 0.0
    for elements, shards, name, is_table in (
        (cut / d.tp + whole, states, layers.format, False), (experts / (d.tp * d.ep), d.states, layers.format, False),
        (tables / (d.tp * d.tables), states, layers.embedding_format, rowwise),
    ):  # fmt: skip
        kept = kept_by(task.optimizer, name)
        weight = get_format(base or name).bytes_per_number
        gathered = elements * weight / d.fsdp
        at_rest += gathered
        if not trained:
            sums.weights += 0.0 if "weights" in plan.offload else gathered
            continue
        gradient, optimizer = (0.0, c.rowwise_adagrad / block.lookup.dim) if is_table and block.lookup else (kept.gradient, kept.optimizer)
        own = kept.sharded if d.fsdp > 1 and not is_table else weight
        sums.weights += 0.0 if "weights" in plan.offload else elements * own / d.fsdp
        sums.gradients += elements * gradient / (d.fsdp * d.gradients)
        sums.optimizer += 0.0 if "optimizer" in plan.offload else elements * optimizer / (d.fsdp * shards)
        if d.copied and weight >= c.master and d.fsdp == 1:
            sums.buckets += elements * gradient * c.ddp_bucket_copies
    if task.lora_rank:
        _low_rank(sums, placed, block, d, states)
    if not trained or weight_of(layers.format) >= c.master or d.fsdp > 1 or not plan.fused or not _megatron(placed):
        return at_rest
    if piece.role == "head":
        sums.head_stand_in = cut / d.tp * weight_of(layers.format)
    else:  # one for every shape of a weight, whatever the number of layers or experts
        inside, outside = stand_in_elements(block)
        sums.stand_ins[(block.layer_class, block.products, d.tp)] = (inside / d.tp + outside) * weight_of(layers.format)
    return at_rest


def stand_in_elements(block: Block) -> tuple[int, int]:
    """Elements of one weight of every shape in a block: cut by tensor parallelism, and whole."""
    inside = {(p.n, p.k) for p in block.products if p.split != "none"}
    outside = {(p.n, p.k) for p in block.products if p.split == "none"}
    return sum(n * k for n, k in inside), sum(n * k for n, k in outside)


def gradient_elements(block: Block) -> tuple[float, float]:
    """Elements per sample of the gradients that stand in the backward pass of a block while what it kept still does: of what its first products hand on,
    what attention hands on, and what enters experts; cut by tensor parallelism, and whole."""
    inside = sum(p.rows * p.count * (p.n + (p.k if p.expert else 0)) for p in block.products if p.split == "column")
    outside = sum(p.rows * p.count * p.n for p in block.products if p.split == "none")
    return inside + (block.core.queries * block.core.heads * block.core.value_dim if block.core else 0), outside


def _low_rank(sums: _Stage, placed: Placed, block: Block, d: Degrees, states: int) -> None:
    """LoRA's two matrices beside every product: the one on the side that tensor parallelism cuts is cut, the other whole."""
    kept, rank = kept_by(placed.task.optimizer, placed.layers.format), placed.task.lora_rank
    for product in block.products:
        n, k = product.n / (d.tp if product.split == "column" else 1), product.k / (d.tp if product.split == "row" else 1)
        elements = rank * (n + k) * product.count * (block.experts / d.ep if product.expert else 1)
        sums.weights += elements * (kept.sharded if d.fsdp > 1 else kept.weight) / d.fsdp
        sums.gradients += elements * kept.gradient / (d.fsdp * d.gradients)
        sums.optimizer += 0.0 if "optimizer" in placed.plan.offload else elements * kept.optimizer / (d.fsdp * (d.states if product.expert else states))


def _activations(sums: _Stage, placed: Placed, piece: Piece, position: int, d: Degrees, c: Constants) -> float:
    """Adds what a block keeps of one micro-batch; returns all that it would keep without recomputing."""
    block, plan, task = piece.blocks[position], placed.plan, placed.task
    number = max(2.0, weight_of(placed.layers.format))
    n = placed.micro_batch * d.samples / d.cp
    cut, whole = n / d.tp, n / (d.tp if plan.sequence else 1)
    entering = whole * block.width * number
    if not task.trains:
        _serving(sums, placed, piece, block, d, number)
        return 0.0
    if not piece.reached[position]:
        return 0.0
    scores = 0.0 if plan.fused or (plan.recompute != "none" and piece.role != "head") else cut * block.kept_scores_bytes
    queries = cut * block.core.queries * block.core.heads * block.core.head_dim * number * c.query_copies if block.core and d.cp > 1 else 0.0
    kept = cut * block.kept_bytes + whole * block.kept_whole_bytes + scores + queries
    hidden = n * block.width * number * (2 if plan.sequence and d.tp > 1 else 1)  # sequence parallelism gathers inputs, and gradients before it cuts them
    if piece.role == "head":
        sums.head_kept += kept
        sums.head_work = hidden + (0.0 if plan.fused else cut * block.kept_bytes)
        return 0.0
    inside, outside = gradient_elements(block)
    sums.work = max(sums.work, (cut * inside + n * outside) * number + hidden)
    if plan.recompute == "full":
        sums.kept += entering if position == 0 else 0.0
    else:
        sums.kept += kept
    return kept


def _serving(sums: _Stage, placed: Placed, piece: Piece, block: Block, d: Degrees, number: float) -> None:
    """A forward pass: the cache of all samples, and the numbers of one block."""
    task, tokens = placed.task, placed.layers.tokens
    decoding = task.phase == "decode"
    share = 1 / tokens if decoding or piece.role == "head" else 1.0  # the head runs on the last token only
    n = placed.micro_batch * d.samples / d.cp * share
    scores = 0.0 if placed.plan.fused else n * block.kept_scores_bytes / d.tp
    sums.work = max(sums.work, n * block.kept_bytes / d.tp + n * (block.kept_whole_bytes + block.width * number) + scores)
    if block.core:
        core, cached = block.core, task.context + (1 if decoding else block.core.keys)
        each = core.latent or core.kv_heads * (core.head_dim + core.value_dim) / min(d.tp, core.kv_heads)
        sums.cache += placed.micro_batch * placed.micro_batches * d.samples * cached / d.cp * each * number


def _finish(sums: _Stage, placed: Placed, stage: int, c: Constants) -> PlanMemory:
    plan, flights = placed.plan, in_flight(placed, stage) if placed.task.trains else 1.0
    kept = flights * sums.kept + (sums.largest if plan.recompute == "full" else 0.0)
    if "activations" in plan.offload:
        kept = min(kept, c.gathered_layers * sums.largest)
    kept += sums.head_kept * (flights if plan.schedule == "gpipe" else 1.0)
    in_head = sums.head_work + sums.head_stand_in
    stand_ins = sum(sums.stand_ins.values())
    buffers = stand_ins + sums.buckets + c.gathered_layers * sums.gathered + c.gradient_layers * sums.gradient_gathered
    buffers += c.gathered_layers * sums.fetched if "weights" in plan.offload else 0.0
    buffers += sums.head_stand_in if in_head > sums.work else 0.0
    activations = kept + (sums.head_work if in_head > sums.work else sums.work)
    return PlanMemory(
        weights=sums.weights, gradients=sums.gradients, optimizer=sums.optimizer, activations=activations, kv_cache=sums.cache, buffers=buffers,
        workspace=workspace_of(placed.system) + c.fragmentation * (activations + buffers),
    )  # fmt: skip


def workspace_of(system: System) -> float:
    """Bytes that libraries take on a device; none on a CPU, whose memory is not an accelerator's."""
    c = constants()
    return 0.0 if system.device.kind == "cpu" else c.library_bytes + (c.nccl_bytes if system.devices > 1 else 0.0)


def _megatron(placed: Placed) -> bool:
    return any(level.strategy in MODEL_PARALLEL for levels in placed.levels.values() for level in levels)


def weight_of(format_name: str) -> float:
    """Bytes of one number."""
    return get_format(format_name).bytes_per_number

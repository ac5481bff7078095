"""What occurs often is encoded once, and levels of a plan are laid once for all systems of the same shape, all batches, and all that else a plan chooses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.plans.models.layers import CLASSES, Block, Layers
from thrifty.cost.plans.physical import columns as c
from thrifty.cost.plans.physical.constants import optimizer_bytes, traffic
from thrifty.cost.plans.physical.memory_batched import encode_plan
from thrifty.cost.plans.physical.memory_states import Piece, pieces_of
from thrifty.cost.plans.placing import Placed, PlacedLevel, place
from thrifty.cost.plans.plan import SHARDED_TABLES, Plan
from thrifty.cost.plans.tasks import Task
from thrifty.errors import ThriftyError
from thrifty.hardware.device import System

Floats = npt.NDArray[np.float64]
Row = tuple[float, ...]
SPLITS: Final = {"column": c.COLUMN, "row": c.ROW, "none": c.WHOLE}
ROLES: Final = {"embedding": c.EMBEDDING, "bottom": c.BOTTOM, "interaction": c.UPPER, "top": c.UPPER, "body": c.BODY, "head": c.HEAD}
REPLICATING: Final = ("ddp", "zero1", "zero2", "fsdp")
BARE: Final = Plan(levels={})


@dataclass(slots=True)
class Table:
    """Rows that are each kept once."""

    rows: dict[Any, int] = field(default_factory=dict)

    def add(self, row: Row) -> int:
        return self.rows.setdefault(row, len(self.rows))

    def array(self, width: int) -> Floats:
        return np.array(list(self.rows), dtype=np.float64).reshape(-1, width)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Levels laid on a workload and a shape of system, whatever else a plan chooses: the index of its row and degrees, or why it cannot be."""

    placed: Placed | None
    at: int = -1
    reason: str = ""


@dataclass(slots=True)
class Encoder:
    """Tables that grow while workloads and levels of plans are laid."""

    tiers: int
    task: Task
    products: list[Row] = field(default_factory=list)
    spans: dict[tuple[Row, ...], int] = field(default_factory=dict)
    blocks: Table = field(default_factory=Table)
    levels: Table = field(default_factory=Table)
    reaches: Table = field(default_factory=Table)
    items: list[Row] = field(default_factory=list)
    run_items: list[int] = field(default_factory=list)
    runs: list[Row] = field(default_factory=list)
    laid: list[Row] = field(default_factory=list)
    degrees: list[Floats] = field(default_factory=list)
    options: list[Floats] = field(default_factory=list)
    _spreads: dict[Any, Spread] = field(default_factory=dict)
    _blocks: dict[tuple[int, int, str], int] = field(default_factory=dict)

    def lay(self, layers: Layers, system: System, plan: Plan) -> Spread:
        """The levels of a plan laid once, by identity and then by value: plans of a space share them and differ in options."""
        rules = plan.schedule, plan.interleave  # all that `placing.place` has rules about, but for the batch
        near = id(layers), id(system), id(plan.levels), rules
        found = self._spreads.get(near)
        if found is None:
            key = id(layers), id(system), tuple(plan.levels.items()), rules
            found = self._spreads[near] = self._spreads.get(key) or self._spread(layers, system, plan)
            self._spreads[key] = found
        return found

    def _spread(self, layers: Layers, system: System, plan: Plan) -> Spread:
        try:
            # A batch that all replicas, micro-batches and chunks divide: rules of the batch are checked in the loop.
            words = replace(BARE, levels=plan.levels, schedule=plan.schedule, interleave=plan.interleave)
            placed = place(words, layers, system, batch=plenty(system, plan), task=self.task)
        except ThriftyError as error:
            return Spread(placed=None, reason=str(error))
        if (plan.schedule, plan.interleave) != (BARE.schedule, BARE.interleave):  # another schedule lies as the plain one does
            return self.lay(layers, system, replace(BARE, levels=plan.levels))
        self.laid.append(self._lay(placed))
        degrees, options = encode_plan(placed) if not placed.overrides else (np.zeros((len(CLASSES), 9)), np.zeros(15))
        self.degrees.append(degrees)
        self.options.append(options)
        return Spread(placed=placed, at=len(self.laid) - 1)

    def _lay(self, placed: Placed) -> Row:
        task, layers = placed.task, placed.layers
        levels = {name: self._level(found, name, placed) for name, found in placed.levels.items()}
        first_item, first_run = len(self.items), len(self.runs)
        seen: dict[Row, int] = {}
        for piece in pieces_of(layers, task):
            for first, count in _spans(piece, placed):
                begin = len(self.run_items)
                for position, block in enumerate(piece.blocks):
                    own = placed.overrides.get((block.layer_class, first))
                    level = levels[block.layer_class] if own is None else self._level(own, block.layer_class, placed)
                    item = (self._block(block, layers, piece.role), level, float(piece.trained[position]), float(piece.reached[position]))
                    if item not in seen:
                        seen[item] = len(self.items)
                        self.items.append(item)
                    self.run_items.append(seen[item])
                self.runs.append((begin, len(self.run_items), count, ROLES[piece.role]))
        pipelines = [level.reach.ranks for found in placed.levels.values() for level in found if level.strategy == "pp"]
        values = {
            **dict.fromkeys(c.LAID, 0), "valid": 1, "first_item": first_item, "last_item": len(self.items), "first_run": first_run,
            "last_run": len(self.runs), "stages": placed.stages, "replicas": placed.replicas, "stages_at": self._reach(pipelines[0] if pipelines else ()),
            "body": layers.body_layers, "trains": task.trains, "state_bytes": optimizer_bytes(task.optimizer), "lora": task.lora_rank,
        }  # fmt: skip
        return tuple(float(values[name]) for name in c.LAID)

    def _reach(self, ranks: Sequence[int]) -> int:
        return self.reaches.add(tuple(float(n) for n in (*ranks, *(1,) * (self.tiers - len(ranks)))))

    def _level(self, found: Sequence[PlacedLevel], layer_class: str, placed: Placed) -> int:
        degree = {level.strategy: level for level in found}
        one = self._reach(())
        sharing = [level for level in found if level.strategy in ("ddp", "zero1", "zero2", "cp")]
        dp = [math.prod(level.reach.ranks[tier] for level in sharing) for tier in range(len(placed.system.tiers))] if sharing else []
        tables = [level for level in found if level.strategy in SHARDED_TABLES]
        at = [math.prod(level.reach.ranks[tier] for level in tables) for tier in range(len(placed.system.tiers))] if tables else []
        mine = math.prod(level.degree for level in found if level.strategy in REPLICATING) * (degree["ep"].degree if "ep" in degree else 1)
        share = placed.replicas / placed.devices if tables else placed.replicas / mine if mine > placed.replicas or layer_class == "embedding" else 1.0
        wide = next((level for name, others in placed.levels.items() if name != "embedding" for level in others if level.strategy == "tp"), None)
        spread = wide is not None and bool(tables)
        values = {
            **{name: degree[name].degree if name in degree else 1 for name in ("tp", "cp", "ep", "fsdp")},
            **{f"{name}_at": self._reach(degree[name].reach.ranks) if name in degree else one for name in ("tp", "cp", "ep", "fsdp")},
            "dp": math.prod(level.degree for level in sharing), "dp_at": self._reach(dp),
            "zero": max((int(name[-1]) for name in degree if name.startswith("zero")), default=0),
            "tables": math.prod(level.degree for level in tables), "tables_at": self._reach(at), "row_wise": "row_wise" in degree, "samples": share,
            "spread": wide.degree if spread and wide else 1, "spread_at": self._reach(wide.reach.ranks) if spread and wide else one,
        }  # fmt: skip
        return self.levels.add(tuple(float(values[name]) for name in c.LEVEL))

    def _block(self, block: Block, layers: Layers, role: str) -> int:
        key = id(block), id(layers), role
        if key not in self._blocks:
            self._blocks[key] = self._encode_block(block, layers, role)
        return self._blocks[key]

    def _encode_block(self, block: Block, layers: Layers, role: str) -> int:
        sheet, task, lookup, core = traffic(), self.task, block.lookup, block.core
        number = max(2.0, layers.bytes_per_weight)
        decodes = not task.trains and task.phase == "decode" and layers.tokens > 1
        scale = 1.0 / layers.tokens if decodes or (role == "head" and not task.trains) else 1.0
        pooled = lookup is not None and lookup.pooled
        table_bytes = layers.bytes_per_table_weight
        perceptron = role in ("bottom", "top")
        splits = {product.split for product in block.products}
        sums = (0.5, 0.5) if perceptron and splits else (float("row" in splits or lookup is not None), float("column" in splits))
        logits = sum(p.rows * p.n for p in block.products) if role == "head" and layers.tokens > 1 else 0.0
        again = sheet.backward_over_forward
        cut = (logits * sheet.logit_forward, logits * sheet.logit_backward) if logits else (block.streamed * number, block.streamed * number * again)
        products = tuple((p.rows * scale, float(p.n), float(p.k), float(p.count), SPLITS[p.split], float(p.expert)) for p in block.products)
        if products not in self.spans:
            self.spans[products] = len(self.products)
            self.products.extend(products)
        first = self.spans[products]
        routed = sum(p.rows * p.k for p in block.products if p.expert and p.split == "column") if block.experts else 0.0
        if block.experts and not routed:
            routed = block.active_experts * block.width
        values = {
            "first_product": first, "last_product": first + len(products), "heads": core.heads if core else 0, "kv_heads": core.kv_heads if core else 0,
            "queries": (1.0 if decodes else core.queries) if core else 0, "keys": ((task.context or core.keys) + 1.0 if decodes else core.keys) if core else 0,
            "head_dim": core.head_dim if core else 0, "value_dim": core.value_dim if core else 0, "causal": core.causal if core else 0,
            "fetched_rows": lookup.tables * lookup.pooling * scale if lookup else 0, "row_bytes": lookup.dim * table_bytes if lookup else 0,
            "handed_on": lookup.handed_on * scale if lookup else 0, "pooled": pooled, "weights": block.weights, "expert_weights": block.expert_weights,
            "experts": block.experts, "active": block.active_experts, "width": block.width * scale, "cut_forward_bytes": cut[0] * scale,
            "cut_backward_bytes": cut[1] * scale, "whole_forward_bytes": block.streamed_whole * number * scale,
            "whole_backward_bytes": block.streamed_whole * number * again * scale, "kernels": block.kernels, "sums_forward": sums[0],
            "sums_backward": sums[1], "number_bytes": table_bytes if pooled else number, "weight_bytes": table_bytes if lookup else layers.bytes_per_weight,
            "routed": routed * scale, "thin": sum((p.n + p.k) * p.count * (block.experts if p.expert else 1) for p in block.products),
            "kept_cut": block.kept_bytes, "kept_whole": block.kept_whole_bytes,
        }  # fmt: skip
        return self.blocks.add(tuple(float(values[name]) for name in c.BLOCK))


def _spans(piece: Piece, placed: Placed) -> list[tuple[int, int]]:
    """(first, count) of repetitions that are placed alike."""
    classes = {block.layer_class for block in piece.blocks}
    apart = sorted(index for name, index in placed.overrides if name in classes and piece.first <= index < piece.first + piece.count)
    found, at = [], piece.first
    for index in apart:
        if index > at:
            found.append((at, index - at))
        found.append((index, 1))
        at = index + 1
    if piece.first + piece.count > at:
        found.append((at, piece.first + piece.count - at))
    return found


def plenty(system: System, plan: Plan) -> int:
    """A batch that all replicas, micro-batches and chunks divide."""
    return system.devices * max(1, plan.micro_batch) * max(1, plan.interleave) * system.devices

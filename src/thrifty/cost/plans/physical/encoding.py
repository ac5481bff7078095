"""Configurations as rows of numbers: what occurs often is encoded once, and a plan is laid once for all systems of the same shape and all batches."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.collectives import link_class, link_parameters
from thrifty.cost.collectives.links import analytic_row
from thrifty.cost.defaults import defaults_for
from thrifty.cost.kernels.parameters import kernel_parameters
from thrifty.cost.plans.configurations import Configurations
from thrifty.cost.plans.models.layers import Block, Layers
from thrifty.cost.plans.physical import columns as c
from thrifty.cost.plans.physical.constants import Sustained, fitted, optimizer_bytes, traffic
from thrifty.cost.plans.physical.memory_batched import TERMS, encode_constants, encode_layers, encode_plan, functions
from thrifty.cost.plans.physical.memory_states import Piece, pieces_of
from thrifty.cost.plans.placing import Placed, PlacedLevel, place
from thrifty.cost.plans.plan import SHARDED_TABLES, Plan
from thrifty.cost.plans.tasks import Task
from thrifty.errors import BadValue, ThriftyError
from thrifty.hardware.device import System

Floats = npt.NDArray[np.float64]
Row = tuple[float, ...]
SPLITS: Final = {"column": c.COLUMN, "row": c.ROW, "none": c.WHOLE}
ROLES: Final = {"embedding": c.EMBEDDING, "bottom": c.BOTTOM, "interaction": c.UPPER, "top": c.UPPER, "body": c.BODY, "head": c.HEAD}
SCHEDULES: Final = {"1f1b": c.ONE_F_ONE_B, "gpipe": c.GPIPE, "interleaved": c.INTERLEAVED, "zero-bubble": c.ZERO_BUBBLE}
RECOMPUTE: Final = {"none": c.NO_RECOMPUTE, "selective": c.SELECTIVE, "full": c.FULL}
REPLICATING: Final = ("ddp", "zero1", "zero2", "fsdp")


@dataclass(slots=True)
class Table:
    """Rows that are each kept once."""

    rows: dict[Any, int] = field(default_factory=dict)

    def add(self, row: Row) -> int:
        return self.rows.setdefault(row, len(self.rows))

    def array(self, width: int) -> Floats:
        return np.array(list(self.rows), dtype=np.float64).reshape(-1, width)


@dataclass(slots=True)
class Encoder:
    """Tables that grow while workloads and plans are laid."""

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
    reasons: list[str] = field(default_factory=list)
    terms: list[Floats] = field(default_factory=list)
    _laid_blocks: dict[tuple[int, int], list[list[int]]] = field(default_factory=dict)
    _memory: dict[int, Any] = field(default_factory=dict)

    def lay(self, layers: Layers, system: System, plan: Plan) -> int:
        """The index of a laid plan; one that breaks a rule is kept with its reason."""
        try:
            # A batch that all replicas, micro-batches and chunks divide: rules of the batch are checked in the loop.
            batch = system.devices * max(1, plan.micro_batch) * max(1, plan.interleave) * system.devices
            placed = place(plan, layers, system, batch=batch, task=self.task)
            row = self._lay(placed)
        except ThriftyError as error:
            row = (0.0,) * len(c.LAID)
            self.reasons.append(str(error))
            self.terms.append(np.zeros((0, TERMS)))
        else:
            self.reasons.append("")
        self.laid.append(row)
        return len(self.laid) - 1

    def _lay(self, placed: Placed) -> Row:
        plan, task, layers = placed.plan, placed.task, placed.layers
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
        stages_at = self._reach(pipelines[0] if pipelines else ())
        self.terms.append(self._terms(placed))
        values = {
            "valid": 1, "first_item": first_item, "last_item": len(self.items), "first_run": first_run, "last_run": len(self.runs), "stages": placed.stages,
            "schedule": SCHEDULES[plan.schedule] if plan.interleave == 1 else c.INTERLEAVED, "interleave": plan.interleave,
            "recompute": RECOMPUTE[plan.recompute], "sequence": plan.sequence, "fused": plan.fused, "micro": plan.micro_batch, "replicas": placed.replicas,
            "offload_optimizer": "optimizer" in plan.offload, "offload_weights": "weights" in plan.offload,
            "offload_activations": "activations" in plan.offload, "stages_at": stages_at, "body": layers.body_layers, "trains": task.trains,
            "state_bytes": optimizer_bytes(task.optimizer), "lora": task.lora_rank,
        }  # fmt: skip
        return tuple(float(values[name]) for name in c.LAID)

    def _terms(self, placed: Placed) -> Floats:
        if placed.overrides:
            from thrifty.cost.plans.physical.memory import account

            fixed = np.zeros((1, TERMS))
            fixed[0, 0] = account(placed).total_bytes
            return fixed
        key = id(placed.layers)
        if key not in self._memory:
            self._memory[key] = encode_layers(placed.layers, placed.task)
        encoded, (degrees, options) = self._memory[key], encode_plan(placed)
        terms = np.zeros((placed.stages, TERMS))
        rows = functions()[0](encoded.pieces_PI, encoded.blocks_BF, degrees, options, encode_constants(), terms)
        return terms[:rows]

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


def system_rows(
    system: System, format_name: str, tiers: int, sustained: Sustained | None = None, *, replayed: bool = False
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """links (T, P), kernels' row (K,) and training row of a system for numbers in a format; FP32 products run in TF32 where the device has it.

    replayed: launches were recorded once, as serving engines do for decoding
    """
    device, now, sheet = system.device, sustained or fitted(system.device), traffic()
    arithmetic = "tf32" if format_name == "fp32" and "tf32" in device.peak_flops else format_name
    links = [link_parameters(tier, device, efficiency=now.network if link_class(tier, device) == "network" else None) for tier in system.tiers]
    links += [analytic_row(1.0, 0.0)] * (tiers - len(links))
    quickest = defaults_for(device.kind).launch_fused_s if replayed else math.inf
    host = next((link.bandwidth_bytes_per_s for link in device.links if link.name.startswith("pcie")), math.inf)
    values = {
        "product": now.product, "stream_byte_s": 1.0 / (device.bandwidth_bytes_per_s * now.stream), "kernel_s": min(now.kernel_s, quickest),
        "collective_s": min(now.collective_s, quickest), "tax": sheet.tax,
        "score_forward_bytes": sheet.score_forward, "score_backward_bytes": sheet.score_backward,
        "gradient_bytes": sheet.gradient, "accumulate_bytes": sheet.accumulate, "expert_imbalance": sheet.expert_imbalance,
        "table_imbalance": sheet.table_imbalance, "sector_bytes": sheet.sector, "host_byte_s": 1.0 / host,
    }  # fmt: skip
    return np.array(links), kernel_parameters(device, arithmetic), np.array([values[name] for name in c.TRAINING])


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """What the loop reads, in its order, and why plans are no good."""

    laid_C: npt.NDArray[np.int64]
    system_C: npt.NDArray[np.int64]
    tables: tuple[Any, ...]
    systems: tuple[tuple[System, str], ...]
    tiers: int
    terms: Floats
    term_rows: npt.NDArray[np.int64]
    reasons: tuple[str, ...]
    replayed: bool
    most_items: int
    most_runs: int

    def rates(self, sustained: Sustained | None = None) -> tuple[Floats, Floats, Floats]:
        """links (S, T, P), rows (S, K), trainings (S, N)."""
        found = [system_rows(system, name, self.tiers, sustained, replayed=self.replayed) for system, name in self.systems]
        return np.array([f[0] for f in found]), np.array([f[1] for f in found]), np.array([f[2] for f in found])


def encode(asked: Configurations) -> Encoded:
    """Lays every plan once for each workload and shape of system."""
    shapes: dict[tuple[Any, ...], int] = {}
    examples: list[System] = []
    shape_S = np.empty(len(asked.systems), dtype=np.int64)
    for index, system in enumerate(asked.systems):
        form = tuple(tier.count for tier in system.tiers), system.device.kind
        if form not in shapes:
            shapes[form] = len(examples)
            examples.append(system)
        shape_S[index] = shapes[form]
    formats = sorted({layers.format for layers in asked.workloads})
    format_W = np.array([formats.index(layers.format) for layers in asked.workloads], dtype=np.int64)
    tiers = max(len(system.tiers) for system in asked.systems)
    for plan in asked.plans:
        if plan.offload and any(all(not link.name.startswith("pcie") for link in system.device.links) for system in asked.systems):
            raise BadValue("the plan offloads to the host, and a device states no link to it (pcie). Leave offload out, or add links.pcie to its sheet.")
    encoder = Encoder(tiers=tiers, task=asked.task)
    plans, kinds = len(asked.plans), len(examples)
    key_C = (asked.workload_C.astype(np.int64) * kinds + shape_S[asked.system_C]) * plans + asked.plan_C
    index_K = np.full(len(asked.workloads) * kinds * plans, -1, dtype=np.int64)
    present = np.zeros(len(index_K), dtype=np.bool_)
    present[key_C] = True
    for key in np.flatnonzero(present):
        rest, plan_at = divmod(int(key), plans)
        workload, shape = divmod(rest, kinds)
        index_K[key] = encoder.lay(asked.workloads[workload], examples[shape], asked.plans[plan_at])
    laid = np.array(encoder.laid).reshape(-1, len(c.LAID))
    runs = np.array(encoder.runs, dtype=np.float64).reshape(-1, len(c.RUN))
    starts = np.cumsum([0, *(len(terms) for terms in encoder.terms)])
    terms = np.concatenate([*encoder.terms, np.zeros((1, TERMS))])
    spans = laid[:, [c.LAID["first_item"], c.LAID["last_item"], c.LAID["first_run"], c.LAID["last_run"]]].astype(np.int64)
    tables = (
        laid, runs, np.array(encoder.run_items, dtype=np.int64), np.array(encoder.items, dtype=np.float64).reshape(-1, len(c.ITEM)),
        encoder.blocks.array(len(c.BLOCK)), np.array(encoder.products, dtype=np.float64).reshape(-1, len(c.PRODUCT)), encoder.levels.array(len(c.LEVEL)),
        encoder.reaches.array(tiers),
    )  # fmt: skip
    return Encoded(
        laid_C=index_K[key_C], system_C=asked.system_C.astype(np.int64) * len(formats) + format_W[asked.workload_C], tables=tables,
        systems=tuple((system, name) for system in asked.systems for name in formats), tiers=tiers, terms=terms,
        term_rows=np.stack([starts[:-1], starts[1:]], axis=1), reasons=tuple(encoder.reasons), replayed=not asked.task.trains and asked.task.phase == "decode",
        most_items=max(1, int((spans[:, 1] - spans[:, 0]).max())),
        most_runs=max(1, int((spans[:, 3] - spans[:, 2]).max())),
    )  # fmt: skip

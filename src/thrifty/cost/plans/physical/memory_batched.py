"""The account of `memory` as functions of numbers, for loops over many plans and batches; Numba compiles them for whoever loops.

    encode_layers(workload, task)                    once a workload   pieces_PI (P, 4), blocks_BF (B, 39)
    encode_plan(placed)                              once a plan       degrees_CD (6, 9), options_O (15,); no matter which batch was placed
    memory_terms(pieces, blocks, degrees, options, constants, terms_ST)    once a workload and plan: fills a row a stage that may be the fullest,
                                                     returns how many (at most `stages`); about half a microsecond
    terms_of_many(workload, degrees, spread, options)   the same for all plans of a workload in one call
    memory_bytes(terms_ST, rows, micro_batch, micro_batches)               for every batch: bytes of the fullest device, workspace included,
                                                     equal to `account(placed).total_bytes`; some nanoseconds

pieces_PI : first row of blocks_BF, number of blocks, repetitions, place (0 embedding, 1 body, 2 head), in the order of running
blocks_BF : columns named below; elements and bytes of one repetition and one sample, before anything is cut
degrees_CD: rows in the order of `layers.CLASSES`, columns tp, cp, ep, fsdp, states, gradients, tables, samples, copied (`memory.Degrees`)
options_O : entries named below
Plans that treat single layers apart (``ffn.3=...``) have no such form: `account` answers for them.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.cost.plans.models.layers import CLASSES, Layers
from thrifty.cost.plans.physical.memory import (
    MODEL_PARALLEL,
    degrees_of,
    gradient_elements,
    stand_in_elements,
    weight_of,
    weight_parts,
    workspace_of,
)  # fmt: skip
from thrifty.cost.plans.physical.memory_states import Piece, constants, kept_by, pieces_of
from thrifty.cost.plans.placing import Placed
from thrifty.cost.plans.plan import Offload, Plan
from thrifty.cost.plans.tasks import Task
from thrifty.errors import BadValue

FloatArray = npt.NDArray[np.float64]

(
    CLASS, TRAINED, REACHED, CUT, WHOLE, COPIED_CUT, COPIED_WHOLE, EXPERTS, TABLES, WEIGHT, SHARDED, GRADIENT, OPTIMIZER, TABLE_WEIGHT, TABLE_SHARDED,
    TABLE_GRADIENT, TABLE_OPTIMIZER, WIDE, TABLE_WIDE, KEPT, KEPT_WHOLE, SCORES, WIDTH, QUERIES, INSIDE, OUTSIDE, STAND_IN_CUT, STAND_IN_WHOLE, GROUP, LOW_CUT,
    LOW_WHOLE, LOW_EXPERT_CUT, LOW_EXPERT_WHOLE, LOW_WEIGHT, LOW_SHARDED, LOW_GRADIENT, LOW_OPTIMIZER, CACHE, CACHE_HEADS,
) = range(39)  # fmt: skip
"""Columns of blocks_BF. Weights in elements (cut by tensor parallelism, whole, of experts, of tables; COPIED_*: where a tied embedding is on another stage),
then bytes of each; KEPT*, SCORES, WIDTH, QUERIES, INSIDE, OUTSIDE: bytes a sample; STAND_IN_*: elements; GROUP: the number of blocks whose stand-ins are the
same (-1: of no other); LOW_*: elements of low-rank matrices, then bytes of each; CACHE: bytes a sample; CACHE_HEADS: how often tensor parallelism cuts it."""

(
    STAGES, SCHEDULE, CHUNKS, RECOMPUTED, SEQUENCE, FUSED, OFF_OPTIMIZER, OFF_ACTIVATIONS, OFF_WEIGHTS, ZERO, STAND_INS, TRAINS, DECODES, TOKENS, WORKSPACE,
) = range(15)  # fmt: skip
"""Entries of options_O. STAND_INS: whether the library keeps them; TOKENS of a sample; WORKSPACE in bytes; the rest as in `Plan`, 1 for yes."""

(TP, CP, EP, FSDP, STATES, GRADIENTS, SHARDED_TABLES, SAMPLES, DDP) = range(9)
"""Columns of degrees_CD, as in `memory.Degrees`."""

(
    FIXED, PER_SAMPLE, PER_MICRO, ONCE, LIMIT, HEAD_KEPT, HEAD_FLIES, BLOCK_WORK, HEAD_WORK, HEAD_STAND_IN, FLIGHTS, LOST,
) = range(12)  # fmt: skip
"""Columns of terms_ST: bytes whatever the batch; for every sample of the device (caches); for a sample of a micro-batch: kept in every flight, kept once, at
most (offload); the head's, and 1 if it is kept in every flight; gradients of a block, or of the head with its stand-in; most flights; 1 + share lost."""
TERMS: Final = 12

SCHEDULES: Final = {"1f1b": 0.0, "gpipe": 1.0, "interleaved": 0.0, "zero-bubble": 0.0}
RECOMPUTE: Final = {"none": 0.0, "selective": 1.0, "full": 2.0}
OFFLOADS: Final[tuple[Offload, ...]] = ("optimizer", "activations", "weights")


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedLayers:
    """A workload under a task, as `memory_bytes` takes it."""

    pieces_PI: npt.NDArray[np.int64]
    blocks_BF: FloatArray


def encode_layers(layers: Layers, task: Task) -> EncodedLayers:
    """The model, cut where training begins."""
    pieces = pieces_of(layers, task)
    rows: list[FloatArray] = []
    table = np.zeros((len(pieces), 4), dtype=np.int64)
    trained = [(b.layer_class, b.products) for piece in pieces for b, is_trained in zip(piece.blocks, piece.trained, strict=True) if is_trained]
    groups = [key for key, count in Counter(trained).items() if count > 1]
    for number, piece in enumerate(pieces):
        table[number] = len(rows), len(piece.blocks), piece.count, {"embedding": 0, "head": 2}.get(piece.role, 1)
        for position, block in enumerate(piece.blocks):
            row = _row(layers, task, piece, position)
            row[GROUP] = groups.index((block.layer_class, block.products)) if (block.layer_class, block.products) in groups else -1
            rows.append(row)
    return EncodedLayers(pieces_PI=table, blocks_BF=np.array(rows))


def _row(layers: Layers, task: Task, piece: Piece, position: int) -> FloatArray:
    block, trained, c = piece.blocks[position], piece.trained[position], constants()
    width, table_width = weight_of(layers.format), weight_of(layers.embedding_format)
    number, base = max(2.0, width), weight_of(task.base_format) if task.base_format and not trained else 0.0
    dense, tables = kept_by(task.optimizer, layers.format), kept_by(task.optimizer, layers.embedding_format)
    row = np.zeros(39)
    row[[CLASS, TRAINED, REACHED]] = CLASSES.index(block.layer_class), trained, piece.reached[position]
    row[[CUT, WHOLE, EXPERTS, TABLES]] = weight_parts(block, False)
    row[[COPIED_CUT, COPIED_WHOLE]] = weight_parts(block, piece.role == "head")[:2]
    row[[WEIGHT, TABLE_WEIGHT, WIDE, TABLE_WIDE]] = base or width, base or table_width, width >= c.master, table_width >= c.master
    if trained:
        row[[SHARDED, GRADIENT, OPTIMIZER]] = dense.sharded, dense.gradient, dense.optimizer
        row[[TABLE_SHARDED, TABLE_GRADIENT, TABLE_OPTIMIZER]] = tables.sharded, tables.gradient, tables.optimizer
        if layers.is_recommender and block.lookup is not None:
            row[[TABLE_SHARDED, TABLE_GRADIENT, TABLE_OPTIMIZER]] = table_width, 0.0, c.rowwise_adagrad / block.lookup.dim
    row[[KEPT, KEPT_WHOLE, SCORES, WIDTH]] = block.kept_bytes, block.kept_whole_bytes, block.kept_scores_bytes, block.width * number
    row[[INSIDE, OUTSIDE]] = np.array(gradient_elements(block)) * number
    row[[STAND_IN_CUT, STAND_IN_WHOLE]] = stand_in_elements(block)
    if block.core is not None:
        core, cached = block.core, task.context + (1 if task.phase == "decode" else block.core.keys)
        row[QUERIES] = core.queries * core.heads * core.head_dim * number * c.query_copies
        row[CACHE] = cached * (core.latent or core.kv_heads * (core.head_dim + core.value_dim)) * number
        row[CACHE_HEADS] = 1 if core.latent else core.kv_heads
    if task.lora_rank:
        row[[LOW_WEIGHT, LOW_SHARDED, LOW_GRADIENT, LOW_OPTIMIZER]] = dense.weight, dense.sharded, dense.gradient, dense.optimizer
        for product in block.products:
            for size, is_cut in ((product.n, product.split == "column"), (product.k, product.split == "row")):
                column = (LOW_EXPERT_CUT if is_cut else LOW_EXPERT_WHOLE) if product.expert else LOW_CUT if is_cut else LOW_WHOLE
                row[column] += task.lora_rank * size * product.count * (block.experts if product.expert else 1)
    return row


def encode_plan(placed: Placed) -> tuple[FloatArray, FloatArray]:
    """degrees_CD, options_O of a placed plan. Raises BadValue for one that treats single layers apart."""
    if placed.overrides:
        raise BadValue("the plan treats single layers apart, which columns of plans cannot hold. Ask for its account alone.")
    degrees = np.ones((len(CLASSES), 9))
    degrees[:, DDP] = 0.0
    for name, levels in placed.levels.items():
        d = degrees_of(levels, name, placed.replicas)
        degrees[CLASSES.index(name)] = d.tp, d.cp, d.ep, d.fsdp, d.states, d.gradients, d.tables, d.samples, d.copied
    plan, strategies = placed.plan, {level.strategy for levels in placed.levels.values() for level in levels}
    options = np.zeros(15)
    options[[STAGES, SCHEDULE]] = placed.stages, SCHEDULES[plan.schedule]
    options[[CHUNKS, RECOMPUTED, SEQUENCE, FUSED]] = plan.interleave if placed.stages > 1 else 1, RECOMPUTE[plan.recompute], plan.sequence, plan.fused
    options[[OFF_OPTIMIZER, OFF_ACTIVATIONS, OFF_WEIGHTS]] = [name in plan.offload for name in ("optimizer", "activations", "weights")]
    options[ZERO] = bool(strategies & {"zero1", "zero2"})
    options[STAND_INS] = bool(strategies & set(MODEL_PARALLEL)) and plan.fused and weight_of(placed.layers.format) < constants().master
    options[[TRAINS, DECODES]] = placed.task.trains, placed.task.phase == "decode"
    options[[TOKENS, WORKSPACE]] = placed.layers.tokens, workspace_of(placed.system)
    return degrees, options


CHOSEN: Final = (SCHEDULE, CHUNKS, RECOMPUTED, SEQUENCE, FUSED, OFF_OPTIMIZER, OFF_ACTIVATIONS, OFF_WEIGHTS)
"""Entries of options_O that a plan states beside its levels."""


def encode_choices(plans: Sequence[Plan]) -> FloatArray:
    """(P, len(CHOSEN)) of many plans, whatever they are laid on."""
    columns = (
        [SCHEDULES[plan.schedule] for plan in plans], [plan.interleave for plan in plans], [RECOMPUTE[plan.recompute] for plan in plans],
        [plan.sequence for plan in plans], [plan.fused for plan in plans], *([name in plan.offload for plan in plans] for name in OFFLOADS),
    )  # fmt: skip
    return np.stack([np.array(column, dtype=np.float64) for column in columns], axis=1)


def with_choices(options_QO: FloatArray, choices_QX: FloatArray) -> FloatArray:
    """Options of plans from those of the same levels with nothing else chosen (`encode_plan`), and what they choose."""
    found = options_QO.copy()
    found[:, CHOSEN] = choices_QX
    found[options_QO[:, STAGES] <= 1, CHUNKS] = 1
    found[:, STAND_INS] *= found[:, FUSED]
    return found


def encode_constants() -> FloatArray:
    """constants_K: copies of buckets, layers gathered, layers of gradients, share lost to fragmentation."""
    c = constants()
    return np.array([c.ddp_bucket_copies, c.gathered_layers, c.gradient_layers, c.fragmentation])


def memory_terms(pieces_PI: Any, blocks_BF: Any, degrees_CD: Any, options_O: Any, constants_K: Any, terms_ST: Any) -> int:
    """Fills a row of terms_ST for every stage that may be the fullest; returns their number. Plain Python that Numba compiles."""
    stages, chunks = int(options_O[STAGES]), int(options_O[CHUNKS])
    sequence, fused, trains, recomputed = options_O[SEQUENCE] > 0, options_O[FUSED] > 0, options_O[TRAINS] > 0, options_O[RECOMPUTED]
    body_pieces, body = 0, 0
    for piece in range(pieces_PI.shape[0]):
        if pieces_PI[piece, 3] == 1:
            body_pieces += 1
            body += pieces_PI[piece, 2]
    size = body // (stages * chunks)
    rows = 0
    for stage in range(stages):
        if body_pieces == 1 and 0 < stage < stages - 1:
            continue  # the same layers as the first stage, no more micro-batches, no embedding
        held = kept = head_kept = largest = work = head_work = head_stand_in = stand_ins = buckets = gathered = gradient_gathered = fetched = cache = 0.0
        passed = counted = 0
        for piece in range(pieces_PI.shape[0]):
            place, count, here = pieces_PI[piece, 3], pieces_PI[piece, 2], 0
            if place == 1:
                for chunk in range(chunks):
                    begin = (chunk * stages + stage) * size
                    here += max(0, min(passed + count, begin + size) - max(passed, begin))
                passed += count
            elif (place == 0 and stage == 0) or (place == 2 and stage == stages - 1):
                here = count
            if here == 0:
                continue
            layer = layer_gathered = layer_gradient = layer_fetched = 0.0
            for position in range(pieces_PI[piece, 1]):
                b = blocks_BF[pieces_PI[piece, 0] + position]
                d = degrees_CD[int(b[CLASS])]
                tp, ep, fsdp, trained, copied = d[TP], d[EP], d[FSDP], b[TRAINED] > 0, place == 2 and stages > 1
                shards = d[STATES] * ep if options_O[ZERO] > 0 and fsdp == 1 else d[STATES]
                cut = b[COPIED_CUT] if copied else b[CUT]
                plain, expert = cut / tp + (b[COPIED_WHOLE] if copied else b[WHOLE]), b[EXPERTS] / (tp * ep)
                dense, table = plain + expert, b[TABLES] / (tp * d[SHARDED_TABLES])
                at_rest = (dense * b[WEIGHT] + table * b[TABLE_WEIGHT]) / fsdp
                layer_fetched += at_rest
                if fsdp > 1:
                    layer_gathered += at_rest * fsdp
                    layer_gradient += at_rest * fsdp if trained else 0.0
                if options_O[OFF_WEIGHTS] == 0:
                    held += here * ((dense * b[SHARDED] + table * b[TABLE_SHARDED]) / fsdp if fsdp > 1 and trained else at_rest)
                held += here * (dense * b[GRADIENT] + table * b[TABLE_GRADIENT]) / (fsdp * d[GRADIENTS])
                if options_O[OFF_OPTIMIZER] == 0:
                    held += here * ((plain * b[OPTIMIZER] + table * b[TABLE_OPTIMIZER]) / shards + expert * b[OPTIMIZER] / d[STATES]) / fsdp
                if d[DDP] > 0 and fsdp == 1:
                    buckets += here * (dense * b[GRADIENT] * b[WIDE] + table * b[TABLE_GRADIENT] * b[TABLE_WIDE]) * constants_K[0]
                if b[LOW_WEIGHT] > 0:
                    low, low_expert = b[LOW_CUT] / tp + b[LOW_WHOLE], (b[LOW_EXPERT_CUT] / tp + b[LOW_EXPERT_WHOLE]) / ep
                    held += here * (low + low_expert) * ((b[LOW_SHARDED] if fsdp > 1 else b[LOW_WEIGHT]) + b[LOW_GRADIENT] / d[GRADIENTS]) / fsdp
                    if options_O[OFF_OPTIMIZER] == 0:
                        held += here * (low / shards + low_expert / d[STATES]) * b[LOW_OPTIMIZER] / fsdp
                if trained and fsdp == 1 and options_O[STAND_INS] > 0:
                    group = int(b[GROUP])
                    if place == 2:
                        head_stand_in = cut / tp * b[WEIGHT]
                    elif group < 0 or (counted >> group) & 1 == 0:
                        stand_ins += (b[STAND_IN_CUT] / tp + b[STAND_IN_WHOLE]) * b[WEIGHT]
                        if group >= 0:
                            counted |= 1 << group
                n = d[SAMPLES] / d[CP]
                if not trains:
                    share = 1 / options_O[TOKENS] if options_O[DECODES] > 0 or place == 2 else 1.0
                    scores = 0.0 if fused else b[SCORES] / tp
                    work = max(work, n * share * (b[KEPT] / tp + b[KEPT_WHOLE] + b[WIDTH] + scores))
                    if b[CACHE] > 0:
                        cache += here * n * b[CACHE] / min(tp, b[CACHE_HEADS])
                    continue
                if b[REACHED] == 0:
                    continue
                inside, outside = n / tp, n / tp if sequence else n
                scores = inside * b[SCORES] if not fused and (recomputed == 0 or place == 2) else 0.0
                mine = inside * (b[KEPT] + (b[QUERIES] if d[CP] > 1 else 0.0)) + outside * b[KEPT_WHOLE] + scores
                hidden = n * b[WIDTH] * (2 if sequence and tp > 1 else 1)
                if place == 2:
                    head_kept += here * mine
                    head_work = hidden + (0.0 if fused else inside * b[KEPT])
                    continue
                work = max(work, inside * b[INSIDE] + n * b[OUTSIDE] + hidden)
                layer += mine
                if recomputed < 2:
                    kept += here * mine
                elif position == 0:
                    kept += here * outside * b[WIDTH]
            largest, fetched = max(largest, layer), max(fetched, layer_fetched)
            gathered, gradient_gathered = max(gathered, layer_gathered), max(gradient_gathered, layer_gradient)
        flights = 1.0
        if stages > 1 and trains:
            flights = (2 * (stages - stage - 1) + (chunks - 1) * stages + 1) / chunks if chunks > 1 else (stages - stage) * 1.0
            if options_O[SCHEDULE] == 1:
                flights = np.inf
        lost = 1 + constants_K[3]
        buffers = stand_ins + buckets + constants_K[1] * gathered + constants_K[2] * gradient_gathered
        if options_O[OFF_WEIGHTS] > 0:
            buffers += constants_K[1] * fetched
        terms = terms_ST[rows]
        terms[FIXED], terms[PER_SAMPLE], terms[PER_MICRO] = held + buffers * lost + options_O[WORKSPACE], cache, kept
        terms[ONCE] = largest if recomputed == 2 else 0.0
        terms[LIMIT] = constants_K[1] * largest if options_O[OFF_ACTIVATIONS] > 0 else np.inf
        terms[HEAD_KEPT], terms[HEAD_FLIES] = head_kept, 1.0 if options_O[SCHEDULE] == 1 else 0.0
        terms[BLOCK_WORK], terms[HEAD_WORK], terms[HEAD_STAND_IN], terms[FLIGHTS], terms[LOST] = work, head_work, head_stand_in, flights, lost
        rows += 1
    return rows


def memory_bytes(terms_ST: Any, rows: Any, micro_batch: Any, micro_batches: Any) -> float:
    """Bytes of the fullest device, from the terms of its plan. Plain Python that Numba compiles."""
    fullest = 0.0
    for row in range(rows):
        t = terms_ST[row]
        flights = min(micro_batches * 1.0, t[FLIGHTS])
        kept = min(flights * t[PER_MICRO] + t[ONCE], t[LIMIT]) + t[HEAD_KEPT] * (flights if t[HEAD_FLIES] > 0 else 1.0)
        moving = micro_batch * kept + max(micro_batch * t[HEAD_WORK] + t[HEAD_STAND_IN], micro_batch * t[BLOCK_WORK])
        fullest = max(fullest, t[FIXED] + micro_batch * micro_batches * t[PER_SAMPLE] + moving * t[LOST])
    return fullest


def _fill_many(
    pieces_PI: Any, blocks_BF: Any, degrees_SCD: Any, spread_Q: Any, options_QO: Any, constants_K: Any, begin_Q: Any, terms_RT: Any, count_Q: Any
) -> None:  # fmt: skip
    for q in range(len(spread_Q)):
        count_Q[q] = memory_terms(pieces_PI, blocks_BF, degrees_SCD[spread_Q[q]], options_QO[q], constants_K, terms_RT[begin_Q[q] :])


def terms_of_many(
    encoded: EncodedLayers, degrees_SCD: FloatArray, spread_Q: npt.NDArray[np.int64], options_QO: FloatArray
) -> tuple[FloatArray, npt.NDArray[np.int64]]:  # fmt: skip
    """terms (R, TERMS) of Q plans of one workload, and (Q, 2): first row and the row after the last of each. spread_Q: whose degrees a plan has."""
    stages_Q = options_QO[:, STAGES].astype(np.int64)
    most_Q = np.minimum(stages_Q, 2) if int((encoded.pieces_PI[:, 3] == 1).sum()) == 1 else stages_Q
    end_Q = np.cumsum(most_Q)
    begin_Q, count_Q, terms = end_Q - most_Q, np.zeros(len(spread_Q), dtype=np.int64), np.zeros((int(most_Q.sum()), TERMS))
    _filler()(encoded.pieces_PI, encoded.blocks_BF, degrees_SCD, spread_Q, options_QO, encode_constants(), begin_Q, terms, count_Q)
    return terms, np.stack([begin_Q, begin_Q + count_Q], axis=1)


@functools.cache
def _filler() -> Callable[..., None]:
    """`_fill_many` compiled; as it is where Numba is not installed."""
    try:
        from numba import njit
    except ImportError:
        return _fill_many
    from numba.extending import register_jitable

    register_jitable(memory_terms)
    compiled: Callable[..., None] = njit(cache=True, nogil=True)(_fill_many)
    return compiled


@functools.cache
def functions() -> tuple[Callable[..., int], Callable[..., float]]:
    """`memory_terms` and `memory_bytes` compiled, to call from Python or from compiled loops; plain Python where Numba is not installed."""
    try:
        from numba import njit
    except ImportError:
        return memory_terms, memory_bytes
    return njit(cache=True, nogil=True)(memory_terms), njit(cache=True, nogil=True)(memory_bytes)

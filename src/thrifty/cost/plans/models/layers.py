"""What a plan spreads over devices: the layers of a workload, each with what one sample asks of it.

A `Block` is one sublayer of one class (an embedding, a perceptron's layer, an attention, a feed-forward network, experts). A `Segment` repeats a few
blocks in turn; `Layers` is the whole model, from input to output. Quantities are per sample and linear in the batch; a sequence is one sample.
Nothing here knows devices or plans.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from thrifty.formats import get_format

LayerClass = Literal["embedding", "dense", "interaction", "attention", "ffn", "experts"]
CLASSES: Final[tuple[LayerClass, ...]] = ("embedding", "dense", "interaction", "attention", "ffn", "experts")

Role = Literal["embedding", "bottom", "interaction", "top", "body", "head"]
"""Where a segment stands. A recommender looks up while its `bottom` runs, then `interaction` and `top`; others run embedding, body, head in turn."""

Split = Literal["column", "row", "none"]
"""Which axis of a weight tensor parallelism cuts: its outputs (column, no communication), its inputs (row, ends in a sum over ranks), neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """Products of activations with weights, `count` alike: (rows, k) x (k, n) for one sample.

    expert : the weight exists once in every expert; `rows` is over all experts together (active experts x tokens)
    """

    rows: float
    n: int
    k: int
    count: int = 1
    split: Split = "column"
    expert: bool = False

    @property
    def flops(self) -> float:
        """Of one sample, forward."""
        return 2.0 * self.rows * self.n * self.k * self.count


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """Attention without its weights: queries x keys, softmax, scores x values, for one sample. Tensor parallelism cuts heads.

    latent: elements cached for a token in place of keys and values of heads (latent attention); all ranks of tensor parallelism hold them
    """

    queries: int
    keys: int
    heads: int
    kv_heads: int
    head_dim: int
    value_dim: int
    causal: bool = True
    latent: int = 0

    @property
    def flops(self) -> float:
        """Algorithmic, of one sample, forward: a causal mask counts half."""
        full = 2.0 * self.heads * self.queries * self.keys * (self.head_dim + self.value_dim)
        return full / 2 if self.causal and self.queries == self.keys else full


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Embedding tables alike: `pooling` rows of each are fetched for a sample, and summed where there are several."""

    tables: int
    rows: int
    dim: int
    pooling: int = 1
    pooled: bool = True

    @property
    def weights(self) -> int:
        return self.tables * self.rows * self.dim

    @property
    def fetched(self) -> int:
        """Elements read for one sample."""
        return self.tables * self.pooling * self.dim

    @property
    def handed_on(self) -> int:
        """Elements that leave the tables for one sample, after summing."""
        return self.tables * self.dim if self.pooled else self.fetched


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One sublayer.

    weights        : elements outside of experts, biases and norms included; expert_weights: of all experts together
    width          : elements that one sample hands on to the next block
    streamed       : elements per sample that element-wise kernels (activation, gating, softmax kept apart) read and write inside the region that
                     tensor parallelism cuts; streamed_whole: norms, dropout and residuals outside of it, which only sequence parallelism cuts
    kernels        : element-wise kernels launched, forward
    kept_bytes     : kept for the backward pass per sample at the model's format, inside the region that tensor parallelism cuts;
                     kept_whole_bytes: outside of it; kept_scores_bytes: attention scores, kept unless fused or recomputed
    experts        : 0 where there are none; active_experts: of them a token visits
    """

    name: str
    layer_class: LayerClass
    products: tuple[Product, ...] = ()
    core: Core | None = None
    lookup: Lookup | None = None
    weights: int = 0
    expert_weights: int = 0
    experts: int = 0
    active_experts: int = 0
    width: int = 0
    streamed: float = 0.0
    streamed_whole: float = 0.0
    kernels: int = 0
    kept_bytes: float = 0.0
    kept_whole_bytes: float = 0.0
    kept_scores_bytes: float = 0.0

    @property
    def all_weights(self) -> int:
        return self.weights + self.expert_weights

    @property
    def flops(self) -> float:
        """Of one sample, forward, attention scores included."""
        return sum(product.flops for product in self.products) + (self.core.flops if self.core else 0.0)

    @property
    def flops_of_weights(self) -> float:
        """Of one sample, forward, of products with weights only: all that the published model counts."""
        return sum(product.flops for product in self.products)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Blocks in turn, `repeat` times over."""

    role: Role
    blocks: tuple[Block, ...]
    repeat: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """A model as its plan sees it.

    tokens           : of one sample (1 for recommenders and images)
    format           : of weights and activations; embedding_format: of tables
    stand_in         : "" for the true model; else what was put in its place
    """

    name: str
    segments: tuple[Segment, ...]
    format: str
    embedding_format: str
    tokens: int = 1
    stand_in: str = ""

    @property
    def is_recommender(self) -> bool:
        return any(segment.role == "top" for segment in self.segments)

    @property
    def unit(self) -> str:
        return "token" if self.tokens > 1 else "sample"

    def blocks(self) -> Iterator[tuple[Segment, int, Block]]:
        """Every block with its segment and the repetition it stands in, in the order of running."""
        for segment in self.segments:
            for index in range(segment.repeat):
                for block in segment.blocks:
                    yield segment, index, block

    @property
    def classes(self) -> tuple[LayerClass, ...]:
        """The classes that occur, in the order of `CLASSES`."""
        found = {block.layer_class for segment in self.segments for block in segment.blocks}
        return tuple(name for name in CLASSES if name in found)

    @property
    def weights(self) -> int:
        """Elements of all weights."""
        return sum(segment.repeat * block.all_weights for segment in self.segments for block in segment.blocks)

    def weights_of(self, layer_class: LayerClass) -> int:
        """Elements of the weights of one class."""
        return sum(s.repeat * b.all_weights for s in self.segments for b in s.blocks if b.layer_class == layer_class)

    @property
    def flops(self) -> float:
        """Of one sample, forward."""
        return sum(segment.repeat * block.flops for segment in self.segments for block in segment.blocks)

    @property
    def body_layers(self) -> int:
        """Repetitions that pipeline stages share out: transformer layers, or a recommender's perceptron layers."""
        return sum(segment.repeat for segment in self.segments if segment.role not in ("embedding", "head"))

    @property
    def bytes_per_weight(self) -> float:
        return get_format(self.format).bytes_per_number

    @property
    def bytes_per_table_weight(self) -> float:
        return get_format(self.embedding_format).bytes_per_number

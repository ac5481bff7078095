"""Layers from sizes: transformers (GPT, LLaMA, mixture of experts, latent attention, ViT) and recommenders, without making an operator table.

`extracting` makes the same layers from the operator table of any workload; a test holds both beside each other. Bytes kept for the backward pass follow
Korthikanti et al. (2022), section 4: 34 s·b·h + 5 a·s²·b for a GPT layer at 16 bits, of which 10 s·b·h lie outside of what tensor parallelism cuts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from thrifty.cost.plans.models.layers import Block, Core, Layers, Lookup, Product, Segment
from thrifty.errors import BadValue
from thrifty.formats import get_format


@dataclass(frozen=True, slots=True, kw_only=True)
class LatentAttention:
    """Multi-head latent attention (DeepSeek-V2): queries and keys with values go through narrow products first; q_rank=0: queries do not."""

    q_rank: int
    kv_rank: int
    nope_dim: int
    rope_dim: int
    value_dim: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """Sizes of a transformer.

    gated          : feed-forward networks of three matrices (SwiGLU), else two
    norms_kept     : RMSNorm keeps its input as LayerNorm does
    experts        : 0 for a dense model; expert_ffn: width of one expert; shared_experts run for every token; first_dense layers have no experts
    positions      : learned positions (adds seq x hidden weights); patch: of images, the embedding is then a product of 3·patch² inputs
    tied           : input embedding and LM head share their weight; head: whether there is one
    dropout        : masks are kept
    """

    name: str
    layers: int
    hidden: int
    heads: int
    seq: int
    ffn: int
    vocab: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    gated: bool = False
    biases: bool = True
    experts: int = 0
    active_experts: int = 0
    expert_ffn: int = 0
    shared_experts: int = 0
    first_dense: int = 0
    latent: LatentAttention | None = None
    positions: bool = False
    patch: int = 0
    tied: bool = True
    head: bool = True
    causal: bool = True
    dropout: bool = False
    format: str = "bf16"
    stand_in: str = ""

    def __post_init__(self) -> None:
        for name in ("layers", "hidden", "heads", "seq", "ffn"):
            if getattr(self, name) < 1:
                raise BadValue(f"{name}={getattr(self, name)} of {self.name} is below 1. Give a whole number from 1 up.")
        if not self.head_dim and not self.latent and self.hidden % self.heads:
            raise BadValue(f"{self.heads} heads do not divide a width of {self.hidden}. Choose a divisor, or state head_dim.")
        if self.experts and not 0 < self.active_experts <= self.experts:
            raise BadValue(f"active_experts={self.active_experts} of {self.experts} experts. Give 1 to {self.experts}.")

    @property
    def width(self) -> float:
        """Bytes of one number of an activation, at least 16 bits."""
        return max(2.0, get_format(self.format).bytes_per_number)

    def to_layers(self) -> Layers:
        """The model as a plan sees it."""
        body: list[Segment] = []
        attention = self.attention()
        if self.experts and self.first_dense:
            body.append(Segment(role="body", blocks=(attention, self.feed_forward()), repeat=self.first_dense))
        second = self.mixture() if self.experts else self.feed_forward()
        rest = self.layers - (self.first_dense if self.experts else 0)
        if rest:
            body.append(Segment(role="body", blocks=(attention, second), repeat=rest))
        ends = [Segment(role="head", blocks=(self.output(),))] if self.head and self.vocab else []
        return Layers(
            name=self.name, segments=(Segment(role="embedding", blocks=(self.embedding(),)), *body, *ends), format=self.format,
            embedding_format=self.format, tokens=1 if self.patch else self.seq, stand_in=self.stand_in,
        )  # fmt: skip

    def embedding(self) -> Block:
        s, h = self.seq, self.hidden
        positions = s * h if self.positions else 0
        kept = s * h * (1.0 if self.dropout else 0.0)
        if self.patch:
            inputs = 3 * self.patch * self.patch
            product = Product(rows=s, n=h, k=inputs, split="none")
            return Block(
                name="patches", layer_class="embedding", products=(product,), weights=inputs * h + positions, width=s * h, streamed_whole=3.0 * s * h,
                kernels=1, kept_whole_bytes=kept,
            )  # fmt: skip
        lookup = Lookup(tables=1, rows=self.vocab, dim=h, pooling=s, pooled=False)
        return Block(
            name="embedding", layer_class="embedding", lookup=lookup, weights=lookup.weights + positions, width=s * h,
            streamed_whole=(2.0 if self.positions else 0.0) * s * h, kernels=2 if self.positions else 1, kept_whole_bytes=kept,
        )  # fmt: skip

    def attention(self) -> Block:
        s, h, a = self.seq, self.hidden, self.heads
        kv = self.kv_heads or a
        if self.latent:
            return self._latent_attention(self.latent)
        d = self.head_dim or h // a
        products = (Product(rows=s, n=(a + 2 * kv) * d, k=h), Product(rows=s, n=h, k=a * d, split="row"))
        weights = sum(p.n * p.k for p in products) + ((a + 2 * kv) * d + h if self.biases else 0) + (2 * h if self.biases else h)
        w = self.width
        inside = w * s * (2 * a * d + 2 * kv * d)  # queries, keys, values, and what enters the last product
        return Block(
            name="attention", layer_class="attention", products=products, weights=weights, width=s * h,
            core=Core(queries=s, keys=s, heads=a, kv_heads=kv, head_dim=d, value_dim=d, causal=self.causal),
            streamed=2.0 * s * (a + kv) * d if not self.positions else 0.0,  # rotating queries and keys
            streamed_whole=5.0 * s * h, kernels=3 if self.positions else 4, kept_bytes=inside,
            kept_whole_bytes=s * h * (2 * w + (1 if self.dropout else 0)), kept_scores_bytes=a * s * s * (5.0 if self.dropout else 4.0) * w / 2,
        )  # fmt: skip

    def _latent_attention(self, latent: LatentAttention) -> Block:
        s, h, a, w = self.seq, self.hidden, self.heads, self.width
        qk = latent.nope_dim + latent.rope_dim
        down = [Product(rows=s, n=latent.kv_rank + latent.rope_dim, k=h, split="none")]
        if latent.q_rank:
            down.append(Product(rows=s, n=latent.q_rank, k=h, split="none"))
        up = [Product(rows=s, n=a * qk, k=latent.q_rank or h), Product(rows=s, n=a * (latent.nope_dim + latent.value_dim), k=latent.kv_rank)]
        out = Product(rows=s, n=h, k=a * latent.value_dim, split="row")
        products = (*down, *up, out)
        norms = h + latent.q_rank + latent.kv_rank
        narrow = latent.q_rank + latent.kv_rank + latent.rope_dim
        return Block(
            name="attention", layer_class="attention", products=products, weights=sum(p.n * p.k for p in products) + norms, width=s * h,
            core=Core(
                queries=s, keys=s, heads=a, kv_heads=a, head_dim=qk, value_dim=latent.value_dim, causal=self.causal, latent=latent.kv_rank + latent.rope_dim,
            ),
            streamed=4.0 * s * a * qk, streamed_whole=5.0 * s * h + 4.0 * s * narrow, kernels=8,
            kept_bytes=w * s * a * (2 * qk + 2 * latent.value_dim), kept_whole_bytes=w * s * (2 * h + 2 * narrow),
            kept_scores_bytes=a * s * s * 2.0 * w,
        )  # fmt: skip

    def feed_forward(self, width: int = 0) -> Block:
        s, h, f, w = self.seq, self.hidden, width or self.ffn, self.width
        up = 2 if self.gated else 1
        products = (Product(rows=s, n=up * f, k=h), Product(rows=s, n=h, k=f, split="row"))
        weights = (up + 1) * h * f + (up * f + h if self.biases else 0) + (2 * h if self.biases else h)
        return Block(
            name="ffn", layer_class="ffn", products=products, weights=weights, width=s * h, streamed=(up + 1.0) * s * f, streamed_whole=5.0 * s * h,
            kernels=3, kept_bytes=w * s * (up + 1) * f, kept_whole_bytes=s * h * (2 * w + (1 if self.dropout else 0)),
        )  # fmt: skip

    def mixture(self) -> Block:
        s, h, w = self.seq, self.hidden, self.width
        f, up, active = self.expert_ffn or self.ffn, 2 if self.gated else 1, self.active_experts
        rows = float(s * active)
        routed = (Product(rows=rows, n=up * f, k=h, expert=True), Product(rows=rows, n=h, k=f, split="row", expert=True))
        shared_width = self.shared_experts * f
        shared = (Product(rows=s, n=up * shared_width, k=h), Product(rows=s, n=h, k=shared_width, split="row")) if shared_width else ()
        router = Product(rows=s, n=self.experts, k=h, split="none")
        each = (up + 1) * h * f
        return Block(
            name="experts", layer_class="experts", products=(router, *shared, *routed), weights=self.experts * h + (up + 1) * h * shared_width + h,
            expert_weights=self.experts * each, experts=self.experts, active_experts=active, width=s * h,
            streamed=(up + 1.0) * (rows * f + s * shared_width) + 4.0 * rows * h, streamed_whole=5.0 * s * h + 3.0 * s * self.experts, kernels=8,
            kept_bytes=w * ((up + 1) * (rows * f + s * shared_width) + 2 * rows * h), kept_whole_bytes=2 * w * s * h + 4.0 * s * self.experts,
        )  # fmt: skip

    def output(self) -> Block:
        s, h, v, w = self.seq, self.hidden, self.vocab, self.width
        return Block(
            name="head", layer_class="dense", products=(Product(rows=s, n=v, k=h),), weights=(0 if self.tied else v * h) + (2 * h if self.biases else h),
            width=s * h, streamed=3.0 * s * v, streamed_whole=3.0 * s * h, kernels=4, kept_bytes=w * s * v, kept_whole_bytes=2 * w * s * h,
            kept_scores_bytes=w * s * v,  # with those kept_bytes, the logits in fp32; a fused cross-entropy writes its gradient over 16-bit logits
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommender:
    """Sizes of a recommender as MAD-Max states them: square perceptrons, tables alike (brief of the paper, table of the model suite).

    interaction : a transformer between tables and top (its own sizes), or None; experts: of every top layer, `active_experts` of them run
    """

    name: str
    bottom: int
    top: int
    mlp_dim: int
    tables: int
    rows_per_table: int
    dim: int
    pooling: int
    interaction: Transformer | None = None
    experts: int = 0
    active_experts: int = 0
    format: str = "fp32"
    embedding_format: str = "fp16"
    stand_in: str = ""

    def to_layers(self) -> Layers:
        """The model as a plan sees it."""
        lookup = Lookup(tables=self.tables, rows=self.rows_per_table, dim=self.dim, pooling=self.pooling)
        tables = Block(name="embedding", layer_class="embedding", lookup=lookup, weights=lookup.weights, width=lookup.handed_on)
        segments = [Segment(role="embedding", blocks=(tables,)), Segment(role="bottom", blocks=(self._layer("bottom"),), repeat=self.bottom)]
        if self.interaction is not None:
            pair = (self.interaction.attention(), self.interaction.feed_forward())
            blocks = tuple(replace(block, layer_class="interaction") for block in pair)
            segments.append(Segment(role="interaction", blocks=blocks, repeat=self.interaction.layers))
        segments.append(Segment(role="top", blocks=(self._layer("top"),), repeat=self.top))
        return Layers(name=self.name, segments=tuple(segments), format=self.format, embedding_format=self.embedding_format, stand_in=self.stand_in)

    def _layer(self, name: str) -> Block:
        m, width = self.mlp_dim, get_format(self.format).bytes_per_number
        if name == "top" and self.experts:
            product = Product(rows=float(self.active_experts), n=m, k=m, expert=True)
            return Block(
                name=name, layer_class="experts", products=(product,), expert_weights=self.experts * m * m, experts=self.experts,
                active_experts=self.active_experts, width=m, streamed=2.0 * m * self.active_experts, kernels=1, kept_bytes=width * m * self.active_experts,
                kept_whole_bytes=width * m,
            )  # fmt: skip
        return Block(
            name=name, layer_class="dense", products=(Product(rows=1.0, n=m, k=m),), weights=m * m, width=m, streamed=2.0 * m, kernels=1, kept_bytes=width * m,
        )  # fmt: skip

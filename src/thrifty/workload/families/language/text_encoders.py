"""Encoders of text that image and video generators listen to: CLIP's and T5's, at the sizes that its users were trained with.

Their twins are transformers' CLIPTextModel (CLIPTextModelWithProjection where there is a projection), T5EncoderModel and UMT5EncoderModel, whose configurations
name the sizes as they are named here. Matrix products, attention, norms and embeddings have the twin's rows one to one, and so has everything else: CLIP
spells out its quick GELU, T5 its GELU, its norms, the distances between tokens that become its attention's additive mask, and in fp16 the bounds
that keep its residuals finite.

What they do not know: padding (a prompt fills its sequence, as these generators feed it), and the choice of an earlier layer's result, which changes
nothing of what runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.workload.counts import rms_norm_flops
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import dense, layer_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Axes, Kind, Role

INDEX = ops.INDEX_BYTES


def _tokens(point: Mapping[str, int], vocab: int) -> Feeds:
    return {"input_ids": Feed(shape=(point["batch"], point["seq"]), axes=("batch", "text"), fill="whole", below=vocab)}


# -- CLIP -----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipTextShape:
    """As transformers' configuration names them. projection_dim: 0 where the twin has no projection; eos_token_id: 2 stands for the largest token."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    max_position_embeddings: int
    hidden_act: str = "quick_gelu"
    projection_dim: int = 0
    eos_token_id: int = 49407

    def __post_init__(self) -> None:
        if self.hidden_act not in ("quick_gelu", "gelu"):
            raise BadValue(f"hidden_act='{self.hidden_act}' is none that CLIP's text encoders have. Choose quick_gelu or gelu.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipText(Drawn):
    """A causal transformer over the tokens of a prompt, and what it holds at the end of the prompt."""

    shape: ClipTextShape

    what = "a text encoder"

    def sizes(self) -> tuple[Symbol, ...]:
        most = self.shape.max_position_embeddings
        return Symbol(name="batch", default=1, meaning="batch"), Symbol(name="seq", default=most, high=most, degree=2, meaning="context")

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        return _tokens(point, self.shape.vocab_size)

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        s, batch, seq = self.shape, point["batch"], point["seq"]
        top = "text_model" if s.projection_dim else ""
        root = f"{top}." if top else ""
        tokens = t.input(batch * seq, "int64", "input_ids")
        x = embedded = self._embed(t, f"{root}embeddings", tokens, batch, seq)
        t.calls += 1
        for layer in range(s.num_hidden_layers):
            x = self._layer(t, f"{root}encoder.layers.{layer}", x, batch, seq)
            t.touch(embedded)
        encoded, x = x, layer_norm(t, f"{root}final_layer_norm", x, batch * seq, s.hidden_size)
        t.enter(top, calls=0)
        pooled = self._pool(t, x, tokens, batch, seq)
        t.touch(embedded, encoded)
        if not s.projection_dim:
            return x
        return dense(t, "text_projection", pooled, batch, s.projection_dim, s.hidden_size, bias=False, views=1)

    def _embed(self, t: Tape, root: str, tokens: Tensor, batch: int, seq: int) -> Tensor:
        s, hidden = self.shape, self.shape.hidden_size
        t.enter(f"{root}.token_embedding", calls=4 if s.projection_dim else 3, views=2)
        words = ops.embedding(t, tokens, t.weight(f"{root}.token_embedding.weight", s.vocab_size, hidden), batch * seq, hidden, s.vocab_size)
        places = t.new(s.max_position_embeddings, format_name="int64", role=Role.BUFFER, needs=False, name=f"{root}.position_ids")
        t.enter(f"{root}.position_embedding")
        table = t.weight(f"{root}.position_embedding.weight", s.max_position_embeddings, hidden)
        place = ops.embedding(t, places, table, seq, hidden, s.max_position_embeddings)
        t.enter(root, calls=0)
        return ops.add(t, words, place)

    def _layer(self, t: Tape, root: str, x: Tensor, batch: int, seq: int) -> Tensor:
        s, hidden, rows = self.shape, self.shape.hidden_size, batch * seq
        entry, heads, head_dim = x, s.num_attention_heads, s.hidden_size // s.num_attention_heads
        normed = layer_norm(t, f"{root}.layer_norm1", x, rows, hidden, calls=2)
        t.calls += 1
        views = {"q_proj": 2, "k_proj": 3, "v_proj": 3}
        q, k, v = (dense(t, f"{root}.self_attn.{name}", normed, rows, hidden, hidden, views=views[name]) for name in views)
        t.enter(f"{root}.self_attn", calls=0, views=7)
        mixed = ops.attention(
            t, q, k, v, batch=batch, seq_q=seq, seq_k=seq, heads=heads, kv_heads=heads, head_dim=head_dim, value_dim=head_dim, causal=seq > 1,
            axes=Axes.SELF,
        )  # fmt: skip
        mixed = dense(t, f"{root}.self_attn.out_proj", mixed, rows, hidden, hidden, views=6 if t.keep else 5)
        t.touch(normed, q, k, v)
        t.enter(root, calls=0, views=1)
        x = ops.add(t, x, mixed)
        t.touch(mixed)
        normed = layer_norm(t, f"{root}.layer_norm2", x, rows, hidden)
        inner = dense(t, f"{root}.mlp.fc1", normed, rows, s.intermediate_size, hidden, calls=2)
        t.enter(f"{root}.mlp.activation_fn", views=1 if s.hidden_act == "quick_gelu" else 0)
        active = quick_gelu(t, inner) if s.hidden_act == "quick_gelu" else ops.activation(t, inner, "gelu")
        fed = dense(t, f"{root}.mlp.fc2", active, rows, hidden, s.intermediate_size)
        t.touch(normed)
        t.enter(root, calls=0, views=1)
        out = ops.add(t, x, fed)
        t.touch(fed, entry)
        return out

    def _pool(self, t: Tape, x: Tensor, tokens: Tensor, batch: int, seq: int) -> Tensor:
        """The hidden state at each prompt's last token: found by the token's number, or as the largest there is."""
        hidden, rows = self.shape.hidden_size, batch * seq
        which = ops.move(t, "aten.arange", (), batch, format_name="int64")
        found = ops.move(t, "aten._to_copy", (tokens,), rows, format_name="int32")
        if self.shape.eos_token_id != 2:
            is_end = t.new(rows, format_name="bool", needs=False)
            t.row(Kind.ELEMENTWISE, "aten.eq", (found,), (is_end,), (1, rows, 0, 0), flops_vector=rows, format_name="int32")
            found = ops.move(t, "aten._to_copy", (is_end,), rows, format_name="int32")
        place = t.new(batch, format_name="int64", needs=False)
        t.row(Kind.SAMPLING, "aten.argmax", (found,), (place,), (1, batch, 0, 0), flops_vector=rows, format_name="int32")
        size = batch * hidden * (x.size // x.count)
        out = t.new(batch * hidden, format_name=x.format)
        t.row(Kind.MEMORY, "aten.index", (x, which, place), (out,), (1, out.count, 0, 0), sizes=(size, which.size, place.size))

        def backward(grad: Tensor) -> None:
            t.views += 2
            zeros = ops.move(t, "aten.new_zeros", (), x.count, format_name=grad.format)
            whole = t.new(x.count, format_name=grad.format, needs=False)
            t.row(Kind.MEMORY, "aten.index_put", (zeros, which, place, grad), (whole,), (1, x.count, 0, 0), flops_vector=grad.count)
            t.give(x, whole)

        t.later(out, backward)
        return out


def quick_gelu(t: Tape, x: Tensor) -> Tensor:
    """x · sigmoid(1.702 · x), as CLIP's module writes it: three kernels."""
    return ops.multiply(t, x, ops.activation(t, ops.scale(t, x), "sigmoid", views=0))


# -- T5 -------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class T5EncoderShape:
    """As transformers' configuration names them. model_type: t5, whose first layer's distances serve all layers, or umt5, where each has its own."""

    vocab_size: int
    d_model: int
    d_kv: int
    d_ff: int
    num_layers: int
    num_heads: int
    feed_forward_proj: str
    relative_attention_num_buckets: int = 32
    model_type: str = "t5"

    def __post_init__(self) -> None:
        if self.feed_forward_proj not in ("gated-gelu", "relu"):
            raise BadValue(f"feed_forward_proj='{self.feed_forward_proj}' is none that T5 was published with. Choose gated-gelu or relu.")
        if self.model_type not in ("t5", "umt5"):
            raise BadValue(f"model_type='{self.model_type}' is no T5. Choose t5 or umt5.")


@dataclass(frozen=True, slots=True, kw_only=True)
class T5Encoder(Drawn):
    """The encoder half of T5: norms without mean or bias before attention and feed-forward, distances between tokens added to the scores."""

    shape: T5EncoderShape

    what = "a text encoder"

    def sizes(self) -> tuple[Symbol, ...]:
        return Symbol(name="batch", default=1, meaning="batch"), Symbol(name="seq", default=128, degree=2, meaning="text tokens")

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        return _tokens(point, self.shape.vocab_size)

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        s, batch, seq = self.shape, point["batch"], point["seq"]
        tokens, hidden = t.input(batch * seq, "int64", "input_ids"), s.d_model
        t.enter("encoder.embed_tokens", calls=3)
        x = embedded = ops.embedding(t, tokens, t.weight("shared.weight", s.vocab_size, hidden), batch * seq, hidden, s.vocab_size)
        shared: tuple[Tensor, ...] = ()  # the first layer's distances
        for layer in range(s.num_layers):
            x, bias = self._block(t, f"encoder.block.{layer}", x, shared[0] if shared else None, batch, seq)
            if s.model_type == "t5":
                shared = (bias,)
            t.touch(embedded, *shared)
        out = scaled_norm(t, "encoder.final_layer_norm", x, batch * seq, hidden)
        t.touch(embedded, *shared)
        return out

    def _block(self, t: Tape, root: str, x: Tensor, bias: Tensor | None, batch: int, seq: int) -> tuple[Tensor, Tensor]:
        s, rows, inner = self.shape, batch * seq, self.shape.num_heads * self.shape.d_kv
        entry, attend, forward = x, f"{root}.layer.0.SelfAttention", f"{root}.layer.1.DenseReluDense"
        normed = scaled_norm(t, f"{root}.layer.0.layer_norm", x, rows, s.d_model, calls=3)
        t.calls += 1
        q, k, v = (dense(t, f"{attend}.{name}", normed, rows, inner, s.d_model, bias=False, views=views) for name, views in (("q", 2), ("k", 5), ("v", 5)))
        t.enter(attend, calls=0, views=3)
        bias = self._distances(t, attend, seq) if bias is None else bias
        mask = bias if seq == 1 else _in_order(t, bias)
        mixed = ops.attention(
            t, q, k, v, batch=batch, seq_q=seq, seq_k=seq, heads=s.num_heads, kv_heads=s.num_heads, head_dim=s.d_kv, value_dim=s.d_kv, mask=mask,
            axes=Axes.SELF,
        )  # fmt: skip
        mixed = dense(t, f"{attend}.o", mixed, rows, s.d_model, inner, bias=False, views=5)
        t.touch(q, k, v, bias)
        t.enter(f"{root}.layer.0", views=1)
        x = ops.add(t, x, mixed)
        t.touch(mixed, normed)
        x, bound = self._bounded(t, root, x)
        normed = scaled_norm(t, f"{root}.layer.1.layer_norm", x, rows, s.d_model, calls=2)
        t.calls += 1
        fed = self._feed(t, forward, normed, rows)
        t.touch(normed)
        t.enter(f"{root}.layer.1", views=1)
        out = ops.add(t, x, fed)
        t.touch(fed, entry, *bound)
        out, _ = self._bounded(t, root, out)
        t.touch(entry)
        return out, bias

    def _feed(self, t: Tape, root: str, x: Tensor, rows: int) -> Tensor:
        s = self.shape
        held: tuple[Tensor, ...] = ()
        if s.feed_forward_proj == "relu":
            made = dense(t, f"{root}.wi", x, rows, s.d_ff, s.d_model, bias=False)
            t.enter(f"{root}.act")
            active = ops.activation(t, made, "relu")
        else:
            made = dense(t, f"{root}.wi_0", x, rows, s.d_ff, s.d_model, bias=False)
            t.enter(f"{root}.act", views=1)
            gate = ops.gelu_spelled_out(t, made)
            other = dense(t, f"{root}.wi_1", x, rows, s.d_ff, s.d_model, bias=False)
            t.enter(root, calls=0, views=1)
            held, active = (gate, other), ops.multiply(t, gate, other)
        out = dense(t, f"{root}.wo", active, rows, s.d_model, s.d_ff, bias=False, calls=2)
        t.touch(*held)
        return out

    def _distances(self, t: Tape, root: str, seq: int) -> Tensor:
        """One number a head for every pair of tokens, by the bucket into which the distance between them falls."""
        s, pairs = self.shape, seq * seq

        def whole(op: str, reads: tuple[Tensor, ...], count: int = pairs, *, flops: int = 1, format_name: str = "int64") -> Tensor:
            kind = Kind.MEMORY if op in ("arange", "_to_copy", "full_like") else Kind.ELEMENTWISE
            return ops.move(t, f"aten.{op}", reads, count, format_name=format_name, kind=kind, flops=count * flops if kind is Kind.ELEMENTWISE else 0)

        queries = whole("arange", (), seq)
        t.views += 1
        queries = whole("add", (queries,), seq)
        keys = whole("arange", (), seq)
        t.views += 1
        apart = whole("sub", (keys, queries))
        behind = whole("gt", (apart,), format_name="bool")
        buckets = whole("add", (whole("mul", (whole("_to_copy", (behind,)),)),))
        far = whole("abs", (apart,))
        is_near = whole("lt", (far,), format_name="bool")
        logs = whole("_to_copy", (far,), format_name="fp32")
        for op in ("div", "log", "div", "mul"):
            logs = whole(op, (logs,), format_name="fp32")
        steps = whole("add", (whole("_to_copy", (logs,)),))
        steps = whole("minimum", (steps, whole("full_like", ())))
        chosen = whole("where", (is_near, far, steps), flops=0)
        t.row(Kind.ELEMENTWISE, "aten.add_", (buckets, chosen), (buckets,), (1, pairs, 0, 0), flops_vector=pairs, format_name="int64")
        t.touch(apart, far, is_near, steps, *([logs] if s.model_type == "umt5" else []))
        t.enter(f"{root}.relative_attention_bias")
        table = t.weight(f"{root}.relative_attention_bias.weight", s.relative_attention_num_buckets, s.num_heads)
        made = ops.embedding(t, buckets, table, pairs, s.num_heads, s.relative_attention_num_buckets)
        t.touch(queries, keys, apart)
        t.enter(root, calls=0, views=2)
        return made

    def _bounded(self, t: Tape, root: str, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """In fp16, where sums overflow: x within what the format holds (a little less where something already is infinite), and that bound."""
        if t.format != "fp16":
            return x, ()
        t.enter(root, calls=0)
        infinite = t.new(x.count, format_name="bool", needs=False)
        t.row(Kind.ELEMENTWISE, "aten.isinf", (x,), (infinite,), (1, x.count, 0, 0))
        some = ops.move(t, "aten.any", (infinite,), 1, format_name="bool", kind=Kind.ELEMENTWISE, flops=x.count)
        less, most = (ops.move(t, "aten.scalar_tensor", (), 1, format_name="fp32") for _ in range(2))
        bound = ops.move(t, "aten.where", (some, less, most), 1, format_name="fp32", kind=Kind.ELEMENTWISE)
        negative = ops.move(t, "aten.neg", (bound,), 1, format_name="fp32", kind=Kind.ELEMENTWISE, flops=1)
        out = ops.move(t, "aten.clamp", (x, negative, bound), x.count, format_name=x.format, kind=Kind.ELEMENTWISE, flops=2 * x.count, needs=True)

        def backward(grad: Tensor) -> None:
            zero = ops.move(t, "aten.scalar_tensor", (), 1, format_name=grad.format)
            sides = [
                ops.move(t, f"aten.{op}", (x, edge), x.count, format_name="bool", kind=Kind.ELEMENTWISE, flops=x.count)
                for op, edge in (("ge", negative), ("le", bound))
            ]
            inside = ops.move(t, "aten.logical_and", sides, x.count, format_name="bool", kind=Kind.ELEMENTWISE)
            t.give(x, ops.move(t, "aten.where", (inside, grad, zero), x.count, format_name=grad.format, kind=Kind.ELEMENTWISE))

        t.later(out, backward)
        return out, (bound,)


def _in_order(t: Tape, x: Tensor) -> Tensor:
    """A copy in the order in which a view sees it; its gradient is a view again."""
    out = ops.move(t, "aten.clone", (x,), x.count, format_name=x.format, needs=True)
    t.later(out, lambda grad: t.give(x, grad))
    return out


def scaled_norm(t: Tape, root: str, x: Tensor, rows: int, size: int, *, calls: int = 1) -> Tensor:
    """x / rms(x) · w as T5's module spells it out: in fp32 the kernels of `ops.rms_norm`; of a narrow x the mean square alone is taken in fp32."""
    t.enter(root, calls=calls)
    weight = t.weight(f"{root}.weight", size)
    if t.width == 4:
        return ops.rms_norm(t, x, weight, rows, size)
    n, e = rows * size, t.width
    out = t.new(n)
    kept = [t.new(count, format_name=name, needs=False) for count, name in ((n, "fp32"), (rows, "fp32"), (n, t.format))] if t.keep else []
    moved_out = out.size + sum(each.size for each in kept)
    t.scratch((4 - e) * n + 4 * rows if t.keep else (8 - e) * n)
    t.row(
        Kind.NORM, "norm", (x, weight), (out, *kept), (1, rows, size, 0), flops_vector=rms_norm_flops(rows, size), launches=8,
        staged=(28 + 3 * e) * n + 24 * rows + e * size - x.size - weight.size - moved_out,
    )  # fmt: skip

    def backward(grad: Tensor) -> None:
        other, dx, dw = x.grad, t.new(n, needs=False), t.gradient_like(weight)
        own = [grad, x, *kept, weight, *([] if other is None else [other])]
        joined = other is not None
        moved = (72 + 9 * e + 3 * e * joined) * n + 40 * rows + 2 * e * size
        t.scratch((14 - 3 * e) * n if joined else (16 - 3 * e) * n - 4 * rows)
        t.row(
            Kind.NORM, "norm_backward", own, (dx, dw), (1, rows, size, 0), flops_vector=(11 + joined) * n + 4 * rows, launches=17 + joined, views=6,
            staged=moved - sum(each.size for each in own) - dx.size - dw.size,
        )  # fmt: skip
        t.give(weight, dw)
        x.grad = None
        t.give(x, dx)

    t.later(out, backward)
    return out

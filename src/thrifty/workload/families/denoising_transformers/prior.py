"""A prior over image embeddings: from a text's tokens and embedding to the embedding of an image that fits it, by diffusion.

Its twin is diffusers' PriorTransformer: the text's tokens, its embedding, the step, the noisy image embedding and one learned token in a sequence under a
causal mask; what the last token gives is the answer. DALL-E 2 and Make-A-Video put it before their decoders.

What it does not know: texts of another length than the table of places holds, norms before the blocks, and answers without the learned token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from thrifty.errors import BadValue
from thrifty.workload.families.denoising_transformers.modulation import part, step_waves
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import dense, layer_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.families.token_transformers.token_blocks import copied_back
from thrifty.workload.families.unets.residual_blocks import divide
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Axes, Kind, Role

ADDED: Final = 4
"""Tokens behind those of the text: its embedding, the step, the noisy image embedding, and the one that is learned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorShape:
    """As diffusers' class names its arguments. num_embeddings: tokens of the text."""

    num_attention_heads: int = 32
    attention_head_dim: int = 64
    num_layers: int = 20
    embedding_dim: int = 768
    num_embeddings: int = 77

    def __post_init__(self) -> None:
        if self.hidden < 2 or self.hidden % 2:
            raise BadValue(f"num_attention_heads * attention_head_dim is {self.hidden}, and waves come in pairs. Choose an even width.")

    @property
    def hidden(self) -> int:
        return self.num_attention_heads * self.attention_head_dim

    @property
    def tokens(self) -> int:
        return self.num_embeddings + ADDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior(Drawn):
    """One denoising step of an image embedding."""

    shape: PriorShape
    what = "a denoiser of embeddings"

    def sizes(self) -> tuple[Symbol, ...]:
        """batch alone: the text is as long as the table of places says."""
        return (Symbol(name="batch", default=1, meaning="batch"),)

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        s, batch = self.shape, point["batch"]
        return {
            "hidden_states": Feed(shape=(batch, s.embedding_dim), axes=("batch", "channel")),
            "timestep": Feed(shape=(batch,), axes=("batch",), fill="whole"),
            "proj_embedding": Feed(shape=(batch, s.embedding_dim), axes=("batch", "channel")),
            "encoder_hidden_states": Feed(shape=(batch, s.num_embeddings, s.embedding_dim), axes=("batch", "text", "channel")),
            "attention_mask": Feed(shape=(batch, s.num_embeddings), axes=("batch", "text"), fill="ones"),
        }

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        s, batch = self.shape, point["batch"]
        hidden, rows = s.hidden, batch * s.tokens
        noisy, seen = (t.input(batch * s.embedding_dim, t.format, name) for name in ("hidden_states", "proj_embedding"))
        words = t.input(batch * s.num_embeddings * s.embedding_dim, t.format, "encoder_hidden_states")
        for name in ("clip_mean", "clip_std"):  # read when all steps are done
            t.weight(name, 1, s.embedding_dim)
        waves = self._waves(t, batch)
        told = dense(t, "time_embedding.linear_1", waves, batch, hidden, hidden, calls=2, views=1)
        t.enter("time_embedding.act")
        told = dense(t, "time_embedding.linear_2", ops.activation(t, told, "silu", views=0), batch, hidden, hidden, views=1)
        seen = dense(t, "embedding_proj", seen, batch, hidden, s.embedding_dim, views=1)
        words = dense(t, "encoder_hidden_states_proj", words, batch * s.num_embeddings, hidden, s.embedding_dim)
        words = copied_back(t, words, copied=batch > 1)
        noisy = dense(t, "proj_in", noisy, batch, hidden, s.embedding_dim)
        t.enter("", calls=0, views=4)
        places, learned = t.weight("positional_embedding", 1, s.tokens, hidden), t.weight("prd_embedding", 1, 1, hidden)
        joined = _joined(t, [words, seen, told, noisy], learned, batch, hidden)
        x = ops.add(t, joined, places)
        t.touch(joined)
        mask = self._mask(t, batch)
        t.views += 1
        for layer in range(s.num_layers):
            x = self._block(t, f"transformer_blocks.{layer}", x, rows, batch, mask)
        normed = layer_norm(t, "norm_out", x, rows, hidden)
        t.enter("", calls=0)
        last = ops.select(t, normed, batch * hidden)
        out = dense(t, "proj_to_clip_embeddings", last, batch, s.embedding_dim, hidden)
        t.touch(waves, told, seen, words, noisy, mask)
        return out

    def _waves(self, t: Tape, batch: int) -> Tensor:
        given = t.input(batch, "int64", "timestep")
        t.enter("")
        ones = ops.move(t, "aten.ones", (), batch, format_name="int64")
        steps = ops.move(t, "aten.mul", (given, ones), batch, format_name="int64", kind=Kind.ELEMENTWISE, flops=batch)
        t.calls -= 1  # the waves' own module is the only one entered, the prior was before
        waves = step_waves(t, "time_proj", steps, self.shape.hidden)
        t.enter("", calls=0)
        return ops.cast(t, waves, t.format)

    def _mask(self, t: Tape, batch: int) -> Tensor:
        """What hides later tokens and absent words, as numbers to add to the scores of every head."""
        s, square = self.shape, self.shape.tokens**2
        causal = t.new(square, role=Role.BUFFER, needs=False, name="causal_attention_mask")
        shown = t.input(batch * s.num_embeddings, t.format, "attention_mask")
        for op in ("rsub", "mul"):
            shown = ops.move(t, f"aten.{op}", (shown,), shown.count, kind=Kind.ELEMENTWISE, flops=shown.count)
        shown = ops.move(t, "aten.constant_pad_nd", (shown,), batch * s.tokens)
        t.views += 1
        both = ops.move(t, "aten.add", (shown, causal), batch * square, kind=Kind.ELEMENTWISE, flops=batch * square)
        t.views += 2
        return ops.move(t, "aten.clone", (both,), batch * s.num_attention_heads * square)

    def _block(self, t: Tape, root: str, x: Tensor, rows: int, batch: int, mask: Tensor) -> Tensor:
        """Attention and a feed-forward layer of four times the width, each on a norm, each added."""
        s, hidden, entry = self.shape, self.shape.hidden, x
        normed = layer_norm(t, f"{root}.norm1", x, rows, hidden, calls=2)
        q, k, v = (dense(t, f"{root}.attn1.{name}", normed, rows, hidden, hidden, calls=1 + (name == "to_q"), views=3) for name in ("to_q", "to_k", "to_v"))
        t.enter(f"{root}.attn1", calls=0, views=7)
        mixed = ops.attention(
            t, q, k, v, batch=batch, seq_q=s.tokens, seq_k=s.tokens, heads=s.num_attention_heads, kv_heads=s.num_attention_heads,
            head_dim=s.attention_head_dim, value_dim=s.attention_head_dim, mask=mask, axes=Axes.SELF,
        )  # fmt: skip
        made = dense(t, f"{root}.attn1.to_out.0", mixed, rows, hidden, hidden, views=4 + t.keep)
        t.enter(f"{root}.attn1", views=1)
        mixed = divide(t, made)
        t.touch(q, k, v, normed)
        t.enter(root, calls=0)
        x = ops.add(t, mixed, x)
        before = normed
        normed = layer_norm(t, f"{root}.norm3", x, rows, hidden)
        t.touch(before)
        inner = dense(t, f"{root}.ff.net.0.proj", normed, rows, 4 * hidden, hidden, calls=3)
        t.enter(f"{root}.ff.net.0", calls=0)
        fed = dense(t, f"{root}.ff.net.2", ops.activation(t, inner, "gelu", views=1), rows, hidden, 4 * hidden, calls=2)
        t.enter(root, calls=0, views=1)
        out = ops.add(t, fed, x)
        t.touch(normed, mixed, entry)
        return out


def _joined(t: Tape, parts: list[Tensor], learned: Tensor, batch: int, hidden: int) -> Tensor:
    """The parts and the learned token, once for every sample, as one sequence; gradients are views of the whole's, the learned one's is summed."""
    out = t.new(sum(each.count for each in parts) + batch * hidden)
    t.row(Kind.MEMORY, "aten.cat", (*parts, learned), (out,), (1, out.count, 0, 0))

    def backward(grad: Tensor) -> None:
        own = part(grad, batch * hidden)
        if batch > 1:
            own = t.gradient_like(learned, grad)
            t.row(
                Kind.ELEMENTWISE, "aten.sum", (grad,), (own,), (1, hidden, 0, 0), sizes=(batch * hidden * t.width,), flops_vector=batch * hidden, views=6,
            )  # fmt: skip
        t.give(learned, own)
        for each in reversed(parts):
            t.give(each, part(grad, each.count))

    t.later(out, backward)
    return out

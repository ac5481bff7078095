"""Flux: image and text first as two streams in joint attention, then as one sequence in blocks whose attention and feed-forward run side by side.

Its twin is diffusers' FluxTransformer2DModel, which is fed a latent packed two by two: a token is four pixels of it. A matrix product, attention or norm
has the twin's row one to one, and so has every other operator. Positions turn queries and keys in pairs of channels (rotary), step and strength of
guidance scale and shift every norm.

What it does not know: control nets and image prompts beside it; and, in a training step in fp16, the gradient of the bound on what blocks give back,
which is five elementwise rows a block there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.workload.families.denoising_transformers import diffusion_blocks as blocks
from thrifty.workload.families.denoising_transformers import modulation
from thrifty.workload.families.denoising_transformers.diffusion_blocks import Tokens
from thrifty.workload.families.denoising_transformers.rotation import axis_waves, turned
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import dense
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Axes, Kind

_PACKED = 2
"""Sides of the latent are packed in twos."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxShape:
    """As diffusers' class names its arguments. in_channels: of a packed token; axes_dims_rope: channels of a head that each of a token's three
    positions turns; guidance_embeds: whether it is told the strength of guidance."""

    num_layers: int
    num_single_layers: int
    num_attention_heads: int
    attention_head_dim: int
    joint_attention_dim: int
    pooled_projection_dim: int
    axes_dims_rope: tuple[int, ...]
    guidance_embeds: bool
    in_channels: int = 64

    def __post_init__(self) -> None:
        total = sum(self.axes_dims_rope)
        if total != self.attention_head_dim:
            raise BadValue(f"axes_dims_rope={list(self.axes_dims_rope)} sums to {total}, a head has {self.attention_head_dim}. Make them equal.")

    @property
    def hidden(self) -> int:
        return self.num_attention_heads * self.attention_head_dim


@dataclass(frozen=True, slots=True, kw_only=True)
class Flux(Drawn):
    """One denoising step."""

    shape: FluxShape

    what = "a denoiser"

    def sizes(self) -> tuple[Symbol, ...]:
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            blocks.latent_symbol(128, _PACKED),
            Symbol(name="text", default=512, degree=2, meaning="text tokens"),
        )  # fmt: skip

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """The noisy latent, packed; the text token by token and as one vector; the step; the places of both; and the strength of guidance."""
        s, batch, text, tokens = self.shape, point["batch"], point["text"], (point["latent"] // _PACKED) ** 2
        given: dict[str, Feed] = {
            "hidden_states": Feed(shape=(batch, tokens, s.in_channels), axes=("batch", "token", "channel")),
            "encoder_hidden_states": Feed(shape=(batch, text, s.joint_attention_dim), axes=("batch", "text", "channel")),
            "pooled_projections": Feed(shape=(batch, s.pooled_projection_dim), axes=("batch", "channel")),
            "timestep": Feed(shape=(batch,), axes=("batch",), fill="steps", below=2),
            "img_ids": Feed(shape=(tokens, len(s.axes_dims_rope)), axes=("token", "channel"), fill="steps", below=64),
            "txt_ids": Feed(shape=(text, len(s.axes_dims_rope)), axes=("text", "channel"), fill="steps", below=1),
        }
        return {**given, "guidance": Feed(shape=(batch,), axes=("batch",), fill="steps", below=10)} if s.guidance_embeds else given

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        s, hidden, batch, text = self.shape, self.shape.hidden, point["batch"], point["text"]
        tokens = (point["latent"] // _PACKED) ** 2
        image = t.input(batch * tokens * s.in_channels, t.format, "hidden_states")
        words = t.input(batch * text * s.joint_attention_dim, t.format, "encoder_hidden_states")
        x = Tokens(dense(t, "x_embedder", image, batch * tokens, hidden, s.in_channels, calls=2), batch, tokens, hidden)
        t.enter("", calls=0, views=1)
        step = self._condition(t, batch)
        context = Tokens(dense(t, "context_embedder", words, batch * text, hidden, s.joint_attention_dim), batch, text, hidden)
        t.enter("", calls=0, views=1)
        waves = self._places(t, text, tokens)
        for layer in range(s.num_layers):
            x, context = self._block(t, f"transformer_blocks.{layer}", x, context, step, waves)
        for layer in range(s.num_single_layers):
            x, context = self._single_block(t, f"single_transformer_blocks.{layer}", x, context, step, waves)
        x = blocks.norm_last(t, "norm_out", x, step)
        return dense(t, "proj_out", x.tensor, x.rows, s.in_channels, hidden)

    def _condition(self, t: Tape, batch: int) -> Tensor:
        """Step, strength of guidance and text as one vector a sample."""
        s, hidden, root = self.shape, self.shape.hidden, "time_text_embed"
        names = ("timestep", "guidance") if s.guidance_embeds else ("timestep",)
        thousandfold = [
            ops.move(t, "aten.mul", (t.input(batch, t.format, name),), batch, format_name=t.format, kind=Kind.ELEMENTWISE, flops=batch) for name in names
        ]
        step = blocks.step_embedding(t, root, thousandfold[0], hidden)
        if s.guidance_embeds:
            strength = blocks.step_embedding(t, root, thousandfold[1], hidden, embedder="guidance_embedder", calls=-1)
            t.enter(root, calls=0)
            step = ops.add(t, step, strength)
        pooled = t.input(batch * s.pooled_projection_dim, t.format, "pooled_projections")
        said = blocks.two_dense(t, f"{root}.text_embedder", pooled, batch, s.pooled_projection_dim, hidden)
        t.enter(root, calls=0)
        return ops.add(t, step, said)

    def _places(self, t: Tape, text: int, tokens: int) -> tuple[Tensor, Tensor]:
        """Cosines and sines for every token of text and image, text first."""
        axes = self.shape.axes_dims_rope
        ids = [t.input(count * len(axes), t.format, name) for count, name in ((text, "txt_ids"), (tokens, "img_ids"))]
        joined = ops.move(t, "aten.cat", ids, (text + tokens) * len(axes))
        t.enter("pos_embed")
        return axis_waves(t, joined, text + tokens, axes)

    def _block(self, t: Tape, root: str, x: Tokens, context: Tokens, step: Tensor, waves: tuple[Tensor, Tensor]) -> tuple[Tokens, Tokens]:
        normed, (gate, *inner) = blocks.norm_zero(t, f"{root}.norm1", x, step, calls=3)
        normed_text, (gate_text, *inner_text) = blocks.norm_zero(t, f"{root}.norm1_context", context, step, calls=2)
        mixed, mixed_text = self._attend(t, f"{root}.attn", normed, normed_text, waves)
        t.views += 1
        y, held = blocks.feed_stream(t, root, "", x, gate, mixed, inner)
        t.touch(normed_text.tensor, mixed_text)
        out, _ = blocks.feed_stream(t, root, "_context", context, gate_text, mixed_text, inner_text)
        t.touch(x.tensor, context.tensor, mixed, *held)
        return y, out.of(_bounded(t, out.tensor))

    def _attend(self, t: Tape, root: str, x: Tokens, context: Tokens, waves: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Image and text in one attention, text first."""
        hidden, batch = self.shape.hidden, x.batch
        made, own = {}, {"to_q": x, "to_k": x, "to_v": x, "add_q_proj": context, "add_k_proj": context, "add_v_proj": context}
        t.calls += 1
        for name, stream in own.items():
            made[name] = dense(t, f"{root}.{name}", stream.tensor, stream.rows, hidden, hidden, views=2 if name == "to_q" else 3)
            if batch > 1 and "v" in name:  # its gradient comes back in parts that lie apart
                made[name] = modulation.reordered(t, made[name])
        for name, norm, views in (("to_q", "norm_q", 4), ("to_k", "norm_k", 0), ("add_q_proj", "norm_added_q", 3), ("add_k_proj", "norm_added_k", 0)):
            t.views += views
            made[name] = self._norm(t, f"{root}.{norm}", made[name], own[name].rows)
        t.enter(root, calls=0)
        q, k, v = (ops.concatenate(t, (made[f"add_{name}_proj"], made[f"to_{name}"])) for name in "qkv")
        mixed = self._core(t, q, k, v, batch, x.length + context.length, waves)
        part_text, part = modulation.pieces_of(t, mixed, (batch * context.length * hidden, batch * x.length * hidden))
        t.views += 2
        part = modulation.gather(t, part) if batch > 1 else part
        out = dense(t, f"{root}.to_out.0", part, x.rows, hidden, hidden)
        t.enter(root, views=1)
        part_text = modulation.gather(t, part_text) if batch > 1 else part_text
        out_text = dense(t, f"{root}.to_add_out", part_text, context.rows, hidden, hidden)
        t.touch(x.tensor, mixed, q, k, v, *(made[name] for name in own if name.startswith("add")))
        return out, out_text

    def _norm(self, t: Tape, root: str, x: Tensor, rows: int) -> Tensor:
        return modulation.norm_across_heads(t, root, x, rows * self.shape.num_attention_heads, self.shape.attention_head_dim)

    def _core(self, t: Tape, q: Tensor, k: Tensor, v: Tensor, batch: int, tokens: int, waves: tuple[Tensor, Tensor]) -> Tensor:
        """Queries and keys turned by where they are, and the attention."""
        s = self.shape
        q, k = (turned(t, each, *waves) for each in (q, k))
        t.views += 3
        mixed = ops.attention(
            t, q, k, v, batch=batch, seq_q=tokens, seq_k=tokens, heads=s.num_attention_heads, kv_heads=s.num_attention_heads,
            head_dim=s.attention_head_dim, value_dim=s.attention_head_dim, axes=Axes.JOINT,
        )  # fmt: skip
        t.views += 1
        return mixed

    def _single_block(self, t: Tape, root: str, x: Tokens, context: Tokens, step: Tensor, waves: tuple[Tensor, Tensor]) -> tuple[Tokens, Tokens]:
        hidden, batch = self.shape.hidden, x.batch
        t.enter(root)
        whole = Tokens(ops.concatenate(t, (context.tensor, x.tensor)), batch, context.length + x.length, hidden)
        normed, (gate,) = blocks.norm_zero(t, f"{root}.norm", whole, step, pieces=3, calls=2)
        inner = dense(t, f"{root}.proj_mlp", normed.tensor, whole.rows, 4 * hidden, hidden)
        t.enter(f"{root}.act_mlp")
        active = ops.activation(t, inner, "gelu_tanh")
        t.calls += 1
        q, k, v = (dense(t, f"{root}.attn.to_{name}", normed.tensor, whole.rows, hidden, hidden, views=2 if name == "q" else 3) for name in "qkv")
        t.views += 4
        q, k = (self._norm(t, f"{root}.attn.{name}", each, whole.rows) for name, each in (("norm_q", q), ("norm_k", k)))
        t.enter(f"{root}.attn", calls=0)
        mixed = self._core(t, q, k, v, batch, whole.length, waves)
        t.enter(root, calls=0, views=1)
        joined = ops.concatenate(t, (mixed, active))
        made = dense(t, f"{root}.proj_out", joined, whole.rows, hidden, 5 * hidden, views=3)
        t.enter(root, calls=0, views=1)
        gated = modulation.factor(t, gate, made)
        t.touch(joined)
        final = _bounded(t, ops.add(t, whole.tensor, gated))
        t.touch(x.tensor, context.tensor, normed.tensor, mixed, active)
        made_x, made_text = (modulation.cut(t, final, batch * each.length * hidden) for each in (x, context))
        t.views += 2
        return x.of(made_x), context.of(made_text)


def _bounded(t: Tape, x: Tensor) -> Tensor:
    """x within what fp16 can hold, where it is in fp16."""
    return ops.plain(t, "aten.clamp", x, 2) if t.format == "fp16" else x

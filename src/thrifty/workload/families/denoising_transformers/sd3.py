"""Stable Diffusion 3: image and text as two streams with weights of their own, which attend to each other as one sequence in every block.

Its twin is diffusers' SD3Transformer2DModel. A matrix product, convolution, attention or norm has the twin's row one to one, and so has every other
operator.

What it does not know: normed queries and keys and a second attention over the image alone (both of 3.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.workload.families.denoising_transformers import diffusion_blocks as blocks
from thrifty.workload.families.denoising_transformers import modulation
from thrifty.workload.families.denoising_transformers.diffusion_blocks import Tokens
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import Grid, dense
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Axes, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Sd3Shape:
    """As diffusers' class names its arguments. sample_size: side of the latent that it was made for; pos_embed_max_size: patches of a side that its
    table of places holds, whose middle is used."""

    num_attention_heads: int
    attention_head_dim: int
    num_layers: int
    joint_attention_dim: int
    caption_projection_dim: int
    pooled_projection_dim: int
    pos_embed_max_size: int
    in_channels: int = 16
    out_channels: int = 16
    sample_size: int = 128
    patch_size: int = 2

    def __post_init__(self) -> None:
        if self.caption_projection_dim != self.hidden:
            raise BadValue(f"caption_projection_dim={self.caption_projection_dim} is not {self.hidden}, the width of the tokens. Write {self.hidden}.")

    @property
    def hidden(self) -> int:
        return self.num_attention_heads * self.attention_head_dim


@dataclass(frozen=True, slots=True, kw_only=True)
class Sd3(Drawn):
    """One denoising step."""

    shape: Sd3Shape

    what = "a denoiser"

    def sizes(self) -> tuple[Symbol, ...]:
        s, most = self.shape, self.shape.pos_embed_max_size * self.shape.patch_size
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            blocks.latent_symbol(s.sample_size, s.patch_size, high=most, breaks=(most,)),
            Symbol(name="text", default=154, degree=2, meaning="text tokens"),
        )  # fmt: skip

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """The noisy latent, the text token by token and as one vector, and the step."""
        s, batch, latent, text = self.shape, point["batch"], point["latent"], point["text"]
        return {
            "hidden_states": Feed(shape=(batch, s.in_channels, latent, latent), axes=("batch", "channel", "height", "width")),
            "encoder_hidden_states": Feed(shape=(batch, text, s.joint_attention_dim), axes=("batch", "text", "channel")),
            "pooled_projections": Feed(shape=(batch, s.pooled_projection_dim), axes=("batch", "channel")),
            "timestep": Feed(shape=(batch,), axes=("batch",), fill="steps"),
        }

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        s, hidden, batch, latent, text = self.shape, self.shape.hidden, point["batch"], point["latent"], point["text"]
        image = t.input(batch * s.in_channels * latent * latent, t.format, "hidden_states")
        words = t.input(batch * text * s.joint_attention_dim, t.format, "encoder_hidden_states")
        pooled = t.input(batch * s.pooled_projection_dim, t.format, "pooled_projections")
        x = blocks.patches(t, "pos_embed", Grid(image, batch, s.in_channels, (latent, latent)), hidden, s.patch_size)
        x = blocks.add_places(t, x, self._middle(t, x.length))
        t.enter("", calls=0)
        x = x.of(modulation.gather(t, x.tensor))
        embedded = blocks.step_embedding(t, "time_text_embed", t.input(batch, t.format, "timestep"), hidden)
        said = blocks.two_dense(t, "time_text_embed.text_embedder", pooled, batch, s.pooled_projection_dim, hidden)
        t.enter("time_text_embed", calls=0)
        step = ops.add(t, embedded, said)
        made = dense(t, "context_embedder", words, batch * text, hidden, s.joint_attention_dim)
        t.views += 1
        context = Tokens(made, batch, text, hidden)
        for layer in range(s.num_layers):
            root = f"transformer_blocks.{layer}"
            x, context = self._last_block(t, root, x, context, step) if layer == s.num_layers - 1 else self._block(t, root, x, context, step)
        x = blocks.norm_last(t, "norm_out", x, step)
        out = dense(t, "proj_out", x.tensor, x.rows, s.patch_size**2 * s.out_channels, hidden)
        return blocks.unpatch(t, out)

    def _middle(self, t: Tape, positions: int) -> Tensor:
        """As many places as there are patches, copied out of the middle of the table."""
        most, hidden = self.shape.pos_embed_max_size**2, self.shape.hidden
        table = t.new(most * hidden, format_name="fp32", role=Role.BUFFER, needs=False, name="pos_embed.pos_embed")
        if positions == most:
            return table
        t.views += 3
        size = positions * hidden
        middle = ops.move(t, "aten.clone", (table,), size, format_name="fp32", sizes=(table.size // most * positions,))
        t.views += 1
        return middle

    def _block(self, t: Tape, root: str, x: Tokens, context: Tokens, step: Tensor) -> tuple[Tokens, Tokens]:
        normed, (gate, *inner) = blocks.norm_zero(t, f"{root}.norm1", x, step, calls=3)
        normed_text, (gate_text, *inner_text) = blocks.norm_zero(t, f"{root}.norm1_context", context, step, calls=2)
        mixed, mixed_text = self._attend(t, f"{root}.attn", normed, normed_text)
        y, held = blocks.feed_stream(t, root, "", x, gate, mixed, inner)
        t.touch(normed_text.tensor, mixed_text)
        out, _ = blocks.feed_stream(t, root, "_context", context, gate_text, mixed_text, inner_text)
        t.touch(x.tensor, context.tensor, *held)
        return y, out

    def _last_block(self, t: Tape, root: str, x: Tokens, context: Tokens, step: Tensor) -> tuple[Tokens, Tokens]:
        """Of the text only keys, values and queries are wanted here, and nothing comes back."""
        normed, (gate, *inner) = blocks.norm_zero(t, f"{root}.norm1", x, step, calls=3)
        normed_text = blocks.norm_last(t, f"{root}.norm1_context", context, step)
        mixed, mixed_text = self._attend(t, f"{root}.attn", normed, normed_text, last=True)
        out, _ = blocks.feed_stream(t, root, "", x, gate, mixed, inner)
        t.touch(x.tensor, context.tensor, mixed_text, normed_text.tensor)
        return out, context

    def _attend(self, t: Tape, root: str, x: Tokens, context: Tokens, *, last: bool = False) -> tuple[Tensor, Tensor]:
        """Image and text in one attention, image first. What it gives the text is thrown away where this is the `last`, and has no dense layer."""
        s, hidden, heads, batch = self.shape, self.shape.hidden, self.shape.num_attention_heads, x.batch
        tokens = x.length + context.length
        streams = []
        for stream, names in ((x, ("to_q", "to_k", "to_v")), (context, ("add_q_proj", "add_k_proj", "add_v_proj"))):
            t.calls += stream is x
            streams.append([dense(t, f"{root}.{name}", stream.tensor, stream.rows, hidden, hidden, views=2 if name == "to_q" else 3) for name in names])
            t.views += 6
        t.enter(root, calls=0, views=1)
        q, k, v = (blocks.heads_joined(t, pair, apart=True) for pair in zip(*streams, strict=True))
        mixed = ops.attention(
            t, q, k, v, batch=batch, seq_q=tokens, seq_k=tokens, heads=heads, kv_heads=heads, head_dim=s.attention_head_dim,
            value_dim=s.attention_head_dim, axes=Axes.JOINT,
        )  # fmt: skip
        t.touch(*(part for parts in streams for part in parts))
        t.views += 1
        mixed = modulation.gather(t, mixed)
        part = modulation.cut(t, mixed, batch * x.length * hidden)
        part_text = made_text = mixed if last else modulation.cut(t, mixed, batch * context.length * hidden)
        t.views += 3
        if not last:
            made_text = blocks.dense_of_part(t, f"{root}.to_add_out", part_text, batch, context.length, hidden)
        made = blocks.dense_of_part(t, f"{root}.to_out.0", part, batch, x.length, hidden)
        t.calls += 1
        t.touch(x.tensor, mixed, q, k, v)
        return made, made_text

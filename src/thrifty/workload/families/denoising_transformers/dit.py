"""DiT: the diffusion transformer over patches of a latent, its class and step as scale, shift and gate of every norm (adaLN-zero).

Its twin is diffusers' DiTTransformer2DModel, which embeds step and class anew in every block, and computes its table of places anew in every step for
any latent but the one that it was made for. Every operator has the twin's row one to one.

What it does not know: dropped classes (training without guidance), and latents of a single patch, where the twin has less to copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.workload.families.denoising_transformers import diffusion_blocks as blocks
from thrifty.workload.families.denoising_transformers import modulation
from thrifty.workload.families.denoising_transformers.diffusion_blocks import Tokens
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import Grid, dense
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class DitShape:
    """As diffusers' class names its arguments. sample_size: side of the latent that it was made for; num_embeds_ada_norm: classes."""

    num_attention_heads: int
    attention_head_dim: int
    num_layers: int
    in_channels: int = 4
    out_channels: int = 8
    sample_size: int = 32
    patch_size: int = 2
    num_embeds_ada_norm: int = 1000

    @property
    def hidden(self) -> int:
        return self.num_attention_heads * self.attention_head_dim


@dataclass(frozen=True, slots=True, kw_only=True)
class Dit(Drawn):
    """One denoising step."""

    shape: DitShape

    what = "a denoiser"

    def sizes(self) -> tuple[Symbol, ...]:
        s = self.shape
        return (Symbol(name="batch", default=1, meaning="batch"), blocks.latent_symbol(s.sample_size, s.patch_size, breaks=(s.sample_size, s.sample_size + 1)))

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """The noisy latent, the step and the class."""
        batch, latent = point["batch"], point["latent"]
        return {
            "hidden_states": Feed(shape=(batch, self.shape.in_channels, latent, latent), axes=("batch", "channel", "height", "width")),
            "timestep": Feed(shape=(batch,), axes=("batch",), fill="whole"),
            "class_labels": Feed(shape=(batch,), axes=("batch",), fill="whole", below=self.shape.num_embeds_ada_norm),
        }

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        s, hidden, batch, latent = self.shape, self.shape.hidden, point["batch"], point["latent"]
        image = t.input(batch * s.in_channels * latent * latent, t.format, "hidden_states")
        given = t.input(batch, "int64", "timestep"), t.input(batch, "int64", "class_labels")
        x = blocks.patches(t, "pos_embed", Grid(image, batch, s.in_channels, (latent, latent)), hidden, s.patch_size)
        x = blocks.add_places(t, x, blocks.places(t, "pos_embed", x, s.sample_size // s.patch_size))
        for layer in range(s.num_layers):
            x = self._block(t, f"transformer_blocks.{layer}", x, *given)
        conditions = self._condition(t, "transformer_blocks.0.norm1.emb", *given, calls=0)
        t.enter("", calls=0)
        active = ops.activation(t, conditions, "silu", views=0)
        made = dense(t, "proj_out_1", active, batch, 2 * hidden, hidden, views=1)
        t.enter("", calls=0)
        shift, scale = modulation.chunk(t, made, 2)
        t.views += 1
        x = blocks.norm_scaled(t, "", "norm_out", x, scale, shift)
        out = dense(t, "proj_out_2", x.tensor, x.rows, s.patch_size**2 * s.out_channels, hidden)
        return blocks.unpatch(t, out)

    def _condition(self, t: Tape, root: str, step: Tensor, label: Tensor, *, calls: int) -> Tensor:
        """Step and class as one vector a sample. The table has a row more, for no class."""
        s, hidden, batch = self.shape, self.shape.hidden, step.count
        embedded = blocks.step_embedding(t, root, step, hidden, calls=calls)
        t.enter(f"{root}.class_embedder.embedding_table", calls=2)
        table = t.weight(f"{root}.class_embedder.embedding_table.weight", s.num_embeds_ada_norm + 1, hidden)
        named = ops.embedding(t, label, table, batch, hidden, s.num_embeds_ada_norm + 1)
        t.enter(root, calls=0)
        return ops.add(t, embedded, named)

    def _block(self, t: Tape, root: str, x: Tokens, step: Tensor, label: Tensor) -> Tokens:
        conditions = self._condition(t, f"{root}.norm1.emb", step, label, calls=2)
        normed, (gate, shift_inner, scale_inner, gate_inner) = blocks.norm_zero(t, f"{root}.norm1", x, conditions, calls=1)
        mixed = blocks.attend(t, f"{root}.attn1", normed, normed, self.shape.num_attention_heads, axes=Axes.SPATIAL)
        t.enter(root, calls=0, views=1)
        y, gated = blocks.add_gated(t, x, gate, mixed)
        normed_again = blocks.norm_scaled(t, root, "norm3", y, scale_inner, shift_inner)
        fed = blocks.feed_forward(t, f"{root}.ff", normed_again)
        t.enter(root, calls=0, views=2)
        out, _ = blocks.add_gated(t, y, gate_inner, fed)
        t.touch(x.tensor, gated, normed_again.tensor)
        return out

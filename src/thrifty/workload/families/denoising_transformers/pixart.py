"""PixArt-alpha: a diffusion transformer that attends to its text, and whose blocks share one embedding of the step (adaLN-single).

Its twin is diffusers' PixArtTransformer2DModel, fed with the mask of its text as its pipeline does; for any latent but the one that it was made for it
computes its table of places anew in every step. Every operator has the twin's row one to one.

What it does not know: the sizes and aspect ratios that the 1024 px model is told beside the step, and latents of a single patch, where the twin has less
to copy.
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
from thrifty.workload.table import Axes, Kind

_CONDITIONED: int = 128
"""Side of the latent from which on diffusers' class asks for sizes and aspect ratios too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PixartShape:
    """As diffusers' class names its arguments. sample_size: side of the latent that it was made for; caption_channels: width of the text encoder."""

    num_attention_heads: int
    attention_head_dim: int
    num_layers: int
    cross_attention_dim: int
    caption_channels: int
    in_channels: int = 4
    out_channels: int = 8
    sample_size: int = 64
    patch_size: int = 2

    def __post_init__(self) -> None:
        if self.cross_attention_dim != self.hidden:
            raise BadValue(f"cross_attention_dim={self.cross_attention_dim} is not {self.hidden}, the width of the tokens. Write {self.hidden}.")
        if self.sample_size == _CONDITIONED:
            raise BadValue(f"sample_size={_CONDITIONED} is of the model that is told sizes and aspect ratios, which is not known here. Choose another.")

    @property
    def hidden(self) -> int:
        return self.num_attention_heads * self.attention_head_dim


@dataclass(frozen=True, slots=True, kw_only=True)
class Pixart(Drawn):
    """One denoising step."""

    shape: PixartShape

    what = "a denoiser"

    def sizes(self) -> tuple[Symbol, ...]:
        s = self.shape
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            blocks.latent_symbol(s.sample_size, s.patch_size, breaks=(s.sample_size, s.sample_size + 1)),
            Symbol(name="text", default=120, meaning="text tokens"),
        )  # fmt: skip

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """The noisy latent, the text as its encoder gave it with its mask, and the step."""
        batch, latent, text = point["batch"], point["latent"], point["text"]
        return {
            "hidden_states": Feed(shape=(batch, self.shape.in_channels, latent, latent), axes=("batch", "channel", "height", "width")),
            "encoder_hidden_states": Feed(shape=(batch, text, self.shape.caption_channels), axes=("batch", "text", "channel")),
            "timestep": Feed(shape=(batch,), axes=("batch",), fill="whole"),
            "encoder_attention_mask": Feed(shape=(batch, text), axes=("batch", "text"), fill="ones"),
        }

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        s, hidden, batch, latent, text = self.shape, self.shape.hidden, point["batch"], point["latent"], point["text"]
        image = t.input(batch * s.in_channels * latent * latent, t.format, "hidden_states")
        words = t.input(batch * text * s.caption_channels, t.format, "encoder_hidden_states")
        step = t.input(batch, "int64", "timestep")
        hide = self._mask(t, batch * text)
        x = blocks.patches(t, "pos_embed", Grid(image, batch, s.in_channels, (latent, latent)), hidden, s.patch_size, calls=2)
        x = blocks.add_places(t, x, blocks.places(t, "pos_embed", x, s.sample_size // s.patch_size))
        embedded = blocks.step_embedding(t, "adaln_single.emb", step, hidden, calls=1)
        t.enter("adaln_single.silu")
        active = ops.activation(t, embedded, "silu", views=0)
        parts = dense(t, "adaln_single.linear", active, batch, 6 * hidden, hidden, views=1)
        caption = blocks.two_dense(t, "caption_projection", words, batch * text, s.caption_channels, hidden, function="gelu_tanh", sequence=True)
        t.views += 2
        for layer in range(s.num_layers):
            x = self._block(t, f"transformer_blocks.{layer}", x, Tokens(caption, batch, text, hidden), parts, hide)
        t.enter("", calls=0, views=2)
        shift, scale = modulation.chunk(t, self._with_table(t, "scale_shift_table", embedded, batch, 2), 2)
        t.views += 1
        x = blocks.norm_scaled(t, "", "norm_out", x, scale, shift, views=0)
        out = dense(t, "proj_out", x.tensor, x.rows, s.patch_size**2 * s.out_channels, hidden)
        return blocks.unpatch(t, out, views=4)

    def _mask(self, t: Tape, count: int) -> Tensor:
        """A large negative number for every text token that is hidden."""
        given = t.input(count, t.format, "encoder_attention_mask")
        t.enter("")
        hidden = ops.move(t, "aten.rsub", (given,), count, kind=Kind.ELEMENTWISE, flops=count)
        hide = ops.move(t, "aten.mul", (hidden,), count, kind=Kind.ELEMENTWISE, flops=count)
        t.views += 1
        return hide

    def _with_table(self, t: Tape, name: str, parts: Tensor, batch: int, pieces: int) -> Tensor:
        """A learned table of `pieces` rows plus what the step says, which is one vector a sample for all of them or one for each."""
        table = t.weight(name, pieces, self.shape.hidden)
        count = batch * table.count
        out = t.new(count)
        t.row(Kind.ELEMENTWISE, "aten.add", (table, parts), (out,), (1, count, 0, 0), flops_vector=count)

        def backward(grad: Tensor) -> None:
            for wanted in (parts, table):
                part = Tensor(grad.storage, grad.count, grad.size, grad.format, False)
                if wanted.count < count:
                    part = t.gradient_like(wanted, grad)
                    t.row(Kind.ELEMENTWISE, "aten.sum", (grad,), (part,), (1, wanted.count, 0, 0), flops_vector=count, format_name=grad.format)
                t.give(wanted, part)

        t.later(out, backward)
        return out

    def _block(self, t: Tape, root: str, x: Tokens, caption: Tokens, parts: Tensor, hide: Tensor) -> Tokens:
        heads = self.shape.num_attention_heads
        t.enter(root, views=2)
        said = self._with_table(t, f"{root}.scale_shift_table", parts, x.batch, 6)
        shift, scale, gate, shift_inner, scale_inner, gate_inner = modulation.chunk(t, said, 6)
        t.views += 1
        normed = blocks.norm_scaled(t, root, "norm1", x, scale, shift, views=0)
        mixed = blocks.attend(t, f"{root}.attn1", normed, normed, heads, axes=Axes.SPATIAL)
        t.enter(root, calls=0)
        y, _ = blocks.add_gated(t, x, gate, mixed)
        read = blocks.attend(t, f"{root}.attn2", y, caption, heads, axes=Axes.CROSS, mask=hide)
        t.enter(root, calls=0)
        z = y.of(ops.add(t, read, y.tensor))
        normed_again = blocks.norm_scaled(t, root, "norm2", z, scale_inner, shift_inner, views=0)
        fed = blocks.feed_forward(t, f"{root}.ff", normed_again)
        t.enter(root, calls=0, views=1)
        out, _ = blocks.add_gated(t, z, gate_inner, fed)
        t.touch(x.tensor, read, normed_again.tensor)
        return out

"""CogVideoX's denoiser: text and video as one sequence through every block, normed and scaled apart by what the step says.

Its twin is diffusers' CogVideoXTransformer3DModel without rotary embeddings (the 2B model): frames × height × width patches and the text attend to each
other in full, so that core attention grows with the square of frames, height and width alike. A matrix product, convolution, attention or
norm has the twin's row one to one, and so has every other operator at the size that the model was made for.

What it does not know: rotary embeddings and patches in time (the 5B and 1.5 models). At other sizes than its own the twin computes its table of positions
anew in every step; here that table lies ready at any size. The twin takes no other length of text than its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.workload.families.denoising_transformers import modulation
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import Grid, conv, dense, layer_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Axes, Role

PIXELS = 8
"""Pixels of height and width that its decoder makes of one latent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CogvideoxShape:
    """As diffusers' class names its arguments. sample_height and sample_width are of latents, sample_frames of the video: what it was made for."""

    num_attention_heads: int
    attention_head_dim: int
    num_layers: int
    in_channels: int = 16
    out_channels: int = 16
    time_embed_dim: int = 512
    text_embed_dim: int = 4096
    max_text_seq_length: int = 226
    sample_width: int = 90
    sample_height: int = 60
    sample_frames: int = 49
    patch_size: int = 2
    temporal_compression_ratio: int = 4

    def __post_init__(self) -> None:
        if self.in_channels != self.out_channels:
            raise BadValue(f"out_channels={self.out_channels} is not in_channels={self.in_channels}. A denoiser gives back what it is given.")

    @property
    def hidden(self) -> int:
        return self.num_attention_heads * self.attention_head_dim


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Of one point: rows are tokens of all samples."""

    batch: int
    text: int
    video: int
    """Patches of one sample."""

    @property
    def tokens(self) -> int:
        return self.text + self.video

    @property
    def rows(self) -> int:
        return self.batch * self.tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Cogvideox(Drawn):
    """One denoising step."""

    shape: CogvideoxShape

    what = "a denoiser"

    def sizes(self) -> tuple[Symbol, ...]:
        s, side = self.shape, self.shape.patch_size * PIXELS
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="frames", default=s.sample_frames, modulus=s.temporal_compression_ratio, residue=1, degree=2, meaning="frames of the video"),
            Symbol(name="height", default=s.sample_height * PIXELS, modulus=side, residue=0, degree=2, meaning="height in pixels"),
            Symbol(name="width", default=s.sample_width * PIXELS, modulus=side, residue=0, degree=2, meaning="width in pixels"),
            Symbol(name="text", default=s.max_text_seq_length, degree=2, meaning="text tokens"),
        )

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """The latent video frame by frame, the text as its encoder gave it, and the step."""
        batch, frames, height, width = self._latent(point)
        return {
            "hidden_states": Feed(shape=(batch, frames, self.shape.in_channels, height, width), axes=("batch", "frame", "channel", "height", "width")),
            "encoder_hidden_states": Feed(shape=(batch, point["text"], self.shape.text_embed_dim), axes=("batch", "text", "channel")),
            "timestep": Feed(shape=(batch,), axes=("batch",), fill="whole"),
        }

    def _latent(self, point: Mapping[str, int]) -> tuple[int, int, int, int]:
        """Batch, frames, height and width of the latent."""
        return point["batch"], (point["frames"] - 1) // self.shape.temporal_compression_ratio + 1, point["height"] // PIXELS, point["width"] // PIXELS

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        s, hidden = self.shape, self.shape.hidden
        batch, frames, height, width = self._latent(point)
        patches = (height // s.patch_size) * (width // s.patch_size)
        n = _Sizes(batch, point["text"], frames * patches)
        video = t.input(batch * frames * s.in_channels * height * width, t.format, "hidden_states")
        words = t.input(batch * n.text * s.text_embed_dim, t.format, "encoder_hidden_states")
        waves = modulation.step_waves(t, "time_proj", t.input(batch, "int64", "timestep"), hidden)
        t.enter("", calls=0)
        waves = ops.cast(t, waves, t.format)
        made = dense(t, "time_embedding.linear_1", waves, batch, s.time_embed_dim, hidden, views=1, calls=2)
        t.enter("time_embedding.act")
        made = ops.activation(t, made, "silu", views=0)
        step = dense(t, "time_embedding.linear_2", made, batch, s.time_embed_dim, s.time_embed_dim, views=1)
        joined = self._embed(t, video, words, n, frames, (height, width))
        t.enter("", calls=0)
        text = modulation.cut(t, joined, batch * n.text * hidden)
        x = modulation.cut(t, joined, batch * n.video * hidden)
        t.views += 2
        for layer in range(s.num_layers):
            t.calls += layer == 0  # dropout of what was embedded
            x, text = self._block(t, f"transformer_blocks.{layer}", x, text, step, n)
            t.touch(waves, joined)
        return self._out(t, x, step, n, patches)

    def _embed(self, t: Tape, video: Tensor, words: Tensor, n: _Sizes, frames: int, sides: tuple[int, int]) -> Tensor:
        s, hidden = self.shape, self.shape.hidden
        text = dense(t, "patch_embed.text_proj", words, n.batch * n.text, hidden, s.text_embed_dim, calls=2)
        # What a view of several axes sees in another order than it lies in is copied, here and below; so is what comes back of several samples.
        text = modulation.reordered(t, text) if n.batch > 1 and n.text > 1 else text
        t.views += 2
        patches = conv(t, "patch_embed.proj", Grid(video, n.batch * frames, s.in_channels, sides), hidden, s.patch_size, stride=s.patch_size, padding=0)
        t.enter("patch_embed", calls=0, views=3)
        ordered = patches.tensor
        if frames > 1 and n.video > frames:
            ordered = modulation.gather(t, ordered, back=modulation.copied_back(t) if n.batch > 1 else None)
            t.views += 1
        joined = ops.concatenate(t, (text, ordered))
        t.touch(patches.tensor)
        places = t.new(n.tokens * hidden, format_name="fp64", role=Role.BUFFER, needs=False, name="patch_embed.pos_embedding")
        return ops.add(t, joined, ops.cast(t, places, t.format))

    def _block(self, t: Tape, root: str, x: Tensor, text: Tensor, step: Tensor, n: _Sizes) -> tuple[Tensor, Tensor]:
        hidden, words, video = self.shape.hidden, n.batch * n.text, n.batch * n.video
        normed, normed_text, gate, gate_text = self._norm_zero(t, f"{root}.norm1", x, text, step, n, calls=3)
        mixed, mixed_text = self._attend(t, f"{root}.attn1", normed, normed_text, n)
        t.enter(root, views=2)
        x, text = self._add(t, x, mixed, gate), self._add(t, text, mixed_text, gate_text)
        t.touch(normed, normed_text)
        gate_before = gate
        normed, normed_text, gate, gate_text = self._norm_zero(t, f"{root}.norm2", x, text, step, n, calls=2)
        t.enter(root, calls=0, views=2)
        joined = ops.concatenate(t, (normed_text, normed))
        t.touch(normed)
        inner = dense(t, f"{root}.ff.net.0.proj", joined, n.rows, 4 * hidden, hidden, calls=3)
        t.enter(f"{root}.ff.net.0", calls=0, views=1)
        active = ops.activation(t, inner, "gelu_tanh", views=0)
        fed = dense(t, f"{root}.ff.net.2", active, n.rows, hidden, 4 * hidden, calls=2)
        t.touch(active)
        t.enter(root, views=2)
        x = self._add(t, x, modulation.cut(t, fed, video * hidden), gate)
        t.views += 1
        text = self._add(t, text, modulation.cut(t, fed, words * hidden), gate_text)
        t.touch(joined, mixed, normed_text, gate_before)
        return x, text

    def _add(self, t: Tape, x: Tensor, y: Tensor, gate: Tensor) -> Tensor:
        gated = modulation.factor(t, gate, y)
        return ops.add(t, x, gated)

    def _norm_zero(
        self, t: Tape, root: str, x: Tensor, text: Tensor, step: Tensor, n: _Sizes, *, calls: int
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
        """Video and text normed, scaled and shifted, each by its own numbers; and the gates of what is made of them."""
        hidden = self.shape.hidden
        t.enter(f"{root}.silu", calls=calls)
        active = ops.activation(t, step, "silu", views=0)
        made = dense(t, f"{root}.linear", active, n.batch, 6 * hidden, self.shape.time_embed_dim, views=1)
        t.enter(root, calls=0)
        shift, scale, gate, text_shift, text_scale, text_gate = modulation.chunk(t, made, 6)
        t.views += 1
        both = []
        for values, rows, factors in ((x, n.batch * n.video, (scale, shift)), (text, n.batch * n.text, (text_scale, text_shift))):
            normed = layer_norm(t, f"{root}.norm", values, rows, hidden)
            t.enter(root, calls=0)
            both.append(modulation.modulate(t, normed, *factors, views=(1, 1)))
        return both[0], both[1], gate, text_gate

    def _attend(self, t: Tape, root: str, x: Tensor, text: Tensor, n: _Sizes) -> tuple[Tensor, Tensor]:
        s, hidden, heads = self.shape, self.shape.hidden, self.shape.num_attention_heads
        t.enter(root, views=2)
        joined = ops.concatenate(t, (text, x))
        q, k, v = (dense(t, f"{root}.{name}", joined, n.rows, hidden, hidden, views=views) for name, views in (("to_q", 2), ("to_k", 3), ("to_v", 3)))
        t.enter(root, calls=0, views=7)
        if heads > 1:
            q, k = modulation.reordered(t, q), modulation.reordered(t, k)
        q, k = (layer_norm(t, f"{root}.{name}", each, n.rows * heads, s.attention_head_dim) for name, each in (("norm_q", q), ("norm_k", k)))
        t.enter(root, calls=0)
        mixed = ops.attention(
            t, q, k, v, batch=n.batch, seq_q=n.tokens, seq_k=n.tokens, heads=heads, kv_heads=heads, head_dim=s.attention_head_dim,
            value_dim=s.attention_head_dim, axes=Axes.JOINT,
        )  # fmt: skip
        t.views += 1
        mixed = modulation.gather(t, mixed) if heads > 1 else mixed
        t.touch(q, k, v)
        mixed = dense(t, f"{root}.to_out.0", mixed, n.rows, hidden, hidden, views=3)
        t.touch(q, k, v, joined)
        t.enter(root, calls=0)
        made_text, made = modulation.pieces_of(t, mixed, (n.batch * n.text * hidden, n.batch * n.video * hidden))
        return made, made_text

    def _out(self, t: Tape, x: Tensor, step: Tensor, n: _Sizes, patches: int) -> Tensor:
        s, hidden, rows = self.shape, self.shape.hidden, n.batch * n.video
        x = layer_norm(t, "norm_final", x, rows, hidden)
        t.enter("norm_out.silu", calls=2)
        active = ops.activation(t, step, "silu", views=0)
        made = dense(t, "norm_out.linear", active, n.batch, 2 * hidden, s.time_embed_dim, views=1)
        t.enter("norm_out", calls=0)
        shift, scale = modulation.chunk(t, made, 2)
        t.views += 3
        normed = layer_norm(t, "norm_out.norm", x, rows, hidden)
        t.enter("norm_out", calls=0)
        x = modulation.modulate(t, normed, scale, shift)
        pixels = s.patch_size**2 * s.out_channels
        out = dense(t, "proj_out", x, rows, pixels, hidden)
        t.enter("", calls=0, views=3)
        return modulation.gather(t, out, back=modulation.copied_back(t)) if patches > 1 else out

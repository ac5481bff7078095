"""Wan 2.1's denoiser: full attention over frames, height and width at once, and attention to a text of its own length.

Its twin is diffusers' WanTransformer3DModel for text to video. Every block scales, shifts and gates by what the step says, in fp32 whatever the model's
format; queries and keys are normed over all heads together and turned by their place in frames, height and width. A matrix product,
convolution, attention or norm has the twin's row one to one, and so has every other operator of a forward pass.

What it does not know: an image beside the text (image to video), and steps that differ from frame to frame (2.2's 5B model).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Final

from thrifty.errors import BadValue
from thrifty.workload.families.denoising_transformers import modulation
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import Grid, conv, dense
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Axes, Kind, Role

FRAMES: Final = 4
PIXELS: Final = 8
"""Frames, and pixels of height and width, that its decoder makes of one latent (of frames: after the first)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WanShape:
    """As diffusers' class names its arguments. patch_size: latent frames, height and width; text_dim: channels of the text as encoded."""

    num_attention_heads: int
    attention_head_dim: int
    num_layers: int
    ffn_dim: int
    patch_size: tuple[int, ...] = (1, 2, 2)
    in_channels: int = 16
    out_channels: int = 16
    text_dim: int = 4096
    freq_dim: int = 256
    rope_max_seq_len: int = 1024

    def __post_init__(self) -> None:
        if len(self.patch_size) != 3 or self.patch_size[0] != 1:
            raise BadValue(f"patch_size={self.patch_size} is not 1 frame by a height and a width. Write e.g. [1, 2, 2].")

    @property
    def hidden(self) -> int:
        return self.num_attention_heads * self.attention_head_dim


@dataclass(frozen=True, slots=True)
class _Sizes:
    batch: int
    text: int
    sides: tuple[int, int, int]
    """Patches along frames, height and width."""

    @property
    def video(self) -> int:
        """Patches of one sample."""
        return prod(self.sides)

    @property
    def rows(self) -> int:
        return self.batch * self.video

    @property
    def axes(self) -> Axes:
        """What its attention to itself is over: with one frame, or one patch a frame, not both."""
        frames, *picture = self.sides
        return Axes.JOINT if (frames > 1) == (prod(picture) > 1) else Axes.TEMPORAL if frames > 1 else Axes.SPATIAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Wan(Drawn):
    """One denoising step."""

    shape: WanShape

    what = "a denoiser"

    def sizes(self) -> tuple[Symbol, ...]:
        most = self.shape.rope_max_seq_len
        _, high, wide = (PIXELS * side for side in self.shape.patch_size)
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="frames", default=81, high=FRAMES * (most - 1) + 1, modulus=FRAMES, residue=1, degree=2, meaning="frames of the video"),
            Symbol(name="height", default=480, high=high * most, modulus=high, residue=0, degree=2, meaning="height in pixels"),
            Symbol(name="width", default=832, high=wide * most, modulus=wide, residue=0, degree=2, meaning="width in pixels"),
            Symbol(name="text", default=512, degree=2, meaning="text tokens"),
        )

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """The latent video, the step, and the text as its encoder gave it."""
        batch, frames, height, width = _latent(point)
        return {
            "hidden_states": Feed(shape=(batch, self.shape.in_channels, frames, height, width), axes=("batch", "channel", "frame", "height", "width")),
            "timestep": Feed(shape=(batch,), axes=("batch",), fill="whole"),
            "encoder_hidden_states": Feed(shape=(batch, point["text"], self.shape.text_dim), axes=("batch", "text", "channel")),
        }

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        s, hidden = self.shape, self.shape.hidden
        batch, frames, height, width = _latent(point)
        sides = (frames, height // s.patch_size[1], width // s.patch_size[2])
        n = _Sizes(batch, point["text"], sides)
        pixels = t.input(batch * s.in_channels * frames * height * width, t.format, "hidden_states")
        steps = t.input(batch, "int64", "timestep")
        words = t.input(batch * n.text * s.text_dim, t.format, "encoder_hidden_states")
        turns = self._turns(t, n)
        t.views += 1
        patched = conv(
            t, "patch_embedding", Grid(pixels, batch, s.in_channels, (frames, height, width)), hidden, s.patch_size, stride=s.patch_size, padding=0
        )  # fmt: skip
        t.enter("", calls=0, views=2)
        x = modulation.gather(t, patched.tensor) if n.video > 1 else patched.tensor
        step, six, text = self._condition(t, steps, words, n)
        for layer in range(s.num_layers):
            x = self._block(t, f"blocks.{layer}", x, text, six, turns, n, views=2 * (layer == 0))
        t.touch(six, text)
        return self._out(t, x, step, n)

    def _turns(self, t: Tape, n: _Sizes) -> tuple[Tensor, Tensor]:
        """Cosines and sines of each place: of its frame, its height and its width, side by side (three parts of one table, each read as far as it goes)."""
        width = self.shape.attention_head_dim
        third = 2 * (width // 6)
        parts = (n.sides[0] * (width - 2 * third), n.sides[1] * third, n.sides[2] * third)
        made = []
        for name in ("freqs_cos", "freqs_sin"):
            table = t.new(self.shape.rope_max_seq_len * width, format_name="fp32", role=Role.BUFFER, needs=False, name=f"rope.{name}")
            t.enter("rope", calls=2 if name == "freqs_cos" else 0, views=20 if name == "freqs_cos" else 1)
            made.append(ops.move(t, "aten.cat", (table,), n.video * width, format_name="fp32", sizes=(4 * sum(parts),)))
        return made[0], made[1]

    def _condition(self, t: Tape, steps: Tensor, words: Tensor, n: _Sizes) -> tuple[Tensor, Tensor, Tensor]:
        """What the step becomes, six numbers a channel that all blocks share, and the text in the model's width."""
        s, hidden, root = self.shape, self.shape.hidden, "condition_embedder"
        waves = modulation.step_waves(t, f"{root}.timesteps_proj", steps, s.freq_dim)
        t.enter(root, calls=0)
        waves = ops.cast(t, waves, t.format)
        made = dense(t, f"{root}.time_embedder.linear_1", waves, n.batch, hidden, s.freq_dim, views=1, calls=2)
        t.enter(f"{root}.time_embedder.act")
        step = dense(t, f"{root}.time_embedder.linear_2", ops.activation(t, made, "silu", views=0), n.batch, hidden, hidden, views=1)
        t.enter(f"{root}.act_fn")
        six = dense(t, f"{root}.time_proj", ops.activation(t, step, "silu", views=0), n.batch, 6 * hidden, hidden, views=1)
        text = dense(t, f"{root}.text_embedder.linear_1", words, n.batch * n.text, hidden, s.text_dim, calls=2)
        t.enter(f"{root}.text_embedder.act_1")
        text = dense(t, f"{root}.text_embedder.linear_2", ops.activation(t, text, "gelu_tanh"), n.batch * n.text, hidden, hidden)
        t.touch(step, waves)
        return step, six, text

    def _block(
        self, t: Tape, root: str, x: Tensor, text: Tensor, six: Tensor, turns: tuple[Tensor, Tensor], n: _Sizes, *, views: int
    ) -> Tensor:  # fmt: skip
        s, hidden = self.shape, self.shape.hidden
        t.enter(root, views=views)
        wide = ops.cast(t, six, "fp32")
        shared = modulation.shift(t, wide, t.weight(f"{root}.scale_shift_table", 1, 6, hidden))
        shift, scale, gate, text_shift, text_scale, text_gate = modulation.chunk(t, shared, 6)
        t.views += 1
        came, normed = x, self._scaled(t, root, "norm1", x, n, scale, shift)
        mixed = self._attend(t, f"{root}.attn1", normed, normed, n, turns)
        x = self._gated(t, root, x, mixed, gate)
        first = mixed
        t.touch(came, normed, first)
        t.enter(root, calls=0)
        before, normed = normed, modulation.norm_in_fp32(t, f"{root}.norm2", ops.cast(t, x, "fp32"), n.rows, hidden, affine=True)
        t.enter(root, calls=0)
        normed = ops.cast(t, normed, t.format)
        t.touch(came, before, first)
        mixed = self._attend(t, f"{root}.attn2", normed, text, n, None)
        t.touch(came, first)
        t.enter(root, views=1)
        x = ops.add(t, x, mixed)
        t.touch(came, normed, mixed)
        normed = self._scaled(t, root, "norm3", x, n, text_scale, text_shift)
        t.touch(mixed)
        inner = dense(t, f"{root}.ffn.net.0.proj", normed, n.rows, s.ffn_dim, hidden, calls=3)
        t.enter(f"{root}.ffn.net.0", calls=0, views=1)
        fed = dense(t, f"{root}.ffn.net.2", ops.activation(t, inner, "gelu_tanh", views=0), n.rows, hidden, s.ffn_dim, calls=2)
        t.enter(root, calls=0, views=1)
        x = self._gated(t, root, x, fed, text_gate, widened=True)
        t.touch(came, normed, mixed, fed, shared)
        return x

    def _scaled(self, t: Tape, root: str, name: str, x: Tensor, n: _Sizes, scale: Tensor, shift: Tensor) -> Tensor:
        """Normed, scaled and shifted in fp32, and back in the model's format."""
        t.enter(root, calls=0)
        normed = modulation.norm_in_fp32(t, f"{root}.{name}", ops.cast(t, x, "fp32"), n.rows, self.shape.hidden, affine=False)
        t.enter(root, calls=0)
        return ops.cast(t, modulation.modulate(t, normed, scale, shift), t.format)

    def _gated(self, t: Tape, root: str, x: Tensor, y: Tensor, gate: Tensor, *, widened: bool = False) -> Tensor:
        """x + y · gate in fp32. `widened`: y too is made wide first."""
        t.enter(root, calls=0 if widened else 1, views=0 if widened else 1)
        wide = ops.cast(t, x, "fp32")
        gated = modulation.factor(t, ops.cast(t, y, "fp32") if widened else y, gate, format_name="fp32")
        return ops.cast(t, ops.add(t, wide, gated), t.format)

    def _attend(self, t: Tape, root: str, x: Tensor, other: Tensor, n: _Sizes, turns: tuple[Tensor, Tensor] | None) -> Tensor:
        """Attention to itself, turned by place, or to the text."""
        s, hidden, heads = self.shape, self.shape.hidden, self.shape.num_attention_heads
        keys = n.video if turns is not None else n.text
        q = dense(t, f"{root}.to_q", x, n.rows, hidden, hidden, calls=2)
        k, v = (dense(t, f"{root}.{name}", other, n.batch * keys, hidden, hidden, views=3) for name in ("to_k", "to_v"))
        t.views += 1
        q = modulation.norm_across_heads(t, f"{root}.norm_q", q, n.rows, hidden)
        k = modulation.norm_across_heads(t, f"{root}.norm_k", k, n.batch * keys, hidden)
        t.enter(root, calls=0, views=3)
        if turns is not None:
            q, k = (_turned(t, root, each, turns, views) for each, views in ((q, 5), (k, 5)))
        t.views += 3
        mixed = ops.attention(
            t, q, k, v, batch=n.batch, seq_q=n.video, seq_k=keys, heads=heads, kv_heads=heads, head_dim=s.attention_head_dim,
            value_dim=s.attention_head_dim, axes=Axes.CROSS if turns is None else n.axes,
        )  # fmt: skip
        out = dense(t, f"{root}.to_out.0", mixed, n.rows, hidden, hidden, views=4)
        t.touch(q, k, v, x)
        return out

    def _out(self, t: Tape, x: Tensor, step: Tensor, n: _Sizes) -> Tensor:
        s, hidden = self.shape, self.shape.hidden
        t.enter("", calls=0, views=1)
        shift, scale = modulation.chunk(t, _both_broadcast(t, t.weight("scale_shift_table", 1, 2, hidden), step, n.batch), 2)
        t.views += 1
        normed = modulation.norm_in_fp32(t, "norm_out", ops.cast(t, x, "fp32"), n.rows, hidden, affine=False)
        t.enter("", calls=0)
        scaled = ops.cast(t, modulation.modulate(t, normed, scale, shift), t.format)
        out = dense(t, "proj_out", scaled, n.rows, s.patch_size[1] * s.patch_size[2] * s.out_channels, hidden)
        t.enter("", calls=0, views=3)
        return modulation.gather(t, out, back=modulation.copied_back(t)) if n.sides[1] * n.sides[2] > 1 else out


def _latent(point: Mapping[str, int]) -> tuple[int, int, int, int]:
    """Batch, frames, height and width of the latent."""
    return point["batch"], (point["frames"] - 1) // FRAMES + 1, point["height"] // PIXELS, point["width"] // PIXELS


def _both_broadcast(t: Tape, table: Tensor, step: Tensor, batch: int) -> Tensor:
    """Two numbers a channel, plus one a sample and channel: each is repeated for what it lacks."""
    count = 2 * step.count
    out = t.new(count)
    t.row(Kind.ELEMENTWISE, "aten.add", (table, step), (out,), (1, count, 0, 0), flops_vector=count)

    def backward(grad: Tensor) -> None:
        for wanted, repeated in ((table, batch > 1), (step, True)):
            part = ops.move(t, "aten.sum", (grad,), wanted.count, format_name=grad.format, kind=Kind.ELEMENTWISE, flops=count) if repeated else grad
            t.give(wanted, ops.cast(t, part, wanted.format))

    t.later(out, backward)
    return out


def _turned(t: Tape, root: str, x: Tensor, turns: tuple[Tensor, Tensor], views: int) -> Tensor:
    """Each pair of numbers turned by its place: two halves written into an empty tensor, every product a kernel of its own."""
    half, angles = x.count // 2, turns[0].size // 2
    narrow = x.size // 2
    out = t.new(x.count, needs=x.needs)
    t.views += views
    for last in ("aten.sub", "aten.add"):
        parts = []
        for table in turns if last == "aten.sub" else turns[::-1]:
            part = t.new(half, format_name="fp32", needs=False)
            t.row(Kind.ELEMENTWISE, "aten.mul", (x, table), (part,), (1, half, 0, 0), flops_vector=half, sizes=(narrow, angles))
            parts.append(part)
        joined = ops.move(t, last, parts, half, format_name="fp32", kind=Kind.ELEMENTWISE, flops=half)
        t.row(Kind.MEMORY, "aten.copy_", (joined,), (out,), (1, half, 0, 0), written=(narrow,), views=1)

    t.touch(x)

    def backward(grad: Tensor) -> None:
        def move(op: str, reads: tuple[Tensor, ...], count: int, size: int | None = None) -> Tensor:
            return ops.move(t, op, reads, count, format_name=grad.format, sizes=None if size is None else (size,))

        found: list[Tensor] = []
        for opposite in (False, True):  # the half that was written last comes back first
            t.module = ""
            mine = move("aten.clone", (move("aten.copy_", (grad,), x.count),), half, narrow)
            blank = None if opposite else move("aten.zeros_like", (), half)
            wide = ops.cast(t, mine, "fp32")
            if blank is not None:
                t.row(Kind.MEMORY, "aten.copy_", (mine,), (blank,), (1, half, 0, 0), format_name=grad.format)
            t.module = root
            negative = ops.move(t, "aten.neg", (wide,), half, format_name="fp32", kind=Kind.ELEMENTWISE, flops=half) if opposite else wide
            for index, (source, table) in enumerate(zip((negative, wide), turns, strict=True)):
                part = ops.move(t, "aten.mul", (source, table), half, format_name="fp32", kind=Kind.ELEMENTWISE, flops=half, sizes=(4 * half, angles))
                part = ops.cast(t, part, grad.format)
                if opposite:
                    found[index] = ops.move(t, "aten.add", (found[index], part), half, format_name=grad.format, kind=Kind.ELEMENTWISE, flops=half)
                else:
                    found.append(part)
        t.give(x, move("aten.stack", tuple(found), x.count))

    t.later(out, backward)
    return out

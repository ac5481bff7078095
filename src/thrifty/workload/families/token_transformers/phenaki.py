"""Phenaki: a bidirectional transformer that fills in masked tokens of a video, all frames at once, reading text by cross-attention.

Weights of the matrices of one layer: self-attention 4 d², cross-attention 2 d² + 2 · text_width · d (keys and values are made of the text encoder's
own width, in every layer), feed-forward 2 · d · ff; with ff = 4 d and text_width = 2 d, 18 d². With the table of vocab + 1 codes and the head, 24
layers of 2048 make 1.846 B. The public re-implementation has 1.8505 B at these shapes: learned positions and a depthwise convolution in every
layer, where there are fixed positions here, and small parts of its attention (norms of the text, empty keys, a network for position biases).

A video of 1 + n · k frames is (1 + k) × side × side tokens, which all attend to each other: one attention over frames, height and width jointly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import dense, layer_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.families.token_transformers.token_blocks import (
    Width,
    Words,
    add_positions,
    block,
    patch_grid,
    position_table,
    refuse_odd_heads,
    token_frames,
)
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class PhenakiShape:
    """Sizes of the transformer; the twin takes them under the same names.

    vocab     : codes that it predicts; the table of its inputs has one more, the mask
    positions : most tokens of a video
    patch, frames_per_token : pixels along a side and frames that make one token; the first frame has tokens of its own
    """

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocab: int
    text_width: int
    positions: int
    patch: int
    frames_per_token: int

    def __post_init__(self) -> None:
        refuse_odd_heads(self.hidden, self.heads)


@dataclass(frozen=True, kw_only=True)
class Phenaki(Drawn):
    """One pass over all tokens of a video."""

    shape: PhenakiShape

    what = "a masked transformer"

    def sizes(self) -> tuple[Symbol, ...]:
        """batch, frames, image (the side) and text."""
        shape = self.shape
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="frames", default=1 + 5 * shape.frames_per_token, degree=2, modulus=shape.frames_per_token, residue=1 % shape.frames_per_token,
                   meaning="frames"),
            Symbol(name="image", default=16 * shape.patch, degree=4, modulus=shape.patch, residue=0, meaning="image side"),
            Symbol(name="text", default=128, meaning="number of text tokens"),
        )  # fmt: skip

    def grid(self, point: Mapping[str, int]) -> tuple[int, int]:
        """Frames and side in tokens. Raises BadValue for a video that does not fit."""
        shape = self.shape
        frames, side = token_frames(point, shape.frames_per_token), patch_grid(point, shape.patch)
        if frames * side * side > shape.positions:
            raise BadValue(
                f"frames={point['frames']} and image={point['image']} make {frames * side * side} tokens, more than the {shape.positions} positions of this "
                "model. Choose a shorter or smaller video."
            )
        return frames, side

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """Codes of the video, and the encoded text."""
        shape, batch = self.shape, point["batch"]
        frames, side = self.grid(point)
        return {
            "ids": Feed(shape=(batch, frames, side, side), axes=("batch", "frame", "height", "width"), fill="whole", below=shape.vocab + 1),
            "text": Feed(shape=(batch, point["text"], shape.text_width), axes=("batch", "text", "channel")),
        }

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        """Logits of every code at every token."""
        s, hidden, batch, text = self.shape, self.shape.hidden, point["batch"], point["text"]
        frames, side = self.grid(point)
        tokens = frames * side * side
        w = Width(hidden=hidden, heads=s.heads, inner=s.intermediate)
        ids = t.input(batch * tokens, "int64", "ids")
        words = Words(t.input(batch * text * s.text_width, t.format, "text"), text, s.text_width)
        t.enter("tokens", calls=2)
        x = ops.embedding(t, ids, t.weight("tokens.weight", s.vocab + 1, hidden), batch * tokens, hidden, s.vocab + 1)
        t.views += 1
        x = add_positions(t, x, position_table(t, "positions", s.positions, hidden), tokens, hidden)
        axes = Axes.JOINT if frames > 1 and side > 1 else Axes.SPATIAL if side > 1 else Axes.TEMPORAL if frames > 1 else Axes.JOINT
        for layer in range(s.layers):
            x = block(t, f"blocks.{layer}", x, w, batch, tokens, axes=axes, words=words)
        normed = layer_norm(t, "norm", x, batch * tokens, hidden)
        out = dense(t, "head", normed, batch * tokens, s.vocab, hidden, bias=False)
        t.touch(x)
        return out

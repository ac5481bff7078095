"""C-ViViT's decoder: codes of a video to pixels. Each place attends to its own past, then each frame to itself; Phenaki's detokeniser.

Weights of the matrices: (temporal + spatial layers) · (4 d² + 2 · d · ff), and around them code_width · d and d · channels · patch² · (1 + frames per
token): the first frame has pixels of its own, every token after it several frames of them. Temporal attention runs in batch · height · width folds over
frames, spatial attention in frames · batch folds over height · width.
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
    add_positions,
    block,
    copied_back,
    patch_grid,
    pieces,
    position_table,
    refuse_odd_heads,
    reordered,
    token_frames,
)  # fmt: skip
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class CvivitShape:
    """Sizes of the decoder; the twin takes them under the same names.

    positions : most tokens of a frame, and most frames in tokens
    patch, frames_per_token : pixels along a side and frames that make one token; the first frame has tokens of its own
    """

    temporal_layers: int
    spatial_layers: int
    hidden: int
    heads: int
    intermediate: int
    vocab: int
    code_width: int
    positions: int
    patch: int
    frames_per_token: int
    channels: int = 3

    def __post_init__(self) -> None:
        refuse_odd_heads(self.hidden, self.heads)


@dataclass(frozen=True, kw_only=True)
class CvivitDecoder(Drawn):
    """Pixels of a batch of videos, from their codes."""

    shape: CvivitShape

    what = "a decoder of videos"

    def sizes(self) -> tuple[Symbol, ...]:
        """batch, frames, and the image's side: spatial attention is of the fourth degree in it, temporal attention of the second in frames."""
        shape = self.shape
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="frames", default=1 + 5 * shape.frames_per_token, degree=2, modulus=shape.frames_per_token, residue=1 % shape.frames_per_token,
                   meaning="frames"),
            Symbol(name="image", default=16 * shape.patch, degree=4, modulus=shape.patch, residue=0, meaning="image side"),
        )  # fmt: skip

    def grid(self, point: Mapping[str, int]) -> tuple[int, int]:
        """Frames and side in tokens. Raises BadValue for a video that does not fit."""
        frames, side = token_frames(point, self.shape.frames_per_token), patch_grid(point, self.shape.patch)
        longest = max(frames, side * side)
        if longest > self.shape.positions:
            raise BadValue(
                f"frames={point['frames']} and image={point['image']} make a sequence of {longest} tokens, more than the {self.shape.positions} positions of "
                "this model. Choose a shorter or smaller video."
            )
        return frames, side

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """Codes of the videos."""
        frames, side = self.grid(point)
        shape = (point["batch"], frames, side, side)
        return {"ids": Feed(shape=shape, axes=("batch", "frame", "height", "width"), fill="whole", below=self.shape.vocab)}

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        """Pixels of all frames."""
        s, hidden, batch = self.shape, self.shape.hidden, point["batch"]
        frames, side = self.grid(point)
        places, rows = side * side, batch * frames * side * side
        w = Width(hidden=hidden, heads=s.heads, inner=s.intermediate)
        ids = t.input(rows, "int64", "ids")
        t.enter("codes", calls=2)
        codes = ops.embedding(t, ids, t.weight("codes.weight", s.vocab, s.code_width), rows, s.code_width, s.vocab)
        made = dense(t, "from_codes", codes, rows, hidden, s.code_width)
        made = copied_back(t, made, copied=frames > 1 and places > 1)
        t.enter("", calls=0, views=2)
        x = reordered(t, made, copied=frames > 1 and places > 1, back=False)
        t.views += 1
        table = position_table(t, "positions", s.positions, hidden)
        x = add_positions(t, x, table, frames, hidden)
        t.touch(made)
        for layer in range(s.temporal_layers):
            x = block(t, f"temporal.{layer}", x, w, batch * places, frames, axes=Axes.TEMPORAL, causal=True)
        normed = layer_norm(t, "temporal_norm", x, rows, hidden)
        t.enter("", calls=0, views=2)
        turned = reordered(t, normed, copied=frames > 1 and batch * places > 1, back=False)
        t.views += 1
        x = add_positions(t, turned, table, places, hidden)
        t.touch(normed)
        for layer in range(s.spatial_layers):
            x = block(t, f"spatial.{layer}", x, w, frames * batch, places, axes=Axes.SPATIAL)
        x = layer_norm(t, "spatial_norm", x, rows, hidden)
        return self._pixels(t, x, batch, frames, places)

    def _pixels(self, t: Tape, x: Tensor, batch: int, frames: int, places: int) -> Tensor:
        s, hidden, still = self.shape, self.shape.hidden, batch * places
        t.enter("", calls=0, views=3)
        parts = pieces(t, x, (still * hidden, (frames - 1) * still * hidden)[: min(frames, 2)])
        videos = []
        for name, part, count, deep in (("first_pixels", parts[0], 1, 1), ("pixels", parts[-1], frames - 1, s.frames_per_token)):
            numbers, moved = s.channels * deep * s.patch**2, count > 1 or places > 1
            t.weight(f"{name}.weight", numbers, hidden), t.weight(f"{name}.bias", numbers)
            if count:
                made = dense(t, name, part, count * still, numbers, hidden)
                t.enter("", calls=0, views=3)
                videos.append(reordered(t, copied_back(t, made, copied=frames > 1 and not moved), copied=moved))
                t.touch(x, made)
                t.views += 4 if count == 1 and frames > 1 else 3
        return ops.concatenate(t, videos) if frames > 1 else videos[0]

"""ViT-VQGAN's decoder: image codes to pixels by a vision transformer; Parti's detokeniser.

Codes are narrow (32 numbers) and brought to the transformer's width first. Weights of the matrices: layers · (4 d² + 2 · d · ff), and around them
code_width · d + d · channels · patch². With ff = 4 d, 32 layers of 1280 make 0.63 B.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.errors import BadValue
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import dense, layer_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.families.token_transformers.token_blocks import Width, add_positions, block, patch_grid, position_table, refuse_odd_heads, reordered
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class VitVqganShape:
    """Sizes of the decoder; the twin takes them under the same names. image: side in pixels that it was made for; positions: most tokens of one."""

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocab: int
    code_width: int
    image: int
    patch: int
    positions: int
    channels: int = 3

    def __post_init__(self) -> None:
        refuse_odd_heads(self.hidden, self.heads)


@dataclass(frozen=True, kw_only=True)
class VitVqganDecoder(Drawn):
    """Pixels of a batch of images, from their codes."""

    shape: VitVqganShape

    what = "a decoder of images"

    def sizes(self) -> tuple[Symbol, ...]:
        """batch, and the image's side: its attention is of the fourth degree in it."""
        shape = self.shape
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="image", default=shape.image, degree=4, modulus=shape.patch, residue=0, meaning="image side"),
        )

    def grid(self, point: Mapping[str, int]) -> int:
        """The side in tokens. Raises BadValue for an image that does not fit."""
        side = patch_grid(point, self.shape.patch)
        if side * side > self.shape.positions:
            limit = self.shape.positions
            raise BadValue(f"image={point['image']} makes {side * side} tokens, more than the {limit} positions of this model. Choose a smaller image.")
        return side

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """Codes of the images."""
        side = self.grid(point)
        return {"ids": Feed(shape=(point["batch"], side, side), axes=("batch", "height", "width"), fill="whole", below=self.shape.vocab)}

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        """Pixels."""
        s, hidden, batch, side = self.shape, self.shape.hidden, point["batch"], self.grid(point)
        tokens, rows = side * side, batch * side * side
        w = Width(hidden=hidden, heads=s.heads, inner=s.intermediate, bias=True)
        ids = t.input(rows, "int64", "ids")
        t.enter("codes", calls=2)
        codes = ops.embedding(t, ids, t.weight("codes.weight", s.vocab, s.code_width), rows, s.code_width, s.vocab)
        x = dense(t, "from_codes", codes, rows, hidden, s.code_width)
        t.views += 2
        x = add_positions(t, x, position_table(t, "positions", s.positions, hidden), tokens, hidden)
        for layer in range(s.layers):
            x = block(t, f"blocks.{layer}", x, w, batch, tokens, axes=Axes.SPATIAL)
        normed = layer_norm(t, "norm", x, rows, hidden)
        out = dense(t, "pixels", normed, rows, s.channels * s.patch**2, hidden)
        t.touch(x)
        t.enter("", calls=0, views=4)
        return reordered(t, out, copied=side > 1)

"""Muse: a bidirectional transformer that fills in masked image tokens, a fixed number of passes over all of them, reading text by cross-attention.

Weights of the matrices of one layer: self-attention 4 d², cross-attention 4 d² (text is brought to d once, before the first layer), feed-forward
2 · d · ff, with ff = 4 d another 8 d²: 16 d². Around the layers: a table of vocab + 1 codes (one is the mask), the text's projection, the head,
and, where the shape says so, a self-conditioning network as large as one feed-forward part, which takes up what the pass before made, and
without that does nothing. At 48 layers of 2048 these are 3.298 B. FLOPs of a pass over S tokens with a context of C:

    layers · (2 · S · (6 d² + 2 d · ff) + 2 · C · 2 d² + 4 · S · S · d + 4 · S · C · d) + 2 · T · text_width · d + 2 · S · d · vocab

They do not depend on which pass it is, nor on how many tokens are still masked. The super-resolution transformer reads the low-resolution tokens
beside the text, in the same cross-attention: C = T + low.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import dense, layer_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.families.token_transformers.token_blocks import Width, Words, add_positions, block, copied_back, position_table, refuse_odd_heads
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Axes


@dataclass(frozen=True, slots=True, kw_only=True)
class MuseShape:
    """Sizes of a masked transformer; the twin takes them under the same names.

    vocab             : codes that it predicts; the table of its inputs has one more, the mask
    text_width        : of what the text encoder gives
    positions         : most tokens that it can be given
    low_vocab         : codes of the low-resolution tokens that it also reads; 0: it reads none
    self_conditioning : whether it has the network for what the pass before made (a pass that is given none does not run it)
    """

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocab: int
    text_width: int
    positions: int
    low_vocab: int = 0
    self_conditioning: bool = False

    def __post_init__(self) -> None:
        refuse_odd_heads(self.hidden, self.heads)


@dataclass(frozen=True, kw_only=True)
class Muse(Drawn):
    """One pass of a masked transformer over all tokens of an image."""

    shape: MuseShape

    what = "a masked transformer"

    def sizes(self) -> tuple[Symbol, ...]:
        """batch, seq (image tokens), text, and low (low-resolution tokens) where it reads them."""
        shape = self.shape
        low = (Symbol(name="low", default=max(1, shape.positions // 16), meaning="number of low-resolution tokens"),) if shape.low_vocab else ()
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="seq", default=shape.positions, high=shape.positions, degree=2, meaning="number of image tokens"),
            Symbol(name="text", default=128, meaning="number of text tokens"),
            *low,
        )

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """Codes, the encoded text, and low-resolution codes: a sequence beside the text, of no axis that the image's tokens have."""
        shape, batch = self.shape, point["batch"]
        feeds = {
            "ids": Feed(shape=(batch, point["seq"]), axes=("batch", "token"), fill="whole", below=shape.vocab + 1),
            "text": Feed(shape=(batch, point["text"], shape.text_width), axes=("batch", "text", "channel")),
        }
        if shape.low_vocab:
            feeds["low"] = Feed(shape=(batch, point["low"]), axes=("batch", "text"), fill="whole", below=shape.low_vocab)
        return feeds

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        """Logits of every code at every token."""
        s, hidden = self.shape, self.shape.hidden
        batch, seq, text = point["batch"], point["seq"], point["text"]
        w = Width(hidden=hidden, heads=s.heads, inner=s.intermediate)
        if s.self_conditioning:
            t.weight("self_condition.up.weight", s.intermediate, hidden)
            t.weight("self_condition.down.weight", hidden, s.intermediate)
        ids = t.input(batch * seq, "int64", "ids")
        spoken = t.input(batch * text * s.text_width, t.format, "text")
        t.enter("tokens", calls=2)
        x = ops.embedding(t, ids, t.weight("tokens.weight", s.vocab + 1, hidden), batch * seq, hidden, s.vocab + 1)
        x = add_positions(t, x, position_table(t, "positions", s.positions, hidden), seq, hidden)
        context, count = dense(t, "text_projection", spoken, batch * text, hidden, s.text_width, bias=False), text
        context = copied_back(t, context, copied=s.low_vocab > 0 and batch > 1)
        t.views += 1
        if s.low_vocab:
            count += point["low"]
            t.enter("low_tokens")
            coarse = t.input(batch * point["low"], "int64", "low")
            read = ops.embedding(t, coarse, t.weight("low_tokens.weight", s.low_vocab, hidden), batch * point["low"], hidden, s.low_vocab)
            t.enter("", calls=0)
            context = ops.concatenate(t, (context, read))
        for layer in range(s.layers):
            x = block(t, f"blocks.{layer}", x, w, batch, seq, axes=Axes.SELF, words=Words(context, count, hidden))
        normed = layer_norm(t, "norm", x, batch * seq, hidden)
        out = dense(t, "head", normed, batch * seq, s.vocab, hidden, bias=False)
        t.touch(x, context)
        return out

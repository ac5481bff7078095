"""Parti: text encoder and image decoder as in machine translation, image codes one after the other, each against a cache of those before it.

Weights of the matrices, d the model's width and ff its feed-forward: an encoder layer 4 d² + 2 · d · ff, a decoder layer 8 d² + 2 · d · ff (of its
cross-attention the keys' and values' 2 d² are used once a text, not once a token). At 16 and 64 layers, d = 4096 and ff = 4 d these are 1216 d², 20.40 B.

    prefill   the text through the encoder, and the keys and values that every decoder layer reads of it; nothing of the decoder itself
    decode    one image token a sequence; attention sees the seq tokens of the cache and the new one, cross-attention the text's keys and values
    forward   text and seq image tokens at once, as in training: logits after every token, no cache
    training  forward, the mean of the logits, backward, AdamW step

All weights are there in every phase, whichever of them it reads. The cache is preallocated and written in place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.drawn import Drawn
from thrifty.workload.families.primitives.layers import dense, layer_norm
from thrifty.workload.families.primitives.tape import Tape, Tensor
from thrifty.workload.families.token_transformers.token_blocks import Kept, Width, Words, add_positions, block, position_table, refuse_odd_heads
from thrifty.workload.feeds import Feed, Feeds
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Axes, OperatorTable, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class PartiShape:
    """Sizes of encoder and decoder; the twin takes them under the same names.

    vocab          : image codes; the table of the decoder's inputs has one more, which starts an image
    text_positions : most text tokens; positions: most image tokens
    tokens         : of an image, as it was made for
    """

    encoder_layers: int
    decoder_layers: int
    hidden: int
    heads: int
    intermediate: int
    text_vocab: int
    vocab: int
    text_positions: int
    positions: int
    tokens: int

    def __post_init__(self) -> None:
        refuse_odd_heads(self.hidden, self.heads)


@dataclass(frozen=True, kw_only=True)
class Parti(Drawn):
    """An encoder-decoder that writes an image token by token."""

    shape: PartiShape

    what = "Parti"
    phases = ("prefill", "decode", "forward", "training")

    def sizes(self) -> tuple[Symbol, ...]:
        return self.symbols("forward")

    def symbols(self, phase: WorkPhase) -> tuple[Symbol, ...]:
        """batch, seq (image tokens; in decode those of the cache, also called kv, before the new one) and text; prefill reads text only."""
        shape, cached = self.shape, phase == "decode"
        default, high = (count - cached for count in (shape.tokens, shape.positions))
        meaning = "number of image tokens" + (" before the new one" if cached else "")
        seq = Symbol(name="seq", default=default, high=high, degree=1 if cached else 2, meaning=meaning, alias=("kv", 1) if cached else None)
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            *(() if phase == "prefill" else (seq,)),
            Symbol(name="text", default=shape.text_positions, high=shape.text_positions, degree=1 if cached else 2, meaning="number of text tokens"),
        )

    def feeds(self, phase: WorkPhase, point: Mapping[str, int]) -> Feeds:
        """Text, image codes, or one image code with the caches of all layers (an axis that is no part of any sequence)."""
        s, batch, text = self.shape, point["batch"], point["text"]
        words = {"text": Feed(shape=(batch, text), axes=("batch", "text"), fill="whole", below=s.text_vocab)}
        if phase == "prefill":
            return words
        codes = {"ids": Feed(shape=(batch, 1 if phase == "decode" else point["seq"]), axes=("batch", "token"), fill="whole", below=s.vocab + 1)}
        if phase != "decode":
            return {**words, **codes}
        lead, head = (s.decoder_layers, batch, s.heads), s.hidden // s.heads
        own = Feed(shape=(*lead, point["seq"] + 1, head), axes=("channel", "batch", "channel", "token", "channel"))
        read = Feed(shape=(*lead, text, head), axes=("channel", "batch", "channel", "text", "channel"))
        return {**codes, "keys": own, "values": own, "text_keys": read, "text_values": read}

    def table(self, phase: WorkPhase, format_name: str, point: Mapping[str, int]) -> OperatorTable:
        """Every operator of one step at `point`."""
        if phase not in ("prefill", "decode"):
            return super().table(phase, format_name, point)
        t = Tape(self.parameters(), format_name, keep=False)
        self._table(t, "positions" if phase == "prefill" else "text_positions")
        if phase == "prefill":
            self._prefill(t, point)
        else:
            self._decode(t, point)
        return t.build()

    @property
    def _width(self) -> Width:
        return Width(hidden=self.shape.hidden, heads=self.shape.heads, inner=self.shape.intermediate)

    def _table(self, t: Tape, name: str) -> Tensor:
        return position_table(t, name, self.shape.positions if name == "positions" else self.shape.text_positions, self.shape.hidden)

    def forward(self, t: Tape, point: Mapping[str, int]) -> Tensor:
        """Logits after every image token."""
        s, batch, seq = self.shape, point["batch"], point["seq"]
        words = self._encode(t, batch, point["text"])
        x = self._embed(t, batch, seq)
        for layer in range(s.decoder_layers):
            x = block(t, f"decoder.{layer}", x, self._width, batch, seq, axes=Axes.SELF, causal=True, words=words)
        return self._logits(t, x, batch * seq, (words.tensor,))

    def _encode(self, t: Tape, batch: int, text: int) -> Words:
        s, hidden = self.shape, self.shape.hidden
        ids = t.input(batch * text, "int64", "text")
        t.enter("text_tokens", calls=2)
        x = ops.embedding(t, ids, t.weight("text_tokens.weight", s.text_vocab, hidden), batch * text, hidden, s.text_vocab)
        x = add_positions(t, x, self._table(t, "text_positions"), text, hidden)
        for layer in range(s.encoder_layers):
            x = block(t, f"encoder.{layer}", x, self._width, batch, text, axes=Axes.SELF)
        encoded = layer_norm(t, "encoder_norm", x, batch * text, hidden)
        return Words(encoded, text, hidden)

    def _embed(self, t: Tape, batch: int, tokens: int) -> Tensor:
        s, hidden = self.shape, self.shape.hidden
        ids = t.input(batch * tokens, "int64", "ids")
        t.enter("tokens")
        x = ops.embedding(t, ids, t.weight("tokens.weight", s.vocab + 1, hidden), batch * tokens, hidden, s.vocab + 1)
        return add_positions(t, x, self._table(t, "positions"), tokens, hidden)

    def _logits(self, t: Tape, x: Tensor, rows: int, held: tuple[Tensor, ...] = ()) -> Tensor:
        normed = layer_norm(t, "decoder_norm", x, rows, self.shape.hidden)
        out = dense(t, "head", normed, rows, self.shape.vocab, self.shape.hidden, bias=False)
        t.touch(x, *held)
        return out

    def _prefill(self, t: Tape, point: Mapping[str, int]) -> None:
        s, batch = self.shape, point["batch"]
        words = self._encode(t, batch, point["text"])
        for layer in range(s.decoder_layers):
            for name in ("k", "v"):
                made = dense(t, f"decoder.{layer}.cross.{name}", words.tensor, batch * words.count, s.hidden, s.hidden, bias=False, views=2)
                t.builder.hold(made.storage)
                t.views += 3
        t.enter("", calls=0)

    def _decode(self, t: Tape, point: Mapping[str, int]) -> None:
        s, batch, text, length = self.shape, point["batch"], point["text"], point["seq"] + 1
        t.calls += 1
        caches = {}
        for name, tokens in (("keys", length), ("values", length), ("text_keys", text), ("text_values", text)):
            made = t.new(s.decoder_layers * batch * tokens * s.hidden, role=Role.CACHE, needs=False, name=name)
            t.builder.hold(made.storage)
            caches[name] = Tensor(made.storage, made.count // s.decoder_layers, made.size // s.decoder_layers, made.format, False)
        t.views += 1
        x = self._embed(t, batch, 1)
        kept, cache = (Kept(caches[f"{prefix}keys"], caches[f"{prefix}values"], tokens) for prefix, tokens in (("text_", text), ("", length)))
        for layer in range(s.decoder_layers):
            t.views += 4
            x = block(t, f"decoder.{layer}", x, self._width, batch, 1, axes=Axes.SELF, kept=kept, cache=cache)
        self._logits(t, x, batch)

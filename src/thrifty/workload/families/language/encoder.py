"""Encoders of text: BERT with its masked-language head. Norms come after the residual; every token sees every other; biases everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.phases import refuse_generation
from thrifty.workload.families.primitives.tape import Parameter, Tape, Tensor
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import OperatorTable, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderShape:
    """Sizes of a BERT. segments: kinds of token (sentence A, sentence B)."""

    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocab: int
    context: int
    segments: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """A text encoder with a head that predicts masked tokens."""

    shape: EncoderShape

    phases = ("forward", "training")

    def symbols(self, phase: WorkPhase) -> tuple[Symbol, ...]:
        """batch and seq."""
        refuse_generation(phase, "an encoder")
        context = self.shape.context
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(name="seq", default=min(128, context), high=context, degree=2, meaning="context"),
        )  # fmt: skip

    def parameters(self) -> Iterator[Parameter]:
        """Name and shape of every parameter, in the order of the twin's; the head's matrix is the embedding's."""
        shape, hidden = self.shape, self.shape.hidden
        for name, rows in (("word", shape.vocab), ("position", shape.context), ("token_type", shape.segments)):
            yield f"bert.embeddings.{name}_embeddings.weight", (rows, hidden)
        yield from _norm("bert.embeddings.LayerNorm", hidden)
        for layer in range(shape.layers):
            root = f"bert.encoder.layer.{layer}"
            for name in ("self.query", "self.key", "self.value", "output.dense"):
                yield from _dense(f"{root}.attention.{name}", hidden, hidden)
            yield from _norm(f"{root}.attention.output.LayerNorm", hidden)
            yield from _dense(f"{root}.intermediate.dense", shape.intermediate, hidden)
            yield from _dense(f"{root}.output.dense", hidden, shape.intermediate)
            yield from _norm(f"{root}.output.LayerNorm", hidden)
        yield "cls.predictions.bias", (shape.vocab,)
        yield from _dense("cls.predictions.transform.dense", hidden, hidden)
        yield from _norm("cls.predictions.transform.LayerNorm", hidden)

    def table(self, phase: WorkPhase, format_name: str, point: Mapping[str, int]) -> OperatorTable:
        """Every operator of one step at `point`."""
        refuse_generation(phase, "an encoder")
        shape, batch, seq = self.shape, point["batch"], point["seq"]
        t, rows, hidden = Tape(self.parameters(), format_name, keep=phase == "training"), batch * seq, self.shape.hidden
        x = embedded = self._embed(t, batch, seq)
        for layer in range(shape.layers):
            x = self._layer(t, f"bert.encoder.layer.{layer}", x, batch, seq)
        t.touch(embedded)
        encoded = x
        head = "cls.predictions"
        t.enter(f"{head}.transform.dense", calls=4)
        x = _linear(t, f"{head}.transform.dense", x, rows, hidden, hidden)
        t.enter(f"{head}.transform.transform_act_fn")
        x = ops.activation(t, x, "gelu")
        t.enter(f"{head}.transform.LayerNorm")
        x = _normalise(t, f"{head}.transform.LayerNorm", x, rows, hidden)
        t.enter(f"{head}.decoder")
        word = t.weights["bert.embeddings.word_embeddings.weight"]
        logits = ops.linear(t, x, word, rows, shape.vocab, hidden, t.weights[f"{head}.bias"])
        t.touch(encoded)
        t.enter("", calls=1)
        if phase == "training":
            ops.cross_entropy(t, logits, rows, shape.vocab)
            t.backward()
            t.optimizer_step()
        return t.build()

    def _embed(self, t: Tape, batch: int, seq: int) -> Tensor:
        shape, rows, hidden, root = self.shape, batch * seq, self.shape.hidden, "bert.embeddings"
        tokens = t.input(rows, "int64", "input_ids")
        kinds = t.new(shape.context, format_name="int64", role=Role.BUFFER, needs=False, name=f"{root}.token_type_ids")
        places = t.new(shape.context, format_name="int64", role=Role.BUFFER, needs=False, name=f"{root}.position_ids")
        t.enter(root, calls=3, views=2)
        index = ops.INDEX_BYTES
        segments = ops.move(t, "aten.gather", (kinds, places), seq, format_name="int64", sizes=(seq * index, seq * index))
        t.enter(f"{root}.word_embeddings")
        x = ops.embedding(t, tokens, t.weights[f"{root}.word_embeddings.weight"], rows, hidden, shape.vocab)
        t.enter(f"{root}.token_type_embeddings")
        kind = ops.embedding(t, segments, t.weights[f"{root}.token_type_embeddings.weight"], rows, hidden, shape.segments, index_bytes=seq * index)
        t.enter(root, calls=0)
        x = ops.add(t, x, kind)
        t.enter(f"{root}.position_embeddings")
        place = ops.embedding(t, places, t.weights[f"{root}.position_embeddings.weight"], seq, hidden, shape.context)
        t.enter(root, calls=0)
        x = ops.add(t, x, place)
        t.enter(f"{root}.LayerNorm")
        return _normalise(t, f"{root}.LayerNorm", x, rows, hidden)

    def _layer(self, t: Tape, root: str, x: Tensor, batch: int, seq: int) -> Tensor:
        shape, rows, hidden = self.shape, batch * seq, self.shape.hidden
        head_dim = hidden // shape.heads
        t.calls += 3
        parts = []
        for name in ("query", "key", "value"):
            t.enter(f"{root}.attention.self.{name}")
            parts.append(_linear(t, f"{root}.attention.self.{name}", x, rows, hidden, hidden, views=5))
        t.enter(f"{root}.attention.self", calls=0, views=3)
        q, k, v = parts
        mixed = ops.attention(
            t, q, k, v, batch=batch, seq_q=seq, seq_k=seq, heads=shape.heads, kv_heads=shape.heads, head_dim=head_dim, value_dim=head_dim
        )  # fmt: skip
        t.touch(x)
        t.enter(f"{root}.attention.output.dense", calls=2)
        mixed = _linear(t, f"{root}.attention.output.dense", mixed, rows, hidden, hidden, views=6)
        t.enter(f"{root}.attention.output", views=1)
        summed = ops.add(t, mixed, x)
        t.touch(mixed)
        t.enter(f"{root}.attention.output.LayerNorm")
        normed = _normalise(t, f"{root}.attention.output.LayerNorm", summed, rows, hidden)
        t.touch(mixed, x)
        t.enter(f"{root}.intermediate.dense", calls=2)
        inner = _linear(t, f"{root}.intermediate.dense", normed, rows, shape.intermediate, hidden)
        t.enter(f"{root}.intermediate.intermediate_act_fn")
        active = ops.activation(t, inner, "gelu")
        t.touch(x, normed)
        t.enter(f"{root}.output.dense", calls=2)
        fed = _linear(t, f"{root}.output.dense", active, rows, hidden, shape.intermediate)
        t.enter(f"{root}.output", views=1)
        summed = ops.add(t, fed, normed)
        t.touch(fed, active)
        t.enter(f"{root}.output.LayerNorm")
        out = _normalise(t, f"{root}.output.LayerNorm", summed, rows, hidden)
        t.touch(x, normed, active, fed)
        return out


def _norm(name: str, size: int) -> Iterator[Parameter]:
    yield f"{name}.weight", (size,)
    yield f"{name}.bias", (size,)


def _dense(name: str, outputs: int, inputs: int) -> Iterator[Parameter]:
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _linear(t: Tape, name: str, x: Tensor, rows: int, outputs: int, inputs: int, *, views: int = 2) -> Tensor:
    return ops.linear(t, x, t.weights[f"{name}.weight"], rows, outputs, inputs, t.weights[f"{name}.bias"], views=views)


def _normalise(t: Tape, name: str, x: Tensor, rows: int, size: int) -> Tensor:
    return ops.layer_norm(t, x, t.weights[f"{name}.weight"], t.weights[f"{name}.bias"], rows, size)

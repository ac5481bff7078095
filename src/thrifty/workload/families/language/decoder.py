"""Decoder language models: GPT-2 and GPT-3, LLaMA, Gemma 3, Mixtral, DeepSeek-V3; and the bare GPTs that a paper lets stand for them (`stand_in_torch`).

One layer is norm, attention, residual, norm, feed-forward, residual; the shape says of which sort each is. `attention_layers` and
`feed_forward` hold the sorts; here are the embedding, the loop over layers, the head and the loss, and the phases:

    prefill   seq tokens into an empty key-value cache; logits of the last position only, as generation asks for them
    decode    one token a sequence; attention sees the seq tokens of the cache and the new one
    forward   logits of every position, no cache
    training  forward, next-token loss, backward, AdamW step

The cache is preallocated and written in place. What differs from the torch twin: its cache concatenates, it checks positions for packed
sequences and builds the masks of sliding windows kernel by kernel.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from thrifty.workload.families.language.attention_layers import attention_block, attention_parameters
from thrifty.workload.families.language.decoder_shape import Context, DecoderShape
from thrifty.workload.families.language.feed_forward import feed_forward, feed_forward_parameters
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.tape import Parameter, Tape, Tensor
from thrifty.workload.model import Symbol, WorkPhase
from thrifty.workload.table import Kind, OperatorTable, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """A decoder language model. recompute: in training, keep only each layer's input and run the layer again before its gradients."""

    shape: DecoderShape
    recompute: bool = False

    phases = ("prefill", "decode", "forward", "training")

    def symbols(self, phase: WorkPhase) -> tuple[Symbol, ...]:
        """batch and seq; a cache must hold the new token too."""
        shape, cached = self.shape, phase == "decode"
        high = shape.context - 1 if cached else shape.context
        window = shape.window if 0 < shape.window <= shape.context else 0
        edge = window - 1 if cached else window
        return (
            Symbol(name="batch", default=1, meaning="batch"),
            Symbol(
                name="seq", default=min(128, high), high=high, degree=1 if cached else 2, breaks=(edge,) if window else (),
                meaning="context before the new token" if cached else "context",
            ),
        )  # fmt: skip

    def parameters(self) -> Iterator[Parameter]:
        """Name and shape of every parameter, in the order of the twin's."""
        shape, names = self.shape, self.shape.names
        yield f"{names.embed}.weight", (shape.vocab, shape.hidden)
        if shape.positions == "learned":
            yield f"{names.positions}.weight", (shape.context, shape.hidden)
        for layer in range(shape.layers):
            root = f"{names.layers}.{layer}"
            for norm in names.norms_before(shape):
                yield from self._norm(f"{root}.{norm}")
            yield from attention_parameters(shape, f"{root}.{names.attention}")
            yield from feed_forward_parameters(shape, layer, root)
        yield from self._norm(names.final_norm)
        if not shape.tied:
            yield "lm_head.weight", (shape.vocab, shape.hidden)

    def _routers(self) -> frozenset[str]:
        """Weights of routers that choose among groups: the twin keeps them in fp32."""
        shape = self.shape
        layers = range(shape.dense_first, shape.layers) if shape.experts and shape.router == "grouped" else ()
        return frozenset(f"{shape.names.layers}.{layer}.mlp.gate.weight" for layer in layers)

    def _norm(self, name: str) -> Iterator[Parameter]:
        if self.shape.bare:
            return
        yield f"{name}.weight", (self.shape.hidden,)
        if self.shape.norm == "layer":
            yield f"{name}.bias", (self.shape.hidden,)

    def table(self, phase: WorkPhase, format_name: str, point: Mapping[str, int]) -> OperatorTable:
        """Every operator of one step at `point`."""
        shape, names = self.shape, self.shape.names
        batch, seq = point["batch"], point["seq"]
        tape = Tape(self.parameters(), format_name, keep=phase == "training", wide=self._routers())
        new = 1 if phase == "decode" else seq
        past = seq if phase == "decode" else 0
        context = Context(tape=tape, shape=shape, batch=batch, new=new, past=past, cached=phase in ("prefill", "decode"))
        rows = batch * new
        tape.enter(names.embed, calls=3)
        tokens = tape.input(rows, "int64", "input_ids")
        table = tape.weights[f"{names.embed}.weight"]
        x = ops.embedding(tape, tokens, table, rows, shape.hidden, shape.vocab)
        if shape.embed_scale:
            x = ops.scale(tape, x, tape.new(1, role=Role.BUFFER, needs=False, name="embed_scale"))
        embedded = x
        x = self._positions(context, x)
        for layer in range(shape.layers):
            run = functools.partial(self._layer, context, layer)
            x = tape.checkpoint(run, x) if self.recompute else run(x)
        tape.enter(names.final_norm)
        last = context.normalise(x, names.final_norm)
        tape.touch(embedded, *context.held)
        tape.enter("lm_head")
        head = table if shape.tied else tape.weights["lm_head.weight"]
        positions = batch if context.cached else rows
        logits = ops.linear(tape, last, head, positions, shape.vocab, shape.hidden, views=3)
        tape.touch(last)
        tape.enter("", calls=0)
        if phase == "training":
            ops.cross_entropy(tape, logits, rows, shape.vocab, shifted=True)
            tape.backward()
            tape.optimizer_step()
        return tape.build()

    def _positions(self, context: Context, x: Tensor) -> Tensor:
        """Learned position embeddings, or the angles of rotary ones, made once a step for all layers."""
        t, shape, names = context.tape, context.shape, context.shape.names
        t.enter(names.root, calls=0)
        start = ops.move(t, "aten.arange", (), context.new, format_name="int64")
        where = ops.move(t, "aten.add", (start,), context.new, format_name="int64", kind=Kind.ELEMENTWISE, flops=context.new)
        if shape.positions == "learned":
            t.enter(names.positions)
            weight = t.weights[f"{names.positions}.weight"]
            places = ops.embedding(t, where, weight, context.new, shape.hidden, shape.context)
            t.enter(names.root, calls=0)
            context.held += [where, places]
            return ops.add(t, x, places)
        t.enter(f"{names.root}.rotary_emb")
        context.make_angles(where)
        context.held += [where, *(angle for pair in context.angles.values() for angle in pair)]
        return x

    def _layer(self, context: Context, layer: int, x: Tensor) -> Tensor:
        t, shape, names = context.tape, context.shape, context.shape.names
        root = f"{names.layers}.{layer}"
        first, second = names.norms(shape)
        t.enter(f"{root}.{first}", calls=2)
        normed = context.normalise(x, f"{root}.{first}")
        mixed = attention_block(context, layer, f"{root}.{names.attention}", normed)
        t.touch(x, normed)
        if shape.post_norms:
            t.enter(f"{root}.post_attention_layernorm")
            mixed = context.normalise(mixed, f"{root}.post_attention_layernorm")
            t.touch(x)
        t.enter(root, calls=0, views=1)
        summed = ops.add(t, x, mixed)
        t.touch(mixed)
        t.enter(f"{root}.{second}")
        normed = context.normalise(summed, f"{root}.{second}")
        fed = feed_forward(context, layer, root, normed)
        t.touch(summed)
        if shape.post_norms:
            t.enter(f"{root}.post_feedforward_layernorm")
            fed = context.normalise(fed, f"{root}.post_feedforward_layernorm")
            t.touch(summed)
        t.enter(root, calls=0, views=1)
        out = ops.add(t, summed, fed)
        t.touch(x, fed, *((mixed, normed) if shape.fused_qkv else ()))  # variables of GPT-2's block
        return out

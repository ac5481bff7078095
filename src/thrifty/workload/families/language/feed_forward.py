"""The feed-forward part of a decoder's layer: dense, gated, or a mixture of experts.

Of a mixture with T tokens, each going to top_k of E experts, matrix FLOPs are exactly T · top_k experts' worth, in one grouped product a projection,
(1, T · top_k, n, k). Which experts are hit depends on the router; as many are read as can be, min(E, T · top_k): for many tokens all of
them are, for a few tokens it is an upper bound.
"""

from __future__ import annotations

from collections.abc import Iterator

from thrifty.workload.families.language.decoder_shape import Context, DecoderShape
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.tape import Parameter, Tape, Tensor
from thrifty.workload.table import Kind, Role


def feed_forward_parameters(shape: DecoderShape, layer: int, root: str) -> Iterator[Parameter]:
    """Name and shape of every parameter of one layer's feed-forward part."""
    hidden, inner = shape.hidden, shape.intermediate
    if shape.fused_qkv and not shape.has_experts(layer):
        for name, size in (("c_fc", (hidden, inner)), ("c_proj", (inner, hidden))):
            yield f"{root}.mlp.{name}.weight", size
            if not shape.bare:
                yield f"{root}.mlp.{name}.bias", size[1:]
        return
    if not shape.has_experts(layer):
        yield from _gated_parameters(f"{root}.mlp", hidden, inner)
        return
    expert = shape.expert_intermediate
    yield f"{root}.mlp.gate.weight", (shape.experts, hidden)
    yield f"{root}.mlp.experts.{_first(shape)}", (shape.experts, (1 + shape.gated) * expert, hidden)
    yield f"{root}.mlp.experts.down_proj", (shape.experts, hidden, expert)
    if shape.shared_experts:
        yield from _gated_parameters(f"{root}.mlp.shared_experts", hidden, shape.shared_experts * expert)


def _first(shape: DecoderShape) -> str:
    """The first matrix of an expert; with its gate's beside it where it has one."""
    return "gate_up_proj" if shape.gated else "up_proj"


def _gated_parameters(root: str, hidden: int, inner: int) -> Iterator[Parameter]:
    for name, size in (("gate_proj", (inner, hidden)), ("up_proj", (inner, hidden)), ("down_proj", (hidden, inner))):
        yield f"{root}.{name}.weight", size


def feed_forward(context: Context, layer: int, root: str, x: Tensor) -> Tensor:
    """What follows the second norm."""
    shape = context.shape
    if shape.has_experts(layer):
        return _mixture(context, f"{root}.mlp", x)
    if shape.fused_qkv:
        return _plain(context, f"{root}.mlp", x)
    return _gated(context, f"{root}.mlp", x, shape.intermediate)


def _plain(context: Context, root: str, x: Tensor) -> Tensor:
    """GPT-2: up, GELU as its module spells it out, down."""
    t, shape, rows = context.tape, context.shape, context.batch * context.new
    t.enter(f"{root}.c_fc", calls=2)
    inner = ops.linear(
        t, x, t.weights[f"{root}.c_fc.weight"], rows, shape.intermediate, shape.hidden, t.weights.get(f"{root}.c_fc.bias"), stored_kn=True, views=1
    )  # fmt: skip
    t.enter(f"{root}.act", views=1)
    active = ops.gelu_spelled_out(t, inner) if shape.activation == "gelu_new" else ops.activation(t, inner, shape.activation, views=0)
    t.touch(x)
    t.enter(f"{root}.c_proj")
    out = ops.linear(
        t, active, t.weights[f"{root}.c_proj.weight"], rows, shape.hidden, shape.intermediate, t.weights.get(f"{root}.c_proj.bias"), stored_kn=True, views=1
    )  # fmt: skip
    t.touch(x)
    return out


def _gated(context: Context, root: str, x: Tensor, inner: int) -> Tensor:
    """down(act(gate(x)) · up(x))."""
    t, shape, rows = context.tape, context.shape, context.batch * context.new
    t.enter(f"{root}.gate_proj", calls=2)
    gate = ops.linear(t, x, t.weights[f"{root}.gate_proj.weight"], rows, inner, shape.hidden)
    t.enter(f"{root}.act_fn")
    active = ops.activation(t, gate, shape.activation)
    t.enter(f"{root}.up_proj")
    up = ops.linear(t, x, t.weights[f"{root}.up_proj.weight"], rows, inner, shape.hidden)
    t.enter(root, calls=0, views=1)
    product = ops.multiply(t, active, up)
    t.enter(f"{root}.down_proj")
    out = ops.linear(t, product, t.weights[f"{root}.down_proj.weight"], rows, shape.hidden, inner)
    t.touch(x)
    return out


def _mixture(context: Context, root: str, x: Tensor) -> Tensor:
    """Router, then the chosen experts on rows sorted by expert, their results weighted and summed; shared experts beside them."""
    t, shape, rows = context.tape, context.shape, context.batch * context.new
    hidden, experts, inner, pairs = shape.hidden, shape.experts, shape.expert_intermediate, rows * shape.top_k
    t.enter(f"{root}.gate", calls=2, views=1)
    chances, indices = _route(context, f"{root}.gate", x)
    t.enter(f"{root}.experts", views=3)
    order = t.new(pairs, format_name="int64", needs=False)
    ranks = t.new(pairs, format_name="int64", needs=False)
    t.row(
        Kind.SAMPLING, "aten.sort", (chances,), (order, ranks), (1, pairs, 0, 0), flops_vector=pairs, sizes=(pairs * ops.INDEX_BYTES,), format_name="int64"
    )  # fmt: skip
    which = ops.move(t, "aten.floor_divide", (order,), pairs, format_name="int64", kind=Kind.ELEMENTWISE, flops=pairs, sizes=(pairs * ops.INDEX_BYTES,))
    index = pairs * ops.INDEX_BYTES
    chosen = ops.move(t, "aten.index", (x, which), pairs * hidden, sizes=(min(pairs, rows) * hidden * t.width, index), needs=True)
    shares = ops.move(t, "aten.index", (chances, order), pairs, format_name="fp32", sizes=(4 * pairs, index), needs=True)
    narrow = ops.move(t, "aten._to_copy", (order,), pairs, format_name="int32")
    counted = ops.move(t, "aten.histc", (narrow,), experts, format_name="fp32", kind=Kind.SAMPLING, flops=pairs)
    offsets = ops.move(t, "aten.cumsum", (counted,), experts, format_name="int32", kind=Kind.ELEMENTWISE, flops=experts)

    def gathered(grad: Tensor) -> None:
        zeros = ops.move(t, "aten.new_zeros", (grad,), rows * hidden, sizes=(0,))
        t.give(x, ops.move(t, "aten.index_put", (zeros, which, grad), rows * hidden, flops=pairs * hidden))

    def weighted(grad: Tensor) -> None:
        zeros = ops.move(t, "aten.new_zeros", (grad,), pairs, format_name="fp32", sizes=(0,))
        t.give(chances, ops.move(t, "aten.index_put", (zeros, order, grad), pairs, format_name="fp32", flops=pairs, sizes=(4 * pairs, index, 4 * pairs)))

    t.later(shares, weighted)
    t.later(chosen, gathered)
    first = t.weights[f"{root}.experts.{_first(shape)}"]
    both = ops.grouped_linear(t, chosen, first, pairs, (1 + shape.gated) * inner, hidden, experts, offsets)
    product = _gate(t, f"{root}.experts", both, shape.activation) if shape.gated else _activate(t, f"{root}.experts", both, shape.activation)
    found = ops.grouped_linear(t, product, t.weights[f"{root}.experts.down_proj"], pairs, hidden, inner, experts, offsets)
    out = _combine(t, found, shares, rows, hidden)
    t.touch(x, chances, indices, order, ranks, chosen, shares, counted, offsets, found)  # variables of the experts' forward
    if shape.shared_experts:
        shared = _gated(context, f"{root}.shared_experts", x, shape.shared_experts * inner)
        t.touch(out)
        t.enter(root, calls=0, views=1)
        out = ops.add(t, out, shared)
    return out


def _gate(t: Tape, root: str, both: Tensor, activation: str) -> Tensor:
    """act(first half) · second half of each row."""
    half = both.count // 2
    first, second = (Tensor(both.storage, half, both.size // 2, both.format, both.needs) for _ in range(2))
    parts: list[Tensor] = []

    def joined(grad: Tensor) -> None:
        parts.append(grad)
        if len(parts) == 2:
            t.give(both, ops.move(t, "aten.cat", parts, both.count))

    t.later(first, joined)
    t.later(second, joined)
    t.enter(f"{root}.act_fn", views=1)
    active = ops.activation(t, first, activation, views=0)
    t.enter(root, calls=0)
    return ops.multiply(t, active, second)


def _activate(t: Tape, root: str, inner: Tensor, activation: str) -> Tensor:
    """An expert without a gate."""
    t.enter(f"{root}.act_fn", views=1)
    active = ops.gelu_spelled_out(t, inner) if activation == "gelu_new" else ops.activation(t, inner, activation, views=0)
    t.enter(root, calls=0)
    return active


def _combine(t: Tape, found: Tensor, shares: Tensor, rows: int, hidden: int) -> Tensor:
    """Each expert's result times its share, in fp32, put back in token order and summed over a token's experts."""
    pairs, index = shares.count, shares.count * ops.INDEX_BYTES
    weighted = ops.move(t, "aten.mul", (found, shares), found.count, format_name="fp32", kind=Kind.ELEMENTWISE, flops=found.count, needs=True)
    back = ops.move(t, "aten.arange", (), pairs, format_name="int64")
    inverse = ops.move(t, "aten.index_put_", (back,), pairs, format_name="int64", flops=pairs)
    ordered = ops.move(t, "aten.index", (weighted, inverse), found.count, format_name="fp32", sizes=(weighted.size, index))
    summed = ops.move(t, "aten.sum", (ordered,), rows * hidden, format_name="fp32", kind=Kind.ELEMENTWISE, flops=found.count)
    out = ops.move(t, "aten._to_copy", (summed,), rows * hidden, needs=True) if t.width < 4 else summed
    t.touch(ordered, inverse)
    out.needs = t.keep

    def backward(grad: Tensor) -> None:
        wide = ops.cast(t, grad, "fp32")
        spread = ops.move(t, "aten.clone", (wide,), found.count, format_name="fp32")
        zeros = ops.move(t, "aten.new_zeros", (spread,), found.count, format_name="fp32", sizes=(0,))
        placed = ops.move(t, "aten.index_put", (zeros, inverse, spread), found.count, format_name="fp32", flops=found.count)
        of_shares = ops.move(t, "aten.mul", (placed, found), found.count, format_name="fp32", kind=Kind.ELEMENTWISE, flops=found.count)
        of_found = ops.move(t, "aten.mul", (placed, shares), found.count, format_name="fp32", kind=Kind.ELEMENTWISE, flops=found.count)
        narrow = ops.cast(t, of_found, t.format)
        total = ops.move(t, "aten.sum", (of_shares,), pairs, format_name="fp32", kind=Kind.ELEMENTWISE, flops=found.count)
        t.give(shares, total)
        t.give(found, narrow)

    t.later(out, backward)
    return out


def _route(context: Context, root: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """Each token's shares of its experts, (T · top_k) in fp32, and which they are. "softmax" in the model's format; "grouped" in fp32, by groups of experts."""
    t, shape, rows = context.tape, context.shape, context.batch * context.new
    experts, pairs, count = shape.experts, rows * shape.top_k, rows * shape.experts
    weight = t.weights[f"{root}.weight"]
    if shape.router == "grouped":
        wide = ops.cast(t, x, "fp32")
        scores = ops.activation(t, ops.linear(t, wide, ops.cast(t, weight, "fp32"), rows, experts, shape.hidden, views=1), "sigmoid", views=0)
        t.touch(wide)
        _open_groups(context, scores)
    else:
        logits = ops.cast(t, ops.linear(t, x, weight, rows, experts, shape.hidden, views=2), "fp32")
        scores = t.new(count, format_name="fp32")
        t.row(Kind.SOFTMAX, "aten._softmax", (logits,), (scores,), (1, rows, experts, 0), flops_vector=5 * count, format_name="fp32")

        def through_softmax(grad: Tensor) -> None:
            part = t.new(count, format_name="fp32", needs=False)
            t.row(Kind.SOFTMAX, "aten._softmax_backward_data", (grad, scores), (part,), (1, rows, experts, 0), flops_vector=4 * count, format_name="fp32")
            t.give(logits, part)

        t.later(scores, through_softmax)
    shares = ops.move(t, "aten.topk", (scores,), pairs, format_name="fp32", kind=Kind.SAMPLING, flops=count, needs=True)
    indices = t.new(pairs, format_name="int64", needs=False)
    total = ops.move(t, "aten.sum", (shares,), rows, format_name="fp32", kind=Kind.ELEMENTWISE, flops=pairs)
    t.row(Kind.ELEMENTWISE, "aten.div_", (shares, total), (shares,), (1, pairs, 0, 0), flops_vector=pairs, format_name="fp32")
    t.touch(indices)

    def backward(grad: Tensor) -> None:
        part = grad
        for op in ("aten.div", "aten.neg", "aten.mul", "aten.div", "aten.add"):
            part = ops.move(t, op, (part, shares), pairs, format_name="fp32", kind=Kind.ELEMENTWISE, flops=pairs)
        zeros = ops.move(t, "aten.new_zeros", (part,), count, format_name="fp32", sizes=(0,))
        t.give(scores, ops.move(t, "aten.scatter", (zeros, indices, part), count, format_name="fp32", flops=pairs))

    t.later(shares, backward)
    return shares, indices


def _open_groups(context: Context, scores: Tensor) -> None:
    """DeepSeek-V3: groups of experts are ranked by their two best, and experts outside the best groups are shut out."""
    t, shape, rows = context.tape, context.shape, context.batch * context.new
    count, groups = scores.count, rows * shape.expert_groups
    bias = t.new(shape.experts, format_name="fp32", role=Role.BUFFER, needs=False, name="e_score_correction_bias")
    biased = ops.move(t, "aten.add", (scores, bias), count, format_name="fp32", kind=Kind.ELEMENTWISE, flops=count)
    best = ops.move(t, "aten.topk", (biased,), 2 * groups, format_name="fp32", kind=Kind.SAMPLING, flops=count)
    ranks = ops.move(t, "aten.sum", (best,), groups, format_name="fp32", kind=Kind.ELEMENTWISE, flops=2 * groups)
    chosen = ops.move(t, "aten.topk", (ranks,), rows * shape.group_top_k, format_name="fp32", kind=Kind.SAMPLING, flops=groups)
    zeros = ops.move(t, "aten.zeros_like", (ranks,), groups, format_name="fp32")
    t.row(Kind.MEMORY, "aten.scatter_", (zeros, chosen), (zeros,), (1, groups, 0, 0), flops_vector=groups, format_name="fp32")
    spread = ops.move(t, "aten.clone", (zeros,), count, format_name="fp32")
    shut = ops.move(t, "aten._to_copy", (spread,), count, format_name="bool")
    shut = ops.move(t, "aten.bitwise_not", (shut,), count, format_name="bool", kind=Kind.ELEMENTWISE)
    ops.move(t, "aten.masked_fill", (biased, shut), count, format_name="fp32", kind=Kind.ELEMENTWISE)

"""The attention part of a decoder's layer: GPT-2's fused projection, grouped queries with rotary positions, or multi-head latent attention."""

from __future__ import annotations

from collections.abc import Iterator

from thrifty.workload.families.language.decoder_shape import Context, DecoderShape
from thrifty.workload.families.primitives import ops
from thrifty.workload.families.primitives.tape import Parameter, Tape, Tensor
from thrifty.workload.table import Kind, Role


def attention_parameters(shape: DecoderShape, root: str) -> Iterator[Parameter]:
    """Name and shape of every parameter of one layer's attention."""
    hidden = shape.hidden
    if shape.fused_qkv:
        for name, outputs in (("c_attn", 3 * hidden), ("c_proj", hidden)):
            yield f"{root}.{name}.weight", (hidden, outputs)
            if not shape.bare:
                yield f"{root}.{name}.bias", (outputs,)
        return
    if shape.kv_rank:
        head = shape.nope_dim + shape.rope_dim
        if shape.q_rank:
            yield f"{root}.q_a_proj.weight", (shape.q_rank, hidden)
            yield f"{root}.q_a_layernorm.weight", (shape.q_rank,)
            yield f"{root}.q_b_proj.weight", (shape.heads * head, shape.q_rank)
        else:
            yield f"{root}.q_proj.weight", (shape.heads * head, hidden)
        yield f"{root}.kv_a_proj_with_mqa.weight", (shape.kv_rank + shape.rope_dim, hidden)
        yield f"{root}.kv_a_layernorm.weight", (shape.kv_rank,)
        yield f"{root}.kv_b_proj.weight", (shape.heads * (shape.nope_dim + shape.value_dim), shape.kv_rank)
        yield f"{root}.o_proj.weight", (hidden, shape.heads * shape.value_dim)
        return
    for name, heads in (("q_proj", shape.heads), ("k_proj", shape.kv_heads), ("v_proj", shape.kv_heads)):
        yield f"{root}.{name}.weight", (heads * shape.head_dim, hidden)
        if shape.attention_bias:
            yield f"{root}.{name}.bias", (heads * shape.head_dim,)
    yield f"{root}.o_proj.weight", (hidden, shape.heads * shape.head_dim)
    if shape.attention_bias:
        yield f"{root}.o_proj.bias", (hidden,)
    if shape.qk_norm:
        yield f"{root}.q_norm.weight", (shape.head_dim,)
        yield f"{root}.k_norm.weight", (shape.head_dim,)


def attention_block(context: Context, layer: int, root: str, x: Tensor) -> Tensor:
    """Projections, positions, cache, core attention and output projection of one layer."""
    if context.shape.fused_qkv:
        return _fused(context, root, x)
    if context.shape.kv_rank:
        return _latent(context, root, x)
    return _grouped(context, layer, root, x)


def append_to_cache(context: Context, fresh: Tensor, width: int, kept: int, name: str) -> Tensor:
    """Write the new tokens behind those that the cache holds; attention then reads `kept` tokens a sequence of it."""
    t, room = context.tape, context.batch * kept * width
    cache = t.new(room, role=Role.CACHE, needs=False, name=name)
    t.builder.hold(cache.storage)
    size = context.batch * context.new * width * t.width
    t.row(Kind.MEMORY, "cache_append", (fresh,), (cache,), (1, context.batch * context.new * width, 0, 0), sizes=(size,), written=(size,))
    return cache


def _project(context: Context, root: str, name: str, x: Tensor, n: int, k: int, *, views: int = 5, stored_kn: bool = False) -> Tensor:
    t = context.tape
    t.enter(f"{root}.{name}")
    return ops.linear(
        t, x, t.weights[f"{root}.{name}.weight"], context.batch * context.new, n, k, t.weights.get(f"{root}.{name}.bias"), views=views, stored_kn=stored_kn
    )  # fmt: skip


def _fused(context: Context, root: str, x: Tensor) -> Tensor:
    """GPT-2: q, k and v are parts of one product."""
    t, shape = context.tape, context.shape
    hidden, heads, head_dim = shape.hidden, shape.heads, shape.head_dim
    t.calls += 1
    joint = _project(context, root, "c_attn", x, 3 * hidden, hidden, views=1, stored_kn=True)
    t.enter(root, calls=0, views=8)
    key = value = joint
    kept = context.past + context.new
    if context.cached:
        key = append_to_cache(context, joint, hidden, kept, f"{root}.keys")
        value = append_to_cache(context, joint, hidden, kept, f"{root}.values")
    out = ops.attention(
        t, joint, key, value, batch=context.batch, seq_q=context.new, seq_k=kept, heads=heads, kv_heads=heads, head_dim=head_dim, value_dim=head_dim,
        causal=context.new > 1, joint=not context.cached,
    )  # fmt: skip
    result = _project(context, root, "c_proj", out, hidden, hidden, views=4, stored_kn=True)
    t.touch(joint)
    return result


def _to_heads(t: Tape, x: Tensor, heads: int, *, copied: bool = True) -> Tensor:
    """(tokens, heads · width) seen as (heads, tokens, width): free, but its gradient comes back head by head and is copied."""
    if not (t.keep and copied and heads > 1):
        return x
    out = Tensor(x.storage, x.count, x.size, x.format, x.needs)

    def backward(grad: Tensor) -> None:
        t.give(x, ops.move(t, "aten.clone", (grad,), grad.count))

    t.later(out, backward)
    return out


def _rotate(context: Context, x: Tensor, local: bool) -> Tensor:
    """x · cos + (−second half, first half) · sin: five kernels forward, seven backward."""
    t = context.tape
    cosine, sine = context.angles[local]
    half = x.count // 2
    out = t.new(x.count)
    straight = ops.move(t, "aten.mul", (x, cosine), x.count, kind=Kind.ELEMENTWISE, flops=x.count)
    negated = ops.move(t, "aten.neg", (x,), half, kind=Kind.ELEMENTWISE, flops=half, sizes=(x.size // 2,))
    turned = ops.move(t, "aten.cat", (negated, x), x.count, sizes=(negated.size, x.size // 2))
    crossed = ops.move(t, "aten.mul", (turned, sine), x.count, kind=Kind.ELEMENTWISE, flops=x.count)
    t.row(Kind.ELEMENTWISE, "aten.add", (straight, crossed), (out,), (1, x.count, 0, 0), flops_vector=x.count)
    t.touch(x)

    def backward(grad: Tensor) -> None:
        by_sine = ops.move(t, "aten.mul", (grad, sine), grad.count, kind=Kind.ELEMENTWISE, flops=grad.count)
        back = ops.move(t, "aten.neg", (by_sine,), half, kind=Kind.ELEMENTWISE, flops=half, sizes=(by_sine.size // 2,))
        first = ops.move(t, "aten.slice_backward", (back,), grad.count)
        second = ops.move(t, "aten.slice_backward", (by_sine,), grad.count, sizes=(by_sine.size // 2,))
        both = ops.move(t, "aten.add", (first, second), grad.count, kind=Kind.ELEMENTWISE, flops=grad.count)
        by_cosine = ops.move(t, "aten.mul", (grad, cosine), grad.count, kind=Kind.ELEMENTWISE, flops=grad.count)
        t.give(x, ops.move(t, "aten.add", (both, by_cosine), grad.count, kind=Kind.ELEMENTWISE, flops=grad.count))

    t.later(out, backward)
    return out


def _grouped(context: Context, layer: int, root: str, x: Tensor) -> Tensor:
    """Grouped queries with rotary positions, with or without a window and norms of q and k."""
    t, shape = context.tape, context.shape
    heads, kv_heads, width = shape.heads, shape.kv_heads, shape.head_dim
    local = shape.is_local(layer)
    tokens = context.batch * context.new
    t.calls += 1
    q = _project(context, root, "q_proj", x, heads * width, shape.hidden, views=2)
    q = _to_heads(t, q, heads)
    k = _project(context, root, "k_proj", x, kv_heads * width, shape.hidden)
    k = _to_heads(t, k, kv_heads)
    v = _project(context, root, "v_proj", x, kv_heads * width, shape.hidden)
    if shape.qk_norm:
        t.enter(f"{root}.q_norm", views=3)
        q = context.normalise(q, f"{root}.q_norm", tokens * heads, width)
        t.enter(f"{root}.k_norm")
        k = context.normalise(k, f"{root}.k_norm", tokens * kv_heads, width)
    t.enter(root, calls=0, views=5)
    plain_q, plain_k = q, k
    q = _rotate(context, q, local)
    k = _rotate(context, k, local)
    t.touch(plain_q, plain_k)
    key, value, seen = k, v, context.new
    if context.cached:
        kept = seen = context.past + context.new
        if local:
            kept, seen = min(kept, shape.window - 1), context.local_keys()
        if seen > kept:  # the twin joins window and new tokens first, then keeps the window
            kept = seen
        key = append_to_cache(context, k, kv_heads * width, kept, f"{root}.keys")
        value = append_to_cache(context, v, kv_heads * width, kept, f"{root}.values")
    mask = context.mask if local else None
    seq_q, many, few = context.new, heads, kv_heads
    if heads > kv_heads and (mask is not None or width > 256):  # torch's fused kernel takes groups without a mask and up to 256 wide only
        if context.new == 1:
            seq_q, many = heads // kv_heads, kv_heads
        else:
            few = heads
            key, value = (_repeat(context, part, heads // kv_heads, copied=kv_heads > 1) for part in (key, value))
    out = ops.attention(
        t, q, key, value, batch=context.batch, seq_q=seq_q, seq_k=seen, heads=many, kv_heads=few, head_dim=width, value_dim=width,
        causal=mask is None and context.new > 1, mask=mask,
    )  # fmt: skip
    result = _project(context, root, "o_proj", out, shape.hidden, heads * width)
    t.touch(q, k, v)
    return result


def _repeat(context: Context, x: Tensor, times: int, *, copied: bool) -> Tensor:
    """Keys or values once for each query head of their group: written out, or (a single group) a view."""
    t = context.tape
    view = Tensor(x.storage, x.count * times, x.size, x.format, x.needs)
    out = ops.move(t, "aten.clone", (x,), view.count, needs=x.needs) if copied else view

    def backward(grad: Tensor) -> None:
        t.give(x, ops.move(t, "aten.sum", (grad,), x.count, kind=Kind.ELEMENTWISE, flops=grad.count))

    t.later(out, backward)
    return out


def _latent(context: Context, root: str, x: Tensor) -> Tensor:
    """DeepSeek-V3: queries and keys through narrow latents, a part of each head rotated, the rotated key shared by all heads; the cache holds latents."""
    t, shape = context.tape, context.shape
    heads, nope, rope, value_dim, rank = shape.heads, shape.nope_dim, shape.rope_dim, shape.value_dim, shape.kv_rank
    head, tokens, hidden = nope + rope, context.batch * context.new, shape.hidden
    kept = context.past + context.new
    t.calls += 1
    if shape.q_rank:
        narrow = _project(context, root, "q_a_proj", x, shape.q_rank, hidden, views=2)
        t.enter(f"{root}.q_a_layernorm", views=1)
        narrow = context.normalise(narrow, f"{root}.q_a_layernorm", tokens, shape.q_rank)
        q = _project(context, root, "q_b_proj", narrow, heads * head, shape.q_rank, views=2)
    else:
        q = _project(context, root, "q_proj", x, heads * head, hidden, views=2)
    q = _to_heads(t, q, heads)
    joint = _project(context, root, "kv_a_proj_with_mqa", x, rank + rope, hidden, views=6)
    latent, turning = _split(t, joint, (tokens * rank, tokens * rope))
    t.enter(f"{root}.kv_a_layernorm", views=2)
    latent = context.normalise(latent, f"{root}.kv_a_layernorm", tokens, rank)
    t.enter(root, calls=0, views=10)
    still, turned = _split(t, q, (tokens * heads * nope, tokens * heads * rope))
    turned = _rotate_pairs(context, turned)
    turning = _rotate_pairs(context, turning)
    if context.cached:
        latent = append_to_cache(context, latent, rank, kept, f"{root}.latents")
        turning = append_to_cache(context, turning, rope, kept, f"{root}.rotated_keys")
    query = _join(t, (still, turned))
    t.enter(f"{root}.kv_b_proj")
    rows = context.batch * kept
    wide = ops.linear(t, latent, t.weights[f"{root}.kv_b_proj.weight"], rows, heads * (nope + value_dim), rank, views=2)
    t.enter(root, calls=0, views=7)
    wide = _to_heads(t, wide, heads)
    key_part, value = _split(t, wide, (rows * heads * nope, rows * heads * value_dim))
    key = _place(t, key_part, turning, heads)
    out = ops.attention(
        t, query, key, value, batch=context.batch, seq_q=context.new, seq_k=kept, heads=heads, kv_heads=heads, head_dim=head, value_dim=value_dim,
        causal=context.new > 1,
    )  # fmt: skip
    result = _project(context, root, "o_proj", out, hidden, heads * value_dim, views=3)
    t.touch(query, key, value)
    return result


def _split(t: Tape, x: Tensor, counts: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Two views of one storage; their gradients are joined again."""
    parts = [Tensor(x.storage, count, count * t.width, x.format, x.needs) for count in counts]
    grads: dict[int, Tensor] = {}

    def join() -> None:
        if len(grads) == 2:
            t.give(x, ops.move(t, "aten.cat", (grads[0], grads[1]), x.count))

    for index in (0, 1):

        def backward(grad: Tensor, index: int = index) -> None:
            grads[index] = grad
            join()

        t.later(parts[index], backward)
    return parts[0], parts[1]


def _join(t: Tape, parts: tuple[Tensor, Tensor]) -> Tensor:
    """Two tensors written behind each other; their gradients are views."""
    out = ops.move(t, "aten.cat", parts, parts[0].count + parts[1].count, needs=True)

    def backward(grad: Tensor) -> None:
        for part in parts:
            t.give(part, Tensor(grad.storage, part.count, part.size, grad.format, False))

    t.later(out, backward)
    return out


def _place(t: Tape, own: Tensor, shared: Tensor, heads: int) -> Tensor:
    """Each head's key: its own part, and the rotated part that all heads share, copied into a new tensor."""
    spread = shared.count * heads
    out = t.new(own.count + spread)
    t.row(Kind.MEMORY, "aten.copy_", (own,), (out,), (1, own.count, 0, 0), written=(own.size,))
    t.row(Kind.MEMORY, "aten.copy_", (shared,), (out,), (1, spread, 0, 0), written=(spread * t.width,))

    def backward(grad: Tensor) -> None:
        copied = ops.move(t, "aten.copy_", (grad,), grad.count)
        tail = ops.move(t, "aten.clone", (copied,), spread, sizes=(spread * t.width,))
        front = ops.move(t, "aten.clone", (copied,), own.count, sizes=(own.size,))
        if shared.needs:
            t.give(shared, ops.move(t, "aten.sum", (tail,), shared.count, kind=Kind.ELEMENTWISE, flops=spread))
        t.give(own, front)

    t.later(out, backward)
    return out


def _rotate_pairs(context: Context, x: Tensor) -> Tensor:
    """Interleaved rotary positions: (x₁ cos − x₂ sin, x₂ cos + x₁ sin) of neighbours."""
    t, half = context.tape, x.count // 2
    cosine, sine = context.angles[False]
    read, angle = x.size // 2, cosine.size // 2
    halves = []
    for op in ("sub", "add"):
        one = ops.move(t, "aten.mul", (x, cosine), half, kind=Kind.ELEMENTWISE, flops=half, sizes=(read, angle))
        two = ops.move(t, "aten.mul", (x, sine), half, kind=Kind.ELEMENTWISE, flops=half, sizes=(read, angle))
        halves.append(ops.move(t, f"aten.{op}", (one, two), half, kind=Kind.ELEMENTWISE, flops=half))
    out = ops.move(t, "aten.cat", halves, x.count, needs=True)

    def backward(grad: Tensor) -> None:
        parts = []
        for _ in range(2):
            one = ops.move(t, "aten.mul", (grad, sine), half, kind=Kind.ELEMENTWISE, flops=half, sizes=(read, angle))
            two = ops.move(t, "aten.mul", (grad, cosine), half, kind=Kind.ELEMENTWISE, flops=half, sizes=(read, angle))
            total = ops.move(t, "aten.add", (one, two), half, kind=Kind.ELEMENTWISE, flops=half)
            parts.append(ops.move(t, "aten.slice_backward", (total,), x.count))
        t.give(x, ops.move(t, "aten.add", parts, x.count, kind=Kind.ELEMENTWISE, flops=x.count))

    t.later(out, backward)
    return out

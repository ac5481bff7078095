"""Every kind of operator against reads, writes and FLOPs written down by hand.

Sizes are in bytes of fp32 (4) unless said otherwise. Where a call makes several rows, they stand one after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from thrifty.workload import Kind, Phase
from thrifty.workload.tracing import record

ATTENTION, LINEAR, CONV, NORM, SOFTMAX = Kind.ATTENTION, Kind.LINEAR, Kind.CONV, Kind.NORM, Kind.SOFTMAX
ELEMENTWISE, MEMORY, EMBEDDING, SAMPLING = Kind.ELEMENTWISE, Kind.MEMORY, Kind.EMBEDDING, Kind.SAMPLING
INDEX = 8


class Row(NamedTuple):
    """What one row must say: bytes read and written, vector and matrix FLOPs."""

    kind: Kind
    reads: int
    writes: int
    vector: int = 0
    matrix: int = 0


class Case(NamedTuple):
    name: str
    call: Callable[[], Any]
    rows: list[Row]


def f(*shape: int) -> torch.Tensor:
    return torch.rand(*shape) + 0.5


def ids(*values: int) -> torch.Tensor:
    return torch.tensor(values)


def case(name: str, call: Callable[..., Any], inputs: tuple[Any, ...], *rows: Row) -> Case:
    return Case(name, lambda: call(*inputs), list(rows))


A, B = f(4, 6), f(4, 6)
Q, K = f(2, 3, 5, 4), f(2, 3, 7, 4)
ZEROTH = torch.zeros(2, 6, dtype=torch.int64)
LONG = f(1000, 6)
CASES = [
    # elementwise: every operand once, every result once, one FLOP an element
    case("add", torch.add, (A, B), Row(ELEMENTWISE, 2 * 96, 96, 24)),
    case("add with itself reads once", torch.add, (A, A), Row(ELEMENTWISE, 96, 96, 24)),
    case("add scaled", lambda x, y: torch.add(x, y, alpha=3), (A, B), Row(ELEMENTWISE, 192, 96, 48)),
    case("add number", lambda x: x + 1.5, (A,), Row(ELEMENTWISE, 96, 96, 24)),
    case("number minus tensor", lambda x: 1.5 - x, (A,), Row(ELEMENTWISE, 96, 96, 24)),
    case("add in place", lambda x, y: x.add_(y), (f(4, 6), B), Row(ELEMENTWISE, 192, 96, 24)),
    case("mul broadcast", torch.mul, (A, f(6)), Row(ELEMENTWISE, 96 + 24, 96, 24)),
    case("mul expanded counts its storage", lambda x, y: x * y.expand(4, 6), (A, f(1, 6)), Row(ELEMENTWISE, 96 + 24, 96, 24)),
    case("mul wholly expanded", lambda x, y: x * y.expand(4, 6), (A, f(1)), Row(ELEMENTWISE, 96 + 4, 96, 24)),
    case("div in place by column", lambda x, y: x.div_(y), (f(4, 6), f(4, 1)), Row(ELEMENTWISE, 96 + 16, 96, 24)),
    case("exp", torch.exp, (A,), Row(ELEMENTWISE, 96, 96, 24)),
    case("rsqrt is a root and a division", torch.rsqrt, (A,), Row(ELEMENTWISE, 96, 96, 48)),
    case("square is one product", lambda x: x**2, (A,), Row(ELEMENTWISE, 96, 96, 24)),
    case("cube is two", lambda x: x**3, (A,), Row(ELEMENTWISE, 96, 96, 48)),
    case("power 0.7 is one function", lambda x: x**0.7, (A,), Row(ELEMENTWISE, 96, 96, 24)),
    case("clamp below", lambda x: x.clamp(min=1), (A,), Row(ELEMENTWISE, 96, 96, 24)),
    case("clamp both", lambda x: x.clamp(0, 1), (A,), Row(ELEMENTWISE, 96, 96, 48)),
    case("lerp", torch.lerp, (A, B, 0.3), Row(ELEMENTWISE, 192, 96, 72)),
    case("addcmul", torch.addcmul, (A, B, A), Row(ELEMENTWISE, 192, 96, 72)),
    case("where", torch.where, (A > 1, A, B), Row(ELEMENTWISE, 24 + 192, 96)),
    case("compare makes bytes", torch.gt, (A, B), Row(ELEMENTWISE, 192, 24, 24)),
    case("complex product", torch.mul, (torch.rand(4, 6, dtype=torch.complex64),) * 2, Row(ELEMENTWISE, 192, 192, 6 * 24)),
    case("half of a tensor reads half", lambda x: x[:2].exp(), (A,), Row(ELEMENTWISE, 48, 48, 12)),
    case("windows read their storage", lambda x: x.unfold(0, 3, 1).exp(), (f(10),), Row(ELEMENTWISE, 40, 96, 24)),
    case("dropout", lambda x: F.dropout(x, 0.5), (A,), Row(ELEMENTWISE, 0, 96, 24), Row(ELEMENTWISE, 96, 96, 24), Row(ELEMENTWISE, 192, 96, 24)),
    # activations
    case("relu", F.relu, (A,), Row(ELEMENTWISE, 96, 96, 24)),
    case("silu", F.silu, (A,), Row(ELEMENTWISE, 96, 96, 4 * 24)),
    case("gelu", F.gelu, (A,), Row(ELEMENTWISE, 96, 96, 5 * 24)),
    case("gelu tanh", lambda x: F.gelu(x, approximate="tanh"), (A,), Row(ELEMENTWISE, 96, 96, 9 * 24)),
    case("glu reads twice what it writes", F.glu, (A,), Row(ELEMENTWISE, 96, 48, 5 * 12)),
    # reductions
    case("sum", torch.sum, (A,), Row(ELEMENTWISE, 96, 4, 24)),
    case("mean of rows", lambda x: x.mean(1), (A,), Row(ELEMENTWISE, 96, 16, 24 + 4)),
    case("variance of rows", lambda x: x.var(1), (A,), Row(ELEMENTWISE, 96, 16, 72)),
    case("cumsum", lambda x: x.cumsum(0), (A,), Row(ELEMENTWISE, 96, 96, 24)),
    case("mse loss", F.mse_loss, (A, B), Row(ELEMENTWISE, 192, 4, 3 * 24 + 1)),
    case("mse loss unreduced", lambda x, y: F.mse_loss(x, y, reduction="none"), (A, B), Row(ELEMENTWISE, 192, 96, 48)),
    # movement
    case("clone", torch.clone, (A,), Row(MEMORY, 96, 96)),
    case("views cost nothing", lambda x: x.t().view(2, 12)[0, 3:].unsqueeze(0).expand(5, 9).detach(), (f(6, 4).t().contiguous().t(),)),
    case("transposed and made contiguous", lambda x: x.t().contiguous(), (A,), Row(MEMORY, 96, 96)),
    case("to half", lambda x: x.half(), (A,), Row(MEMORY, 96, 48)),
    case("copy reads only its source", lambda x, y: x.copy_(y), (f(4, 6), B), Row(MEMORY, 96, 96)),
    case("cat", lambda x, y: torch.cat([x, y]), (A, f(3, 6)), Row(MEMORY, 96 + 72, 168)),
    case("stack", lambda x, y: torch.stack([x, y]), (A, B), Row(MEMORY, 192, 192)),
    case("zeros", lambda: torch.zeros(4, 6), (), Row(MEMORY, 0, 96)),
    case("zeros like reads nothing", torch.zeros_like, (A,), Row(MEMORY, 0, 96)),
    case("fill reads nothing", lambda x: x.fill_(2.0), (f(4, 6),), Row(MEMORY, 0, 96)),
    case("empty costs nothing", lambda: torch.empty(4, 6), ()),
    case("pad", lambda x: F.pad(x, (1, 1)), (A,), Row(MEMORY, 96, 128)),
    case("nearest upsampling", lambda x: F.interpolate(x, scale_factor=2), (f(1, 2, 3, 3),), Row(MEMORY, 72, 288)),
    # gathers read what they fetch, scatters write what they hit
    case("index select", lambda x, i: x.index_select(0, i), (LONG, ids(5, 7)), Row(MEMORY, 48 + 2 * INDEX, 48)),
    case("advanced index", lambda x, i: x[i], (LONG, ids(5, 7, 7)), Row(MEMORY, 72 + 3 * INDEX, 72)),
    case("gather", lambda x, i: x.gather(1, i), (A, torch.zeros(4, 1, dtype=torch.int64)), Row(MEMORY, 16 + 4 * INDEX, 16)),
    case("scatter", lambda x, i, y: x.scatter_(0, i, y), (LONG.clone(), ZEROTH, f(2, 6)), Row(MEMORY, 48 + 12 * INDEX, 48)),
    case("scatter a number", lambda x, i: x.scatter_(0, i, 1.0), (LONG.clone(), ZEROTH), Row(MEMORY, 12 * INDEX, 48)),
    case("scatter-add", lambda x, i, y: x.scatter_add_(0, i, y), (LONG.clone(), ZEROTH, f(2, 6)), Row(MEMORY, 96 + 12 * INDEX, 48, 12)),
    case("scatter into a copy", lambda x, i, y: x.scatter(0, i, y), (A, ZEROTH, f(2, 6)), Row(MEMORY, 96 + 48 + 12 * INDEX, 96)),
    case("index put", lambda x, i, y: x.index_put_((i,), y), (LONG.clone(), ids(3, 9), f(2, 6)), Row(MEMORY, 48 + 2 * INDEX, 48)),
    case("index put sums", lambda x, i, y: x.index_put_((i,), y, accumulate=True), (LONG.clone(), ids(3, 9), f(2, 6)), Row(MEMORY, 96 + 2 * INDEX, 48, 12)),
    case("index add", lambda x, i, y: x.index_add_(0, i, y), (LONG.clone(), ids(3, 9), f(2, 6)), Row(MEMORY, 96 + 2 * INDEX, 48, 12)),
    case("index copy", lambda x, i, y: x.index_copy_(0, i, y), (LONG.clone(), ids(3, 9), f(2, 6)), Row(MEMORY, 48 + 2 * INDEX, 48)),
    case("index fill", lambda x, i: x.index_fill_(0, i, 0.0), (LONG.clone(), ids(3, 9)), Row(MEMORY, 2 * INDEX, 48)),
    # products
    case("matmul", torch.matmul, (A, f(6, 5)), Row(LINEAR, 96 + 120, 80, 0, 2 * 4 * 6 * 5)),
    case("matmul transposed", lambda x, y: x @ y.t(), (A, f(5, 6)), Row(LINEAR, 96 + 120, 80, 0, 240)),
    case("linear", F.linear, (A, f(5, 6), f(5)), Row(LINEAR, 96 + 120 + 20, 80, 20, 240)),
    case("bmm", torch.bmm, (f(3, 4, 6), f(3, 6, 5)), Row(LINEAR, 288 + 360, 240, 0, 3 * 240)),
    case("bmm with one expanded", lambda x, y: torch.bmm(x, y.expand(3, 6, 5)), (f(3, 4, 6), f(1, 6, 5)), Row(LINEAR, 288 + 120, 240, 0, 720)),
    case("baddbmm", torch.baddbmm, (f(3, 4, 5), f(3, 4, 6), f(3, 6, 5)), Row(LINEAR, 240 + 288 + 360, 240, 60, 720)),
    case("matrix times vector", torch.mv, (A, f(6)), Row(LINEAR, 96 + 24, 16, 0, 48)),
    case("dot", torch.dot, (f(6), f(6)), Row(LINEAR, 48, 4, 0, 12)),
    # (1, 2, 8, 8) by (3, 2, 3, 3): 36 pixels out, 18 terms each
    case("conv", F.conv2d, (f(1, 2, 8, 8), f(3, 2, 3, 3), f(3)), Row(CONV, 512 + 216 + 12, 432, 108, 2 * 36 * 3 * 18)),
    case("conv grouped", lambda x, w: F.conv2d(x, w, groups=2), (f(1, 4, 8, 8), f(6, 2, 3, 3)), Row(CONV, 1024 + 432, 864, 0, 2 * 36 * 6 * 18)),
    case("conv transposed", F.conv_transpose2d, (f(1, 2, 4, 4), f(2, 3, 3, 3)), Row(CONV, 128 + 216, 432, 0, 2 * 16 * 2 * 3 * 9)),
    # 2 · heads 3 · 5 queries · 7 keys · (width 4 + width 4); vector 6 a score
    case("attention", F.scaled_dot_product_attention, (Q, K, K.clone()), Row(ATTENTION, 480 + 2 * 672, 480, 6 * 210, 2 * 210 * 8)),
    case("attention masked", F.scaled_dot_product_attention, (Q, K, K.clone(), f(1, 1, 5, 7)), Row(ATTENTION, 480 + 1344 + 140, 480, 7 * 210, 3360)),
    # norms and softmax: 4 rows of 6
    case("softmax", lambda x: x.softmax(-1), (A,), Row(SOFTMAX, 96, 96, 120)),
    case("log softmax", lambda x: x.log_softmax(-1), (A,), Row(SOFTMAX, 96, 96, 120)),
    case("layer norm", lambda x, w, b: F.layer_norm(x, (6,), w, b), (A, f(6), f(6)), Row(NORM, 96 + 48, 96 + 32, 7 * 24 + 20)),
    case("layer norm bare", lambda x: F.layer_norm(x, (6,)), (A,), Row(NORM, 96, 96 + 32, 5 * 24 + 20)),
    case("group norm", lambda x, w, b: F.group_norm(x, 2, w, b), (f(1, 4, 6), f(4), f(4)), Row(NORM, 96 + 32, 96 + 16, 7 * 24 + 10)),
    case(
        "batch norm in training updates its statistics", lambda x, m, v: F.batch_norm(x, m, v, training=True), (A, f(6), f(6)),
        Row(NORM, 96 + 48, 96 + 48 + 48, 7 * 24 + 30 + 36),
    ),
    case("batch norm in use", lambda x, m, v: F.batch_norm(x, m, v), (f(4, 6), f(6), f(6)), Row(NORM, 96 + 48, 96, 4 * 24 + 18)),
    # look-ups: 3 of 1000 rows of 6
    case("embedding", F.embedding, (ids(1, 5, 9), LONG), Row(EMBEDDING, 72 + 3 * INDEX, 72)),
    case("embedding bag", lambda w, i, o: F.embedding_bag(i, w, o, mode="sum"), (LONG, ids(1, 5, 9), ids(0, 2)),
         Row(EMBEDDING, 72 + 3 * INDEX + 2 * INDEX, 48 + 4 * INDEX, 18)),
    # windows
    case("max pool", lambda x: F.max_pool2d(x, 2), (f(1, 1, 5, 5),), Row(ELEMENTWISE, 100, 16 + 4 * INDEX, 16)),
    case("average pool leaves an edge unread by its windows", lambda x: F.avg_pool2d(x, 2), (f(1, 1, 5, 5),), Row(ELEMENTWISE, 100, 16, 16)),
    case("global average pool", lambda x: F.adaptive_avg_pool2d(x, 2), (f(1, 1, 4, 4),), Row(ELEMENTWISE, 64, 16, 16)),
    # sampling
    case("argmax", lambda x: x.argmax(-1), (A,), Row(SAMPLING, 96, 4 * INDEX, 24)),
    case("topk", lambda x: x.topk(2), (A,), Row(SAMPLING, 96, 32 + 8 * INDEX, 24)),
    case("sort", lambda x: x.sort(), (f(4, 8),), Row(SAMPLING, 128, 128 + 32 * INDEX, 32)),
    case("fourier", torch.fft.fft, (torch.rand(4, 8, dtype=torch.complex64),), Row(ELEMENTWISE, 256, 256, 4 * 5 * 8 * 3)),
    case("result given", lambda x, y, z: torch.add(x, y, out=z), (A, B, f(4, 6)), Row(ELEMENTWISE, 192, 96, 24)),
    case("many at once", lambda x, y: torch._foreach_add_([x, y], 1.0), (f(4, 6), f(3)), Row(ELEMENTWISE, 96 + 12, 108, 27)),
]


def rows_of(call: Callable[[], Any], phase: Phase = Phase.FORWARD) -> list[Row]:
    table = record(call, nn.Module()).table
    chosen = table.rows[table.rows["phase"] == phase]
    return [Row(Kind(r["kind"]), int(r["bytes_read"]), int(r["bytes_written"]), int(r["flops_vector"]), int(r["flops_matrix"])) for r in chosen]


@pytest.mark.parametrize("asked", CASES, ids=lambda c: c.name)
def test_formula_reads_writes_and_flops(asked: Case) -> None:
    with torch.no_grad():
        assert rows_of(asked.call) == asked.rows


X = f(4, 6)
BACKWARD = [
    # gradient of a sum arrives expanded: 4 bytes. Rows are those of backward alone
    case("mul", lambda x, y: (x * y).sum(), (X, B), Row(ELEMENTWISE, 4 + 96, 96, 24)),
    case("relu", lambda x, y: F.relu(x).sum(), (X, B), Row(ELEMENTWISE, 4 + 96, 96, 24)),
    case("silu", lambda x, y: F.silu(x).sum(), (X, B), Row(ELEMENTWISE, 4 + 96, 96, 8 * 24)),
    case("matmul", lambda x, y: (x @ y.t()).sum(), (X, B), Row(LINEAR, 4 + 96, 96, 0, 2 * 4 * 4 * 6)),
    case("softmax", lambda x, y: (x.softmax(-1) * y).sum(), (X, B), Row(ELEMENTWISE, 4 + 96, 96, 24), Row(SOFTMAX, 192, 96, 96)),
    case("layer norm without weights", lambda x, y: F.layer_norm(x, (6,)).sum(), (X, B), Row(NORM, 4 + 96 + 32, 96, 9 * 24)),
    case("slice pads with zeros", lambda x, y: x[:2].sum(), (X, B), Row(MEMORY, 4, 96)),
    case("cat is two views, and a leaf keeps a copy of its own", lambda x, y: torch.cat([x, y]).sum(), (X, B), Row(MEMORY, 4, 96)),
    case("broadcast sums", lambda x, y: (f(5, 4, 6) + x).sum(), (X, B), Row(ELEMENTWISE, 4, 96, 120)),
    case("used twice adds up", lambda x, y: (x * y).sum() + (x + y).sum(), (X, B), Row(ELEMENTWISE, 4 + 96, 96, 24), Row(ELEMENTWISE, 4 + 96, 96, 24)),
    case("max pool reads no input", lambda x, y: F.max_pool2d(x[None, None], 2).sum(), (X, B), Row(ELEMENTWISE, 4 + 6 * INDEX, 96, 24)),
    case("index puts into a copy of zeros", lambda x, y: x[ids(1, 1)].sum(), (X, B), Row(MEMORY, 0, 96), Row(MEMORY, 96 + 4 + 2 * INDEX, 96, 12)),
]  # fmt: skip


@pytest.mark.parametrize("asked", BACKWARD, ids=lambda c: c.name)
def test_formula_backward_reads_writes_and_flops(asked: Case) -> None:
    X.requires_grad_()
    X.grad = None
    assert rows_of(lambda: asked.call().backward(), Phase.BACKWARD) == asked.rows


@pytest.mark.parametrize(
    ("input_needs", "weight_needs", "reads", "products"),
    [(True, False, 432 + 216, 1), (False, True, 432 + 512, 1), (True, True, 432 + 216 + 512, 2)],
)
def test_formula_backward_of_a_convolution_reads_what_its_mask_needs(input_needs: bool, weight_needs: bool, reads: int, products: int) -> None:
    x, weight = f(1, 2, 8, 8).requires_grad_(input_needs), f(3, 2, 3, 3).requires_grad_(weight_needs)
    out = F.conv2d(x, weight)
    gradient = f(1, 3, 6, 6)
    assert rows_of(lambda: out.backward(gradient), Phase.BACKWARD) == [
        Row(CONV, reads, 512 * input_needs + 216 * weight_needs, 0, products * 2 * 36 * 3 * 18)
    ]


def test_formula_tied_weights_count_once_and_their_gradients_add_up() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.into, self.out = nn.Embedding(10, 6), nn.Linear(6, 10, bias=False)
            self.out.weight = self.into.weight

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = self.out(self.into(tokens)).sum()
            return result

    module, tokens = Tied(), ids(1, 2, 3)
    table = record(lambda: module(tokens).backward(), module).table
    assert table.weight_bytes_touched() == 240
    assert int((table.storages["role"] == 0).sum()) == 1
    read = {table.op(i): int(table.rows["bytes_weight"][i]) for i in range(len(table)) if table.rows["phase"][i] == Phase.FORWARD}
    assert read["aten.embedding"] == 3 * 24
    assert read["aten.mm"] == 240
    last = table.rows[-1]  # the gradients of both uses
    assert (int(last["bytes_read"]), int(last["bytes_written"]), int(last["flops_vector"])) == (480, 240, 60)


def test_formula_grouped_product_reads_the_experts_that_its_rows_can_meet() -> None:
    tokens, experts = torch.rand(3, 16, dtype=torch.bfloat16), torch.rand(8, 16, 32, dtype=torch.bfloat16)
    ends = torch.tensor([1, 2, 3, 3, 3, 3, 3, 3], dtype=torch.int32)
    assert rows_of(lambda: F.grouped_mm(tokens, experts, offs=ends)) == [Row(LINEAR, 96 + 3 * 1024 + 32, 192, 0, 2 * 3 * 16 * 32)]


def test_formula_operators_are_the_same_under_inference_mode() -> None:
    """There torch shows composite operators whole; they are taken apart as elsewhere."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(144, 5), nn.LayerNorm(5), nn.Dropout()).eval()
    image = f(2, 3, 8, 8)
    with torch.no_grad():
        plain = list(record(lambda: module(image), module).table.describe())
    with torch.inference_mode():
        inference = list(record(lambda: module(image), module).table.describe())
    assert [(r["op"], r["bytes_read"], r["flops_matrix"]) for r in inference] == [(r["op"], r["bytes_read"], r["flops_matrix"]) for r in plain]


def test_property_more_than_forty_operators_are_checked() -> None:
    ops: set[str] = set()
    for asked in CASES:
        ops |= set(record(asked.call, nn.Module()).table.ops().tolist())
    assert len(ops) >= 60

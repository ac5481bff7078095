"""What calibration runs: small torch calls whose time says what this machine sustains. None has the shape of a validation workload (tested)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import torch
from torch.nn import functional

LINEAR_M: Final = (1, 2, 3, 4, 8, 16, 32, 64, 160, 320, 1000, 2000)
LINEAR_N: Final = (64, 320, 1280, 5120, 32000)
LINEAR_K: Final = (64, 320, 1280, 5120)
BMM_BATCH: Final = (6, 100)
BMM_SIZES: Final = (10, 40, 160)
CONV_TAPS: Final = (1, 9, 49)
CONV_PIXELS: Final = (6 * 6, 15 * 15, 30 * 30, 60 * 60, 120 * 120)
CONV_N: Final = (48, 160, 480)
CONV_K: Final = (3, 48, 160, 480)
ATTENTION_Q: Final = (1, 12, 48, 200, 800)
ATTENTION_K: Final = (24, 96, 400, 1600)
ATTENTION_WIDTH: Final = (16, 80)
STREAM_ELEMENTS: Final = (30, 1_000, 30_000, 250_000, 1_500_000, 6_000_000)
"""The largest is held by no cache, and its result is small enough (24 MB) for the allocator to use again rather than to give back and fault in anew."""
ATTENTION_HEADS: Final = 10
BAG_ROWS: Final = 3_000_000
"""Rows of the table that bags are gathered from: 192 MB at 16 numbers a row, so that a look-up misses every cache."""
MOST_FLOPS: Final = 6e9
"""A probe of more than this would take too long; its rate is taken from the next smaller one."""
COLD_BYTES: Final = 192 * 2**20
"""Weights are read from a pool larger than the caches, as in a model larger than them."""


class Pool:
    """One buffer from which weights are cut at rotating places, so that each call finds its weight in memory, not in cache."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.flat = torch.empty(COLD_BYTES // dtype.itemsize, dtype=torch.float32 if dtype == torch.float32 else dtype).uniform_(-0.05, 0.05)
        self._at = 0

    def take(self, *shape: int) -> torch.Tensor:
        size = 1
        for axis in shape:
            size *= axis
        if self._at + size > self.flat.numel():
            self._at = 0
        weight = self.flat[self._at : self._at + size].view(shape)
        self._at += -(-size // 64) * 64
        return weight


def linear_flops(m: int, n: int, k: int) -> float:
    """FLOPs of a probe; infinite for a weight that does not leave the pool larger than it."""
    return 2.0 * m * n * k if n * k * 4 <= COLD_BYTES else float("inf")


def linear_call(pool: Pool, m: int, n: int, k: int) -> Callable[[], object]:
    """x (m, k) times a cold weight (n, k) transposed."""
    x = torch.randn(m, k).to(pool.flat.dtype)
    return lambda: functional.linear(x, pool.take(n, k))


def bmm_call(dtype: torch.dtype, batch: int, m: int, n: int, k: int) -> Callable[[], object]:
    a, b = torch.randn(batch, m, k).to(dtype), torch.randn(batch, k, n).to(dtype)
    return lambda: torch.bmm(a, b)


def conv_call(taps: int, pixels: int, n: int, k: int) -> Callable[[], object]:
    side, kernel = round(pixels**0.5), round(taps**0.5)
    x, w = torch.randn(1, k, side, side), torch.randn(n, k, kernel, kernel)
    return lambda: functional.conv2d(x, w, padding=kernel // 2)


def attention_tensors(q: int, k: int, width: int, *, grad: bool = False) -> list[torch.Tensor]:
    """Queries, keys and values of ATTENTION_HEADS heads, laid out as projections leave them: tokens before heads."""
    return [torch.randn(1, tokens, ATTENTION_HEADS, width).transpose(1, 2).requires_grad_(grad) for tokens in (q, k, k)]


class Stream(NamedTuple):
    """A call that streams data, and the bytes that it reads and writes as the operator table counts them."""

    name: str
    call: Callable[[], object]
    bytes_moved: int


@functools.cache
def _bag_table() -> torch.Tensor:
    return torch.empty(BAG_ROWS, 16).uniform_(-1.0, 1.0)


def _rms(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    wide = x.to(torch.float32)
    return weight * (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)).to(x.dtype)


def streams(dtype: torch.dtype, count: int) -> Iterator[Stream]:
    """The streaming operators on about `count` elements."""
    size = dtype.itemsize
    width = min(500, count)
    rows = max(1, count // width)
    count = rows * width
    x, y = torch.randn(rows, width).to(dtype), torch.randn(rows, width).to(dtype)
    weight, bias = torch.randn(width).to(dtype), torch.randn(width).to(dtype)
    two, three = 2 * size * count, 3 * size * count
    yield Stream("add", lambda: x + y, three)
    yield Stream("mul", lambda: x * y, three)
    unary: dict[str, Callable[[torch.Tensor], object]] = {
        "neg": torch.neg, "relu": functional.relu, "silu": functional.silu, "gelu": functional.gelu,
        "gelu_tanh": lambda t: functional.gelu(t, approximate="tanh"), "tanh": torch.tanh, "exp": torch.exp, "cos": torch.cos,
    }  # fmt: skip
    for name, function in unary.items():
        yield Stream(name, functools.partial(function, x), two)
    yield Stream("cat", lambda: torch.cat((x, y), 0), 2 * two)
    heads = x.view(rows, -1, 10).transpose(0, 1) if width % 10 == 0 else x.t()
    yield Stream("clone", lambda: heads.clone(memory_format=torch.contiguous_format), two)
    yield Stream("native_layer_norm", lambda: functional.layer_norm(x, (width,), weight, bias), two + 2 * size * width + 8 * rows)
    yield Stream("norm", lambda: _rms(x, weight), two + size * width)
    yield Stream("_softmax", lambda: torch.softmax(x, -1), two)
    if dtype == torch.float32:
        yield Stream("_log_softmax", lambda: torch.log_softmax(x, -1), two)
        yield Stream("fill", lambda: torch.zeros_like(x), count * size)
        yield Stream("sum", lambda: x.sum(0), size * (count + width))
        yield Stream("pow", lambda: x.pow(3.0), two)
        yield Stream("div", lambda: x / 3.0, two)
        yield Stream("sqrt", lambda: y.sqrt(), two)
        yield Stream("lerp", lambda: x.lerp_(y, 0.1), three)
        yield Stream("addcmul", lambda: x.addcmul_(y, y, value=0.1), three)
        yield Stream("addcdiv", lambda: x.addcdiv_(y, y, value=1e-3), three)
        yield Stream("argmax", lambda: x.argmax(-1), size * count + 8 * rows)
        if count >= 1000:
            channels = min(50, width)
            side = max(1, int((count / channels) ** 0.5))
            image = torch.randn(1, channels, side, side)
            stats = [torch.rand(channels) + 0.5 for _ in range(4)]
            moved = 2 * image.numel() * size + 4 * channels * size
            yield Stream("native_batch_norm", lambda: functional.batch_norm(image, stats[0], stats[1], stats[2], stats[3]), moved)
            yield Stream("native_group_norm", lambda: functional.group_norm(image, channels // 5 or 1), 2 * image.numel() * size)
            if side > 4:
                yield Stream("max_pool2d_with_indices", lambda: functional.max_pool2d(image, 3, 2, 1), int(image.numel() * size * 1.75))
                yield Stream("upsample_nearest2d", lambda: functional.interpolate(image, scale_factor=2.0, mode="nearest"), 5 * image.numel() * size)
    if dtype == torch.float32 and count <= 250_000:
        bags = max(1, count // 16)
        big, picks, offsets = _bag_table(), torch.randint(0, BAG_ROWS, (bags,)), torch.arange(bags)
        yield Stream("_embedding_bag_forward_only", lambda: functional.embedding_bag(picks, big, offsets, mode="sum"), bags * (2 * 64 + 16))
    table = torch.randn(max(10, min(200_000, 4 * rows)), width).to(dtype)
    ids = torch.randint(0, len(table), (rows,))
    yield Stream("embedding", lambda: functional.embedding(ids, table), two + 8 * rows)


def norm_backward(count: int) -> tuple[Callable[[], Any], int]:
    """The gradient of a spelled-out RMS norm, and the bytes of its joined row: incoming gradient, input, root, product, weight; two results."""
    width = min(500, count)
    rows = max(1, count // width)
    x, weight = torch.randn(rows, width, requires_grad=True), torch.randn(width, requires_grad=True)
    out = _rms(x, weight)
    grad = torch.randn(rows, width)
    return lambda: torch.autograd.grad(out, (x, weight), grad, retain_graph=True), 4 * (4 * rows * width + rows + 2 * width)

"""Operators that a kernel runs in several steps, taken apart: each step is rounded at its own site, or none where the operator is fused. Imports torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from thrifty.lenses.numerics.auditing.numbers.arithmetic import DRAWING, Arithmetic, wide
from thrifty.lenses.numerics.policy.operators import STEPS

aten = torch.ops.aten


class Steps:
    """The steps of one operator. fused: their results stay in FP64, and what goes out is rounded at the operator's own site."""

    def __init__(self, arithmetic: Arithmetic, name: str, dtype: torch.dtype, *, fused: bool) -> None:
        self.arithmetic, self.name, self.dtype, self.fused = arithmetic, name, dtype, fused

    def point(self, step: str, func: Any, *args: Any) -> Tensor:
        """A pointwise step."""
        if self.fused:
            return wide(func, args, {})
        return self.arithmetic.point(f"aten.{self.name}.{step}", func, *args)

    def sum(self, step: str, x: Tensor, dims: Sequence[int], *, over: int = 1, keepdim: bool = True) -> Tensor:
        """The sum over `dims`, divided by `over`, rounded once."""
        site = f"aten.{self.name}.{step}"
        total = self.arithmetic.add_up(site, x, dims)
        if over != 1:
            total = total.to(torch.float64) / over
        if keepdim:
            total = total.reshape([1 if axis in dims else size for axis, size in enumerate(x.shape)])
        return total.to(torch.float64) if self.fused else self.arithmetic.round(total, site, self.dtype)

    def product(self, step: str, a: Tensor, b: Tensor, scale: float = 1.0) -> Tensor:
        """a @ b, times a factor, rounded once."""
        site = f"aten.{self.name}.{step}"
        made = self.arithmetic.multiply(site, a, b)
        if scale != 1.0:
            made = made.to(torch.float64) * scale
        return made.to(torch.float64) if self.fused else self.arithmetic.round(made, site, self.dtype, own=True)

    def out(self, x: Tensor) -> Tensor:
        """What goes out."""
        return self.arithmetic.round(x, f"aten.{self.name}", self.dtype) if self.fused else x

    def of_one(self, x: Tensor, key: Any, last: str, steps: Callable[[Tensor], Tensor]) -> Tensor:
        """A chain of steps of one number that ends with step `last`: at fast speed one look-up."""
        held = self.arithmetic
        sites = [f"aten.{self.name}"] if self.fused else [f"aten.{self.name}.{step}" for step in STEPS[self.name]]
        site = sites[0] if self.fused else f"aten.{self.name}.{last}"
        if held.fast and x.dtype == torch.float32 and held.place(site).quick and not any(held.rounding(each).mode in DRAWING for each in sites):
            found = held.unary(site, ("steps", key, self.fused), x, held.rounding(site).spec, lambda codes: self._exactly(codes, steps))
            if found is not None:
                return found
        return steps(x)

    def _exactly(self, codes: Tensor, steps: Callable[[Tensor], Tensor]) -> Tensor:
        held, self.arithmetic.fast = self.arithmetic.fast, False
        try:
            return steps(codes)
        finally:
            self.arithmetic.fast = held


def softmax(m: Steps, x: Tensor, dim: int, *_: Any) -> Tensor:
    dim %= max(x.dim(), 1)
    if x.numel() == 0 or x.dim() == 0:
        return m.out(x * 0 + 1)
    e = m.point("exp", aten.exp.default, m.point("sub", aten.sub.Tensor, x, x.amax(dim, keepdim=True)))
    return m.out(m.point("div", aten.div.Tensor, e, m.sum("sum", e, [dim])))


def softmax_backward(m: Steps, grad: Tensor, y: Tensor, dim: int, *_: Any) -> Tensor:
    """y (g - Σ g y)."""
    dim %= max(y.dim(), 1)
    dot = m.sum("dot", m.point("mul", aten.mul.Tensor, grad, y), [dim])
    return m.out(m.point("out", aten.mul.Tensor, y, m.point("sub", aten.sub.Tensor, grad, dot)))


def log_softmax(m: Steps, x: Tensor, dim: int, *_: Any) -> Tensor:
    dim %= max(x.dim(), 1)
    s = m.point("sub", aten.sub.Tensor, x, x.amax(dim, keepdim=True))
    total = m.sum("sum", m.point("exp", aten.exp.default, s), [dim])
    return m.out(m.point("out", aten.sub.Tensor, s, m.point("log", aten.log.default, total)))


def log_softmax_backward(m: Steps, grad: Tensor, y: Tensor, dim: int, *_: Any) -> Tensor:
    """g - e^y Σ g."""
    dim %= max(y.dim(), 1)
    total = m.sum("sum", grad, [dim])
    return m.out(m.point("out", aten.sub.Tensor, grad, m.point("mul", aten.mul.Tensor, m.point("exp", aten.exp.default, y), total)))


def logsumexp(m: Steps, x: Tensor, dims: Sequence[int], keepdim: bool = False) -> Tensor:
    dims = sorted(axis % x.dim() for axis in dims)
    largest = x.amax(dims, keepdim=True)
    largest = torch.where(largest.isinf(), torch.zeros_like(largest), largest)
    e = m.point("exp", aten.exp.default, m.point("sub", aten.sub.Tensor, x, largest))
    out = m.point("out", aten.add.Tensor, m.point("log", aten.log.default, m.sum("sum", e, dims)), largest)
    return m.out(out if keepdim else out.reshape([size for axis, size in enumerate(x.shape) if axis not in dims]))


def normalise(m: Steps, x: Tensor, dims: Sequence[int], eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(x - mean) / √(var + eps) over dims; mean, 1 / √(var + eps), var; axes kept."""
    count = math.prod(x.shape[axis] for axis in dims)
    mean = m.sum("mean", x, dims, over=count)
    centred = m.point("sub", aten.sub.Tensor, x, mean)
    var = m.sum("var", m.point("square", aten.mul.Tensor, centred, centred), dims, over=count)
    rstd = m.point("rsqrt", _rsqrt, m.point("eps", aten.add.Scalar, var, eps))
    return m.point("mul", aten.mul.Tensor, centred, rstd), mean, rstd, var


def _rsqrt(x: Tensor) -> Tensor:
    return 1.0 / x.sqrt()


def affine(m: Steps, x: Tensor, weight: Tensor | None, bias: Tensor | None, shape: Sequence[int]) -> Tensor:
    if weight is not None:
        x = m.point("weight", aten.mul.Tensor, x, weight.reshape(shape))
    if bias is not None:
        x = m.point("out", aten.add.Tensor, x, bias.reshape(shape))
    return m.out(x)


def layer_norm(m: Steps, x: Tensor, shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    dims = list(range(x.dim() - len(shape), x.dim()))
    held, mean, rstd, _ = normalise(m, x, dims, eps)
    return affine(m, held, weight, bias, list(shape)), m.out(mean), m.out(rstd)


def layer_norm_backward(
    m: Steps, grad: Tensor, x: Tensor, shape: Sequence[int], mean: Tensor, rstd: Tensor, weight: Tensor | None, bias: Tensor | None, wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:  # fmt: skip
    """dx = rstd (g - mean(g) - x̂ mean(g x̂)) with g = dy·weight; the weight's is Σ dy x̂, the bias's Σ dy."""
    first = x.dim() - len(shape)
    dims, rows = list(range(first, x.dim())), list(range(first))
    count = math.prod(shape)
    held = m.point("mul", aten.mul.Tensor, m.point("sub", aten.sub.Tensor, x, mean), rstd)
    dx = None
    if wanted[0]:
        g = grad if weight is None else m.point("weight", aten.mul.Tensor, grad, weight)
        dot = m.sum("dot", m.point("mul", aten.mul.Tensor, g, held), dims, over=count)
        centred = m.point("sub", aten.sub.Tensor, g, m.sum("mean", g, dims, over=count))
        centred = m.point("sub", aten.sub.Tensor, centred, m.point("mul", aten.mul.Tensor, held, dot))
        dx = m.out(m.point("out", aten.mul.Tensor, centred, rstd))
    dweight = m.out(m.sum("dweight", m.point("mul", aten.mul.Tensor, grad, held), rows, keepdim=False)) if wanted[1] and weight is not None else None
    return dx, dweight, m.out(m.sum("dbias", grad, rows, keepdim=False)) if wanted[2] and bias is not None else None


def group_norm(
    m: Steps, x: Tensor, weight: Tensor | None, bias: Tensor | None, n: int, c: int, hw: int, groups: int, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    held, mean, rstd, _ = normalise(m, x.reshape(n, groups, -1), [2], eps)
    shape = [1, c, *([1] * (x.dim() - 2))]
    return affine(m, held.reshape(x.shape), weight, bias, shape), m.out(mean).reshape(n, groups), m.out(rstd).reshape(n, groups)


def gelu(m: Steps, x: Tensor, approximate: str = "none") -> Tensor:
    def steps(x: Tensor) -> Tensor:
        if approximate == "tanh":
            inside = m.point("erf", aten.tanh.default, m.point("arg", _tanh_argument, x))
        else:
            inside = m.point("erf", aten.erf.default, m.point("arg", aten.mul.Scalar, x, math.sqrt(0.5)))
        return m.out(m.point("out", _half_product, m.point("add", aten.add.Scalar, inside, 1.0), x))

    return m.of_one(x, approximate, "out", steps)


def gelu_backward(m: Steps, grad: Tensor, x: Tensor, *, approximate: str = "none") -> Tensor:
    """g (Φ(x) + x φ(x)); by tanh, its derivative."""

    def slope(x: Tensor) -> Tensor:
        if approximate == "tanh":
            inside = m.point("erf", aten.tanh.default, m.point("arg", _tanh_argument, x))
            density = m.point("pdf", _tanh_density, x, inside)
        else:
            inside = m.point("erf", aten.erf.default, m.point("arg", aten.mul.Scalar, x, math.sqrt(0.5)))
            density = m.point("pdf", _density, x)
        return m.point("add", _half_more, inside, density)

    held = slope(x) if m.fused else m.of_one(x, approximate, "add", slope)
    return m.out(m.point("out", aten.mul.Tensor, grad, held))


def _tanh_argument(x: Tensor) -> Tensor:
    return math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)


def _tanh_density(x: Tensor, inside: Tensor) -> Tensor:
    return 0.5 * x * (1 - inside * inside) * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x * x)


def _density(x: Tensor) -> Tensor:
    return x * torch.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


def _half_product(a: Tensor, b: Tensor) -> Tensor:
    return a * (0.5 * b)


def _half_more(inside: Tensor, density: Tensor) -> Tensor:
    return 0.5 * (1 + inside) + density


def silu(m: Steps, x: Tensor) -> Tensor:
    return m.of_one(x, "", "out", lambda x: m.out(m.point("out", aten.mul.Tensor, m.point("sigmoid", aten.sigmoid.default, x), x)))


def silu_backward(m: Steps, grad: Tensor, x: Tensor) -> Tensor:
    """g s (1 + x (1 - s)) with s the sigmoid."""

    def slope(x: Tensor) -> Tensor:
        s = m.point("sigmoid", aten.sigmoid.default, x)
        rest = m.point("add", aten.add.Scalar, m.point("mul", aten.mul.Tensor, x, m.point("sub", _one_less, s)), 1.0)
        return m.point("mul", aten.mul.Tensor, s, rest)

    held = slope(x) if m.fused else m.of_one(x, "", "mul", slope)
    return m.out(m.point("out", aten.mul.Tensor, grad, held))


def _one_less(x: Tensor) -> Tensor:
    return 1.0 - x


def mse_loss(m: Steps, x: Tensor, target: Tensor, reduction: int = 1) -> Tensor:
    difference = m.point("sub", aten.sub.Tensor, x, target)
    square = m.point("square", aten.mul.Tensor, difference, difference)
    if reduction == 0:
        return m.out(square)
    return m.out(m.sum("out", square, list(range(square.dim())), over=square.numel() if reduction == 1 else 1, keepdim=False))


def var(m: Steps, x: Tensor, dims: Sequence[int] | None = None, *, correction: float | None = 1, keepdim: bool = False) -> Tensor:
    dims = sorted(axis % x.dim() for axis in dims) if dims else list(range(x.dim()))
    count = math.prod(x.shape[axis] for axis in dims)
    centred = m.point("sub", aten.sub.Tensor, x, m.sum("mean", x, dims, over=count))
    over = max(count - (1 if correction is None else correction), 0)
    total = m.arithmetic.add_up("aten.var.square", m.point("square", aten.mul.Tensor, centred, centred), dims).to(torch.float64) / over
    total = total.reshape([1 if axis in dims else size for axis, size in enumerate(x.shape)]) if keepdim else total
    return m.arithmetic.round(total, "aten.var", m.dtype)

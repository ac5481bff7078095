"""Operators that are sums, products or several steps. Imports torch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from thrifty.errors import BadValue
from thrifty.lenses.numerics.auditing.numbers.arithmetic import dtype_of, wide
from thrifty.lenses.numerics.auditing.numbers.rounding import SPECS
from thrifty.lenses.numerics.auditing.numbers.values import float_tensors
from thrifty.lenses.numerics.auditing.operators import attending, steps
from thrifty.lenses.numerics.auditing.operators.convolving import convolve, convolve_transposed, weight_gradient
from thrifty.lenses.numerics.auditing.operators.single import point
from thrifty.lenses.numerics.auditing.operators.writing import written
from thrifty.lenses.numerics.policy.operators import plain_name

if TYPE_CHECKING:
    from thrifty.lenses.numerics.auditing.mode import Emulation

aten = torch.ops.aten

TAKEN_APART: Final[dict[str, Callable[..., Any]]] = {
    "softmax": steps.softmax, "softmax_backward": steps.softmax_backward, "log_softmax": steps.log_softmax,
    "log_softmax_backward": steps.log_softmax_backward, "logsumexp": steps.logsumexp, "layer_norm": steps.layer_norm,
    "layer_norm_backward": steps.layer_norm_backward, "group_norm": steps.group_norm, "gelu": steps.gelu, "gelu_backward": steps.gelu_backward,
    "silu": steps.silu, "silu_backward": steps.silu_backward, "mse_loss": steps.mse_loss, "var": steps.var,
}  # fmt: skip


def product(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    a, b = mode.taken(args[0]), mode.taken(args[1])
    if a.dtype not in SPECS:
        return func(a, b)
    site = f"aten.{plain_name(func._schema.name.removeprefix('aten::'))}"
    return mode.arithmetic.round(mode.arithmetic.multiply(site, a, b), site, torch.promote_types(a.dtype, b.dtype), own=True)


def add_product(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """beta · bias + alpha · (a @ b): added to the sum before that is rounded, as the end of a matrix kernel does."""
    bias, a, b = (mode.taken(each) for each in args[:3])
    if a.dtype not in SPECS:
        return func(bias, a, b, **kwargs)
    site = f"aten.{plain_name(func._schema.name.removeprefix('aten::'))}"
    beta, alpha = kwargs.get("beta", 1), kwargs.get("alpha", 1)
    made = mode.arithmetic.multiply(site, a, b)
    if beta == alpha == 1 and (quick := mode.arithmetic.add_row(site, made, bias)) is not None:
        return quick
    made = made.to(torch.float64)
    made = made * alpha if alpha != 1 else made
    made = made + (bias.to(torch.float64) * beta if beta != 1 else bias) if beta != 0 else made
    return mode.arithmetic.round(made, site, torch.promote_types(a.dtype, b.dtype))


def add_up(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    x = mode.taken(args[0])
    if x.dtype not in SPECS:
        return point(f"aten.{plain_name(func._schema.name.removeprefix('aten::'))}", mode, func, args, kwargs)
    site = f"aten.{plain_name(func._schema.name.removeprefix('aten::'))}"
    dims, keepdim = _dims(x, args[1] if len(args) > 1 else kwargs.get("dim")), args[2] if len(args) > 2 else kwargs.get("keepdim", False)
    total = mode.arithmetic.add_up(site, x, dims)
    if site == "aten.mean":
        count = 1
        for axis in dims:
            count *= x.shape[axis]
        total = total.to(torch.float64) / count
    if keepdim:
        total = total.reshape([1 if axis in dims else size for axis, size in enumerate(x.shape)])
    return mode.arithmetic.round(total, site, dtype_of(func, [x], args, kwargs))


def _dims(x: Tensor, said: Any) -> list[int]:
    if said is None or (isinstance(said, list | tuple) and not said):
        return list(range(x.dim()))
    held = said if isinstance(said, list | tuple) else [said]
    return sorted(axis % x.dim() for axis in held) if x.dim() else []


def norm(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """√Σx²: the squares' sum is kept as said, its root is rounded once. Other norms are one operation."""
    x, order = mode.taken(args[0]), args[1] if len(args) > 1 else 2
    if order != 2:
        return point("aten.linalg_vector_norm", mode, func, args, kwargs)
    held = x.to(torch.float64)
    dims = _dims(x, args[2] if len(args) > 2 else kwargs.get("dim"))
    total = mode.arithmetic.add_up("aten.linalg_vector_norm", held * held, dims).to(torch.float64)
    if args[3] if len(args) > 3 else kwargs.get("keepdim", False):
        total = total.reshape([1 if axis in dims else size for axis, size in enumerate(x.shape)])
    return mode.arithmetic.round(total.sqrt(), "aten.linalg_vector_norm", dtype_of(func, [x], args, kwargs))


def nll(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """Mean or sum of −log p of the targets; the count that it is divided by is not rounded."""
    logp, target, weight, reduction, ignored = args
    if weight is not None or reduction == 0 or logp.dim() != 2:
        made = wide(func, mode.taken(args), {})
        return mode.arithmetic.round(made[0], "aten.nll_loss_forward", logp.dtype), made[1].to(logp.dtype)
    kept = target != ignored
    picked = -mode.taken(logp).gather(1, torch.where(kept, target, torch.zeros_like(target)).unsqueeze(1)).squeeze(1)[kept]
    total, count = mode.arithmetic.add_up("aten.nll_loss_forward", picked, [0]).to(torch.float64), int(kept.sum())
    if reduction == 1:
        total = total / count
    return mode.arithmetic.round(total, "aten.nll_loss_forward", logp.dtype), torch.tensor(float(count), dtype=logp.dtype)


def apart(name: str, mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    args, kwargs = mode.taken(args), mode.taken(kwargs)
    tensors = float_tensors(args)
    if not tensors or tensors[0].numel() == 0:
        return point(f"aten.{name}", mode, func, args, kwargs)
    return TAKEN_APART[name](mode.steps(name, dtype_of(func, tensors, (), {})), *args, **kwargs)


def attend(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    args, kwargs = mode.taken(args), mode.taken(kwargs)
    backward = "backward" in func._schema.name
    names = [each.name for each in func._schema.arguments]
    given = dict(zip(names, args, strict=False)) | kwargs
    if given.get("dropout_p", 0.0):
        raise BadValue(f"dropout_p={given['dropout_p']} within fused attention draws inside the kernel. Write attention out, or set dropout to 0.")
    if not func._schema.name.endswith(("flash_attention_for_cpu", "flash_attention_for_cpu_backward")):
        raise BadValue(f"{func._schema.name} is an attention kernel whose steps are not known here. Run on the CPU, or write attention out.")
    m = mode.steps("scaled_dot_product_attention", given["query"].dtype)
    more = {"attn_mask": given.get("attn_mask"), "scale": given.get("scale")}
    if backward:
        return attending.attend_backward(m, given["grad_out"], given["query"], given["key"], given["value"], given["out"], given["logsumexp"], 0.0,
                                         given["is_causal"], **more)  # fmt: skip
    return attending.attend(m, given["query"], given["key"], given["value"], 0.0, given.get("is_causal", False), **more)


def convolution(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    x, weight, bias, stride, padding, dilation, transposed, extra, groups = mode.taken(args)
    stride, padding, dilation, extra = (_each(value, weight.dim() - 2) for value in (stride, padding, dilation, extra))
    multiply = functools.partial(mode.arithmetic.multiply, "aten.convolution")
    if transposed:
        made = convolve_transposed(x, weight, stride, padding, dilation, extra, groups, multiply)
    else:
        made = convolve(x, weight, stride, [(each, each) for each in padding], dilation, groups, multiply)
    if bias is not None:
        made = made.to(torch.float64) + bias.reshape([1, -1, *([1] * (weight.dim() - 2))])
    return mode.arithmetic.round(made, "aten.convolution", torch.promote_types(x.dtype, weight.dtype))


def convolution_backward(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    grad, x, weight, _, stride, padding, dilation, transposed, extra, groups, wanted = mode.taken(args)
    held, site = mode.arithmetic, "aten.convolution_backward"
    axes = weight.dim() - 2
    stride, padding, dilation, extra = (_each(value, axes) for value in (stride, padding, dilation, extra))
    multiply = functools.partial(held.multiply, site)
    dx = dweight = dbias = None
    if wanted[0]:
        if transposed:
            dx = convolve(grad, weight, stride, [(each, each) for each in padding], dilation, groups, multiply)
        else:
            whole = [(size + 2 * pad - each * (tap - 1) - 1) % step
                     for size, pad, each, tap, step in zip(x.shape[2:], padding, dilation, weight.shape[2:], stride, strict=True)]  # fmt: skip
            dx = convolve_transposed(grad, weight, stride, padding, dilation, whole, groups, multiply)
        dx = held.round(dx, site, x.dtype)
    if wanted[1]:
        pair = (x, grad) if transposed else (grad, x)
        dweight = held.round(weight_gradient(*pair, weight.shape[2:], stride, padding, dilation, groups, multiply), site, weight.dtype)
    if wanted[2]:
        dbias = held.round(held.add_up(site, grad, [0, *range(2, grad.dim())]), site, grad.dtype)
    return dx, dweight, dbias


def _each(said: Sequence[int], axes: int) -> list[int]:
    return list(said) if len(said) == axes else list(said) * axes


def batch_norm(mode: Emulation, func: Any, args: Any, kwargs: Any) -> Any:
    """Means over batch and places; running ones are old · (1 − momentum) + new · momentum, rounded once."""
    if "backward" in func._schema.name:
        return point("aten.batch_norm_backward", mode, func, args, kwargs)
    given = dict(zip([each.name for each in func._schema.arguments], args, strict=False)) | kwargs
    x, weight, bias = (mode.taken(given.get(name)) for name in ("input", "weight", "bias"))
    m = mode.steps("batch_norm", x.dtype)
    shape, dims = [1, x.shape[1], *([1] * (x.dim() - 2))], [0, *range(2, x.dim())]
    kept, moving = given.get("running_mean"), given.get("running_var")
    if not given["training"]:
        rstd = m.point("rsqrt", steps._rsqrt, m.point("eps", aten.add.Scalar, mode.taken(moving).reshape(shape), given["eps"]))
        held = m.point("mul", aten.mul.Tensor, m.point("sub", aten.sub.Tensor, x, mode.taken(kept).reshape(shape)), rstd)
        return steps.affine(m, held, weight, bias, shape), x.new_zeros(0), x.new_zeros(0)
    held, mean, rstd, var = steps.normalise(m, x, dims, given["eps"])
    count, momentum = x.numel() // x.shape[1], given["momentum"]
    for target, new, factor in ((kept, mean, 1.0), (moving, var, count / max(count - 1, 1))):
        if target is not None:
            made = mode.taken(target).to(torch.float64) * (1 - momentum) + new.reshape(-1).to(torch.float64) * (factor * momentum)
            written(mode, target, mode.arithmetic.round(made, "aten.batch_norm", target.dtype))
    return steps.affine(m, held, weight, bias, shape), m.out(mean).reshape(-1), m.out(rstd).reshape(-1)

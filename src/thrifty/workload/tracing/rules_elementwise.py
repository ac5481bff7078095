"""Rules of elementwise arithmetic and reductions: vector FLOPs per element, for the textbook formula of each function."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import torch

from thrifty.workload.counts import ACTIVATION_FLOPS, BACKWARD_ACTIVATION_FLOPS
from thrifty.workload.table import Kind
from thrifty.workload.tracing.rules import RULES, Cost, Rule, elements

PER_OUTPUT: Final[dict[int, str]] = {
    0: "where masked_fill logical_not logical_and logical_or logical_xor bitwise_not bitwise_and bitwise_or bitwise_xor isnan isinf isfinite "
    "isin __and__ __or__ "
    "view_as_real polar complex",
    1: "add sub rsub mul div neg abs sign reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan atan atan2 erf erfc erfinv floor ceil "
    "round trunc frac fmod remainder "
    "floor_divide pow square eq ne lt le gt ge maximum minimum fmax fmin clamp_min clamp_max asin acos sinh cosh asinh acosh atanh sqrt "
    "bernoulli cumsum cumprod logcumsumexp cummax cummin bitwise_left_shift bitwise_right_shift __lshift__ __rshift__ nextafter copysign "
    "heaviside xlogy "
    "hypot conj angle real imag sgn nan_to_num native_dropout dropout",
    2: "rsqrt hardtanh relu6 logit native_dropout_backward hardtanh_backward addr",
    3: "lerp addcmul addcdiv logaddexp",
    4: "elu celu selu softplus logsigmoid log_sigmoid_forward",
    5: "glu",
}
"""By number of FLOPs for each element written. A multiply by a scalar inside add(alpha) counts in `_scaled_add`."""

LOSSES: Final[dict[str, int]] = {
    "mse_loss": 2,  # subtract, square
    "l1_loss": 2,  # subtract, magnitude
    "smooth_l1_loss": 4,  # subtract, magnitude, compare, square or subtract
    "huber_loss": 4,
    "binary_cross_entropy": 6,  # two logarithms, their complement, two products, a sum
    "binary_cross_entropy_with_logits": 7,  # (1 − target) · x − log sigmoid x, the last of them 4
    "soft_margin_loss": 4,
}
"""By number of FLOPs for each element compared; a sum or mean over them is one more, a mean divides once."""

PER_INPUT: Final[dict[int, str]] = {
    1: "sum mean amax amin max min prod any all nansum count_nonzero aminmax median nanmedian equal",
    2: "norm linalg_vector_norm dist _fused_moving_avg_obs_fq_helper",
    3: "logsumexp std var var_mean std_mean",
}
"""By number of FLOPs for each element read; the mean also divides once for each result."""

POOLING: Final = {
    1: "avg_pool1d max_pool1d",
    2: "max_pool2d_with_indices avg_pool2d max_pool2d",
    3: "max_pool3d_with_indices avg_pool3d",
}
"""By number of axes of the window."""
ADAPTIVE_POOLING: Final = "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d adaptive_max_pool3d adaptive_avg_pool1d adaptive_max_pool1d"
INTERPOLATION: Final = (
    "upsample_bilinear2d upsample_bicubic2d upsample_linear1d upsample_trilinear3d "
    "_upsample_bilinear2d_aa _upsample_bicubic2d_aa grid_sampler_2d upsample_bilinear2d_backward"
)
POOLING_BACKWARD: Final = (
    "max_pool2d_with_indices_backward max_pool3d_with_indices_backward avg_pool2d_backward avg_pool3d_backward _adaptive_avg_pool2d_backward "
    "_adaptive_avg_pool3d_backward adaptive_max_pool2d_backward adaptive_max_pool3d_backward"
)
NEAREST_BACKWARD: Final = (
    "upsample_nearest1d_backward upsample_nearest2d_backward upsample_nearest3d_backward _upsample_nearest_exact1d_backward "
    "_upsample_nearest_exact2d_backward _upsample_nearest_exact3d_backward col2im"
)
"""The gradient of a copy is a sum over what was copied."""


def _count(out: Any) -> int:
    if isinstance(out, torch.Tensor):
        return int(out.numel())
    if isinstance(out, (list, tuple)):
        return _count(out[0]) if out and isinstance(out[0], torch.Tensor) else 0
    return 0


def _per_output(flops: int) -> Rule:
    def cost(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
        count = _count(out)
        return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, flops * count)

    return cost


def _per_input(flops: int, *, divide: bool = False) -> Rule:
    def cost(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
        count = _count(out)
        return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, flops * a[0].numel() + (count if divide else 0))

    return cost


def _arithmetic(flops: int, of_complex: int) -> Rule:
    """`flops` a number, `of_complex` a complex number."""

    def cost(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
        count = _count(out)
        return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, (of_complex if out.is_complex() else flops) * count)

    return cost


def _scaled_add(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """One more where it scales: alpha is a keyword beside a tensor, the third argument beside a number."""
    count = _count(out)
    alpha = kw.get("alpha", a[2] if len(a) > 2 else 1)
    return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, ((1 if alpha == 1 else 2) << out.is_complex()) * count)


def _clamp(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """A comparison for each bound."""
    count = _count(out)
    low, high = (a[1] if len(a) > 1 else kw.get("min")), (a[2] if len(a) > 2 else kw.get("max"))
    return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, ((low is not None) + (high is not None)) * count)


def _loss(flops: int) -> Rule:
    """(prediction, target, …, reduction = 1): none 0, mean 1, sum 2; where the result is one number, the elements are summed."""

    def cost(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
        compared, count = a[0].numel(), _count(out)
        reduced = out.dim() == 0 and a[0].dim() > 0
        return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, (flops + reduced) * compared + reduced)

    return cost


def _fourier(flops: float) -> Rule:
    """`flops` · N log2 N of each transform: 5 for complex numbers, half where the input or the result is real."""

    def cost(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
        whole = a[0] if a[0].numel() >= out.numel() else out
        length = elements([whole.shape[axis] for axis in a[1]])
        per_transform = flops * length * math.log2(length) if length > 1 else 0.0
        return Cost(Kind.ELEMENTWISE, (1, _count(out), 0, 0), 0, round(whole.numel() // max(length, 1) * per_transform))

    return cost


def _pow(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """A whole power p takes p − 1 multiplies, any other one function."""
    count = _count(out)
    power = a[1] if len(a) > 1 else 2
    times = int(power) - 1 if isinstance(power, (int, float)) and 2 <= power <= 8 and power == int(power) else 1
    return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, times * count)


def _gelu_name(kw: dict[str, Any]) -> str:
    return "gelu_tanh" if kw.get("approximate", "none") == "tanh" else "gelu"


def _gelu(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    count = _count(out)
    return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, ACTIVATION_FLOPS[_gelu_name(kw)] * count)


def _gelu_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    count = _count(out)
    return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, BACKWARD_ACTIVATION_FLOPS[_gelu_name(kw)] * count)


def _pool(axes: int) -> Rule:
    """The elements of a window once for each result."""

    def cost(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
        count = _count(out)
        kernel = list(a[1]) if isinstance(a[1], (list, tuple)) else [a[1]]
        return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, count * elements(kernel if len(kernel) == axes else kernel * axes))

    return cost


def _adaptive_pool(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """Every element of the input once."""
    return Cost(Kind.ELEMENTWISE, (1, _count(out), 0, 0), 0, a[0].numel())


def _pool_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """Adds the gradient to (each of) its sources; of the input only the shape is used."""
    count = _count(out)
    return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, count, reads={1: 0})


def _nll(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """Picks one number a row."""
    rows = a[1].numel()
    return Cost(Kind.ELEMENTWISE, (1, rows, 0, 0), 0, 2 * rows, reads={0: rows * a[0].element_size()})


def _nll_backward(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """Writes zeros and one number a row; of the log-probabilities only the shape is used."""
    return Cost(Kind.ELEMENTWISE, (1, _count(out), 0, 0), 0, a[2].numel(), reads={1: 0})


def _foreach(flops: int) -> Rule:
    def cost(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
        count = sum(t.numel() for t in a[0])
        return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, flops * count)

    return cost


def _fused_adamw(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    from thrifty.workload.counts import ADAMW_FLOPS

    count = sum(t.numel() for t in a[0])
    return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, ADAMW_FLOPS * count)


def _fill() -> None:
    for flops, names in PER_OUTPUT.items():
        for name in names.split():
            RULES[f"aten.{name}"] = _per_output(flops)
            RULES[f"aten._foreach_{name}"] = _foreach(flops)
    for flops, names in PER_INPUT.items():
        for name in names.split():
            RULES[f"aten.{name}"] = _per_input(flops, divide=name == "mean")
            RULES[f"aten._foreach_{name}"] = _foreach(flops)
    for name, flops in ACTIVATION_FLOPS.items():
        RULES[f"aten.{name}"] = _per_output(flops)
    for name, flops in BACKWARD_ACTIVATION_FLOPS.items():
        RULES[f"aten.{name}_backward"] = _per_output(flops)
    for axes, names in POOLING.items():
        for name in names.split():
            RULES[f"aten.{name}"] = _pool(axes)
    for name in ADAPTIVE_POOLING.split():
        RULES[f"aten.{name}"] = _adaptive_pool
    for name in POOLING_BACKWARD.split():
        RULES[f"aten.{name}"] = _pool_backward
    for name in NEAREST_BACKWARD.split():
        RULES[f"aten.{name}"] = _per_input(1)
    for name, flops in LOSSES.items():
        RULES[f"aten.{name}"] = _loss(flops)
    for name, factor in (("_fft_c2c", 5.0), ("_fft_r2c", 2.5), ("_fft_c2r", 2.5)):
        RULES[f"aten.{name}"] = _fourier(factor)
    for name in INTERPOLATION.split():
        RULES[f"aten.{name}"] = _per_output(7)
    for name in ("add", "sub", "rsub"):
        RULES[f"aten.{name}"] = _scaled_add
    for name in ("leaky_relu", "elu", "softplus", "mse_loss", "hardswish", "hardsigmoid", "logit", "smooth_l1_loss", "huber_loss"):
        RULES[f"aten.{name}_backward"] = _per_output(3)
    RULES["aten.glu_backward"] = _per_output(6)
    RULES["aten.mul"] = _arithmetic(1, 6)
    RULES["aten.div"] = _arithmetic(1, 11)
    RULES["aten.clamp"] = _clamp
    RULES["aten.pow"] = _pow
    RULES["aten.gelu"] = _gelu
    RULES["aten.gelu_backward"] = _gelu_backward
    for name in ("nll_loss_forward", "nll_loss2d_forward"):
        RULES[f"aten.{name}"] = _nll
    for name in ("nll_loss_backward", "nll_loss2d_backward"):
        RULES[f"aten.{name}"] = _nll_backward
    for name in ("_fused_adamw_", "_fused_adam_"):
        RULES[f"aten.{name}"] = _fused_adamw


_fill()

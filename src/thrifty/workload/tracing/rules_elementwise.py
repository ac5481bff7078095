"""Rules of elementwise arithmetic and reductions: vector FLOPs per element, for the textbook formula of each function."""

from __future__ import annotations

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
    2: "rsqrt clamp hardtanh relu6 threshold_backward_2 mse_loss l1_loss logit glu_2 native_dropout_backward hardtanh_backward",
    3: "lerp addcmul addcdiv smooth_l1_loss huber_loss logaddexp",
    4: "elu celu selu softplus glu binary_cross_entropy binary_cross_entropy_with_logits logsigmoid log_sigmoid_forward",
}
"""By number of FLOPs for each element written. A multiply by a scalar inside add(alpha) counts in `_scaled_add`."""

PER_INPUT: Final[dict[int, str]] = {
    1: "sum mean amax amin max min prod any all nansum count_nonzero aminmax logsumexp_1 median nanmedian",
    2: "norm linalg_vector_norm dist _fused_moving_avg_obs_fq_helper",
    3: "logsumexp std var var_mean std_mean",
}
"""By number of FLOPs for each element read; the mean also divides once for each result."""

POOLING: Final = (
    "max_pool2d_with_indices max_pool3d_with_indices avg_pool1d avg_pool2d avg_pool3d "
    "_adaptive_avg_pool2d _adaptive_avg_pool3d adaptive_max_pool2d max_pool2d"
)
INTERPOLATION: Final = (
    "upsample_bilinear2d upsample_bicubic2d upsample_linear1d upsample_trilinear3d "
    "_upsample_bilinear2d_aa _upsample_bicubic2d_aa grid_sampler_2d upsample_bilinear2d_backward"
)
POOLING_BACKWARD: Final = "max_pool2d_with_indices_backward avg_pool2d_backward _adaptive_avg_pool2d_backward"


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


def _scaled_add(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    count = _count(out)
    return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, (1 if kw.get("alpha", 1) == 1 else 2) * count)


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


def _pool(a: Sequence[Any], kw: dict[str, Any], out: Any) -> Cost:
    """A window's elements once for each result: for a kernel given, its taps; for an adaptive pool, the input once."""
    count = _count(out)
    kernel = a[1] if len(a) > 1 and isinstance(a[1], (list, tuple)) else None
    adaptive = len(a) < 3
    if adaptive or kernel is None:
        return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, a[0].numel())
    return Cost(Kind.ELEMENTWISE, (1, count, 0, 0), 0, count * elements(kernel if len(kernel) > 1 else list(kernel) * 2))


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
    for name in POOLING.split():
        RULES[f"aten.{name}"] = _pool
    for name in POOLING_BACKWARD.split():
        RULES[f"aten.{name}"] = _per_output(1)
    for name in INTERPOLATION.split():
        RULES[f"aten.{name}"] = _per_output(7)
    for name in ("add", "sub", "rsub"):
        RULES[f"aten.{name}"] = _scaled_add
    for name in ("leaky_relu", "elu", "softplus", "mse_loss", "hardswish", "hardsigmoid", "logit", "l1_loss"):
        RULES[f"aten.{name}_backward"] = _per_output(3)
    RULES["aten.glu_backward"] = _per_output(6)
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

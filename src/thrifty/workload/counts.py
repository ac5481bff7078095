"""What operators cost, in closed form: the one place where the rules of counting stand.

The tracer and the families both count with these, so that a captured table and an analytic one can only differ in which operators
they hold, never in what an operator costs. All take whole numbers and give whole numbers. Vector FLOPs are one per element for each
arithmetic or elementary function of the textbook formula, spelled out at each function.
"""

from __future__ import annotations

from typing import Final, NamedTuple


def matmul_flops(batch: int, m: int, n: int, k: int) -> int:
    """A multiply and an add for each of batch × m × n × k terms.

    A convolution is the product (groups, images × pixels out, channels out / groups, channels in / groups × taps).
    """
    return 2 * batch * m * n * k


class AttentionCounts(NamedTuple):
    """flops_skipped: of flops_matrix, what a kernel that skips masked blocks leaves out; flops_recomputed: done again in backward, not in flops_matrix."""

    flops_matrix: int
    flops_vector: int
    flops_skipped: int
    flops_recomputed: int


def attention_counts(
    batch: int, seq_q: int, seq_k: int, heads: int, head_dim: int, value_dim: int, *, causal: bool = False, masked: bool = False, backward: bool = False
) -> AttentionCounts:  # fmt: skip
    """Core attention, softmax(Q Kᵀ · scale + mask) V, without its projections.

    Forward: QKᵀ and PV. Backward: dV, dP, dQ and dK; a fused kernel also does QKᵀ again. Vector: scale 1 and softmax 5 (maximum,
    subtract, exp, sum, divide) for each of batch × heads × seq_q × seq_k scores, 1 more for an additive mask; backward: exp of the scores
    again 2 (subtract, exp), dS = P ∘ (dP − rowsum(dO ∘ O)) 2, scale 1. Causal: query i of seq_q sees keys up to seq_k − seq_q + i.
    """
    scores = batch * heads * seq_q * seq_k
    hidden = batch * heads * seq_q * (seq_q - 1) // 2 if causal else 0
    if backward:
        return AttentionCounts(
            2 * scores * (2 * head_dim + 2 * value_dim), scores * (5 + masked), 2 * hidden * (2 * head_dim + 2 * value_dim), 2 * scores * head_dim
        )  # fmt: skip
    return AttentionCounts(2 * scores * (head_dim + value_dim), scores * (6 + masked), 2 * hidden * (head_dim + value_dim), 0)


def softmax_flops(rows: int, size: int) -> int:
    """Maximum, subtract, exp, sum, divide."""
    return 5 * rows * size


def layer_norm_flops(rows: int, size: int, *, affine: bool = True) -> int:
    """Sum, centre, square, sum, scale: 5 an element, 2 more for weight and bias; 5 a row (two divisions by size, epsilon, square root, reciprocal).

    Also GroupNorm (a row is an image's group) and BatchNorm in training (a row is a channel).
    """
    return (7 if affine else 5) * rows * size + 5 * rows


def rms_norm_flops(rows: int, size: int, *, affine: bool = True) -> int:
    """Square, sum, scale: 3 an element, 1 more for the weight; 4 a row (divide, epsilon, square root, reciprocal)."""
    return (4 if affine else 3) * rows * size + 4 * rows


def batch_norm_inference_flops(elements: int, channels: int) -> int:
    """With stored statistics: centre, scale, weight, bias; 3 a channel (epsilon, square root, reciprocal)."""
    return 4 * elements + 3 * channels


ACTIVATION_FLOPS: Final[dict[str, int]] = {
    "relu": 1,
    "relu6": 2,
    "hardtanh": 2,
    "leaky_relu": 2,
    "sigmoid": 4,  # negate, exp, add, divide
    "silu": 4,  # x / (1 + exp(-x))
    "gelu": 5,  # 0.5 · x · (1 + erf(x / √2))
    "gelu_tanh": 9,  # cube 2, multiply, add, multiply, tanh, add, half, multiply
    "tanh": 1,
    "quick_gelu": 5,
    "elu": 4,
    "mish": 6,
    "softplus": 4,
    "hardswish": 5,
    "hardsigmoid": 4,
}
"""Elementary functions of one element of an activation."""

BACKWARD_ACTIVATION_FLOPS: Final[dict[str, int]] = {
    "threshold": 1,
    "sigmoid": 3,  # g · s · (1 − s)
    "silu": 8,  # g · s · (1 + x · (1 − s)) with s computed again
    "gelu": 10,
    "gelu_tanh": 17,
    "tanh": 3,
}
"""The same, for the product of the incoming gradient with the derivative."""

ADAMW_FLOPS: Final = 13
"""AdamW, one parameter: decay 1, first moment 3 (lerp), second moment 4 (scale, square, scale, add), denominator 3 (root, divide, epsilon),
update 2 (scale and divide, add)."""

"""The class of an operator or kernel by its name, for traces: they hold names and times, no shapes to reason from.

Operators ("aten::mm") get the class that the recorder gives them (test_peer_classes_agree_with_the_recorder); kernels, which are named by whoever wrote
them, the first rule that matches. What a name cannot tell: attention spelled out as products and a softmax stays linear and softmax, and a fused kernel
has the class of the heaviest part in its name.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from thrifty.workload.table import Kind

FRAMEWORK: Final = "framework"
"""Views, allocation and autograd's own nodes: the host's work around operators, which moves no tensor data."""

_OPERATORS: Final[tuple[tuple[str, str], ...]] = (
    ("attention", r"scaled_dot_product|flash_attention|flash_attn|efficient_attention|cudnn_attention|flex_attention|memory_efficient|"
                  r"multi_head_attention|_fused_sdp|xformers"),
    ("comm", r"c10d|nccl|gloo|allreduce|all_reduce|allgather|all_gather|reduce_scatter|alltoall|all_to_all|_?broadcast_$|record_param_comms"),
    ("norm", r"(layer|group|batch|instance|rms)_?norm|local_response_norm|weight_norm"),
    ("softmax", r"softmax"),
    ("conv", r"conv(?!ert)"),
    ("linear", r"^_?(addmm|mm|bmm|baddbmm|addbmm|mv|addmv|dot|vdot|inner|matmul|linear|int_mm|scaled_mm|grouped_mm|scaled_grouped_mm|chain_matmul|"
               r"addmm_activation|einsum|tensordot|bilinear|trilinear|kron|mkldnn_linear|weight_int[48]pack_mm|scaled_mm_v2|ger|outer)(_backward)?$|"
               r"rnn_layer|_cudnn_rnn|thnn_fused_(lstm|gru)|^(lstm|gru|rnn_tanh|rnn_relu)"),
    ("embedding", r"^_?embedding"),
    ("sampling", r"^_?(sort|argsort|topk|kthvalue|mode|multinomial|argmax|argmin|bincount|histc|searchsorted|bucketize|unique_dim|unique2|unique|"
                 r"unique_consecutive|exponential)$"),
    (FRAMEWORK, r"^_?(view|unsafe_view|reshape|reshape_alias|transpose|t|permute|expand|expand_as|as_strided|select|slice|narrow|unsqueeze|squeeze|"
                r"split|unsafe_split|split_with_sizes|chunk|unsafe_chunk|tensor_split|unbind|unflatten|flatten|alias|detach|movedim|moveaxis|swapaxes|swapdims|"
                r"view_as|diagonal|unfold|mT|mH|H|T|numpy_T|matrix_H|adjoint|ravel|hsplit|vsplit|"
                r"empty|empty_like|empty_strided|new_empty|new_empty_strided|empty_permuted|resize|set|item|local_scalar_dense|is_nonzero|"
                r"result_type|can_cast|lift_fresh|lift|has_compatible_shallow_copy_type|is_same_size|data|requires_grad|broadcast_tensors|"
                r"meshgrid|sym_size|sym_numel|sym_stride|is_pinned|resolve_neg|resolve_conj|atleast_1d|atleast_2d|atleast_3d|broadcast_to|record_stream|"
                r"conj_|_conj|output_nr|version|retain_grad|is_leaf|promote_types|nested_tensor_size|to_dense)$"),
    ("memory", r"^_?(clone|copy|copy_from|to_copy|to|type_as|contiguous|cat|concat|concatenate|stack|hstack|vstack|dstack|zeros|ones|full|arange|linspace|"
               r"logspace|scalar_tensor|eye|rand|randn|randint|randperm|zero|zeros_like|ones_like|full_like|rand_like|randn_like|randint_like|new_zeros|"
               r"new_ones|new_full|fill|repeat|repeat_interleave|tile|pad|constant_pad_nd(_backward)?|reflection_pad[123]d|replication_pad[123]d|roll|flip|"
               r"tril|triu|tril_indices|triu_indices|select_backward|slice_backward|select_scatter|slice_scatter|as_strided_scatter|diagonal_scatter|"
               r"diagonal_backward|pixel_shuffle|pixel_unshuffle|channel_shuffle|im2col|unfold_backward|normal|uniform|random|log_normal|geometric|cauchy|"
               r"one_hot|foreach_zero|foreach_copy|upsample_nearest[123]d|upsample_nearest_exact[123]d|nonzero|masked_select|pin_memory|"
               r"efficientzerotensor|resize_output|(split_with_sizes|split|view|permute|expand|unbind|diagonal|lift_fresh)_copy|diag_embed|conj_physical|"
               r"block_diag|gather|index|unsafe_index|index_select|take|take_along_dim|scatter|scatter_reduce|scatter_add|index_put|"
               r"index_put_impl|unsafe_index_put|index_copy|index_fill|index_add|index_reduce|masked_scatter|tensor|cumcat|slice_copy|narrow_copy)$"),
    ("elementwise", r"^_?(foreach_\w+|fused_adamw?|fused_sgd|fused_adagrad|amp_\w+|adaptive_(avg|max)_pool[123]d(_backward)?|(avg|max)_pool[123]d\w*|"
                    r"adaptive_\w+pool\w*|upsample_\w+|interpolate|grid_sampler\w*|col2im|fft_\w+|stft|istft|"
                    r"where|masked_fill|(logical|bitwise)_\w+|isnan|isinf|isfinite|isin|isclose|allclose|_(and|or|xor|[lr]shift)__|"
                    r"view_as_real|view_as_complex|polar|complex|add|sub|rsub|mul|multiply|div|divide|true_divide|subtract|neg|negative|abs|sign|reciprocal|"
                    r"exp2?|expm1|log|log2|log10|log1p|sin|cos|tan|atan2?|arctan2?|erf|erfc|erfinv|floor|ceil|round|trunc|frac|fmod|remainder|floor_divide|"
                    r"pow|square|eq|ne|lt|le|gt|ge|greater\w*|less\w*|not_equal|maximum|minimum|fmax|fmin|clamp|clamp_min|clamp_max|clip|asin|acos|sinh|"
                    r"cosh|asinh|acosh|atanh|sqrt|bernoulli|cumsum|cumprod|logcumsumexp|cummax|cummin|cummaxmin\w*|nextafter|copysign|heaviside|xlogy|hypot|"
                    r"conj|angle|real|imag|sgn|nan_to_num|native_dropout(_backward)?|dropout|feature_dropout|alpha_dropout|rsqrt|hardtanh(_backward)?|relu6?|"
                    r"logit(_backward)?|addr|lerp|addcmul|addcdiv|logaddexp2?|elu(_backward)?|celu|selu|softplus(_backward)?|logsigmoid|"
                    r"log_sigmoid(_forward|_backward)?|glu(_backward)?|(quick_)?gelu(_tanh)?(_backward)?|silu(_backward)?|mish(_backward)?|tanh(_backward)?|"
                    r"sigmoid(_backward)?|prelu\w*|leaky_relu(_backward)?|hardswish(_backward)?|hardsigmoid(_backward)?|threshold(_backward)?|"
                    r"(mse|l1|smooth_l1|huber|soft_margin|nll|cross_entropy|kl_div|binary_cross_entropy)\w*|"
                    r"sum(_to_size)?|mean|amax|amin|max|min|prod|any|all|nansum|nanmean|count_nonzero|aminmax|median|nanmedian|equal|norm|"
                    r"linalg_vector_norm|linalg_norm|norm_except_dim|dist|cdist\w*|logsumexp|std|var|var_mean|std_mean|diff|outer_add|"
                    r"fused_moving_avg_obs_fq_helper|quantize\w*|dequantize\w*|fake_quantize\w*|cosine_similarity|standard_gamma|trace)$"),
)  # fmt: skip
"""Class → ATen names without namespace, in-place underscore and overload; first match counts."""

_KERNELS: Final[tuple[tuple[str, str], ...]] = (
    ("comm", r"nccl|rccl|all_?reduce|all_?gather|reduce_?scatter|all_?to_?all"),
    ("attention", r"flash|fmha|attention|sdpa|mha_|paged_?attn|attn_fwd|attn_bwd"),
    ("softmax", r"soft_?max"),
    ("norm", r"(layer|group|batch|instance|rms)_?norm|rowwisemoments|gammabeta|computefusedparams|compute_?internal_?gradients|\bbn_(fw|bw)|welford"),
    ("conv", r"implicit|conv|wgrad|dgrad|fprop|winograd|nchw.?to.?nhwc|nhwc.?to.?nchw|cudnn.*(nhwc|nchw)|miopen|im2col"),
    ("linear", r"gemm|gemv|cutlass|xmma|nvjet|splitk|cublas|cijk_|_mm_|fused_(add)?b?mm|dot_kernel|triton_tem_.*mm"),
    ("sampling", r"radix_?sort|sort|top_?k|multinomial|argm(ax|in)|kth_?value|unique|cub::.*scan.*by"),
    ("memory", r"memcpy|memset|copy|\bcat|catarray|fill|scatter|index_put|index_elementwise|transpose|permute|pad_?\d?d|upsample_nearest|roll_|flip|triu_tril|"
               r"arange|distribution_(elementwise|nullary)|philox"),
    ("embedding", r"embedding|index_?select|vectorized_gather|gather|index"),
    ("elementwise", r"elementwise|vectorized|reduce|pool|dropout|multi_tensor_apply|upsample|scan|cumsum|triton_(poi|per|red)|pointwise|adam|fft|activation|"
                    r"gelu|silu|swiglu|rope|rotary|norm_"),
    ("conv", r"cudnn"),
)  # fmt: skip
"""Class → part of a kernel's name, lower case; first match counts."""

_OPERATOR_RULES: Final = tuple((label, re.compile(pattern)) for label, pattern in _OPERATORS)
_KERNEL_RULES: Final = tuple((label, re.compile(pattern)) for label, pattern in _KERNELS)
_COLLECTIVES: Final = ("c10d::", "_c10d_functional::", "nccl:", "gloo:", "record_param_comms")
_NAMESPACES: Final = ("aten::", "prims::", "torch::", "quantized::", "mkldnn::", "torchvision::", *_COLLECTIVES)
_AUTOGRAD: Final = re.compile(r"^(autograd::engine::evaluate_function: |torch::autograd::)|Backward\d*$|^(profiler|prim)::|^Optimizer\.")
UNKNOWN: Final = Kind.UNKNOWN.label


@functools.lru_cache(maxsize=65536)
def class_of(name: str) -> str:
    """The label of a Kind for the name of an operator or kernel, "framework" for what only the host does, "unknown" where no rule knows it."""
    return class_of_operator(name) if name.startswith(_NAMESPACES) or _AUTOGRAD.search(name) else class_of_kernel(name)


def class_of_operator(name: str) -> str:
    """The class of an operator by its name as torch.profiler writes it."""
    if _AUTOGRAD.search(name):
        return FRAMEWORK
    if name.startswith(_COLLECTIVES):
        return Kind.COMM.label
    short = name.rpartition("::")[2].partition(".")[0]
    short = short if short.endswith("__") or len(short) < 2 else short.removesuffix("_")
    return next((label for label, pattern in _OPERATOR_RULES if pattern.search(short)), UNKNOWN)


def class_of_kernel(name: str) -> str:
    """The class of a device's kernel by its name."""
    low = name.lower()
    return next((label for label, pattern in _KERNEL_RULES if pattern.search(low)), UNKNOWN)

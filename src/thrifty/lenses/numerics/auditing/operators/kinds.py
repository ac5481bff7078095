"""What kind of work an operator of torch does: names, as sites are called.

Whatever is in none of these lists is one pointwise operation: done in FP64, rounded once. Imports nothing of torch.
"""

from __future__ import annotations

from typing import Final

VIEWS: Final = frozenset({
    "alias", "as_strided", "detach", "diagonal", "expand", "lift_fresh", "lift", "narrow", "permute", "reshape_alias", "select", "slice", "split",
    "split_with_sizes", "squeeze", "t", "transpose", "unbind", "unfold", "unsafe_view", "unsqueeze", "view", "view_as_real", "movedim", "unsafe_split",
})  # fmt: skip
"""Same memory, nothing is computed."""

MOVES: Final = frozenset({
    "abs", "amax", "amin", "argsort", "cat", "channel_shuffle", "clone", "constant_pad_nd", "contiguous", "copy", "cummax", "cummin", "diag_embed", "embedding",
    "fill", "flip", "gather", "index", "index_copy", "index_put", "unsafe_index", "unsafe_index_put", "index_select", "masked_fill", "masked_scatter",
    "masked_select", "max", "max_pool2d_with_indices", "maximum", "median", "min", "minimum", "neg", "new_zeros", "new_ones", "new_empty", "new_empty_strided",
    "ones", "ones_like", "pixel_shuffle", "pixel_unshuffle", "put", "reflection_pad1d", "reflection_pad2d", "relu", "repeat", "repeat_interleave",
    "replication_pad1d", "replication_pad2d", "resize", "roll", "rot90", "scatter", "select_backward", "select_scatter", "sgn", "sign", "slice_backward",
    "slice_scatter", "sort", "stack", "take", "threshold_backward", "topk", "tril", "triu", "where", "zero", "zeros", "zeros_like", "empty", "empty_like",
    "empty_strided", "eye", "upsample_nearest2d", "upsample_nearest1d", "max_pool3d_with_indices", "hardtanh_backward", "fmax", "fmin", "nan_to_num_",
})  # fmt: skip
"""Elements go elsewhere, change their sign or are left out: what comes out are numbers that went in, zeros or ones, so that nothing is rounded."""

SCALARS: Final = frozenset({"masked_fill", "fill", "constant_pad_nd", "where", "scatter"})
"""Of MOVES, those that may bring a number of their own: their result is rounded where it is given as a number."""

DRAWS: Final = frozenset({"bernoulli", "cauchy", "exponential", "geometric", "log_normal", "multinomial", "normal", "poisson", "rand", "rand_like", "randn",
                          "randn_like", "uniform", "native_dropout", "dropout"})  # fmt: skip
"""Random numbers: drawn by torch in the tensor's own dtype, then rounded."""

SUMS: Final = frozenset({"sum", "mean", "linalg_vector_norm", "norm", "cumsum"})
PRODUCTS: Final = frozenset({"mm", "bmm", "addmm", "baddbmm", "addbmm", "mv", "addmv", "dot", "vdot", "convolution", "convolution_overrideable"})

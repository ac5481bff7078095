"""Named policies: the paper's emulation, what eager PyTorch does, and what real Flash kernels do."""

from __future__ import annotations

from typing import Final

from thrifty.errors import unknown_name
from thrifty.lenses.numerics.policy.checks import LIST
from thrifty.lenses.numerics.policy.options import Options
from thrifty.lenses.numerics.policy.policies import Policy
from thrifty.lenses.numerics.policy.rules import Rule

_DT, _FP32, _FP64 = Rule(), Rule(format="fp32"), Rule(format="fp64")
_INPUTS: Final = {"in": _DT}
_KERNEL: Final = {"*": _FP32, "in": _DT, "p.store": _DT, "o.store": _DT, "b.p": _FP32, "b.ds": _DT, "b.dq": _FP32, "b.dk": _FP32, "b.dv": _FP32, "b.out": _DT}
"""What Flash kernels on tensor cores keep: all state in FP32, operands of products in the working format."""
_SOFTMAX: Final = Options(dsum="p_dp")
"""The derivative of a softmax that stands by itself knows P and dP only."""

PRESETS: Final[dict[str, tuple[str, Policy]]] = {
    policy.name: (title, policy)
    for title, policy in (
        ("attention written out, every result stored in the working format, sums in FP32", Policy(
            name="baseline_paper", sites={"*": _DT}, options=_SOFTMAX)),
        ("eager PyTorch on a GPU: scores and P stored in the working format, softmax inside in FP32", Policy(
            name="baseline_eager", sites={"*": _FP32, "in": _DT, "s.store": _DT, "s.scale": _DT, "s.bias": _DT, "p.div": _DT, "p.store": _DT, "o.store": _DT,
                                          "b.dp": _DT, "b.ds": _DT, "b.dq": _DT, "b.dk": _DT, "b.dv": _DT, "b.out": _DT}, options=_SOFTMAX)),
        ("attention written out in FP8: inputs scaled as whole tensors, P in FP8, softmax and sums in FP32, output in FP16 (FA3's baseline)", Policy(
            name="baseline_fp8", sites={"*": _FP32, "in": _DT, "p.store": _DT, "o.store": Rule(format="fp16")},
            options=Options(dsum="p_dp", quantise="tensor"))),
        ("attention written out in FP64: golden", Policy(name="baseline_fp64", sites={"*": _FP64}, accumulators={"*": "fma:fp64"}, options=_SOFTMAX)),
        ("Flash v1 as the paper emulates it: every result stored in the working format, sums in FP32", Policy(
            name="fa_paper", algorithm="fa1", sites={"*": _DT})),
        ("Flash v2's kernel: state in FP32, P in the working format", Policy(name="fa2_kernel", algorithm="fa2", sites=_KERNEL)),
        ("Flash v2 with every result stored in the working format", Policy(name="fa2_paper", algorithm="fa2", sites={"*": _DT})),
        ("Flash v3's kernel in FP16 or BF16", Policy(name="fa3_fp16", algorithm="fa3", sites=_KERNEL)),
        ("Flash v3's kernel in FP8: inputs scaled by blocks and turned by a Hadamard matrix, P times 256", Policy(
            name="fa3_fp8", algorithm="fa3", sites={**_KERNEL, "o.store": Rule(format="fp16")},
            options=Options(p_scale=256.0, quantise="block", hadamard=True))),
        ("Flash v4's kernel: rescaled only when the maximum grew 256 times, a cubic for 2^x", Policy(
            name="fa4", algorithm="fa4", sites=_KERNEL, options=Options(rescale_log2=8.0, exp2_degree=3))),
        ("PyTorch's flash kernel on CPUs: state in FP32, P in the working format", Policy(name="sdpa_cpu", algorithm="fa2", sites=_KERNEL)),
    )
}  # fmt: skip
"""Name → (what it is, the policy)."""


def preset(name: str) -> Policy:
    """Raises UnknownName with the nearest one."""
    if name not in PRESETS:
        raise unknown_name("policy", name, PRESETS, LIST)
    return PRESETS[name][1]

"""mmasim's matrix instructions as ours are asked: random operands, sums to go on from and scales in all their codes, and its answers as FP64.

Operands cover every exponent, narrow bands of them, subnormal numbers, infinite ones and NaN, and halves that cancel; a twentieth are zeros.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmasim.amd import MFMA
from mmasim.amd.isa_mfma import arch_mfma_suffix
from mmasim.nv_ptx import MMA, WGMMA, MMABlockScale, TCGen05MMA, TCGen05MMABlockScale
from mmasim.nv_ptx.isa_mma import mma_block_scale_shape_and_type, mma_shape_and_type
from mmasim.nv_ptx.isa_tcgen05mma import tcgen05mma_block_scale_shape_and_type, tcgen05mma_shape_and_type
from mmasim.nv_ptx.isa_wgmma import wgmma_shape_and_type

from thrifty.formats import FloatSpec, float_spec
from thrifty.formats.accumulators import TensorCore
from thrifty.formats.accumulators.cores import tensor_core
from thrifty.formats.accumulators.cores.catalogue import short
from thrifty.formats.rounding.modes import Rounding
from thrifty.formats.rounding.plain import decode_plain, encode_plain, round_plain

GENERATIONS = {
    "Volta": "volta", "Turing": "turing", "Ampere": "ampere", "Ada Lovelace": "ada", "Hopper": "hopper", "Blackwell": "blackwell",
    "RTX Blackwell": "rtx-blackwell", "CDNA1": "cdna1", "CDNA2": "cdna2", "CDNA3": "cdna3",
}  # fmt: skip
KINDS: list[tuple[Any, dict[str, list[str]]]] = [
    (MMA, mma_shape_and_type), (MMABlockScale, mma_block_scale_shape_and_type), (WGMMA, wgmma_shape_and_type), (TCGen05MMA, tcgen05mma_shape_and_type),
    (TCGen05MMABlockScale, tcgen05mma_block_scale_shape_and_type), (MFMA, arch_mfma_suffix),
]  # fmt: skip
STYLES = ("any", "narrow", "middle", "low", "finite", "special")
STARTS = ("any", "zero", "match", "special", "finite")


@dataclass(frozen=True)
class Asked:
    """a (M, K), b (K, N), start and answer (M, N), FP64; scales for cores that scale blocks; FP32 operands of a TF32 core are what it is given."""

    a: Any
    b: Any
    start: Any
    scales: tuple[Any, Any] | None
    answer: Any


def operations() -> Iterator[tuple[str, Any, TensorCore]]:
    """(name, instruction, our tensor core): one instruction for every sort of it, the least columns.

    Left out: Volta's and Turing's that start from FP16 and end in FP32, whose first step reads its sum with FP16's exponents; what starts from FP32 is there.
    """
    seen = set()
    for kind, by_arch in KINDS:
        for arch, texts in by_arch.items():
            for text in texts:
                sort = (kind, arch, text if kind is MFMA else re.sub(r"m\d+n\d+", "", text))
                if sort not in seen and ".f32.f16.f16.f16" not in text:
                    seen.add(sort)
                    op = kind(arch, text)
                    yield f"{arch} {text}", op, tensor_core(_name(arch, text, op))


def _name(arch: str, text: str, op: Any) -> str:
    if arch.startswith("CDNA"):
        a, b = (_of_dtype(dtype) for dtype in (op.a_type, op.b_type))
        name = "tf32" if "xf32" in text else "bf16-1k" if text.endswith("_1k") else short(a) + ("" if a == b else f"-{short(b)}")
        return f"{GENERATIONS[arch]}-{name}"
    generation = "volta" if text.startswith("m8n8k4.") and "f64" not in text and arch == "Turing" else GENERATIONS[arch]
    parts = text.split(".")
    kind = next((part[6:] for part in parts if part.startswith("kind::")), "")
    block = next((part for part in parts if part.startswith("block")), "")
    result, a, b = [part for part in parts if not part.startswith(("kind", "block"))][1:4]
    name = {"f16": "fp16", "f64": "fp64"}.get(a, a) + ("" if a == b else f"-{b}")
    if kind in ("mxf4", "mxf4nvf4"):
        name = "mxfp4" if block == "block32" else "mxfp4-block16" if "ue8m0" in text else "nvfp4"
    return f"{generation}-{'mx-' if kind == 'mxf8f6f4' else ''}{name}" + ("-acc16" if result == "f16" else "")


def _of_dtype(dtype: Any) -> str:
    names = {torch.float64: "fp64", torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
    return names.get(dtype) or {torch.float8_e4m3fnuz: "fp8_e4m3fnuz", torch.float8_e5m2fnuz: "fp8_e5m2fnuz"}[dtype]


def ask(op: Any, core: TensorCore, rng: np.random.Generator, rows: int | None = None) -> Asked:
    """One random question and the peer's answer. rows: how many of them are drawn at random, the rest being copies; all where None."""
    sa, sb = (float_spec("fp32") if spec.name == "tf32" else spec for spec in (core.a, core.b))
    style, k = STYLES[rng.integers(len(STYLES))], op.k
    m, n = (op.m, op.n) if rows is None else (rows, rows)
    a, b = codes(sa, (m, k), rng, style), codes(sb, (k, n), rng, style)
    if rng.random() < 0.3 and k > 1 and sa.no_number != "minus_zero":  # the second half cancels the first
        half = k // 2
        a[:, half : 2 * half], b[half : 2 * half] = a[:, :half] ^ np.uint64(1 << (sa.exponent_bits + sa.mantissa_bits)), b[:half]
    x, y = decode_plain(a, sa), decode_plain(b, sb)
    sc = float_spec(_of_dtype(op.c_type))
    c = _start(sc, x, y, rng, (m, n))
    given = [
        _tensor(_grown(a, op.m, 0), sa, op.a_type, op), _tensor(_grown(b, op.n, 1).T, sb, op.b_type, op).T,
        _as(op.c_type, _grown(_grown(c, op.m, 0), op.n, 1)),
    ]  # fmt: skip
    scales = None
    if core.scale is not None:
        low, high = (0, 254 if core.scale.name == "e8m0" else 127) if rng.random() < 0.5 else (120, 135) if core.scale.name == "e8m0" else (40, 80)
        high += int(rng.random() < 0.2)  # with the code that is NaN
        held = [rng.integers(low, high + 1, shape).astype(np.uint64) for shape in ((m, k // core.scale_block), (k // core.scale_block, n))]
        scales = decode_plain(held[0], core.scale), decode_plain(held[1], core.scale)
        given += [_as(op.s_type, _grown(held[0], op.m, 0)), _as(op.s_type, _grown(held[1], op.n, 1))]
    answer = op(*given).to(torch.float64).numpy()[:m, :n]
    return Asked(x, y, decode_plain(c, sc), scales, answer)


def codes(spec: FloatSpec, shape: tuple[int, ...], rng: np.random.Generator, style: str) -> Any:
    """Random codes without padding."""
    top, fraction = 1 << spec.exponent_bits, rng.integers(0, 1 << spec.mantissa_bits, shape, dtype=np.uint64)
    most = top - 1 - (spec.no_number == "ieee")
    if style == "narrow":
        exponent = np.clip(rng.integers(0, top) + rng.integers(-2, 3, shape), 0, most)
    elif style == "middle":
        width = max(1, min(12, top // 4))
        exponent = np.clip(spec.bias + rng.integers(-width, width + 1, shape), 0, most)
    elif style == "special":
        exponent = np.where(rng.random(shape) < 0.03, top - 1, rng.integers(0, top - 1, shape))
        fraction = np.where((exponent == top - 1) & (rng.random(shape) < 0.7), np.uint64(0), fraction)
    else:
        exponent = rng.integers(0, {"any": top, "low": min(4, top)}.get(style, most + 1), shape)
    if spec.no_number == "ieee":  # NaN are quiet: cut to TF32, one that signals may become infinite
        fraction = np.where((exponent == top - 1) & (fraction != 0), fraction | np.uint64(1 << (spec.mantissa_bits - 1)), fraction)
    code = exponent.astype(np.uint64) << np.uint64(spec.mantissa_bits) | fraction
    code = np.where(rng.random(shape) < 0.05, np.uint64(0), code)
    sign = np.uint64(1 << (spec.exponent_bits + spec.mantissa_bits))
    if spec.no_number == "last" and style not in ("any", "special"):
        code = np.where(code == sign - np.uint64(1), code - np.uint64(1), code)
    negative = rng.random(shape) < (0.5 if rng.random() < 0.85 else 0.0)
    return np.where(negative & ((code != 0) | (spec.no_number != "minus_zero")), code | sign, code)


def _start(spec: FloatSpec, x: Any, y: Any, rng: np.random.Generator, shape: tuple[int, int]) -> Any:
    style = STARTS[rng.integers(len(STARTS))]
    if style == "zero":
        return np.where(rng.random(shape) < 0.5, 0, 1 << (spec.exponent_bits + spec.mantissa_bits)).astype(np.uint64)
    if style == "match":  # near the first product, with the other sign
        with np.errstate(all="ignore"):
            near = -(x[:, :1] * y[:1]) * 2.0 ** rng.integers(-30, 30)
        near = round_plain(np.where(np.isfinite(near), near, 1.0), Rounding.of(spec))
        return encode_plain(near, spec) ^ rng.integers(0, 8, shape).astype(np.uint64)
    return codes(spec, shape, rng, style)


def _grown(x: Any, size: int, axis: int) -> Any:
    """Copies until there are `size`."""
    return np.concatenate([x] * -(-size // x.shape[axis]), axis=axis).take(range(size), axis)


def _as(dtype: Any, code: Any) -> Any:
    bits = torch.empty(0, dtype=dtype).element_size() * 8
    return torch.from_numpy(np.ascontiguousarray(code.astype(f"u{bits // 8}")).view(f"i{bits // 8}")).view(dtype)


def _tensor(code: Any, spec: FloatSpec, dtype: Any, op: Any) -> Any:
    """Rows of codes: FP4 two a byte in the kinds that take only it, else above two zero bits."""
    if dtype != torch.uint8:
        return _as(dtype, code)
    if getattr(op, "kind", "") in ("mxf4", "mxf4nvf4"):
        return torch.from_numpy((code[:, 0::2] | code[:, 1::2] << np.uint64(4)).astype(np.uint8))
    return torch.from_numpy((code << np.uint64(2 if spec.name == "fp4_e2m1" else 0)).astype(np.uint8))


def same(ours: Any, theirs: Any) -> Any:
    """Equal down to the sign of zero; NaN where NaN."""
    return (ours.view(np.int64) == theirs.view(np.int64)) | (np.isnan(ours) & np.isnan(theirs))

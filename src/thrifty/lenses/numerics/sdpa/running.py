"""PyTorch's own attention on this CPU, path by path."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue, missing_extra
from thrifty.formats import format_of_torch, get_format

Floats = npt.NDArray[np.float64]
PATHS: Final = ("flash", "math")


def torch_module() -> Any:
    """torch, or one line that says how to get it."""
    try:
        import torch
    except ImportError:
        raise missing_extra("PyTorch's attention", "torch", "torch") from None
    return torch


def run_path(path: str, q: Floats, k: Floats, v: Floats, format: str, scale: float | None = None) -> Floats:
    """scaled_dot_product_attention of (H, N, d) arrays on one path ("flash" or "math") in bf16, fp16 or fp32, as FP64. Raises BadValue, MissingExtra."""
    torch = torch_module()
    from torch.nn.attention import SDPBackend, sdpa_kernel

    dtypes = {format_of_torch(each).name: each for each in (torch.bfloat16, torch.float16, torch.float32)}
    name = get_format(format).name
    if name not in dtypes:
        raise BadValue(f"format='{format}' is none that PyTorch's attention takes on a CPU. Choose: {', '.join(dtypes)}.")
    if path not in PATHS:
        raise BadValue(f"path='{path}' is unknown. Choose: {', '.join(PATHS)}.")
    held = [torch.from_numpy(np.ascontiguousarray(x))[None].to(dtypes[name]) for x in (q, k, v)]
    backend = SDPBackend.FLASH_ATTENTION if path == "flash" else SDPBackend.MATH
    with torch.no_grad(), sdpa_kernel(backend):
        out = torch.nn.functional.scaled_dot_product_attention(*held, scale=scale)
    return np.asarray(out[0].to(torch.float64).numpy())


def vector_lanes() -> int:
    """FP32 numbers in one vector of the instructions that torch uses here."""
    return 16 if "AVX512" in str(torch_module().backends.cpu.get_cpu_capability()).upper() else 8

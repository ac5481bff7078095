"""Blocks as torchao makes them, stored for `test_replay_torchao`: `python -m tests.formats.blocks.torchao_blocks` where torchao is installed.

Inputs are those on which both must agree. Where they do not, torchao differs: a block whose largest is below 2^-126 is divided by 2^-126 though its code
says 2^-127 (zeros with rceil); infinite numbers become the largest; NVFP4's quotients are rounded to FP32 first, which makes ties, and its block scales end
at 2^-6.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import numpy as np

STORED: Final = Path(__file__).parent / "replay" / "torchao.json"


def inputs() -> np.ndarray[Any, Any]:
    """24 blocks of 32: plain ones, ties of small formats, powers of two and their neighbours below, and all that FP32 bits can be in a wide range."""
    draws = np.random.default_rng(6)
    signs = draws.choice([-1.0, 1.0], (6, 32))
    near = np.where(draws.random((6, 32)) < 0.5, 1.0, 1 - 2.0**-24) * 2.0 ** draws.integers(-100, 100, (6, 1))
    return np.concatenate([
        draws.normal(size=(6, 32)), np.ldexp(draws.integers(-64, 65, (6, 32)) / 32, draws.integers(-6, 7, (6, 1))), signs * near,
        np.ldexp(draws.normal(size=(6, 32)), draws.integers(-60, 60, (6, 32))),
    ]).astype(np.float32)  # fmt: skip


def written() -> dict[str, Any]:
    """What torchao makes of the inputs."""
    import torch
    import torchao
    from torchao.prototype.mx_formats.mx_tensor import ScaleCalculationMode, to_mx
    from torchao.prototype.mx_formats.nvfp4_tensor import nvfp4_quantize, per_tensor_amax_to_scale

    dtypes = {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2, "e3m2": "fp6_e3m2", "e2m3": "fp6_e2m3", "e2m1": torch.float4_e2m1fn_x2}
    x = torch.tensor(inputs())

    def said(scales: Any, data: Any, halves: bool) -> dict[str, str]:
        codes = data.view(torch.uint8).numpy()
        codes = np.stack([codes & 15, codes >> 4], -1) if halves else codes
        return {"scales": scales.view(torch.uint8).numpy().tobytes().hex(), "codes": codes.tobytes().hex()}

    return {
        "oracle": f"torchao {torchao.__version__}, to_mx and nvfp4_quantize on CPU",
        "inputs": inputs().tobytes().hex(),
        "mx": {
            name: {mode.value: said(*to_mx(x, dtype, 32, mode), name == "e2m1") for mode in ScaleCalculationMode} for name, dtype in dtypes.items()
        },
        "nvfp4": {
            str(levels): said(*nvfp4_quantize(x[:6], 16, per_tensor_amax_to_scale(x[:6].abs().max()) if levels == 2 else None), True) for levels in (1, 2)
        },
    }  # fmt: skip


if __name__ == "__main__":
    STORED.write_text(json.dumps(written(), indent=1) + "\n")

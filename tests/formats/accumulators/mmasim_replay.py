"""The stored answers of mmasim: written by running this file where mmasim is (PYTHONPATH=src:bench), read by the tests.

One flat array of codes; `index` names, for each question, the tensor core and the shape; `oracle` says who answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from thrifty.formats import FloatSpec, float_spec
from thrifty.formats.accumulators.cores import TensorCore, tensor_core
from thrifty.formats.rounding.plain import decode_plain, encode_plain

FILE = Path(__file__).parent / "replay" / "mmasim_2_1_1.npz"
SIDE, QUESTIONS = 3, 2
"""Each question is 3 x 3 dot products; as many of them a kind of instruction."""


def _specs(core: TensorCore) -> tuple[FloatSpec, FloatSpec]:
    a, b = (float_spec("fp32") if spec.name == "tf32" else spec for spec in (core.a, core.b))
    return a, b


def layout(core: TensorCore, m: int, k: int, n: int) -> list[tuple[tuple[int, int], FloatSpec]]:
    """Shape and format of a, b, start, answer, and of scales where there are some."""
    a, b = _specs(core)
    kept = float_spec("fp32") if core.result == "e8m13" else core.spec
    parts = [((m, k), a), ((k, n), b), ((m, n), kept), ((m, n), kept)]
    return [*parts, *([((m, k // core.scale_block), core.scale), ((k // core.scale_block, n), core.scale)] if core.scale else [])]


def stored() -> Iterator[tuple[TensorCore, list[Any]]]:
    """Tensor core, and [a, b, start, answer] with scales where there are some, FP64."""
    with np.load(FILE) as held:
        codes, names, shapes = held["codes"], held["names"], held["shapes"]
    at = 0
    for name, (m, k, n) in zip(names, shapes.tolist(), strict=True):
        core, arrays = tensor_core(str(name)), []
        for shape, spec in layout(core, m, k, n):
            size = shape[0] * shape[1]
            arrays.append(decode_plain(codes[at : at + size].astype(np.uint64), spec).reshape(shape))
            at += size
        yield core, arrays
    assert at == len(codes)


def write() -> None:
    """Ask mmasim and store what it said."""
    from _peers.mmasim_ops import ask, operations

    rng, codes, names, shapes = np.random.default_rng(20261127), [], [], []
    for name, op, core in operations():
        for _ in range(QUESTIONS):
            while True:
                given = ask(op, core, rng, rows=SIDE)
                if np.isfinite(given.start).all() or not name.startswith("CDNA3"):
                    break
            names.append(core.name)
            shapes.append((SIDE, op.k, SIDE))
            arrays = [given.a, given.b, given.start, given.answer, *(given.scales or ())]
            for array, (shape, spec) in zip(arrays, layout(core, SIDE, op.k, SIDE), strict=True):
                assert array.shape == shape
                codes.append(encode_plain(np.ascontiguousarray(array), spec).reshape(-1))
    FILE.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        FILE, codes=np.concatenate(codes), names=np.array(names), shapes=np.array(shapes),
        oracle="mmasim 2.1.1 (Microsoft, PyPI), its matrix instructions on random operands, bench/_peers/mmasim_ops.py",
    )  # fmt: skip


if __name__ == "__main__":
    write()

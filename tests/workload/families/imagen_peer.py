"""imagen-pytorch's UNet around our layers (attention and norms too, which differ): an oracle of how Imagen's parts are joined."""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from thrifty.workload.families.unets.imagen_torch import Attention, Clock, Residual, Transformer
from thrifty.workload.families.unets.imagen_torch import ImagenUnet as Ours

_ASIDE = {"torchvision": ("transforms", "utils"), "kornia": ("augmentation",), "cv2": ()}
"""What the package imports for pictures, and its UNet does without."""


def peer_class(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its class Unet, imported without the rest of the package, which asks a hub of models for a configuration."""
    spec = importlib.util.find_spec("imagen_pytorch")
    if spec is None or spec.origin is None:
        pytest.skip("imagen-pytorch, the oracle of how Imagen's parts are joined, is not installed")
    transformers: Any = pytest.importorskip("transformers")
    folder = Path(spec.origin).parent
    for top, names in _ASIDE.items():
        if importlib.util.find_spec(top) is None:
            for name in (top, *(f"{top}.{each}" for each in names)):
                stub = types.ModuleType(name)
                stub.__path__, stub.__spec__ = [], importlib.machinery.ModuleSpec(name, None)
                monkeypatch.setitem(sys.modules, name, stub)
    package = types.ModuleType("imagen_pytorch")
    package.__path__ = [str(folder)]
    monkeypatch.setitem(sys.modules, "imagen_pytorch", package)
    monkeypatch.setattr(transformers.T5Config, "from_pretrained", classmethod(lambda cls, name: types.SimpleNamespace(d_model=64)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("imagen_pytorch.imagen_pytorch").Unet


class _Seen(nn.Module):  # type: ignore[misc]
    """Our attention as the peer calls its own."""

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        return self.attention(x, context)


def _lend_clock(ours: Clock, hiddens: Any, tokens: Any, step: Any) -> None:
    hiddens[0].weights, hiddens[1], tokens[0], step[0] = ours.waves.weight, ours.hidden, ours.tokens, ours.step


def _lend_residual(ours: Residual, theirs: Any) -> None:
    assert (theirs.cross_attn is None) == (ours.cross is None)
    theirs.block1.norm, theirs.block1.project, theirs.block2.norm, theirs.block2.project = ours.norm_1, ours.conv_1, ours.norm_2, ours.conv_2
    theirs.time_mlp[1] = ours.step
    if ours.cross is not None:
        theirs.cross_attn = _Seen(ours.cross)
    if ours.gate is not None:
        theirs.gca.to_k, theirs.gca.net[0], theirs.gca.net[2] = ours.gate.score, ours.gate.shrink, ours.gate.grow
    if ours.shortcut is not None:
        theirs.res_conv = ours.shortcut


def _lend_transformer(ours: Transformer | None, theirs: Any) -> None:
    if ours is not None:
        theirs.layers[0][0] = _Seen(ours.attention)
        for place in (0, 1, 3, 4):
            theirs.layers[0][1][place] = ours.feed[place]


def lend(ours: Ours, theirs: Any) -> None:
    """Put our layers in the place of the peer's; what is left of the peer is how they are called."""
    for place, conv in enumerate(ours.stem):
        theirs.init_conv.convs[place] = conv
    _lend_clock(ours.clock, theirs.to_time_hiddens, theirs.to_time_tokens, theirs.to_time_cond)
    if ours.low_clock is not None:
        _lend_clock(ours.low_clock, theirs.to_lowres_time_hiddens, theirs.to_lowres_time_tokens, theirs.to_lowres_time_cond)
    theirs.text_to_cond, theirs.norm_cond, theirs.to_text_non_attn_cond = ours.text, ours.norm_told, ours.summary
    if ours.entry is not None:
        _lend_residual(ours.entry, theirs.init_resnet_block)
    for level, (before, first, blocks, transformer, after) in zip(ours.downs, theirs.downs, strict=True):
        resize = before if ours.efficient else after
        if hasattr(level.resize, "shortcut"):
            resize.fns[0], resize.fns[1] = level.resize.conv, level.resize.shortcut
        else:
            resize[1] = level.resize.conv
        _lend_level(level, first, blocks, transformer)
    _lend_residual(ours.middle_1, theirs.mid_block1)
    _lend_transformer(ours.middle_transformer, theirs.mid_attn)
    _lend_residual(ours.middle_2, theirs.mid_block2)
    for level, (first, blocks, transformer, above) in zip(ours.ups, theirs.ups, strict=True):
        if level.resize is not None:
            above.net[0] = level.resize.conv
        _lend_level(level, first, blocks, transformer)
    _lend_residual(ours.exit, theirs.final_res_block)
    theirs.final_conv = ours.out


def _lend_level(ours: Any, first: Any, blocks: Any, transformer: Any) -> None:
    _lend_residual(ours.first, first)
    for block, their in zip(ours.blocks, blocks, strict=True):
        _lend_residual(block, their)
    _lend_transformer(ours.transformer, transformer)

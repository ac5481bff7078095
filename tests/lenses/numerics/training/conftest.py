"""A model small enough for tests: the same code as the study's, a few hundred parameters."""

from __future__ import annotations

from dataclasses import replace

import pytest

from thrifty.lenses.numerics.training.models.shapes import MODELS


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both models with one block of one head of width 8, on batches of 4."""
    for name in ("digits", "text"):
        monkeypatch.setitem(MODELS, name, replace(MODELS[name], width=8, heads=1, blocks=1, batch=4, tokens=16, block_k=4))

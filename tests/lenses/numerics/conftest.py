"""What tests of numerics may ask for."""

from __future__ import annotations

import pytest

from thrifty.lenses.numerics.laboratory.backward import compiled
from thrifty.lenses.numerics.laboratory.kernels import running


@pytest.fixture
def by_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attention by its definition in NumPy: the same bits (test_forward_bits.py and test_compiled.py hold that), and half a minute less to compile."""
    monkeypatch.setattr(running, "has_numba", lambda: False)
    monkeypatch.setattr(compiled, "has_numba", lambda: False)

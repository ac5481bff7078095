"""Blocks that torchao made stay what ours are: five elements by four rules for scales, and NVFP4 with and without a scale of the tensor.

The oracle is torchao's `to_mx` and `nvfp4_quantize`, see `torchao_blocks`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.formats.blocks.torchao_blocks import STORED, inputs

from thrifty.formats import ELEMENTS, SCALES, mx, nvfp4


@pytest.fixture(scope="module")
def stored() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(STORED.read_text())
    return content


def test_replay_has_the_inputs_that_are_drawn_here(stored: dict[str, Any]) -> None:
    assert stored["inputs"] == inputs().tobytes().hex()
    assert stored["oracle"].startswith("torchao 0.18.0")


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("element", [name for name in ELEMENTS if name != "int8"])
def test_replay_mx_is_what_torchao_made(element: str, scale: str, stored: dict[str, Any]) -> None:
    ours = mx(inputs(), element, scale)
    assert ours.scales.tobytes().hex() == stored["mx"][element][scale]["scales"]
    assert ours.codes.tobytes().hex() == stored["mx"][element][scale]["codes"]


@pytest.mark.parametrize("levels", [1, 2])
def test_replay_nvfp4_is_what_torchao_made(levels: int, stored: dict[str, Any]) -> None:
    ours = nvfp4(inputs()[:6], tensor_scale=None if levels == 2 else 1.0)
    assert [ours.scales.tobytes().hex(), ours.codes.tobytes().hex()] == [stored["nvfp4"][str(levels)][name] for name in ("scales", "codes")]

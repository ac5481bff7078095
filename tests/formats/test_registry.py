"""Sizes of number formats against the libraries that store them."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.errors import UnknownName
from thrifty.formats import Format, all_formats, bytes_of, format_of_torch, get_format

NAMES = [each.name for each in all_formats()]


@pytest.mark.parametrize("name", ["q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "q8_k", "q6_k", "q5_k", "q4_k", "q3_k", "q2_k", "iq4_nl", "iq4_xs"])
def test_peer_gguf_block_sizes(name: str) -> None:
    constants = pytest.importorskip("gguf.constants", reason="gguf is not installed")
    block, size = constants.GGML_QUANT_SIZES[constants.GGMLQuantizationType[name.upper()]]
    assert (get_format(name).block, get_format(name).block_bytes) == (block, size)


def test_every_gguf_format_of_the_registry_is_checked_above() -> None:
    listed = {each.name for each in all_formats() if each.title.startswith("GGUF")}
    marks = test_peer_gguf_block_sizes.pytestmark  # type: ignore[attr-defined]
    assert listed == set(marks[0].args[1])


@pytest.mark.parametrize(
    "dtype",
    [
        "float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "int64", "int32", "int16",
        "int8", "uint8", "uint16", "uint32", "uint64", "bool", "complex64",
    ],
)  # fmt: skip
def test_peer_torch_item_sizes(dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    assert format_of_torch(getattr(torch, dtype)).bytes_per_number == getattr(torch, dtype).itemsize


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_peer_torch_mantissa_bits(dtype: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    known = format_of_torch(getattr(torch, dtype))
    assert torch.finfo(getattr(torch, dtype)).eps == 2.0**-known.mantissa_bits
    assert known.bits == 1 + known.exponent_bits + known.mantissa_bits


@pytest.mark.parametrize(
    ("name", "count", "size"),
    [
        ("bf16", 10, 20), ("int4", 3, 2), ("int1", 9, 2), ("fp6_e2m3", 4, 3), ("q4_k", 256, 144), ("q4_k", 257, 288), ("mxfp4", 32, 17),
        ("nvfp4", 16, 9), ("fp32", 0, 0), ("q8_0", 0, 0),
    ],
)  # fmt: skip
def test_formula_bytes(name: str, count: int, size: int) -> None:
    assert bytes_of(count, name) == size


@given(st.sampled_from(NAMES), st.integers(0, 10**9), st.integers(0, 10**9))
def test_property_bytes_are_monotone_and_subadditive(name: str, a: int, b: int) -> None:
    whole = bytes_of(a + b, name)
    assert max(bytes_of(a, name), bytes_of(b, name)) <= whole <= bytes_of(a, name) + bytes_of(b, name)


@given(st.sampled_from(NAMES), st.integers(1, 10**6))
def test_property_whole_blocks_cost_bytes_per_number(name: str, blocks: int) -> None:
    known = get_format(name)
    count = blocks * known.block * 8
    assert known.bytes_of(count) == pytest.approx(count * known.bytes_per_number, rel=1e-15)


@pytest.mark.parametrize("each", all_formats(), ids=NAMES)
def test_every_format_holds_together(each: Format) -> None:
    assert get_format(each.name) is each
    assert get_format(each.name.upper()) is each
    assert get_format(each.arithmetic).arithmetic == each.arithmetic, "what it is multiplied as is a format that is multiplied as itself"
    assert (each.block > 1) == (each.family == "block") == (each.block_bytes > 0)
    assert each.bytes_per_number >= each.bits / 8
    assert dataclasses.replace(each) == each


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(NAMES)


ALIASES = {"float32": "fp32", "BFloat16": "bf16", "FP8": "fp8_e4m3", "q4_K_M": "q4_k", "fp8-e5m2": "fp8_e5m2"}


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_aliases(alias: str, name: str) -> None:
    assert get_format(alias).name == name


def test_unknown_format_offers_the_nearest() -> None:
    with pytest.raises(UnknownName) as caught:
        get_format("bf61")
    assert str(caught.value) == "No format named 'bf61'. Did you mean 'bf16'? List them with: thrifty formats"

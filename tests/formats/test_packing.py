"""Codes side by side: every width, every short ending, against NumPy's own bits; both paths the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from thrifty.errors import BadValue
from thrifty.formats import encode, pack, packing, unpack
from thrifty.loops import has_numba

WIDTHS = range(1, 17)


@pytest.mark.parametrize("bits", WIDTHS)
def test_formula_the_stream_of_bits_is_little_endian(bits: int) -> None:
    draws = np.random.default_rng(bits)
    for count in (0, 1, 7, 8, 9, 100, 1003):
        codes = draws.integers(0, 1 << bits, count)
        stream = ((codes[:, None] >> np.arange(bits)) & 1).astype(np.uint8).reshape(-1)
        packed = pack(codes, bits)
        np.testing.assert_array_equal(packed, np.packbits(stream, bitorder="little"))
        back = unpack(packed, bits, count)
        np.testing.assert_array_equal(back, codes)
        assert back.dtype == (np.uint8 if bits <= 8 else np.uint16)
        whole = codes - (1 << (bits - 1))
        np.testing.assert_array_equal(unpack(pack(whole, bits), bits, count, signed=True), whole)


def test_formula_by_hand() -> None:
    assert pack([1, 2, 15], 4).tolist() == [0x21, 0x0F]
    assert pack([0x3FF, 0], 10).tolist() == [0xFF, 0x03, 0x00]
    assert pack([-1, 0, -2], 2).tolist() == [0b100011]
    assert pack([True, False, True], 1).tolist() == [5]
    assert pack([], 3).tolist() == []


@pytest.mark.skipif(not has_numba(), reason="numba is not installed, so there is one path only")
@pytest.mark.parametrize("bits", WIDTHS)
def test_property_compiled_and_plain_are_the_same(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = np.random.default_rng(bits).integers(0, 1 << bits, 5003).astype(np.uint16)
    compiled = pack(codes, bits)
    with monkeypatch.context() as patch:
        patch.setattr(packing, "has_numba", lambda: False)
        np.testing.assert_array_equal(pack(codes, bits), compiled)
        plain = unpack(compiled, bits, codes.size)
    np.testing.assert_array_equal(plain, unpack(compiled, bits, codes.size))


def test_formula_tensors_and_strides() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    codes = torch.arange(24, dtype=torch.uint8).reshape(4, 6)
    packed = pack(codes.t(), 5)
    assert isinstance(packed, torch.Tensor)
    assert unpack(packed, 5, 24).reshape(6, 4).equal(codes.t().contiguous())
    wide = encode(torch.randn(9, generator=torch.Generator().manual_seed(0)), "fp16")
    assert torch.equal(unpack(pack(wide, 16), 16, 9), wide)
    np.testing.assert_array_equal(pack(np.arange(24).reshape(4, 6)[:, ::2], 5), pack(np.ascontiguousarray(np.arange(24).reshape(4, 6)[:, ::2]), 5))


@pytest.mark.parametrize("bits", [np.uint8(8), np.int8(8), np.uint8(16)])
def test_formula_widths_may_be_numpys_own(bits: Any) -> None:
    assert unpack(pack([0, 1, 200], bits), bits, 3).tolist() == [0, 1, 200]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: pack([[1], [1, 2]], 4), "codes are no array of numbers: their rows differ in length. Give rows of one length."),
        (lambda: pack([1], 0), "bits=0 must be a whole number from 1 to 16."),
        (lambda: pack([1], 17), "bits=17 must be a whole number from 1 to 16."),
        (lambda: pack([1.0], 4), "codes have dtype float64; whole numbers are needed. Encode or quantise first."),
        (lambda: pack([16], 4), "codes go from 16 to 16; bits=4 hold 0 to 15. Give more bits, or codes that fit."),
        (lambda: pack([-9, 1], 4), "codes go from -9 to 1; bits=4 hold -8 to 7. Give more bits, or codes that fit."),
        (lambda: pack([-1, 8], 4), "codes go from -1 to 8; bits=4 hold -8 to 7. Give more bits, or codes that fit."),
        (lambda: unpack(np.zeros(1, dtype=np.uint8), 3, 3), "packed holds 1 bytes; 3 codes of 3 bits need 2. Give all of them."),
        (lambda: unpack(np.zeros(1, dtype=np.int8), 3, 1), "packed has dtype int8; bytes (uint8) are needed."),
        (lambda: unpack(np.zeros(1, dtype=np.uint8), 3, -1), "count=-1 must be a whole number of codes, 0 or more."),
    ],
)
def test_bad_input_is_one_line(call: Any, text: str) -> None:
    with pytest.raises(BadValue) as caught:
        call()
    assert str(caught.value) == text

"""`thrifty numerics round`: numbers one by one, files counted, every format listed; bad input in one line."""

from __future__ import annotations

import json
import math
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thrifty.cli import main
from thrifty.lenses.numerics.commands.rounding import read_number
from thrifty.lenses.numerics.roundings import parse_target, summarise, value_rows


def said(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main(["numerics", "round", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["numerics", "round", *words]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err.strip()


def test_formula_e4m3_by_hand(capsys: pytest.CaptureFixture[str]) -> None:
    """448 is the largest; 464 is the tie above it and goes to the even code, 465 is beyond; 2^-10 is a tie with zero, in spacings of 2^-9."""
    found = said(capsys, "464", "465", "2^-10", "-0.3", "--format", "e4m3", "--overflow", "saturate")
    assert (found["format"], found["rounding"]) == ("fp8_e4m3", "rne")
    got = [[row[name] for name in ("rounded", "code", "fields", "error_ulp", "below", "above", "kind")] for row in found["values"]]
    assert got[0] == [448, "0x7e", "0 1111 110", -0.5, 448, None, "rounded"]
    assert got[1] == [448, "0x7e", "0 1111 110", -17 / 32, 448, None, "overflow"]
    assert got[2] == [0, "0x00", "0 0000 000", -0.5, 0, 2.0**-9, "underflow"]
    assert got[3] == [-0.3125, "0xaa", "1 0101 010", pytest.approx(-0.0125 / 2**-5), -0.3125, -0.28125, "rounded"]
    assert said(capsys, "465", "--format", "e4m3", "--overflow", "nan")["values"][0]["rounded_text"] == "nan"
    flushed = said(capsys, "0.01", "--format", "e4m3", "--overflow", "nan", "--flush")["values"][0]
    assert (flushed["rounded"], flushed["kind"]) == (0, "underflow")


def test_formula_infinite_and_no_numbers_are_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    rows = said(capsys, "inf", "-inf", "nan", "65520", "--format", "fp16")["values"]
    assert [row["rounded_text"] for row in rows] == ["inf", "-inf", "nan", "inf"]
    assert [row["rounded"] for row in rows] == [None] * 4
    assert [row["kind"] for row in rows] == ["exact", "exact", "nan", "overflow"]
    assert rows[3]["below"] == 65504


def test_formula_blocks_and_whole_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    """The four numbers of `test_formula_known_blocks`."""
    words = ("7", "1", "-0.3", "0.25")

    def numbers(*options: str) -> list[float]:
        return [row["rounded"] for row in said(capsys, *words, *options)["values"]]

    assert numbers("--format", "mxfp4") == [6, 1, -0.5, 0]
    assert numbers("--format", "mxfp4", "--scale", "even") == [8, 1, 0, 0]
    assert numbers("--format", "bfp:4:2") == [7, 1, -0.3125, 0.25]
    assert numbers("--format", "int4") == [7, 1, 0, 0]
    assert numbers("--format", "int4", "--rounding", "rd") == [7, 1, -1, 0]
    assert numbers("--format", "uint2:2:affine") == pytest.approx([7, 0, -0.3667, 0.1833], abs=1e-4)
    assert numbers("--format", "mxint8") == [7, 1, -0.3125, 0.25]
    assert numbers("--format", "mxfp6:e3m2") == [7, 1, -0.3125, 0.25]
    assert numbers("--format", "nvfp4") == pytest.approx([7, 7 / 6, -7 / 12, 0])
    rows = said(capsys, *words, "--format", "mxfp4")["values"]
    assert [(row["scale"], row["code"], row["fields"]) for row in rows][:3] == [(1, "0x7", "0 11 1"), (1, "0x2", "0 01 0"), (1, "0x9", "1 00 1")]
    assert (rows[0]["below"], rows[0]["above"], rows[0]["kind"], rows[3]["kind"]) == (6, None, "overflow", "underflow")
    whole = said(capsys, *words, "--format", "int4")["values"]
    assert [(row["code"], row["fields"], row["below"], row["above"]) for row in whole][2] == ("0x0", "0000", -1, 0)


@pytest.mark.parametrize("format", [
    "e4m3", "bf16", "e3m4", "mxfp8", "mxfp8:e5m2", "mxfp6", "mxfp6:e3m2", "mxfp4", "mxint8", "nvfp4", "bfp:6:8", "int4", "int8:16", "uint5:affine",
])  # fmt: skip
def test_property_a_result_is_one_of_its_neighbours(format: str) -> None:
    x = np.random.default_rng(7).normal(size=(1, 64)) * 3
    target = parse_target(format, overflow="saturate" if format == "e4m3" else "")
    for row in value_rows(x[0], target.apply(x)):
        near = [pytest.approx(each, rel=1e-12) for each in (row.below, row.above) if each is not None]
        assert row.rounded in near
        assert abs(row.error_ulp) <= 0.5 * (1 + 1e-9) or row.kind == "overflow"
        assert row.below is None or row.below <= row.value
        assert row.above is None or row.value <= row.above


def test_formula_a_file_is_counted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, np.array([[1.0, 1.03125, 1000.0, 1e-6], [0.0, np.nan, -np.inf, 2.0**-9]], dtype=np.float32))
    found = said(capsys, "--file", str(path), "--format", "e4m3", "--overflow", "saturate")
    counts = {name: found[name] for name in ("count", "exact", "rounded", "overflow", "underflow", "nan", "subnormal")}
    assert counts == {"count": 8, "exact": 3, "rounded": 1, "overflow": 2, "underflow": 1, "nan": 1, "subnormal": 1}
    assert (found["max_error"], found["max_error_at"], found["max_error_ulp"]) == (552, 1000, 0.25)
    assert (found["given_bytes"], found["stored_bytes"]) == (32, 8)


@pytest.mark.parametrize("format", ["bf16", "mxfp4", "nvfp4", "int4:3", "uint3:affine", "bfp:5:4"])
def test_property_a_file_counts_what_its_rows_say(format: str) -> None:
    array = np.random.default_rng(3).normal(size=(5, 37)).astype(np.float32)
    target = parse_target(format)
    summary = summarise(array, target)
    rows = value_rows(array.reshape(-1).astype(np.float64), target.apply(array.astype(np.float64)))
    for kind in ("exact", "rounded", "overflow", "underflow", "nan"):
        assert getattr(summary, kind) == sum(row.kind == kind for row in rows)
    assert summary.max_error == max(abs(row.error) for row in rows)
    assert summary.mean_error == pytest.approx(math.fsum(row.error for row in rows) / 185, abs=1e-15)
    noise, signal = sum(row.error**2 for row in rows), sum(row.value**2 for row in rows)
    assert summary.sqnr_db == pytest.approx(10 * math.log10(signal / noise))


def test_formula_empty_files_and_single_numbers(tmp_path: Path) -> None:
    for format in ("bf16", "mxfp4", "nvfp4", "int4"):
        empty = summarise(np.zeros((0, 3)), parse_target(format))
        assert (empty.count, empty.max_error, empty.sqnr_db) == (0, 0, None)
        assert summarise(np.float64(1.5), parse_target(format)).count == 1


def test_formula_random_modes_repeat_with_their_seed(capsys: pytest.CaptureFixture[str]) -> None:
    words = [str(each) for each in np.linspace(1, 2, 30)]
    one, two, three = (
        [row["rounded"] for row in said(capsys, *words, "--format", "e5m2", "--rounding", "stochastic", "--seed", seed)["values"]] for seed in ("1", "1", "2")
    )
    assert one == two
    assert one != three


def test_the_page_and_the_terminal_tell_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert main(["numerics", "round", "0.1", "-2^-10", "--format", "mxfp6", "--scale", "rceil", "--out", str(page)]) == 0
    printed, html = capsys.readouterr().out, unescape(page.read_text())
    assert "Rounding to mxfp6" in printed
    assert "thrifty numerics round 0.1 '-2^-10' --format mxfp6 --scale rceil" in html
    assert "<svg" in html
    np.save(tmp_path / "x.npy", np.linspace(-1, 1, 100))
    assert main(["numerics", "round", "--file", str(tmp_path / "x.npy"), "--format", "int4:32", "--out", str(page)]) == 0
    assert "x.npy in int4:32" in page.read_text()


def test_formats_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["format"]: row for row in said(capsys, "--formats")}
    assert rows["fp8_e4m3"] == {
        "format": "fp8_e4m3", "bits": 8, "largest": 448, "smallest_normal": 2.0**-6, "smallest": 2.0**-9, "unit_roundoff": 2.0**-4, "specials": ["nan"],
        "scale": "",
    }  # fmt: skip
    assert {"mxfp4", "nvfp4", "mxint8", "bfp:BITS:GROUP"} <= set(rows)
    assert main(["numerics", "round", "--formats"]) == 0
    assert "448" in capsys.readouterr().out


def test_formula_numbers_are_read() -> None:
    read = [read_number(text) for text in ("0x1.8p-4", "-0x10", "2^-9", "1.5*2^3", "-2^2", "1e-3", "-inf")]
    assert read == [0.09375, -16, 2.0**-9, 12, -4, 1e-3, -math.inf]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["0.1", "--format", "e4m3"], "error: fp8_e4m3 has no infinities, so what becomes of numbers above 448 must be said: overflow='saturate' or 'nan'."),
        (["0,1"], "error: value '0,1' is no number. Write e.g. 0.1, 1e-3, 0x1.8p-4, 2^-9, inf or nan."),
        (["1", "--formt", "e4m3"], "error: No such option: --formt. See: thrifty numerics round --help"),
        ([], "error: numbers are needed, once. Give VALUE... or --file FILE.npy; list formats with: thrifty numerics round --formats"),
        (["1", "--format", "mxfp4", "--scale", "up"], "error: scale='up' is no rule for scales. Choose: floor, ceil, rceil, even."),
        (["1", "--scale", "ceil"], "error: --scale is the rule for scales of mx and bfp formats, and 'bf16' has none. Leave it out."),
        (["1", "--format", "int4", "--scale", "ceil"], "error: --scale is the rule for scales of mx and bfp formats, and 'int4' has its own. Leave it out."),
        (["1", "--format", "bfp"], "error: format='bfp' must say bits and group. Write bfp:8:16, say."),
        (["1", "--format", "bfp:99:4"], "error: bits=99 must be a whole number from 2 to 16: a sign, and one or more bits of fraction."),
        (["1", "--format", "int1"], "error: bits=1 must be a whole number from 2 to 16."),
        (["1", "--format", "int4", "--overflow", "nan"],
         "error: format='int4' always ends at its largest number and keeps its smallest. Leave --overflow and --flush out."),
        (["1", "--format", "nvfp4", "--rounding", "rz"],
         "error: format='nvfp4' has blocks of 16 and rounds to nearest. Leave --rounding and what follows its name out."),
        (["nan", "--format", "int4"], "error: x holds 1 NaN, and whole numbers have no code for it. Replace them first."),
        (["1", "--format", "q4_k"],
         "error: format='q4_k' is known by its size only. Give a float format (e4m3, bf16, e5m7), mxfp8, mxfp8:e5m2, mxfp6, mxfp4, mxint8, nvfp4, bfp:8:16, "
         "int4, int4:128, uint8:affine."),
        (["1", "--format", "e4m53"], "error: format='e4m53' has 4 exponent and 53 mantissa bits; 2 to 11 and 0 to 52 can be held exactly. Give e5m7, say."),
        (["--file", "nowhere.npy"], "error: nowhere.npy: no such file. Give a .npy file of real numbers."),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, *words) == text


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_bad_files_are_one_line(content: bytes, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    path.write_bytes(content)
    assert f"{path} cannot be read as .npy" in refused(capsys, "--file", str(path))
    np.save(path, np.array([1j]))
    assert "holds dtype complex128; one array of real numbers of at most 64 bits is needed." in refused(capsys, "--file", str(path))

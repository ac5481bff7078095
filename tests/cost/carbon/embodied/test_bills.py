"""Bills of materials: trees, files that are data only, and many at once."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty.cost.carbon.embodied import (
    KINDS,
    Assembly,
    Columns,
    Part,
    assembly_of,
    example_names,
    parse_part,
    part_of,
    price,
    price_assembly,
    price_batch,
    read_assembly,
)
from thrifty.errors import BadFile, BadValue, ThriftyError, UnknownName

POOL = ("2*logic:area_mm2=694,node_nm=14,use=cpu", "12*dram:gb=32,type=ddr4", "8*ssd:gb=3840", "hdd:gb=8000", "base:u=2", "nic", "psu:kg=2.5", "a100-80gb",
        "3*board:area_cm2=700,layers=12", "heatsink:kg=0.4", "package:type=mcm,dies=2xlogic(area_mm2=200,node_nm=7)")  # fmt: skip


def test_formula_counts_multiply_down_the_tree() -> None:
    inner = Assembly(name="sled", parts=(parse_part("4*ssd:gb=1000"),), count=3)
    found = price_assembly(Assembly(name="rack", parts=(parse_part("nic"),), children=(inner,), count=2))
    assert found.kgco2e.mid == pytest.approx(24 * price(parse_part("ssd:gb=1000")).kgco2e.mid + 2 * price(parse_part("nic")).kgco2e.mid)
    said = found.to_dict()
    assert [row["path"] for row in said["by_part"]] == ["nic", "sled / ssd:gb=1000"]
    assert sum(row["share"] for row in said["by_part"]) == pytest.approx(1.0)
    assert said["by_model"]["act"] == pytest.approx(24 * 7.2) and said["covers"]["act"] == ["sled / ssd:gb=1000"]


def test_formula_life_and_state_come_from_above_unless_stated() -> None:
    parts = (parse_part("nic"), parse_part("nic:life=2,name=short"), parse_part("ssd:gb=1000"))
    found = price_assembly(Assembly(name="old", parts=parts, state="reused", life_years=4))
    assert found.kgco2e.high == 0 and all(priced.part.state == "reused" for _, priced in found.leaves())
    new = price_assembly(Assembly(name="new", parts=parts, life_years=4))
    nic, drive = (price(parse_part(text)).kgco2e.mid for text in ("nic", "ssd:gb=1000"))
    assert new.kgco2e_per_year.mid == pytest.approx(nic / 4 + nic / 2 + drive / 4)
    assert price_assembly(Assembly(name="any", parts=(parse_part("nic"),))).kgco2e_per_year.mid == pytest.approx(nic / 5)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), count=st.integers(2, 9))
def test_property_the_order_of_parts_changes_nothing(seed: int, count: int) -> None:
    draw = random.Random(seed)
    parts = [parse_part(draw.choice(POOL)) for _ in range(count)]
    shuffled = draw.sample(parts, count)
    cut = draw.randrange(1, count)
    whole = price_assembly(Assembly(name="a", parts=tuple(parts)))
    again = price_assembly(Assembly(name="b", parts=tuple(shuffled)))
    nested = price_assembly(Assembly(name="c", parts=tuple(shuffled[:cut]), children=(Assembly(name="d", parts=tuple(shuffled[cut:])),)))
    assert whole.kgco2e == again.kgco2e == nested.kgco2e
    assert whole.by_model == again.by_model == nested.by_model
    assert whole.kgco2e.low <= whole.kgco2e.mid <= whole.kgco2e.high


def test_files_in_both_formats_say_the_same(tmp_path: Path) -> None:
    toml, js = tmp_path / "bill.toml", tmp_path / "bill.json"
    toml.write_text('life = 6\nparts = ["nic"]\n[[part]]\nkind = "dram"\ngb = 32\ncount = 12\nstate = "reused"\n[[part]]\ndevice = "a100-80g"\ncount = 8\n'
                    '[[assembly]]\nname = "drives"\ncount = 2\nparts = ["ssd:gb=1000"]\n')  # fmt: skip
    js.write_text(json.dumps({"life": 6, "parts": ["nic", {"kind": "dram", "gb": 32, "count": 12, "state": "reused"}, {"device": "a100-80g", "count": 8}],
                              "assembly": [{"name": "drives", "count": 2, "parts": ["ssd:gb=1000"]}]}))  # fmt: skip
    one, two = read_assembly(toml), read_assembly(js)
    assert one.name == "bill" and one.parts == two.parts and one.children == two.children
    assert price_assembly(one).kgco2e == price_assembly(two).kgco2e


@pytest.mark.parametrize("name", example_names())
def test_bills_that_come_along(name: str) -> None:
    found = price_assembly(read_assembly(name))
    assert found.name == name and not found.missing and found.kgco2e.high > 3 * found.kgco2e.low


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("b.toml", "parts = [", "{path} is not TOML: "),
        ("b.json", "{", "{path} is not JSON: "),
        ("b.json", "[" * 100_000, "{path} is not JSON: "),
        ("b.json", '{"parts": ["nic"], "parts": ["cxl"]}', "{path} is not JSON: key 'parts' stands twice in one object. Mend the file."),
        ("b.json", '{"part": [{"kind": "dram", "gb": NaN}]}', "{path} is not JSON: NaN is no number of JSON. Mend the file."),
        ("b.json", "[1]", "{path} holds a list. Write one table with name and parts."),
        ("b.toml", "", "b.toml: assembly 'b' has no parts. Give it one, e.g. 'dram:gb=32,type=ddr4'."),
        ("b.toml", 'run = "rm"', "b.toml has unknown key 'run'. Allowed here: name, count, life, state, parts, part, assembly."),
        ("b.toml", 'parts = "nic"', 'b.toml: parts is no list. Write parts = ["dram:gb=32,type=ddr4"] or [[part]].'),
        ("b.toml", "parts = [7]", "b.toml, part 1 is 7. Write a text such as 'dram:gb=32,type=ddr4', or a table with kind."),
        ("b.toml", 'parts = ["nic", "dram:gb=-1"]', "b.toml, part 2: gb=-1 is not above 0. Give e.g. gb=384."),
        ("b.toml", '[[part]]\nkind = "dram"\ngb = nan', "b.toml, part 1: gb=nan is not a finite number. Give e.g. gb=384."),
        ("b.toml", '[[part]]\nkind = "dram"\ngb = true', "b.toml, part 1: True is neither number nor text. Mend it."),
        ("b.toml", 'parts = ["/etc/passwd.toml"]', "b.toml, part 1: '/etc/passwd.toml' is a file, and a bill opens none. Name a device of the catalogue."),
        ("b.toml", 'count = 0\nparts = ["nic"]', "b.toml: count=0 is below 1. Choose a whole number from 1 to"),
        ("b.toml", 'life = "x"\nparts = ["nic"]', "b.toml: life='x' is no number of years. Give e.g. life = 5."),
        ("b.toml", 'life = 0\nparts = ["nic"]', "b.toml: life=0.0 is not above 0. Give years of service, e.g. 5."),
        ("b.toml", 'state = "x"\nparts = ["nic"]', "b.toml: state='x' is unknown. Choose from: new, reused, recycled."),
        ("b.json", f'{{"life": {10**400}, "parts": ["nic"]}}', "{path} is not JSON: a whole number has more than 300 digits. Mend the file."),
        ("b.json", f'{{"count": {10**400}, "parts": ["nic"]}}', "{path} is not JSON: a whole number has more than 300 digits. Mend the file."),
        ("b.json", f'{{"part": [{{"kind": "dram", "gb": {10**400}}}]}}', "{path} is not JSON: a whole number has more than 300 digits. Mend the file."),
        ("b.toml", "count = 1e300\nparts = ['nic']", "b.toml: count=1e+300 is above 1000000000000000."),
        ("b.json", "[" * 100_000, "{path} is not JSON: it is nested too deeply. Mend the file."),
        ("b.json", '{"part": [{"kind": "dram", "gb": 1e400}]}', "b.json, part 1: gb=inf is not a finite number. Give e.g. gb=384."),
        ("b.json", '{"parts": ["10000000000000000*nic"]}', "b.json, part 1: count=10000000000000000 is above 1000000000000000."),
        ("b.toml", "name = 3", "b.toml has name 3. Give it a text."),
        ("b.toml", "assembly = 3", "b.toml: assembly is no list of tables. Write [[assembly]]."),
    ],
)
def test_errors_of_a_file(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ThriftyError) as error:
        read_assembly(path)
    assert str(error.value).startswith(message.format(path=path)) and "\n" not in str(error.value)


def test_errors_of_no_file_and_of_depth(tmp_path: Path) -> None:
    with pytest.raises(BadFile) as error:
        read_assembly(tmp_path / "none.toml")
    assert str(error.value) == f"{tmp_path / 'none.toml'} cannot be read: No such file or directory. Give a bill of materials in TOML or JSON."
    with pytest.raises(BadFile) as error:
        read_assembly("bill.yaml")
    assert str(error.value) == "bill.yaml is neither .toml nor .json. Write the bill of materials in one of them."
    with pytest.raises(UnknownName) as unknown:
        read_assembly("server-2019")
    assert str(unknown.value).startswith("No bill of materials named 'server-2019'. Did you mean 'server-2018'?")
    deep: dict[str, Any] = {"parts": ["nic"]}
    for _ in range(20):
        deep = {"assembly": [deep]}
    with pytest.raises(BadFile, match="is nested more than 16 deep"):
        assembly_of(deep)


SIZES = {"gb": (1.0, 8000.0), "area_mm2": (20.0, 800.0), "kg": (0.1, 20.0), "area_cm2": (10.0, 4000.0), "kwh": (1.0, 5000.0), "mw": (1.0, 90.0)}


@pytest.mark.parametrize("kind", KINDS)
def test_property_a_batch_is_the_scalar_path_row_by_row(kind: str) -> None:
    draw = np.random.default_rng(sum(map(ord, kind)))
    size = 64
    said: dict[str, Any] = {}
    for name, key in KINDS[kind].items():
        if key.what == "text" and key.choices is not None:
            said[name] = draw.choice([c for c in key.choices() if not (kind == "dram" and c in ("ddr5x",))], size)
        elif name == "node_nm" and kind == "logic":
            said[name] = draw.choice([3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 14.0, 16.0, 20.0, 22.0, 28.0], size)
        elif name == "node_nm":
            said[name] = draw.choice([10.0, 18.0, 19.0, 25.0, 40.0], size)
        elif name in SIZES:
            said[name] = draw.uniform(*SIZES[name], size)
        elif name == "yield":
            said[name] = draw.uniform(0.3, 1.0, size)
        elif name == "u":
            said[name] = draw.integers(1, 3, size).astype(float)
        elif name in ("dies", "packages", "layers", "modules", "stacks", "volume", "products", "psus"):
            said[name] = draw.integers(1, 9, size).astype(float)
        elif name == "year":
            said[name] = draw.integers(2019, 2027, size).astype(float)
    counts = draw.integers(0, 12, size)
    batch = price_batch([Columns(kind=kind, said=said, count=counts), Columns(kind="nic")])
    nic = price(parse_part("nic")).kgco2e
    for row in range(size):
        one = price(part_of(kind, {name: value[row].item() for name, value in said.items()}))
        for end in ("low", "mid", "high"):
            wanted = getattr(one.kgco2e, end) * int(counts[row]) + getattr(nic, end)
            assert getattr(batch, f"{end}_kg_N")[row] == pytest.approx(wanted, rel=1e-12), (kind, row, end)
        assert bool(batch.single_model_N[row]) == one.single_model


def test_a_batch_by_one_model_and_by_defaults() -> None:
    gb = np.array([100.0, 384.0])
    batch = price_batch([Columns(kind="dram", said={"gb": gb})], "act")
    assert batch.mid_kg_N == pytest.approx(gb * 0.065 / 0.875) and batch.single_model_N.all() and len(batch) == 2
    assert batch.high_kg_N / batch.mid_kg_N == pytest.approx(22.2)
    assert len(price_batch([Columns(kind="nic")])) == 1


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (Columns(kind="dram", said={"gb": np.array([1.0, -2.0])}), "gb=-2 in row 1 is not above 0. Give e.g. gb=384."),
        (Columns(kind="dram", said={"gb": np.array([np.nan, 2.0])}), "gb=nan in row 0 is not a finite number. Give e.g. gb=384."),
        (Columns(kind="dram", said={"gb": np.array([1.0, 2.0]), "type": np.array(["ddr4", "sram"])}), "type='sram' is unknown. Choose from: ddr, ddr3"),
        (Columns(kind="dram", said={"gb": np.ones((2, 2))}), "gb of dram has shape (2, 2). Give one value, or one a bill."),
        (
            Columns(kind="dram", said={"gb": np.ones(2), "modules": np.ones(3)}),
            "columns differ in length: gb of dram has 2, modules of dram has 3. Give one value",
        ),
        (Columns(kind="dram", said={"gb": np.ones(0)}), "a batch has no bills. Give columns of at least one row."),
        (Columns(kind="nic", count=np.array([1, -1])), "count=-1 of nic in row 1 is not a whole number of at least 0. Mend it."),
        (Columns(kind="nic", count=np.array([1.0, np.nan])), "count=nan of nic in row 1 is not a whole number of at least 0. Mend it."),
        (Columns(kind="device", said={"name": "a100-80gb"}), "device is a tree and has no columns. Give its pieces, or price it by itself."),
        (Columns(kind="logic", said={"area_mm2": np.ones(2), "node_nm": np.array([7.0, 2.0])}), "node_nm=2 is no node of the models' tables."),
    ],
)
def test_errors_of_a_batch(column: Columns, message: str) -> None:
    with pytest.raises(BadValue) as error:
        price_batch([column])
    assert str(error.value).startswith(message)


def test_errors_of_an_uncovered_batch_and_an_empty_one() -> None:
    with pytest.raises(BadValue) as error:
        price_batch([Columns(kind="dram", said={"gb": np.ones(2)})], "imec")
    assert str(error.value).startswith("imec does not cover dram in row 0. Models that know such parts: act,")
    with pytest.raises(BadValue) as error:
        price_batch([])
    assert str(error.value) == "a batch has no parts. Give at least one Columns."
    with pytest.raises(UnknownName):
        price_batch([Columns(kind="card")])
    with pytest.raises(BadValue, match="has no parts"):
        Assembly(name="empty")
    with pytest.raises(BadValue, match="imec covers no part of it"):
        price_assembly(Assembly(name="it", parts=(Part(kind="nic"),)), "imec")

"""What a part may say, and how what it may not is refused: one line with rule, value and fix."""

from __future__ import annotations

import pytest

from thrifty.cost.carbon.embodied import KINDS, Part, parse_part, part_of, price
from thrifty.cost.carbon.embodied.models.tables import rows
from thrifty.errors import BadValue, ThriftyError, UnknownName

NODES = "Choose from 3, 5, 7, 8, 10, 14, 20, 28, or between them."


def test_a_part_with_all_its_words() -> None:
    part = parse_part(" 12*dram:gb=32,type=DDR4,count=2,state=reused,life=4,name=module ")
    assert (part.kind, part.count, part.state, part.life_years, part.label) == ("dram", 24, "reused", 4.0, "module")
    assert part.words() == "dram:gb=32,type=DDR4"
    assert parse_part(part.words()).parameters == part.parameters
    assert parse_part("nic").kind == "nic" and parse_part("NIC:").kind == "nic"


def test_formula_gb_and_gib_are_different_sizes() -> None:
    assert price(parse_part("dram:gib=100,modules=4")).by_model["llmcarbon"] == pytest.approx(0.4 * 100 * 1.073741824)
    assert price(parse_part("ssd:tb=1")).by_model == pytest.approx(price(parse_part("ssd:gb=1000")).by_model)
    assert price(parse_part("ssd:tib=1")).by_model["act"] == pytest.approx(7.2 * 1.099511627776)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_priced_by_what_it_needs_alone(kind: str) -> None:
    """Defaults that the pack must have; every model that knows the kind answers or leaves it out, and at least one answers."""
    found = price(part_of(kind, {name: key.example for name, key in KINDS[kind].items() if key.default is None}))
    assert 0 <= found.kgco2e.low <= found.kgco2e.mid <= found.kgco2e.high and found.kgco2e.mid > 0
    assert found.by_model and found.single_model == (len(found.by_model) == 1) and found.sources


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("logic:area_mm2=-10,node_nm=7", "area_mm2=-10 is not above 0. Give e.g. area_mm2=814."),
        ("logic:area_mm2=0,node_nm=7", "area_mm2=0 is not above 0. Give e.g. area_mm2=814."),
        ("logic:area_mm2=nan,node_nm=7", "area_mm2=nan is not a finite number. Give e.g. area_mm2=814."),
        ("logic:area_mm2=inf,node_nm=7", "area_mm2=inf is not a finite number. Give e.g. area_mm2=814."),
        ("logic:area_mm2=big,node_nm=7", "area_mm2=big is not a number. Give e.g. area_mm2=814."),
        ("logic:area_mm2=8cm,node_nm=7", "area_mm2=8cm is not a number. Give e.g. area_mm2=814."),
        ("logic:area_mm2=826,node_nm=7,yield=1.5", "yield=1.5 is outside (0, 1]. Give e.g. yield=0.875."),
        ("logic:area_mm2=826,node_nm=7,yield=0", "yield=0 is outside (0, 1]. Give e.g. yield=0.875."),
        ("logic:area_mm2=826,node_nm=7,yield=nan", "yield=nan is not a finite number. Give e.g. yield=0.875."),
        ("logic:area_mm2=826,node_nm=2", f"node_nm=2 is no node of the models' tables. {NODES}"),
        ("logic:area_mm2=826,node_nm=45", f"node_nm=45 is no node of the models' tables. {NODES}"),
        ("logic:area_mm2=826,node_nm=7,abatement=90", "abatement=90 is below 95. Give e.g. abatement=97."),
        ("logic:area_mm2=826,node_nm=7,packages=1.5", "packages=1.5 is not a whole number. Give e.g. packages=1."),
        ("logic:area_mm2=826,node_nm=7,volume=0", "volume=0 is below 1. Give e.g. volume=100000."),
        ("logic:area_mm2=826,node_nm=7,fab_ci=-1", "fab_ci=-1 is below 0. Give e.g. fab_ci=583."),
        ("logic:area_mm2=826", "logic has no node_nm. Give it, e.g. node_nm=7."),
        ("logic:area_mm2=826,node_nm=7,area_mm2=1", "logic says area_mm2 twice. Say it once."),
        ("logic:area_mm2", "'area_mm2' in logic is no key=value. Write e.g. logic:area_mm2=814,node_nm=7."),
        ("dram:gb=32,gib=32", "dram says its size 2 times: gb, gib. Say it once."),
        ("dram:gib=-1", "gib=-1 is not above 0. Give e.g. gib=384."),
        ("hdd:gb=0", "gb=0 is not above 0. Give e.g. gb=16000."),
        ("nic:gb=1", "nic has no 'gb'. Choose from: nothing; it has one size."),
        ("heatsink:kilos=1", "heatsink has no 'kilos'. Choose from: kg."),
        ("fan:u=3", "u=3 is above 2. Give e.g. u=1."),
        ("nic:count=0", "count=0 is below 1. Choose a whole number from 1 up."),
        ("nic:count=1.5", "count=1.5 is not a whole number. Choose a whole number from 1 up."),
        ("nic:life=0", "life=0.0 is not above 0. Give years of service, e.g. 5."),
        ("nic:life=long", "life=long is not a number. Give years of service, e.g. 5."),
        ("nic:state=old", "state='old' is unknown. Choose from: new, reused, recycled."),
        ("", "a part has no text. Write e.g. logic:area_mm2=826,node_nm=7, dram:gb=384,type=ddr4 or a100-80gb."),
    ],
)
def test_errors_of_a_part(text: str, message: str) -> None:
    with pytest.raises(BadValue) as error:
        parse_part(text)
    assert str(error.value) == message


def test_errors_name_what_is_known() -> None:
    with pytest.raises(UnknownName) as error:
        parse_part("logik:area_mm2=1")
    assert str(error.value).startswith("No kind of part named 'logik'. Choose from: logic, packaging, dram, ssd,")
    with pytest.raises(BadValue) as wrong:
        parse_part("logic:area_mm2=826,node_nm=7,fab=mars")
    assert str(wrong.value).startswith("fab='mars' is unknown. Choose from: world, india, australia, taiwan,")
    with pytest.raises(BadValue) as wrong:
        parse_part("logic:area_mm2=826,node_nm=7,nodes=7")
    assert str(wrong.value).startswith("logic has no 'nodes'. Choose from: area_mm2, node_nm, yield, fab,")
    with pytest.raises(UnknownName) as error:
        parse_part("a100-80gc")
    assert str(error.value).startswith("No part, device or chip named 'a100-80gc'. Did you mean 'a100-80gb'? Kinds of parts: logic,")


def test_errors_of_a_model() -> None:
    with pytest.raises(UnknownName) as error:
        price(parse_part("nic"), "acts")
    assert str(error.value).startswith("No model named 'acts'. Did you mean 'act'? List them with: ensemble, act, imec")
    with pytest.raises(BadValue) as wrong:
        price(parse_part("dram:gb=32"), "imec")
    assert str(wrong.value) == ("imec does not cover dram:gb=32. Models that know such parts: act, boavizta, greensku, llmcarbon, fair-co2, nvidia-pcf.")
    with pytest.raises(BadValue) as wrong:
        price(parse_part("nic"), ())
    assert str(wrong.value).startswith("models names none. Choose from: ensemble, act")
    with pytest.raises(ThriftyError):
        price(Part(kind="dram", parameters={"gb": float("nan")}))


def test_formula_a_single_model_says_so_and_is_widened() -> None:
    act = price(parse_part("dram:gb=384,type=ddr4"), "act")
    spread = rows("embodied:spread", "ratio")["dram"]
    assert act.single_model and act.by_model.keys() == {"act"}
    assert (act.kgco2e.low * spread, act.kgco2e.high / spread) == pytest.approx((act.kgco2e.mid, act.kgco2e.mid))
    assert act.notes[0] == "single model: only act answers; widened both ways by the spread of such models"
    assert not price(parse_part("dram:gb=384,type=ddr4"), ["act", "greensku"]).single_model
    assert price(parse_part("rack")).single_model


def test_property_a_single_model_s_range_holds_all_other_models() -> None:
    """What the stated spread is for: whichever model is asked alone, the others' answers to the same part lie in its range."""
    for text in ("logic:area_mm2=826,node_nm=7,use=gpu", "logic:area_mm2=694,node_nm=14,use=cpu", "dram:gb=384,type=ddr4", "ssd:gb=1000", "psu", "case"):
        every = price(parse_part(text)).by_model
        for name in every:
            alone = price(parse_part(text), name).kgco2e
            assert all(alone.low <= value * 1.001 and value <= alone.high * 1.001 for value in every.values()), (text, name)


def test_formula_fab_by_place_year_and_fuel() -> None:
    def act(words: str) -> float:
        return price(parse_part(f"logic:area_mm2=100,node_nm=7,yield=1,packages=0,{words}")).by_model["act"]

    def wanted(intensity: float) -> float:
        return (intensity * 2.15 + 275 + 500) / 1e3

    for words, intensity in (
        ("fab=taiwan", 583), ("fab=taiwan,year=2021", 583), ("fab=taiwan,year=2023", 642), ("fab=korea", 430), ("fab=korea,year=2024", 402), ("fab=wind", 11),
        ("fab=wind,year=2024", 11), ("fab=world,year=2025", 481), ("fab_ci=50", 50), ("fab=iceland,fab_ci=0", 0),
    ):  # fmt: skip
        assert act(words) == pytest.approx(wanted(intensity)), words
    brazil = parse_part("logic:area_mm2=100,node_nm=7,yield=0.9,fab=brazil,year=2023")
    assert price(brazil).notes == ("no intensity of brazil from 2023 on: the older one taken",)


def test_formula_state_of_a_part() -> None:
    new, reused, recycled = (price(parse_part(f"4*dram:gb=32,state={state}")) for state in ("new", "reused", "recycled"))
    assert reused.kgco2e.high == 0 and set(reused.by_model.values()) == {0.0}
    assert reused.notes[0].startswith("reused: its making was charged to its first life (cut-off); new it would be ")
    assert recycled.kgco2e == new.kgco2e and "never netted" in recycled.notes[-1]
    assert new.kgco2e.mid == pytest.approx(4 * price(parse_part("dram:gb=32")).kgco2e.mid)


def test_formula_design_carbon_is_in_every_model() -> None:
    plain = price(parse_part("logic:area_mm2=100,node_nm=7"))
    designed = price(parse_part("logic:area_mm2=100,node_nm=7,design_kwh=1e6,design_ci=400,volume=1000,products=4"))
    for name, value in plain.by_model.items():
        assert designed.by_model[name] == pytest.approx(value + 1e6 * 0.4 / 4000)

"""Lives of parts: allocation that keeps the total, histories that show tampering, wear, and over-provisioned flash."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.cost.carbon.embodied.servers import load_part
from thrifty.errors import BadFile, BadValue
from thrifty.levers.steward.reuse import (
    RULES,
    Life,
    Reading,
    allocate,
    append_reading,
    best_overprovisioning,
    failure_law,
    flash_life_years,
    overprovisioning_for,
    read_history,
    remaining_life,
    survival,
    worth_reusing,
)  # fmt: skip

GRAMS = st.floats(0, 1e9)


@given(GRAMS, GRAMS, st.lists(st.tuples(st.floats(0.1, 20), GRAMS, st.integers(0, 100)), min_size=1, max_size=5), st.sampled_from(RULES), GRAMS)
def test_property_all_lives_together_bear_what_was_emitted(made: float, end: float, raw: list[tuple[float, float, int]], rule: str, recycled: float) -> None:
    weight = sum(each[2] for each in raw)
    lives = [Life(years=years, refurbish_g=grams, value_share=value / weight if weight else 1 / len(raw)) for years, grams, value in raw]
    found = allocate(made, lives, rule, end_g=end, recycled_g=recycled)
    emitted = made + end + math.fsum(life.refurbish_g for life in lives)
    assert found.total_g == pytest.approx(emitted, rel=1e-9, abs=1e-6)
    assert math.fsum(found.life_g(number) for number in range(1, len(lives) + 1)) == pytest.approx(emitted, rel=1e-9, abs=1e-6)
    assert all(line.carbon_g >= 0 for line in (*found.burdens, *found.credits))
    avoided = made * (len(lives) - 1) if rule == "avoided-burden" else 0.0
    assert found.credit_g == pytest.approx(avoided + recycled, rel=1e-9, abs=1e-9)
    if emitted:
        assert found.ledger("drive").total_g() == pytest.approx(emitted, rel=1e-9)


def test_formula_two_lives_by_hand() -> None:
    lives = (Life(years=6, value_share=0.7), Life(years=4, refurbish_g=10.0, value_share=0.3))
    borne = {rule: [allocate(100.0, lives, rule, end_g=20.0).life_g(life) for life in (1, 2)] for rule in RULES}
    assert borne["cut-off"] == [100.0, 30.0]
    assert borne["50-50"] == [50 + 5 + 10, 50 + 5 + 10]
    assert borne["value"] == pytest.approx([0.7 * 130, 0.3 * 130])
    assert borne["avoided-burden"] == borne["cut-off"]
    credit = allocate(100.0, lives, "avoided-burden", displaced=0.8, new_g=60.0, recycled_g=5.0).credits
    assert [(line.life, line.what, line.carbon_g) for line in credit] == [(2, "recycling", 5.0), (2, "avoided making", pytest.approx(48.0))]


def test_credits_are_in_no_ledger() -> None:
    found = allocate(100.0, (Life(years=1), Life(years=1)), "avoided-burden", recycled_g=30.0)
    assert found.ledger("dimm").by("asset") == {"dimm, life 1": 100.0}
    assert found.to_dict()["credit_gco2e"] == 130.0 and found.to_dict()["total_gco2e"] == 100.0


@pytest.mark.parametrize(
    ("made", "lives", "rule", "more", "message"),
    [
        (1.0, 0, "cut-off", {}, "a part without a life has nobody to bear its making"),
        (-1.0, 2, "cut-off", {}, "made_g=-1.0 is below 0 or not finite"),
        (1.0, 2, "fair", {}, "allocation='fair' is unknown. Choose from: cut-off, 50-50, value, avoided-burden."),
        (1.0, 2, "value", {}, "value shares [None, None] of the lives do not add up to 1"),
        (1.0, 2, "avoided-burden", {"displaced": 1.5}, "displaced=1.5 is outside 0 to 1"),
        (1.0, 2, "cut-off", {"recycled_g": -5.0}, "recycled_g=-5.0 is below 0 or not finite"),
    ],
)
def test_bad_allocations_are_refused(made: float, lives: int, rule: str, more: dict[str, float], message: str) -> None:
    with pytest.raises(BadValue) as caught:
        allocate(made, [Life(years=1.0)] * lives, rule, **more)
    assert message in str(caught.value)


def test_bad_lives_are_refused() -> None:
    with pytest.raises(BadValue, match=r"a life of 0 years is none\. Give more than 0\."):
        Life(years=0)
    with pytest.raises(BadValue, match=r"value_share=1\.2 is outside 0 to 1"):
        Life(years=1, value_share=1.2)


def history(file: Path, serial: str = "S1", part: str = "ssd-1tb-reused", written: float = 4e14) -> str:
    """Three readings over three years; returns the head."""
    head = ""
    for year in (0, 1, 3):
        head = append_reading(file, Reading(
            serial=serial, part=part, at=f"202{year}-01-01T00:00:00+00:00", event="installed" if not year else "read", power_on_hours=8766.0 * year,
            written_bytes=written / 3 * year, erase_cycles=200.0 * year,
        ))  # fmt: skip
    return head


def test_a_history_reads_back_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "wear.jsonl"
    heads = {serial: history(file, serial) for serial in ("S1", "S2")}
    found = read_history(file, heads)
    assert list(found) == ["S1", "S2"]
    assert [reading.power_on_hours for reading in found["S2"]] == [0.0, 8766.0, 26298.0]


@pytest.mark.parametrize("how", ["changed", "dropped", "swapped", "doubled", "forged hash", "first dropped"])
def test_tampering_is_found(tmp_path: Path, how: str) -> None:
    file = tmp_path / "wear.jsonl"
    history(file)
    lines = file.read_text().splitlines()
    if how == "changed":
        lines[1] = lines[1].replace("8766.0", "87.0")
    elif how == "dropped":
        del lines[1]
    elif how == "first dropped":
        del lines[0]
    elif how == "swapped":
        lines[0], lines[1] = lines[1], lines[0]
    elif how == "doubled":
        lines.insert(1, lines[1])
    else:
        row = json.loads(lines[2])
        lines[2] = json.dumps({**row, "hash": "0" * 64})
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(BadFile, match=r"line \d: the history of 'S1' is broken here: a reading was changed, added or dropped\. Distrust it\."):
        read_history(file)
    with pytest.raises(BadFile, match="is broken here"):
        append_reading(file, Reading(serial="S1", part="ssd-1tb-reused", at="2029-01-01T00:00:00+00:00", power_on_hours=1e6))


def test_an_end_that_was_cut_off_is_found_by_the_head(tmp_path: Path) -> None:
    file = tmp_path / "wear.jsonl"
    head = history(file)
    file.write_text("".join(line + "\n" for line in file.read_text().splitlines()[:-1]))
    assert len(read_history(file)["S1"]) == 2
    with pytest.raises(BadFile, match=r"does not end at .* its end was cut off, or it was written anew"):
        read_history(file, {"S1": head})


def test_counters_only_go_up_and_time_forward(tmp_path: Path) -> None:
    file = tmp_path / "wear.jsonl"
    history(file)
    with pytest.raises(BadValue, match=r"power_on_hours of 'S1' went down from 26298 to 5\. A counter only goes up"):
        append_reading(
            file, Reading(serial="S1", part="ssd-1tb-reused", at="2024-01-01T00:00:00+00:00", power_on_hours=5, erase_cycles=600, written_bytes=4e14)
        )
    with pytest.raises(BadValue, match="before its last reading"):
        append_reading(file, Reading(serial="S1", part="ssd-1tb-reused", at="2021-01-01T00:00:00+00:00"))
    with pytest.raises(BadValue, match="was a 'ssd-1tb-reused' and now is a 'ddr5-64gb'"):
        append_reading(file, Reading(serial="S1", part="ddr5-64gb", at="2025-01-01T00:00:00+00:00"))
    assert len(read_history(file)["S1"]) == 3


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"power_on_hours": -1.0}, "power_on_hours=-1.0 of 'x' is below 0 or not finite"),
        ({"written_bytes": math.nan}, "written_bytes=nan of 'x'"),
        ({"event": "sold"}, "event='sold' is unknown"),
        ({"at": "2026-01-01T00:00:00"}, "has no time zone"),
        ({"at": "yesterday"}, "at='yesterday' of 'x' is no time"),
        ({"part": ""}, "names no part"),
    ],
)
def test_bad_readings_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(BadValue) as caught:
        Reading(**{"serial": "x", "part": "ssd-1tb-reused", "at": "2026-01-01T00:00:00+00:00", **fields})  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_file_that_is_no_history(tmp_path: Path) -> None:
    file = tmp_path / "wear.jsonl"
    file.write_text("[]\n")
    with pytest.raises(BadFile, match="line 1 is no reading"):
        read_history(file)


def test_formula_survival() -> None:
    assert survival(0, 5, 10) == pytest.approx(math.exp(-0.5))
    assert survival(7, 5, 10) == pytest.approx(survival(0, 5, 10)), "a flat rate forgets its age"
    assert survival(7, 5, 10, 2.0) == pytest.approx(math.exp(0.7**2 - 1.2**2))
    assert survival(7, 5, 10, 2.0) < survival(0, 5, 10, 2.0)
    assert failure_law(load_part("ddr4-32gb-reused")) == pytest.approx((1000.0, 1.0))
    with pytest.raises(BadValue, match=r"scale_years=0\.0 of a Weibull law is not above 0"):
        survival(1, 1, 0.0)


def test_formula_remaining_life(tmp_path: Path) -> None:
    file = tmp_path / "wear.jsonl"
    history(file)
    left = remaining_life(read_history(file)["S1"], 6, limits={"written_bytes": 1e15, "erase_cycles": 3000, "thermal_cycles": 500}, law=(500.0, 1.0))
    assert left.by == "writes"
    assert left.years == pytest.approx(6e14 / (4e14 / 3))
    assert left.chance == pytest.approx(math.exp(-6 / 500))
    spent = remaining_life(read_history(file)["S1"], 6, limits={"written_bytes": 4e14}, law=(500.0, 1.0))
    assert spent.years == 0.0
    unused = remaining_life((Reading(serial="n", part="ddr4-32gb-reused", at="2026-01-01T00:00:00+00:00"),), 6)
    assert math.isinf(unused.years) and unused.by == "no limit" and unused.to_dict()["years"] is None


def test_what_is_worth_reusing(tmp_path: Path) -> None:
    file = tmp_path / "wear.jsonl"
    history(file, "good")
    history(file, "spent", written=3e15)
    row = worth_reusing(read_history(file), 6)["ssd-1tb-reused"]
    assert (row["parts"], row["usable"]) == (2, 1)
    assert row["expected"] == pytest.approx(math.exp(-6 * 0.002))
    assert row["reuse_yield"] == pytest.approx(row["expected"] / 2)


@given(st.floats(0.5, 10), st.floats(1e11, 1e13), st.floats(1e12, 1e16))
def test_property_overprovisioning_and_life_are_inverse(years: float, size: float, writes: float) -> None:
    op = overprovisioning_for(years, size, writes, 3000)
    assert flash_life_years(op, size, writes, 3000) == pytest.approx(years, rel=1e-9)
    assert overprovisioning_for(2 * years, size, writes, 3000) >= 2 * op * (1 - 1e-12)


def test_formula_more_flash_for_a_second_life() -> None:
    # A terabyte written over at 320 TB a year lasts 3 years with 16 % hidden; one drive for two lives hides twice that and still is less flash than two.
    writes = 2 * 0.16 * 1e12 * 3000 / 3
    op, served, grams = best_overprovisioning(3, 2, 1e12, writes, 1e-8)
    assert op == pytest.approx(0.32) and served == 2
    assert grams == pytest.approx(1.32 * 1e12 * 1e-8 / 6)
    # Where more is hidden than shown nothing is rewritten, and one drive for both lives is as much flash as two.
    assert overprovisioning_for(3, 1e12, 10 * writes, 3000) == pytest.approx(2.2)
    assert best_overprovisioning(3, 2, 1e12, 10 * writes, 1e-8)[2] == pytest.approx(6.4 * 1e12 * 1e-8 / 6)
    with pytest.raises(BadValue, match="lives=0 is not a whole number"):
        best_overprovisioning(3, 0, 1e12, writes, 1e-8)
    with pytest.raises(BadValue, match="years=0 is not above 0"):
        overprovisioning_for(0, 1e12, writes)

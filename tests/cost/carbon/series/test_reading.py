"""Files of series: what is read, and every fault refused by its line with a fix."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from thrifty.cost.carbon.series import LifeCycleIntensity, Series, filled, read_mix, read_series
from thrifty.errors import BadFile, BadValue, MissingExtra, ThriftyError


def written(folder: Path, text: str, name: str = "a.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def rows(*lines: str, head: str = "time,load [MW]") -> str:
    return "\n".join([head, *lines]) + "\n"


@pytest.mark.parametrize(
    ("head", "unit", "value"),
    [("time,load [MW]", None, 2.0), ("time,load (kW)", None, 0.002), ("time,load_mw", None, 2.0), ("time,load", "W", 2e-6), ("time,load [MWh]", None, 4.0)],
)
def test_units_stand_in_the_head_or_are_given(tmp_path: Path, head: str, unit: str | None, value: float) -> None:
    """Energies are those of each step: 2 MWh in half an hour are 4 MW."""
    series, notes = read_series(written(tmp_path, rows("2020-01-01T00:00Z,2", "2020-01-01T00:30Z,2", head=head)), "load", unit=unit)
    assert series.values_T == pytest.approx([value, value]) and (series.unit, series.step_s, notes) == ("MW", 1800, ())


@pytest.mark.parametrize(
    ("unit", "factor"), [("gCO2e/kWh", 1), ("kgCO2e/MWh", 1), ("kgCO2e/kWh", 1000), ("gCO2eq/kWh", 1), ("gCO2/kWh", 1), ("tCO2e/MWh", 1000)]
)
def test_grams_and_kilograms_are_told_apart(tmp_path: Path, unit: str, factor: float) -> None:
    values = np.array([300, 200]) / factor
    series, _ = read_series(written(tmp_path, rows(*(f"2020-01-01T0{k}:00Z,{v}" for k, v in enumerate(values)), head=f"time,ci [{unit}]")), "intensity")
    assert series.values_T == pytest.approx([300, 200]) and series.unit == "gCO2e/kWh"


@pytest.mark.parametrize("head", ["gCO2e/kWh", "kgCO2e/kWh", "gCO2/kWh"])
def test_a_head_that_is_a_unit_states_it(tmp_path: Path, head: str) -> None:
    lines = [f"2020-01-01T0{k}:00Z,{0.3 if 'kg' in head else 300}" for k in range(2)]
    path = written(tmp_path, rows(*lines, head=f"time,{head}"))
    assert read_series(path, "intensity")[0].values_T == pytest.approx([300, 300])
    with pytest.raises(BadValue, match=f"a.csv states {head} for '{head}', and --mix-unit says tCO2e/MWh. Leave --mix-unit out."):
        read_series(path, "intensity", unit="tCO2e/MWh", option="--mix-unit")


def test_an_autumn_day_repeats_an_hour_in_order(tmp_path: Path) -> None:
    stamps = ["00:00", "01:00", "01:00", "02:00"]
    series, _ = read_series(written(tmp_path, rows(*(f"2020-11-01 {s},{k}" for k, s in enumerate(stamps)))), "load", zone="America/Los_Angeles")
    assert series.start.isoformat() == "2020-11-01T07:00:00+00:00" and len(series) == 4 and series.step_s == 3600
    days, hours = series.local()
    assert hours.tolist() == [0, 1, 1, 2] and len(set(days.tolist())) == 1


def test_stamps_at_the_end_of_their_step_are_an_hour_earlier(tmp_path: Path) -> None:
    path = written(tmp_path, rows("2020-01-01T01:00Z,1", "2020-01-01T02:00Z,2"))
    assert read_series(path, "load", stamps="end")[0].start.hour == 0


def test_json_in_three_forms(tmp_path: Path) -> None:
    forms = (
        '[{"time": "2020-10-25T00:00+02:00", "load_mw": 1}, {"time": "2020-10-25T01:00+02:00", "load_mw": 2}]',
        '{"unit": "MW", "times": ["2020-10-24T22:00Z", "2020-10-24T23:00Z"], "values": [1, 2]}',
        '{"unit": "MW", "zone": "Europe/Berlin", "start": "2020-10-25T00:00", "step_s": 3600, "values": [1, 2]}',
    )
    for text in forms:
        series, _ = read_series(written(tmp_path, text, "a.json"), "load")
        assert series.start.isoformat() == "2020-10-24T22:00:00+00:00" and series.values_T.tolist() == [1, 2]


def test_parquet_and_arrow(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow.feather
    import pyarrow.parquet

    table = pyarrow.table({"time": ["2020-01-01T00:00Z", "2020-01-01T01:00Z"], "load [MW]": [1.0, None]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    pyarrow.feather.write_feather(table, tmp_path / "a.feather")
    for name in ("a.parquet", "a.feather"):
        with pytest.raises(BadFile, match=f"{name}: 1 of 2 steps have no load, the first in row 2."):
            read_series(tmp_path / name, "load")
    (tmp_path / "b.parquet").write_bytes(b"no")
    with pytest.raises(BadFile, match=r"b\.parquet is not what its ending says"):
        read_series(tmp_path / "b.parquet", "load")


def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    for name in ("pyarrow", "pyarrow.feather", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=r'Reading a.parquet needs pyarrow. Install: pip install "thrifty\[scale\]"'):
        read_series(written(tmp_path, "", "a.parquet"), "load")


Z = "2020-03-08T0{}:00Z,{}"
FAULTS = [
    (rows(Z.format(0, 1), Z.format(1, "x")), {}, "a.csv, line 3: 'x' is no number. Write e.g. 12.5, or leave a hole empty."),
    (rows(Z.format(0, 1), Z.format(1, "inf")), {}, "a.csv, line 3: load is inf. Write a finite number, or leave a hole empty."),
    ("# said above\n" + rows(Z.format(0, 1), Z.format(1, -2)), {},
     "a.csv, line 4: load is -2, below 0. Mend it; where small negatives are metering of plants at rest, write 0."),
    (rows(Z.format(0, 1), Z.format(0, 1)), {}, "a.csv, line 3: '2020-03-08 00:00:00+00:00' repeats the stamp of line 2. "
     "Give each step once, in order of time."),
    (rows(Z.format(1, 1), Z.format(0, 1)), {}, "a.csv, line 3: '2020-03-08 00:00:00+00:00' goes back behind that of line 2. "
     "Give each step once, in order of time."),
    (rows(Z.format(0, 1), Z.format(1, 1), Z.format(3, 1)), {},
     "a.csv: 1 step is missing, the first after line 3 (2020-03-08 02:00Z). Add what is missing, or say --fill linear or --fill day."),
    (rows(Z.format(0, 1), Z.format(1, "")), {}, "a.csv: 1 of 2 steps have no load, the first in line 3. "
     "Add what is missing, or say --fill linear or --fill day."),
    (rows(Z.format(0, 1), Z.format(1, 1), "2020-03-08T02:10Z,1"), {},
     "a.csv, line 4: 4200 s after the stamp above, in a file of 3600 s steps. Give equal steps."),
    (rows("2020-03-08T01:00,1", Z.format(2, 1)), {"zone": "UTC"},
     "a.csv, line 3: '2020-03-08 02:00:00+00:00' has an offset that the stamps above lack. Write all with an offset, or none."),
    (rows(Z.format(2, 1), "2020-03-08T03:00,1"), {},
     "a.csv, line 3: '2020-03-08 03:00:00' lacks the offset that the stamps above have. Write all with an offset, or none."),
    (rows("2020-03-08T01:00,1", "2020-03-08T02:00,1"), {},
     "a.csv, line 2: '2020-03-08 01:00:00' names no time zone. Write offsets (2020-01-01T00:00-08:00), or say --zone America/Los_Angeles."),
    (rows("2020-03-08T01:00,1", "2020-03-08T02:00,1"), {"zone": "America/Los_Angeles"},
     "a.csv, line 3: '2020-03-08 02:00:00' does not exist in America/Los_Angeles, whose clocks skip it in spring. Mend the stamp, or write offsets."),
    (rows("2020-02-30T01:00Z,1", "2020-03-08T02:00Z,1"), {}, "a.csv, line 2: '2020-02-30T01:00Z' is no ISO time. Write e.g. 2020-01-01T00:00-08:00."),
    (rows(Z.format(0, 1), Z.format(1, 1), head="time,load"), {}, "a.csv states no unit for 'load'. Write it in the head, e.g. 'load [MW]', or give --unit MW."),
    (rows(Z.format(0, 1), Z.format(1, 1)), {"unit": "kW"}, "a.csv states MW for 'load', and --unit says kW. Leave --unit out."),
    (rows(Z.format(0, 1), Z.format(1, 1), head="time,load [GB]"), {},
     "unit 'GB' is none of a load. Use one like 'MW' or, for the energy of each step, 'MWh'."),
    (rows(Z.format(0, 1), head="time,load [MW]"), {}, "a.csv has one stamp, which tells no step. Give two or more."),
    (rows(head="time,load [MW]"), {}, "a.csv has no rows. Give a head (time,load [MW]) and one row a step."),
    (rows("1,2", head="a,b"), {}, "a.csv has heads a, b, of which 0 are the time. Name one column 'time'."),
    (rows(Z.format(0, "1,2")), {}, "a.csv, line 2: 3 cells under 2 heads. Give one cell a head."),
    (rows(Z.format(0, "1,2"), head="time,a [MW],b [MW]"), {}, "a.csv has columns a, b beside the time. Say which one counts, or leave one."),
    (rows(Z.format(0, 1), Z.format(1, 1)), {"zone": "Mars"} , None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "more", "said"), FAULTS)
def test_faults_are_told_by_their_line(tmp_path: Path, text: str, more: dict[str, str], said: str | None) -> None:
    with pytest.raises(ThriftyError) as error:
        read_series(written(tmp_path, text), "load", **more)
    assert str(error.value) == (said or "'Mars' is no time zone. Give an IANA name such as America/Los_Angeles or UTC.")


@pytest.mark.parametrize(
    ("unit", "value", "said"),
    [
        ("g/kWh", 300, "unit 'g/kWh' has the wrong dimension for a carbon_per_energy. Use one like 'gCO2e/kilowatt_hour'."),
        ("gCO2e/kWh", 0.3, "a.csv reaches only 0.3 gCO2e/kWh read as gCO2e/kWh; no grid is so clean. Check grams against kilograms, kWh against MWh."),
        ("kgCO2e/kWh", 300, "a.csv reaches 300000 gCO2e/kWh read as kgCO2e/kWh; no fuel emits so much. Check grams against kilograms, kWh against MWh."),
    ],
)
def test_intensities_in_wrong_units_are_refused(tmp_path: Path, unit: str, value: float, said: str) -> None:
    with pytest.raises(BadValue) as error:
        read_series(written(tmp_path, rows(Z.format(0, value), Z.format(1, value), head=f"time,ci [{unit}]")), "intensity")
    assert str(error.value) == said


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "none.csv", "there is no file"), (written(tmp_path, "", "a.xls"), "a.xls ends in '.xls'. Give one of: .csv, .json"),
        (written(tmp_path, "[1, 2]", "a.json"), "a.json holds no series."), (written(tmp_path, "[1,", "b.json"), "b.json is not JSON: Expecting"),
        (written(tmp_path, '{"unit": "MW", "times": [], "values": [1]}', "c.json"), "c.json has 0 times for 1 values. Give one a value."),
    ):  # fmt: skip
        with pytest.raises(BadFile, match=said.replace("(", r"\(")):
            read_series(path, "load")
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadFile, match="Give a text file in UTF-8"):
        read_series(tmp_path / "bad.csv", "load")


def test_formula_filling_by_line_and_by_day(tmp_path: Path) -> None:
    path = written(tmp_path, rows(Z.format(0, 1), Z.format(1, 2), Z.format(2, 3), Z.format(5, 9)))
    series, notes = read_series(path, "load", fill="linear")
    assert series.values_T == pytest.approx([1, 2, 3, 5, 7, 9])
    assert notes == ("2 of 6 steps of load of a.csv had no value and were filled (linear)",)
    with pytest.raises(BadValue, match=r"states no day's value for step 3 of a day. Use --fill linear."):
        read_series(path, "load", fill="day")
    days = series.with_values([1, 2, 3, 5, 7, 9])
    long = np.tile(np.arange(24.0), 3)
    long[30] = np.nan
    day = dataclasses.replace(days, values_T=long)
    assert filled(day, "day")[0].values_T[30] == 6
    end = dataclasses.replace(days, values_T=np.array([1.0, np.nan]))
    with pytest.raises(BadValue, match=r"has a hole at an end, which no line spans. Cut it off, or use --fill day."):
        filled(end, "linear")


def test_formula_a_mix_by_fuel(tmp_path: Path) -> None:
    path = written(tmp_path, rows("2020-01-01T00:00Z,300,0", "2020-01-01T01:00Z,100,100", head="time,solar [MW],gas [MW]"))
    found = read_mix(path, "life-cycle")
    assert type(found) is LifeCycleIntensity and found.series.values_T == pytest.approx([41, (41 + 490) / 2])
    assert read_mix(path, "direct").series.values_T == pytest.approx([0, 220])
    with pytest.raises(BadFile, match=r"a\.csv has fuels beside peat. Give columns of fuels alone"):
        read_mix(written(tmp_path, rows("2020-01-01T00:00Z,300,0", head="time,solar [MW],peat [MW]")), "direct")
    with pytest.raises(BadFile, match="step 2: no fuel generates anything"):
        read_mix(written(tmp_path, rows("2020-01-01T00:00Z,3", "2020-01-01T01:00Z,0", head="time,gas [MW]")), "direct")


def test_a_year_without_its_leap_day_has_a_gap(tmp_path: Path) -> None:
    lines = [f"2020-02-28T{h:02d}:00Z,1" for h in range(24)] + ["2020-03-01T00:00Z,1"]
    with pytest.raises(BadFile, match=r"24 steps are missing, the first after line 25 \(2020-02-29 00:00Z\)"):
        read_series(written(tmp_path, rows(*lines)), "load")


def test_a_series_leaves_the_array_it_was_made_of_alone() -> None:
    values = np.array([1.0, 2.0])
    made = Series(start=datetime(2020, 1, 1, tzinfo=UTC), step_s=3600.0, values_T=values, unit="MW")
    values[0] = 7.0
    assert made.values_T.tolist() == [1.0, 2.0] and not made.values_T.flags.writeable and made.within(made.start, made.end).values_T.base is not None

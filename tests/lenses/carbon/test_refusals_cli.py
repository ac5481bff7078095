"""What `thrifty carbon` refuses at its doors: every mistake is one line with rule, value and fix, exit code 2, nothing on stdout, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from thrifty.cli import main

DEEP = "[" * 100_000
HUGE = "1" + "0" * 400
HOURS = [f"2020-06-01T{hour:02d}:00Z" for hour in range(4)]
MINE, OURS = "m:embodied_kg=40,delay_s=2,power_w=300", "k:embodied_kg=20,delay_s=3,power_w=350"
HEAD = '[fleet]\nsite = "us-california"\nstart = "2020-07-01T00:00-07:00"\nend = "2020-07-01T03:00-07:00"\n[[asset]]\nname = "n"\npower = "100 W"\n'
OPERATE = ("operate", "--power", "20MW", "--site", "eia-cal", "--from", "2020-06-01", "--to", "2020-06-03")
LOAD = ("operate", "--site", "eia-cal", "--load")
ROW = '{"unit": "gCO2e", "rows": [{"asset": "a", "phase": "manufacture", "scope": 3, "carbon_gco2e": %s}]}'
SCORE = 'functional_unit = "request"\nfunctional_units = 5\nembodied = "1 kgCO2e"\nenergy = "%s"\nintensity = "%s"\n'


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["carbon", *words, "--json"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and said.err.startswith("error: ")
    return said.err.removeprefix("error: ")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("embodied", "logic:area_mm2=1e308,node_nm=7"), "area_mm2=1e308 is above 1e+12. Give e.g. area_mm2=814."),
        ((*OPERATE, "--weather", "mars"), "No weather year named 'mars'. List them with: thrifty carbon operate --list"),
        (("embodied", "dram:gb=1e308"), "gb=1e308 is above 1e+12. Give e.g. gb=384."),
        (("embodied", "logic:area_mm2=826,node_nm=7,fab_ci=583000"), "fab_ci=583000 is above 3000. Give e.g. fab_ci=583."),
        (("embodied", "1000000000000000*logic:area_mm2=1e12,node_nm=7,yield=1e-300"), "'logic:area_mm2=1e12,node_nm=7,yield=1e-300' comes to more kilograms "
         "than a number holds. Check its sizes, yields and counts."),
        (("embodied", "package:type=mcm,dies=999999999999xlogic(area_mm2=211,node_nm=14)"), "count=999999999999 of dies is above 1000, the most in one"),
        (("embodied", "12*"), "a part has no text. Write e.g. logic:area_mm2=826,node_nm=7"),
        (("embodied", "device:"), "device says nothing. Give its name and nothing else."),
        (("embodied", "nic", "--model", "ensemble,act"), "model='ensemble,act' names ensemble beside others, and it is all of them."),
        (("embodied", "logic:area_mm2=826,node_nm=7", "--model", "greensku"), "greensku covers no part of logic:area_mm2=826,node_nm=7. Choose another "
         "model, or ensemble. Of models, act, imec, boavizta, greensku, llmcarbon, fair-co2, threed know logic."),
        ((*OPERATE, "--pue", "0"), "pue=0.0 is below 1. A building draws at least what its machines draw."),
        ((*OPERATE, "--pue", "118"), "pue=118 is above 100. Give a ratio such as 1.18, not per cent."),
        ((*OPERATE, "--solar", "1e300"), "solar '1e300' is more than there is on Earth. Mend it."),
        ((*OPERATE, "--capacity", "10"), "cap_mw=10 is below the load's 20 MW. Give at least the largest load."),
        ((*OPERATE, "--battery-start", "-1"), "battery_start=-1.0 is not between 0 and 1."),
        ((*OPERATE, "--unit", "kW"), "unit=kW says how to read --load, and there is none. Leave it out."),
        ((*OPERATE, "--mix-unit", "kW"), "mix-unit=kW says how to read --mix, and there is none. Leave it out."),
        ((*OPERATE, "--claimed", "wind=0.5", "--claimed", "wind=0.6"), "claimed says wind twice. Say it once."),
        (("operate", "--power", "1MW", "--site", "france", "--from", "0001-01-01"), "from='0001-01-01' lies outside the years 1900 to 2200. Mend it."),
        (("operate", "--power", "1MW", "--site", "eia-cal", "--to", "9999-12-31T23:30"), "to='9999-12-31T23:30' lies outside the years 1900 to 2200."),
        (("operate", "--power", "1MW", "--site", "eia-cal", "--from", "2020-06-02", "--to", "2020-06-01"),
         "a period from 2020-06-02 07:00:00+00:00 to 2020-06-01 07:00:00+00:00 is empty. Give --to after --from."),
        (("attribute", "--study", "--trials", "20", "--seed", "-1"), "seed=-1 is below 0. Choose a whole number from 0 up."),
        (("attribute", "--study", "--trials", "9999999"), "trials=9999999 is above 1000000."),
        (("compare", MINE, OURS, "--pue", "0"), "pue=0 is below 1. A building draws at least what its machines draw."),
        (("compare", MINE, OURS, "--pue", "1e308"), "pue=1e+308 is above 100. Give a ratio such as 1.18, not per cent."),
        (("compare", MINE, OURS, "--intensity", "381000"), "intensity=381000 gCO2e/kWh: no fuel emits so much. Check grams against kilograms."),
        (("compare", MINE, OURS, "--life", "1e20"), "life=1e+20 years is above 1000. Give years."),
        (("compare", MINE, OURS, "--work", "1e300"), "work=1e+300 is outside 0.001 to 1e+30. Give FLOPs, e.g. 1e15."),
        (("compare", MINE, OURS, "--workload", "nosuch"), "workload says what devices of the catalogue run, and none is named."),
        (("compare", "--catalogue", "--metric", "foo"), "No metric named 'foo'."),
        (("compare", "m:embodied_kg=0,delay_s=2,power_w=0", OURS), "design 'm' emits nothing, neither in making nor in use, so all shares of it are of 0."),
        (("compare", "m:embodied_kg=1,delay_s=1e-300,power_w=3", OURS), "delay_s=1e-300 is outside 1e-30 to 1e+30. Mend it."),
        (("compare", "m:embodied_kg=1,bom=server-2018,delay_s=1,power_w=3", OURS), "'m:embodied_kg=1,bom=server-2018,delay_s=1,power_w=3' states both "
         "embodied_kg and bom. Keep one."),
        (("workload", "smollm2-135m", "--tokens", "1e9", "--pue", "0"), "pue=0.0 is below 1. A building draws at least what its machines draw."),
        (("workload", "smollm2-135m", "--tokens", "1e300"), "a job of 4.88281e+296 runs would outlast the universe. Give fewer tokens, samples or requests."),
        (("workload", "smollm2-135m", "--tokens", "1e9", "--host-power", "1800"), "host-power '1800' has no unit. Write a number and a unit"),
        (("report", "--standard", "iso"), "No standard named 'iso'."),
        (("factors", "--chip", "12"), "No chip named '12'"),
        (("factors", "--chip", ""), "'' names no chip."),
    ],
)  # fmt: skip
def test_words_that_no_answer_has(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str) -> None:
    assert said in refused(capsys, *words)


@pytest.mark.parametrize(
    ("words", "name", "text", "said"),
    [
        (LOAD, "a.csv", "time,load [MW],load [MW]\n", "a.csv has no rows."),
        (LOAD, "a.csv", "time,load [MW],load [MW]\n" + "".join(f"{hour},20,3\n" for hour in HOURS), "a.csv has two columns 'load'. Give each a name"),
        (LOAD, "a.csv", "time,load [TW]\n" + "".join(f"{hour},1e308\n" for hour in HOURS), "a.csv reaches inf MW read as TW; the whole world draws less."),
        (LOAD, "a.csv", "time,load [MW]\n0001-01-01T00:00+14:00,1\n", "a.csv, line 2: '0001-01-01T00:00+14:00' lies outside the years 1900 to 2200. Mend it."),
        (LOAD, "a.csv", "time,load [MW]\n2020-01-01T00:00Z,1\n2020-01-01T00:00:01Z,1\n2022-12-31T00:00Z,1\n", "a.csv spans 94,608,000 steps of 1 s"),
        (LOAD, "a.json", '{"unit": "MW", "start": "2020-06-01T00:00Z", "step_s": 1e300, "values": [1, 1]}', "a.json: 2 steps of 1e+300 s leave the calendar."),
        (LOAD, "a.json", DEEP, "a.json is not JSON: it is nested too deeply. Mend the file."),
        (LOAD, "a.json", "1" * 5000, "a.json is not JSON: Exceeds the limit"),
        (LOAD, "a.json", '{"unit": "MW", "start": "2020-06-01T00:00Z", "step_s": 3600, "values": [' + HUGE + ', 1]}', "number has more than 300 digits"),
        (LOAD, "a.json", '[{"time": "2020-06-01T00:00Z", "v [MW]": 1, "v [MW]": 2}]', "a.json is not JSON: key 'v [MW]' stands twice in one object."),
        (LOAD, "a.json", '{"time": ["2020-06-01T00:00Z"], "load_mw": [1, 2]}', "a.json has lists of 1 and 2 entries. Give each list one entry a step."),
        (("operate", "--power", "1MW", "--mix"), "m.csv", "time,ci\n" + "".join(f"{hour},300\n" for hour in HOURS), "or give --mix-unit gCO2e/kWh."),
        (("operate", "--power", "1MW", "--mix"), "m.csv", "time,gas [MW],Gas [MW]\n" + "".join(f"{hour},3,4\n" for hour in HOURS), "has two columns of gas."),
        (LOAD, "a.csv", "time,load [MW]\n" + "x" * 200_000 + ",1\n", "a.csv is no CSV: field larger than field limit (131072). Mend the file."),
        (("attribute", "--demand"), "d.csv", "time,a\n" + "x" * 200_000 + ",1\n", "is no CSV: field larger than field limit (131072). Mend it."),
        (("account",), "l.csv", "asset,phase,scope,carbon_gco2e\n" + "x" * 200_000, "is no CSV: field larger than field limit (131072)."),
        (("attribute", "--demand"), "d.json", DEEP, "is no JSON: it is nested too deeply. Mend it."),
        (("attribute", "--demand"), "d.json", f'{{"a": [{HUGE}]}}', "is no JSON: a whole number has more than 300 digits."),
        (("attribute", "--demand"), "d.json", '{"a": [1], "a": [2]}', "is no JSON: key 'a' stands twice in one object."),
        (("attribute", "--demand"), "d.csv", "1,2,3\n4,5,6\n", "begins with numbers where tenants' names are due. Write a line of heads, e.g. time,web,ads."),
        (("attribute", "--demand"), "d.csv", "time,a,b\n0,1e300,1e308\n", "demand has 1e+300, and amounts lie between 1e-100 and 1e+100."),
        (("attribute", "--demand"), "d.csv", "time,a,b\n0,1e-320,1\n", "and amounts lie between 1e-100 and 1e+100."),
        (("attribute", "--seed", "-1", "--demand"), "d.csv", "time,a\n0,1\n", "seed=-1 is below 0. Choose a whole number from 0 up."),
        (("attribute", "--method", "sampled", "--blocks", "99999999", "--demand"), "d.csv", "time,a\n0,1\n", "99999999 blocks of orders are above 1000000."),
        (("attribute", "--total-kg", "-1", "--demand"), "d.csv", "time,a\n0,1\n", "total_kg=-1.0 is not between 0 and 1e+18."),
        (("attribute", "--method", "temporal", "--splits", "-1,-1", "--demand"), "d.csv", "time,a\n0,1\n", "splits -1,-1 hold -1, and nothing is split"),
        (("account",), "f.toml", "a = " + "[" * 3000 + "]" * 3000, "is no description of a fleet: it is nested too deeply. Mend it."),
        (("account",), "f.toml", HEAD + f"count = {'9' * 400}", "is no description of a fleet: a whole number has more than 300 digits."),
        (("account",), "f.toml", HEAD + f"count = {10**13}", "asset 'n' has count 10000000000000. Give a whole number from 1 to 1000000000000."),
        (("account",), "f.toml", HEAD + "capacity = { cores = 4 }\ntenants = 3", "asset 'n' has tenants 3. Write a list: tenants = [{"),
        (("account",), "f.toml", HEAD + 'bought = "0001-01-01T00:00+14:00"', "asset 'n', bought='0001-01-01T00:00+14:00' lies outside the years 1900 to 2200."),
        (("account",), "f.toml", HEAD + 'embodied = "1e300 kgCO2e"', "asset 'n': embodied is 1e+303, more than there is on Earth. Mend it."),
        (("account",), "f.toml", HEAD + 'market = "30 kgCO2e/kWh"', "asset 'n': market is 30000 gCO2e/kWh; no fuel emits so much."),
        (("account",), "f.toml", HEAD + "pue = 118", "asset 'n': pue=118 is above 100. Give a ratio such as 1.18, not per cent."),
        (("account", "--from", "1950-01-01T00:00Z", "--to", "2150-01-01T00:00Z"), "f.toml", HEAD, "has 1,753,176 hours, more than 1,000,000."),
        (("account", "--from", "0001-01-01T00:00Z"), "f.toml", HEAD, "from='0001-01-01T00:00Z' lies outside the years 1900 to 2200. Mend it."),
        (("account",), "l.json", ROW % "1e308", "row 0 of the ledger ('a') has 1e+308 gCO2e, more than there is on Earth. Mend it."),
        (("account",), "l.json", ROW % HUGE, "is no JSON: a whole number has more than 300 digits."),
        (("account",), "l.json", '{"unit": "gCO2e", "rows": ' + DEEP, "is no JSON: it is nested too deeply."),
        (("account",), "l.json", '{"unit": "gCO2e", "rows": []}', "is a ledger without rows, so there is nothing to account for. Name one with rows."),
        (("account",), "l.csv", "asset,asset,phase,scope,carbon_gco2e\nx,y,manufacture,3,5\n", "has two columns 'asset'. Keep one."),
        (("account",), "l.csv", "asset,phase,scope,carbon_gco2e,hour\nx,manufacture,3,5,0001-01-01T00:00\n", "does not say that it is UTC."),
        (("report",), "r.toml", ".".join(["a"] * 2000) + " = 1", "'r.toml' is not TOML: it is nested"),
        (("report",), "r.json", '{"energy": "1 kWh", "energy": "2 kWh"}', "'r.json' is not JSON: key 'energy' stands twice in one object."),
        (("report",), "r.toml", SCORE % ("1e300 MWh", "381 gCO2e/kWh"), "r.toml: energy = 1e300 MWh is outside 1e-30 to 1e+30. Mend it."),
        (("report",), "r.toml", SCORE % ("1 MWh", "381 kgCO2e/kWh"), "r.toml: intensity = 381 kgCO2e/kWh is 381000 gCO2e/kWh; no fuel emits so much."),
        (("report",), "r.toml", SCORE % ("1 MWh", "381 gCO2e/kWh") + "period_from = 2026-01-01T00:00:00Z", "is a time. Write a date, e.g. 2026-01-01."),
        (("report",), "r.toml", (SCORE % ("1 MWh", "381 gCO2e/kWh")).replace("= 5", "= 1e-320"), "r.toml: functional_units = 1e-320 is outside 1e-30"),
    ],
)  # fmt: skip
def test_files_that_no_answer_has(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, words: tuple[str, ...], name: str, text: str, said: str
) -> None:  # fmt: skip
    (tmp_path / name).write_text(text)
    assert said in refused(capsys, *words, str(tmp_path / name))


def test_what_was_refused_and_is_right(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Stamps in UTC beside a yearly average, columns as lists, a mark at a file's start, models in capitals: all of these are fine."""

    def asked(*words: str) -> dict:
        assert main(["carbon", *words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    local = "time,load_mw\n" + "".join(f"2020-06-01T{hour:02d}:00,20\n" for hour in range(4))
    (tmp_path / "local.csv").write_text(local)
    assert asked("operate", "--load", str(tmp_path / "local.csv"), "--site", "france", "--zone", "UTC")["from"] == "2020-06-01T00:00:00+00:00"
    (tmp_path / "lists.json").write_text("\ufeff" + json.dumps({"time": HOURS, "load_mw": [20, 20, 20, 20]}))
    whole = asked("operate", "--load", str(tmp_path / "lists.json"), "--site", "eia-cal", "--pue", "1")
    assert whole["energy_mwh"] == 80
    (tmp_path / "hole.csv").write_text("time,load_mw\n" + "".join(f"{hour},{'' if hour == HOURS[1] else 20}\n" for hour in HOURS))
    filled = asked("operate", "--load", str(tmp_path / "hole.csv"), "--site", "eia-cal", "--pue", "1", "--fill", "linear")
    assert filled["energy_mwh"] == 80 and "1 of 4 steps of load_mw of hole.csv had no value and were filled (linear)" in filled["notes"]
    (tmp_path / "BILL.TOML").write_text('\ufeffparts = ["dram:gb=32"]')
    bill = asked("embodied", "--bom", str(tmp_path / "BILL.TOML"), "--model", "ACT")
    assert list(bill["by_model"]) == ["act"]


@pytest.mark.parametrize(("standard", "missing"), [("sci", "functional_unit"), ("ghg", "scope1.stationary"), ("eu", "it_energy")])
def test_a_report_on_nothing_lists_what_is_missing(capsys: pytest.CaptureFixture[str], standard: str, missing: str) -> None:
    assert main(["carbon", "report", "--standard", standard, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert missing in {each["key"] for each in said["missing_inputs"]} and said["lines"][0]["value"] is None
    assert main(["carbon", "report", "--standard", standard]) == 0 and "missing" in capsys.readouterr().out.lower()
    assert main(["carbon", "report", "--standard", standard, "--example", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["standard"] == standard

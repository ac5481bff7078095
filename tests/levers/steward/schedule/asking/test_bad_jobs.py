"""Every bad input is one line that names the job; and times as people state them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.levers.steward.schedule.problems import hour, job, place, problem

from thrifty.errors import BadFile, BadValue, ThriftyError
from thrifty.levers.steward.schedule import Job, parse_job, place_of, read_jobs
from thrifty.levers.steward.schedule.asking.deadlines import deadline_by, instant
from thrifty.levers.steward.schedule.asking.places import read_places

LA = ZoneInfo("America/Los_Angeles")
ROW = "name=a,power=1 kW,duration=2 h,release=2020-03-02T09:00"


@pytest.mark.parametrize(("given", "message"), [
    ({"power_w": float("nan")}, r"job 'a': power of nan W is not above 0\. Give a finite number above 0\."),
    ({"power_w": -5.0}, r"job 'a': power of -5 W is not above 0"),
    ({"power_w": float("inf")}, r"job 'a': power of inf W is not above 0"),
    ({"duration_s": 0.0}, r"job 'a': duration of 0 s is not above 0"),
    ({"deadline": hour(1)}, r"job 'a': 2 h of work do not fit into the 1 h from 2020-03-02 00:00Z to its deadline 2020-03-02 01:00Z\. Give a later deadline\."),
    ({"release": datetime(2020, 3, 2)}, r"job 'a': release 2020-03-02 00:00:00 names no time zone"),
    ({"earliest": hour(1)}, r"job 'a': may begin at 2020-03-02 01:00Z at the earliest, after its release"),
    ({"elastic": (0.5, 1.0)}, r"job 'a': elastic \[0.5, 1.0\] must begin with 1"),
    ({"elastic": (1.0, float("nan"))}, r"job 'a': elastic \[1.0, nan\] must begin with 1 and hold finite numbers"),
    ({"moved_bytes": -1.0}, r"job 'a': -1 bytes to move"),
    ({"name": " "}, r"a job has no name"),
])  # fmt: skip
def test_bad_jobs(given: dict[str, object], message: str) -> None:
    good: dict[str, object] = {"name": "a", "power_w": 1e3, "duration_s": 7200.0, "release": hour(0), "deadline": hour(9)}
    Job(**good)  # type: ignore[arg-type]
    with pytest.raises(BadValue, match=message):
        Job(**{**good, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "message"), [
    (ROW + ",colour=red", r"job 'a' has unknown key 'colour'\. Allowed: name, power"),
    (ROW.replace("power=1 kW,", ""), r"job 'a' has no power\. Add power\."),
    (ROW.replace("1 kW", "1 kg"), r"job 'a': power '1 kg': unit 'kg' has the wrong dimension for a power"),
    (ROW.replace("1 kW", "many"), r"job 'a': power 'many' is not a quantity"),
    (ROW.replace("1 kW", "nan kW"), r"job 'a': power 'nan kW' is not finite"),
    (ROW.replace("1 kW", "400"), r"job 'a': power '400' has no unit\. Write a number and a unit, e\.g\. '2 kW'\."),
    (ROW.replace("2 h", "2"), r"job 'a': duration '2' has no unit\. Write a number and a unit, e\.g\. '4 h'\."),
    (ROW + ",slack=8", r"job 'a': slack '8' has no unit"),
    (ROW + ",moved=200", r"job 'a': moved '200' has no unit\. Write a number and a unit, e\.g\. '200 GB'\."),
    (ROW + ",deadline=someday", r"job 'a': 'someday' is no time"),
    (ROW + ",deadline=2020-03-03,slack=2 h", r"job 'a' has both a deadline and a slack"),
    (ROW + ",slack=-2 h", r"job 'a': early 0 h, slack -2 h\. Give times of at least 0"),
    (ROW + ",times=3", r"job 'a' repeats 3 times and does not say when"),
    (ROW + ",times=3,every=month", r"job 'a': every='month' is unknown\. Choose one of: day, workday, week"),
    (ROW + ",times=0,every=day", r"job 'a': times=0 is below 1"),
    (ROW + ",interruptible=maybe", r"job 'a': interruptible 'maybe' is neither true nor false"),
    (ROW + ",elastic=1+x", r"job 'a': elastic '1\+x' is no list of numbers"),
    (ROW.replace("2020-03-02T09:00", "2020-03-08T02:30"), r"job 'a': 2020-03-08 02:30 does not exist in America/Los_Angeles, clocks skip it"),
    (ROW.replace("2020-03-02T09:00", "2020-11-01T01:30"), r"job 'a': 2020-11-01 01:30 comes twice in America/Los_Angeles\. Give its offset"),
])  # fmt: skip
def test_bad_rows(text: str, message: str) -> None:
    with pytest.raises(BadValue, match=message):
        parse_job(text, LA)


def test_bad_sets_and_periods() -> None:
    with pytest.raises(BadValue, match=r"there is no job to schedule\. Give at least one\."):
        problem([], place([1, 2]))
    with pytest.raises(BadValue, match=r"two jobs are named 'a'"):
        problem([job("a", 1, 0, 2), job("a", 1, 0, 2)], place([1, 2]))
    with pytest.raises(BadValue, match=r"job 'late' may run from 2020-03-02 00:00Z to 2020-03-02 09:00Z; grid of home covers 2020-03-02 00:00Z to"):
        problem([job("late", 1, 0, 9)], place([1, 2]))
    with pytest.raises(BadValue, match=r"job 'a' may run until 2020-03-02 04:00Z, outside the period that ends 2020-03-02 03:00Z"):
        problem([job("a", 1, 0, 4)], place([1] * 4), end=hour(3))
    with pytest.raises(BadValue, match=r"job 'a' names place 'moon', which the question does not have\. It has: home\."):
        problem([job("a", 1, 0, 4, places=("moon",))], place([1] * 4))
    with pytest.raises(BadValue, match=r"grid of home has 1 steps without a value, the first at 2020-03-02 01:00Z"):
        problem([job("a", 1, 0, 3)], place([1, float("nan"), 2]))
    with pytest.raises(BadValue, match=r"place 'home': a cap of 0 W lets nothing run"):
        place([1], cap_w=0.0)
    with pytest.raises(BadValue, match=r"place 'home': pue=0\.9 cannot be\. Give a finite number of at least 1\."):
        place([1], pue=0.9)
    with pytest.raises(BadValue, match=r"job 'a' does not fit before its deadline in whole steps of 120 min"):
        problem([job("a", 3, 0, 3)], place([1] * 4), step_s=7200.0)
    with pytest.raises(BadValue, match=r"they count different things\. Choose places of one boundary"):
        problem([job("a", 1, 0, 3)], place([1] * 4), place_of("world"))


def test_a_longer_step_rounds_durations_up_and_says_so() -> None:
    p = problem([job("a", 1.5, 0, 4), job("b", 2, 0, 4)], place([1] * 4), step_s=3600.0)
    assert p.length_J.tolist() == [2, 2]
    assert p.notes == ("durations rounded up to whole steps of 60 min: a",)
    assert problem([job("a", 1.5, 0, 4), job("b", 2, 0, 4)], place([1] * 4)).step_s == 1800


@pytest.mark.parametrize(("rule", "ends", "due"), [
    ("next-workday", "2020-03-02T12:00", "2020-03-02T12:00"),  # Monday noon: within working hours nothing may wait
    ("next-workday", "2020-03-02T18:00", "2020-03-03T09:00"),
    ("next-workday", "2020-03-03T03:00", "2020-03-03T09:00"),
    ("next-workday", "2020-03-06T18:00", "2020-03-09T09:00"),  # Friday evening, over the change of clocks
    ("next-workday", "2020-03-07T12:00", "2020-03-09T09:00"),
    ("semi-weekly", "2020-03-02T08:00", "2020-03-02T09:00"),
    ("semi-weekly", "2020-03-02T10:00", "2020-03-05T09:00"),
    ("semi-weekly", "2020-03-05T10:00", "2020-03-09T09:00"),
])  # fmt: skip
def test_formula_deadlines_of_working_weeks(rule: str, ends: str, due: str) -> None:
    assert deadline_by(rule, instant(ends, LA, "x"), LA, "x") == instant(due, LA, "x")


def test_repeats_keep_the_local_hour_over_a_change_of_clocks() -> None:
    jobs = parse_job("name=n,power=1 kW,duration=30 min,release=2020-03-07T01:00,every=day,times=3", LA)
    assert [each.name for each in jobs] == ["n#1", "n#2", "n#3"]
    assert [each.release.astimezone(LA).hour for each in jobs] == [1, 1, 1]
    assert (jobs[2].release - jobs[1].release).total_seconds() == 23 * 3600
    week = parse_job("name=n,power=1 kW,duration=1 h,release=2020-03-06T01:00,every=workday,times=3", LA)
    assert [each.release.astimezone(LA).day for each in week] == [6, 9, 10]


def test_files_of_all_kinds_say_the_same(tmp_path: Path) -> None:
    row = {"name": "a", "power": "2 kW", "duration": "90 min", "release": "2020-03-02T09:00", "slack": "8 h", "interruptible": True, "elastic": [1, 0.5]}
    (tmp_path / "j.json").write_text(json.dumps({"jobs": [row]}))
    (tmp_path / "j.toml").write_text(
        '[[jobs]]\nname = "a"\npower = "2000 W"\nduration = "1.5 h"\nrelease = 2020-03-02T09:00:00\nslack = "8 h"\ninterruptible = true\nelastic = [1, 0.5]\n'
    )
    (tmp_path / "j.csv").write_text("name,power,duration,release,slack,interruptible,elastic\na,2 kW,90 min,2020-03-02T17:00Z,8 h,yes,1 0.5\n")
    found = {read_jobs(tmp_path / f"j.{kind}", LA) for kind in ("json", "toml", "csv")}
    assert len(found) == 1
    ((only,),) = found
    assert (only.power_w, only.duration_s, only.release) == (2000, 5400, datetime(2020, 3, 2, 17, tzinfo=UTC))


@pytest.mark.parametrize(("name", "text", "message"), [
    ("a.toml", "jobs = [", r"is not TOML: .* Mend the file\."),
    ("a.json", "{", r"is not JSON: .* Mend the file\."),
    ("a.yaml", "", r"ends in '\.yaml'\. Give a \.toml, \.json or \.csv file of jobs\."),
    ("a.json", "[1]", r"holds no list of jobs"),
    ("a.json", "[]", r"there is no job to schedule"),
])  # fmt: skip
def test_bad_files(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ThriftyError, match=message):
        read_jobs(tmp_path / name, LA)
    with pytest.raises(BadFile, match="cannot read"):
        read_jobs(tmp_path / "missing.toml", LA)


def test_places_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "grid.csv").write_text("time,intensity [gCO2e/kWh]\n2020-03-02T00:00Z,100\n2020-03-02T01:00Z,50\n")
    (tmp_path / "j.toml").write_text('[[places]]\nname = "own"\nmix = "grid.csv"\ncap = "2 MW"\npower_scale = 1.5\nembodied_g_per_h = 9\n')
    (only,) = read_places(tmp_path / "j.toml")
    assert (only.name, only.cap_w, only.power_scale, only.embodied_g_per_h) == ("own", 2e6, 1.5, 9)
    assert only.intensity.series.values_T.tolist() == [100, 50]
    (tmp_path / "bare.csv").write_text("time,x\n2020-03-02T00:00Z,100\n2020-03-02T01:00Z,50\n")
    for key in ("mix", "prices"):
        (tmp_path / "j.toml").write_text(f'[[places]]\nname = "us-california"\n{key} = "bare.csv"\n')
        with pytest.raises(BadValue, match=r"bare\.csv states no unit for 'x'\. Write it in the head, e\.g\. 'x \[[^]]*\]'\.$"):
            read_places(tmp_path / "j.toml")
    (tmp_path / "j.toml").write_text('[[places]]\nname = "own"\nmix = "grid.csv"\ncap = 2\n')
    with pytest.raises(BadValue, match=r"place 'own': cap '2' has no unit\. Write a number and a unit, e\.g\. '2 MW'\."):
        read_places(tmp_path / "j.toml")
    (tmp_path / "j.toml").write_text('[[places]]\nname = "own"\nmixx = "grid.csv"\n')
    with pytest.raises(BadValue, match=r"place 'own' has unknown key 'mixx'\. Allowed: name, site, mix"):
        read_places(tmp_path / "j.toml")

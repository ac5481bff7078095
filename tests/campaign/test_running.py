"""What a campaign keeps, runs again and says: order, failures, damage, backends."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thrifty import campaign
from thrifty.campaign import folders, parts
from thrifty.errors import BadFile, BadValue, UnknownName

SQUARE, FUSSY, MIXED, LOGGED, LETHAL = (f"tests.campaign.toys:{name}" for name in ("square", "fussy", "mixed", "logged", "lethal"))


def serial(function: str, configurations: Sequence[Mapping[str, Any]], folder: Path, **settings: Any) -> campaign.Results:
    return campaign.run(function, configurations, folder=folder, backend="serial", **settings)


def xs(*values: Any) -> list[dict[str, Any]]:
    return [{"x": x} for x in values]


@given(order=st.permutations(range(12)), again=st.lists(st.integers(0, 11), max_size=4), chunk=st.integers(1, 12) | st.none())
@settings(max_examples=15)
def test_property_rows_come_in_the_order_of_the_configurations(order: list[int], again: list[int], chunk: int | None, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("order")
    serial(SQUARE, xs(*order[:5]), folder, chunk=chunk)
    asked = [*order, *again]
    results = serial(SQUARE, xs(*asked), folder, chunk=chunk)
    assert results.columns("y")["y"].tolist() == [x**2 for x in asked]
    assert [(row["x"], row["y"]) for row in results] == [(x, x**2) for x in asked]
    assert (results.ran, results.reused, len(results)) == (7, 5, len(asked))


def test_property_backends_chunks_and_workers_give_the_same_seeds_and_rows(tmp_path: Path) -> None:
    configurations = [{"mean": float(mean)} for mean in range(9)]
    wanted = serial("tests.campaign.toys:thrown", configurations, tmp_path / "serial", seed=3).columns()["mean"]
    for name, more in (
        ("chunks", {"backend": "serial", "chunk": 4}), ("threads", {"backend": "threading", "workers": 3, "chunk": 1}),
        ("processes", {"backend": "loky", "workers": 2, "chunk": 2}),
    ):  # fmt: skip
        turned = campaign.run("tests.campaign.toys:thrown", configurations[::-1], folder=tmp_path / name, seed=3, **more)  # type: ignore[arg-type]
        assert np.array_equal(turned.columns()["mean"][::-1], wanted), name
    other = serial("tests.campaign.toys:thrown", configurations, tmp_path / "other", seed=4).columns()["mean"]
    assert not np.isclose(other, wanted).any()


def test_formula_failures_stop_nothing_and_run_again_when_asked(tmp_path: Path) -> None:
    flag = str(tmp_path / "flag")
    configurations: list[dict[str, Any]] = [*xs(1, "raise", 2, "exit"), {"x": "one", "flag": flag}]
    results = serial(FUSSY, configurations, tmp_path / "c")
    assert results.columns()["y"].tolist() == [1, 2]
    assert [re.sub(r"\d+\)$", "N)", failure.error) for failure in results.failures] == [
        "ValueError: no good (toys.py:N)", "SystemExit: 3 (toys.py:N)", "OSError: not yet (toys.py:N)",
    ]  # fmt: skip
    assert results.failures[0].configuration == {"x": "raise"}
    assert results.failures[0].seed == campaign.task_seed({"x": "raise"})
    assert serial(FUSSY, configurations, tmp_path / "c").ran == 0
    Path(flag).touch()
    retried = serial(FUSSY, configurations, tmp_path / "c", retry_failed=True)
    assert (retried.ran, retried.reused) == (3, 2)
    assert retried.columns()["y"].tolist() == [1, 2, 1]
    assert [failure.configuration["x"] for failure in retried.failures] == ["raise", "exit"]
    assert retried.summary() == "5 tasks: 3 run now, 2 at hand, 2 failed"


@pytest.mark.parametrize(
    ("x", "error"),
    [
        ("list", "BadValue: 'y' is of list. A row holds numbers, strings and booleans: split it into columns, or return several rows."),
        ("nothing", "BadValue: a task answers one mapping or a list of them, not an empty list. Return a dict."),
        ("long", "BadValue: 'y' is a whole number of more than 64 bits. Return a float or a string."),
        ("key", "BadValue: a row has the column 'key'. Name columns by strings other than key, configuration, seed."),
        ("text", "BadValue: 'y' is of str here and of int in other tasks. Return one kind."),
    ],
)
def test_formula_an_answer_that_is_no_row_is_its_tasks_error(x: str, error: str, tmp_path: Path) -> None:
    results = serial(FUSSY, xs(1, x, 2), tmp_path)
    assert [failure.error for failure in results.failures] == [error]
    assert len(results) == 2


def test_formula_rows_may_be_several_and_lack_columns(tmp_path: Path) -> None:
    results = serial(MIXED, xs(1, 2), tmp_path, chunk=1)
    columns = results.columns()
    assert set(columns) == {"y", "word", "flag", "nan", "none"}
    assert columns["y"].tolist()[:2] == [1.0, 1.5]
    assert np.isnan(columns["y"][[2, 5]]).all()
    assert columns["word"].tolist() == ["a", None, None, "a", None, None]
    assert columns["flag"].tolist() == [None, True, None, None, True, None]
    rows = list(results)
    assert rows[0] == {"x": 1, "y": 1.0, "word": "a"}
    assert rows[5] == {"x": 2}
    assert list(campaign.read_results(tmp_path))[3] == rows[3]


@pytest.mark.parametrize("harm", ["flip", "cut", "empty"])
def test_property_a_damaged_part_is_noticed_set_aside_and_run_again(harm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    serial(SQUARE, xs(*range(4)), tmp_path)
    (part,) = parts.list_parts(tmp_path, "rows")
    content = bytearray(part.read_bytes())
    if harm == "flip":
        content[len(content) // 3] ^= 4
    part.write_bytes({"flip": content, "cut": content[:-7], "empty": b""}[harm])
    with pytest.raises(BadFile) as error:
        campaign.read_results(tmp_path)
    assert str(error.value) == f"'{part}' is damaged. Call thrifty.campaign.run again: it runs the tasks of that part once more."
    results = serial(SQUARE, xs(*range(5)), tmp_path)
    assert (results.ran, results.reused, results.damaged) == (5, 0, (part.name,))
    assert capsys.readouterr().err == f"'{tmp_path}': 1 damaged part(s) set aside, their tasks run again: {part.name}\n"
    assert results.summary() == "5 tasks: 5 run now, 0 at hand, 0 failed, 1 damaged part(s) run again"
    assert results.columns()["y"].tolist() == [0, 1, 4, 9, 16]
    assert (tmp_path / f"{part.name}.damaged").exists()
    assert serial(SQUARE, xs(*range(5)), tmp_path).damaged == ()


def test_property_a_kill_between_a_merge_and_its_end_counts_no_row_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(folders, "merge", lambda *_: None)
        serial(SQUARE, xs(*range(6)), tmp_path, chunk=2)
    small = {path: path.read_bytes() for path in parts.list_parts(tmp_path, "rows")}
    assert len(small) == 3
    folders.merge(tmp_path, [])
    for path, content in small.items():
        path.write_bytes(content)  # as if it had not got round to taking them away
    assert len(parts.list_parts(tmp_path, "rows")) == 4
    assert campaign.read_results(tmp_path, xs(*range(6))).columns()["y"].tolist() == [0, 1, 4, 9, 16, 25]
    results = serial(SQUARE, xs(*range(7)), tmp_path)
    assert results.ran == 1
    assert results.columns()["y"].tolist() == [0, 1, 4, 9, 16, 25, 36]
    assert len(parts.list_parts(tmp_path, "rows")) == 1


def test_property_many_parts_are_merged_on_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thrifty.campaign.running.MANY_PARTS", 4)
    most = 0

    def look(what: str, share: float) -> None:
        nonlocal most
        most = max(most, len(parts.list_parts(tmp_path, "rows")))

    results = serial(SQUARE, xs(*range(20)), tmp_path, chunk=1, progress=look)
    assert results.columns()["y"].tolist() == [x**2 for x in range(20)]
    assert most <= 5


def test_formula_the_manifest_says_what_the_folder_holds(tmp_path: Path) -> None:
    results = serial(FUSSY, xs(1, "raise"), tmp_path, seed=9, version="b")
    said = json.loads((tmp_path / "manifest.json").read_text())
    assert {name: said[name] for name in ("schema", "function", "version", "seed", "columns", "tasks", "done", "failed")} == {
        "schema": "thrifty.campaign/1", "function": FUSSY, "version": "b", "seed": 9, "columns": {"y": "int"}, "tasks": 2, "done": 1, "failed": 1,
    }  # fmt: skip
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == sorted(said["parts"])
    table = results.table()
    assert (table.column_names, table.num_rows) == (["y"], 1)


@pytest.mark.parametrize("manifest", [True, False], ids=["by its manifest", "by its parts"])
def test_formula_a_folder_of_another_campaign_is_refused(manifest: bool, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    serial(SQUARE, xs(1), folder)
    if not manifest:
        (folder / "manifest.json").unlink()
    for more, other in (({"seed": 1}, "version 1 seed 1"), ({"version": "2"}, "version 2 seed 0")):
        with pytest.raises(BadValue) as error:
            serial(SQUARE, xs(1), folder, **more)
        assert str(error.value) == f"'{folder}' holds the campaign {SQUARE} version 1 seed 0, not {SQUARE} {other}. Choose another folder."
    assert serial(SQUARE, xs(1), folder).ran == 0


def test_formula_two_drivers_do_not_share_a_folder(tmp_path: Path) -> None:
    with folders.locked(tmp_path), pytest.raises(BadValue) as error:
        serial(SQUARE, xs(1), tmp_path)
    assert str(error.value) == f"another process runs the campaign in '{tmp_path}'. Wait for it, or choose another folder."


def test_formula_what_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(BadFile) as error:
        campaign.read_results(tmp_path)
    assert str(error.value) == f"'{tmp_path}' holds no campaign. Give a folder that thrifty.campaign.run has written to."
    results = serial(SQUARE, xs(1), tmp_path)
    with pytest.raises(UnknownName) as unknown:
        results.columns("z")
    assert str(unknown.value) == f"no row of the campaign in '{tmp_path}' has the column 'z'. Ask for one of seed_text, y."
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(BadFile) as error:
        serial(SQUARE, xs(1), tmp_path)
    assert str(error.value) == f"'{tmp_path / 'manifest.json'}' is no manifest of a campaign. Delete it: the parts beside it say what they hold."


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"workers": 0}, "workers is 0. Give a whole number of 1 or more."),
        ({"chunk": 2.5}, "chunk is 2.5. Give a whole number of 1 or more."),
        ({"retries": -1}, "retries is -1. Give a whole number of 0 or more."),
        ({"seed": 0.5}, "the seed of a campaign is a whole number, not 0.5. Give an int."),
        ({"version": ""}, "the version of a function is a word, not ''. Give a string such as '1'."),
        ({"address": "auto"}, "backend 'loky' runs on this machine and has no address. Leave it out, or choose ray or dask."),
        ({"backend": "spark"}, "no backend named 'spark'. Choose one of loky, threading, serial, ray, dask."),
    ],
)
def test_formula_settings_outside_their_rules_are_refused(settings: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises((BadValue, UnknownName)) as error:
        campaign.run(SQUARE, xs(1), folder=tmp_path / "c", **settings)
    assert str(error.value) == message
    assert not (tmp_path / "c").exists()


def test_formula_no_configurations_are_no_rows(tmp_path: Path) -> None:
    results = campaign.run(SQUARE, [], folder=tmp_path)
    assert (list(results), len(results), results.columns(), results.failures) == ([], 0, {}, ())


def test_formula_a_task_that_kills_its_worker_is_found_and_the_others_are_not_lost(tmp_path: Path) -> None:
    results = campaign.run(LETHAL, xs(*range(12)), folder=tmp_path, workers=2, chunk=4, retries=1)
    assert results.columns()["y"].tolist() == [x for x in range(12) if x != 7]
    assert [(failure.configuration, failure.error) for failure in results.failures] == [({"x": 7}, "WorkerDied: alone on a worker, it ended 2 of them")]


def test_property_a_campaign_copied_elsewhere_is_the_same(tmp_path: Path) -> None:
    serial(SQUARE, xs(*range(5)), tmp_path / "here")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    results = serial(SQUARE, xs(*range(5)), tmp_path / "there")
    assert results.ran == 0
    assert results.columns()["y"].tolist() == [0, 1, 4, 9, 16]

"""The calibrated mode against measured iterations: on the rows that its numbers were fitted to, and on rows held out by model and by count of devices."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from thrifty.cost.agreement import mean_error, spearman
from thrifty.cost.plans.physical import evaluate_physical
from thrifty.cost.plans.physical.constants import NAMES, fitted
from thrifty.cost.plans.validation.b200 import read_cases
from thrifty.cost.plans.validation.calibrating import Measured, calibrate, held_out, validate_runs
from thrifty.cost.plans.validation.runs import b200_runs, llama_run, read_runs, run_of
from thrifty.errors import BadFile, BadValue
from thrifty.hardware import load

PERF = Path(__file__).resolve().parents[5] / "shared" / "data" / "perf"
FILES = {"multi": "vtrain_multi_node_a100.csv", "single": "vtrain_single_node_a100.csv", "selene": "megatron_a100_selene.csv"}
ROW = {"gpus": "64", "global_batch": "512", "micro_batch": "4", "hidden": "3072", "heads": "32",
       "layers": "30", "seq": "2048", "tp": "1", "dp": "64", "pp": "1"}  # fmt: skip


@pytest.fixture(scope="module")
def tables() -> dict[str, Measured]:
    if not PERF.is_dir():
        pytest.skip("shared/data/perf is not here: no measured iterations to compare with")
    return {name: Measured.of(read_runs(PERF / file)) for name, file in FILES.items()}


@pytest.mark.parametrize(("name", "limit"), [("multi", 0.06), ("single", 0.08), ("selene", 0.0365)])
def test_paper_fitted_numbers_on_their_rows(tables: dict[str, Measured], name: str, limit: float) -> None:
    table = tables[name]
    assert mean_error(table.predict(), table.measured_R) < limit
    assert spearman(table.predict(), table.measured_R) > 0.94


@pytest.mark.parametrize(("name", "fold", "limit"), [
    ("multi", "model", 0.07), ("multi", "devices", 0.07), ("single", "model", 0.085), ("single", "devices", 0.085), ("selene", "row", 0.0365),
])  # fmt: skip
def test_paper_rows_held_out(tables: dict[str, Measured], name: str, fold: str, limit: float) -> None:
    predicted = held_out(tables, name, fold)  # type: ignore[arg-type]
    assert mean_error(predicted, tables[name].measured_R) < limit


def test_replay_the_catalogue_holds_what_fitting_finds(tables: dict[str, Measured]) -> None:
    found, kept = calibrate(list(tables.values())), fitted(tables["multi"].runs[0].system.device)
    assert [getattr(found, name) for name in NAMES] == pytest.approx([getattr(kept, name) for name in NAMES], rel=0.02)


def test_paper_b200() -> None:
    path = PERF / "megatron_8xb200.csv"
    if not path.is_file():
        pytest.skip("shared/data/perf/megatron_8xb200.csv is not here")
    table = Measured.of(b200_runs(read_cases(path)))
    assert mean_error(table.predict(), table.measured_R) < 0.045
    predicted = held_out({"b200": table}, "b200", "model", names=("product", "stream"), start=fitted(load("a100-80gb")))
    assert mean_error(predicted, table.measured_R) < 0.06


@pytest.mark.parametrize(("name", "devices"), [("llama-65b", 0), ("llama-13b", 0), ("llama-13b", 512)])
def test_paper_gpu_hours_of_llama(name: str, devices: int) -> None:
    run = llama_run(name, devices=devices)
    found = evaluate_physical(run.layers, run.system, run.plan, batch=run.batch)
    assert run.gpu_hours(found.iteration_s) == pytest.approx(run.measured_gpu_hours, rel=0.10)


def test_formula_a_table_in_its_own_unit(tables: dict[str, Measured]) -> None:
    found = validate_runs(tables["multi"].runs)
    assert found.measured_R[0] == pytest.approx(3638.3) and found.mape < 6.0 and set(found.parameters) == set(NAMES)


def test_formula_ranks() -> None:
    assert spearman(np.array([1.0, 2.0, 2.0, 4.0]), np.array([10.0, 20.0, 20.0, 40.0])) == pytest.approx(1.0)
    assert spearman(np.array([3.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(-1.0)
    assert np.isnan(spearman(np.array([1.0]), np.array([1.0])))


def test_formula_bad_tables(tmp_path: Path) -> None:
    bad = {**ROW, "iteration_ms": "x"}
    with pytest.raises(BadFile, match="iteration_ms is 'x', which is no number"):
        run_of("vtrain-single", bad, "row 1")
    with pytest.raises(BadFile, match="no model of Megatron's is 5 wide"):
        run_of("selene", {**ROW, "hidden": "5", "model": "m", "recompute": "full", "iteration_s": "1"}, "row 1")
    path = tmp_path / "t.csv"
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerow(["a", "b"])
    with pytest.raises(BadFile, match=r"t.csv has the columns a, b"):
        read_runs(path)
    run = run_of("vtrain-single", {**ROW, "tp": "5", "iteration_ms": "1"}, "row 7")
    with pytest.raises(BadValue):
        Measured.of([run])
    with pytest.raises(BadValue, match="Known: llama-65b, llama-13b"):
        llama_run("llama-7b")

"""The model beside measured runs: figures of the claims, recomputed; data that is not there is said."""

import json
from pathlib import Path

import pytest

from thrifty.errors import BadFile
from thrifty.levers.parallelize.cli import app
from thrifty.levers.parallelize.validating import validate

DATA = Path(__file__).parents[4] / "shared" / "data" / "perf"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="measured runs (shared/data/perf) are not here")


@needs_data
def test_paper_iterations_on_rows_that_were_not_fitted() -> None:
    """Targets: vTrain 10 % both tables, Selene 3.65 %, B200 10 % in time and 3 % in memory; at most ten fitted numbers a type of GPU."""
    parts = {part.name: part for part in validate(DATA).parts}
    assert set(parts) == {"vtrain-multi", "vtrain-single", "selene", "b200"}
    for name, most in (("vtrain-multi", 0.10), ("vtrain-single", 0.10), ("b200", 0.10)):
        assert parts[name].held_out
        assert max(parts[name].held_out.values()) <= most, name
        assert parts[name].spearman is not None
        assert parts[name].spearman > 0.9
    assert parts["selene"].held_out["all other rows"] <= 0.0365
    assert parts["b200"].further["memory_worst"] <= 0.03
    assert all(len(part.parameters) <= 10 for part in parts.values())


@needs_data
def test_formula_one_file_gives_rows_in_its_unit() -> None:
    from typer.testing import CliRunner

    done = CliRunner().invoke(app, ["validate", "--data", str(DATA / "megatron_a100_selene.csv"), "--no-folds", "--json"])
    said = json.loads(done.stdout)
    assert [row["measured"] for row in said["rows"]] == [row["iteration_s"] for row in said["rows"]]
    assert said["unit"] == "s"
    mape = sum(abs(row["predicted"] / row["measured"] - 1) for row in said["rows"]) / len(said["rows"])
    assert said["mape"] == pytest.approx(mape)
    assert said["spearman"] == pytest.approx(1.0)


@needs_data
def test_property_rows_may_stand_in_any_order_and_number(tmp_path: Path) -> None:
    lines = (DATA / "vtrain_multi_node_a100.csv").read_text().splitlines()
    (tmp_path / "some.csv").write_text("\n".join([lines[0], *reversed(lines[1:6])]))
    some, whole = validate(tmp_path / "some.csv", folds=False).parts[0], validate(DATA / "vtrain_multi_node_a100.csv", folds=False).parts[0]
    assert [row["predicted"] for row in some.rows] == [row["predicted"] for row in reversed(whole.rows[:5])]


def test_paper_gpu_hours_of_llama() -> None:
    (llama,) = validate(published=["llama"]).parts
    assert llama.name == "llama"
    for row in llama.rows:
        assert row["predicted"] == pytest.approx(row["measured"], rel=0.10), row["model"]


def test_peer_kernels_and_collectives_on_other_rows_and_other_gpus() -> None:
    """Targets: NCCL from 1 MiB 8 %, GEMM 10 %, both on rows and on GPUs that had no part in the fit."""
    pytest.importorskip("aiconfigurator_core", reason="aiconfigurator-core with its measured tables is not installed")
    parts = {part.name: part for part in validate(published=["nccl", "gemm"]).parts}
    for name, most in (("nccl", 0.08), ("gemm", 0.10)):
        assert max(value for what, value in parts[name].held_out.items() if what.startswith("other")) <= most, name


def test_formula_files_that_are_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(BadFile, match="Give a table with"):
        validate(tmp_path / "a.csv")
    with pytest.raises(BadFile, match="cannot read"):
        validate(tmp_path / "b.csv")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadFile, match=r"holds no \.csv"):
        validate(tmp_path / "empty")

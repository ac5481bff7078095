"""The recommender family against its torch module, that module against NumPy, and both against sums by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.workload.families.twins import (
    assert_every_row_the_same,
    assert_polynomial,
    assert_same_parameters,
    assert_same_rows,
    assert_true_count,
    matrix_flops,
    sheet,
    twin,
)

from thrifty.errors import BadValue
from thrifty.workload.building import build_module, make_inputs
from thrifty.workload.families import Dlrm, family_of
from thrifty.workload.families.recommenders.dlrm import DlrmShape
from thrifty.workload.model import WorkPhase
from thrifty.workload.table import COUNTS, Kind

SMALL = Dlrm(shape=DlrmShape(tables=(50, 7, 30), dim=8, bottom=(5, 16, 8), top=(12, 1), pooling=2))
TWIN = twin("recommender", "thrifty.workload.families.recommenders.dlrm_torch.Dlrm", tables=[50, 7, 30], dim=8, bottom=[5, 16, 8], top=[12, 1], pooling=2)


@pytest.mark.parametrize("phase", ["forward", "training"])
@pytest.mark.parametrize("batch", [1, 4, 33])
@pytest.mark.parametrize("format_name", ["fp32", "bf16"])
def test_peer_rows_are_those_of_the_module(phase: WorkPhase, batch: int, format_name: str) -> None:
    assert_same_rows(SMALL, TWIN, phase, {"batch": batch}, format_name, COUNTS)


@pytest.mark.parametrize("phase", ["forward", "training"])
def test_peer_every_row_is_the_same(phase: WorkPhase) -> None:
    assert_every_row_the_same(SMALL, TWIN, phase, {"batch": 5})


def test_peer_parameters_are_those_of_the_module() -> None:
    assert_same_parameters(SMALL, TWIN)


def test_paper_criteo_kaggle_has_its_true_count() -> None:
    """33,762,577 rows of 16, and the two perceptrons; the paper says about 540 M."""
    assert sum(sheet("dlrm-criteo-kaggle").shape["tables"]) == 33_762_577
    bottom = sum(a * b + b for a, b in ((13, 512), (512, 256), (256, 64), (64, 16)))
    top = sum(a * b + b for a, b in ((27 * 26 // 2 + 16, 512), (512, 256), (256, 1)))
    assert_true_count("dlrm-criteo-kaggle", 33_762_577 * 16 + bottom + top)


def test_formula_the_module_is_what_the_paper_describes() -> None:
    """Sums of looked-up rows, a perceptron, dot products of every pair once, and a perceptron, all done again in NumPy."""
    module = build_module(TWIN, device="cpu", format="fp64", seed=3)
    inputs = module.example(6, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        found = module(**inputs)["logits"].numpy()
    numbers = {name: parameter.detach().numpy() for name, parameter in module.named_parameters()}

    def perceptron(x: np.ndarray, root: str, layers: list[int], last: bool) -> np.ndarray:
        for layer in layers:
            x = x @ numbers[f"{root}.{layer}.weight"].T + numbers[f"{root}.{layer}.bias"]
            x = np.maximum(x, 0) if last or layer != layers[-1] else x
        return x

    x = perceptron(inputs["dense"].numpy(), "bottom", [0, 2], True)
    bags = [numbers[f"tables.{i}.weight"][inputs["indices"][i].numpy()].sum(axis=1) for i in range(3)]
    vectors = [x, *bags]
    pairs = [(vectors[i] * vectors[j]).sum(axis=1) for i in range(4) for j in range(i)]
    expected = perceptron(np.concatenate([x, np.stack(pairs, axis=1)], axis=1), "top", [0, 2], False)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


@given(batch=st.integers(1, 512))
def test_formula_matrix_flops(batch: int) -> None:
    """Perceptrons, and the products of four vectors of 8 with one another; of dense features no gradient is wanted."""
    first = 2 * batch * 5 * 16
    forward = first + 2 * batch * (16 * 8 + (6 + 8) * 12 + 12 * 1) + 2 * batch * 4 * 4 * 8
    assert matrix_flops(SMALL, "forward", {"batch": batch}) == forward
    assert matrix_flops(SMALL, "training", {"batch": batch}) == 3 * forward - first


@given(batch=st.integers(1, 100))
def test_formula_a_table_is_read_where_it_is_looked_up(batch: int) -> None:
    """Two look-ups a sample, and never more than the table has rows."""
    table = SMALL.table("forward", "fp32", {"batch": batch})
    found = table.rows["bytes_weight"][table.rows["kind"] == Kind.EMBEDDING]
    assert found.tolist() == [min(2 * batch, rows) * 8 * 4 for rows in (50, 7, 30)]


@pytest.mark.parametrize("phase", ["forward", "training"])
def test_property_counts_are_linear_in_batch_once_tables_are_read_whole(phase: WorkPhase) -> None:
    assert_polynomial(SMALL, phase, [{"batch": batch} for batch in (60, 75, 90)], 1)


def test_it_is_fed_dense_features_and_look_ups() -> None:
    module = build_module(TWIN, device="cpu")
    fed = make_inputs(module, TWIN, "training", {"batch": 4}, "cpu", 0)
    assert {name: tuple(value.shape) for name, value in fed.items()} == {"dense": (4, 5), "indices": (3, 4, 2), "labels": (4, 1)}
    assert [int(fed["indices"][i].max()) < rows for i, rows in enumerate((50, 7, 30))] == [True, True, True]
    assert torch.isfinite(module(**fed)["loss"])
    assert set(make_inputs(module, TWIN, "forward", {"batch": 4})) == {"dense", "indices"}


def test_a_recommender_that_says_not_what_it_is_fed_is_refused() -> None:
    with pytest.raises(BadValue) as error:
        make_inputs(torch.nn.Linear(2, 2), TWIN, "forward", {"batch": 4})
    assert str(error.value) == (
        "'twin' is a recommender without example(batch, device=, generator=), so nobody knows what it is fed. "
        "Give it one, or give package.module:callable with inputs."
    )


def test_the_bottom_ends_where_tables_are_wide() -> None:
    with pytest.raises(BadValue) as error:
        DlrmShape(tables=(3,), dim=8, bottom=(5, 16), top=(1,))
    assert str(error.value) == "bottom=[5, 16] does not end at dim=8, with which its result is multiplied. End it there."


def test_it_generates_nothing() -> None:
    with pytest.raises(BadValue) as error:
        family_of(sheet("dlrm-criteo-kaggle")).symbols("decode")
    assert str(error.value) == "phase='decode' does not exist for a recommender, which generates nothing. Choose forward or training."

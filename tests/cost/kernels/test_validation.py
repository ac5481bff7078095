"""Against every measured kernel of aiconfigurator-core, where it is installed; the fit itself on rows made by a known truth."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import pytest

from thrifty.cost.agreement import spearman
from thrifty.cost.kernels import validate_attention, validate_gemm
from thrifty.cost.kernels.fitting import fit, predict, split_rows
from thrifty.cost.kernels.measured import FOLDERS, Measured
from thrifty.cost.kernels.parameters import FITTED, fit_of
from thrifty.errors import MissingExtra
from thrifty.hardware import load


def made_rows(count: int = 400) -> Measured:
    """Products on an H100 whose times the constants of the sheet give exactly."""
    draw = np.random.default_rng(3)
    sizes = {name: np.exp2(draw.uniform(low, 14, count)).round() for name, low in (("m", 0), ("n", 5), ("k", 5))}
    rows = Measured(device="h100-sxm5", format="bf16", kind="gemm", sizes=sizes, seconds_R=np.ones(count))
    return Measured(
        device="h100-sxm5", format="bf16", kind="gemm", sizes=sizes, seconds_R=predict(load("h100-sxm5"), rows, fit_of("h100-sxm5", "gemm.bf16"))
    )  # fmt: skip


def test_property_the_fit_finds_the_times_of_a_known_truth() -> None:
    seen, unseen = split_rows(made_rows())
    assert len(seen.seconds_R) == len(unseen.seconds_R) == 200
    shares = fit([(load("h100-sxm5"), seen)])
    assert tuple(shares) == FITTED["gemm"]
    assert np.abs(predict(load("h100-sxm5"), unseen, shares) / unseen.seconds_R - 1).mean() < 0.01


def test_property_rows_of_a_split_are_apart() -> None:
    seen, unseen = split_rows(made_rows(100), 30)
    both = np.concatenate([seen.seconds_R, unseen.seconds_R])
    assert len(seen.seconds_R) == 30 and sorted(both) == sorted(made_rows(100).seconds_R)


def test_formula_spearman_shares_ranks_of_equal_values() -> None:
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 4.0, 9.0])) == pytest.approx(1.0)
    assert spearman(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0, 4.0])) == pytest.approx(0.9486833)


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ModuleNotFoundError("gone", name="pyarrow")
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"^comparing with measured kernels needs aiconfigurator-core\. Install: pip install"):
        validate_gemm(["h100-sxm5"])


@pytest.fixture(scope="module")
def measured() -> None:
    for package in ("aiconfigurator_core", "pyarrow"):
        pytest.importorskip(package, reason="the measured tables of aiconfigurator-core are not installed")


@pytest.mark.usefixtures("measured")
def test_peer_products_within_a_tenth_on_unseen_rows_and_unseen_devices() -> None:
    found = validate_gemm()
    assert [result.device for result in found.results] == list(FOLDERS)
    assert {result.device for result in found.results if result.use == "held out device"} == {"h200-sxm", "b300", "gb200"}
    limit = dict.fromkeys(FOLDERS, 0.10) | {"l40s": 0.125, "h100-sxm5": 0.065, "h200-sxm": 0.065, "b200": 0.08}
    for result in found.results:
        assert result.mape <= limit[result.device] and result.spearman > 0.99, result
        assert result.mape < 0.6 * min(result.baselines.values())
    assert found.mape_rows < 0.09 and found.mape_device < 0.085
    assert len(found.to_dict()["results"]) == len(FOLDERS) and "sizes" not in found.to_dict()["results"][0]


@pytest.mark.usefixtures("measured")
def test_peer_attention_on_unseen_rows_and_unseen_devices() -> None:
    prefill = {result.device: result.mape for result in validate_attention("prefill", ["h100-sxm5", "h200-sxm", "b200"]).results}
    decode = validate_attention("decode", ["h100-sxm5", "h200-sxm"])
    assert prefill["h100-sxm5"] < 0.11 and prefill["h200-sxm"] < 0.12 and prefill["b200"] < 0.12
    assert all(result.mape < 0.095 for result in decode.results)
    rows = decode.rows()
    assert len(rows) == sum(result.rows for result in decode.results) and {"device", "batch", "keys", "measured", "predicted"} <= set(rows[0])


@pytest.mark.usefixtures("measured")
def test_peer_what_does_not_carry_over() -> None:
    """A fit stays within its family: an A100's does not say what an H100 does, and the table says so."""
    across = validate_gemm(["h100-sxm5"], fitted_on="a100-80gb").results[0]
    assert across.use == "held out device" and across.mape > 0.3

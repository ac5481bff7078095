"""Published predictors: LLMCarbon's validation again, EcoLogits beside the installed package, the bounds of both."""

from __future__ import annotations

import importlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thrifty.errors import BadValue, UnknownName
from thrifty.lenses.carbon.workloads.predictors import (
    ecologits_request,
    llmcarbon_work,
    published_run,
    published_runs,
    validate_llmcarbon,
)
from thrifty.lenses.carbon.workloads.predictors.llmcarbon import achieved_flops, efficiency_of

SAID = {("t5", "operational"): -0.021, ("gpt-3", "operational"): 0.0023, ("gshard", "operational"): 0.033, ("switch", "operational"): 0.079,
        ("xlm", "operational"): -0.035, ("xlm", "embodied"): -0.018}  # fmt: skip
TRAINED: dict[str, Any] = {"devices": 8, "peak_flops": 1e14, "efficiency": 0.4, "power_w": 300.0, "pue": 1.1, "intensity_g_per_kwh": 400.0}
ASKED = {"pue": 1.2, "intensity_g_per_kwh": 481.0}


def test_paper_llmcarbon_gives_its_own_errors() -> None:
    found = {(row.name, row.kind): row.error for row in validate_llmcarbon()}
    assert found.keys() == SAID.keys()
    for key, error in SAID.items():
        assert found[key] == pytest.approx(error, abs=0.0006), key


def test_paper_published_totals_are_those_of_their_owners() -> None:
    published = {row.name: row.published_gco2e / 1e6 for row in validate_llmcarbon() if row.kind == "operational"}
    assert published == pytest.approx({"t5": 46.7, "gpt-3": 552.1, "gshard": 4.3, "switch": 59.1, "xlm": 39.0})


def test_formula_training_is_six_n_d_over_what_devices_achieve() -> None:
    found = llmcarbon_work("training", 1e9, 1e10, **TRAINED)
    seconds = 6 * 1e9 * 1e10 / (1e14 * 0.4)
    assert found.device_s == pytest.approx(seconds)
    assert found.energy_j == pytest.approx(seconds * 300 * 1.1)
    assert found.operational_gco2e == pytest.approx(seconds * 300 * 1.1 / 3.6e6 * 400)
    assert llmcarbon_work("inference", 1e9, 1e10, **TRAINED).energy_j == pytest.approx(found.energy_j / 3)


@pytest.mark.parametrize(("billions", "tera"), [(1.7, 136.6), (18.4, 135.1), (39.1, 137.8), (175, 147.6), (1008, 162.8)])
def test_paper_polynomials_follow_megatrons_table(billions: float, tera: float) -> None:
    """Within 1 TFLOP/s of what the polynomials give by hand; Megatron's own table is within 3 of these."""
    assert achieved_flops(billions * 1e9, 80e9, 8) / 1e12 == pytest.approx(tera, abs=0.1)
    assert efficiency_of(billions * 1e9, 80e9, 8) == pytest.approx(tera / 312, abs=0.001)


def test_formula_a_size_beyond_the_fit_is_refused() -> None:
    with pytest.raises(BadValue, match=r"2e\+12 parameters are beyond the 1.51e\+12 that LLMCarbon's pipeline polynomial can tell. State an efficiency."):
        achieved_flops(2e12, 80e9, 8)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"efficiency": 1.2}, "efficiency=1.2 is above 1. Give the share of the peak that is achieved."),
        ({"pue": 0.9}, "pue=0.9 is below 1. A building draws at least what its machines draw."),
        ({"intensity_g_per_kwh": -1.0}, "intensity=-1.0 gCO2e/kWh is below 0. Give 0 or more."),
        ({"power_w": math.nan}, "power_w=nan is not above 0. Give a finite number above 0."),
        ({"devices": 0}, "devices=0 is not above 0. Give a finite number above 0."),
    ],
)
def test_formula_numbers_that_cannot_be(changed: dict[str, float], message: str) -> None:
    with pytest.raises(BadValue) as error:
        llmcarbon_work("training", 1e9, 1e10, **{**TRAINED, **changed})
    assert str(error.value) == message


def test_formula_one_request_by_hand() -> None:
    """70 B at 16 bits need 168 GB, so four GPUs of 80 GB."""
    found = ecologits_request(70e9, 70e9, 400, **ASKED)
    latency = 400 * (6.785088094353663e-4 * 70 + 3.119310311688259e-4 * 64 + 0.019473717579473387)
    gpu_kwh = 400 * (1.1665273170451914e-6 * math.exp(-0.011205921025579175 * 64) * 70 + 4.052928146734005e-5) / 1000
    assert found.energy_j / 3.6e6 == pytest.approx(1.2 * (latency / 3600 * 1.2 * 4 / 8 / 64 + 4 * gpu_kwh))
    assert found.embodied_gco2e == pytest.approx(1e3 * (5700 / 2 + 4 * 273) * latency / (94608000 * 64))


@given(st.floats(0.1, 1000), st.floats(1, 4), st.integers(1, 5000))
def test_property_tokens_and_grid_scale_a_request(billions: float, spread: float, tokens: int) -> None:
    one = ecologits_request(billions * 1e9, billions * spread * 1e9, 1, **ASKED)
    many = ecologits_request(billions * 1e9, billions * spread * 1e9, tokens, **ASKED)
    assert many.energy_j == pytest.approx(one.energy_j * tokens) and many.total_gco2e == pytest.approx(one.total_gco2e * tokens)


def test_formula_more_active_than_there_are() -> None:
    with pytest.raises(BadValue, match=r"active_parameters=2e\+09 are more than the 1e\+09 of the model"):
        ecologits_request(2e9, 1e9, 10, **ASKED)


@pytest.mark.parametrize(("active", "total", "tokens"), [(0.5, 0.5, 10), (7, 7, 256), (13, 47, 1000), (70, 70, 400), (37, 671, 64), (405, 405, 1)])
def test_peer_ecologits(active: float, total: float, tokens: int) -> None:
    if importlib.util.find_spec("ecologits") is None:
        pytest.skip("ecologits is not installed: pip install ecologits==0.11.3")
    from ecologits.impacts.llm import compute_llm_impacts

    said = compute_llm_impacts(
        model_active_parameter_count=active, model_total_parameter_count=total, output_token_count=tokens, if_electricity_mix_adpe=0,
        if_electricity_mix_pe=0, if_electricity_mix_gwp=0.481, if_electricity_mix_wue=0, datacenter_pue=1.2, datacenter_wue=0,
    )  # fmt: skip
    found = ecologits_request(active * 1e9, total * 1e9, tokens, **ASKED)
    assert found.energy_j / 3.6e6 == pytest.approx(said.energy.value)
    assert found.operational_gco2e / 1e3 == pytest.approx(said.usage.gwp.value)
    assert (found.embodied_gco2e or 0) / 1e3 == pytest.approx(said.embodied.gwp.value)


def test_paper_published_runs_agree_with_themselves() -> None:
    """Hours times power (times PUE where it is in) is the energy that is stated, and energy times intensity the carbon."""
    for name in published_runs():
        run = published_run(name)
        pue = 1.0 if name == "bloom-176b" else run.pue
        assert run.device_hours * 3600 * run.power_w * pue == pytest.approx(run.energy_j, rel=0.01), name
        assert run.energy_j / 3.6e6 * run.intensity_g_per_kwh == pytest.approx(run.carbon_gco2e, rel=0.015), name
    assert published_run("bloom-176b").remembered == ("pue", "tokens", "devices")


def test_formula_an_unknown_run() -> None:
    with pytest.raises(UnknownName, match="No published run named 'gpt-9'"):
        published_run("gpt-9")


@pytest.mark.parametrize("name", ["meta-llama/Meta-Llama-3.1-8B", "mistralai/Mixtral-8x7B-v0.1", "meta-llama/Meta-Llama-3.1-405B"])
def test_peer_ecologits_models_of_its_register_step_by_step(name: str) -> None:
    """Latency, devices and making, which its short answer does not tell."""
    if importlib.util.find_spec("ecologits") is None:
        pytest.skip("ecologits is not installed: pip install ecologits==0.11.3")
    from ecologits.impacts.llm import compute_llm_impacts_dag
    from ecologits.model_repository import models

    sizes = models.find_model("huggingface_hub", name).architecture.parameters
    active, total = (sizes.active, sizes.total) if hasattr(sizes, "active") else (sizes, sizes)
    said = compute_llm_impacts_dag(
        model_active_parameter_count=active, model_total_parameter_count=total, output_token_count=400, request_latency=1e9,
        if_electricity_mix_adpe=0, if_electricity_mix_pe=0, if_electricity_mix_gwp=0.481, if_electricity_mix_wue=0, datacenter_pue=1.2, datacenter_wue=0,
    )  # fmt: skip
    found = ecologits_request(active * 1e9, total * 1e9, 400, **ASKED)
    assert found.device_s * 64 / said["gpu_required_count"] == pytest.approx(said["generation_latency"])
    assert found.energy_j / 3.6e6 == pytest.approx(said["request_energy"])
    assert (found.embodied_gco2e or 0) / 1e3 == pytest.approx(said["request_embodied_gwp"])
    assert found.assumed["machine"].startswith(f"{said['gpu_required_count']} GPUs of 80 GB")


@pytest.mark.parametrize(
    ("theirs", "ours", "message"),
    [
        ({"model_active_parameter_count": -70}, {"active_parameters": -70e9}, "is not above 0"),
        ({"model_total_parameter_count": 7}, {"total_parameters": 7e9}, "are more than the 7e[+]09 of the model"),
        ({"output_token_count": -400}, {"output_tokens": -400}, "is not above 0"),
        ({"datacenter_pue": 0.5}, {"pue": 0.5}, "is below 1"),
        ({"if_electricity_mix_gwp": -0.4}, {"intensity_g_per_kwh": -400.0}, "is below 0"),
    ],
)
def test_peer_ecologits_takes_what_we_refuse(theirs: dict[str, float], ours: dict[str, float], message: str) -> None:
    if importlib.util.find_spec("ecologits") is None:
        pytest.skip("ecologits is not installed: pip install ecologits==0.11.3")
    from ecologits.impacts.llm import compute_llm_impacts

    usual: dict[str, Any] = {
        "model_active_parameter_count": 70, "model_total_parameter_count": 70, "output_token_count": 400, "if_electricity_mix_gwp": 0.4,
        "datacenter_pue": 1.2, "if_electricity_mix_adpe": 0, "if_electricity_mix_pe": 0, "if_electricity_mix_wue": 0, "datacenter_wue": 0,
    }  # fmt: skip
    assert math.isfinite(compute_llm_impacts(**{**usual, **theirs}).energy.value)
    with pytest.raises(BadValue, match=message):
        ecologits_request(**{"active_parameters": 70e9, "total_parameters": 70e9, "output_tokens": 400, **ASKED, **ours})

"""ecologits: a request to a language model, beside our statement of its predictor and beside our own model of the same service."""

from __future__ import annotations

from typing import Any

from _peers.rows import Row
from thrifty.cost.carbon.embodied import parse_part, price
from thrifty.cost.carbon.factors import load_pack
from thrifty.lenses.carbon.workloads import Place, carbon_of_serving, machine_of
from thrifty.lenses.carbon.workloads.predictors import ecologits_request
from thrifty.lenses.carbon.workloads.references import active_parameters

MODELS = (
    "meta-llama/Meta-Llama-3.1-8B", "meta-llama/Meta-Llama-3.1-70B", "meta-llama/Meta-Llama-3.1-405B", "mistralai/Mixtral-8x7B-v0.1",
    "mistralai/Mixtral-8x22B-v0.1",
)  # fmt: skip
TOKENS, PUE, G_PER_KWH, BATCH = 400, 1.2, 481.0, 64
HOST = ("2*logic:area_mm2=1064,node_nm=7,use=cpu", "32*dram:gb=64,type=ddr4", "8*ssd:gb=3840", "8*nic", "base:u=2,psus=6")
SERVED = (("llama3-8b", "h100-sxm5", 0), ("llama3-70b", "dgx-h100", 4), ("mixtral-8x7b", "dgx-h100", 2), ("llama3-405b", "dgx-h100", 8))


def asked(active: float, total: float, **more: Any) -> dict[str, Any]:
    """Its whole answer, step by step, for one request; parameters in billions."""
    from ecologits.impacts.llm import compute_llm_impacts_dag

    answer: dict[str, Any] = compute_llm_impacts_dag(**{
        "model_active_parameter_count": active, "model_total_parameter_count": total, "output_token_count": TOKENS, "request_latency": 1e9,
        "if_electricity_mix_adpe": 0, "if_electricity_mix_pe": 0, "if_electricity_mix_gwp": G_PER_KWH / 1e3, "if_electricity_mix_wue": 0,
        "datacenter_pue": PUE, "datacenter_wue": 0, **more})  # fmt: skip
    return answer


def sizes(name: str) -> tuple[float, float]:
    """(active, all) parameters in billions, as its register of models has them."""
    from ecologits.model_repository import models

    parameters = models.find_model("huggingface_hub", name).architecture.parameters
    return (parameters.active, parameters.total) if hasattr(parameters, "active") else (parameters, parameters)


def request_rows() -> list[Row]:
    """Energy, making and latency of a request by its formulas and by ours, for models of its register."""
    rows = []
    for name in MODELS:
        active, total = sizes(name)
        said = asked(active, total)
        found = ecologits_request(active * 1e9, total * 1e9, TOKENS, pue=PUE, intensity_g_per_kwh=G_PER_KWH)
        short = name.rpartition("/")[2].removeprefix("Meta-")
        latency_s = found.device_s * BATCH / said["gpu_required_count"]
        for what, unit, theirs, ours in (
            ("energy", "Wh", 1e3 * said["request_energy"], found.energy_j / 3600), ("use", "g", 1e3 * said["request_usage_gwp"], found.operational_gco2e),
            ("making", "g", 1e3 * said["request_embodied_gwp"], found.embodied_gco2e or 0.0), ("latency", "s", said["generation_latency"], latency_s),
        ):  # fmt: skip
            rows.append(Row(peer="ecologits", item=f"{short}, {what}", unit=unit, theirs=theirs, ours=ours, equal=1e-9))
    return rows


def service_rows() -> list[Row]:
    """Its answer beside our own model of the service: 64 requests at once on H100, 512 tokens read and 400 written each."""
    rows = []
    for workload, on, devices in SERVED:
        active, total = active_parameters(workload)
        said = asked(active / 1e9, total / 1e9)
        theirs = 1e3 * said["request_energy"]
        machine = machine_of(on, devices)
        place = Place.of("world", "", PUE)
        job = carbon_of_serving(workload, machine, place, requests=1, prompt=512, new_tokens=TOKENS, batch=BATCH)
        start = job.footprint.energy_j * PUE / 3600
        ours_s = job.footprint.time_s * machine.devices
        its_s = said["generation_latency"] * said["gpu_required_count"] / BATCH
        time, ours_w, its_w = its_s / ours_s, start / PUE * 3600 / ours_s, theirs / PUE * 3600 / its_s
        rows.append(Row(
            peer="ecologits", item=f"{workload} on {devices or 1} x H100", unit="Wh", theirs=theirs, ours=start,
            stated=f"{time:.2g} × our device-seconds ({said['gpu_required_count']} devices at {TOKENS / said['generation_latency']:.3g} tokens/s a request, "
                   f"ours {devices or 1} at {TOKENS / (job.footprint.time_s * BATCH):.3g}), {its_w:.0f} W a device against {ours_w:.0f} W with its host",
        ))  # fmt: skip
    return rows


def making_rows() -> list[Row]:
    """Its one GPU and its one server beside all our models of an H100 and of a host like it."""
    gpu = price(parse_part("h100-sxm5"))
    pack = load_pack()
    host = [price(parse_part(text)) for text in HOST]
    low, mid, high = (sum(getattr(each.kgco2e, end) for each in host) for end in ("low", "mid", "high"))
    said = asked(70, 70)
    assert said["gpu_embodied_gwp"] == pack.get("predictors:ecologits.gpu_embodied", "carbon") / 1e3
    return [
        Row(peer="ecologits", item="GPU", unit="kg", theirs=said["gpu_embodied_gwp"], ours=gpu.kgco2e.mid, low=gpu.kgco2e.low, high=gpu.kgco2e.high,
            stated=f"it has one number; ours is the median of models that lie {gpu.kgco2e.high / gpu.kgco2e.low:.0f} times apart"),
        Row(peer="ecologits", item="server of 8 without GPUs", unit="kg", theirs=said["server_embodied_gwp"], ours=mid, low=low, high=high,
            stated="it has one number and no parts; ours: 2 EPYC, 2 TB of memory, 8 drives, 8 network cards, 6 supplies"),
    ]  # fmt: skip

"""EcoLogits 0.11.3: energy and carbon of one request to a language model.

    GPU energy a token  = α e^(−βB) P_active + γ                   latency a token = a P_active + b B + c              P in billions, B = 64
    GPUs                = least power of two that holds 1.2 · P_total · bits / 8 in 80 GB each
    energy              = PUE · (latency · server power · GPUs/8 / B + GPUs · GPU energy)
    making              = latency / (life · B) · (GPUs/8 · server + GPUs · GPU)
"""

from __future__ import annotations

import math
from typing import Final

from thrifty.cost.carbon.factors import load_pack
from thrifty.errors import BadValue
from thrifty.lenses.carbon.workloads.predictors.prediction import Prediction, above_zero, check_grid
from thrifty.quantities import J_PER_KWH

NAME: Final = "EcoLogits"
_AT: Final = "predictors:ecologits."


def ecologits_request(
    active_parameters: float, total_parameters: float, output_tokens: float, *, pue: float, intensity_g_per_kwh: float, bits: float | None = None
) -> Prediction:  # fmt: skip
    """One request that writes `output_tokens`; reading the prompt is not counted. bits: of a weight (16).

    Raises BadValue for sizes that are none, and for more active parameters than there are.
    """
    above_zero(active_parameters=active_parameters, total_parameters=total_parameters, output_tokens=output_tokens)
    if active_parameters > total_parameters:
        raise BadValue(f"active_parameters={active_parameters:.3g} are more than the {total_parameters:.3g} of the model. Give those that a token visits.")
    check_grid(pue, intensity_g_per_kwh)
    pack = load_pack()
    get = pack.get
    batch, width = get(_AT + "batch", "ratio"), bits if bits is not None else get(_AT + "bits", "ratio")
    above_zero(bits=width)
    billions = active_parameters / 1e9
    alpha, gamma = get(_AT + "gpu_energy.alpha", "energy"), get(_AT + "gpu_energy.gamma", "energy")
    gpu_j = output_tokens * (alpha * math.exp(-get(_AT + "gpu_energy.decay", "ratio") * batch) * billions + gamma)
    latency_s = output_tokens * (get(_AT + "latency.alpha", "time") * billions + get(_AT + "latency.beta", "time") * batch + get(_AT + "latency.gamma", "time"))
    needed_bytes = get(_AT + "memory_factor", "ratio") * total_parameters * width / 8
    gpus = 2 ** math.ceil(math.log2(max(1, math.ceil(needed_bytes / get(_AT + "gpu_memory", "capacity")))))
    share = gpus / get(_AT + "server_gpus", "ratio")
    energy_j = pue * (latency_s * get(_AT + "server_power", "power") * share / batch + gpus * gpu_j)
    made_g = share * get(_AT + "server_embodied", "carbon") + gpus * get(_AT + "gpu_embodied", "carbon")
    return Prediction(
        predictor=NAME, energy_j=energy_j, operational_gco2e=energy_j / J_PER_KWH * intensity_g_per_kwh,
        embodied_gco2e=made_g * latency_s / (get(_AT + "life", "time") * batch), device_s=latency_s * gpus / batch,
        assumed={
            "machine": f"{gpus} GPUs of 80 GB, their share of a server of 8 that draws 1.2 kW without them", "batch": f"{batch:.0f} requests at once",
            "speed": f"{output_tokens / latency_s:.3g} tokens a second and request", "prompt": "reading it is not counted",
        },
    )  # fmt: skip

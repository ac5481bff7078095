"""Capture of a large model takes at most 1.5 times as long as torch's FlopCounterMode alone, which gives neither bytes, modules nor lifetimes.

Models on meta tensors, one sequence of 512 tokens: an 80-layer Llama (the shapes of Llama-2 70B), forward and training without the optimizer's
step, and a 61-layer DeepSeek-V3 with 8 experts a layer instead of 256, forward. Both sides must agree on the FLOPs.
"""

from __future__ import annotations

import statistics
import tracemalloc
import warnings
from collections.abc import Callable

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM, LlamaConfig, LlamaForCausalLM

from _claim import in_turns, report, spread
from thrifty.workload.building.meta import MetaAnswers
from thrifty.workload.tracing import record

LIMIT = 1.5
REPEATS = 5


def llama() -> torch.nn.Module:
    config = LlamaConfig(hidden_size=8192, intermediate_size=28672, num_hidden_layers=80, num_attention_heads=64, num_key_value_heads=8, use_cache=False)
    with torch.device("meta"):
        module: torch.nn.Module = LlamaForCausalLM(config).to(torch.bfloat16)
    return module


def deepseek() -> torch.nn.Module:
    config = DeepseekV3Config(n_routed_experts=8, n_group=2, topk_group=1, num_experts_per_tok=4, num_hidden_layers=61, use_cache=False)
    config._experts_implementation = "batched_mm"  # the counter drops grouped products
    with torch.device("meta"):
        module: torch.nn.Module = DeepseekV3ForCausalLM(config).to(torch.bfloat16)
    return module


def calls(module: torch.nn.Module, training: bool) -> dict[str, Callable[[], int]]:
    tokens = torch.empty((1, 512), dtype=torch.int64, device="meta")

    def run() -> None:
        if training:
            module(input_ids=tokens, labels=tokens).loss.backward()
            module.zero_grad(set_to_none=True)
        else:
            with torch.no_grad():
                module(input_ids=tokens)

    def counter() -> int:
        with MetaAnswers(), FlopCounterMode(display=False) as mode:
            run()
        return int(mode.get_total_flops())

    def capture() -> int:
        with MetaAnswers():
            return record(run, module).table.totals()["flops_matrix"]

    return {"counter": counter, "capture": capture}


results, worst, equal = {}, 0.0, True
warnings.simplefilter("ignore")
for name, make, training in (("llama 80 layers", llama, False), ("llama 80 layers, training", llama, True), ("deepseek-v3 61 layers", deepseek, False)):
    sides = calls(make(), training)
    found = {side: call() for side, call in sides.items()}
    seconds = in_turns(sides, REPEATS)
    ratios = spread([ours / theirs for ours, theirs in zip(seconds["capture"], seconds["counter"], strict=True)])
    tracemalloc.start()
    sides["capture"]()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    results[name] = {
        "ratio": ratios, "capture_s": statistics.median(seconds["capture"]), "counter_s": statistics.median(seconds["counter"]), "flops": found["capture"],
        "python_peak_bytes": peak,
    }  # fmt: skip
    worst, equal = max(worst, ratios["median"]), equal and found["capture"] == found["counter"]
    low, mid, high = (ratios[key] for key in ("low", "median", "high"))
    print(f"{name}: {mid:.2f} × FlopCounterMode ({low:.2f} to {high:.2f}), FLOPs {found['capture']:,} and {found['counter']:,}")

report(f"capture <= {LIMIT} x FlopCounterMode alone", equal and worst <= LIMIT, results, "torch", "transformers")

"""Rounding 16 M FP32 values: at least 0.8 times torch's own cast in BF16, FP16, E4M3, E5M2, 5 times ml_dtypes in E2M1, 40 times pychop and gfloat.

Every turn takes fresh memory for its result, as users do, ours and theirs; `out=` is timed beside it. The array is beyond every cache, so the limit is
memory: the fraction is what a call reads and writes, over its time, of the bytes a second that a copy of the same array moves in the same turns. pychop and
gfloat are slow, so theirs is the time of 1 M values (in their caches), each. Threads: ours by Numba's setting, torch's by its own, the same number.
"""

import importlib.util
import statistics
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
import torch

import thrifty.formats as formats
from _claim import in_turns, report

COUNT, FEW, REPEATS = 16_000_000, 1_000_000, 11
PAUSE_S = 0.03
"""Before each call: torch's threads spin after their work, on the core that ours would take next."""
TORCH = {"bf16": torch.bfloat16, "fp16": torch.float16, "e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}
x_N = (np.random.default_rng(0).normal(size=COUNT) * 10).astype(np.float32)
tensor_N, few_N = torch.from_numpy(x_N), x_N[:FEW].astype(np.float64)
copied_N = np.empty_like(x_N)


def told(name: str) -> dict[str, str]:
    return {"overflow": "saturate"} if name in ("e4m3", "e2m1") else {}


def median(calls: dict[str, Callable[[], object]], repeats: int = 3) -> dict[str, float]:
    return {name: statistics.median(samples) for name, samples in in_turns(calls, repeats).items()}


def against_torch(name: str, threads: int) -> dict[str, Any]:
    """Times of ours to torch's, above 1 where ours is faster, and fractions of the bandwidth."""
    numba.config.NUMBA_NUM_THREADS = threads
    torch.set_num_threads(threads)
    dtype = TORCH[name]
    codes = formats.encode(tensor_N, name, **told(name))
    rounded = formats.round(tensor_N, name, **told(name))
    assert torch.equal(codes, tensor_N.to(dtype).view(codes.dtype)), name
    assert torch.equal(rounded, tensor_N.to(dtype).to(torch.float32)), name
    turns = in_turns({
        "copy": lambda: torch.from_numpy(copied_N).copy_(tensor_N), "encode": lambda: formats.encode(tensor_N, name, **told(name)),
        "torch": lambda: tensor_N.to(dtype), "encode, out=": lambda: formats.encode(tensor_N, name, out=codes, **told(name)),
        "round": lambda: formats.round(tensor_N, name, **told(name)), "torch and back": lambda: tensor_N.to(dtype).to(torch.float32),
        "round, out=": lambda: formats.round(tensor_N, name, out=rounded, **told(name)),
    }, REPEATS, pause_s=PAUSE_S)  # fmt: skip
    taken, least = ({each: function(samples) for each, samples in turns.items()} for function in (statistics.median, min))
    copy = 8 * COUNT / taken["copy"]
    size = codes.element_size()
    return {
        "encode to torch": round(taken["torch"] / taken["encode"], 2), "round to torch": round(taken["torch and back"] / taken["round"], 2),
        "fastest turns": round(least["torch"] / least["encode"], 2), "ms": {each: round(seconds * 1e3, 2) for each, seconds in taken.items()},
        "fastest, ms": {each: round(seconds * 1e3, 2) for each, seconds in least.items()}, "copy, GB/s": round(copy / 1e9, 1),
        "of bandwidth": {each: round(moved * COUNT / taken[each] / copy, 2)
                         for each, moved in (("encode", 4 + size), ("encode, out=", 4 + size), ("round", 8), ("round, out=", 8))},
    }  # fmt: skip


def against_others() -> dict[str, float]:
    """Times of ours, each value, to the others'."""
    numba.config.NUMBA_NUM_THREADS = 1
    ratios: dict[str, float] = {}
    if importlib.util.find_spec("ml_dtypes"):
        import ml_dtypes

        theirs = x_N.astype(ml_dtypes.float4_e2m1fn)
        assert (formats.encode(x_N, "e2m1", **told("e2m1")) == theirs.view(np.uint8)).all()
        taken = median({"ours": lambda: formats.encode(x_N, "e2m1", **told("e2m1")), "theirs": lambda: x_N.astype(ml_dtypes.float4_e2m1fn)})
        ratios |= {"ml_dtypes, e2m1": taken["theirs"] / taken["ours"], "e2m1, values/s": COUNT / taken["ours"]}
    others: dict[str, Callable[[str], Callable[[], Any]]] = {}
    if importlib.util.find_spec("gfloat"):
        import gfloat
        from gfloat import formats as gfloats

        infos = {"bf16": gfloats.format_info_bfloat16, "fp16": gfloats.format_info_binary16, "e4m3": gfloats.format_info_ocp_e4m3,
                 "e5m2": gfloats.format_info_ocp_e5m2, "e2m1": gfloats.format_info_ocp_e2m1}  # fmt: skip
        others["gfloat"] = lambda name: lambda: gfloat.round_ndarray(infos[name], few_N, sat=name in ("e4m3", "e2m1"))
    if importlib.util.find_spec("pychop"):
        import pychop

        pychop.backend("numpy")

        def chop(name: str) -> Callable[[], Any]:
            spec = formats.float_spec(name)
            chopped = pychop.Chop(exp_bits=spec.exponent_bits, sig_bits=spec.mantissa_bits, rmode=1)
            return lambda: chopped(few_N)

        others["pychop"] = chop
    for name in (*TORCH, "e2m1"):
        ours = formats.round(few_N, name, **told(name))
        for peer, make in others.items():
            call = make(name)
            if peer == "gfloat":  # pychop loses -0 and has no OCP formats
                assert (ours == call()).all(), (peer, name)
            taken = median({"ours": lambda name=name: formats.round(x_N, name, **told(name)), "theirs": call})
            ratios[f"{peer}, {name}"] = taken["theirs"] / FEW / (taken["ours"] / COUNT)
    return {each: float(f"{ratio:.3g}") for each, ratio in ratios.items()}


figures = {f"{name}, {threads} thread{'s' * (threads > 1)}": against_torch(name, threads) for threads in (1, 2) for name in TORCH}
ratios = against_others()
least = min(min(each["encode to torch"], each["round to torch"]) for each in figures.values())
slow = [ratio for each, ratio in ratios.items() if each.startswith(("gfloat", "pychop"))]
report(
    __doc__.splitlines()[0], least >= 0.8 and ratios.get("ml_dtypes, e2m1", 5) >= 5 and min(slow, default=40) >= 40,
    {"least ratio to torch": least, "torch": figures, "others": ratios}, "numpy", "numba", "torch",
)  # fmt: skip

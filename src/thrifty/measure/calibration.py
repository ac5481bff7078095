"""Finds what this machine sustains, in under 40 seconds, and keeps it in the user's cache.

Surfaces of FLOP/s for matrix products by format and shape, convolutions and attention; curves of seconds over bytes for streaming operators; memory
bandwidth by threads; what a view, a module call and an autograd node cost. Every number is the lower quartile of several repeats, so that a
busy neighbour does not count, and the spread is kept.
The file's name carries a fingerprint of processor, threads and versions; one that is corrupt or from another machine is made again.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
from itertools import product
from typing import Any, Final

import numpy as np
import torch

from thrifty.cost.energy import EnergyModel
from thrifty.cost.sustained import Sustained
from thrifty.errors import BadFile, BadValue
from thrifty.files import writing
from thrifty.hardware import Device, load
from thrifty.hardware.host import CALIBRATION_SCHEMA, NAMES, calibration_path, cpu_name, device_of, fingerprint, read_calibration, threads
from thrifty.measure import probes
from thrifty.measure.timing import time_call
from thrifty.measure.toy import HOT_WIDTH, WIDTH, call_seconds, decoder_seconds

FORMATS: Final = {"fp32": torch.float32, "bf16": torch.bfloat16}
Progress = Callable[[str, float], None]
"""Called with what is being measured and the share of the work that is done."""


class _Spread:
    """Collects the spread of every measurement."""

    def __init__(self, wait: Callable[[], object] | None = None) -> None:
        self.seen: list[float] = []
        self._wait = wait

    def seconds(self, call: Callable[[], object], *, budget_s: float = 0.02, least: int = 3) -> float:
        timed = time_call(call, budget_s=budget_s, least=least, wait=self._wait)
        self.seen.append(timed.spread)
        return timed.quick


def _surface(axes: Mapping[str, tuple[int, ...]], flops: Callable[..., float], call: Callable[..., Callable[[], object]], spread: _Spread) -> dict[str, Any]:
    """Rates on the grid of `axes`, the first axis varying slowest of work; a point too large takes the rate of the one before it on that axis."""
    rates = np.full([len(v) for v in axes.values()], np.nan)
    for place in product(*(range(len(v)) for v in axes.values())):
        sizes = [values[i] for values, i in zip(axes.values(), place, strict=True)]
        work = flops(*sizes)
        if work <= probes.MOST_FLOPS:
            rates[place] = work / spread.seconds(call(*sizes), budget_s=0.012)
    for axis in range(rates.ndim):  # rates beyond what was run: those of the nearest smaller size
        for index in range(1, rates.shape[axis]):
            here, before = _at(rates, axis, index), _at(rates, axis, index - 1)
            here[...] = np.where(np.isnan(here), before, here)
    return {"axes": {name: list(values) for name, values in axes.items()}, "flops_per_s": rates.tolist()}


def _at(array: Any, axis: int, index: int) -> Any:
    return array[(slice(None),) * axis + (index,)]


def _matrices(spread: _Spread) -> Iterator[tuple[str, float, str, Any]]:
    axes = {"m": probes.LINEAR_M, "n": probes.LINEAR_N, "k": probes.LINEAR_K}
    linear, bmm = {}, {}
    for name, dtype in FORMATS.items():
        pool = probes.Pool(dtype)
        linear[name] = _surface(axes, probes.linear_flops, functools.partial(probes.linear_call, pool), spread)
        small = {"batch": probes.BMM_BATCH, "m": probes.BMM_SIZES, "n": probes.BMM_SIZES, "k": probes.BMM_SIZES}
        bmm[name] = _surface(
            small, lambda b, m, n, k: 2.0 * b * m * n * k, functools.partial(probes.bmm_call, dtype), spread
        )  # fmt: skip
        yield f"matrix products in {name}", 0.25, "", None
    yield "matrix products", 0.0, "linear", linear
    yield "batched products", 0.0, "bmm", bmm


def _convolutions(spread: _Spread) -> Iterator[tuple[str, float, str, Any]]:
    axes = {"taps": probes.CONV_TAPS, "m": probes.CONV_PIXELS, "n": probes.CONV_N, "k": probes.CONV_K}
    surface = _surface(axes, lambda t, m, n, k: 2.0 * t * m * n * k, probes.conv_call, spread)
    yield "convolutions", 0.15, "conv", {"fp32": surface}


def _attention(spread: _Spread) -> Iterator[tuple[str, float, str, Any]]:
    axes = {"seq_q": probes.ATTENTION_Q, "seq_k": probes.ATTENTION_K, "head_dim": probes.ATTENTION_WIDTH}
    sdpa = torch.nn.functional.scaled_dot_product_attention

    def forward(causal: bool) -> Callable[..., Callable[[], object]]:
        def make(q: int, k: int, width: int) -> Callable[[], object]:
            tensors = probes.attention_tensors(q, k, width)
            return lambda: sdpa(*tensors, is_causal=causal)

        return make

    def backward(q: int, k: int, width: int) -> Callable[[], object]:
        tensors = probes.attention_tensors(q, k, width, grad=True)
        with torch.enable_grad():
            out = sdpa(*tensors)
        grad = torch.randn_like(out)
        return lambda: torch.autograd.grad(out, tensors, grad, retain_graph=True)

    def forward_flops(q: int, k: int, width: int) -> float:
        return 4.0 * probes.ATTENTION_HEADS * width * q * k

    yield "attention", 0.05, "attention", _surface(axes, forward_flops, forward(False), spread)
    yield "attention", 0.05, "attention_causal", _surface(axes, forward_flops, forward(True), spread)
    yield "attention", 0.05, "attention_backward", _surface(axes, lambda q, k, width: 2 * forward_flops(q, k, width), backward, spread)


def _streams(spread: _Spread) -> Iterator[tuple[str, float, str, Any]]:
    curves: dict[str, dict[str, dict[str, list[float]]]] = {}
    for fmt, dtype in FORMATS.items():
        sizes = probes.STREAM_ELEMENTS if fmt == "fp32" else probes.STREAM_ELEMENTS[1:-1]
        for count in sizes:
            for stream in probes.streams(dtype, count):
                curve = curves.setdefault(fmt, {}).setdefault(stream.name, {"bytes": [], "seconds": []})
                seconds = spread.seconds(stream.call, budget_s=0.006)
                if not curve["bytes"] or stream.bytes_moved > curve["bytes"][-1]:
                    curve["bytes"].append(float(stream.bytes_moved))
                    curve["seconds"].append(seconds)
    backward: dict[str, list[float]] = {"bytes": [], "seconds": []}
    for count in probes.STREAM_ELEMENTS[1:-1]:
        with torch.enable_grad():
            call, moved = probes.norm_backward(count)
        backward["bytes"].append(float(moved))
        backward["seconds"].append(spread.seconds(call))
    curves["fp32"]["norm_backward"] = backward
    yield "streaming operators", 0.15, "curves", curves


Small = dict[tuple[Any, ...], float]
"""Seconds of calls that are over in microseconds, by what they are."""


def _small(spread: _Spread) -> Small:
    """What the framework itself takes: a view, an autograd node, two small decoders, streaming operators on next to nothing.

    Taken at the start and at the end of a calibration, the smaller counts: a shared machine has slow seconds, and nothing else here is as
    easily spoilt by them.
    """
    x = torch.zeros(4, 4)

    def views() -> None:
        for _ in range(100):
            x.transpose(0, 1)

    chain, grad = torch.zeros(4, requires_grad=True), torch.ones(4)
    with torch.enable_grad():
        out = chain
        for _ in range(200):
            out = out * 1.5
    node = spread.seconds(lambda: torch.autograd.grad(out, chain, grad, retain_graph=True), least=5) / 200
    found: Small = {("view",): spread.seconds(views) / 100, ("node",): node}
    for width in (WIDTH, HOT_WIDTH):
        found["whole", width], found["products", width] = decoder_seconds(spread.seconds, width)
    for fmt, dtype in FORMATS.items():
        for count in probes.STREAM_ELEMENTS[:2]:
            for stream in probes.streams(dtype, count):
                found["stream", fmt, stream.name, float(stream.bytes_moved)] = spread.seconds(stream.call, budget_s=0.004)
    return found


def _host(content: dict[str, Any], small: Small) -> None:
    """Put what small calls take into the curves, and what the framework costs around operators into `host`."""
    for fmt, curves in content["curves"].items():
        for name, curve in curves.items():
            curve["seconds"] = [
                min(seconds, small.get(("stream", fmt, name, size), seconds)) for size, seconds in zip(curve["bytes"], curve["seconds"], strict=True)
            ]
    floor = float(content["curves"]["fp32"]["mul"]["seconds"][0])
    host = {"view_s": small["view",], "call_s": 0.0, "call_hot_s": 0.0, "backward_s": max(small["node",] - floor, 0.0), "floor_s": floor}
    content["host"] = host
    sustained = Sustained.read(content)
    call, hot = (call_seconds(sustained, width, small["whole", width], small["products", width]) for width in (WIDTH, HOT_WIDTH))
    host["call_s"], host["call_hot_s"] = call, min(call, hot)


def _device(content: Mapping[str, Any], bandwidth: Mapping[str, float], like: Device | None) -> dict[str, Any]:
    """The machine as a device: peaks are the best that was seen. `like`: the sheet that says of a CUDA device what cannot be timed."""
    peaks = {name: float(np.nanmax(content["linear"][name]["flops_per_s"])) for name in FORMATS}
    curve = content["curves"]["fp32"]["addcmul"]
    vector = max(3 * size / 12 / seconds for size, seconds in zip(curve["bytes"], curve["seconds"], strict=True))
    if like is not None:
        properties = torch.cuda.get_device_properties(0)
        return {
            "torch_device": "cuda", "kind": "gpu", "title": f"this machine's {properties.name}", "vendor": like.vendor, "peak_flops": peaks,
            "vector_flops": vector, "memory_technology": like.memory_technology, "tdp_w": like.tdp_w,
            "idle_w": like.idle_w if like.idle_w is not None else EnergyModel.of(like).idle_w, "die_area_mm2": like.die_area_mm2,
            "process_node_nm": like.process_node_nm, "notes": [f"power, die and process are those of the sheet '{like.name}'"],
            "memory": [{"name": "vram", "capacity_bytes": properties.total_memory, "bandwidth_bytes_per_s": max(bandwidth.values())}],
        }  # fmt: skip
    import psutil

    from thrifty.hardware.host_power import host_watts

    watts = host_watts()
    return {
        "title": f"this machine: {cpu_name()}, {threads()} threads", "vendor": cpu_name().split()[0], "peak_flops": peaks, "vector_flops": vector,
        "memory": [{"name": "ram", "capacity_bytes": psutil.virtual_memory().total, "bandwidth_bytes_per_s": max(bandwidth.values())}],
        "memory_technology": "DDR", "bandwidth_by_threads": dict(bandwidth), "tdp_w": watts.tdp_w, "idle_w": watts.idle_w, "notes": list(watts.notes),
    }  # fmt: skip


def _bandwidth(spread: _Spread) -> dict[str, float]:
    """Bytes per second of reading one large array, by threads of the host (on a CUDA device they make no difference)."""
    x = torch.ones(64 * 2**20 // 4)
    if x.device.type == "cuda":
        return {"all": x.numel() * 4 / spread.seconds(lambda: x.sum(), budget_s=0.15)}
    found, every = {}, torch.get_num_threads()
    for count in sorted({1, every}):
        torch.set_num_threads(count)
        found[str(count)] = x.numel() * 4 / spread.seconds(lambda: x.sum(), budget_s=0.15)
    torch.set_num_threads(every)
    return found


def _sheet_of_cuda(like: str | None) -> Device:
    """The sheet that stands for the CUDA device. Raises BadValue where there is no device, or no sheet was named."""
    if not torch.cuda.is_available():
        raise BadValue("device='cuda' cannot be calibrated: torch sees no CUDA device here. Choose cpu, or install a CUDA build of torch.")
    if like is None:
        raise BadValue("device='cuda' needs the sheet of the same device, for its power and die. Name it with --like; list them with: thrifty hardware list")
    return load(like)


def calibrate(*, device: str = "cpu", like: str | None = None, force: bool = False, progress: Progress | None = None) -> Device:
    """This machine ("cpu"), or its first CUDA device ("cuda"), as a device: from the cache where a valid calibration is there and not `force`, else
    measured now and kept.

    like : the catalogue's sheet of the CUDA device, for its power, die and process, which no clock tells
    Raises BadValue without a CUDA device or its sheet, CannotWrite when the cache cannot be written.
    """
    if device not in NAMES:
        raise BadValue(f"device='{device}' cannot be calibrated. Choose from: {', '.join(NAMES)}.")
    path = calibration_path(device)
    cached = None if force else read_calibration(device)
    if cached is not None:
        with suppress(BadFile):  # a damaged one is made again
            Sustained.read(cached)
            return device_of(cached, path)
    sheet = _sheet_of_cuda(like) if device == "cuda" else None
    tell = progress or (lambda what, share: None)
    spread, start, done = _Spread(torch.cuda.synchronize if device == "cuda" else None), time.perf_counter(), 0.0
    content: dict[str, Any] = {
        "schema": CALIBRATION_SCHEMA, "fingerprint": dict(fingerprint(device)), "made_at": datetime.now(UTC).isoformat(timespec="seconds")
    }  # fmt: skip
    # A device as context is a function mode: it doubles the time of small calls, so the CPU, which needs none, is spared it.
    place = torch.device(device) if device != "cpu" else nullcontext()
    with place, torch.inference_mode(False), torch.no_grad():
        bandwidth = _bandwidth(spread)
        early = _small(spread)
        for part in (_matrices, _convolutions, _attention, _streams):
            for what, share, key, value in part(spread):
                done += share
                tell(what, min(done, 0.98))
                if key:
                    content[key] = value
        late = _small(spread)
        _host(content, {key: min(seconds, late[key]) for key, seconds in early.items()})
    content["device"] = _device(content, bandwidth, sheet)
    content["spread"] = {"median": float(np.median(spread.seen)), "p90": float(np.quantile(spread.seen, 0.9)), "measurements": len(spread.seen)}
    content["seconds"] = time.perf_counter() - start
    with writing(path) as file:
        file.write(json.dumps(content).encode())
    tell("done", 1.0)
    return device_of(content, path)

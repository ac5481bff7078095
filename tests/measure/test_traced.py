"""Profiles of traces: of real ones that torch.profiler records here, and of a GPU's, whose records are written by hand in its layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.timeline.kineto_records import gpu_trace, write_records
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

from thrifty.errors import BadFile, BadValue
from thrifty.measure.cuda_profile import module_ranges, profile_cuda
from thrifty.measure.traced import TraceProfile, profile_of_trace
from thrifty.timeline import Event, read_kineto, write_chrome_trace


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.proj = nn.LayerNorm(16), nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + nn.functional.gelu(self.proj(self.norm(x)))


def model() -> nn.Module:
    return nn.Sequential(Block(), Block(), nn.Linear(16, 4))


def recorded(folder: Path, *, training: bool, packed: bool, **options: Any) -> tuple[Path, Any]:
    """A real trace of this process, and what torch itself sums up of it."""
    module, x = model(), torch.randn(8, 16)

    def step() -> None:
        result = module(x)
        if training:
            result.sum().backward()

    with torch.set_grad_enabled(training):
        step()
        with profile(activities=[ProfilerActivity.CPU], **options) as profiler, record_function("step"):
            step()
    path = folder / ("trace.json.gz" if packed else "trace.json")
    profiler.export_chrome_trace(str(path))
    return path, profiler.key_averages()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_peer_self_times_are_torchs_own(tmp_path: Path, training: bool, packed: bool) -> None:
    path, averages = recorded(tmp_path, training=training, packed=packed, record_shapes=True)
    found = profile_of_trace(path)
    assert not found.on_device
    ours = {kernel.name: (kernel.calls, kernel.time_s * 1e6) for kernel in found.by_kernel}
    theirs = {each.key: (each.count, each.self_cpu_time_total) for each in averages if each.key != "step"}
    assert set(ours) == set(theirs)
    for name, (count, us) in theirs.items():
        calls, own_us = ours[name]
        assert own_us == pytest.approx(us, abs=0.01 * count), name  # torch rounds to the nanosecond at other places
        assert calls == count or (name == "aten::sum" and calls > count), name  # torch counts an operator that only calls its like once
    assert sum(us for _, us in ours.values()) == pytest.approx(sum(us for _, us in theirs.values()), rel=1e-4)
    assert sum(found.by_class.values()) == pytest.approx(sum(us for _, us in ours.values()) * 1e-6 + found.idle_s)
    assert {"linear", "norm", "elementwise", "framework"} <= set(found.by_class)
    assert "unknown" not in found.by_class
    assert found.linked == 1.0


def test_modules_that_torch_recorded(tmp_path: Path) -> None:
    path, _ = recorded(tmp_path, training=False, packed=False, with_stack=True, with_modules=True)
    found = profile_of_trace(path)
    places = {name.partition(".")[2].partition("_")[0] for name in found.by_module}
    assert {"Block", "Linear"} <= places
    assert any(name.endswith("LayerNorm_0") for name in found.by_module)
    assert sum(found.by_module.values()) == pytest.approx(sum(found.by_operator.values()))


@pytest.mark.parametrize("training", [False, True])
def test_profile_of_a_call_by_module(training: bool) -> None:
    module, x = model(), torch.randn(8, 16)

    def step() -> None:
        with torch.set_grad_enabled(training):
            result = module(x)
            if training:
                result.sum().backward()

    found = profile_cuda(step, module, device="cpu", repeat=2)
    assert {"0", "0.norm", "0.proj", "1.norm", "1.proj", "2"} <= set(found.by_module)
    assert found.source == "Sequential on cpu"
    products = [kernel for kernel in found.by_kernel if kernel.name == "aten::addmm"]
    assert [kernel.calls for kernel in products] == [6]
    if training:  # the products of the backward pass belong to the linear layers
        assert next(kernel.calls for kernel in found.by_kernel if kernel.name == "aten::mm") >= 10
        assert found.by_module.get("(no module)", 0.0) < sum(found.by_module.values()) / 2
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in module.modules())


def test_the_trace_can_be_kept(tmp_path: Path) -> None:
    module, x = model(), torch.randn(8, 16)
    path = tmp_path / "kept.json.gz"
    found = profile_cuda(lambda: module(x), module, device="cpu", warmup=0, keep=path)
    assert found.source == str(path)
    assert len(read_kineto(path)) == found.events


def test_a_call_that_fails_leaves_no_hooks() -> None:
    module = model()
    with pytest.raises(RuntimeError, match="normalized_shape"):
        profile_cuda(lambda: module(torch.randn(8, 3)), module, device="cpu", warmup=0)
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in module.modules())
    with pytest.raises(ZeroDivisionError), module_ranges(module):
        _ = 1 / 0
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in module.modules())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "tpu"}, "device='tpu' cannot be profiled here. Choose cuda or cpu."),
        ({"device": "cpu", "repeat": 0}, "repeat=0, warmup=1: there is nothing to profile. Choose repeat of 1 or more, warmup of 0 or more."),
        ({"device": "cuda"}, "device='cuda' needs a CUDA device, and torch finds none. Choose device='cpu'."),
    ],
)
def test_what_cannot_be_profiled_is_refused(monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], message: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    module = model()
    with pytest.raises(BadValue) as caught:
        profile_cuda(lambda: module(torch.randn(8, 16)), module, **options)
    assert str(caught.value) == message


def gpu_profile(folder: Path) -> TraceProfile:
    return profile_of_trace(write_records(folder, gpu_trace()))


def test_formula_a_gpus_time(tmp_path: Path) -> None:
    found = gpu_profile(tmp_path)
    us = {label: round(seconds * 1e6, 6) for label, seconds in found.by_class.items()}
    assert us == {"idle": 110, "linear": 80, "elementwise": 20, "memory": 12, "norm": 10}
    assert {name: round(seconds * 1e6, 6) for name, seconds in found.by_module.items()} == {"attn.proj": 80, "(root)": 32, "norm": 10}
    operators = {"aten::addmm": 50, "aten::mm": 30, "aten::gelu": 20, "aten::copy_": 12, "aten::native_layer_norm": 10}
    assert {name: round(seconds * 1e6, 6) for name, seconds in found.by_operator.items()} == operators
    assert (found.on_device, found.launches, found.linked, len(found.by_kernel)) == (True, 5, 1.0, 5)
    assert found.window_s == pytest.approx(230e-6)
    assert {name: round(seconds * 1e6, 6) for name, seconds in found.idle.items()} == {"0/stream 7": 120, "0/stream 20": 218}
    assert found.work_s == pytest.approx(122e-6)
    assert str(found).endswith("trace.json: 0.23 ms on the device, idle 47%, linear 34%, elementwise 9%, memory 5%")


def test_json_of_a_profile(tmp_path: Path) -> None:
    found = gpu_profile(tmp_path).to_dict(kernels=2)
    assert json.loads(json.dumps(found)) == found
    assert (found["schema"], found["truth"], len(found["by_kernel"]), found["launches"]) == (1, "measured", 2, 5)
    assert found["by_kernel"][0] == {"name": "ampere_fp16_s1688gemm_fp16_128x128", "class": "linear", "calls": 1, "time_s": pytest.approx(50e-6)}


def test_a_trace_of_our_own(tmp_path: Path) -> None:
    events = [Event(name=n, process="a100", thread="stream 0", start_s=s, duration_s=0.5) for n, s in (("flash_fwd", 0.0), ("sgemm", 0.5), ("riddle", 2.0))]
    found = profile_of_trace(write_chrome_trace(events, tmp_path / "own.json.gz"))
    assert found.by_class == {"framework": 1.0, "attention": 0.5, "linear": 0.5, "unknown": 0.5}
    assert found.by_module == {}


def test_a_cut_trace_is_refused(tmp_path: Path) -> None:
    path = write_records(tmp_path, gpu_trace())
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(BadFile, match=r"breaks off after 22 whole events: it ends in the middle\. Copy it again, or let the profiler finish\.$"):
        profile_of_trace(path)

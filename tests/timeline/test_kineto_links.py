"""Kernels tied to launches, operators and modules, and the time of each; on records written by hand in torch.profiler's layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.timeline.kineto_records import COPIES, HOST, MAIN, STREAM, gpu_trace, launched, work, write_records

from thrifty.timeline.kineto.breakdowns import Breakdown, break_down
from thrifty.timeline.kineto.links import Links, link
from thrifty.timeline.kineto.reading import KinetoTrace, read_kineto


def read(folder: Path, records: list[dict[str, Any]]) -> tuple[KinetoTrace, Links]:
    trace = read_kineto(write_records(folder, records))
    return trace, link(trace)


def kernels(trace: KinetoTrace, links: Links) -> dict[str, tuple[str, str]]:
    """Kernel → (operator, module)."""
    found = {}
    for row in links.device.nonzero()[0]:
        op, module = int(links.op[row]), int(links.module[row])
        found[trace.name(row).split("(")[0][:40]] = (trace.name(op) if op >= 0 else "-", links.modules[module] if module >= 0 else "-")
    return found


LINKED = {
    "ampere_fp16_s1688gemm_fp16_128x128": ("aten::addmm", "attn.proj"),
    "void vectorized_layer_norm_kernel<float>": ("aten::native_layer_norm", "norm"),
    "void at::native::vectorized_elementwise_": ("aten::gelu", ""),
    "Memcpy HtoD ": ("aten::copy_", ""),
    "ampere_sgemm_128x64_nn": ("aten::mm", "attn.proj"),  # backward: by the sequence number of the forward product
}


def test_formula_kernels_land_on_their_operator_and_module(tmp_path: Path) -> None:
    trace, links = read(tmp_path, gpu_trace())
    assert kernels(trace, links) == LINKED
    assert [trace.name(int(links.launch[row])) for row in links.device.nonzero()[0]] == ["cudaLaunchKernel"] * 3 + ["cudaMemcpyAsync", "cudaLaunchKernel"]


def without(records: list[dict[str, Any]], *keys: str) -> list[dict[str, Any]]:
    return [{**r, "args": {k: v for k, v in r["args"].items() if k not in keys}} if r["ph"] == "X" else r for r in records]


def test_formula_arrows_serve_where_correlation_ids_lack(tmp_path: Path) -> None:
    records = gpu_trace()
    arrows: list[dict[str, Any]] = []
    for record in records:
        if (number := record["args"].get("correlation")) is not None:
            letter = "f" if record["pid"] == 0 else "s"
            arrows.append({"ph": letter, "cat": "ac2g", "name": "ac2g", "id": number, **{k: record[k] for k in ("pid", "tid", "ts")}})
    trace, links = read(tmp_path, without(records + arrows, "correlation", "External id"))
    assert kernels(trace, links) == LINKED


def test_formula_external_ids_serve_where_launches_lack(tmp_path: Path) -> None:
    trace, links = read(tmp_path, [r for r in gpu_trace() if r.get("cat") != "cuda_runtime"])
    assert kernels(trace, links) == LINKED


def test_kernels_without_any_tie_stay_alone(tmp_path: Path) -> None:
    records = without([r for r in gpu_trace() if r.get("cat") != "cuda_runtime"], "correlation", "External id")
    assert set(kernels(*read(tmp_path, records)).values()) == {("-", "-")}


def test_one_graph_launch_starts_many_kernels(tmp_path: Path) -> None:
    records = [work("cpu_op", "aten::linear", 0, 10, **{"External id": 1}), work("cuda_runtime", "cudaGraphLaunch", 2, 3, correlation=9)]
    records += [work("kernel", f"k{i}", 10 + i, 1, pid=0, tid=STREAM, correlation=9) for i in range(4)]
    assert set(kernels(*read(tmp_path, records)).values()) == {("aten::linear", "-")}


def test_module_calls_of_torch_are_joined(tmp_path: Path) -> None:
    records = [
        work("python_function", "nn.Module: Block_0", 0, 50), work("python_function", "torch/nn/modules/module.py(1): _call_impl", 1, 48),
        work("python_function", "nn.Module: Linear_3", 2, 40), work("cpu_op", "aten::addmm", 4, 10),
        work("python_function", "nn.Module: Linear_3", 60, 10), work("cpu_op", "aten::addmm", 62, 5), work("cpu_op", "aten::mm", 80, 5),
    ]  # fmt: skip
    _, links = read(tmp_path, records)
    assert links.modules == ("Block_0", "Linear_3", "Block_0.Linear_3")
    assert [links.modules[m] if m >= 0 else None for m in links.module[links.operator]] == ["Block_0.Linear_3", "Linear_3", None]


def test_without_operators_all_work_counts(tmp_path: Path) -> None:
    _, links = read(tmp_path, [work("forward", "linear", 0, 10), work("", "norm", 2, 3), work("Trace", "whole", 0, 99)])
    assert links.operator.tolist() == [True, True, False]


def classify(name: str) -> str:
    for part, label in (("gemm", "linear"), ("mm", "linear"), ("norm", "norm"), ("gelu", "elementwise"), ("Memcpy", "memory"), ("copy", "memory")):
        if part in name:
            return label
    return "unknown"


def spent(found: Breakdown) -> dict[str, float]:
    result = dict.fromkeys(found.labels, 0.0)
    for label, seconds in zip(found.classes, found.seconds, strict=True):
        result[found.labels[label]] += float(seconds) * 1e6
    return {label: round(us, 6) for label, us in result.items() if us}


def test_formula_time_by_class_and_idle(tmp_path: Path) -> None:
    found = break_down(read_kineto(write_records(tmp_path, gpu_trace())), classify)
    assert found.on_device
    assert spent(found) == {"linear": 80, "norm": 10, "elementwise": 20, "memory": 12}
    # The device works from 30 to 260; on stream 7 nothing runs in 80-100, 110-150 and 170-230, on both nothing in 80-100, 110-150, 180-230.
    assert found.idle_s == pytest.approx(110e-6)
    main, copies = found.streams
    assert (main.device, main.stream, main.pieces) == ("0", "stream 7", 4)
    assert (main.busy_s, main.idle_s) == (pytest.approx(110e-6), pytest.approx(120e-6))
    # Launches come at 75 (before the gap), 145 (35 of 40 into it) and 220 (50 of 60 into it).
    assert main.unlaunched_s == pytest.approx(85e-6)
    assert (copies.stream, copies.pieces, copies.busy_s, copies.idle_s) == ("stream 20", 1, pytest.approx(12e-6), pytest.approx(218e-6))
    assert copies.unlaunched_s == pytest.approx(135e-6)  # from 30 on until its launch at 165


def test_a_kernel_has_its_operators_class_and_a_copy_its_own(tmp_path: Path) -> None:
    records = launched(1, "aten::mm", 0, "mystery", 40, 5) + launched(2, "mystery", 50, "a norm kernel", 80, 7)
    records += [work("cuda_runtime", "cudaMemsetAsync", 2, 1, correlation=9), work("gpu_memset", "Memset (Memcpy)", 46, 2, pid=0, tid=COPIES, correlation=9)]
    assert spent(break_down(read_kineto(write_records(tmp_path, records)), classify)) == {"linear": 5, "norm": 7, "memory": 2}


def test_host_operators_by_self_time(tmp_path: Path) -> None:
    records = [
        work("cpu_op", "aten::linear", 0, 30), work("cpu_op", "aten::addmm", 5, 20), work("cpu_op", "aten::norm", 40, 10),
        work("user_annotation", "step", 0, 90), work("cpu_op", "aten::mm", 0, 10, tid=MAIN + 1),
    ]  # fmt: skip
    found = break_down(read_kineto(write_records(tmp_path, records)), classify)
    assert not found.on_device
    assert spent(found) == {"unknown": 10, "linear": 30, "norm": 10}
    assert found.idle_s == pytest.approx(10e-6)  # between 30 and 40 on the first thread
    assert found.streams == ()
    assert HOST == MAIN

"""Records in torch.profiler's documented layout, written by hand: no GPU was at hand to record them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HOST, MAIN, AUTOGRAD, STREAM, COPIES = 100, 100, 101, 7, 20


def work(category: str, name: str, ts: float, dur: float, *, pid: Any = HOST, tid: Any = MAIN, **args: Any) -> dict[str, Any]:
    return {"ph": "X", "cat": category, "name": name, "pid": pid, "tid": tid, "ts": ts, "dur": dur, "args": args}


def launched(number: int, op: str, ts: float, kernel: str, at: float, dur: float, **more: Any) -> list[dict[str, Any]]:
    """An operator of 20 µs, the launch in it (5 µs in), and its kernel, tied by correlation and external ids as torch.profiler does."""
    external = {"External id": number}
    thread = {"tid": more.pop("tid", MAIN)}
    return [
        work("cpu_op", op, ts, 20, **external, **thread, **more),
        work("cuda_runtime", "cudaLaunchKernel", ts + 5, 3, **external, **thread, correlation=number + 1000),
        work("kernel", kernel, at, dur, pid=0, tid=STREAM, **external, correlation=number + 1000, device=0, stream=7),
    ]


def gpu_trace() -> list[dict[str, Any]]:
    """Two modules forward, a copy on another stream, and a backward operator on autograd's thread; microseconds."""
    return [
        {"ph": "M", "name": "process_name", "pid": 0, "tid": 0, "args": {"name": "python"}},
        {"ph": "M", "name": "thread_name", "pid": 0, "tid": STREAM, "args": {"name": "stream 7"}},
        {"ph": "M", "name": "thread_name", "pid": 0, "tid": COPIES, "args": {"name": "stream 20"}},
        work("user_annotation", "module:", 0, 200),
        work("user_annotation", "module:attn.proj", 10, 40),
        work("cpu_op", "aten::linear", 12, 30, **{"External id": 1, "Sequence number": 5, "Fwd thread id": 0}),
        *launched(2, "aten::addmm", 15, "ampere_fp16_s1688gemm_fp16_128x128", 30, 50, **{"Sequence number": 5, "Fwd thread id": 0}),
        work("user_annotation", "module:norm", 60, 60),
        *launched(3, "aten::native_layer_norm", 70, "void vectorized_layer_norm_kernel<float>", 100, 10),
        # waits 40 µs, of which the first 35 µs (110 to 145) because its launch only comes then
        *launched(4, "aten::gelu", 140, "void at::native::vectorized_elementwise_kernel<4, GeluCUDAKernel>", 150, 20),
        work("cpu_op", "aten::copy_", 160, 20, **{"External id": 5}),
        work("cuda_runtime", "cudaMemcpyAsync", 165, 3, **{"External id": 5}, correlation=1005),
        work("gpu_memcpy", "Memcpy HtoD (Pinned -> Device)", 168, 12, pid=0, tid=COPIES, **{"External id": 5}, correlation=1005),
        work("cpu_op", "autograd::engine::evaluate_function: AddmmBackward0", 210, 40, tid=AUTOGRAD, **{"Sequence number": 5, "Fwd thread id": 1}),
        *launched(6, "aten::mm", 215, "ampere_sgemm_128x64_nn", 230, 30, tid=AUTOGRAD),
        work("gpu_user_annotation", "module:norm", 100, 70, pid=0, tid=STREAM),
        work("Trace", "PyTorch Profiler (0)", 0, 300, pid="Spans", tid="PyTorch Profiler"),
    ]  # fmt: skip


def write_records(folder: Path, records: list[dict[str, Any]]) -> Path:
    path = folder / "trace.json"
    path.write_text(json.dumps({"schemaVersion": 1, "deviceProperties": [{"id": 0, "name": "by hand"}], "traceEvents": records}, indent=1))
    return path

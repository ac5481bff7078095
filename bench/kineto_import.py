"""Reading a trace of torch.profiler: at most 1.5 times the file's size in memory (2 is the limit), and five times as fast as json.load.

A file in the profiler's own layout is written first: steps of operators with shapes, launches, kernels with correlation ids and arrows, Python calls
around them. Each side reads it in a process of its own, in turns; the peak is that process's, less what it held before reading. Where
HolisticTraceAnalysis is at hand (`--hta PYTHON`, a Python that has it), its reader goes along, and must count the same kernels.

    python bench/kineto_import.py [--mb 256] [--hta PYTHON]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _claim import report, spread

LIMIT_MEMORY, LIMIT_SPEED, REPEATS = 1.5, 5.0, 3

READERS = {
    "thrifty": "from thrifty.timeline.kineto.reading import read_kineto\nt = read_kineto(path)\nkernels = t.categories()['kernel']",
    "thrifty, no Numba": "from thrifty.timeline.kineto.reading import read_kineto\nt = read_kineto(path, compiled=False)\nkernels = t.categories()['kernel']",
    "json.load": "t = json.load(open(path, 'rb'))\nkernels = sum(e.get('cat') == 'kernel' for e in t['traceEvents'])",
    "thrifty, profile": "from thrifty.measure.traced import profile_of_trace\nt = profile_of_trace(path)\n"
    "kernels = sum(k.calls for k in t.by_kernel if not k.name.startswith('Mem'))",
}
HTA = (
    "import logging\nlogging.disable(logging.CRITICAL)\nt = Trace(trace_files={0: path})\nt.parse_traces(use_multiprocessing=False)\nframe = t.get_trace(0)\n"
    "kernels = int((frame['cat'] == t.symbol_table.get_sym_id_map()['kernel']).sum())"
)
AROUND = """
import json, resource, sys, time
path = sys.argv[1]
{warm}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.perf_counter()
{read}
seconds = time.perf_counter() - start
print(json.dumps({{"seconds": seconds, "peak_bytes": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024, "kernels": kernels}}))
"""
WARM = {  # what is loaded once, not for each trace
    "thrifty": "import thrifty.timeline.kineto.reading, thrifty.timeline.kineto.scanning",
    "thrifty, no Numba": "import thrifty.timeline.kineto.reading",
    "thrifty, profile": "import thrifty.measure.traced, thrifty.timeline.kineto.scanning",
    "json.load": "",
    "hta": "from hta.common.trace import Trace",
}


def event(cat: str, name: str, pid: int, tid: int, ts: float, dur: float, args: str) -> str:
    return (
        f'  {{\n    "ph": "X",\n    "cat": "{cat}",\n    "name": "{name}",\n    "pid": {pid},\n    "tid": {tid},\n    "ts": {ts:.3f},\n'
        f'    "dur": {dur:.3f}\n    ,\n    "args": {{\n      {args}\n    }}\n  }},\n'
    )


def write_trace(path: Path, size: int) -> None:
    """Steps of a few operators until the file has `size` bytes."""
    operators = [("aten::addmm", "sm80_xmma_gemm_f16f16_f16f32_f32_tn_n_tilesize128x128x32"), ("aten::native_layer_norm", "vectorized_layer_norm_kernel"),
                 ("aten::_scaled_dot_product_flash_attention", "flash_fwd_kernel"), ("aten::gelu", "vectorized_elementwise_kernel"),
                 ("aten::cudnn_convolution", "implicit_gemm_fprop"), ("aten::copy_", "unrolled_elementwise_kernel")]  # fmt: skip
    shapes = '"Input Strides": [[4096, 1], [1, 4096], []], "Input Dims": [[4096], [512, 4096], [4096, 4096]], "Ev Idx": '
    now, number = 4709263055220.708, 0
    with path.open("w") as file:
        file.write('{\n  "schemaVersion": 1,\n  "deviceProperties": [{"id": 0, "name": "bench"}],\n  "traceEvents": [\n')
        while file.tell() < size:
            for name, kernel in operators:
                number += 1
                calls = '"Python parent id": 1, "Python id": 2, "Ev Idx": 3'
                file.write(event("python_function", f"torch/nn/functional.py({number % 97}): forward", 4283, 4283, now, 30.5, calls))
                args = f'"External id": {number},"Record function id": 0, "Sequence number": {number}, "Fwd thread id": 0, {shapes}{number}'
                file.write(event("cpu_op", name, 4283, 4283, now + 1, 25.25, args))
                args = f'"External id": {number},"cbid": 211, "correlation": {number}'
                file.write(event("cuda_runtime", "cudaLaunchKernel", 4283, 4283, now + 8, 4.125, args))
                args = (
                    f'"External id": {number},"queued": 0, "device": 0, "context": 1, "stream": 7, "correlation": {number}, "registers per thread": 128, '
                    '"shared memory": 49152, "blocks per SM": 1.5, "warps per SM": 12.0, "grid": [128, 4, 1], "block": [256, 1, 1]'
                )
                file.write(event("kernel", kernel, 0, 7, now + 40, 22.5, args))
                for letter, pid, tid, at in (("s", 4283, 4283, now + 8), ("f", 0, 7, now + 40)):
                    file.write(
                        f'  {{\n    "ph": "{letter}", "id": {number}, "pid": {pid}, "tid": {tid}, "ts": {at:.3f},\n'
                        f'    "cat": "ac2g", "name": "ac2g", "bp": "e"\n  }},\n'
                    )
                now += 31.0
        file.write('  {"ph": "M", "name": "process_name", "pid": 0, "tid": 0, "ts": 0, "args": {"name": "python"}}\n  ], "traceName": "bench"\n}\n')


def one(python: str, side: str, code: str, path: Path) -> dict[str, Any]:
    script = AROUND.format(warm=WARM[side], read=code)
    done = subprocess.run([python, "-c", script, str(path)], capture_output=True, text=True, check=True, env={**os.environ, "KINETO_LOG_LEVEL": "99"})
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


parser = argparse.ArgumentParser()
parser.add_argument("--mb", type=int, default=256)
parser.add_argument("--hta", metavar="PYTHON")
arguments = parser.parse_args()
sides = {name: (sys.executable, code) for name, code in READERS.items()}
if arguments.hta:
    sides["hta"] = (arguments.hta, HTA)
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "trace.json"
    write_trace(path, arguments.mb << 20)
    size = path.stat().st_size
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for turn in range(REPEATS + 1):
        for name, (python, code) in sides.items():
            found = one(python, name, code, path)
            if turn:
                runs[name].append(found)
seconds = {name: spread([run["seconds"] for run in each]) for name, each in runs.items()}
memory = {name: max(run["peak_bytes"] for run in each) / size for name, each in runs.items()}
kernels = {run["kernels"] for each in runs.values() for run in each}
for name in sides:
    print(f"{name:18} {seconds[name]['median']:7.2f} s  {size / seconds[name]['median'] / 1e6:7.0f} MB/s  peak {memory[name]:5.2f} × the file")
faster = seconds["json.load"]["median"] / seconds["thrifty"]["median"]
holds = len(kernels) == 1 and memory["thrifty"] <= LIMIT_MEMORY and memory["thrifty, profile"] <= LIMIT_MEMORY and faster >= LIMIT_SPEED
result = {"file_bytes": size, "seconds": seconds, "peak_over_file": memory, "times_faster_than_json": faster, "kernels": sorted(kernels)}
report(f"read_kineto: peak <= {LIMIT_MEMORY} x file, >= {LIMIT_SPEED} x as fast as json.load", holds, result, "numpy", "numba")

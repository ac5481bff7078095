"""Profiles a call with torch.profiler, so that a device's kernels are tied to operators and modules.

On a GPU work runs behind the host's back: a clock around an operator sees its launch, not its kernel. Kineto records both and the id that ties them;
each module call opens a range named by its path, so that whatever it launches is known to be its own. The profiler's file goes through the same
reader as anybody's.

What it costs: every operator call is recorded, and every module call opens a range, so the host's part is slower than in a plain run. Kernels' own
times are not.
"""

from __future__ import annotations

import contextlib
import dataclasses
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import torch

import thrifty.measure  # its settings quieten the profiler
from thrifty.errors import BadValue
from thrifty.measure.traced import TraceProfile, profile_of
from thrifty.timeline.kineto.links import MODULE_RANGE
from thrifty.timeline.kineto.reading import read_kineto

DEVICES: Final = ("cpu", "cuda")
assert thrifty.measure is not None


@contextlib.contextmanager
def module_ranges(module: torch.nn.Module) -> Iterator[None]:
    """Every call of a submodule opens a range of the profiler, named "module:" and its path; hooks are removed and ranges closed whatever happens."""
    open_ranges: list[torch.autograd.profiler.record_function] = []
    handles = []

    def opening(path: str) -> Callable[[torch.nn.Module, Any], None]:
        def enter(_module: torch.nn.Module, _inputs: Any) -> None:
            opened = torch.autograd.profiler.record_function(MODULE_RANGE + path)
            opened.__enter__()
            open_ranges.append(opened)

        return enter

    def leave(_module: torch.nn.Module, _inputs: Any, _output: Any) -> None:
        if open_ranges:
            open_ranges.pop().__exit__(None, None, None)

    try:
        for path, each in module.named_modules():
            handles.append(each.register_forward_pre_hook(opening(path), prepend=True))
            handles.append(each.register_forward_hook(leave, always_call=True))
        yield
    finally:
        for handle in handles:
            handle.remove()
        while open_ranges:
            open_ranges.pop().__exit__(None, None, None)


def check_profiled(device: str) -> None:
    """Raise BadValue for a device that cannot be profiled: none of `DEVICES`, or "cuda" where torch finds none."""
    if device not in DEVICES:
        raise BadValue(f"device='{device}' cannot be profiled here. Choose cuda or cpu.")
    if device == "cuda" and not torch.cuda.is_available():
        raise BadValue("device='cuda' needs a CUDA device, and torch finds none. Choose device='cpu'.")


def profile_cuda(
    call: Callable[[], object], module: torch.nn.Module, *, device: str = "cuda", warmup: int = 1, repeat: int = 1, keep: str | Path | None = None
) -> TraceProfile:  # fmt: skip
    """Run `call`, which runs `module`, under torch.profiler and say where the time of its kernels went.

    device : "cuda", or "cpu" for the same account of operators on this host
    warmup : calls before the profiled ones; repeat: profiled calls, whose times add up
    keep   : where to leave the trace, for a viewer; a temporary file otherwise
    Raises BadValue where there is no such device, BadFile where the profiler wrote nothing that can be read; whatever `call` raises passes through.
    """
    check_profiled(device)
    if repeat < 1 or warmup < 0:
        raise BadValue(f"repeat={repeat}, warmup={warmup}: there is nothing to profile. Choose repeat of 1 or more, warmup of 0 or more.")
    activities = [torch.profiler.ProfilerActivity.CPU]
    if device == "cuda":
        activities.append(torch.profiler.ProfilerActivity.CUDA)
    for _ in range(warmup):
        call()
    _wait(device)
    with tempfile.TemporaryDirectory(prefix="thrifty-") as folder:
        source = f"{type(module).__name__} on {device}" if keep is None else str(keep)
        path = Path(keep) if keep is not None else Path(folder) / "trace.json"
        with module_ranges(module), torch.profiler.profile(activities=activities) as profiler:
            for _ in range(repeat):
                call()
            _wait(device)
        profiler.export_chrome_trace(str(path))
        return dataclasses.replace(profile_of(read_kineto(path)), source=source)


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()

"""Memory of a real run: the peak of torch's allocator above what was there, and the process's resident set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from thrifty.workload.tracing import caches


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryUse:
    """resident_bytes: parameters, buffers, optimizer state and inputs, shared ones once; allocator_bytes: the most that torch held beyond what
    it held before the call; rss_bytes: of the process after it."""

    resident_bytes: int
    allocator_bytes: int
    rss_bytes: int

    @property
    def peak_memory_bytes(self) -> int:
        """Resident weights plus the peak of torch's allocator."""
        return self.resident_bytes + self.allocator_bytes


def resident_bytes(module: torch.nn.Module, optimizer: torch.optim.Optimizer | None = None, inputs: Mapping[str, Any] | None = None) -> int:
    """Bytes of parameters, buffers, optimizer state and inputs (caches among them), each storage once."""
    seen: dict[int, int] = {}
    state = [v for values in (optimizer.state.values() if optimizer else ()) for v in values.values()]
    fed = list((inputs or {}).values())
    for tensor in (*module.parameters(), *module.buffers(), *state, *fed, *caches(fed)):
        if not isinstance(tensor, torch.Tensor):
            continue
        storage = tensor.untyped_storage()
        seen[storage._cdata] = storage.nbytes()
    return sum(seen.values())


def rss_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def measure_memory(
    call: Callable[[], object], module: torch.nn.Module, *, optimizer: torch.optim.Optimizer | None = None, inputs: Mapping[str, Any] | None = None
) -> MemoryUse:  # fmt: skip
    """Run `call()` once under torch's memory profiler (on CUDA: its allocator's own statistics)."""
    weight = next(module.parameters(), None)
    if weight is not None and weight.device.type == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        torch.cuda.synchronize()
        peak = torch.cuda.max_memory_allocated() - before
    else:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
            result = call()
        # Deltas in the order in which they happened; the result is held until here, so that freeing it does not hide the peak.
        changes = sorted((e.start_ns(), e.nbytes()) for e in profile.profiler.kineto_results.events() if e.name() == "[memory]")
        level = peak = 0
        for _, change in changes:
            level += change
            peak = max(peak, level)
        del result
    return MemoryUse(resident_bytes=resident_bytes(module, optimizer, inputs), allocator_bytes=peak, rss_bytes=rss_bytes())

"""Who launched what: from a kernel to the call that launched it, from there to its operator, and from an operator to its module.

- A kernel carries the correlation id of the runtime call that launched it (cudaLaunchKernel, cudaGraphLaunch, cudaMemcpyAsync, …); where it has none, an
  arrow of the trace ("ac2g") leads back to that call. The operator is the innermost one around the call, else the one with the kernel's "External id".
- The module is the innermost range around the operator that is named "module:<path>" (as `thrifty.measure` writes them); in traces without such ranges, the
  calls that torch.profiler names "nn.Module: <class>_<number>", joined from the outermost on. A backward operator has the module of the forward operator
  with its sequence number.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from thrifty.timeline.kineto.nesting import Ints, Nesting, nest
from thrifty.timeline.kineto.reading import KinetoTrace

OPERATORS: Final = ("cpu_op", "operator")
LAUNCHES: Final = ("cuda_runtime", "cuda_driver", "runtime", "hip_runtime", "xpu_runtime", "mtia_runtime", "privateuse1_runtime", "privateuse1_driver")
COPIES: Final = ("gpu_memcpy", "gpu_memset", "memcpy", "memset")
DEVICE_WORK: Final = ("kernel", "concurrent_kernel", *COPIES)
RANGES: Final = ("user_annotation", "python_function")
ASIDE: Final = ("trace", "gpu_user_annotation", "overhead", "cpu_instant_event", "cuda_sync")
"""What covers other events or waits; never work of its own."""
MODULE_RANGE: Final = "module:"
MODULE_CALL: Final = "nn.Module: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """(E,) each, -1 for none.

    operator : rows that are operators: in a trace that has neither operators nor kernels, all work
    device   : rows that are work of a device
    launch   : of a device's row, the runtime call that launched it
    op       : of any row, its operator: the row itself, the innermost around it, or the one that launched it
    module   : of any row, index into `modules`, paths of the modules seen
    """

    nesting: Nesting = field(repr=False)
    operator: npt.NDArray[np.bool_] = field(repr=False)
    device: npt.NDArray[np.bool_] = field(repr=False)
    launch: Ints = field(repr=False)
    op: Ints = field(repr=False)
    module: Ints = field(repr=False)
    modules: tuple[str, ...]


def link(trace: KinetoTrace) -> Links:
    """Link every event of `trace` to its launch, operator and module."""
    device = trace.in_categories(DEVICE_WORK)
    operator = trace.in_categories(OPERATORS)
    aside = trace.in_categories(ASIDE)
    if not device.any() and not operator.any():
        operator = ~(trace.in_categories((*RANGES, *LAUNCHES)) | aside)
    nesting = nest(trace.events, ~(device | aside))
    launch = _launches(trace, device, nesting)
    op = nesting.nearest(operator)
    launched = launch >= 0
    op[launched] = op[launch[launched]]
    _by_external_id(trace, device, operator, op)
    module, modules = _modules(trace, nesting, operator)
    adopt = (module < 0) & (op >= 0)
    module[adopt] = module[op[adopt]]
    adopt = (module < 0) & launched
    module[adopt] = module[launch[adopt]]
    return Links(nesting=nesting, operator=operator, device=device, launch=launch, op=op, module=module, modules=modules)


def _find(keys: Ints, values: Ints, wanted: Ints) -> Ints:
    """The value of each wanted key (of several, the last given); -1 where it is not among `keys`."""
    if not len(keys):
        return np.full(len(wanted), -1, dtype=np.int64)
    order = np.argsort(keys, kind="stable")
    at = np.searchsorted(keys[order], wanted, side="right") - 1
    hit = (at >= 0) & (keys[order][np.maximum(at, 0)] == wanted)
    return np.where(hit, values[order][np.maximum(at, 0)], -1)


def _launches(trace: KinetoTrace, device: npt.NDArray[np.bool_], nesting: Nesting) -> Ints:
    events = trace.events
    result = np.full(len(events), -1, dtype=np.int64)
    work = np.flatnonzero(device)
    calls = np.flatnonzero(trace.in_categories(LAUNCHES) & (events["correlation"] >= 0))
    result[work] = _find(events["correlation"][calls], calls, np.where(events["correlation"][work] >= 0, events["correlation"][work], -2))
    left = work[result[work] < 0]
    if not len(left) or not len(trace.flows):
        return result
    ends = {(int(f["lane"]), int(f["at_ns"])): int(f["id"]) for f in trace.flows[~trace.flows["begins"]]}
    begins = {int(f["id"]): (int(f["lane"]), int(f["at_ns"])) for f in trace.flows[trace.flows["begins"]]}
    host = np.flatnonzero(~device)
    host = host[np.lexsort((events["start_ns"][host], events["lane"][host]))]
    for row in left:
        begun = begins.get(ends.get((int(events["lane"][row]), int(events["start_ns"][row])), -1))
        if begun is not None:
            result[row] = _innermost(trace, nesting, host, *begun)
    return result


def _innermost(trace: KinetoTrace, nesting: Nesting, host: Ints, lane: int, at_ns: int) -> int:
    """The innermost host row of `lane` that runs at a time; `host` is sorted by lane and start."""
    lanes = trace.events["lane"][host]
    low, high = np.searchsorted(lanes, lane, side="left"), np.searchsorted(lanes, lane, side="right")
    at = low + np.searchsorted(trace.events["start_ns"][host[low:high]], at_ns, side="right") - 1
    row = int(host[at]) if at >= low else -1
    while row >= 0 and trace.end_ns[row] < at_ns:
        row = int(nesting.parent[row])
    return row


def _by_external_id(trace: KinetoTrace, device: npt.NDArray[np.bool_], operator: npt.NDArray[np.bool_], op: Ints) -> None:
    """Device rows that no operator was found for by their launch."""
    external = trace.events["external"]
    known = np.flatnonzero(operator & (external >= 0))
    left = np.flatnonzero(device & (op < 0) & (external >= 0))
    op[left] = _find(external[known], known, external[left])


def _named(trace: KinetoTrace, prefix: str) -> npt.NDArray[np.bool_]:
    """(E,) host ranges whose name begins so."""
    begins = np.array([each.startswith(prefix) for each in trace.strings], dtype=bool)
    return np.asarray(begins[trace.events["name"]] & ~trace.in_categories(ASIDE))


def _modules(trace: KinetoTrace, nesting: Nesting, operator: npt.NDArray[np.bool_]) -> tuple[Ints, tuple[str, ...]]:
    """(E,) module of every host row, and the modules' paths."""
    names = trace.events["name"]
    prefix = MODULE_RANGE
    marks = _named(trace, prefix)
    if not marks.any():
        prefix = MODULE_CALL
        marks = _named(trace, prefix)
    paths: dict[str, int] = {}
    of_mark = np.full(len(names) + 1, -1, dtype=np.int64)  # its last element answers for -1
    if marks.any():
        nearest = nesting.nearest(marks)
        text = [""] * len(paths)
        rows = np.flatnonzero(marks)
        for row in rows[np.argsort(nesting.depth[rows], kind="stable")]:
            above = int(nesting.parent[row])
            around = int(of_mark[nearest[above]]) if above >= 0 else -1
            own = trace.strings[int(names[row])][len(prefix) :]
            path = f"{text[around]}.{own}" if prefix == MODULE_CALL and around >= 0 else own
            of_mark[row] = paths.setdefault(path, len(paths))
            if len(text) < len(paths):
                text.append(path)
        module = of_mark[nearest]
        _backward(trace, nesting, operator, module)
    else:
        module = of_mark[:-1]
    return module, tuple(paths)


def _backward(trace: KinetoTrace, nesting: Nesting, operator: npt.NDArray[np.bool_], module: Ints) -> None:
    """Give operators of the backward pass the module of the forward operator that they belong to: the last to start with their sequence number."""
    sequence, thread = trace.events["sequence"], trace.events["forward_thread"]
    numbered = operator & (sequence >= 0)
    forward = np.flatnonzero(numbered & (thread <= 0))
    forward = forward[np.argsort(trace.events["start_ns"][forward], kind="stable")]
    owner = nesting.nearest(numbered & (thread > 0))
    left = np.flatnonzero((module < 0) & (owner >= 0))
    if len(left) and len(forward):
        source = _find(sequence[forward], forward, sequence[owner[left]])
        module[left] = np.where(source >= 0, module[np.maximum(source, 0)], -1)

"""Other people's FLOP counters, each behind one function from (module, inputs) to the number that it states. Imported where torch is at hand.

None is needed by thrifty: whichever is installed is run, alone and contained. Counters of this kind replace torch's functions while they run and leave them
replaced when they fail, print to the terminal, change modules and draw random numbers; `contained` undoes all of that.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import importlib.util
import io
import math
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

import torch

from thrifty.workload.building.wording import first_line

Counter = Callable[[torch.nn.Module, tuple[torch.Tensor, ...]], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """A counter.

    package  : what is imported; distribution: what is installed
    unit     : of the number that it states
    counts   : what goes into it, for the reader of a table
    """

    name: str
    package: str
    distribution: str
    unit: Literal["MAC", "FLOP"]
    counts: str
    count: Counter

    @property
    def version(self) -> str | None:
        """The installed version, None where it is absent."""
        if importlib.util.find_spec(self.package) is None:
            return None
        try:
            return importlib.metadata.version(self.distribution)
        except importlib.metadata.PackageNotFoundError:
            return "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one run of a counter: `flops` (2 a multiply-add, None where it failed) and the reason of a failure in one line."""

    flops: float | None
    failure: str
    seconds: float


class Plain(torch.nn.Module):  # type: ignore[misc]
    """A module as counters want it: tensors in by position, one tensor out."""

    def __init__(self, module: torch.nn.Module, inputs: dict[str, Any]) -> None:
        super().__init__()
        self.module, self._inputs = module, inputs

    def tensors(self) -> tuple[torch.Tensor, ...]:
        return tuple(_leaves(self._inputs))

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        return self.run(tensors)

    def run(self, tensors: tuple[torch.Tensor, ...]) -> torch.Tensor:
        given = iter(tensors)
        result = self.module(**{name: _replaced(value, given) for name, value in self._inputs.items()})
        return result if isinstance(result, torch.Tensor) else result[0]


class PlainOfOne(Plain):
    """A symbolic tracer reads the names of the inputs off `forward`, so each number of them has its own."""

    def forward(self, a: torch.Tensor) -> torch.Tensor:
        return self.run((a,))


class PlainOfTwo(Plain):
    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return self.run((a, b))


class PlainOfThree(Plain):
    def forward(self, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return self.run((a, b, c))


def plain(module: torch.nn.Module, inputs: dict[str, Any]) -> Plain:
    """`module` behind positional tensors, those of `inputs`."""
    count = sum(1 for _ in _leaves(inputs))
    return {1: PlainOfOne, 2: PlainOfTwo, 3: PlainOfThree}.get(count, Plain)(module, inputs)


def _leaves(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _leaves(each)


def _replaced(value: Any, given: Iterator[torch.Tensor]) -> Any:
    if isinstance(value, torch.Tensor):
        return next(given)
    return {name: _replaced(each, given) for name, each in value.items()} if isinstance(value, dict) else value


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Whatever happens inside leaves torch's functions, random numbers and the terminal as they were."""
    places: tuple[Any, ...] = (torch, torch.nn.functional, torch.Tensor, torch.nn.Module)
    before = [dict(vars(place)) for place in places]
    sink = io.StringIO()
    try:
        with contextlib.redirect_stdout(sink), contextlib.redirect_stderr(sink), warnings.catch_warnings(), torch.random.fork_rng(devices=()), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        for place, names in zip(places, before, strict=True):
            for name, value in dict(vars(place)).items():
                if name in names and names[name] is not value:
                    setattr(place, name, names[name])
                elif name not in names and any(name in vars(base) for base in getattr(place, "__mro__", ())[1:]):
                    delattr(place, name)  # it hid what the class inherits; what a module gained is a submodule that was imported


def run_contained(peer: Peer, module: Plain) -> Outcome:
    """One run of `peer` on a module that nothing else uses. Imports of its package are part of it: some fail, some print."""
    start = time.perf_counter()
    failure, stated = "", math.nan
    try:
        with contained():
            stated = float(peer.count(module, module.tensors()))
    except (Exception, SystemExit) as error:  # whatever a counter raises
        failure = textwrap.shorten(f"{type(error).__name__}: {first_line(error)}", 120, placeholder=" …")
    seconds = time.perf_counter() - start
    if not failure and not (math.isfinite(stated) and stated >= 0):
        failure = f"stated {stated}, which is no number of operations"
    return Outcome(flops=None if failure else stated * (2 if peer.unit == "MAC" else 1), failure=failure, seconds=seconds)


def _package(name: str) -> Any:
    return importlib.import_module(name)


def _thrifty(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> float:
    from thrifty.workload.tracing import capture

    return capture(module, *tensors).table.totals()["flops_matrix"]


def _flop_counter_mode(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> float:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as mode:
        module(*tensors)
    return float(mode.get_total_flops())


def _torchinfo(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> float:
    return float(_package("torchinfo").summary(module, input_data=list(tensors), device=tensors[0].device, verbose=0).total_mult_adds)


def _calflops(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> float:
    count = _package("calflops").calculate_flops
    _, macs, _ = count(module, args=list(tensors), print_results=False, print_detailed=False, output_as_string=False)
    return float(macs)


def _ptflops(backend: str) -> Counter:
    def count(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> float:
        class Named(torch.nn.Module):  # type: ignore[misc]
            """It takes its inputs by keyword only."""

            def __init__(self) -> None:
                super().__init__()
                self.module = module

            def forward(self, **inputs: torch.Tensor) -> Any:
                return self.module(*inputs.values())

        macs, _ = _package("ptflops").get_model_complexity_info(
            Named(), (1,), input_constructor=lambda _: {f"input_{i}": tensor for i, tensor in enumerate(tensors)}, as_strings=False,
            print_per_layer_stat=False, verbose=False, backend=backend,
        )  # fmt: skip
        return math.nan if macs is None else float(macs)

    return count


def _fvcore(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> float:
    analysis = _package("fvcore.nn").FlopCountAnalysis(module, tensors)
    return float(analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total())


def _thop(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> float:
    return float(_package("thop").profile(module, inputs=tensors, verbose=False)[0])


def _torchprofile(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> float:
    return float(_package("torchprofile").profile_macs(module, tensors))


def _torch_flops(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> float:
    graph = _package("torch_flops").TorchFLOPsByFX(module)
    graph.propagate(*tensors)
    return float(graph.print_total_flops(show=False))


def _flops_profiler(module: torch.nn.Module, tensors: tuple[torch.Tensor, ...]) -> float:
    count = _package("flops_profiler.profiler").get_model_profile
    _, macs, _ = count(module, args=list(tensors), print_profile=False, detailed=False, as_string=False, warm_up=0)
    return float(macs)


PEERS: Final = (
    Peer(name="thrifty capture", package="thrifty", distribution="thrifty", unit="FLOP", count=_thrifty,
         counts="products, convolutions and attention at dispatch; vector FLOPs in a column of their own"),
    Peer(name="FlopCounterMode", package="torch", distribution="torch", unit="FLOP", count=_flop_counter_mode,
         counts="products, convolutions and attention at dispatch; no rule for fused attention on a CPU"),
    Peer(name="ptflops (aten)", package="ptflops", distribution="ptflops", unit="MAC", count=_ptflops("aten"),
         counts="products, convolutions and some vector operators, at dispatch"),
    Peer(name="ptflops (pytorch)", package="ptflops", distribution="ptflops", unit="MAC", count=_ptflops("pytorch"),
         counts="modules and patched functions, norms as MACs; on meta also those that torch's own Python kernels call"),
    Peer(name="flops-profiler (DeepSpeed)", package="flops_profiler", distribution="flops-profiler", unit="MAC", count=_flops_profiler,
         counts="patched functions; on meta also those that torch's own Python kernels call (softmax, norms, additions)"),
    Peer(name="calflops", package="calflops", distribution="calflops", unit="MAC", count=_calflops, counts="patched functions, without fused attention"),
    Peer(name="thop", package="thop", distribution="thop", unit="MAC", count=_thop, counts="modules with weights, norms too; no attention"),
    Peer(name="fvcore", package="fvcore", distribution="fvcore", unit="MAC", count=_fvcore, counts="a traced graph, norms too; no fused attention"),
    Peer(name="torchprofile", package="torchprofile", distribution="torchprofile", unit="MAC", count=_torchprofile, counts="a traced graph, norms too"),
    Peer(name="torchinfo", package="torchinfo", distribution="torchinfo", unit="MAC", count=_torchinfo,
         counts="modules with weights; a linear layer once a sample, however long its sequence"),
    Peer(name="torch-flops", package="torch_flops", distribution="torch-flops", unit="FLOP", count=_torch_flops,
         counts="a symbolic graph (torch.fx), run on CUDA only"),
)  # fmt: skip

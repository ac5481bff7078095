"""A real kernel against golden and against what is said of it: PyTorch's attention on this CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats import float_spec, round_to
from thrifty.lenses.numerics.deviations import Deviation, deviation
from thrifty.lenses.numerics.deviations.ulps import ulp_distance
from thrifty.lenses.numerics.inputs import draw
from thrifty.lenses.numerics.laboratory import attend, golden
from thrifty.lenses.numerics.policy import Policy, Rule, as_policy
from thrifty.lenses.numerics.sdpa.emulating import BLOCK_K, emulate_flash
from thrifty.lenses.numerics.sdpa.probing import Exponential, probe_exponential
from thrifty.lenses.numerics.sdpa.running import run_path, torch_module, vector_lanes

if TYPE_CHECKING:
    from thrifty.report import Block, Section

Floats = npt.NDArray[np.float64]
BLOCKS: Final = (128, 256, 512, 1024)
MATH: Final = Policy(name="sdpa_math", sites={"*": Rule(format="fp32"), "in": Rule(), "o.store": Rule()})
"""PyTorch's math path on CPUs: inputs widened, everything in FP32, the output rounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """An emulation beside a path: share of elements that are bit-equal, the largest distance where they are not, and its own deviation from golden."""

    path: str
    emulation: str
    equal: float
    ulps: int
    max: float
    rmse: float

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class RealKernelFinding:
    """PyTorch's flash path (optimised) and math path (baseline) against golden, and emulations against each.

    blocks : keys of a tile tried in the emulation of the flash path → share of bit-equal elements: the largest shows the kernel's own
    exponential : of the flash path, by probes; None where it was not asked for
    """

    settings: Mapping[str, Any]
    deviation: Deviation
    emulations: tuple[Likeness, ...]
    blocks: Mapping[int, float]
    exponential: Exponential | None

    def likeness(self, path: str) -> Likeness:
        """The emulation nearest to a path."""
        return max((each for each in self.emulations if each.path == path), key=lambda each: each.equal)

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.settings, "deviation": self.deviation.to_dict(), "emulations": [each.to_dict() for each in self.emulations],
            "blocks": {str(block): equal for block, equal in self.blocks.items()},
            "exponential": None if self.exponential is None else self.exponential.to_dict(),
        }  # fmt: skip

    def sections(self) -> Sequence[Section]:
        from thrifty.lenses.numerics.pages.sdpa import sections_of

        return sections_of(self)

    def brief(self) -> Sequence[Block]:
        from thrifty.lenses.numerics.pages.sdpa import brief_of

        return brief_of(self)


def real_kernel(
    *, format: str = "bf16", seq: int = 1024, head_dim: int = 64, heads: int = 1, inputs: str = "uniform", seed: int = 0, probe: bool = True,
) -> RealKernelFinding:  # fmt: skip
    """PyTorch's flash and math attention on this CPU, run on drawn inputs, against golden and against emulations of each. Nothing but outputs is looked at.

    probe : also find the flash path's exponential (BF16 only)

    Raises MissingExtra without torch; BadValue, UnknownName.
    """
    torch = torch_module()
    drawn = draw(inputs, seq=seq, head_dim=head_dim, heads=heads, seed=seed)
    q, k, v = (np.asarray(round_to(x, format), dtype=np.float64) for x in (drawn.q, drawn.k, drawn.v))
    best = np.asarray(golden(q, k, v, format=format))
    paths = {path: run_path(path, q, k, v, format) for path in ("flash", "math")}
    found = exponential(format, probe)
    cubic = found.is_cubic if found is not None else float_spec(format).name == "bf16"
    lanes = vector_lanes()
    title = f"flash 2, {BLOCK_K} keys a tile, FP32 state" + (", cubic e^x" if cubic else "")
    emulated = {
        ("flash", title): emulate_flash(q, k, v, format, lanes=lanes, cubic=cubic),
        ("flash", f"policy sdpa_cpu, {BLOCK_K} keys a tile"): _attend(q, k, v, as_policy("sdpa_cpu"), format, BLOCK_K),
        ("math", "policy sdpa_math: all in FP32"): _attend(q, k, v, MATH, format, None),
        ("math", "policy baseline_eager"): _attend(q, k, v, as_policy("baseline_eager"), format, None),
    }  # fmt: skip
    blocks = {
        block: _equal(paths["flash"], emulated["flash", title] if block == BLOCK_K else emulate_flash(q, k, v, format, block_k=block, lanes=lanes, cubic=cubic))
        for block in BLOCKS if block <= max(seq, BLOCK_K)
    }  # fmt: skip
    return RealKernelFinding(
        settings={
            "torch": str(torch.__version__), "capability": str(torch.backends.cpu.get_cpu_capability()), "format": float_spec(format).name, "seq": seq,
            "head_dim": head_dim, "heads": heads, "inputs": inputs, "seed": seed,
        },
        deviation=deviation(
            paths["flash"], paths["math"], best, format=format, names=("flash path", "math path"), golden_is="FP64 of the inputs as rounded to the format",
        ),
        emulations=tuple(_likeness(path, name, paths[path], made, best, format) for (path, name), made in emulated.items()), blocks=blocks, exponential=found,
    )  # fmt: skip


def exponential(format: str, probe: bool) -> Exponential | None:
    """Probed where that is possible."""
    return probe_exponential(vector_lanes()) if probe and float_spec(format).name == "bf16" else None


def _attend(q: Floats, k: Floats, v: Floats, policy: Policy, format: str, block_k: int | None) -> Floats:
    return np.asarray(attend(q, k, v, policy=policy, format=format, block_k=block_k).out, dtype=np.float64)


def _equal(a: Floats, b: Floats) -> float:
    return float((a == b).mean())


def _likeness(path: str, name: str, real: Floats, made: Floats, best: Floats, format: str) -> Likeness:
    found = deviation(made, None, best, format=format).optimised
    return Likeness(
        path=path, emulation=name, equal=_equal(real, made), ulps=int(ulp_distance(real, made, float_spec(format)).max()), max=found.max, rmse=found.rmse
    )  # fmt: skip

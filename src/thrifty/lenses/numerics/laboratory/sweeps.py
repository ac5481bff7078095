"""The same study over a grid: formats, lengths, tiles, inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from thrifty.errors import BadValue
from thrifty.formats import float_spec
from thrifty.lenses.numerics.inputs import KINDS, draw
from thrifty.lenses.numerics.laboratory.study import Study, study
from thrifty.lenses.numerics.policy import Policy
from thrifty.lenses.numerics.policy.checks import must_know
from thrifty.progress import Progress

AXES: Final[dict[str, tuple[str, ...]]] = {
    "inputs": ("uniform", "normal"), "seq": ("256", "512", "1024", "2048"), "format": ("bf16", "fp16", "fp32", "fp64"),
    "block_k": ("16", "32", "64", "128", "256"),
}  # fmt: skip
"""Axis → its points where none are given; what changes slowest first."""
MOST_POINTS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """axes: their points in order; rows: of every point its places on the axes and the study's measures."""

    axes: Mapping[str, tuple[str, ...]]
    rows: Sequence[Mapping[str, Any]]
    policy: str
    baseline: str

    def to_dict(self) -> dict[str, Any]:
        return {"axes": {name: list(points) for name, points in self.axes.items()}, "policy": self.policy, "baseline": self.baseline,
                "points": [dict(row) for row in self.rows]}  # fmt: skip


def read_axes(text: str) -> dict[str, tuple[str, ...]]:
    """``format,block_k`` or ``format=bf16:fp16,block_k=16:64``. Raises UnknownName, BadValue."""
    found: dict[str, tuple[str, ...]] = {}
    for part in text.split(","):
        name, equals, said = part.strip().partition("=")
        must_know(name, list(AXES), "axis of a sweep")
        points = tuple(point.strip() for point in said.split(":")) if equals else AXES[name]
        if not all(points) or len(set(points)) < len(points) or name in found:
            raise BadValue(f"sweep '{part.strip()}' repeats or leaves out a point. Write {name}={':'.join(AXES[name][:2])}, say.")
        for point in points:
            if name == "inputs":
                must_know(point, list(KINDS), "distribution of inputs")
            elif name == "format":
                float_spec(point)
            elif not point.isascii() or not point.isdigit() or not 1 <= int(point) <= 1 << 20:
                raise BadValue(f"sweep '{part.strip()}': {name}='{point}' must be a whole number of at least 1.")
        found[name] = points
    ordered = {name: found[name] for name in AXES if name in found}
    count = 1
    for points in ordered.values():
        count *= len(points)
    if count > MOST_POINTS:
        raise BadValue(f"sweep '{text}' has {count} points; {MOST_POINTS} are taken at most. Give fewer on some axis.")
    return ordered


def sweep(
    axes: Mapping[str, tuple[str, ...]], *, policy: str | Policy, baseline: str | Policy | None, format: str, seq: int, head_dim: int, heads: int,
    kv_heads: int | None, inputs: str, seed: int, block_k: int | None, progress: Progress, **options: Any,
) -> Sweep:  # fmt: skip
    """Every point of the grid; what no axis names is as given. Golden and the baseline are computed once for all tiles of a point."""
    rows: list[Mapping[str, Any]] = []
    points = list(product(*axes.values()))
    last: tuple[Any, Study] | None = None
    for place, values in enumerate(points):
        at = dict(zip(axes, values, strict=True))
        progress(f"attention: {', '.join(f'{name} {value}' for name, value in at.items())}", place / len(points))
        key = (at.get("inputs", inputs), int(at.get("seq", seq)), at.get("format", format))
        made = draw(key[0], seq=key[1], head_dim=head_dim, heads=heads, kv_heads=kv_heads, seed=seed)
        beside = last[1] if last is not None and last[0] == key else None
        found = study(
            made, policy=policy, baseline=baseline, format=key[2], seed=seed, block_k=int(at["block_k"]) if "block_k" in at else block_k, beside=beside,
            **options,
        )  # fmt: skip
        last = key, found
        said = found.to_dict()
        names = ("max", "mean", "rmse", "bias_ratio", "w1", "ratio_to_baseline", "rmse_ratio", "at_floor", "baseline_at_floor", "rescales_per_row",
                 "repeated_share", "p_underflow_share", "block_k", "tiles")  # fmt: skip
        rows.append({**{name: value if name in ("inputs", "format") else int(value) for name, value in at.items()}, **{name: said[name] for name in names}})
    return Sweep(axes=axes, rows=rows, policy=found.attended.policy.name, baseline=found.baseline.policy.name)

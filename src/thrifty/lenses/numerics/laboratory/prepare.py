"""What comes in, checked and brought to the policy's numbers: shapes, grouped heads, Hadamard rotation, scales, first rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats import float_spec
from thrifty.formats.rounding.arrays import Given, take
from thrifty.lenses.numerics.laboratory.masks import Sight, sight
from thrifty.lenses.numerics.laboratory.rotation import rotate
from thrifty.lenses.numerics.laboratory.steps import Steps
from thrifty.lenses.numerics.laboratory.tiles import Tile, block_sizes, splits_of
from thrifty.lenses.numerics.policy import Policy, as_policy

Floats = npt.NDArray[np.float64]
FURTHEST: Final = 65504.0
"""Largest number of FP16: formats up to it gain range by a scale."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Problem:
    """One attention to be computed; all arrays FP64 and rounded.

    q, k, v : (batch, H, N, d), (batch, H_kv, N_kv, d), (batch, H_kv, N_kv, d_v); q times `scale` already where the policy scales queries
    given   : q, k, v as they came (values exact, shape as above)
    q_scale, k_scale, v_scale : (batch, heads, rows) factors that quantisation took out; None without it
    unscaled : q before `scale`
    back, kind : a result of (batch, H, …) in the shape and kind that came, as a site leaves it, and in FP64
    factor  : what scores are multiplied by at `s.scale` (with q_scale and k_scale); None: nothing
    """

    steps: Steps
    q: Floats
    k: Floats
    v: Floats
    given: tuple[Floats, Floats, Floats]
    q_scale: Floats | None
    k_scale: Floats | None
    v_scale: Floats | None
    scale: float
    factor: float | None
    sight: Sight
    block_q: int
    block_k: int
    splits: list[list[Tile]]
    back: Callable[[Floats, str], Any]
    kind: Callable[[Floats], Any]
    unscaled: Floats

    @property
    def policy(self) -> Policy:
        return self.steps.policy

    @property
    def groups(self) -> int:
        """Heads of queries that share one of keys and values."""
        return int(self.q.shape[1] // self.k.shape[1])

    def dequantised(self) -> tuple[Floats, Floats, Floats]:
        """q, k, v as they are rounded, their scales put back; queries and keys stay turned, which does not change their products."""
        pairs = (self.unscaled, self.q_scale), (self.k, self.k_scale), (self.v, self.v_scale)
        q, k, v = (x if scale is None else x * scale[..., None] for x, scale in pairs)
        return q, k, v

    def shared(self, x: Floats) -> Floats:
        """Keys or values (batch, H_kv, …) repeated for every head of queries."""
        return x if self.groups == 1 else np.repeat(x, self.groups, axis=1)


def prepare(
    q: Any, k: Any, v: Any, *, policy: str | Policy = "fa_paper", format: str = "bf16", block_q: int | None = None, block_k: int | None = None,
    sram: int | None = None, causal: bool = False, window: Any = None, alibi: Any = None, mask: Any = None, scale: float | None = None,
    splits: int | None = None, split_size: int | None = None, seed: int = 0, compiled: bool = True,
) -> Problem:  # fmt: skip
    """Arguments of `attend`, checked. compiled: by compiled loops where they serve; the bits are the same. Raises BadValue, UnknownName, BadFile."""
    said = as_policy(policy)
    working = float_spec(format)
    if not working.signed:
        raise BadValue(f"format='{working.name}' holds no negative numbers; it is for scales. Name the format of results.")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 63:
        raise BadValue(f"seed={seed!r} must be a whole number from 0 to 2^63 - 1.")
    came = [take(x, name) for x, name in ((q, "q"), (k, "k"), (v, "v"))]
    front, held = _shapes(*came)
    batch, heads, seq, d = held[0].shape
    seq_kv = held[1].shape[2]
    if scale is None:
        scale = 1.0 / float(np.sqrt(d))
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale < np.inf:
        raise BadValue(f"scale={scale!r} must be a positive number; 1/√d is taken where none is given.")
    rows_q, rows_k = block_sizes(d, block_q, block_k, sram)
    if said.algorithm == "baseline":
        if splits is not None or split_size is not None:
            raise BadValue(f"splits need a Flash algorithm; policy '{said.name}' is a baseline. Name fa2_kernel, say.")
        if said.options.quantise == "block":
            raise BadValue(f"option quantise=block needs tiles of keys; policy '{said.name}' is a baseline. Say quantise=tensor, or a Flash algorithm.")
    steps = Steps(said, working.name, seed, compiled)
    most = steps.roundings["p.store"].spec
    if said.options.p_scale > most.largest:
        raise BadValue(f"option p_scale={said.options.p_scale:g} takes P of up to 1 beyond {most.largest:g}, {most.name}'s largest. Say 1, or 2^n below.")
    q_in, k_in, v_in = held
    if said.options.hadamard:
        q_in, k_in = rotate(q_in, seed), rotate(k_in, seed)
    (q_in, q_scale), (k_in, k_scale), (v_in, v_scale) = (
        _quantised(x, said.options.quantise, rows, steps.roundings[site].spec.largest)
        for x, rows, site in ((q_in, rows_q, "in.q"), (k_in, rows_k, "in.k"), (v_in, rows_k, "in.v"))
    )
    rounded = steps.at("in.q", q_in), steps.at("in.k", k_in), steps.at("in.v", v_in)
    unscaled = rounded[0]
    factor: float | None = float(scale)
    if not said.options.scale_after:
        rounded = steps.at("s.scale", rounded[0] * scale, turn=1), rounded[1], rounded[2]
        factor = None if q_scale is None else 1.0

    def kind(result: Floats) -> Any:
        return came[0].back(result.reshape(*front, *result.shape[2:]))

    def back(result: Floats, site: str) -> Any:
        return kind(result.astype(came[0].result_dtype(steps.roundings[site].spec)))

    return Problem(
        steps=steps, q=rounded[0], k=rounded[1], v=rounded[2], given=(held[0], held[1], held[2]), q_scale=q_scale, k_scale=k_scale, v_scale=v_scale,
        scale=float(scale), factor=factor, sight=sight(batch, heads, seq, seq_kv, causal, window, alibi, mask), block_q=rows_q, block_k=rows_k,
        splits=splits_of(seq_kv, seq_kv or 1, None, None, "forward") if said.algorithm == "baseline"
        else splits_of(seq_kv, rows_k, splits, split_size, said.options.kv_order), back=back, kind=kind, unscaled=unscaled,
    )  # fmt: skip


def _shapes(q: Given, k: Given, v: Given) -> tuple[tuple[int, ...], list[Floats]]:
    """Axes in front of rows and columns, and the three as (batch, heads, rows, columns) of FP64."""
    shapes = [x.values.shape for x in (q, k, v)]
    said = f"q {shapes[0]}, k {shapes[1]}, v {shapes[2]}"
    if len({len(shape) for shape in shapes}) != 1 or len(shapes[0]) < 2:
        raise BadValue(f"{said}: all need the same number of axes, at least (rows, head dim).")
    if shapes[0][:-3] != shapes[1][:-3] or shapes[1][:-1] != shapes[2][:-1] or shapes[0][-1] != shapes[1][-1]:
        raise BadValue(f"{said} do not fit: q (…, H, N, d), k (…, H_kv, N_kv, d), v (…, H_kv, N_kv, d_v) are needed.")
    if shapes[0][-1] == 0:
        raise BadValue(f"{said}: the head dimension is 0; at least 1 is needed.")
    held = []
    for x in (q, k, v):
        wide = np.asarray(x.values, dtype=np.float64)
        wide = wide.reshape(1, *wide.shape) if wide.ndim == 2 else wide
        held.append(np.ascontiguousarray(wide.reshape(int(np.prod(wide.shape[:-3], dtype=int)), *wide.shape[-3:])))
    if held[1].shape[1] == 0 or held[0].shape[1] % held[1].shape[1]:
        raise BadValue(f"{said}: {held[0].shape[1]} heads of queries are no multiple of {held[1].shape[1]} of keys. Grouped heads need a divisor.")
    return shapes[0][:-2], held


def _quantised(x: Floats, kind: str, rows: int, largest: float) -> tuple[Floats, Floats | None]:
    """x over its scale, and the scale of every row: FP32, the largest element over the format's largest; 1 where all are zero.

    It is 1, too, where the format reaches further than FP16: there every scale keeps the same bits, and products of its largest numbers overflow FP32.
    """
    if kind == "none":
        return x, None
    if largest > FURTHEST:
        return x, np.ones(x.shape[:-1])
    size = np.abs(np.where(np.isfinite(x), x, 0.0))
    if kind == "tensor":
        top = np.full(x.shape[:-1], size.max(initial=0.0))
    else:
        per_row = size.max(axis=-1, initial=0.0)
        top = np.empty_like(per_row)
        for first in range(0, x.shape[2], rows):
            top[:, :, first : first + rows] = per_row[:, :, first : first + rows].max(axis=-1, keepdims=True, initial=0.0)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # elements that FP32 does not hold
        scale = (top / largest).astype(np.float32).astype(np.float64)
        scale = np.where(scale > 0, scale, 1.0)
        return x / scale[..., None], scale

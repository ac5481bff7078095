"""Which keys a query sees, and what distance takes off a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats import elementary
from thrifty.formats.rounding.arrays import is_tensor

Window = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """Which keys a query sees. Queries are aligned with the last keys: query i stands at key i + N_kv - N.

    causal : no key after the query's place
    window : keys at most so many places before and after (None: any number)
    slopes : (H,) ALiBi's m: m · distance is taken off a score
    mask   : broadcasts to (batch, H, N, N_kv); True is seen
    """

    seq: int
    seq_kv: int
    causal: bool = False
    window: Window = (None, None)
    slopes: npt.NDArray[np.float64] | None = None
    mask: npt.NDArray[np.bool_] | None = None

    @property
    def everything(self) -> bool:
        """Every query sees every key."""
        return not self.causal and self.window == (None, None) and self.mask is None

    def seen(self, first: int, last: int) -> npt.NDArray[np.bool_] | None:
        """Keys first to last - 1, broadcasting to (batch, H, N, last - first); None: all."""
        if self.everything:
            return None
        ahead = np.arange(first, last)[None, :] - (np.arange(self.seq)[:, None] + self.seq_kv - self.seq)
        good = np.ones((self.seq, last - first), dtype=bool)
        before, after = self.window
        if self.causal:
            good &= ahead <= 0
        if before is not None:
            good &= ahead >= -before
        if after is not None:
            good &= ahead <= after
        return good if self.mask is None else good & self.mask[..., first:last]

    def bias_of(self, head: int, first: int, last: int) -> npt.NDArray[np.float64] | None:
        """Of queries first to last - 1 of one head, (last - first, N_kv), or None."""
        if self.slopes is None:
            return None
        ahead = np.arange(self.seq_kv)[None, :] - (np.arange(first, last)[:, None] + self.seq_kv - self.seq)
        return np.asarray(-self.slopes[head] * np.abs(ahead).astype(np.float64))

    def bias(self, first: int, last: int) -> npt.NDArray[np.float64] | None:
        """(H, N, last - first) of keys first to last - 1, or None."""
        if self.slopes is None:
            return None
        ahead = np.arange(first, last)[None, :] - (np.arange(self.seq)[:, None] + self.seq_kv - self.seq)
        return np.asarray(-self.slopes[:, None, None] * np.abs(ahead).astype(np.float64))


def alibi_slopes(heads: int) -> npt.NDArray[np.float64]:
    """ALiBi's slopes (Press et al. 2022): 2^(-8h/H) for H a power of two, else those of the next lower one and every other of the next higher one."""
    lower = 1 << (heads.bit_length() - 1)
    slopes = elementary.exp2(-8.0 * np.arange(1, lower + 1) / lower)
    if lower < heads:
        slopes = np.concatenate([slopes, elementary.exp2(-4.0 * np.arange(1, 2 * (heads - lower) + 1, 2) / lower)])
    return np.asarray(slopes)


def sight(batch: int, heads: int, seq: int, seq_kv: int, causal: bool, window: Any, alibi: Any, mask: Any) -> Sight:
    """Checked. Raises BadValue for a window, slopes or a mask that do not fit."""
    return Sight(
        seq=seq, seq_kv=seq_kv, causal=bool(causal), window=_window(window), slopes=_slopes(alibi, heads),
        mask=None if mask is None else _mask(mask, (batch, heads, seq, seq_kv)),
    )  # fmt: skip


def _window(window: Any) -> Window:
    sides = tuple(window) if isinstance(window, tuple | list) else (window, window)
    if len(sides) != 2 or any(side is not None and (isinstance(side, bool) or not isinstance(side, int) or side < 0) for side in sides):
        raise BadValue(f"window={window!r} must be a whole number of places from 0 on, or two: before and after the query (None: any number).")
    return sides


def _slopes(alibi: Any, heads: int) -> npt.NDArray[np.float64] | None:
    if alibi is None or alibi is False:
        return None
    if alibi is True:
        return alibi_slopes(heads)
    try:
        slopes = np.asarray(alibi.detach().cpu().numpy() if is_tensor(alibi) else alibi, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        raise BadValue(f"alibi={alibi!r} must be True or {heads} slopes, one a head.") from None
    if slopes.size != heads or not np.isfinite(slopes).all():
        raise BadValue(f"alibi has {slopes.size} slopes; {heads} finite ones are needed, one a head. True takes the usual ones.")
    return slopes


def _mask(mask: Any, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    held = mask.detach().cpu().numpy() if is_tensor(mask) else np.asarray(mask)
    if held.dtype != np.bool_:
        raise BadValue(f"mask has dtype {held.dtype}; True (seen) or False is needed.")
    batch, heads, seq, seq_kv = shape
    if held.ndim > 4:
        held = held.reshape(-1, *held.shape[-3:])
    try:
        return np.ascontiguousarray(np.broadcast_to(held, (batch, heads, seq, seq_kv) if held.ndim == 4 and held.shape[0] != 1 else (1, heads, seq, seq_kv)))
    except ValueError:
        raise BadValue(f"mask of shape {held.shape} does not broadcast to (batch, heads, queries, keys) = {shape}.") from None

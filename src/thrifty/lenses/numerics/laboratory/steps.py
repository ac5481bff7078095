"""One step under a policy: round at a site, multiply and add as its accumulator says."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.formats import Rounding, elementary
from thrifty.formats.accumulators import accumulate, matmul
from thrifty.formats.rounding.plain import round_plain
from thrifty.lenses.numerics.policy import SITES, Policy
from thrifty.loops import has_numba, in_threads

Floats = npt.NDArray[np.float64]

TURNS: Final = 8
"""How often one site may draw at one tile."""
_NUMBER: Final = {site: zlib.crc32(site.encode()) for site in SITES}
_WORD: Final = (1 << 64) - 1


def site_seed(seed: int, site: str, turn: int = 0) -> int:
    """Seed of a site's draws, for modes that draw. turn: tile · TURNS + use within the tile. Element i (C order) then draws at counter i."""
    z = (seed * 0x9E3779B97F4A7C15 + (_NUMBER[site] + 1) * 0xD1B54A32D192ED03 + turn * 0x8CB92BA72F3D8DD7) & _WORD
    z = ((z ^ (z >> 32)) * 0xD6E8FEB86659FD93) & _WORD
    z = ((z ^ (z >> 32)) * 0xD6E8FEB86659FD93) & _WORD
    return z ^ (z >> 32)


@dataclass(frozen=True, slots=True, eq=False)
class _This:
    """A policy as a key: this very object, since equal ones are found out to be so only rule by rule."""

    policy: Policy

    def __hash__(self) -> int:
        return id(self.policy)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _This) and other.policy is self.policy


@functools.lru_cache(maxsize=64)
def _looked_up(this: _This, working: str) -> tuple[Mapping[str, Rounding], dict[Any, Any]]:
    """A policy's roundings by site, and room for what is made of them: a sweep's and a training's calls look them up once."""
    return MappingProxyType({site: this.policy.rounding(site, working) for site in SITES}), {}


class Steps:
    """Rounding at the sites of one policy in one working format. compiled: by compiled loops where Numba is; the bits are the same.

    worked_out: what compiled loops made of the roundings, by a key of theirs, for all calls under one policy
    """

    def __init__(self, policy: Policy, working: str, seed: int = 0, compiled: bool = True) -> None:
        self.policy, self.working, self.seed, self.compiled = policy, working, seed, compiled
        self.roundings, self.worked_out = _looked_up(_This(policy), working)

    def at(self, site: str, x: Any, turn: int = 0) -> Floats:
        """x rounded as `site` says; see `site_seed` for turn."""
        to = self.roundings[site]
        held = np.ascontiguousarray(x, dtype=np.float64)
        if to.mode == "rne" and to.overflow == "inf" and not to.flush and to.spec.name in ("fp64", "fp32"):
            if to.spec.name == "fp64":
                return held
            with np.errstate(over="ignore"):
                return np.asarray(held.astype(np.float32).astype(np.float64))  # FP64 to FP32 is one rounding
        if to.mode in ("stochastic", "random"):
            to = replace(to, seed=site_seed(self.seed, site, turn))
        if self.compiled and has_numba():
            return _compiled(held, to).reshape(np.shape(x))
        return round_plain(held, to).reshape(np.shape(x))

    def accumulator(self, site: str) -> str:
        """How the policy keeps a sum of the working format."""
        return self.policy.accumulator(site, self.working)

    def product(self, site: str, a: Floats, b: Floats) -> Floats:
        """a @ b as the accumulator of `site` adds it up; FP64 out."""
        return np.asarray(matmul(a, b, accumulator=self.accumulator(site)), dtype=np.float64)

    def log(self, x: Floats) -> Floats:
        """`elementary.log`; compiled, it takes a small part of the time that NumPy's two dozen passes do."""
        if not self.compiled or not has_numba():
            return elementary.log(x)
        from thrifty.formats.elementary_kernels import log_row

        out = np.empty_like(held := np.ascontiguousarray(x))
        log_row(held.reshape(-1), out.reshape(-1), out.size)
        return out

    def total(self, site: str, x: Floats) -> Floats:
        """Sum along the last axis likewise."""
        return np.asarray(accumulate(x, accumulator=self.accumulator(site), axis=-1), dtype=np.float64)


def _compiled(x: Floats, to: Rounding) -> Floats:
    from thrifty.formats.rounding.kernels import parameters, round_row

    out, params = x.copy().reshape(-1), parameters(to)
    in_threads(lambda first, last: round_row(out[first:last], last - first, params, first), out.size, 8)
    return out

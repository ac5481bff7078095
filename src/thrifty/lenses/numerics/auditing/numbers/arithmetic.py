"""One operation at a time, rounded once at its site: pointwise ones, sums and products, at two speeds with the same bits. Imports torch.

exact : operands are copied to FP64, the operation is done there (exp, exp2 and log by `thrifty.formats.elementary`, all others by torch), and its result
        is rounded once.
fast  : where operands and result are numbers of one narrow format (at most 11 significand bits, to nearest), +, −, ×, ÷ are done by torch in FP32 and
        rounded again: 24 ≥ 2 · 11 + 2 bits make the first rounding harmless (Figueroa 1995), subnormal results included (`narrow` says for which formats).
        A function of one such number is looked up in a table of its 65,536 values, made by the exact way. All else goes the exact way.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch

from thrifty.errors import BadValue
from thrifty.formats import FloatSpec, Rounding, float_spec, matmul
from thrifty.lenses.numerics.auditing.numbers.rounding import SPECS, add_rows, elementwise, every_code, look_up, native, round_in_place, round_tensor, spec_of
from thrifty.lenses.numerics.auditing.numbers.values import Values, float_tensors
from thrifty.lenses.numerics.policy import Policy

aten = torch.ops.aten
Watch = Callable[[str, torch.Tensor, torch.Tensor], None]
"""Called with a site, a result before it is rounded (FP64) and after."""

FAST_PAIRS: Final = frozenset({aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.div.Tensor})
OURS: Final[dict[Any, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]]] = {
    aten.exp.default: functools.partial(elementwise, "exp"), aten.exp2.default: functools.partial(elementwise, "exp2"),
    aten.log.default: functools.partial(elementwise, "log"),
}  # fmt: skip
"""Functions that are the same on every machine."""
TABLE_FROM: Final = 1 << 16
"""Numbers of elements after which a table of all codes pays."""
DRAWING: Final = ("stochastic", "random")
TORCH: Final = "torch"
"""The accumulator of torch itself: the order is this machine's, and bits differ between machines."""


@functools.cache
def narrow(spec: FloatSpec) -> bool:
    """An FP32 operation on numbers of `spec`, rounded to it, is the operation rounded once.

    p ≤ 11 makes 24 ≥ 2p + 2. A product below the normal numbers must be exact in FP32 as far as half of the smallest number: its last bit is at
    emin - m - 1 - (2p - 1), and FP32's at -149.
    """
    p = spec.significand_bits
    return spec.signed and spec.subnormals and p <= 11 and spec.emin - spec.mantissa_bits - 1 - (2 * p - 1) >= -149 and spec.emax <= 127


@functools.cache
def index_of(spec: FloatSpec) -> str:
    """The 16-bit format whose codes number all numbers of `spec`; empty where there is none."""
    return next((name for name in ("bf16", "fp16") if float_spec(name).holds(spec)), "")


@functools.cache
def holds(one: FloatSpec, other: FloatSpec) -> bool:
    """Every number of `other` is one of `one`."""
    return one.holds(other)


@dataclass(frozen=True, slots=True)
class Place:
    """What a site's rule comes to. quick: the fast speed may serve it; cast: the dtype through which torch rounds FP32 as the rule says."""

    to: Rounding
    quick: bool
    cast: torch.dtype | None


class Arithmetic:
    """Operations under a policy. speed: "exact" or "fast"; watch: told every rounding (exact speed only)."""

    def __init__(self, policy: Policy, working: str, *, speed: str, seed: int, watch: Watch | None = None) -> None:
        self.policy, self.working, self.seed, self.watch = policy, working, seed, watch
        self.fast = speed == "fast" and watch is None
        self.region = ""
        self._drawn = 0
        self._tables: dict[Any, npt.NDArray[np.float32] | int] = {}
        self._places: dict[str, Place] = {}
        self._sums: dict[str, str] = {}
        self.values = Values(self.rounding("in"))

    def rounding(self, site: str) -> Rounding:
        return self.place(site).to

    def place(self, site: str) -> Place:
        """The rule of a site, resolved once."""
        found = self._places.get(site)
        if found is None:
            to = self.policy.rounding(site, self.working, self.seed)
            found = self._places[site] = Place(to, narrow(to.spec) and to.mode == "rne" and to.overflow != "nan", native(to))
        return found

    def sum_of(self, site: str) -> str:
        """The accumulator of a site."""
        found = self._sums.get(site)
        if found is None:
            found = self._sums[site] = self.policy.accumulator(f"{site}.acc", self.working)
        return found

    def round(self, x: torch.Tensor, site: str, dtype: torch.dtype, *, own: bool = False) -> torch.Tensor:
        """A result rounded at its site, in `dtype`, and known as such. own: x may be written to."""
        if x.is_complex():
            raise complex_numbers(site)
        if self.region:
            out = x.to(dtype, copy=True)
            self.values.mark(out, _carrier(dtype), region=self.region, site=site)
            return out
        place = self.place(site)
        if place.cast is not None and x.dtype == dtype == torch.float32 and self.watch is None:
            out = x.clone() if place.cast == dtype else round_in_place(x, place.cast) if own else x.to(place.cast).to(dtype)
            self.values.mark_new(out, place.to.spec)
            return out
        to = self._fitting(place.to, site, dtype)
        if to.mode in DRAWING:
            self._drawn += 1
            to = replace(to, seed=(to.seed + self._drawn * 0x9E3779B97F4A7C15) % (1 << 64))
        out = round_tensor(x, to, dtype)
        if self.watch is not None:
            self.watch(site, x.to(torch.float64), out)
        self.values.mark(out, to.spec)
        return out

    def _fitting(self, to: Rounding, site: str, dtype: torch.dtype) -> Rounding:
        """The rule, or that of a tensor's own 16-bit dtype where it holds less."""
        carrier = _carrier(dtype)
        if holds(carrier, to.spec):
            return to
        if carrier.code_bits <= 16:
            return replace(to, spec=carrier, overflow="inf" if to.overflow != "saturate" else "saturate")
        raise BadValue(f"site {site} keeps {to.spec.name}, and its tensor is {dtype}, which does not hold it. Give tensors and modules in FP64 (.double()).")

    def point(self, site: str, func: Any, *args: Any, **options: Any) -> torch.Tensor:
        """A pointwise operation: done once, rounded once."""
        tensors = float_tensors(args)
        dtype = dtype_of(func, tensors, args, options)
        if self.fast and not self.region and dtype == torch.float32 and tensors and self.place(site).quick:
            out = self._fast(site, func, tensors, args, options)
            if out is not None:
                return out
        return self.round(wide(func, args, options), site, dtype)

    def _fast(self, site: str, func: Any, tensors: list[torch.Tensor], args: Sequence[Any], options: dict[str, Any]) -> torch.Tensor | None:
        place = self.place(site)
        if len(tensors) == 2 and func in FAST_PAIRS and len(args) == 2 and not options:
            if all(each.dtype == torch.float32 and holds(place.to.spec, self.values.spec(each)) for each in tensors):
                out = func(*args)
                out = round_in_place(out, place.cast) if place.cast is not None else round_tensor(out, place.to, torch.float32)
                self.values.mark_new(out, place.to.spec)
                return out
            return None
        if len(tensors) != 1 or tensors[0].dtype != torch.float32 or any(isinstance(each, torch.Tensor) and each is not tensors[0] for each in args):
            return None
        rest = tuple(None if each is tensors[0] else each for each in args)
        return self.unary(site, (func, rest, *sorted(options.items())), tensors[0], place.to.spec, lambda x: self._once(func, x, args, options, place.to))

    def _once(self, func: Any, x: torch.Tensor, args: Sequence[Any], options: dict[str, Any], to: Rounding) -> torch.Tensor:
        held = [x if isinstance(each, torch.Tensor) else each for each in args]
        return round_tensor(wide(func, held, options), to, torch.float32)

    def unary(self, site: str, key: Any, x: torch.Tensor, spec: FloatSpec, exactly: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor | None:
        """A function of one number of a 16-bit format, looked up; None before a table pays. exactly: its values for FP32 numbers, rounded to `spec`."""
        index = index_of(self.values.spec(x))
        if not index or self.region:
            return None
        try:
            table = self._tables.get((site, key, index), 0)
        except TypeError:  # an argument that has no hash
            return None
        if isinstance(table, int):
            seen = table + x.numel()
            if seen < TABLE_FROM:
                self._tables[site, key, index] = seen
                return None
            table = exactly(every_code(index)).numpy()
            self._tables[site, key, index] = table
        out = look_up(x, table, index)
        self.values.mark(out, spec)
        return out

    def add_up(self, site: str, x: torch.Tensor, dims: Sequence[int]) -> torch.Tensor:
        """Sums over `dims`, the last of them fastest, kept as the accumulator says, not yet rounded at the site: FP64, or FP32 where that holds it."""
        kept = [axis for axis in range(x.dim()) if axis not in dims]
        how = self.sum_of(site)
        if how == TORCH:
            return x.sum(list(dims)) if dims else x
        rows = 1
        for axis in kept:
            rows *= x.shape[axis]
        count = x.numel() // rows if rows else 0
        shape = [x.shape[axis] for axis in kept]
        if kept and kept[-1] == x.dim() - 1 and list(dims) == list(range(len(dims))):
            # Rows are added to one another: the sum's vector is contiguous.
            flat = x.reshape(count, -1)
            return self._product(torch.ones((1, count), dtype=x.dtype), flat, how).reshape(shape)
        flat = x.permute(*kept, *dims).reshape(rows, count)
        return self._product(flat, torch.ones((count, 1), dtype=x.dtype), how).reshape(shape)

    def multiply(self, site: str, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """a @ b as the accumulator of the site says, not yet rounded there."""
        how = self.sum_of(site)
        return torch.matmul(a, b) if how == TORCH else self._product(a, b, how)

    def add_row(self, site: str, x: torch.Tensor, bias: torch.Tensor) -> torch.Tensor | None:
        """x, which may be written to, plus a row of numbers, rounded once at the site; None where the fast speed has no loop for it."""
        place = self.place(site)
        if not self.fast or self.region or place.to.mode in DRAWING or not holds(_carrier(x.dtype), place.to.spec):
            return None
        out = add_rows(x, bias, place.to)
        if out is not None:
            self.values.mark_new(out, place.to.spec)
        return out

    def _product(self, a: torch.Tensor, b: torch.Tensor, how: str) -> torch.Tensor:
        if a.dtype != torch.float32 or b.dtype != torch.float32:
            a, b = a.to(torch.float64), b.to(torch.float64)
        return torch.from_numpy(matmul(a.detach().numpy(), b.detach().numpy(), how))


def complex_numbers(what: str) -> BadValue:
    return BadValue(f"{what} gives complex numbers, which policies do not round. Write it with real and imaginary parts.")


def _carrier(dtype: torch.dtype) -> FloatSpec:
    spec = spec_of(dtype)
    if spec is None:
        raise BadValue(f"a result has dtype {dtype}, whose rounding is not known here. Give tensors of {', '.join(map(str, SPECS))}.")
    return spec


def wide(func: Any, args: Sequence[Any], options: dict[str, Any]) -> torch.Tensor:
    """func on operands copied to FP64, not rounded."""
    ours = OURS.get(func)
    if ours is not None:
        return torch.from_numpy(ours(np.ascontiguousarray(args[0].detach().to(torch.float64).numpy())))
    held = [_to_fp64(each) for each in args]
    options = {name: torch.float64 if name == "dtype" and value is not None and value.is_floating_point else value for name, value in options.items()}
    return func(*held, **options)


def _to_fp64(x: Any) -> Any:
    if isinstance(x, torch.Tensor):
        return x.detach().to(torch.float64) if x.dtype in SPECS else x
    return type(x)(_to_fp64(each) for each in x) if isinstance(x, list | tuple) else x


def dtype_of(func: Any, tensors: Sequence[torch.Tensor], args: Sequence[Any], options: dict[str, Any]) -> torch.dtype:
    """Dtype that torch gives a result: the one asked for, or the widest of tensors with axes, or of those without."""
    asked = options.get("dtype")
    if asked is not None and asked.is_floating_point:
        return asked
    found = [each.dtype for each in tensors if each.dim()] or [each.dtype for each in tensors]
    if not found:
        return torch.get_default_dtype()
    return functools.reduce(torch.promote_types, found)

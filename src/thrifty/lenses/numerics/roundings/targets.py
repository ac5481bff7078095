"""A format with all its options, as a command line names it, and rounding to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from thrifty.errors import BadValue
from thrifty.formats import Blocks, FloatSpec, Rounding, bfp, encode, find_format, float_spec, float_specs, mx, nvfp4, quantize_int, round_to

Floats = npt.NDArray[np.float64]

MX_ELEMENTS: Final = {"mxfp8": "e4m3", "mxfp6": "e2m3", "mxfp4": "e2m1", "mxint8": "int8"}
_WHOLE: Final = re.compile(r"(u?)int(\d{1,2})(?::(\d+))?(:affine)?")
_SHARED: Final = re.compile(r"bfp:(\d{1,2}):(\d+)")
_EXAMPLES: Final = "a float format (e4m3, bf16, e5m7), mxfp8, mxfp8:e5m2, mxfp6, mxfp4, mxint8, nvfp4, bfp:8:16, int4, int4:128, uint8:affine"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rounded:
    """Numbers in a format, flat. unit: scale of each number; grid: spec of the numbers before scaling, None for whole numbers; least, most: their ends."""

    values: Floats
    codes: npt.NDArray[Any]
    code_bits: int
    unit: Floats
    grid: FloatSpec | None
    least: Floats
    most: Floats
    stored_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """kind: float, power (a scale that is a power of two, of a block), nvfp4 or whole (numbers k · scale)."""

    name: str
    kind: str
    rounding: Rounding | None = None
    element: str = ""
    bits: int = 0
    group: int | None = None
    scale: str = "floor"
    affine: bool = False
    signed: bool = True
    mode: str = "rne"
    seed: int = 0

    def apply(self, x_RN: Floats) -> Rounded:
        """Rows of numbers in this format; blocks and groups lie along rows."""
        match self.kind:
            case "float":
                return self._float(x_RN.reshape(-1))
            case "whole":
                return self._whole(x_RN)
        if self.kind == "nvfp4":
            found = nvfp4(x_RN)
        elif self.element:
            found = mx(x_RN, self.element, self.scale, rounding=self.mode, seed=self.seed)
        else:
            found = bfp(x_RN, self.bits, self.group or 1, scale=self.scale, rounding=self.mode, seed=self.seed)
        return _of_blocks(found)

    @property
    def all_at_once(self) -> bool:
        """A scale is shared by all numbers, or each draws by its place among them."""
        return self.kind == "nvfp4" or (self.kind == "whole" and self.group is None) or self.mode in ("stochastic", "random")

    def _float(self, x: Floats) -> Rounded:
        assert self.rounding is not None
        to = self.rounding
        options: dict[str, Any] = {"rounding": to.mode, "overflow": to.overflow, "flush": to.flush, "seed": to.seed}
        codes = np.asarray(encode(x, to.spec, **options)).astype(np.uint64)
        bits = to.spec.code_bits
        return Rounded(
            values=np.asarray(round_to(x, to.spec, **options), dtype=np.float64), codes=codes, code_bits=bits, unit=np.ones(x.shape), grid=to.spec,
            least=np.full(x.shape, -to.spec.largest if to.spec.signed else 0.0), most=np.full(x.shape, to.spec.largest),
            stored_bytes=-(-x.size * bits // 8),
        )  # fmt: skip

    def _whole(self, x_RN: Floats) -> Rounded:
        found = quantize_int(
            x_RN, self.bits, scheme="affine" if self.affine else "symmetric", signed=self.signed, group=self.group, rounding=self.mode, seed=self.seed
        )
        unit, zero = (_to_numbers(each, self.group, x_RN.shape) for each in (found.scale, found.zero_point))
        steps = np.asarray(found.codes).astype(np.float64).reshape(-1) - zero
        return Rounded(
            values=steps * unit, codes=_masked(found.codes, self.bits), code_bits=self.bits, unit=unit,
            grid=None, least=found.least - zero, most=found.most - zero, stored_bytes=found.bytes,
        )  # fmt: skip


def _of_blocks(found: Blocks) -> Rounded:
    element, shape = found.element, found.codes.shape
    unit = _to_numbers(found.scale_values(), found.block, shape)
    most = np.full(unit.shape, float(element.spec.largest if element.spec else (1 << (element.bits - 1)) - 1))
    return Rounded(
        values=np.asarray(found.values(), dtype=np.float64).reshape(-1), codes=_masked(found.codes, element.bits), code_bits=element.bits,
        unit=unit if element.spec else unit * 2.0**-element.mantissa_bits, grid=element.spec, least=-most, most=most, stored_bytes=found.bytes,
    )  # fmt: skip


def _masked(codes: Any, bits: int) -> npt.NDArray[Any]:
    """Codes as their bits, flat."""
    return np.asarray(codes).astype(np.int64).reshape(-1) & ((1 << bits) - 1)


def _to_numbers(of_groups: Any, group: int | None, shape: tuple[int, ...]) -> Floats:
    """What belongs to groups of rows, or to all, for every number, flat."""
    found = np.asarray(of_groups, dtype=np.float64)
    return (np.repeat(found, group, axis=-1)[..., : shape[-1]] if group else np.broadcast_to(found, shape)).reshape(-1)


def parse_target(format: str, *, rounding: str = "rne", overflow: str = "", flush: bool = False, seed: int = 0, scale: str = "") -> Target:
    """Raises UnknownName, or BadValue for options that the format does not take."""
    text = format.lower().strip()
    name, _, rest = text.partition(":")
    blocked = name in (*MX_ELEMENTS, "nvfp4", "bfp") or _WHOLE.fullmatch(text) is not None
    if blocked:
        if overflow not in ("", "saturate") or flush:
            raise BadValue(f"format='{format}' always ends at its largest number and keeps its smallest. Leave --overflow and --flush out.")
    elif scale:
        raise BadValue(f"--scale is the rule for scales of mx and bfp formats, and '{format}' has none. Leave it out.")
    if not blocked:
        known = find_format(text)
        if known is not None and known.family != "float":
            raise BadValue(f"format='{format}' is known by its size only. Give {_EXAMPLES}.")
        to = Rounding.of(float_spec(text), rounding=rounding, overflow=overflow or None, flush=flush, seed=seed)
        return Target(name=to.spec.name, kind="float", rounding=to, mode=rounding, seed=seed)
    if scale and (name == "nvfp4" or _WHOLE.fullmatch(text)):
        raise BadValue(f"--scale is the rule for scales of mx and bfp formats, and '{format}' has its own. Leave it out.")
    if name == "nvfp4":
        if rest or rounding != "rne":
            raise BadValue("format='nvfp4' has blocks of 16 and rounds to nearest. Leave --rounding and what follows its name out.")
        return Target(name="nvfp4", kind="nvfp4", element="e2m1", bits=4, group=16)
    if whole := _WHOLE.fullmatch(text):
        group = int(whole[3]) if whole[3] else None
        return Target(name=text, kind="whole", bits=int(whole[2]), group=group, affine=bool(whole[4]), signed=not whole[1], mode=rounding, seed=seed)
    if name == "bfp":
        shared = _SHARED.fullmatch(text)
        if shared is None:
            raise BadValue(f"format='{format}' must say bits and group. Write bfp:8:16, say.")
        return Target(name=text, kind="power", bits=int(shared[1]), group=int(shared[2]), scale=scale or "floor", mode=rounding, seed=seed)
    return Target(name=text, kind="power", element=rest or MX_ELEMENTS[name], group=32, scale=scale or "floor", mode=rounding, seed=seed)


def known_targets() -> list[dict[str, Any]]:
    """Every format with what it holds: floats from their codes, then block formats and whole numbers, whose range follows their scale."""
    rows: list[dict[str, Any]] = []
    for spec in float_specs():
        specials = [word for word, there in (("inf", spec.infinities), ("nan", spec.no_number != "none")) if there]
        rows.append({
            "format": spec.name, "bits": spec.code_bits, "largest": spec.largest, "smallest_normal": spec.smallest_normal, "smallest": spec.smallest,
            "unit_roundoff": spec.unit_roundoff, "specials": specials, "scale": "",
        })  # fmt: skip
    for name, element in (("mxfp8", "e4m3"), ("mxfp8:e5m2", "e5m2"), ("mxfp6", "e2m3"), ("mxfp6:e3m2", "e3m2"), ("mxfp4", "e2m1"), ("nvfp4", "e2m1")):
        spec = float_spec(element)
        scale = "UE4M3 for 16, FP32 for all" if name == "nvfp4" else "E8M0 for 32"
        rows.append({
            "format": name, "bits": spec.code_bits, "largest": spec.largest, "smallest_normal": spec.smallest_normal, "smallest": spec.smallest,
            "unit_roundoff": spec.unit_roundoff, "specials": ["nan"], "scale": scale,
        })  # fmt: skip
    rows.append(_whole_row("mxint8", 8, 127 / 64, 1 / 64, ["nan"], "E8M0 for 32"))
    rows.append(_whole_row("bfp:BITS:GROUP", None, None, None, ["nan"], "E8M0 for GROUP"))
    rows.append(_whole_row("intBITS[:GROUP][:affine]", None, None, None, [], "FP32 for GROUP or all"))
    rows.append(_whole_row("uintBITS[:GROUP][:affine]", None, None, None, [], "FP32 for GROUP or all"))
    return rows


def _whole_row(name: str, bits: int | None, largest: float | None, smallest: float | None, specials: list[str], scale: str) -> dict[str, Any]:
    return {
        "format": name, "bits": bits, "largest": largest, "smallest_normal": smallest, "smallest": smallest, "unit_roundoff": None, "specials": specials,
        "scale": scale,
    }  # fmt: skip

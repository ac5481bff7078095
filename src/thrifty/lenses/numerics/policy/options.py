"""What an attention algorithm leaves open beside rounding."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from thrifty.errors import BadValue
from thrifty.lenses.numerics.policy.checks import choose, must_know


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an algorithm leaves open beside rounding.

    scale_after : scores are multiplied by 1/√d after QKᵀ (else queries before)
    kv_order    : tiles of keys first to last ("forward") or last to first ("reverse")
    p_scale     : factor of P before it is rounded for PV, and divided out after (FA3 in FP8: 256)
    quantise    : inputs' scales: "none", one a "tensor", or one a "block" of block_q or block_k rows; the largest element goes to the format's largest
                  (formats beyond FP16's range need no scale and have 1)
    hadamard    : queries and keys are turned by a random orthogonal ±1 Hadamard matrix first (FA3)
    rescale_log2 : the old maximum is kept while the new one is above it by at most this many doublings (FA4: 8); 0: always the new one
    exp2_degree : 0: exact exponential; 3: 2^fraction by a polynomial of that degree (FA4)
    repeated_max : beta of the fix for repeated maxima (Qiu and Yao 2025): a repeated maximum m becomes beta·m if positive, 0 if negative; 0: none
    divide_after : the baseline divides its output by the row sum, in place of P (then one tile of Flash is the baseline, bit by bit)
    dsum        : D of the backward pass as row sum of "do_o" or "p_dp"
    """

    scale_after: bool = True
    kv_order: str = "forward"
    p_scale: float = 1.0
    quantise: str = "none"
    hadamard: bool = False
    rescale_log2: float = 0.0
    exp2_degree: int = 0
    repeated_max: float = 0.0
    divide_after: bool = False
    dsum: str = "do_o"

    def __post_init__(self) -> None:
        choose("kv_order", self.kv_order, ("forward", "reverse"))
        choose("quantise", self.quantise, ("none", "tensor", "block"))
        choose("dsum", self.dsum, ("do_o", "p_dp"))
        for name, least in (("p_scale", 2.0**-64), ("rescale_log2", 0.0), ("repeated_max", 0.0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < 2.0**64:
                raise BadValue(f"option {name}={value!r} must be a number of at least {least:g}.")
        if self.exp2_degree not in (0, 3):
            raise BadValue(f"option exp2_degree={self.exp2_degree!r} is unknown. Say 0 (exact) or 3.")


def with_option(options: Options, name: str, value: Any) -> Options:
    kinds = {each.name: type(getattr(Options(), each.name)) for each in fields(Options)}
    must_know(name, list(kinds), "option")
    kind = kinds[name]
    if isinstance(value, str) and kind is not str:
        try:
            value = {"true": True, "false": False}[value.lower()] if kind is bool else kind(value)
        except (KeyError, ValueError):
            raise BadValue(f"option {name}='{value}' must be {'true or false' if kind is bool else 'a number'}.") from None
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not kind:
        raise BadValue(f"option {name}={value!r} must be {'true or false' if kind is bool else 'a text' if kind is str else 'a number'}.")
    return replace(options, **{name: value})

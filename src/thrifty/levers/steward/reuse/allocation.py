"""Which life of a part bears what of its making: four rules, one total.

    cut-off        : each life bears what happens in it: the first the making, later ones their refurbishing, the last the end
    50-50          : making, and the end, half to the first life and half to the last; refurbishing half to the life before it and half to the one after
    value          : everything by each life's share of the value that the part gives over all of them
    avoided-burden : as cut-off; and each later life earns a credit for the new part that it made unnecessary

A credit (of avoided making, of recycled material) is a line of its own beside the total, as in module D of EN 15804: it never lowers what a life bears.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from thrifty.errors import BadValue

if TYPE_CHECKING:
    from thrifty.lenses.carbon.ledger import Ledger

Rule = Literal["cut-off", "50-50", "value", "avoided-burden"]
RULES: Final = get_args(Rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One life of a part: its years, what making it ready for this life emitted, and its share of the part's value (needed by the rule `value`)."""

    years: float
    refurbish_g: float = 0.0
    value_share: float | None = None

    def __post_init__(self) -> None:
        if not (math.isfinite(self.years) and self.years > 0):
            raise BadValue(f"a life of {self.years} years is none. Give more than 0.")
        _check_grams("refurbish_g", self.refurbish_g)
        if self.value_share is not None and not 0 <= self.value_share <= 1:
            raise BadValue(f"value_share={self.value_share} is outside 0 to 1. Give a life's share of the part's value.")


@dataclass(frozen=True, slots=True)
class Line:
    """Grams that life number `life` (from 1) bears or earns, of `what`: making, refurbishing, end of life, avoided making, recycling."""

    life: int
    what: str
    carbon_g: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """`burdens` add up to what the part really emitted; `credits` stand beside, as positive grams that something else did not emit."""

    rule: Rule
    burdens: tuple[Line, ...]
    credits: tuple[Line, ...]

    @property
    def total_g(self) -> float:
        """All burdens: the same under every rule."""
        return math.fsum(line.carbon_g for line in self.burdens)

    @property
    def credit_g(self) -> float:
        return math.fsum(line.carbon_g for line in self.credits)

    def life_g(self, life: int) -> float:
        """What one life (from 1) bears."""
        return math.fsum(line.carbon_g for line in self.burdens if line.life == life)

    def ledger(self, asset: str) -> Ledger:
        """The burdens as rows of a ledger, an asset a life. Credits are no emissions and stay out."""
        from thrifty.lenses.carbon.ledger import Ledger

        rows: dict[tuple[int, str], float] = {}
        for line in self.burdens:
            key = line.life, "end of life" if line.what == "end of life" else "manufacture"
            rows[key] = rows.get(key, 0.0) + line.carbon_g
        return Ledger.of({"asset": f"{asset}, life {life}", "phase": phase, "scope": 3, "carbon_gco2e": grams} for (life, phase), grams in rows.items())

    def to_dict(self) -> dict[str, Any]:
        def lines(of: Sequence[Line]) -> list[dict[str, Any]]:
            return [{"life": line.life, "what": line.what, "carbon_gco2e": line.carbon_g} for line in of]

        return {"rule": self.rule, "burdens": lines(self.burdens), "credits": lines(self.credits), "total_gco2e": self.total_g, "credit_gco2e": self.credit_g}


def _check_grams(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise BadValue(f"{name}={value} is below 0 or not finite. Give grams of CO2e, 0 or more; a credit has its own place.")


def allocate(
    made_g: float, lives: Sequence[Life], rule: str, *, end_g: float = 0.0, displaced: float = 1.0, new_g: float | None = None, recycled_g: float = 0.0
) -> Allocation:  # fmt: skip
    """Divide `made_g` of making and `end_g` of the end among `lives`.

    displaced : how much of a new part (which emits `new_g`, by default as much as this one) a reused one makes unnecessary, for avoided-burden
    recycled_g: what recycled material saves elsewhere: a credit of the last life under every rule
    Raises BadValue for an unknown rule, negative or endless grams, no life, or value shares that are missing or do not add up to 1.
    """
    if rule not in RULES:
        raise BadValue(f"allocation='{rule}' is unknown. Choose from: {', '.join(RULES)}.")
    if not lives:
        raise BadValue("a part without a life has nobody to bear its making. Give one life or more.")
    for name, value in (("made_g", made_g), ("end_g", end_g), ("recycled_g", recycled_g), ("new_g", made_g if new_g is None else new_g)):
        _check_grams(name, value)
    if not 0 <= displaced <= 1:
        raise BadValue(f"displaced={displaced} is outside 0 to 1. Give the share of a new part that a reused one makes unnecessary.")
    last, chosen = len(lives), next(kind for kind in RULES if kind == rule)
    burdens: list[Line] = []
    if rule == "value":
        burdens = _by_value(made_g, lives, end_g)
    else:
        for life, share in _halves(1, last) if rule == "50-50" else ((1, 1.0),):
            burdens.append(Line(life, "making", made_g * share))
        for number, each in enumerate(lives[1:], 2):
            for life, share in _halves(number - 1, number) if rule == "50-50" else ((number, 1.0),):
                burdens.append(Line(life, "refurbishing", each.refurbish_g * share))
        burdens.append(Line(1, "refurbishing", lives[0].refurbish_g))
        for life, share in _halves(1, last) if rule == "50-50" else ((last, 1.0),):
            burdens.append(Line(life, "end of life", end_g * share))
    credits = [Line(last, "recycling", recycled_g)] if recycled_g else []
    if rule == "avoided-burden":
        avoided = displaced * (made_g if new_g is None else new_g)
        credits += [Line(number, "avoided making", avoided) for number in range(2, last + 1)]
    return Allocation(rule=chosen, burdens=tuple(line for line in burdens if line.carbon_g), credits=tuple(credits))


def _halves(first: int, last: int) -> tuple[tuple[int, float], ...]:
    return ((first, 1.0),) if first == last else ((first, 0.5), (last, 0.5))


def _by_value(made_g: float, lives: Sequence[Life], end_g: float) -> list[Line]:
    shares = [life.value_share for life in lives]
    if any(share is None for share in shares) or not math.isclose(math.fsum(share or 0.0 for share in shares), 1.0, abs_tol=1e-9):
        raise BadValue(f"value shares {shares} of the lives do not add up to 1. Give each life its share of the part's value.")
    lines = []
    for what, grams in (("making", made_g), ("refurbishing", math.fsum(life.refurbish_g for life in lives)), ("end of life", end_g)):
        lines += [Line(number, what, grams * (share or 0.0)) for number, share in enumerate(shares, 1)]
    return lines


def borne_by_second_g(first_g: float, rule: str, second_share: float) -> tuple[float, float]:
    """Grams of a first making that a second and last life bears under `rule`, and the credit that stands beside it."""
    lives = (Life(years=1, value_share=1 - second_share), Life(years=1, value_share=second_share))
    found = allocate(first_g, lives, rule)
    return found.life_g(2), found.credit_g
